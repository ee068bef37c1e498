"""Sentences: where they end, and where a full stop ends none. Among them the probes that libraries fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.api.text import sentences, words

PROBES = [
    ("hi", ["डॉ. शर्मा ने ३.५ लीटर दूध लिया।", "वे चले गए।"]),
    ("hi", ["श्री. राम ने ई.पू. ५०० के बारे में पूछा।", "क्या यह सच है?", "हाँ!"]),
    ("hi", ["यह बेसिक है.", "वह आगे गया.", "सी. वी. रमन भौतिकविद थे."]),
    ("bn", ["ড. ইউনূস এলেন।", "তিনি ৩.৫ টাকা দিলেন।"]),
    ("bn", ["মো. রহমান কোথায়?", "তিনি ঘরে।"]),
    ("ta", ["திரு. குமார் 3.5 கி.மீ. நடந்தார்.", "அவர் வந்தார்."]),
    ("ta", ["பெ. சுந்தரம் வந்தார்.", "எ.கா. இது ஒன்று."]),
    ("te", ["డా. రావు వచ్చారు.", "ఆయన 3.5 లీటర్లు కొన్నారు."]),
    ("mr", ["डॉ. जोशी आले.", "त्यांनी रु. ५०० दिले."]),
    ("gu", ["ડૉ. પટેલ આવ્યા.", "તેમણે રૂ. 3.5 લાખ આપ્યા."]),
    ("kn", ["ಡಾ. ರಾವ್ ಬಂದರು.", "ಅವರು ರೂ. 3.5 ಕೊಟ್ಟರು."]),
    ("ml", ["ഡോ. നായർ വന്നു.", "അദ്ദേഹം 3.5 ലിറ്റർ വാങ്ങി.", "എവിടെ പോയി?"]),
    ("pa", ["ਡਾ. ਸਿੰਘ ਆਏ।", "ਉਹਨਾਂ ਨੇ ੩.੫ ਲੀਟਰ ਲਏ।"]),
    ("or", ["ଡ. ଦାସ ଆସିଲେ।", "ସେ ୩.୫ ଲିଟର ନେଲେ।"]),
    ("as", ["ড° শৰ্মা আহিল।", "তেওঁ ৩.৫ লিটাৰ ল'লে।"]),
    ("ur", ["یہ کیا ہے؟", "ٹھیک ہے۔", "وہ ۳.۵ لیٹر لایا۔"]),
    ("sa", ["धर्मक्षेत्रे कुरुक्षेत्रे समवेता युयुत्सवः ॥ १॥", "मामकाः पाण्डवाश्चैव किमकुर्वत सञ्जय ॥ २ ॥"]),
    ("id", ["Harganya Rp 5.000.000 saja.", "Rumah itu di Jl. Merdeka No. 10.", "Milik Bp. Slamet (dkk.) sejak lama."]),
    ("id", ["Biayanya Rp. 5.000.000 per tahun.", "Ada meja dll. di sana.", "Mereka bawa pena, dll.", "Lalu pulang."]),
    ("jv", ["Bp. Slamet tindak menyang Sala.", "Regane Rp. 5.000.000."]),
    ("en", ["Dr. A. P. J. Abdul Kalam came at 5 p.m. on Monday.", "He paid Rs. 3.5 lakh, i.e. a lot.", "See Fig. 3."]),
    ("en", ['He said "No."', "Then left.", "Was it 1947?", "In 1947.", "Then it ended."]),
    ("en", ["“Where?” he asked.", "Visit https://example.org/a.b?c=d today!", "Well... maybe."]),
]  # fmt: skip


@pytest.mark.parametrize(("code", "expected"), PROBES)
def test_probes_with_the_language_and_without(code: str, expected: list[str]) -> None:
    text = " ".join(expected)
    assert [one.text for one in sentences(text, code)] == expected
    assert [one.text for one in sentences(text)] == expected


def test_layout_ends_sentences() -> None:
    text = "# शीर्षक\nयह है. वह था\n\nदूसरा पैरा\nआगे चलता है।\n- एक\n- दो\n\n1. First. 2nd."
    assert [one.text for one in sentences(text)] == [
        "# शीर्षक", "यह है.", "वह था", "दूसरा पैरा\nआगे चलता है।", "- एक", "- दो", "1. First.", "2nd.",
    ]  # fmt: skip


def test_pieces_without_a_word_belong_to_the_sentence_before() -> None:
    assert [one.text for one in sentences("What?! ... !!! Yes.")] == ["What?! ... !!!", "Yes."]
    assert sentences("... !!!") == []
    assert sentences("") == []


def test_words_of_several_scripts() -> None:
    assert words("हिन्दी don't क्‍ष ന്‍ ३.५") == ["हिन्दी", "don't", "क्‍ष", "ന്‍", "३", "५"]
    assert words("don't", apostrophes=False) == ["don", "t"]
    assert words("e\u0301te\u0301") == ["été"]


PIECES = st.sampled_from([
    "डॉ. ", "३.५", "। ", "॥ १॥ ", "word ", "No. 10 ", "Rp 5.000.000 ", "?", "! ", "…", "\n\n", "\n- ", "“", "” ",
    "(dkk.) ", "ড. ", "A. ", "۔ ", "؟", "# ", "\n", "1. ", ".", "திரு. ", "is",
])  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_offsets_are_exact_and_nothing_with_a_word_is_lost(text: str) -> None:
    found = sentences(text)
    position = 0
    for one in found:
        assert text[one.start : one.end] == one.text
        assert one.text == one.text.strip() != ""
        assert words(one.text)
        assert not words(text[position : one.start])
        assert one.start >= position
        position = one.end
    assert not words(text[position:])
    assert words(" ".join(one.text for one in found)) == words(" ".join(text.split()))
