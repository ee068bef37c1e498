"""The table of languages, scripts and digits."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.api.text import (
    LANGUAGES,
    UnknownLanguage,
    ascii_digits,
    characters,
    language,
    native_digits,
    script_of,
    script_share,
    scripts,
    words,
)

ASKED = {
    "Hindi": "hi", "Bengali": "bn", "Tamil": "ta", "Telugu": "te", "Marathi": "mr", "Gujarati": "gu", "Kannada": "kn",
    "Malayalam": "ml", "Punjabi": "pa", "Odia": "or", "Assamese": "as", "Urdu": "ur", "Sanskrit": "sa",
    "Indonesian": "id", "Javanese": "jv", "English": "en",
}  # fmt: skip
# "Water is life", near enough, in each; the script of every letter is the language's first.
SAMPLES = {
    "hi": "जल ही जीवन है", "bn": "জলই জীবন", "ta": "நீரே உயிர்", "te": "నీరే జీవనం", "mr": "पाणी हेच जीवन",
    "gu": "જળ એ જ જીવન", "kn": "ನೀರೇ ಜೀವನ", "ml": "ജലമാണ് ജീവൻ",
    "pa": "ਪਾਣੀ ਹੀ ਜੀਵਨ ਹੈ", "or": "ଜଳ ହିଁ ଜୀବନ", "as": "পানীয়েই জীৱন", "ur": "پانی ہی زندگی ہے",
    "sa": "जलमेव जीवनम्", "id": "Air adalah kehidupan", "jv": "Banyu iku urip", "en": "Water is life",
}  # fmt: skip


def test_every_language_asked_for_is_there() -> None:
    assert {one.name: code for code, one in LANGUAGES.items()} == ASKED


@pytest.mark.parametrize("name", ASKED)
def test_a_language_is_known_by_code_and_names(name: str) -> None:
    one = language(ASKED[name])
    for known in (one.code, one.code3, one.name, one.native, one.name.upper(), f"{one.code}-IN", f"{one.code3}_X"):
        assert language(known) is one


@pytest.mark.parametrize("code", ASKED.values())
def test_digits_are_ten_and_stand_for_zero_to_nine(code: str) -> None:
    digits = LANGUAGES[code].digits
    assert [unicodedata.decimal(digit) for digit in digits] == list(range(10))
    assert native_digits("3.5 / 1024", digits) == "".join(
        digits[int(char)] if char.isdigit() else char for char in "3.5 / 1024"
    )
    assert ascii_digits(native_digits("0123456789", digits)) == "0123456789"


@pytest.mark.parametrize(("code", "text"), SAMPLES.items())
def test_samples_are_of_their_script_and_cut_into_whole_words(code: str, text: str) -> None:
    one = LANGUAGES[code]
    assert script_share(text, *one.scripts) == 1
    assert next(iter(scripts(text))) == one.scripts[0]
    assert words(text) == unicodedata.normalize("NFC", text).split()


def test_what_languages_differ_in() -> None:
    assert language("ur").direction == "rtl"
    assert {one.direction for one in LANGUAGES.values() if one.code != "ur"} == {"ltr"}
    assert {one.code for one in LANGUAGES.values() if one.grouping == "thousands"} == {"en", "id", "jv"}
    assert {one.code for one in LANGUAGES.values() if one.decimal == ","} == {"id", "jv"}
    assert all("।" in LANGUAGES[code].ends for code in ("hi", "bn", "pa", "or", "as", "sa"))
    assert LANGUAGES["ur"].ends[0] == "۔"


@pytest.mark.parametrize(("wrong", "meant"), [("Hindy", "Hindi (hi)"), ("bangali", "Bengali (bn)"), ("jawanese", "jv")])
def test_a_mistyped_language_is_told_the_nearest(wrong: str, meant: str) -> None:
    with pytest.raises(UnknownLanguage, match="did you mean") as error:
        language(wrong)
    assert meant in str(error.value)


@pytest.mark.parametrize("wrong", ["", "xx", "klingon", "हिं"])
def test_an_unknown_language_is_told_all(wrong: str) -> None:
    with pytest.raises(UnknownLanguage, match="known: en English, hi Hindi"):
        language(wrong)


def test_scripts_are_shares_of_letters() -> None:
    text = "हिन्दी and தமிழ் 123 ।"
    shares = scripts(text)
    assert list(shares) == ["Devanagari", "Latin", "Tamil"]
    assert sum(shares.values()) == pytest.approx(1)
    assert script_share(text, "Latin") == pytest.approx(3 / 9)
    assert script_share(text, "Latin", "Tamil", "Devanagari") == 1
    assert scripts("123 !?") == {}
    assert script_share("123 !?", "Tamil") == 1
    assert script_of("ß") == "Latin"
    assert script_of("।") == ""
    with pytest.raises(ValueError, match="no script 'Devnagari'"):
        script_share("क", "Devnagari")


def test_digits_newer_than_this_python_are_read_by_their_place() -> None:
    from regex import findall

    every = findall(r"\p{Nd}", "".join(map(chr, range(0x20, 0xD800))) + "".join(map(chr, range(0xE000, 0x20000))))
    assert len(every) > 650
    assert [int(ascii_digits(digit)) for digit in every] == [i % 10 for i in range(len(every))]


@given(st.text())
def test_ascii_digits_keeps_every_place(text: str) -> None:
    plain = ascii_digits(text)
    assert len(plain) == len(text)
    for old, new in zip(text, plain, strict=True):
        if unicodedata.category(old) != "Cn":  # a digit newer than this Python's table may be none to it
            assert new == (str(unicodedata.decimal(old)) if unicodedata.category(old) == "Nd" else old)


@given(st.text())
def test_shares_sum_to_one_and_characters_are_no_more_than_code_points(text: str) -> None:
    assert sum(scripts(text).values()) == pytest.approx(1) or not scripts(text)
    assert 0 <= script_share(text, "Latin") <= 1
    assert characters(text) <= len(text)


def test_api_does_not_import_the_room() -> None:
    code = "import sys, attar.api; print('attar.text' in sys.modules, 'regex' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]
