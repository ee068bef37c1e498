"""The kinds of step a plugin can bring. The engine builds a step once per process from its validated config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from attar.api.context import Context
from attar.api.rows import BatchResult, Drop, Fates, Key, New, Reject, Row, RowSet, Verdict
from attar.api.types import Columns

if TYPE_CHECKING:
    import pyarrow as pa


class Config(BaseModel):
    """Base of every step's config: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class ConfigProblem(Exception):
    """A mistake in a step's config that pydantic cannot see; raised by `reads`, `writes` or `check`, made a Diagnostic.

    Args:
        field: path into the config (`("columns", "text")`), used to find line and column in the recipe.
        message: what was found and what was expected.
        help: what to do next.
        code: `E3xx` by default; column mistakes use `E5xx`.
    """

    def __init__(self, field: Sequence[str | int], message: str, help: str = "", code: str = "E310") -> None:
        super().__init__(message)
        self.field = tuple(field)
        self.message = message
        self.help = help
        self.code = code


C = TypeVar("C", bound=BaseModel)


class Step(Generic[C]):
    """What all kinds share.

    Attributes:
        Config: pydantic model of `with:` and of the step-level references; a field annotated Runtime() is left out of
            fingerprints.
        version: raised when the output changes for the same config.
        blocking: True runs `apply` in a thread; it may then take its time but not await (no `ctx.chat`).
        provides: names this step adds to its prompts besides the row's columns (`criteria`), for validation.
        varies: True where another attempt can end otherwise without a model (it draws with `ctx.rng` or asks the
            outside with `ctx.effect`), so that a retry through this step is no idle loop. Steps with a model need not
            say so.
        calls_per_row: requests that one row costs, for estimates (`samples` and `votes` in a config are known).
        name: the step's full name in the recipe, set by the engine before `reads` is called.
        rewrites: columns an earlier round of the same step wrote, which this one may write again; set by the engine.
        side_columns: columns of the side tables by StepRef field, for `check`; set by the engine before `reads` is
            called. A table whose step is at fault itself is not in it.
    """

    Config: ClassVar[type[BaseModel]]
    version: ClassVar[int] = 1
    blocking: ClassVar[bool] = False
    provides: ClassVar[frozenset[str]] = frozenset()
    varies: ClassVar[bool] = False
    calls_per_row: ClassVar[int] = 1
    name: str = ""
    rewrites: frozenset[str] = frozenset()
    side_columns: Mapping[str, Columns] = {}

    def __init__(self, config: C) -> None:
        """No I/O; the step must pickle."""
        self.config = config

    @property
    def short_name(self) -> str:
        """The name without namespace and round: what the step's default column is called."""
        return self.name.rpartition(".")[2]

    def add(self, incoming: Columns, new: Columns, field: Sequence[str | int] = ()) -> Columns:
        """`incoming` with `new` columns; the usual body of `writes`.

        Raises:
            ConfigProblem: E502, a new column exists already (and is not one an earlier round of a repeat wrote).
        """
        for column in new:
            if column in incoming and column not in self.rewrites:
                raise ConfigProblem(
                    field,
                    f"column {column!r} is written twice: it already arrives at step {self.name!r}",
                    "rename the step or its output, or drop the older column before (std.select)",
                    code="E502",
                )
        return {**incoming, **new}

    def reads(self, incoming: Columns) -> Columns:
        """Columns this step needs, with the types it expects ("any" where it does not care). Prompt variables are
        checked by the engine and need not be listed."""
        return {}

    def writes(self, incoming: Columns) -> Columns:
        """All columns that leave the step. A source may read its first records here to infer types.

        Raises:
            ConfigProblem: the config does not fit `incoming`, or a file it names cannot be read.
        """
        return dict(incoming)

    def inputs(self) -> Sequence[str]:
        """Paths or URLs of files this step reads besides its rows (a source: all it reads). Their bytes decide the
        output: their digests enter the fingerprint."""
        return ()

    def notes(self) -> Mapping[str, str]:
        """What a reader of the dataset should know of how this step works and its config leaves open (which tokenizer
        counted): it stands in the run's manifest. It must not differ between equal runs."""
        return {}

    def overwrites(self, incoming: Columns) -> Sequence[str]:
        """Columns that arrive and leave under the same name and type, but with new values."""
        return ()

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        """Yields every further mistake that can be found without running."""
        return iter(())


class Source(Step[C]):
    """Makes rows. Addressable: any slice can be made without the rest.

    `fills` is True where each row is a promise that a finished row will come of it (slots): what is missing at the end
    is reported and exits 1.
    """

    fills: ClassVar[bool] = False

    def count(self, ctx: Context) -> int | None:
        """How many records there are (bad ones too), or None if only reading tells (then one shard reads all)."""
        return None

    def rows(self, start: int, stop: int | None, ctx: Context) -> Iterator[tuple[Key, Mapping[str, Any] | Reject]]:
        """Records start ≤ i < stop with their keys. A record that cannot be read is a Reject: it is dead-lettered."""
        raise NotImplementedError

    def redraw(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        """Another draw for the same row; ctx.retry.attempt tells which. A source without it cannot be retried."""
        raise NotImplementedError

    @classmethod
    def can_redraw(cls) -> bool:
        return cls.redraw is not Source.redraw


class BatchSource(Source[C]):
    """A source that can also hand out Arrow batches, for bulk work without models."""

    def batches(
        self, start: int, stop: int | None, ctx: Context
    ) -> Iterator[tuple[list[Key], pa.RecordBatch, dict[int, Reject]]]:
        """Keys, columns and bad records (position in the batch → Reject) of consecutive records.

        Bad positions hold nulls.
        """
        raise NotImplementedError


class RowStep(Step[C]):
    """Handles one row at a time. `expands` True: `apply` returns a list, one mapping per child row."""

    expands: ClassVar[bool] = False

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject | list[Mapping[str, Any]]:
        """New or changed columns (merged into the row, then cut to `writes`), or a Reject, or the children."""
        raise NotImplementedError

    def apply_batch(self, batch: pa.RecordBatch, ctx: Context) -> BatchResult:
        """Optional: the same as `apply` for many rows at once, for steps that never call `ctx`'s async methods."""
        raise NotImplementedError

    @classmethod
    def can_batch(cls) -> bool:
        return cls.apply_batch is not RowStep.apply_batch


class Judge(Step[C]):
    """Passes or fails a row. Writes one struct column named after the step: `outcome, code, scores, feedback`."""

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        raise NotImplementedError

    def score_names(self) -> Sequence[str]:
        """Names of the scores a verdict carries, in order; they become the struct's `scores` fields."""
        return ()

    def writes(self, incoming: Columns) -> Columns:
        scores = ",".join(f"{name}:float?" for name in self.score_names())
        fields = "outcome:string,code:string?,feedback:string?" + (f",scores:struct<{scores}>" if scores else "")
        return self.add(incoming, {self.short_name: f"struct<{fields}>"})


class DatasetStep(Step[C]):
    """Needs all rows at once. Every input row must come out as a Row, a Drop or a parent of a New.

    A step writes `apply`, or `apply_batches`, or both (then both must do the same; the engine runs the second).
    """

    def apply(self, rows: RowSet, ctx: Context) -> Iterator[Row | Drop | New]:
        """What becomes of the rows, in any order. Where only `apply_batches` is written, the same by way of it."""
        if not self.can_batch():
            raise NotImplementedError
        from attar.api.bulk import row_by_row

        return row_by_row(self.apply_batches(rows, ctx), rows)

    def apply_batches(self, rows: RowSet, ctx: Context) -> Iterator[Fates]:
        """Optional, for millions of rows: keeps or rejects rows, and adds columns, without making any or changing their
        order. The fates of all input rows are to be yielded in input order, many at a time.

        The engine reads the rows again beside the step and carries their columns, ids and histories; so a step that
        passes over `rows.batches([...])` with the columns it decides by, and then yields its decisions, reads no more
        than that. Memory is then what the step itself keeps.
        """
        raise NotImplementedError

    @classmethod
    def can_batch(cls) -> bool:
        return cls.apply_batches is not DatasetStep.apply_batches


class MergeStep(Step[C]):
    """A dataset step with several inputs (`from: [a, b]`), as union and join are. The same accounting holds."""

    def merged(self, incoming: Mapping[str, Columns]) -> Columns:
        """Columns that leave, from the columns of each input by step name (replaces `writes`)."""
        raise NotImplementedError

    def merge(self, inputs: Mapping[str, RowSet], ctx: Context) -> Iterator[Row | Drop | New]:
        raise NotImplementedError


class Sink(Step[C]):
    """Writes rows somewhere. What it writes into `ctx.out` is published as a whole in the run directory."""

    def write(self, rows: RowSet, ctx: Context) -> None:
        raise NotImplementedError

    def data_files(self) -> Mapping[str, str]:
        """Glob patterns of the files of each split (`train`, …), from `ctx.out`; the run's dataset card names them."""
        return {}
