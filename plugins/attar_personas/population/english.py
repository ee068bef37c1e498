"""Small English grammar for texts with slots: articles, capitals, number words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_NUMBERS = tuple(
    word
    for line in (
        "zero one two three four five six seven eight nine ten",
        "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty",
    )
    for word in line.split()
)
# Words whose first sound is not what their first letter says: "a university", "an hour", "an X-ray".
_LIKE_CONSONANT = re.compile(r"(?:uni(?!n|m)|use|usu|uti|eu|ewe|one\b|once\b|ubiq|uran|ukulele|u-)", re.IGNORECASE)
_LIKE_VOWEL = re.compile(r"(?:hour|honest|honou?r|heir|8|11(?!\d)|18(?!\d)|x-)", re.IGNORECASE)
_LETTERS = re.compile(r"[A-Z]{2,}\b")


def article(text: str) -> str:
    """`a` or `an`, by the sound the text begins with."""
    word = text.lstrip("“\"'(")
    if _LETTERS.match(word):  # letters read out one by one: an FM station, a UN office
        return "an" if word[0] in "AEFHILMNORSX" else "a"
    if _LIKE_VOWEL.match(word):
        return "an"
    return "an" if word[:1].lower() in "aeiou" and not _LIKE_CONSONANT.match(word) else "a"


def with_article(text: str) -> str:
    return f"{article(text)} {text}"


def capital(text: str) -> str:
    """The text with its first letter as a capital; the rest as it is."""
    return text[:1].upper() + text[1:]


def small(text: str) -> str:
    """The text with its first letter small, unless the word is all capitals (`IT support`)."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def in_words(text: str) -> str:
    """A whole number up to twenty in words (`9+` is `nine or more`); any other text as it is."""
    plus = text.endswith("+")
    digits = text[:-1] if plus else text
    if not digits.isascii() or not digits.isdecimal() or int(digits) >= len(_NUMBERS):
        return text
    return _NUMBERS[int(digits)] + (" or more" if plus else "")


CHANGES: Mapping[str, Callable[[str], str]] = {
    "cap": capital,
    "lower": small,
    "a": with_article,
    "words": in_words,
}
