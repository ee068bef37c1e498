"""Strings that match a regular expression, for the patterns answer schemas use (no look-around, no back-references)."""

from __future__ import annotations

import re
import string
from random import Random
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

_MORE = 4
_LETTERS = string.ascii_lowercase + string.digits
_CLASSES = {
    sre.CATEGORY_DIGIT: string.digits,
    sre.CATEGORY_NOT_DIGIT: string.ascii_letters,
    sre.CATEGORY_WORD: string.ascii_letters + string.digits + "_",
    sre.CATEGORY_NOT_WORD: " .,-",
    sre.CATEGORY_SPACE: " ",
    sre.CATEGORY_NOT_SPACE: _LETTERS,
}
_ANY = string.ascii_letters + string.digits + " "


def matching(pattern: str, rng: Random, shortest: int = 0, longest: int | None = None) -> str:
    """A string that `pattern` is found in, of a length within the bounds where one of 50 draws has it.

    A pattern this module cannot read gives plain letters.
    """
    try:
        tree = _parser.parse(pattern)
    except (re.error, OverflowError):
        return "a" * max(shortest, 1)
    text = ""
    for _ in range(50):
        text = _sequence(tree, rng)
        if not (pattern.endswith("$") and not pattern.endswith("\\$")):
            text += "".join(rng.choice(_LETTERS) for _ in range(shortest - len(text)))
        if len(text) >= shortest and (longest is None or len(text) <= longest):
            break
    return text


def _sequence(tree: Any, rng: Random) -> str:
    return "".join(_one(op, argument, rng) for op, argument in tree)


def _one(op: Any, argument: Any, rng: Random) -> str:
    if op is sre.LITERAL:
        return chr(argument)
    if op is sre.NOT_LITERAL:
        return rng.choice([c for c in _ANY if c != chr(argument)])
    if op is sre.ANY:
        return rng.choice(_ANY)
    if op is sre.IN:
        return _class(argument, rng)
    if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        low, high, inner = argument
        most = low + _MORE if high is sre.MAXREPEAT else min(high, max(low + 2 * _MORE, low))
        return "".join(_sequence(inner, rng) for _ in range(rng.randint(low, most)))
    if op is sre.BRANCH:
        return _sequence(rng.choice(argument[1]), rng)
    if op is sre.SUBPATTERN:
        return _sequence(argument[-1], rng)
    if op is sre.ATOMIC_GROUP:
        return _sequence(argument, rng)
    if op is sre.CATEGORY:
        return rng.choice(_CLASSES.get(argument, _ANY))
    return ""  # anchors, look-around, back-references


def _class(items: Any, rng: Random) -> str:
    negated = False
    chosen: list[str] = []
    for op, argument in items:
        if op is sre.NEGATE:
            negated = True
        elif op is sre.LITERAL:
            chosen.append(chr(argument))
        elif op is sre.RANGE:
            chosen += [chr(c) for c in range(argument[0], min(argument[1], argument[0] + 200) + 1)]
        elif op is sre.CATEGORY:
            chosen += _CLASSES.get(argument, _ANY)
    if negated:
        chosen = [c for c in _ANY if c not in chosen]
    return rng.choice(chosen) if chosen else "a"
