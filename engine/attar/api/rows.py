"""Rows and what a step may say about one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

Key = str | int | tuple[str | int, ...]
Json = Any
EMPTY: Mapping[str, float] = MappingProxyType({})


class Row(Mapping[str, Any]):
    """One record, read-only. `id` and `parents` are engine-made; `attempt` counts from 1 within a retry loop."""

    __slots__ = ("_columns", "attempt", "id", "parents")

    def __init__(self, id: str, columns: Mapping[str, Any], parents: tuple[str, ...] = (), attempt: int = 1) -> None:
        self.id = id
        self.parents = parents
        self.attempt = attempt
        self._columns = columns

    @property
    def columns(self) -> Mapping[str, Any]:
        """All columns at once; to be read, not changed."""
        return self._columns

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"Row(id={self.id!r}, attempt={self.attempt}, {dict(self._columns)!r})"


class Reject(NamedTuple):
    """A row that does not meet the step's rule: a reason code (snake_case) and a detail for people."""

    code: str
    detail: str = ""


class Drop(NamedTuple):
    """A dataset step rejects this input row."""

    row: Row
    why: Reject


class New(NamedTuple):
    """A dataset step makes a row out of others; its id is H("new", sorted parents, step, key)."""

    parents: Sequence[str]
    key: str
    columns: Mapping[str, Any]


class Verdict(NamedTuple):
    """What a judge says of a row. `unparseable` and `error` are never folded into a score."""

    outcome: Literal["pass", "fail", "unparseable", "error"]
    code: str = ""
    scores: Mapping[str, float] = EMPTY
    feedback: str = ""
    review: bool = False


class BatchResult(NamedTuple):
    """What `apply_batch` returns for n rows.

    Attributes:
        columns: arrays of length n, added to or replacing the batch's columns.
        reject: string array of length n, a reason code where a row is rejected, null where it stays; None = all stay.
        detail: string array of length n, for people; looked at where a row is rejected. None = no details.
    """

    columns: Mapping[str, pa.Array]
    reject: pa.Array | None = None
    detail: pa.Array | None = None


class Fates(NamedTuple):
    """What `DatasetStep.apply_batches` says of the next `rows` input rows, in input order.

    Attributes:
        rows: how many input rows this is about; as many as the step likes, whatever batches it read.
        columns: arrays of that length, added to or replacing the rows' columns; all other columns stay as they came.
            None: nothing changes.
        reject: string array of that length, a reason code where a row is rejected, null where it stays; None = all
            stay.
        detail: string array of that length, for people; looked at where a row is rejected. None = no details.
    """

    rows: int
    columns: Mapping[str, pa.Array] | None = None
    reject: pa.Array | None = None
    detail: pa.Array | None = None


class RowSet(Protocol):
    """All rows of a finished step, in order; re-iterable and possibly larger than memory."""

    def __iter__(self) -> Iterator[Row]: ...
    def __len__(self) -> int: ...
    @property
    def columns(self) -> Mapping[str, str]: ...
    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Record batches of the user's columns plus `id` (string); of the named columns alone, and `id`, where some
        are named: what is not named is not read."""
        ...

    def sorted_by(self, *keys: str) -> RowSet:
        """The same rows in ascending order of the named columns, ties by present order; sorts on disk when large."""
        ...
