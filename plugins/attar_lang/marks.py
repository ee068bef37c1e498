"""Marks that stand in a text for what must not change: ⟦1⟧, ⟦2⟧ … Finding what to protect, and putting it back.

The brackets U+27E6 and U+27E7 are rare in text, are one character each, and models copy them well. Where a text has
them already, they are protected as the first thing of all, so that putting back is exact for any text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import regex

from attar.api.text import ascii_digits, numbers

Kind = Literal["number", "url", "email", "placeholder", "code", "name", "mark"]
KINDS: tuple[Kind, ...] = ("number", "url", "email", "placeholder", "code", "name")
OPEN, CLOSE = "⟦", "⟧"

# A mark as a model may return it: other brackets, spaces, digits of any script.
_LIKE = r"(?:⟦|〚|\[\[|【|［)[ \t\u00a0]*\p{Nd}{1,6}[ \t\u00a0]*(?:⟧|〛|\]\]|】|］)"
_SEEN = regex.compile(_LIKE)
_DIGITS = regex.compile(r"\p{Nd}+")

_URL = r"""(?:https?|ftp)://[^\s<>"'⟦⟧।॥۔]+|\bwww\.[^\s<>"'⟦⟧।॥۔]+"""
_URL_TAIL = regex.compile(r"[.,;:!?)\]}”’»*_]+$")
_PATTERNS: dict[str, str] = {
    "mark": rf"{_LIKE}|[{OPEN}{CLOSE}]",
    "code": r"```.*?```|``[^`\n]+``|`[^`\n]+`",
    "url": _URL,
    "email": r"(?<![\w.+-])[A-Za-z0-9][\w.+-]*@[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
    "placeholder": (
        r"\{\{[^{}\n]{1,80}\}\}|\$\{[^{}\n]{1,80}\}|\{%[^%\n]{1,80}%\}|\{[A-Za-z_0-9.:!\[\]]{0,60}\}"
        r"|%\([A-Za-z_]\w*\)[-+0 #]*\d*(?:\.\d+)?[diouxXeEfFgGcrs]|%(?:\d+\$)?[sdif](?![\p{L}\p{M}])"
        r"|</?[A-Za-z][A-Za-z0-9:-]*(?:\s[^<>\n]{0,200})?/?>|&(?:[A-Za-z]{2,8}|\#\d{1,6});"
    ),
}


class Kept(NamedTuple):
    """What a mark stands for."""

    mark: str
    text: str
    kind: str


class Restored(NamedTuple):
    """A text with its marks turned back.

    Attributes:
        text: the text; marks that are unknown stay in it.
        lost: what no mark stands for any more.
        repeated: what more marks stand for than there were.
        unknown: marks, as written, that stand for nothing.
    """

    text: str
    lost: tuple[Kept, ...]
    repeated: tuple[Kept, ...]
    unknown: tuple[str, ...]


@lru_cache(maxsize=64)
def _pattern(kinds: tuple[str, ...]) -> Any:
    """One pattern for all kinds but numbers and names; code before placeholders before URLs."""
    order = [kind for kind in ("mark", "code", "placeholder", "email", "url") if kind in kinds or kind == "mark"]
    return regex.compile("|".join(f"(?P<{kind}>{_PATTERNS[kind]})" for kind in order), regex.DOTALL)


@lru_cache(maxsize=1024)
def names_pattern(names: tuple[str, ...]) -> Any:
    """Matches any of these names as whole words, the longest first."""
    some = "|".join(regex.escape(name) for name in sorted(set(names), key=lambda one: (-len(one), one)))
    return regex.compile(rf"(?<![\p{{L}}\p{{M}}\p{{N}}])(?:{some})(?![\p{{L}}\p{{M}}\p{{N}}])")


def spans(text: str, kinds: Sequence[str], names: Iterable[str] = ()) -> list[tuple[int, int, str]]:
    """Places of what is to be protected, in order and without overlaps: (start, end, kind)."""
    found: list[tuple[int, int, str]] = []
    for match in _pattern(tuple(kinds)).finditer(text):
        start, end, kind = match.start(), match.end(), str(match.lastgroup)
        if kind == "url":
            end -= _tail(match[0])
        found.append((start, end, kind))
    if "name" in kinds and (some := tuple(name for name in names if name.strip())):
        found = _filled(found, ((match.start(), match.end()) for match in names_pattern(some).finditer(text)), "name")
    if "number" in kinds:
        found = _filled(found, ((number.start, number.end) for number in numbers(text)), "number")
    return found


def _tail(url: str) -> int:
    """Characters at a URL's end that belong to the sentence; a bracket opened within it is its own."""
    found = _URL_TAIL.search(url)
    tail: str = found[0] if found else ""
    if ")" in tail and "(" in url and url.count("(") >= url.count(")"):
        return len(tail) - tail.rindex(")") - 1
    return len(tail)


def _filled(
    found: list[tuple[int, int, str]], more: Iterable[tuple[int, int]], kind: str
) -> list[tuple[int, int, str]]:
    """`found` with those of `more` that overlap none of it."""
    made: list[tuple[int, int, str]] = []
    old = iter(found)
    held = next(old, None)
    for start, end in more:
        while held is not None and held[1] <= start:
            made.append(held)
            held = next(old, None)
        if held is None or end <= held[0]:
            made.append((start, end, kind))
    if held is not None:
        made += [held, *old]
    return made


def protect(text: str, kinds: Sequence[str] = KINDS, names: Iterable[str] = ()) -> tuple[str, list[Kept]]:
    """The text with a mark in place of all that must not change, and what each mark stands for.

    Every place has a mark of its own, also where the same text stands twice: a mark is to be used once.
    """
    pieces: list[str] = []
    kept: list[Kept] = []
    position = 0
    for start, end, kind in spans(text, kinds, names):
        mark = f"{OPEN}{len(kept) + 1}{CLOSE}"
        pieces += [text[position:start], mark]
        kept.append(Kept(mark, text[start:end], kind))
        position = end
    return "".join([*pieces, text[position:]]), kept


def restore(text: str, kept: Sequence[Kept]) -> Restored:
    """Puts back what marks stand for; spaces, other brackets and other digits in a mark do no harm."""
    known: Mapping[int, Kept] = {_number(one.mark): one for one in kept}
    seen: dict[int, int] = {}
    unknown: list[str] = []

    def put(match: Any) -> str:
        number = _number(match[0])
        one = known.get(number)
        if one is None:
            if match[0][0] in OPEN:
                unknown.append(match[0])
            return str(match[0])
        seen[number] = seen.get(number, 0) + 1
        return one.text

    made = _SEEN.sub(put, text)
    lost = tuple(one for number, one in known.items() if number not in seen)
    repeated = tuple(known[number] for number, count in seen.items() if count > 1)
    return Restored(made, lost, repeated, tuple(unknown))


def _number(mark: str) -> int:
    found = _DIGITS.search(mark)
    return int(ascii_digits(found[0])) if found else 0


def kept_of(value: Any) -> list[Kept]:
    """The kept list of a row's column, which holds mappings or Nones."""
    return [Kept(str(one["mark"]), str(one["text"]), str(one["kind"])) for one in value or () if one is not None]
