"""Renders persons as paragraphs, whole batches at once.

A text is chosen for each person by the person's values and by bits of the person's own (seed, phrase, number).
Persons with the same text are put together, each slot becomes one Arrow array, and the pieces are joined: the work per
person is copying bytes.
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


class _Form(NamedTuple):
    """A phrase, after the changes of a slot, as it is looked up.

    Attributes:
        phrase: its choice of cases.
        first, many: of each case, its first text and how many it has.
        pieces: of each text, its fixed parts and slots.
        fixed: all texts in an Arrow array, where none has a slot.
        single: whether each case has one text, so that nothing is left to chance.
        meets: of each case's condition, which values of its variables meet it.
    """

    phrase: Phrase
    cells: Numbers
    first: Numbers
    many: Numbers
    pieces: tuple[Text, ...]
    fixed: pa.Array | None
    single: bool
    meets: tuple[tuple[np.ndarray[Any, Any], ...], ...]


class _Group(NamedTuple):
    """Persons (places in the batch) who get the same text of a phrase."""

    text: Text
    places: Numbers


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
        self._order = self._users_first()

    def _users_first(self) -> list[Slot]:
        """All phrases that hold slots, each after those whose texts use it."""
        done: dict[Slot, None] = {}

        def visit(slot: Slot) -> None:
            form = self._form(slot)
            if slot in done or form.fixed is not None:
                return
            for text in form.pieces:
                for part in text:
                    if isinstance(part, Slot):
                        visit(part)
            done[slot] = None

        visit(Slot(PARAGRAPHS))
        return list(reversed(done))

    def paragraphs(self, numbers: Numbers, codes: Mapping[str, Numbers]) -> pa.Array:
        """A paragraph for each person (Arrow strings), from numbers and drawn codes.

        From the paragraph down it is settled who needs which phrase, and which text of it; then, from the innermost
        phrases up, each text is written once for all who need it.
        """
        import numpy as np
        import pyarrow as pa

        root = Slot(PARAGRAPHS)
        form = self._form(root)
        everyone = np.arange(len(numbers), dtype=np.int64)
        if form.fixed is not None:
            return form.fixed.take(pa.array(self._chosen(root, form, numbers, codes, everyone)))
        wanted = {root: np.ones(len(numbers), dtype=bool)}
        groups: dict[Slot, list[_Group]] = {}
        for slot in self._order:
            if slot not in wanted:
                continue
            places = np.flatnonzero(wanted[slot])
            groups[slot] = self._grouped(slot, numbers, codes, places)
            for text, some in groups[slot]:
                for part in text:
                    if isinstance(part, Slot) and self._form(part).fixed is None:
                        if part not in wanted:
                            wanted[part] = np.zeros(len(numbers), dtype=bool)
                        wanted[part][some] = True
        written: dict[Slot, tuple[pa.Array, Numbers]] = {}
        for slot in reversed(self._order):
            if slot in groups:
                parts = [self._joined(text, numbers, codes, some, written) for text, some in groups[slot]]
                where = np.empty(len(numbers), dtype=np.int64)
                at = np.concatenate([some for _, some in groups[slot]]) if groups[slot] else everyone
                where[at] = np.arange(len(at))
                written[slot] = (pa.concat_arrays(parts) if parts else pa.array([], pa.string())), where
        texts, where = written[root]
        return texts.take(pa.array(where))

    def _grouped(self, slot: Slot, numbers: Numbers, codes: Mapping[str, Numbers], places: Numbers) -> list[_Group]:
        import numpy as np

        form = self._form(slot)
        chosen = self._chosen(slot, form, numbers, codes, places)
        order = np.argsort(chosen, kind="stable")
        there, starts = np.unique(chosen[order], return_index=True)
        parts = np.split(places[order], starts[1:])
        return [_Group(form.pieces[k], part) for k, part in zip(there, parts, strict=False)]

    def _joined(
        self,
        text: Text,
        numbers: Numbers,
        codes: Mapping[str, Numbers],
        places: Numbers,
        written: Mapping[Slot, tuple[pa.Array, Numbers]],
    ) -> pa.Array:
        """One text for some persons."""
        import pyarrow as pa
        import pyarrow.compute as pc

        parts: list[Any] = []
        for part in text:
            if isinstance(part, str):
                parts.append(part)
            elif part in written:
                texts, where = written[part]
                parts.append(texts.take(pa.array(where[places])))
            else:
                form = self._form(part)
                assert form.fixed is not None
                parts.append(form.fixed.take(pa.array(self._chosen(part, form, numbers, codes, places))))
        if all(isinstance(part, str) for part in parts):
            return pa.repeat("".join(parts), len(places))
        return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "")

    def _chosen(
        self, slot: Slot, form: _Form, numbers: Numbers, codes: Mapping[str, Numbers], places: Numbers
    ) -> Numbers:
        """The number of the text for each of some persons."""
        import numpy as np

        phrase = form.phrase
        if phrase.when:
            case = np.full(len(places), len(phrase.cases) - 1, dtype=np.int64)
            left = np.ones(len(places), dtype=bool)
            for i, (when, meets) in enumerate(zip(phrase.when[:-1], form.meets, strict=False)):
                met = left.copy()
                for name, of_value in zip(when.variables, meets, strict=True):
                    met &= of_value[codes[name][places]]
                case[met] = i
                left &= ~met
        elif phrase.given:
            cell = codes[phrase.given[0]][places]
            for name in phrase.given[1:]:
                cell = cell * len(self._table.variables[name].values) + codes[name][places]
            case = form.cells[cell]
        else:
            case = np.zeros(len(places), dtype=np.int64)
        if form.single:
            return form.first[case]
        bits = random_bits(self._seed, f"text of {slot.name}", numbers[places])
        return form.first[case] + ((bits * form.many[case]) >> BITS)

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
        meets = tuple(tuple(np.array(one, dtype=bool) for one in when.meets) for when in phrase.when)
        first = np.cumsum(count) - count
        return _Form(phrase, cells, first, count, tuple(pieces), fixed, bool((count == 1).all()), meets)


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
