"""What a reply says that must stand in its sources: numbers, money, dates and names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

import regex

from attar.api.text import Number, Spoken, ascii_digits, numbers, sentences, words
from attar_rag.conversations.dates import MONTHS, Date, dates

Kind = Literal["number", "money", "date", "name"]

_ITEM = regex.compile(r"(?m)^\s*\d{1,2}[.)](?=\s)")  # the number of a list's item is no claim
_RUNS = regex.compile(r"\d+")
_RUN = regex.compile(r"\p{Lu}[\p{L}\p{M}\p{N}'’]*(?:[ \u00a0-]\p{Lu}[\p{L}\p{M}\p{N}'’]*)*")
# Scripts without capitals show names by what stands before them (डॉ. राव) or after (राव जी).
_TITLED = regex.compile(
    r"(?:डॉ|डा|प्रो|श्री|श्रीमती|सुश्री|कुमारी|मो)(?:\.\s*|\s+)(?P<name>[\p{L}\p{M}]+(?:\s+[\p{L}\p{M}]+)?)|"
    r"(?P<name>[\p{Devanagari}\p{M}]+)\s+(?:जी|साहब|साहिब)(?![\p{L}\p{M}])"
)
# Written with a capital within a sentence, and no names: forms of address, languages of courtesy, the first person.
_ADDRESS_WORDS = """
    anda saudara saudari bapak ibu pak bu kak kakak mas mbak adik ananda tuan nyonya i i'm i'll i've ok
    senin selasa rabu kamis jumat sabtu minggu monday tuesday wednesday thursday friday saturday sunday
    indonesia rp idr inr usd rs allah tuhan assalamualaikum alhamdulillah insyaallah
"""
_ADDRESS = frozenset(_ADDRESS_WORDS.split())
_MONEY_AT_LEAST = 1000  # a table's cell may leave the currency to its heading; small numbers could be anything


class Claim(NamedTuple):
    """Something said, as written, that no source has."""

    kind: Kind
    text: str


class _Facts(NamedTuple):
    """What one text holds."""

    folded: str
    words: frozenset[str]
    written: frozenset[tuple[str, str]]
    amounts: frozenset[tuple[str, Decimal]]
    runs: frozenset[str]
    dates: tuple[Date, ...]


@lru_cache(maxsize=4096)  # one chunk is the context of many rows
def _facts(text: str, language: str | None) -> _Facts:
    found = numbers(text, language)
    folded = text.casefold()
    return _Facts(
        folded,
        frozenset(words(folded)),
        frozenset((number.kind, _digits(number)) for number in found),
        frozenset((number.kind, abs(number.amount)) for number in found if number.amount is not None),
        frozenset(run for number in found for run in _RUNS.findall(_digits(number))),
        tuple(dates(text)),
    )


@lru_cache(maxsize=1024)
def _spoken(text: str) -> Spoken:
    return Spoken(words(text))


class Sources:
    """The texts a reply may take its facts from.

    Args:
        texts: context chunks and what the user said.
        language: decides how a number like 1.000 is read.
    """

    def __init__(self, texts: Sequence[str], language: str | None) -> None:
        self._language = language
        self._texts = tuple(texts)
        self._facts = [_facts(text, language) for text in texts]

    def missing(self, text: str) -> list[Claim]:
        """What a text says beyond its sources, in the order of kinds: dates, money and numbers, names."""
        said = list(dates(text))
        gone = [Claim("date", date.text) for date in said if not self._has_date(date)]
        within = [(date.start, date.end) for date in said] + [match.span() for match in _ITEM.finditer(text)]
        for number in numbers(text, self._language):
            if any(start <= number.start < end for start, end in within) or self._has_number(number):
                continue
            gone.append(Claim("money" if number.kind == "money" else "number", number.text))
        gone += [Claim("name", name) for name in names(text) if not self._has_name(name)]
        return list(dict.fromkeys(gone))

    def _has_date(self, date: Date) -> bool:
        return any(date.within(other) for facts in self._facts for other in facts.dates)

    def _has_number(self, number: Number) -> bool:
        amount, digits = number.amount, _digits(number)
        if amount is None:
            return any((number.kind, digits) in facts.written or digits in facts.folded for facts in self._facts)
        amount = abs(amount)
        kinds: tuple[str, ...] = ("money", "percent", "number")
        if number.kind == "percent":
            kinds = ("percent",)
        elif number.kind == "money":  # the source's currency may stand in a table's heading
            kinds = ("money", "number") if amount >= _MONEY_AT_LEAST else ("money",)
        if any((kind, amount) in facts.amounts for facts in self._facts for kind in kinds):
            return True
        # Within a code, a date or a time: 2026 of 12/05/2026, 0286 of a telephone number.
        return number.kind == "number" and any(digits in facts.runs for facts in self._facts)

    def _has_name(self, name: str) -> bool:
        folded = name.casefold()
        if any(folded in facts.folded for facts in self._facts):
            return True
        return all(self._has_word(part) for part in words(name) if len(part) > 1)

    def _has_word(self, word: str) -> bool:
        if any(word.casefold() in facts.words for facts in self._facts):
            return True
        return any(_spoken(text).has(word, endings=True) for text in self._texts)


def _digits(number: Number) -> str:
    return ascii_digits(number.text).lstrip("-−")


def names(text: str) -> Iterator[str]:
    """Names in a text: in scripts with capitals runs of capitalised words (the first word of a sentence alone is none),
    in others what a title or जी shows to be one."""
    for sentence in sentences(text):
        said = sentence.text
        for match in _RUN.finditer(said):
            before = said[: match.start()]
            if before[-1:].isalnum() or before[-1:] in ("@", "/", "_", "."):
                continue  # within a word, an address or an abbreviation
            parts = regex.split(r"[ \u00a0-]", match[0])
            if not any(char.isalnum() for char in before) or before.rstrip()[-1:] in (
                ":",
                "“",
                '"',
                "(",
                "—",
                "–",
                "•",
            ):
                parts = parts[1:]  # begins a sentence: its capital says nothing
            yield from _held(parts)
        for match in _TITLED.finditer(said):
            yield match["name"]


def _held(parts: Iterable[str]) -> Iterator[str]:
    """Runs of words of a name, without forms of address and months."""
    run: list[str] = []
    for part in [*parts, ""]:
        bare = part.casefold()
        if part and bare not in _ADDRESS and bare not in MONTHS and len(part) > 1:
            run.append(part)
        elif run:
            yield " ".join(run)
            run = []
