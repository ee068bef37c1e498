"""What a population table becomes once it is read and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["measured", "modelled"]
MOST_CELLS = 2_000_000


class Origin(NamedTuple):
    """Where figures were published."""

    title: str
    publisher: str
    year: int
    url: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """One variable of a table with its compiled conditional distribution.

    Attributes:
        name: of the variable and of its column.
        kind: whether its shares were measured, or modelled by the table's author.
        sources: ids of the table's sources.
        note: the author's words.
        values: its values, as text, in the order of appearance.
        numbers: True where the values are whole numbers (the column is `int`).
        conditions: the variables it depends on, `adjust`'s and `differs_from`'s included.
        shares: probabilities, shape (values of each condition …, values of its own); each row sums to 1, or to 0 where
            its combination cannot occur.
        say: how values are said in a sentence, where the table says so: value → texts to choose from.
        anchors: for a variable drawn from the domain catalogue, the specific anchor of each value.
    """

    name: str
    kind: Kind
    values: tuple[str, ...]
    shares: np.ndarray[Any, Any]
    conditions: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    note: str = ""
    numbers: bool = False
    say: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    anchors: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many combinations of conditions there are."""
        return math.prod(self.shares.shape[:-1])


class Slot(NamedTuple):
    """A place in a text that a variable or a phrase fills, with what is done to it (`{education:cap}`)."""

    name: str
    changes: tuple[str, ...] = ()


Text = tuple[str | Slot, ...]


class When(NamedTuple):
    """A case's condition: for each variable named, which of its values (by number) meet it."""

    variables: tuple[str, ...] = ()
    meets: tuple[tuple[bool, ...], ...] = ()


class Phrase(NamedTuple):
    """Texts for a slot. The case is chosen by the person's values, the text within the case by the seed.

    Attributes:
        cases: texts of each case.
        when: a condition per case, the first that is met decides; the last is met by all. Empty where `given` decides.
        given: variables whose values decide, where `when` is empty.
        cells: case of each combination of `given` values, flat in row-major order.
    """

    cases: tuple[tuple[Text, ...], ...]
    when: tuple[When, ...] = ()
    given: tuple[str, ...] = ()
    cells: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A population table, ready to draw from.

    Attributes:
        variables: by name, in the order in which they are drawn.
        phrases: by name, the paragraphs under "" ; empty where the table renders nothing.
        files: what it was read from, the domain catalogue included: their bytes decide the persons.
    """

    name: str
    version: str
    people: int
    variables: Mapping[str, Variable]
    phrases: Mapping[str, Phrase]
    sources: Mapping[str, Origin]
    files: tuple[Path, ...]
    note: str = ""
    country: str = ""
