"""personas.population: persons of a virtual population, without a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from attar.api import BatchSource, Columns, Config, ConfigProblem, Context, Key, RecipePath, Reject
from attar_personas.population.tables import DEFAULT_TABLE, TableError, load_table, table_path
from attar_personas.population.types import Table

if TYPE_CHECKING:
    import pyarrow as pa

    from attar_personas.population.draw import Drawing, Numbers, Shuffled
    from attar_personas.population.render import Renderer

BATCH = 16_384
METHOD = "population"


class PopulationConfig(Config):
    """See Population."""

    table: Annotated[str, RecipePath()] = Field(
        DEFAULT_TABLE, description="population table; personas:tables/india.yaml and indonesia.yaml are shipped"
    )
    people: int | None = Field(None, ge=1, lt=2**53, description="size of the population; default: the table's")
    first: int = Field(
        0, ge=0, description="number of the first person; with spread or sample, how many of that order to skip"
    )
    count: int | None = Field(None, ge=0, description="how many persons; default: all from `first` on")
    spread: bool = Field(
        False, description="take persons in a seeded order that spreads over the whole population, not in a row"
    )
    sample: int | None = Field(None, ge=0, description="the same as `count` with `spread: true`")
    columns: list[str] | None = Field(
        None, min_length=1, description="columns to make; default: all, persona among them where the table has texts"
    )
    render: bool = Field(True, description="false: no persona paragraph, only the columns")
    seed: int | None = Field(
        None, ge=0, description="which population; default: from the recipe's seed and the step's name"
    )


class Population(BatchSource[PopulationConfig]):
    """Persons drawn from a table of published shares, each a pure function of the seed and the person's number.

    Any shard, sample or single person is made without the rest, and person 7 is the same in all of them. What is drawn
    depends on the table's files, the seed and the number alone; `people` only bounds the numbers and lays out samples.

    Columns: `person` (the number, also the row's key), `persona` (a paragraph), one per variable of the table (`int`
    where it is a number), `specific` (rare anchor of the `domain`, beside the broad `general`), `synth_method`
    ("population") and `confidence_score` (null: nobody has judged it).
    """

    Config = PopulationConfig

    def __init__(self, config: PopulationConfig) -> None:
        super().__init__(config)
        self._ready: tuple[int, _Maker] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_ready": None}

    # -- what is checked before a row is made ------------------------------------------------------------------

    def _table(self) -> Table:
        return load_table(table_path(self.config.table))

    def inputs(self) -> Sequence[str]:
        try:
            return [str(file) for file in self._table().files]
        except TableError as error:
            raise _first(error) from None

    def writes(self, incoming: Columns) -> Columns:
        try:
            found = _columns(self._table(), self.config.render)
        except TableError as error:
            raise _first(error) from None
        if self.config.columns is None:
            return found
        return {name: found[name] for name in dict.fromkeys(self.config.columns) if name in found}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        try:
            table = self._table()
        except TableError as error:  # the first one is told by `writes`
            for message, help in error.faults[1:]:
                yield ConfigProblem(("table",), message, help)
            return
        people = config.people or table.people
        if config.sample is not None and (config.count is not None or config.spread):
            other = "count" if config.count is not None else "spread"
            yield ConfigProblem(("sample",), f"sample and {other} do not go together", "sample is count and spread")
        wanted = config.sample if config.sample is not None else config.count
        field = "sample" if config.sample is not None else "count"
        if config.first > people:
            yield ConfigProblem(("first",), f"first is {config.first:,}, there are {people:,} people", "lower it")
        elif wanted is not None and config.first + wanted > people:
            left = people - config.first
            message = f"{field} asks for {wanted:,} persons from {config.first:,} on; there are {left:,}"
            yield ConfigProblem((field,), message, "lower it, or raise people")
        if config.render and not table.phrases and (config.columns is None or "persona" in config.columns):
            yield ConfigProblem(("table",), f"table {table.name!r} has no texts to render", "add render: false")
        known = _columns(table, config.render)
        for number, name in enumerate(config.columns or ()):
            if name not in known:
                from difflib import get_close_matches

                near = get_close_matches(name, known, n=1)
                help = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
                yield ConfigProblem(("columns", number), f"the population has no column {name!r}", help, "E501")

    # -- rows --------------------------------------------------------------------------------------------------

    def count(self, ctx: Context) -> int | None:
        config = self.config
        people = config.people or self._table().people
        wanted = config.sample if config.sample is not None else config.count
        left = max(people - config.first, 0)
        return left if wanted is None else min(wanted, left)

    def batches(
        self, start: int, stop: int | None, ctx: Context
    ) -> Iterator[tuple[list[Key], pa.RecordBatch, dict[int, Reject]]]:
        maker = self._maker(ctx)
        total = self.count(ctx) or 0
        end = total if stop is None else min(stop, total)
        for low in range(start, end, BATCH):
            numbers, batch = maker.batch(low, min(low + BATCH, end))
            yield numbers.tolist(), batch, {}

    def rows(self, start: int, stop: int | None, ctx: Context) -> Iterator[tuple[Key, Mapping[str, Any] | Reject]]:
        for keys, batch, _ in self.batches(start, stop, ctx):
            yield from zip(keys, batch.to_pylist(), strict=True)

    def _maker(self, ctx: Context) -> _Maker:
        seed = self.config.seed if self.config.seed is not None else ctx.seed("population")
        if self._ready is None or self._ready[0] != seed:
            self._ready = seed, _Maker(self._table(), self.config, seed, list(self.writes({})))
        return self._ready[1]


class _Maker:
    """Makes batches of persons of one table and seed."""

    def __init__(self, table: Table, config: PopulationConfig, seed: int, columns: Sequence[str]) -> None:
        import pyarrow as pa

        from attar_personas.population.draw import Drawing, Shuffled
        from attar_personas.population.render import Renderer

        self._table = table
        self._columns = columns
        self._first = config.first
        self._drawing: Drawing = Drawing(table.variables, seed)
        self._renderer: Renderer | None = Renderer(table, seed) if "persona" in columns else None
        self._needed = None if self._renderer is not None else [name for name in columns if name in table.variables]
        anchored = next((one for one in table.variables.values() if one.anchors), None)
        if "specific" in columns and self._needed is not None and anchored is not None:
            self._needed.append(anchored.name)
        self._order: Shuffled | None = (
            Shuffled(config.people or table.people, seed) if config.spread or config.sample is not None else None
        )
        self._values: dict[str, tuple[str, pa.Array]] = {}
        for name, variable in table.variables.items():
            kind = pa.int64() if variable.numbers else pa.string()
            values: list[Any] = [int(v) for v in variable.values] if variable.numbers else list(variable.values)
            self._values[name] = (name, pa.array(values, kind))
            if variable.anchors:
                self._values["specific"] = (name, pa.array(variable.anchors, pa.string()))

    def batch(self, low: int, high: int) -> tuple[Numbers, pa.RecordBatch]:
        """Numbers and columns of the persons at places low ≤ i < high of the source."""
        import numpy as np
        import pyarrow as pa

        numbers = np.arange(low + self._first, high + self._first, dtype=np.int64)
        if self._order is not None:
            numbers = self._order.persons(numbers)
        codes = self._drawing.codes(numbers, self._needed)
        arrays: list[pa.Array] = []
        for column in self._columns:
            if column == "person":
                arrays.append(pa.array(numbers))
            elif column == "persona":
                assert self._renderer is not None
                arrays.append(self._renderer.paragraphs(numbers, codes))
            elif column == "synth_method":
                arrays.append(pa.repeat(METHOD, len(numbers)))
            elif column == "confidence_score":
                arrays.append(pa.nulls(len(numbers), pa.float64()))
            else:
                name, values = self._values[column]
                arrays.append(values.take(pa.array(codes[name])))
        return numbers, pa.RecordBatch.from_arrays(arrays, names=list(self._columns))


def _columns(table: Table, render: bool) -> dict[str, str]:
    found = {"person": "int"}
    if render and table.phrases:
        found["persona"] = "string"
    for name, variable in table.variables.items():
        found[name] = "int" if variable.numbers else "string"
        if variable.anchors:
            found["specific"] = "string"
    return {**found, "synth_method": "string", "confidence_score": "float?"}


def _first(error: TableError) -> ConfigProblem:
    message, help = error.faults[0]
    return ConfigProblem(("table",), message, help)
