"""Names in running text: found by their capitals, where the script has them, and in others known by their sound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import regex

from attar.api.text import WORD, Segment, Spoken, sentences, words
from attar_lang.capitals import BESIDE, WHOLE

_CAPITALISED = regex.compile(r"\p{Lu}[\p{L}\p{M}'’-]*|\p{Lu}\.")
_CAPITALS_AT_END = regex.compile(r"(?: (?:\p{Lu}+|\p{Lu}\.))+$")  # Warga RT, Jalan A.
_BETWEEN = regex.compile(r"[ \u00a0]+|[ \u00a0]*[-–][ \u00a0]*")


class Name(NamedTuple):
    """A name as written, and the number of the sentence it stands in (from 0)."""

    text: str
    sentence: int


def capitalised(text: str) -> list[Name]:
    """Sequences of words with a capital in Latin text, in order. The first word of a sentence, or after a colon (which
    labels a speaker or a step), counts only where another follows it, or where it stands within a sentence elsewhere;
    capitals alone (NATO), single letters and titles (Most Words With a Capital) do not."""
    found: list[Name] = []
    firsts: list[Name] = []
    for number, sentence in enumerate(split(text)):
        if _is_title(sentence.text):
            continue
        for start, run in _runs(sentence.text):
            run, start = _name_in(run, start)
            if len(run) < 3 or run.isupper() or any(word.casefold() in WHOLE for word in words(run)):
                continue
            opening = sentence.text.rfind(":", 0, start) + 1
            lone_first = not WORD.search(sentence.text, opening, start) and " " not in run
            (firsts if lone_first else found).append(Name(run, number))
    inside = {name.text for name in found} | {word for name in found for word in name.text.split()}
    return sorted([*found, *(name for name in firsts if name.text in inside)], key=lambda name: name.sentence)


def capital_words(text: str) -> set[str]:
    """Words with a capital that stand within a sentence, abbreviations (GST, Rs) among them: a translation may leave
    them in Latin letters, although some of them are better translated."""
    return {
        word for sentence in split(text) for word in words(sentence.text)[1:] if _CAPITALISED.match(word) is not None
    }


def _runs(text: str) -> Iterable[tuple[int, str]]:
    """Capitalised words that follow each other with only a space or hyphen between, each run with its place."""
    start, end = -1, -1
    for match in _CAPITALISED.finditer(text):
        before = text[match.start() - 1 : match.start()]
        if before and (before.isalnum() or before in "@/_."):
            continue  # within a word, an address, a path
        if start >= 0 and _BETWEEN.fullmatch(text, end, match.start()):
            end = match.end()
            continue
        if start >= 0:
            yield start, text[start:end].rstrip("-'’")
        start, end = match.span()
    if start >= 0:
        yield start, text[start:end].rstrip("-'’")


def _name_in(run: str, start: int) -> tuple[str, int]:
    """The run without what is translated beside a name and without capitals at its end, and its new place."""
    run = _CAPITALS_AT_END.sub("", run)
    found = [match for match in WORD.finditer(run) if match[0].casefold() not in BESIDE]
    if not found:
        return "", start
    return run[found[0].start() : found[-1].end()], start + found[0].start()


def _is_title(sentence: str) -> bool:
    """Whether it is a heading in which so many words have a capital that it says nothing."""
    if sentence.endswith((".", "!", "?")):
        return False
    several = [word for word in words(sentence) if word[0].isalpha()]
    capitals = sum(1 for word in several if word[0].isupper())
    return len(several) >= 4 and capitals * 5 >= len(several) * 4


@lru_cache(maxsize=64)
def split(text: str, language: str | None = None) -> tuple[Segment, ...]:
    """The sentences of a text; the guards ask for those of one text several times."""
    return tuple(sentences(text, language))


@lru_cache(maxsize=512)
def _spoken(text: str) -> tuple[str, Spoken]:
    return text.casefold(), Spoken(words(text))


def holds(text: str, name: str) -> bool:
    """Whether a text has a name, written the same or spelt in another script, in any case form.

    Of a name of three words or more two thirds must be there: a title, or the word for a university, is translated.
    """
    folded, there = _spoken(text)
    if name.strip().casefold() in folded:
        return True
    parts = [part for part in words(name) if len(part) > 1 and not part.isdigit()]
    if not parts:
        return True
    if len(parts) > 1 and there.has("".join(parts), endings=True):
        return True  # रविशर्मा
    known = sum(1 for part in parts if there.has(part, endings=True))
    return known * 3 >= len(parts) * 2


def missing(names: Sequence[Name], text: str) -> list[Name]:
    """Names that a text does not have."""
    return [name for name in names if not holds(text, name.text)]
