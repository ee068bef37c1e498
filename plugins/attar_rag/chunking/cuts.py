"""Where a block that is too long is cut: between sentences, else at the end of a line or word, never within a character
as a reader sees it."""

from __future__ import annotations

import re

_SPACE = re.compile(r"\s+(?=\S)")
_LONGEST_CHARACTER = 256
"""A grapheme cluster of more code points than these is noise (marks piled on one letter) and may be cut."""
_BACK = 6000
"""Code points looked at before the farthest place: enough for a sentence of any sense, few enough to be quick."""


def sentence_starts(text: str, start: int, limit: int, language: str | None) -> list[int]:
    """Places in (start, limit] where a sentence begins, the last `_BACK` characters before `limit` at least.

    Args:
        start: a place known to begin a sentence or block.
    """
    from attar.api.text import sentences

    left = start
    if limit - start > _BACK:  # somewhere in a sentence: what is found of it is left out
        left = limit - _BACK
    stop = min(limit + 400, len(text))  # what follows tells whether a full stop ends a sentence
    found = sentences(text[left:stop], language)
    if left > start:
        found = found[1:]
    places = [left + one.start for one in found]
    return [place for place in places if start < place <= limit and is_boundary(text, place)]


def word_start(text: str, start: int, limit: int) -> int:
    """The last place in (start, limit] where a line begins, else a word, else a character; `start` if there is none."""
    left = max(start, limit - _BACK)
    line = text.rfind("\n", left, limit) + 1
    if line > start and (limit - line) * 2 < limit - left:
        return line
    for found in reversed(list(_SPACE.finditer(text, left, min(limit + 1, len(text))))):
        if start < found.end() <= limit and is_boundary(text, found.end()):
            return found.end()
    if line > start:
        return line
    return character_start(text, start, limit)


def character_start(text: str, start: int, limit: int) -> int:
    """The last place in (start, limit] between two characters as a reader sees them."""
    place = limit
    while place > start and limit - place <= _LONGEST_CHARACTER:
        if is_boundary(text, place):
            return place
        place -= 1
    return limit if place > start else start


def next_character(text: str, start: int) -> int:
    """Where the character that begins at `start` ends."""
    import regex

    found = regex.compile(r"\X").match(text, start, min(start + _LONGEST_CHARACTER, len(text)))
    return max(int(found.end()), start + 1) if found is not None else start + 1


def is_boundary(text: str, place: int) -> bool:
    """Whether no character as a reader sees it (a grapheme cluster of UAX 29) spans this place."""
    if place <= 0 or place >= len(text):
        return True
    before, after = text[place - 1], text[place]
    if before == "\n" or (after < "\u0300" and before < "\u0300" and before != "\r"):
        return True
    if before == "\r":
        return after != "\n"
    import regex

    left = place - 1
    floor = max(0, place - _LONGEST_CHARACTER)
    while left > floor and not (text[left] < "\u0300" and text[left].isalnum()) and text[left] != "\n":
        left -= 1
    found = regex.compile(r"\X").finditer(text, left, min(place + 8, len(text)))
    return any(one.start() == place for one in found)
