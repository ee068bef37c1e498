"""Numbers in the ways that languages write them, and what is not the same in two texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attar.api.text import LANGUAGES, native_digits, number_differences, numbers


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        ("Rp 5.000.000", "id", [("5.000.000", "5000000", "money")]),
        ("Rp5.000,50 dan 1.000", "id", [("5.000,50", "5000.50", "money"), ("1.000", "1000", "number")]),
        ("3,5% naik", "id", [("3,5", "3.5", "percent")]),
        ("1.000", "en", [("1.000", "1.000", "number")]),
        ("₹1,00,000", "hi", [("1,00,000", "100000", "money")]),
        ("१,२३,४५६", "hi", [("१,२३,४५६", "123456", "number")]),
        ("۱۲۳", "ur", [("۱۲۳", "123", "number")]),
        ("৩.৫ শতাংশ", "bn", [("৩.৫", "3.5", "percent")]),
        ("12/05/2023, 10:30", "en", [("12/05/2023", "12-05-2023", "date"), ("10:30", "10:30", "time")]),
        ("2023-05-12", None, [("2023-05-12", "2023-05-12", "date")]),
        ("10-20", None, [("10", "10", "number"), ("20", "20", "number")]),
        ("-5 and −7 but x-9", None, [("-5", "-5", "number"), ("−7", "-7", "number"), ("9", "9", "number")]),
        ("v1.2.3 of 10.0.0.1", None, [("1.2.3", "1.2.3", "number"), ("10.0.0.1", "10.0.0.1", "number")]),
        ("3.", None, [("3", "3", "number")]),
        ("no number", None, []),
    ],
)  # fmt: skip
def test_numbers_are_read_as_their_language_reads_them(
    text: str, code: str | None, expected: list[tuple[str, str, str]]
) -> None:
    assert [(one.text, one.value, one.kind) for one in numbers(text, code)] == expected


@pytest.mark.parametrize(
    ("text", "power"),
    [("5 lakh", 5), ("५ लाख", 5), ("5 करोड़", 7), ("2 juta", 6), ("10 ribu", 3), ("3 billion", 9),
     ("5 லட்சம்", 5), ("৫ কোটি", 7), ("5 lamps", 0)],
)  # fmt: skip
def test_words_that_multiply(text: str, power: int) -> None:
    assert [one.power for one in numbers(text)] == [power]


@pytest.mark.parametrize(
    ("source", "target", "languages"),
    [
        ("He has 1,00,000 rupees and 3.5 acres.", "उसके पास १,००,००० रुपये और ३.५ एकड़ हैं।", ("en", "hi")),
        ("1,250.75 paid", "dibayar 1.250,75", ("en", "id")),
        ("5 lakh people, 2 million trees", "500,000 लोग, 20 लाख पेड़", ("en", "hi")),
        ("2 juta orang", "2 million people", ("id", "en")),
        ("at 10:30 on 2023-05-12", "pukul 10.30 tanggal 12/05/2023", ("en", "id")),
        ("3 of 7", "7 में से 3", ("en", "hi")),
        ("05 May", "5 मई", ("en", "hi")),
    ],
)
def test_the_same_numbers_in_another_language(source: str, target: str, languages: tuple[str, str]) -> None:
    assert number_differences(source, target, *languages) == ([], [])


@pytest.mark.parametrize(
    ("source", "target", "gone", "new"),
    [
        ("3.5 acres", "35 एकड़", ["3.5"], ["35"]),
        ("3 of 7", "7", ["3"], []),
        ("3 and 3", "3", ["3"], []),
        ("1,00,000", "१०,०००", ["1,00,000"], ["१०,०००"]),
        ("-5", "5", ["-5"], ["5"]),
        ("5 lakh", "5 करोड़", ["5"], ["5"]),
        ("3.50", "3.5", ["3.50"], ["3.5"]),
        ("none", "4", [], ["4"]),
        ("at 10:30", "at 10:35", ["10:30"], ["10:35"]),
    ],
)
def test_changed_numbers_are_named(source: str, target: str, gone: list[str], new: list[str]) -> None:
    lost, found = number_differences(source, target)
    assert ([one.text for one in lost], [one.text for one in found]) == (gone, new)


NUMBERS = st.lists(
    st.one_of(st.integers(0, 10**9).map(str), st.decimals(0, 10**4, places=2).map(str), st.just("12/05/2023")),
    max_size=8,
)


@given(NUMBERS, st.sampled_from(sorted(LANGUAGES)), st.randoms(use_true_random=False))
def test_other_digits_and_another_order_change_nothing(written: list[str], code: str, random: object) -> None:
    source = "; ".join(written)
    shuffled = list(written)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    target = "; ".join(native_digits(one, LANGUAGES[code].digits) for one in shuffled)
    assert number_differences(source, target, "en", code) == ([], [])


@given(NUMBERS.filter(bool), st.data())
def test_a_dropped_number_is_always_found(written: list[str], data: st.DataObject) -> None:
    where = data.draw(st.integers(0, len(written) - 1))
    lost, found = number_differences("; ".join(written), "; ".join(written[:where] + written[where + 1 :]))
    assert [one.text for one in lost] == [written[where]]
    assert found == []


@given(st.text())
def test_places_are_exact(text: str) -> None:
    for one in numbers(text):
        assert text[one.start : one.end] == one.text
