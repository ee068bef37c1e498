"""Words and sentences with exact places, right for Indic scripts, Urdu, Indonesian and Javanese.

A word is a run of letters, marks and digits: `\\w` would cut Devanagari at its vowel signs. A sentence ends at a danda,
a question mark and their like; at a full stop only where it is none of an abbreviation (डॉ., திரு., Bp.), of initials
(A. P. J.), within a number (३.५, 5.000.000), or behind the number of a list's item (1. First).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import regex

from attar.text.languages import LANGUAGES, Language, language

_RUN = r"[\p{L}\p{M}\p{N}]"
# ZWJ and ZWNJ bind what stands beside them, also at a word's end: Malayalam wrote its chillus so before Unicode 5.1.
WORD = regex.compile(rf"{_RUN}+(?:[\u200c\u200d]+{_RUN}*|['’]{_RUN}+)*")
_PLAIN_WORD = regex.compile(rf"{_RUN}+(?:[\u200c\u200d]+{_RUN}*)*")
_CHARACTER = regex.compile(r"\X")

_CLOSERS = "\"'”’»)]}›"
# Stops; a verse number between double dandas belongs to them (॥ १॥).
_STOP = regex.compile(
    r"(?P<verse>॥\s?\p{Nd}+(?:[.-]\p{Nd}+)*\s?॥)|(?P<soft>[.۔]+|…)(?P<hard0>[!?؟]*)|(?P<hard>[!?؟।॥。！？꧉]+[!?؟।॥.]*)"
)
_AFTER = regex.compile(rf"[{regex.escape(_CLOSERS)}]*")
_BREAK = regex.compile(r"\n[^\S\n]*(?:\n\s*|(?=(?:[-*•+]|#{1,6}|\p{Nd}{1,3}[.)])\s))|(?m:^#{1,6}\s[^\n]*)\n")
_TOKEN_START = regex.compile(r"[\s(\[{\"'“‘«‹\-–—/,;:]")
_DIGITS = regex.compile(r"\p{Nd}+")
_SPACE = regex.compile(r"\s*")
_LATIN_UPPER = regex.compile(r"\p{Lu}")
# Bengali, Assamese, Odia and Punjabi end sentences by a danda: a stop after a single character abbreviates. Tamil and
# Malayalam write initials as single characters too.


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SINGLE_ABBREVIATES = regex.compile(
    r"[\p{Script=Bengali}\p{Script=Oriya}\p{Script=Gurmukhi}\p{Script=Tamil}\p{Script=Malayalam}]"
)
_SINGLE_WORDS = _words("வா போ தா நீ கை தீ பூ மா வை കൈ പൂ വാ പോ തീ നീ ഈ ആ")


class Segment(NamedTuple):
    """A stretch of a text: `whole[start:end] == text`."""

    text: str
    start: int
    end: int


def words(text: str, *, apostrophes: bool = True) -> list[str]:
    """The words of a text in NFC. `apostrophes` False parts a word at them, as the filter `words` of recipes does."""
    found: list[str] = (WORD if apostrophes else _PLAIN_WORD).findall(unicodedata.normalize("NFC", text))
    return found


def characters(text: str) -> int:
    """Number of characters as a reader counts them: कि is one, a letter with its marks."""
    return sum(1 for _ in _CHARACTER.finditer(text))


class _Rules(NamedTuple):
    never: frozenset[str]
    closing: frozenset[str]
    numbered: frozenset[str]
    initials: frozenset[str]


@lru_cache(maxsize=64)
def _rules(code: str | None) -> _Rules:
    """What abbreviates in a language, and in English, which is mixed in everywhere; in all languages for None."""
    some: list[Language] = [*LANGUAGES.values()] if code is None else [LANGUAGES[code], LANGUAGES["en"]]
    return _Rules(
        frozenset().union(*(one.abbreviations for one in some)),
        frozenset().union(*(one.closing for one in some)),
        frozenset().union(*(one.numbered for one in some)),
        frozenset().union(*(one.initials for one in some)),
    )


def sentences(text: str, language: str | Language | None = None) -> list[Segment]:
    """The sentences of a text, in order and with exact offsets; only white space lies between them.

    Blank lines, headings and items of lists end a sentence, too. A piece without a word (`!!!`) belongs to the sentence
    before it. A text without any word has none.

    Args:
        text: any text; it is not changed.
        language: whose abbreviations hold (and those of English); None: those of all languages.

    Raises:
        UnknownLanguage: the language is not in the table.
    """
    rules = _rules(None if language is None else _code(language))
    found: list[Segment] = []
    for start, end in _blocks(text):
        first = len(found)
        for left, right in _pieces(text, start, end, rules):
            if _PLAIN_WORD.search(text, left, right) is None:
                if len(found) > first:  # a piece without a word: to the sentence before
                    left = found.pop().start
                else:
                    continue
            found.append(_trimmed(text, left, right))
    return found


def _code(one: str | Language) -> str:
    return language(one).code


def _trimmed(text: str, start: int, end: int) -> Segment:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    piece = piece.strip()
    return Segment(piece, start, start + len(piece))


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Stretches between blank lines, headings and items."""
    start = 0
    for found in _BREAK.finditer(text):
        yield start, found.end()
        start = found.end()
    yield start, len(text)


def _pieces(text: str, start: int, end: int, rules: _Rules) -> Iterator[tuple[int, int]]:
    left = start
    position = start
    while (stop := _STOP.search(text, position, end)) is not None:
        after = _AFTER.match(text, stop.end(), end).end()
        position = max(after, stop.end())
        soft = stop["soft"]
        if soft and not stop["hard0"]:
            ends = _soft_ends(text, left, stop, after, end, rules)
        elif soft or stop["hard"]:
            ends = _hard_ends(text, stop, after, end)
        else:
            ends = True
        if ends:
            yield left, after
            left = after
    if left < end:
        yield left, end


def _following(text: str, after: int, end: int) -> str:
    """The first character that follows and is no white space; "" at the end."""
    start = _SPACE.match(text, after, end).end()
    return text[start : min(end, start + 1)]


def _hard_ends(text: str, stop: Any, after: int, end: int) -> bool:
    """Whether a question or exclamation mark, a danda or the like ends the sentence."""
    if text[stop.start()] in "।॥。！？꧉؟":
        return True
    if after < end and not text[after].isspace():
        return False  # within a URL or a word (Yahoo!Mail, ?id=3)
    # “Where?” he asked: a quotation within the sentence
    return not (after > stop.end() and _following(text, after, end).islower())


def _soft_ends(text: str, left: int, stop: Any, after: int, end: int, rules: _Rules) -> bool:
    """Whether a full stop (or ۔, or …) ends the sentence."""
    mark = stop["soft"]
    following = _following(text, after, end)
    if not following:
        return True
    spaced = text[after].isspace()
    if mark != "۔" and not spaced:
        return mark == "…" and not text[after].isalnum()
    word = _last_token(text, left, stop.start())
    number = bool(word) and _DIGITS.fullmatch(word) is not None
    # 1. First; but "in 1947. Then" ends
    item = number and not text[max(left, stop.start() - 40) : stop.start() - len(word)].strip(" \t\n#*-([\"'")
    if mark == "۔":
        return not (number and (item or (not spaced and _DIGITS.match(following) is not None)))
    quoted = after > stop.end()
    if len(mark) > 1 or mark == "…" or quoted:
        return not following.islower()  # Well... maybe; (dkk.) pergi
    if not word:
        return True
    return not item if number else not _abbreviates(word, following, rules)


def _abbreviates(word: str, following: str, rules: _Rules) -> bool:
    if word in rules.never:
        return True
    if word in rules.numbered:
        return _DIGITS.match(following) is not None
    if word in rules.closing:
        return _LATIN_UPPER.match(following) is None
    if "." in word and all(len(part) <= 3 for part in word.split(".")) and not _DIGITS.search(word):
        return _LATIN_UPPER.match(following) is None or len(word) <= 3  # a.k.a, பி.ஏ, U.S
    if len(word) == 1 and word.isupper():
        return True  # A. P. J.
    if word in rules.initials:
        return True
    single = _CHARACTER.fullmatch(word) is not None
    return single and _SINGLE_ABBREVIATES.match(word) is not None and word not in _SINGLE_WORDS


def _last_token(text: str, left: int, stop: int) -> str:
    """The characters straight before a stop, back to a space, bracket, quote or comma; at most 40 of them."""
    start = stop
    while start > max(left, stop - 40) and not _TOKEN_START.match(text, start - 1):
        start -= 1
    return text[start:stop]
