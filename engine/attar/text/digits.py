"""Digits of every script as ASCII ones."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import regex

_OTHER_DIGIT = regex.compile(r"[\p{Nd}--[0-9]]", regex.V1)


@lru_cache(maxsize=1024)
def _ascii(digit: str) -> str:
    value = unicodedata.decimal(digit, None)
    if value is None:
        # `regex` knows newer digits than this Python does. All come ten by ten, zero first.
        before = 0
        while _OTHER_DIGIT.match(chr(ord(digit) - before - 1)):
            before += 1
        value = before % 10
    return str(value)


def ascii_digits(text: str) -> str:
    """The text with every decimal digit (१, ௩, ۵, ꧔, ５ …) written as 0-9; all else stays, and so does its length.

    Tamil's signs for 10, 100 and 1000, fractions and raised digits are no decimal digits: they stay.
    """
    if text.isascii():
        return text
    changed: str = _OTHER_DIGIT.sub(lambda found: _ascii(found[0]), text)
    return changed


def native_digits(text: str, digits: str) -> str:
    """The text with its digits, of whatever script, written in these ten (`Language.digits`)."""
    return ascii_digits(text).translate({ord("0") + i: digit for i, digit in enumerate(digits)})
