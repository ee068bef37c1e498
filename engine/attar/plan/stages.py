"""Cuts the graph into stages: maximal fused runs of row steps between points where rows are written out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from attar.api import BatchSource, RowStep
from attar.plan.draft import Draft
from attar.plan.faults import Faults

StageKind = Literal["rows", "dataset", "merge", "sink"]


@dataclass(slots=True)
class Cut:
    """A stage in the making. `needs` holds the other stages it must wait for."""

    kind: StageKind
    steps: list[str] = field(default_factory=list)
    inputs: tuple[str, ...] = ()
    needs: list[Cut] = field(default_factory=list)

    def waits_for(self, other: Cut) -> bool:
        """Whether this stage is `other` or needs it, directly or not."""
        waiting, seen = [self], {id(self)}
        while waiting:
            stage = waiting.pop()
            if stage is other:
                return True
            for before in stage.needs:
                if id(before) not in seen:
                    seen.add(id(before))
                    waiting.append(before)
        return False

    def need(self, others: Iterable[Cut]) -> None:
        for other in others:
            if other is not self and not any(other is known for known in self.needs):
                self.needs.append(other)


def cut(drafts: Mapping[str, Draft], order: Sequence[str], faults: Faults) -> dict[str, Cut]:
    """Gives every step a stage and a scope.

    A row step joins the stage of what it reads, unless that stage would then have to wait for itself (because the step
    reads a side table that is made from the stage's own rows): then it begins a stage that reads the stored rows.
    """
    stage_of: dict[str, Cut] = {}
    readers: dict[str, list[Cut]] = {}
    for name in order:
        draft = drafts[name]
        kind = draft.kind or "row"
        sides = [stage_of[side] for side in draft.side.values() if side in stage_of]
        inputs = [other for other in draft.inputs if other in stage_of]
        if kind == "source" or (kind in ("row", "judge") and not inputs):
            stage = Cut("rows")
            draft.scope = name
        elif kind in ("dataset", "merge", "sink"):
            assert kind in ("dataset", "merge", "sink")
            stage = Cut(kind, inputs=tuple(inputs))
            stage.need(stage_of[other] for other in inputs)
            draft.scope = name
        else:
            stage = _row_stage(draft, inputs, sides, drafts, stage_of, readers, faults)
        stage.need(sides)
        stage.steps.append(name)
        stage_of[name] = stage
    return stage_of


def _row_stage(
    draft: Draft,
    inputs: Sequence[str],
    sides: Sequence[Cut],
    drafts: Mapping[str, Draft],
    stage_of: Mapping[str, Cut],
    readers: dict[str, list[Cut]],
    faults: Faults,
) -> Cut:
    def fits(stage: Cut) -> bool:
        return not any(side.waits_for(stage) for side in sides)

    def hosts(name: str) -> list[Cut]:
        fused = drafts[name].kind in ("source", "row", "judge", None)
        return [*([stage_of[name]] if fused else []), *readers.get(name, [])]

    scopes = {leaving_scope(drafts[name], stage_of[name]) for name in inputs}
    if len(inputs) > 1 and (len(scopes) > 1 or drafts[inputs[0]].kind in ("dataset", "merge")):
        draft.unjoinable = True
        faults.step(
            draft.loaded,
            ("from",),
            "E409",
            f"{' and '.join(map(repr, inputs))} do not hold the same rows: they do not come from one step row by row",
            "join them on a key with std.join, or put them together with std.union",
        )
    shared = [stage for stage in hosts(inputs[0]) if fits(stage) and all(stage in hosts(n) for n in inputs[1:])]
    if shared:
        stage = shared[0]
        fresh = stage is not stage_of[inputs[0]]
        draft.scope = inputs[0] if fresh else leaving_scope(drafts[inputs[0]], stage)
        return stage
    if len(inputs) > 1 and len(scopes) == 1:
        table = next(iter(draft.side.values()), "")
        faults.step(
            draft.loaded,
            ("from",),
            "E410",
            f"{' and '.join(map(repr, inputs))} cannot be joined row by row here: they stand in different stages"
            + (f", as one of them reads the finished output of {table!r}" if table else ""),
            "join them on a key with std.join",
        )
    stage = Cut("rows", inputs=(inputs[0],))
    stage.need([stage_of[inputs[0]]])
    readers.setdefault(inputs[0], []).append(stage)
    draft.scope = inputs[0]
    return stage


def leaving_scope(draft: Draft, stage: Cut | None = None) -> str:
    """The scope of the rows that leave a step."""
    del stage
    return draft.name if draft.expands else draft.scope


def in_order(stage_of: Mapping[str, Cut]) -> list[Cut]:
    """All stages so that each comes after those it needs."""
    stages: list[Cut] = []
    for stage in stage_of.values():
        if not any(stage is known for known in stages):
            stages.append(stage)
    done: list[Cut] = []
    while stages:
        ready = next(s for s in stages if all(any(n is d for d in done) for n in s.needs))
        stages.remove(ready)
        done.append(ready)
    return done


def can_batch(stage: Cut, drafts: Mapping[str, Draft]) -> bool:
    """Whether a stage can run on Arrow batches: nothing in it asks a model, branches, loops or changes row counts."""
    if stage.kind != "rows":
        return False
    steps = [drafts[name] for name in stage.steps]
    first = steps[0]
    if first.kind == "source":
        if not (isinstance(first.step, BatchSource) and type(first.step).batches is not BatchSource.batches):
            return False
        rest, before = steps[1:], first.name
    else:
        rest, before = steps, stage.inputs[0]
    for draft in rest:
        step = draft.step
        plain = isinstance(step, RowStep) and step.can_batch() and not step.expands and not step.blocking
        if not plain or draft.loaded.when or draft.models or draft.side or draft.inputs != (before,):
            return False
        before = draft.name
    return True
