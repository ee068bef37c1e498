"""Names of people who exist, from a list of public figures (`public_figures.tsv`).

A name that goes on as the name of a place, a school or a prize (`Indira Gandhi National Open University`) is no hit.
The list holds people whom readers in India and Indonesia are likely to meet; it cannot hold everyone, so a clean
result means that none of these is named, not that nobody is.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import regex

from attar_personas.screen.pii import Hit

Whom = Literal["living", "all"]
FIGURES = Path(__file__).with_name("public_figures.tsv")

# What a name goes on as where it is a place, a school, a prize or a law of nature.
_PLACES = (
    "university|institute|college|school|academy|hospital|airport|stadium|museum|library|station|port|road|marg|nagar|"
    "street|bridge|park|sanctuary|temple|memorial|statue|chowk|cent(?:re|er)|foundation|trust|award|prize|trophy|ratna|"
    "medal|cup|chair|scholarship|fellowship|yojana|scheme|theorem|effect|equation|constant"
)


class Figure(NamedTuple):
    """One public figure: every form of the name, and whether the person lives (or died of late) or is history."""

    names: tuple[str, ...]
    era: str


@lru_cache(maxsize=1)
def figures() -> tuple[Figure, ...]:
    """The list, in file order."""
    lines = FIGURES.read_text(encoding="utf-8").splitlines()[1:]
    found = []
    for line in lines:
        name, era, also = line.split("\t")
        found.append(Figure((name, *filter(None, also.split(";"))), era))
    return tuple(found)


def names(whom: Whom) -> list[str]:
    """All forms of the names of those people, the longest first."""
    chosen = [name for figure in figures() if whom == "all" or figure.era == whom for name in figure.names]
    return sorted(chosen, key=lambda name: (-len(name), name))


def real_names(text: str, whom: Whom = "living", allow: frozenset[str] = frozenset()) -> list[Hit]:
    """Where people of the list are named, in order.

    Args:
        text: any text.
        whom: `living` people (those who died of late included), or `all`, historical ones too.
        allow: names that are no hit, compared without regard to case.
    """
    allowed = {name.casefold() for name in allow}
    return [
        Hit("real_name", *match.span("name"))
        for match in _pattern(whom).finditer(unicodedata.normalize("NFC", text))
        if not match["place"] and " ".join(match["name"].split()).casefold() not in allowed
    ]


@lru_cache(maxsize=2)
def _pattern(whom: Whom) -> Any:
    listed = "|".join(regex.escape(name).replace(r"\ ", r"\s+") for name in names(whom))
    return regex.compile(
        rf"(?<![\p{{L}}\p{{M}}\p{{N}}])(?P<name>(?i:{listed}))(?![\p{{L}}\p{{M}}\p{{N}}])"
        rf"(?P<place>(?:\s+\p{{Lu}}[\p{{L}}\p{{M}}.]*){{0,4}}?[\s-]+(?i:{_PLACES})\b)?"
    )
