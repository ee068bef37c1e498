"""Measures of a text: words, share of English letters, repetition, common substrings. Indic-safe throughout."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import regex

from attar.api.text import WORD, words

__all__ = ["WORD", "Repetition", "english_share", "longest_common_substring", "repetition", "words"]

LETTER = regex.compile(r"\p{L}")
ASCII_LETTER = regex.compile(r"[A-Za-z]")

TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)


class Repetition(NamedTuple):
    """How much of a text says the same again, as shares from 0 to 1.

    Attributes:
        lines: share of lines that stand earlier in the text too.
        top: for n = 2, 3, 4: share of the words' characters taken up by the most frequent n-gram that occurs twice or
            more, repeats of it that overlap counted once.
        duplicate: for n = 5 … 10: share of the words' characters inside an n-gram that stands earlier in the text too.
    """

    lines: float
    top: tuple[float, ...]
    duplicate: tuple[float, ...]


def english_share(text: str) -> float:
    """Share of ASCII letters among all letters; 1 for a text without letters, which is for other checks to refuse."""
    if text.isascii():
        return 1.0
    text = unicodedata.normalize("NFC", text)
    letters = len(LETTER.findall(text))
    return len(ASCII_LETTER.findall(text)) / letters if letters else 1.0


def repetition(text: str) -> Repetition:
    """Repetition in the manner of Gopher (Rae et al. 2021, table A1), over our words rather than white space.

    Words are compared in lower case. Shares are of the words' characters, so that punctuation and layout do not count.
    """
    tokens = [word.casefold() for word in words(text)]
    sizes = [len(token) for token in tokens]
    total = sum(sizes)
    known: dict[str, int] = {}
    numbers = [known.setdefault(token, len(known)) for token in tokens]  # small ints hash faster than words
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    top: list[float] = []
    for n in TOP_SIZES:
        # An n-gram that occurs once has no longer ones that occur twice: most texts end here or soon.
        repeated = not top or top[-1] > 0
        top.append(_share(_most_frequent(numbers, n), n, sizes, total) if repeated else 0.0)
    duplicate: list[float] = []
    for n in DUPLICATE_SIZES:
        repeated = not duplicate or duplicate[-1] > 0
        duplicate.append(_share(_repeats(numbers, n), n, sizes, total) if repeated else 0.0)
    return Repetition(
        lines=(len(lines) - len(set(lines))) / len(lines) if lines else 0.0,
        top=tuple(top),
        duplicate=tuple(duplicate),
    )


def longest_common_substring(one: str, other: str) -> str:
    """The longest string found in both (the first of several), lower case, white space as single spaces.

    For each start in the shorter text only strings longer than the best so far are looked for, so there are at most
    2 · len(shorter) searches in the longer one, each at the speed of `in`.
    """
    one, other = _flat(one), _flat(other)
    if len(one) > len(other):
        one, other = other, one
    best = ""
    for start in range(len(one)):
        while start + len(best) < len(one) and one[start : start + len(best) + 1] in other:
            best = one[start : start + len(best) + 1]
    return best


def _flat(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _grams(numbers: Sequence[int], n: int) -> list[tuple[int, ...]]:
    return list(zip(*(numbers[i:] for i in range(n)), strict=False))


def _most_frequent(numbers: Sequence[int], n: int) -> list[int]:
    """Where the most frequent n-gram starts, if it occurs more than once; the earliest of equally frequent ones."""
    grams = _grams(numbers, n)
    if not grams:
        return []
    gram, count = Counter(grams).most_common(1)[0]
    return [i for i, other in enumerate(grams) if other == gram] if count > 1 else []


def _repeats(numbers: Sequence[int], n: int) -> list[int]:
    """Where n-grams start that stand earlier in the text too."""
    seen: set[tuple[int, ...]] = set()
    starts = []
    for i, gram in enumerate(_grams(numbers, n)):
        if gram in seen:
            starts.append(i)
        seen.add(gram)
    return starts


def _share(starts: Sequence[int], n: int, sizes: Sequence[int], total: int) -> float:
    """Share of the characters of words covered by n-grams at these (ascending) starts."""
    covered, after = 0, 0
    for start in starts:
        for i in range(max(start, after), start + n):
            covered += sizes[i]
        after = start + n
    return covered / total if total else 0.0
