"""Loads population tables: reads, checks everything at once, compiles."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attar_personas.catalogues import DOMAINS, Domain, domains
from attar_personas.population.marginals import TooLarge, exact_joint
from attar_personas.population.nodes import Document, KeyPath, TableError, raise_faults, read_document
from attar_personas.population.phrases import compile_phrases
from attar_personas.population.schema import AdjustEntry, RenderEntry, TableEntry, UniformEntry, VariableEntry, parsed
from attar_personas.population.types import MOST_CELLS, Kind, Origin, Table, Variable
from attar_personas.population.weights import Filler, leaf_values, near, spread, too_large

if TYPE_CHECKING:
    import numpy as np

RESERVED = frozenset({"id", "person", "persona", "synth_method", "confidence_score", "specific", "country"})
_NAME = re.compile(r"[a-z][a-z0-9_]*")
PLUGIN = Path(__file__).resolve().parent.parent
NONE = "none"  # nothing is unlike nothing: differs_from lets it be
DEFAULT_TABLE = "personas:tables/india.yaml"


def table_path(name: str) -> Path:
    """The file of a table; `personas:…` is the plugin's folder also where no recipe has resolved it (a default)."""
    return PLUGIN / name.removeprefix("personas:") if name.startswith("personas:") else Path(name)


_loaded: dict[str, tuple[tuple[Any, ...], Table]] = {}


def load_table(file: Path) -> Table:
    """A checked and compiled table; kept in memory while its files stay as they are.

    Raises:
        TableError: with every fault of the file and of the texts it names.
    """
    name = str(file.absolute())
    known = _loaded.get(name)
    if known is not None and known[0] == _stamps(known[1].files):
        return known[1]
    document = read_document(Path(name))
    if document.data is None:
        raise_faults(document)
    table = TableBuilder(document).table()
    if len(_loaded) >= 8:
        _loaded.clear()
    _loaded[name] = (_stamps(table.files), table)
    return table


def _stamps(files: Sequence[Path]) -> tuple[Any, ...]:
    """What shows that a file has changed; an unreadable one never equals what was loaded."""
    try:
        return tuple((stat.st_size, stat.st_mtime_ns) for stat in map(Path.stat, files))
    except OSError:
        return (None,)


class TableBuilder:
    """Makes a Table of a document.

    Args:
        document: the table's file; every fault is noted in it.
        catalogue: lines of the domain catalogue; default the shipped one.
    """

    def __init__(self, document: Document, catalogue: Callable[[], Sequence[Domain]] | None = None) -> None:
        self._document = document
        self._catalogue = catalogue or domains
        self._done: dict[str, Variable] = {}
        self._broken: set[str] = set()  # what depends on these is not looked at further
        self._files = [document.file]
        self._fields: set[str] = set()  # of the catalogue, once it is read

    def table(self) -> Table:
        """The table.

        Raises:
            TableError: with every fault found.
        """
        entry = parsed(TableEntry, self._document, self._document.data)
        if entry is None:
            raise_faults(self._document)
        assert entry is not None
        for name, variable in entry.variables.items():
            self._variable(name, variable, entry)
        phrases: Mapping[str, Any] = {}
        texts = self._document
        if entry.render is not None and not self._broken:
            texts, render, path = self._texts(entry.render)
            if render is not None:
                constants = {"country": entry.country}
                phrases = compile_phrases(texts, render, self._done, path, constants, self._fields)
        raise_faults(self._document, *([texts] if texts is not self._document else []))
        return Table(
            entry.name,
            entry.version,
            entry.people,
            self._done,
            phrases,
            {key: Origin(one.title, one.publisher, one.year, one.url, one.note) for key, one in entry.sources.items()},
            tuple(self._files),
            entry.note,
            entry.country,
        )

    def _texts(self, render: Any) -> tuple[Document, RenderEntry | None, KeyPath]:
        """The texts: in the table itself, or in a file it names."""
        if not isinstance(render, str):
            return self._document, parsed(RenderEntry, self._document, render, ("render",)), ("render",)
        file = self._document.file.parent / render
        if not file.is_file():
            from difflib import get_close_matches

            near = get_close_matches(file.name, [p.name for p in file.parent.glob("*.y*ml")], n=1)
            help = f"did you mean {near[0]}?" if near else "the name is relative to the table"
            self._document.fault(("render",), f"there is no file {render!r}", help)
            return self._document, None, ()
        self._files.append(file)
        document = read_document(file)
        if document.data is None:
            return document, None, ()
        return document, parsed(RenderEntry, document, document.data), ()

    # -- variables ---------------------------------------------------------------------------------------------

    def _variable(self, name: str, entry: VariableEntry, table: TableEntry) -> None:
        at: KeyPath = ("variables", name)
        before = len(self._document.faults)
        self._names(name, entry, table, at)
        forms = [form for form in ("shares", "uniform", "from_") if getattr(entry, form) is not None]
        made: Variable | None = None
        if len(forms) != 1:
            found = " and ".join(form.rstrip("_") for form in forms) or "none"
            self._document.fault(at, f"expected one of shares, uniform, from; found {found}", "keep one of them")
        elif forms == ["shares"]:
            made = self._shares(name, entry, at)
        elif forms == ["uniform"]:
            assert entry.uniform is not None
            self._refuse(entry, at, "uniform", ("given", "adjust", "differs_from"))
            made = self._uniform(name, entry.uniform, entry, at)
        else:
            self._refuse(entry, at, "from: domains", ("adjust", "differs_from"))
            made = self._domains(name, entry, at)
        if made is not None:
            for value in entry.say:
                if value not in made.values:
                    self._document.fault((*at, "say", value), f"{name} has no value {value!r}", "correct it")
        if made is None or len(self._document.faults) > before:
            self._broken.add(name)
        if made is not None:
            self._done[name] = made

    def _names(self, name: str, entry: VariableEntry, table: TableEntry, at: KeyPath) -> None:
        if not _NAME.fullmatch(name):
            self._document.fault(at, "a variable's name has letters a-z, digits and _, a letter first", "rename it")
        elif name in RESERVED:
            self._document.fault(at, f"{name!r} is a column the source makes itself", "rename it")
        if entry.kind is None and entry.shares is not None:
            self._document.fault(at, "kind is missing", "say `kind: measured` or `kind: modelled`")
        claims: list[tuple[KeyPath, VariableEntry | AdjustEntry]] = [(at, entry)]
        claims += [((*at, "adjust", i), adjust) for i, adjust in enumerate(entry.adjust)]
        for place, one in claims:
            if one.kind == "measured" and not one.source:
                self._document.fault(place, "what is measured needs a source", "add `source: <id of sources>`")
            for source in one.source:
                if source not in table.sources:
                    listed = ", ".join(table.sources) or "none"
                    self._document.fault((*place, "source"), f"no source {source!r} is listed", f"sources: {listed}")

    def _refuse(self, entry: VariableEntry, at: KeyPath, form: str, keys: Sequence[str]) -> None:
        for key in keys:
            if getattr(entry, key):
                self._document.fault((*at, key), f"does not go with {form}", "remove it")

    def _conditions(self, names: Sequence[str], at: KeyPath) -> list[Variable] | None:
        """The variables named as conditions; None where one of them cannot be one."""
        found: list[Variable] = []
        for name in names:
            known = self._done.get(name)
            if known is None:
                if name not in self._broken:
                    later = name in self._document.data["variables"]
                    what = f"{name!r} is drawn later" if later else f"there is no variable {name!r}"
                    listed = ", ".join(self._done) or "none"
                    self._document.fault(at, what, f"variables before this one: {listed}")
                return None
            if known.numbers:
                self._document.fault(at, f"{name} is a number, not a condition", "use the variable of its ranges")
                return None
            found.append(known)
        if len(set(names)) < len(names):
            self._document.fault(at, "names a variable twice", "name it once")
            return None
        return found

    def _shares(self, name: str, entry: VariableEntry, at: KeyPath) -> Variable | None:
        import numpy as np

        own = self._conditions(entry.given, (*at, "given"))
        adjusts = [self._conditions(one.given, (*at, "adjust", i, "given")) for i, one in enumerate(entry.adjust)]
        others = self._conditions(entry.differs_from, (*at, "differs_from"))
        if own is None or others is None or any(one is None for one in adjusts):
            return None
        values = leaf_values(entry.shares, len(own))
        if not values:
            self._document.fault((*at, "shares"), "no value has a share", f"expected {len(own) + 1} levels of mappings")
            return None
        conditions = list({one.name: one for group in (own, *adjusts, others) for one in group or ()}.values())
        if cells := too_large(conditions, len(values)):
            names = " × ".join(f"{one.name} ({len(one.values)})" for one in conditions)
            self._document.fault(
                at,
                f"{names} × {len(values)} values make {cells:,} cells; at most {MOST_CELLS:,} are allowed",
                "depend on fewer variables, or on coarser ones",
            )
            return None
        order = [one.name for one in conditions]
        shares = spread(
            Filler(self._document, own, values, factors=False).fill(entry.shares, (*at, "shares")),
            [one.name for one in own],
            order,
        )
        shares = np.array(np.broadcast_to(shares, [*(len(one.values) for one in conditions), len(values)]))
        for i, (adjust, group) in enumerate(zip(entry.adjust, adjusts, strict=True)):
            filler = Filler(self._document, group or (), values, factors=True)
            factors = filler.fill(adjust.factors, (*at, "adjust", i, "factors"))
            shares *= spread(factors, [one.name for one in group or ()], order)
        for other in others:
            unlike = np.array(
                [[value == NONE or value != theirs for value in values] for theirs in other.values], dtype=float
            )
            shares *= spread(unlike, [other.name], order)
        return self._made(name, entry, tuple(values), shares, order, at)

    def _uniform(self, name: str, uniform: UniformEntry, entry: VariableEntry, at: KeyPath) -> Variable | None:
        import numpy as np

        at = (*at, "uniform")
        found = self._conditions([uniform.given], (*at, "given"))
        if found is None:
            return None
        (bands,) = found
        good = True
        for value, (low, high) in uniform.ranges.items():
            place = (*at, "ranges", value)
            if value not in bands.values:
                self._document.fault(
                    place, f"{bands.name} has no value {value!r}", f"it has: {', '.join(bands.values)}"
                )
                good = False
            if not 0 <= low <= high <= 100_000:
                self._document.fault(
                    place, f"expected two whole numbers from 0, the first not above the second; found {low}, {high}"
                )
                good = False
        for value in bands.values:
            if value not in uniform.ranges:
                self._document.fault((*at, "ranges"), f"there is no range for {value!r}", f'add "{value}": [from, to]')
                good = False
        if not good:
            return None
        least = min(low for low, _ in uniform.ranges.values())
        values = range(least, max(high for _, high in uniform.ranges.values()) + 1)
        if cells := too_large([bands], len(values)):
            self._document.fault((*at, "ranges"), f"the ranges make {cells:,} cells; at most {MOST_CELLS:,}", "")
            return None
        shares = np.zeros((len(bands.values), len(values)))
        for i, value in enumerate(bands.values):
            low, high = uniform.ranges[value]
            shares[i, low - least : high - least + 1] = 1.0
        return self._made(name, entry, tuple(map(str, values)), shares, [bands.name], at, numbers=True)

    def _domains(self, name: str, entry: VariableEntry, at: KeyPath) -> Variable | None:
        import numpy as np

        if any(one.anchors for one in self._done.values()):
            self._document.fault((*at, "from"), "another variable is drawn from the catalogue already", "keep one")
            return None
        if len(entry.given) != 1:
            self._document.fault(at, "from: domains needs `given:` with one variable, the general field", "add it")
            return None
        found = self._conditions(entry.given, (*at, "given"))
        if found is None:
            return None
        (fields,) = found
        try:
            catalogue = self._catalogue()
        except (ValueError, OSError) as error:
            self._document.fault((*at, "from"), f"the domain catalogue cannot be read: {error}")
            return None
        if self._catalogue is domains:
            self._files.append(DOMAINS)
        self._fields = known = {one.general for one in catalogue}
        for value in fields.values:
            if value not in known:
                place = ("variables", fields.name)
                self._document.fault(
                    place, f"the domain catalogue has no general field {value!r}", near(value, sorted(known))
                )
        row = {value: i for i, value in enumerate(fields.values)}
        chosen = [one for one in catalogue if one.general in row]
        if not chosen:
            return None
        shares = np.zeros((len(fields.values), len(chosen)))
        for column, one in enumerate(chosen):
            shares[row[one.general], column] = 1.0
        made = self._made(name, entry, tuple(one.domain for one in chosen), shares, [fields.name], at)
        return replace(made, anchors=tuple(one.specific for one in chosen))

    def _made(
        self,
        name: str,
        entry: VariableEntry,
        values: tuple[str, ...],
        shares: np.ndarray[Any, Any],
        conditions: Sequence[str],
        at: KeyPath,
        *,
        numbers: bool = False,
    ) -> Variable:
        import numpy as np

        total = np.cumsum(shares, axis=-1)[..., -1:]  # summed in order: `sum` may round otherwise on another processor
        shares = np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)
        kind: Kind = entry.kind or "modelled"
        say = {value: tuple(texts) for value, texts in entry.say.items()}
        made = Variable(name, kind, values, shares, tuple(conditions), tuple(entry.source), entry.note, numbers, say)
        if conditions and not total.all() and not self._broken and not self._document.faults:
            self._reachable(made, total[..., 0] == 0, at)
        return made

    def _reachable(self, variable: Variable, empty: np.ndarray[Any, Any], at: KeyPath) -> None:
        """Tells combinations of conditions that can occur and leave no value."""
        import numpy as np

        try:
            occurs = exact_joint(self._done, variable.conditions) > 0
        except TooLarge:
            occurs = np.ones(empty.shape, dtype=bool)
        wrong = np.argwhere(empty & occurs)
        if len(wrong):
            pairs = zip(variable.conditions, wrong[0], strict=True)
            first = ", ".join(f"{name} = {self._done[name].values[i]}" for name, i in pairs)
            more = f" and for {len(wrong) - 1} more combinations" if len(wrong) > 1 else ""
            self._document.fault(
                at,
                f'there is nothing to draw for {first}{more}: no row for it and no "*", or every weight there is 0',
                'add the row, or one named "*" for all others',
            )


__all__ = ["DEFAULT_TABLE", "TableBuilder", "TableError", "load_table", "table_path"]
