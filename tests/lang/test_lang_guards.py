"""The guards of translations: in every language the clean twin passes and each planted fault is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.api.text import LANGUAGES, native_digits, sentences
from attar_lang.guards import SCORES, Pair, examine
from attar_lang.marks import Kept, protect, restore
from attar_lang.names import capitalised

SOURCE = (
    "The teacher Ravi Sharma bought 3.5 kg of rice in Pune for Rs 1,250. His neighbour Meera Joshi sold 48 mangoes on "
    "12/05/2023. Both left at once."
)
# Made by hand: the text in each language, numbers grouped as it groups them; its first person, its second, and another
# name for her, spelt by their sound.
HERE = Path(__file__).parent
LINES = (HERE / "translations.tsv").read_text(encoding="utf-8").splitlines()[1:]
ROWS = {code: rest for code, *rest in (line.split("\t") for line in LINES)}
CLEAN = {code: row[0] for code, row in ROWS.items()}
FIRST = {code: row[1] for code, row in ROWS.items()}
OTHER = {code: (row[2], row[3]) for code, row in ROWS.items()}
EVERY = pytest.mark.parametrize("code", CLEAN)


def pair(code: str, target: str | None = None, **more: object) -> Pair:
    english, language = LANGUAGES["en"], LANGUAGES[code]
    made = Pair(SOURCE, CLEAN[code] if target is None else target, language, english)
    return replace(made, **more)  # type: ignore[arg-type]


def codes(one: Pair) -> list[str]:
    return [fault.code for fault in examine(one).faults]


@EVERY
@pytest.mark.parametrize("native", [False, True])
def test_the_clean_translation_passes(code: str, native: bool) -> None:
    text = native_digits(CLEAN[code], LANGUAGES[code].digits) if native else CLEAN[code]
    found = examine(pair(code, text))
    assert found.faults == []
    assert found.scores == dict.fromkeys(SCORES, 1.0)


@EVERY
@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("number", ["48", "3.5", "1,250", "12/05/2023"])
def test_a_dropped_numeral_is_refused(code: str, native: bool, number: str) -> None:
    written = number if number in CLEAN[code] else number.replace(".", "|").replace(",", ".").replace("|", ",")
    assert written in CLEAN[code]
    text = CLEAN[code].replace(written, "")
    text = native_digits(text, LANGUAGES[code].digits) if native else text
    found = examine(pair(code, text))
    assert [fault.code for fault in found.faults] == ["number_changed"]
    assert number in found.faults[0].feedback
    assert found.scores["numbers"] == 0.75


@EVERY
def test_a_changed_numeral_is_refused_in_the_languages_own_digits(code: str) -> None:
    digits = LANGUAGES[code].digits
    text = native_digits(CLEAN[code], digits).replace(native_digits("48", digits), native_digits("84", digits))
    found = examine(pair(code, text))
    assert [fault.code for fault in found.faults] == ["number_changed"]
    assert "48" in found.faults[0].feedback
    assert native_digits("84", digits) in found.faults[0].feedback


@EVERY
def test_another_name_is_refused(code: str) -> None:
    text = CLEAN[code].replace(*OTHER[code])
    assert text != CLEAN[code]
    found = examine(pair(code, text))
    assert [fault.code for fault in found.faults] == ["name_changed"]
    assert "Meera Joshi" in found.faults[0].feedback


@EVERY
def test_names_that_trade_sentences_are_refused(code: str) -> None:
    one, other = FIRST[code], OTHER[code][0]
    assert one in CLEAN[code]
    text = CLEAN[code].replace(one, "@").replace(other, one).replace("@", other)
    found = examine(pair(code, text))
    assert [fault.code for fault in found.faults] == ["name_changed"]
    assert "changed places" in found.faults[0].feedback


@EVERY
def test_numbers_that_trade_sentences_are_refused(code: str) -> None:
    written = "1,250" if "1,250" in CLEAN[code] else "1.250"
    text = CLEAN[code].replace(written, "@").replace("48", written).replace("@", "48")
    found = examine(pair(code, native_digits(text, LANGUAGES[code].digits)))
    assert [fault.code for fault in found.faults] == ["number_changed"]
    assert "changed places" in found.faults[0].feedback


@EVERY
def test_the_source_given_back_is_refused(code: str) -> None:
    assert codes(pair(code, SOURCE))[0] == "untranslated"
    assert "untranslated" in codes(pair(code, "  " + SOURCE.replace(". ", ".\n") + "\n"))


@EVERY
def test_another_script_is_refused(code: str) -> None:
    other = next(c for c in CLEAN if not set(LANGUAGES[c].scripts) & set(LANGUAGES[code].scripts))
    assert codes(pair(code, CLEAN[other]))[0] == "wrong_script"
    half = sentences(CLEAN[code], code)[0].text + " " + " ".join(one.text for one in sentences(CLEAN[other], other)[1:])
    assert codes(pair(code, half))[0] == "wrong_script"


@EVERY
def test_a_truncation_is_refused(code: str) -> None:
    text = CLEAN[code]
    parts = [one.text for one in sentences(text, code)]
    assert "truncated" in codes(pair(code, text[: len(text) * 2 // 3].rstrip(" ।.۔")))
    assert "truncated" in codes(pair(code, text.rstrip("।.۔")))
    assert codes(pair(code, finish="length")) == ["truncated"]
    assert codes(pair(code, finish="stop")) == []
    two = replace(pair(code), source=SOURCE + "\n\n" + SOURCE, target=text + "\n\n" + text)
    assert codes(two) == []
    assert codes(replace(two, target=text))[0] == "truncated"
    many = replace(pair(code), source=" ".join([SOURCE] * 3), target=text + " " + parts[0])
    assert codes(many)[0] == "truncated"


@pytest.mark.parametrize(("one", "other"), [("bn", "as"), ("as", "bn")])
def test_bengali_and_assamese_are_told_apart_without_a_model(one: str, other: str) -> None:
    assert codes(pair(one, CLEAN[other]))[0] == "wrong_language"


@pytest.mark.parametrize(("one", "other"), [("hi", "mr"), ("mr", "hi"), ("sa", "hi"), ("id", "jv"), ("jv", "id")])
def test_languages_of_one_script_are_told_apart_by_the_model(one: str, other: str) -> None:
    pytest.importorskip("py3langid")
    assert codes(pair(one, CLEAN[other], identify=True))[0] == "wrong_language"
    assert codes(pair(one, identify=True)) == []
    assert "wrong_language" not in codes(pair(one, CLEAN[other]))


@pytest.mark.parametrize("code", ["hi", "bn", "ta", "ur", "ml"])
def test_back_into_english(code: str) -> None:
    back = Pair(CLEAN[code], SOURCE, LANGUAGES["en"], LANGUAGES[code])
    assert codes(back) == []
    assert codes(replace(back, target=SOURCE.replace("Pune", "Nagpur"))) == ["name_changed"]
    assert codes(replace(back, target=SOURCE.replace("48", "84"))) == ["number_changed"]
    assert codes(replace(back, target=CLEAN[code]))[0] == "untranslated"


def test_lengths() -> None:
    hindi = CLEAN["hi"]
    assert codes(pair("hi", hindi.replace("। ", "। " + "और फिर वे सब लोग बहुत देर तक बैठे रहे। " * 6))) == ["too_long"]
    shortest = pair("hi", "रवि शर्मा, मीरा जोशी, पुणे: 3.5, 1,250, 48, 12/05/2023 यह। वह। सब।")
    assert codes(shortest) == ["too_short"]
    assert codes(replace(shortest, source="5.", target="पाँच यानी 5 ही है भाई।")) == []  # too short to measure


def test_an_empty_translation() -> None:
    assert codes(pair("hi", " \n")) == ["empty"]
    assert codes(Pair("", "", LANGUAGES["hi"])) == []


def test_places_are_kept() -> None:
    source = "Write to a@example.org or see https://example.org/x about {order} and `cp a b` today."
    clean = "आज {order} और `cp a b` के बारे में a@example.org पर लिखें या https://example.org/x देखें।"
    one = Pair(source, clean, LANGUAGES["hi"])
    assert codes(one) == []
    assert codes(replace(one, target=clean.replace("/x", "/y"))) == ["url_changed"]
    assert codes(replace(one, target=clean.replace("{order}", "{क्रम}"))) == ["placeholder_changed"]
    assert codes(replace(one, target=clean.replace("a@example.org", "लिखें"))) == ["email_changed"]
    assert codes(replace(one, target=clean.replace("cp a b", "cp b a"))) == ["code_changed"]


def test_marks() -> None:
    source = "Ravi has 5 {cars} and ISRO."
    masked, kept = protect(source, names=["ISRO"])
    target = restore("रवि के पास ⟦2⟧ ⟦1⟧ और ⟦3⟧ है।", [kept[1], kept[0], *kept[2:]]).text
    one = Pair(source, "रवि के पास 5 {cars} और ISRO है।", LANGUAGES["hi"], kept=kept)
    assert "⟦3⟧" in masked
    assert "ISRO" in target
    assert codes(one) == []
    assert codes(replace(one, target="रवि के पास 5 {cars} और इसरो है।")) == []
    assert codes(replace(one, target="रवि के पास 5 {cars} और नासा है।")) == ["mark_lost"]
    assert codes(replace(one, target="रवि के पास 5 {cars} और ISRO ⟦4⟧ है।"))[:2] == ["number_changed", "mark_unknown"]
    assert "mark_repeated" in codes(replace(one, target="रवि के पास 5 {cars} {cars} और ISRO है।"))


def test_given_names() -> None:
    one = Pair("Ravi came.", "मोहन आया।", LANGUAGES["hi"])
    assert codes(one) == []  # the first word of a sentence: its capital says nothing
    assert codes(replace(one, names=("Ravi",))) == ["name_changed"]
    assert codes(replace(one, names=("Ravi",), target="रवि आया।")) == []
    assert codes(replace(one, names=("Sita",))) == []  # not in the source: nothing to keep


def test_a_refinement_may_stay_as_it_is() -> None:
    text = CLEAN["hi"]
    one = Pair(text, text, LANGUAGES["hi"], LANGUAGES["hi"])
    assert codes(one) == []
    assert codes(replace(one, source_language=None))[0] == "untranslated"
    assert codes(replace(one, source_language=None, refine=True)) == []
    assert codes(replace(one, target=text.replace("48", "४८"))) == []
    assert codes(replace(one, target=text.replace("48", ""))) == ["number_changed"]


def test_feedback_names_the_mark() -> None:
    kept = [Kept("⟦1⟧", "48", "number")]
    found = examine(pair("hi", CLEAN["hi"].replace("48", ""), kept=kept))
    assert "48 (⟦1⟧)" in found.faults[0].feedback


GOOD = [line.split("\t") for line in (HERE / "good_pairs.tsv").read_text(encoding="utf-8").splitlines()[1:]]


@pytest.mark.parametrize(("source", "target", "text", "translation"), GOOD)
def test_good_translations_raise_no_false_alarm(source: str, target: str, text: str, translation: str) -> None:
    assert examine(Pair(text, translation, LANGUAGES[target], LANGUAGES[source])).faults == []


@given(st.text(max_size=120), st.text(max_size=120), st.sampled_from(sorted(LANGUAGES)))
def test_any_pair_of_texts_can_be_examined(source: str, target: str, code: str) -> None:
    found = examine(Pair(source, target, LANGUAGES[code]))
    assert all(0 <= found.scores[name] <= 1 for name in SCORES)
    assert all(fault.feedback and fault.code for fault in found.faults)


@given(st.text(max_size=200), st.sampled_from(sorted(LANGUAGES)))
def test_numbers_and_marks_of_a_text_are_equal_to_themselves(text: str, code: str) -> None:
    found = examine(Pair(text, text, LANGUAGES[code], LANGUAGES[code]))
    assert {fault.code for fault in found.faults} <= {"wrong_script"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("On Monday, Prime Minister Nehru opened the Bhakra Dam in Punjab.", ["Nehru", "Bhakra", "Punjab"]),
        ("Pak Hasan Basri pergi ke Sungai Musi. Warga RT 04 ikut.", ["Hasan Basri", "Musi"]),
        ("He works at the Reserve Bank of India. Every Friday it rains.", []),
        ("Then Ravi left for Sri Lanka. Ravi came back.", ["Ravi", "Sri Lanka", "Ravi"]),
        ("Dr. A. P. J. Abdul Kalam met Prof. Rao.", ["Abdul Kalam", "Rao"]),
        ("How To Grow Rice In Madurai\n\nFarmers know.", []),
        ("NATO and IBM met. See www.Example.org or /Home/Ravi.", []),
        ("रवि Pune गया।", ["Pune"]),
    ],
)
def test_names_found_by_their_capitals(text: str, names: list[str]) -> None:
    assert [name.text for name in capitalised(text)] == names
