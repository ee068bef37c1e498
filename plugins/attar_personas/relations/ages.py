"""Ages a persona's text gives, in English, Hindi and Indonesian."""

from __future__ import annotations

import regex


def _counted(words: str, first: int, step: int = 1) -> dict[str, int]:
    """Numbers by their words, in order; other spellings of one after a `|`."""
    return {word: first + n * step for n, some in enumerate(words.split()) for word in some.split("|")}


_UNITS = _counted("one two three four five six seven eight nine", 1)
_TENS = _counted("twenty thirty forty fifty sixty seventy eighty ninety", 20, 10)
_ENGLISH = {
    **_UNITS,
    **_counted("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen", 10),
    **_TENS,
    **{f"{ten} {unit}": tens + units for ten, tens in _TENS.items() for unit, units in _UNITS.items()},
}
_HINDI = {
    **_counted("दो तीन चार पाँच|पांच छह|छः|छे सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह|पन्द्रह सोलह सत्रह अठारह उन्नीस", 2),
    **_counted("साठ पैंसठ सत्तर पचहत्तर अस्सी पचासी नब्बे", 60, 5),
}
_SATUAN = _counted("dua tiga empat lima enam tujuh delapan sembilan", 2)
_INDONESIAN = {
    **_SATUAN,
    **_counted("sepuluh sebelas", 10),
    **{f"{unit} belas": 10 + n for unit, n in _SATUAN.items()},
    **{f"{unit} puluh": 10 * n for unit, n in _SATUAN.items()},
}
_NUMBERS = _ENGLISH | _HINDI | _INDONESIAN


def _words(numbers: dict[str, int]) -> str:
    return "|".join(sorted(numbers, key=lambda word: (-len(word), word)))


_EDGE = r"[\p{L}\p{M}\p{N}]"
# "a mother of a six year old": the age is another's.
_OTHERS = r"(?<!\b(?:of|with|for|to|her|his|their|whose)\s(?:(?:a|an|the|her|his|their)\s)?(?:[^\s,;.]+\s)?)"
_AGE = regex.compile(
    rf"(?<!{_EDGE})(?:"
    rf"{_OTHERS}(?P<n>\p{{Nd}}{{1,3}}|{_words(_ENGLISH)}) years? old(?: (?:boy|girl|child|woman|man))?|"
    rf"aged (?P<n>\p{{Nd}}{{1,3}}|{_words(_ENGLISH)})|"
    rf"(?P<n>\p{{Nd}}{{1,3}}|{_words(_HINDI)}) (?:(?:साल|बरस) (?:का|की|के)|वर्ष (?:का|की|के)|वर्षीय)|"
    rf"(?:berusia|berumur|usia|umur) (?P<n>\p{{Nd}}{{1,3}}|{_words(_INDONESIAN)})(?: tahun)?"
    rf")(?!{_EDGE})"
)


AGE_HINT = regex.compile(r"years? old|\baged\b|साल|बरस|वर्ष|usia|umur")
"""Finds what no age is told without; cheaper than looking for the age itself."""


def ages_in(flat: str) -> list[int]:
    """Ages in a text that is case-folded, with single spaces and without hyphens."""
    found = []
    for hit in _AGE.finditer(flat):
        number = hit["n"]
        found.append(_NUMBERS[number] if number in _NUMBERS else int(number))
    return found
