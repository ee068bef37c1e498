"""Builds and runs single steps in tests, the way the engine would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from attar.api import (
    DatasetStep,
    Drop,
    Judge,
    MergeStep,
    New,
    PromptPart,
    PromptRef,
    PromptText,
    Reject,
    Row,
    RowError,
    RowStep,
    SchemaRef,
    Sink,
    Source,
    Step,
    Verdict,
)
from attar.testing.fakes import FakeContext, ListRowSet, make_rows

S = TypeVar("S", bound=Step[Any])
Rows = Iterable[Mapping[str, Any]]


def build(kind: type[S], config: Mapping[str, Any] | None = None, name: str = "step") -> S:
    """A step of a class from what a recipe's `with:` (and `model`, `prompt`, …) would hold.

    Raises:
        pydantic.ValidationError: the config does not fit.
    """
    step = kind(kind.Config.model_validate(dict(config or {})))
    step.name = name
    return step


def prompt(text: str, *, role: str = "user", rehearse: str | None = None, **more: Any) -> PromptRef:
    """A loaded prompt of one message, for a Config field of type PromptRef."""
    one = PromptText(file="prompt.md", parts=(PromptPart(role=role, text=text),), rehearse=rehearse, **more)
    return PromptRef.model_validate({"files": {"": "prompt.md"}, "texts": {"": one}})


def schema(content: Mapping[str, Any]) -> SchemaRef:
    """A loaded JSON Schema, for a Config field of type SchemaRef."""
    return SchemaRef.model_validate({"files": {"": "schema.json"}, "schemas": {"": dict(content)}})


def run_row_step(step: RowStep[Any], rows: Rows, context: FakeContext | None = None) -> list[Any]:
    """What the step returns for each row: a mapping, a Reject, a list of children, or the RowError it raised."""

    def call(row: Row, ctx: FakeContext) -> Any:
        return step.apply(row, ctx)

    return _each(step, call, rows, context)


def run_judge(step: Judge[Any], rows: Rows, context: FakeContext | None = None) -> list[Verdict | RowError]:
    """The judge's verdict on each row, or the RowError it raised."""

    def call(row: Row, ctx: FakeContext) -> Any:
        return step.judge(row, ctx)

    return _each(step, call, rows, context)


def _each(
    step: Step[Any], call: Callable[[Row, FakeContext], Any], rows: Rows, context: FakeContext | None
) -> list[Any]:
    ctx = context if context is not None else FakeContext(step=step.name or "step")

    async def run() -> list[Any]:
        out: list[Any] = []
        for row in make_rows(rows):
            try:
                answer = call(row, ctx.for_row(row))
                out.append(await answer if asyncio.iscoroutine(answer) else answer)
            except RowError as error:
                out.append(error)
        return out

    return asyncio.run(run())


def run_dataset_step(step: DatasetStep[Any], rows: Rows, context: FakeContext | None = None) -> list[Row | Drop | New]:
    """What a dataset step makes of rows, in order; fails where an input row is not accounted for."""
    given = make_rows(rows)
    ctx = context if context is not None else FakeContext(step=step.name or "step")
    return _accounted(step.apply(ListRowSet(given), ctx), given)


def run_merge_step(
    step: MergeStep[Any], inputs: Mapping[str, Rows], context: FakeContext | None = None
) -> list[Row | Drop | New]:
    """What a merge step makes of several inputs; every row of each must be accounted for."""
    given = {name: make_rows(rows, name) for name, rows in inputs.items()}
    ctx = context if context is not None else FakeContext(step=step.name or "step")
    sets = {name: ListRowSet(rows) for name, rows in given.items()}
    return _accounted(step.merge(sets, ctx), [row for rows in given.values() for row in rows])


def _accounted(out: Iterator[Row | Drop | New], given: list[Row]) -> list[Row | Drop | New]:
    results = list(out)
    seen: set[str] = set()
    for item in results:
        if isinstance(item, New):
            seen.update(item.parents)
        else:
            seen.add(item.row.id if isinstance(item, Drop) else item.id)
    known = {row.id for row in given}
    assert not known - seen, (
        f"{len(known - seen)} input rows are not accounted for: yield them, a Drop or a New of them"
    )
    assert not seen - known, f"{len(seen - known)} rows came out that never went in"
    return results


def run_source(
    source: Source[Any], start: int = 0, stop: int | None = None, context: FakeContext | None = None
) -> list[tuple[Any, Mapping[str, Any] | Reject]]:
    """The records of a slice with their keys. `count` is called before, as in the engine."""
    ctx = context if context is not None else FakeContext(step=source.name or "step")
    count = source.count(ctx)
    return list(source.rows(start, count if stop is None else stop, ctx))


def run_sink(step: Sink[Any], rows: Rows, context: FakeContext) -> None:
    """Has a sink write rows into the context's `out`."""
    step.write(ListRowSet(make_rows(rows)), context)
