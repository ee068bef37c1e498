"""Personal data in a text: addresses people are reached by and numbers they are known by, in India and Indonesia.

Numbers with a check digit are hits only where it fits, whatever digits they are written in (१२३, ۱۲۳, 123). Layouts:
Aadhaar (12 digits, Verhoeff), PAN, GSTIN, voter's card (EPIC), passport, vehicle registration, IFSC, UPI address; NIK,
NPWP; telephone numbers of both countries; e-mail; payment cards (Luhn).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import regex

from attar_personas.screen import checksums


class Hit(NamedTuple):
    """Something found in a text: `kind` (`aadhaar`, `email`, `real_name`, …) and where, in characters.

    It does not hold what was found, so that a report on personal data does not spread them.
    """

    kind: str
    start: int
    end: int


class _Kind(NamedTuple):
    name: str
    pattern: str
    sound: Callable[[str], bool] | None = None
    """Given the match with separators taken out."""


_STATES = (
    "AN|AP|AR|AS|BR|CG|CH|DD|DL|DN|GA|GJ|HP|HR|JH|JK|KA|KL|LA|LD|MH|ML|MN|MP|MZ|NL|OD|OR|PB|PY|RJ|SK|TN|TR|TS|TG|UK|UA|"
    "UP|WB"
)
_UPI = (
    "okaxis|okhdfcbank|okicici|oksbi|ybl|ibl|axl|upi|paytm|apl|sbi|icici|hdfcbank|axisbank|kotak|barodampay|freecharge"
)

# In this order: what a longer or stricter kind has taken is no other kind as well.
_KINDS = (
    _Kind("email", r"(?<![\w.+-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"),
    _Kind("upi", rf"(?<![\w.-])[\w.-]{{2,}}@(?:{_UPI})(?![\w.])"),
    _Kind("gstin", r"(?<!\w)\d{2}[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z](?!\w)", checksums.gstin),
    _Kind("pan", r"(?<!\w)[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z](?!\w)"),
    _Kind("ifsc", r"(?<!\w)[A-Z]{4}0[A-Z0-9]{6}(?!\w)", lambda text: any(c.isdigit() for c in text[5:])),
    _Kind("voter_id", r"(?<!\w)[A-Z]{3}\d{7}(?!\w)"),
    _Kind("vehicle", rf"(?<!\w)(?:{_STATES})[ -]?\d{{1,2}}[ -]?[A-Z]{{1,3}}[ -]?\d{{4}}(?!\w)"),
    _Kind("passport", r"(?i:passport|paspor|पासपोर्ट)\P{L}{0,4}(?:\p{L}+\P{L}{1,3}){0,3}[A-Z][1-9]\d{6}(?!\w)"),
    _Kind("npwp", r"(?<!\d)\d{2}\.\d{3}\.\d{3}\.\d-\d{3}\.\d{3}(?!\d)"),
    _Kind("payment_card", r"(?<![\d-])[3-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,4}(?![\d-])", checksums.luhn),
    _Kind("nik", r"(?<!\d)[1-9]\d{15}(?!\d)", checksums.nik),
    _Kind("aadhaar", r"(?<![\d-])[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}(?![\d-])", checksums.verhoeff),
    _Kind("phone", r"(?<![\w+])(?:\+|00)(?:91|62)[ -]?(?:\d[ -]?){8,11}\d(?!\d)"),
    _Kind("phone", r"(?<![\w.,-])0?[6-9]\d{4}[ -]?\d{5}(?![\d-]|[.,]\d)"),
    _Kind("phone", r"(?<![\w.,-])08[1-9]\d{1,2}[ -]?\d{3,4}[ -]?\d{3,5}(?![\d-]|[.,]\d)"),
)

# What every kind has in common, in a syntax that Arrow's RE2 reads too: rows without it need no closer look.
SUSPECT = (
    r"@|\p{Nd}[\p{Nd} .-]{6,}\p{Nd}|[A-Z]{3,5}[\p{Nd}]{4}|[A-Z]{4}0|[A-Z]\p{Nd}{7}|[A-Z]{2}[ -]?\p{Nd}{1,2}[ -]?[A-Z]"
)


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[_Kind, Any]]:
    return [(kind, regex.compile(kind.pattern)) for kind in _KINDS]


@lru_cache(maxsize=1)
def _suspect() -> Any:
    return regex.compile(SUSPECT)


def pii(text: str) -> list[Hit]:
    """Every piece of personal data in a text, in order of place; none overlaps another."""
    if not _suspect().search(text):
        return []
    plain = _ascii_digits(text)
    taken: list[Hit] = []
    for kind, pattern in _patterns():
        for start, end in _matches(kind, pattern, plain):
            if all(end <= hit.start or start >= hit.end for hit in taken):
                taken.append(Hit(kind.name, start, end))
    return sorted(taken, key=lambda hit: hit.start)


def _matches(kind: _Kind, pattern: Any, text: str) -> Iterator[tuple[int, int]]:
    for match in pattern.finditer(text):
        if kind.sound is None or kind.sound(match[0].replace(" ", "").replace("-", "")):
            yield match.span()


def _ascii_digits(text: str) -> str:
    """Digits of any script as 0–9, character by character, so that places stay what they are."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)
