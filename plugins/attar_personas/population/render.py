"""Renders persons as paragraphs, whole batches at once.

A text is chosen for each person by the person's values and by bits of the person's own (seed, phrase, number). Persons
with the same text are put together, each slot becomes one Arrow array, and the pieces are joined: the work per person is
copying bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from attar_personas.population.draw import BITS, random_bits
from attar_personas.population.english import CHANGES
from attar_personas.population.phrases import PARAGRAPHS
from attar_personas.population.types import Phrase, Slot, Table, Text

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Numbers = np.ndarray[Any, np.dtype[np.int64]]


class Persons:
    """Some persons: their numbers and the positions of their values. A subset looks its values up when asked."""

    def __init__(self, numbers: Numbers, codes: Mapping[str, Numbers]) -> None:
        self.numbers = numbers
        self._codes = codes

    def __len__(self) -> int:
        return len(self.numbers)

    def code(self, name: str) -> Numbers:
        return self._codes[name]

    def subset(self, places: Numbers) -> Persons:
        return Persons(self.numbers[places], _Lazily(self._codes, places))


class _Lazily(Mapping[str, Any]):
    def __init__(self, whole: Mapping[str, Numbers], places: Numbers) -> None:
        self._whole = whole
        self._places = places
        self._known: dict[str, Numbers] = {}

    def __getitem__(self, name: str) -> Numbers:
        if name not in self._known:
            self._known[name] = self._whole[name][self._places]
        return self._known[name]

    def __iter__(self) -> Any:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)


class _Form(NamedTuple):
    """A phrase, after the changes of a slot, as it is looked up.

    Attributes:
        phrase: its choice of cases.
        first, count: of each case, its first text and how many it has.
        pieces: of each text, its fixed parts and slots.
        fixed: all texts in an Arrow array, where none has a slot.
    """

    phrase: Phrase
    cells: Numbers
    first: Numbers
    count: Numbers
    pieces: tuple[Text, ...]
    fixed: pa.Array | None
    single: bool


class Renderer:
    """Writes the paragraphs of a table's persons.

    Args:
        table: with phrases.
        seed: chooses among texts; the same as the persons were drawn with.
    """

    def __init__(self, table: Table, seed: int) -> None:
        self._table = table
        self._seed = seed
        self._forms: dict[Slot, _Form] = {}

    def paragraphs(self, numbers: Numbers, codes: Mapping[str, Numbers]) -> pa.Array:
        """A paragraph for each person (Arrow strings), from numbers and drawn codes."""
        return self._said(Slot(PARAGRAPHS), Persons(numbers, codes))

    def _said(self, slot: Slot, persons: Persons) -> pa.Array:
        import numpy as np
        import pyarrow as pa

        form = self._form(slot)
        chosen = self._chosen(slot, form, persons)
        if form.fixed is not None:
            return form.fixed.take(pa.array(chosen))
        order = np.argsort(chosen, kind="stable")
        there, starts = np.unique(chosen[order], return_index=True)
        if len(there) == 1:
            return self._joined(form.pieces[there[0]], persons)
        groups = np.split(order, starts[1:])
        parts = [self._joined(form.pieces[k], persons.subset(group)) for k, group in zip(there, groups, strict=True)]
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        return pa.concat_arrays(parts).take(pa.array(back))

    def _joined(self, text: Text, persons: Persons) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        parts = [part if isinstance(part, str) else self._said(part, persons) for part in text]
        if not any(isinstance(part, pa.Array) for part in parts):
            return pa.repeat("".join(text), len(persons))  # type: ignore[arg-type]
        if len(parts) == 1:
            return parts[0]
        return pc.binary_join_element_wise(*parts, "")

    def _chosen(self, slot: Slot, form: _Form, persons: Persons) -> Numbers:
        """The text of each person."""
        import numpy as np

        phrase = form.phrase
        if phrase.when:
            case = np.full(len(persons), len(phrase.cases) - 1, dtype=np.int64)
            open_ = np.ones(len(persons), dtype=bool)
            for i, when in enumerate(phrase.when[:-1]):
                met = open_.copy()
                for name, meets in zip(when.variables, when.meets, strict=True):
                    met &= np.array(meets, dtype=bool)[persons.code(name)]
                case[met] = i
                open_ &= ~met
        elif phrase.given:
            cell = persons.code(phrase.given[0])
            for name in phrase.given[1:]:
                cell = cell * len(self._table.variables[name].values) + persons.code(name)
            case = form.cells[cell]
        else:
            case = np.zeros(len(persons), dtype=np.int64)
        if form.single:
            return form.first[case]
        bits = random_bits(self._seed, f"text of {slot.name}", persons.numbers)
        return form.first[case] + ((bits * form.count[case]) >> BITS)

    def _form(self, slot: Slot) -> _Form:
        if slot not in self._forms:
            self._forms[slot] = self._made(slot)
        return self._forms[slot]

    def _made(self, slot: Slot) -> _Form:
        import numpy as np
        import pyarrow as pa

        phrase = self._table.phrases[slot.name]
        pieces = [changed(text, slot.changes) for texts in phrase.cases for text in texts]
        count = np.array([len(texts) for texts in phrase.cases], dtype=np.int64)
        plain = ["".join(text) for text in pieces if not any(isinstance(part, Slot) for part in text)]  # type: ignore[arg-type]
        fixed = pa.array(plain, pa.string()) if len(plain) == len(pieces) else None
        cells = np.array(phrase.cells, dtype=np.int64)
        return _Form(phrase, cells, np.cumsum(count) - count, count, tuple(pieces), fixed, bool((count == 1).all()))


def changed(text: Text, changes: Sequence[str]) -> Text:
    """A text after the changes of the slot it fills: done to its first part, which may hand them on to its own slot."""
    if not changes or not text:
        return text
    if all(isinstance(part, str) for part in text):
        whole = "".join(text)  # type: ignore[arg-type]
        for change in changes:
            whole = CHANGES[change](whole)
        return (whole,)
    head, *rest = text
    if isinstance(head, Slot):
        return (Slot(head.name, (*head.changes, *changes)), *rest)
    for change in changes:
        head = CHANGES[change](head)
    return (head, *rest)
