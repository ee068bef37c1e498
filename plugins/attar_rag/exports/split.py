"""Which split a row belongs to: told by its documents alone, so that no document is in two splits."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from pydantic import Field, model_validator

from attar.api import Config, RowSet

Name = Literal["train", "validation", "test"]
NAMES: tuple[Name, ...] = ("train", "validation", "test")


class Split(Config):
    """Shares of the documents; the split of a document depends on its name alone.

    A document's place is blake2b (8 bytes, big-endian) of the JSON array ["split", salt, document] over 2^64, where
    the document's name is in NFC. Places below `test` are the test split, those below `test + validation` the
    validation split, the rest the training split. So another document moves none of those there are.
    """

    by: str = Field(
        ..., min_length=1, description="column with the source document, or a list of several; id: every row by itself"
    )
    train: float = Field(0.9, gt=0, le=1, description="share of the documents")
    validation: float = Field(0.05, ge=0, lt=1, description="share of the documents; 0: no such split")
    test: float = Field(0.05, ge=0, lt=1, description="share of the documents; 0: no such split")
    cut_at: str | None = Field(
        None, min_length=1, description="a name is cut at the last such mark: '#' makes the chunk doc.md#3 doc.md"
    )
    salt: str = Field("", description="another text, another draw")

    @model_validator(mode="after")
    def _whole(self) -> Split:
        if abs(self.train + self.validation + self.test - 1) > 1e-6:
            raise ValueError(f"train, validation and test make {self.train + self.validation + self.test:g}, not 1")
        return self

    def names(self) -> list[Name]:
        """The splits there are."""
        return [name for name in NAMES if getattr(self, name)]

    def document(self, value: Any) -> str:
        """Name of the document that a value tells."""
        text = unicodedata.normalize("NFC", str(value))
        return (text.rpartition(self.cut_at)[0] or text) if self.cut_at else text

    def draw(self, document: str) -> Name:
        """The split of a document."""
        digest = hashlib.blake2b(orjson.dumps(["split", self.salt, document]), digest_size=8).digest()
        place = int.from_bytes(digest, "big") / 2**64
        if place < self.test:
            return "test"
        return "validation" if place < self.test + self.validation else "train"


@dataclass(frozen=True, slots=True)
class Documents:
    """How many documents a split has, and the most that hang together in one group of them."""

    count: int
    largest_group: int


class Splitter:
    """Gives rows their split. Rows without a document are drawn by their own ids.

    Where rows name several documents, all that hang together (a row names both, or a chain of rows does) are one
    group, drawn by the name of its smallest member in the order of characters. A new row or document then moves others
    only where it joins their group to another, or becomes its group's smallest member; every other group stays.

    Memory holds the names of the documents, not the rows.
    """

    def __init__(self, split: Split, rows: RowSet) -> None:
        self._split = split
        self._numbers: dict[str, int] = {}
        self._above: list[int] = []
        self._smallest: list[str] = []
        self._drawn: dict[int, Name] = {}
        if split.by != "id":
            for batch in rows.batches([split.by]):
                for value in batch.column(split.by).to_pylist():
                    self._meet(value)

    def of(self, value: Any, row: str) -> Name:
        """The split of a row, by what its `by` column holds."""
        documents = self._documents(value)
        if not documents:
            return self._split.draw(row)
        root = self._root(self._numbers[documents[0]])
        drawn = self._drawn.get(root)
        if drawn is None:
            drawn = self._drawn[root] = self._split.draw(self._smallest[root])
        return drawn

    def documents(self) -> dict[Name, Documents]:
        """What each split has; empty where rows are split by themselves."""
        sizes: dict[int, int] = {}
        for number in range(len(self._above)):
            root = self._root(number)
            sizes[root] = sizes.get(root, 0) + 1
        found = dict.fromkeys(self._split.names(), Documents(0, 0))
        for root, size in sizes.items():
            name = self._split.draw(self._smallest[root])
            found[name] = Documents(found[name].count + size, max(found[name].largest_group, size))
        return found if sizes else {}

    def _documents(self, value: Any) -> list[str]:
        if self._split.by == "id":
            return []
        values: Iterable[Any] = value if isinstance(value, list) else (value,)
        return [self._split.document(one) for one in values if one is not None and one != ""]

    def _meet(self, value: Any) -> None:
        first = None
        for document in self._documents(value):
            number = self._numbers.setdefault(document, len(self._above))
            if number == len(self._above):
                self._above.append(number)
                self._smallest.append(document)
            if first is None:
                first = number
            else:
                self._join(first, number)

    def _root(self, number: int) -> int:
        above = self._above
        while above[number] != number:
            above[number] = above[above[number]]
            number = above[number]
        return number

    def _join(self, one: int, two: int) -> None:
        one, two = self._root(one), self._root(two)
        if one != two:
            self._above[two] = one
            self._smallest[one] = min(self._smallest[one], self._smallest[two])
