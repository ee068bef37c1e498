"""Where quotes stand in a text."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

import regex

_SPACE = regex.compile(r"\s+")
_OUTER = regex.compile(r"^[\s\"“”„‚'‘’«»…]+|[\s\"“”„'‘’«»…]+$")


class Span(NamedTuple):
    """A stretch of a text: `whole[start:end] == text`."""

    text: str
    start: int
    end: int


def find(quote: str, text: str) -> Span | None:
    """The first place of a quote in a text; None where it is not there.

    Runs of white space count as one space on both sides, for models do not keep line ends; nothing else may differ but
    the quotation marks a model put around it.

    Args:
        quote: any text; it is compared in form NFC.
        text: in form NFC, as documents are.
    """
    quote = unicodedata.normalize("NFC", quote)
    for wanted in (quote, _OUTER.sub("", quote)):
        parts = [regex.escape(part) for part in _SPACE.split(wanted.strip()) if part]
        if not parts:
            continue
        found = regex.search(r"\s+".join(parts), text)
        if found is not None:
            return Span(found[0], found.start(), found.end())
    return None
