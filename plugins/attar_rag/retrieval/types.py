"""What is asked of an index, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Ask(NamedTuple):
    """One query: its text, its embedding where the mode has one, and ids that must not be found."""

    text: str
    vector: Sequence[float] | None
    exclude: frozenset[str]


class Hit(NamedTuple):
    """One chunk that was found; a higher score is better."""

    id: str
    text: str
    score: float


class Searcher(Protocol):
    """An opened index or store. Answers depend on the query alone, not on the batch it came in."""

    def search(self, asks: Sequence[Ask]) -> list[list[Hit]]:
        """The best hits of each query, best first, equal scores by id."""
        ...


class BadIndex(Exception):
    """The index or store cannot be searched; the message says what is wrong with it and what to do."""
