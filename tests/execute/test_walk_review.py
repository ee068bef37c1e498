"""What a person decided, in one row's way through a stage: in and out of loops, on branches, of children."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.api import Config, Context, Judge, Row, RowStep, Source, Verdict
from attar.execute.context import Facts, Pace
from attar.execute.program import compile_stage
from attar.execute.results import OutcomeRow, RowResult
from attar.execute.walk import Walker
from attar.plan.types import Plan, PlannedStep, Stage
from attar.recipe.language import OnFail
from attar.store.decisions import Decision, review_key

ROW = "ab" * 16
FATES = ("accepted", "rejected", "review", "dead")


class Start(Source[Config]):
    Config = Config


class Do(RowStep[Config]):
    Config = Config

    def __init__(self, apply: Callable[[Row, Context], Any], expands: bool = False) -> None:
        super().__init__(Config())
        self._apply = apply
        self.expands = expands  # type: ignore[misc]

    async def apply(self, row: Row, ctx: Context) -> Any:
        await asyncio.sleep(0)
        return self._apply(row, ctx)


class Say(Judge[Config]):
    Config = Config

    def __init__(self, judge: Callable[[Row, Context], Verdict]) -> None:
        super().__init__(Config())
        self._judge = judge

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        await asyncio.sleep(0)
        return self._judge(row, ctx)


def planned(
    name: str,
    step: Any,
    inputs: Sequence[str] = (),
    incoming: Sequence[str] = (),
    adds: Sequence[str] = (),
    on_fail: OnFail | None = None,
    region: Sequence[str] = (),
) -> PlannedStep:
    step.name = name
    kind: Any = "source" if isinstance(step, Source) else "judge" if isinstance(step, Judge) else "row"
    before = dict.fromkeys(incoming, "any")
    columns = {**before, **dict.fromkeys(adds, "any")}
    return PlannedStep(
        name, "t.t", kind, step, tuple(inputs), None, on_fail, (), before, columns, retry_region=tuple(region)
    )


def walk(
    steps: Sequence[PlannedStep], taps: Sequence[str], decisions: Mapping[str, Decision], **columns: Any
) -> RowResult:
    names = tuple(step.name for step in steps)
    stage = Stage(0, "rows", names, (), tuple(taps), "f", ())
    plan = Plan("r", Path("r"), "", 7, {}, {}, {step.name: step for step in steps}, [stage], {}, "d")
    facts = Facts(7, {}, None, None, {}, Path(), Pace(), decisions)
    result = asyncio.run(Walker(compile_stage(plan, stage), facts).row(0, ROW, (), None, columns or {"n": 1}))
    for step, count in counts(result).items():
        assert count.get("in", 0) == sum(count.get(fate, 0) for fate in FATES), step
    return result


def counts(result: RowResult) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for step, field, n in result.counts:
        mine = found.setdefault(step, {})
        mine[field] = mine.get(field, 0) + n
    return found


def on(outcome: OutcomeRow, verb: Any, **columns: Any) -> dict[str, Decision]:
    """A decision on a row that waits."""
    assert outcome.kind == "review"
    key = review_key(outcome.step, outcome.id, outcome.row)
    return {key: Decision(key, outcome.step, outcome.id, verb, "why", "Asha", "2026-01-02T03:04:05Z", columns)}


def source() -> PlannedStep:
    return planned("src", Start(Config()), (), (), ("n",))


def draft_and_judge(verdict: Callable[[Row], Verdict], **policy: Any) -> list[PlannedStep]:
    on_fail = OnFail(**policy)
    region = ["gen", "ok"] if on_fail.retry else []
    return [
        source(),
        planned("gen", Do(lambda row, ctx: {"gen": f"draft {ctx.retry.attempt}"}), ["src"], ["n"], ["gen"]),
        planned("ok", Say(lambda row, ctx: verdict(row)), ["gen"], ["n", "gen"], ["ok"], on_fail, region),
        planned("after", Do(lambda row, ctx: {"after": f"<{row['gen']}>"}), ["ok"], ["n", "gen", "ok"], ["after"]),
    ]


WAYS = {
    "then review": ({"then": "review"}, lambda row: Verdict("fail", "thin", feedback="more"), "draft 1"),
    "exhausted": (
        {"retry": "gen", "attempts": 3, "then": "review"},
        lambda row: Verdict("fail", "thin", feedback="more"),
        "draft 3",
    ),
    "borderline": ({}, lambda row: Verdict("pass", "borderline", feedback="more", review=True), "draft 1"),
    "borderline in a loop": (
        {"retry": "gen", "attempts": 3},
        lambda row: Verdict("fail", "thin") if row.attempt == 1 else Verdict("pass", "borderline", review=True),
        "draft 2",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_approved_the_row_goes_on_and_its_verdict_stays_honest(way: str) -> None:
    policy, verdict, text = WAYS[way]
    steps = draft_and_judge(verdict, **policy)
    (waits,) = walk(steps, ["after"], {}).outcomes
    result = walk(steps, ["after"], on(waits, "approve"))
    assert result.outcomes == []
    (row,) = result.emitted
    assert row.columns["after"] == f"<{text}>"
    assert row.columns["ok"] == orjson.loads(waits.row)["ok"]
    entry = orjson.loads(row.trail or b"[]")[-1]
    assert {k: entry[k] for k in ("step", "row", "decision", "who", "when", "reason")} == {
        "step": "ok",
        "row": ROW,
        "decision": "approve",
        "who": "Asha",
        "when": "2026-01-02T03:04:05Z",
        "reason": "why",
    }
    assert counts(result)["ok"].get("review", 0) == 0 and counts(result)["ok"]["accepted"] == 1


@pytest.mark.parametrize("way", WAYS)
def test_edited_it_goes_on_with_the_new_text_and_rejected_it_ends(way: str) -> None:
    policy, verdict, text = WAYS[way]
    steps = draft_and_judge(verdict, **policy)
    (waits,) = walk(steps, ["after"], {}).outcomes
    (row,) = walk(steps, ["after"], on(waits, "edit", gen="better")).emitted
    assert row.columns["gen"] == "better" and row.columns["after"] == "<better>"
    assert orjson.loads(row.trail or b"[]")[-1]["before"] == {"gen": text}
    turned = walk(steps, ["after"], on(waits, "reject"))
    (outcome,) = turned.outcomes
    assert (outcome.kind, outcome.code, outcome.detail) == ("rejected", "review_rejected", "why")
    assert turned.emitted == [] and counts(turned)["ok"]["rejected"] == 1


@settings(max_examples=100, deadline=None)
@given(
    decided=st.text("xyz", max_size=3),
    arrives=st.text("xyz", max_size=3),
    feedback=st.sampled_from(("", "thin")),
    then_feedback=st.sampled_from(("", "thin")),
    verb=st.sampled_from(("approve", "edit", "reject")),
)
def test_a_decision_is_never_applied_to_another_text_or_verdict(
    decided: str, arrives: str, feedback: str, then_feedback: str, verb: Any
) -> None:
    def steps(said: str) -> list[PlannedStep]:
        judge = Say(lambda row, ctx: Verdict("pass", feedback=said, review=True))
        return [planned("src", Start(Config()), (), (), ("text",)), planned("ok", judge, ["src"], ["text"], ["ok"])]

    (waits,) = walk(steps(feedback), ["ok"], {}, text=decided).outcomes
    result = walk(steps(then_feedback), ["ok"], on(waits, verb, text="edited"), text=arrives)
    waiting = [outcome for outcome in result.outcomes if outcome.kind == "review"]
    assert bool(waiting) == ((decided, feedback) != (arrives, then_feedback))


def test_a_branch_that_did_not_come_by_the_judge_does_not_bring_the_old_text_back() -> None:
    def steps(inputs: Sequence[str]) -> list[PlannedStep]:
        return [
            *draft_and_judge(lambda row: Verdict("pass", review=True))[:3],
            planned("side", Do(lambda row, ctx: {"side": row["gen"]}), ["gen"], ["n", "gen"], ["side"]),
            planned("join", Do(lambda row, ctx: {"join": row["gen"]}), inputs, ["n", "gen", "ok", "side"], ["join"]),
        ]

    for inputs in (["ok", "side"], ["side", "ok"]):
        (waits,) = walk(steps(inputs), ["join"], {}).outcomes
        (row,) = walk(steps(inputs), ["join"], on(waits, "edit", gen="better")).emitted
        assert (row.columns["gen"], row.columns["join"], row.columns["side"]) == ("better", "better", "draft 1")


def test_children_are_decided_each_by_its_own_id() -> None:
    steps = [
        source(),
        planned("many", Do(lambda row, ctx: [{"k": "same"} for _ in range(3)], expands=True), ["src"], ["n"], ["k"]),
        planned("ok", Say(lambda row, ctx: Verdict("fail", "x")), ["many"], ["n", "k"], ["ok"], OnFail(then="review")),
    ]
    waiting = walk(steps, ["ok"], {}).outcomes
    assert len(waiting) == 3
    result = walk(steps, ["ok"], {**on(waiting[0], "approve"), **on(waiting[2], "reject")})
    assert [row.id for row in result.emitted] == [waiting[0].id]
    assert [(o.kind, o.id) for o in result.outcomes] == [("review", waiting[1].id), ("rejected", waiting[2].id)]


def test_a_later_judge_may_lay_the_edited_row_aside_again_and_a_retry_forgets_the_edit() -> None:
    steps = [
        *draft_and_judge(lambda row: Verdict("pass", review=row["gen"] == "draft 1"))[:3],
        planned(
            "again",
            Say(lambda row, ctx: Verdict("fail", "dull") if row["gen"] == "edited" else Verdict("pass")),
            ["ok"],
            ["n", "gen", "ok"],
            ["again"],
            OnFail(retry="gen", attempts=2),
            ["gen", "ok", "again"],
        ),
    ]
    (waits,) = walk(steps, ["again"], {}).outcomes
    (row,) = walk(steps, ["again"], on(waits, "edit", gen="edited")).emitted
    assert row.columns["gen"] == "draft 2"  # the second judge sent it back: a new draft, never decided on
    (row,) = walk(steps, ["again"], on(waits, "edit", gen="fine")).emitted
    assert row.columns["gen"] == "fine"
