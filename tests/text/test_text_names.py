"""Names known again by their sound, in all the scripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.api.text import same_name, skeletons

SPELT = [
    ("Sharma", "शर्मा শর্মা சர்மா శర్మ શર્મા ಶರ್ಮಾ ശർമ ਸ਼ਰਮਾ ଶର୍ମା শৰ্মা شرما"),
    ("Lakshmi", "लक्ष्मी লক্ষ্মী லக்ஷ்மி లక్ష్మి લક્ષ્મી ಲಕ್ಷ್ಮಿ ലക്ഷ്മി ਲਕਸ਼ਮੀ ଲକ୍ଷ୍ମୀ লক্ষ্মী لکشمی"),
    ("Mohan", "मोहन মোহন மோகன் మోహన్ મોહન ಮೋಹನ್ മോഹൻ ਮੋਹਨ ମୋହନ মোহন موہن"),
    ("Mumbai", "मुंबई মুম্বাই மும்பை ముంబై મુંબઈ ಮುಂಬೈ മുംബൈ ਮੁੰਬਈ ମୁମ୍ବାଇ মুম্বাই ممبئی"),
    ("Singh", "सिंह সিং சிங் సింగ్ સિંહ ಸಿಂಗ್ സിങ് ਸਿੰਘ ସିଂହ সিং سنگھ"),
    ("Jakarta", "जकार्ता জাকার্তা ஜகார்த்தா జకార్తా જકાર્તા ಜಕಾರ್ತಾ ജക്കാർത്ത ਜਕਾਰਤਾ ଜାକର୍ତ୍ତା জাকাৰ্টা جکارتہ"),
    ("Ravi", "रवि রবি ரவி రవి રવિ ರವಿ രവി ਰਵੀ ରବି ৰবি روی"),
    ("Washington", "वाशिंगटन"), ("George", "जॉर्ज"), ("Michael", "माइकल"), ("Gyan", "ज्ञान"), ("Chandigarh", "चंडीगढ़"),
    ("Yadav", "যাদব"), ("Chand", "चाँद"), ("Slamet", "ꦱ꧀ꦭꦩꦼꦠ꧀"),
]  # fmt: skip


@pytest.mark.parametrize(("latin", "spelt"), [(name, one) for name, several in SPELT for one in several.split()])
def test_a_name_is_itself_in_another_script(latin: str, spelt: str) -> None:
    assert same_name(latin, spelt)
    assert same_name(spelt, latin)


@pytest.mark.parametrize(("one", "other"), [
    ("Ravi", "मोहन"), ("Anita", "सुनीता"), ("Budi", "স্লামেত"), ("Patna", "पुणे"), ("Meera", "ராதா"), ("Rahul", "Rohit"),
])  # fmt: skip
def test_other_names_are_others(one: str, other: str) -> None:
    assert not same_name(one, other)
    assert not same_name(other, one)


def test_case_endings_are_no_other_name() -> None:
    assert same_name("Ravi", "ரவியின்", endings=True)
    assert same_name("Mohan", "মোহনের", endings=True)
    assert not same_name("Mohan", "মোহনের")
    assert not same_name("Mohan", "রবির", endings=True)


def test_all_names_of_the_table_in_one_script_are_told_apart() -> None:
    hindi = {name: several.split()[0] for name, several in SPELT[:7]}
    for name in hindi:
        assert [other for other in hindi if same_name(name, hindi[other])] == [name]


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_can_be_compared(one: str, other: str) -> None:
    assert same_name(one, other) == same_name(other, one)
    assert same_name(one, one)
    assert all(set(form) <= set("kstpnmrla") for form in skeletons(one))
