"""One row's way through a stage: every rule of rejecting, retrying, expanding and rejoining, without a model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.api import Config, Context, Judge, Reject, Row, RowError, RowStep, Source, Verdict
from attar.errors import AttarError
from attar.execute.context import Facts, Pace
from attar.execute.program import compile_stage
from attar.execute.results import RowResult
from attar.execute.walk import Walker
from attar.plan.types import Plan, PlannedStep, Stage
from attar.recipe.language import OnFail

FATES = ("accepted", "rejected", "review", "dead")


class Start(Source[Config]):
    Config = Config

    def redraw(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        return {"n": row["n"] + 100 * (ctx.retry.attempt - 1)}


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

    def score_names(self) -> Sequence[str]:
        return ("s",)

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
    when: str | None = None,
) -> PlannedStep:
    step.name = name
    kind = "source" if isinstance(step, Source) else "judge" if isinstance(step, Judge) else "row"
    before = dict.fromkeys(incoming, "any")
    return PlannedStep(
        name=name,
        use="test.step",
        kind=kind,
        step=step,
        inputs=tuple(inputs),
        when=when,
        on_fail=on_fail,
        reads=(),
        incoming=before,
        columns={**before, **dict.fromkeys(adds, "any")},
        retry_region=tuple(region),
    )


def walk(steps: Sequence[PlannedStep], taps: Sequence[str], n: int = 1, pace: Pace | None = None) -> RowResult:
    names = tuple(step.name for step in steps)
    stage = Stage(0, "rows", names, (), tuple(taps), "f", ())
    plan = Plan("r", Path("r"), "", 7, {}, {}, {step.name: step for step in steps}, [stage], {}, "d")
    walker = Walker(compile_stage(plan, stage), Facts(7, {}, None, None, {}, Path(), pace or Pace()))
    result = asyncio.run(walker.row(0, "ab" * 16, (), None, {"n": n}))
    for name, final in counts(result).items():  # what the display showed last is what the ledger says
        shown = walker.live.get(name, {})
        assert {f: c for f, c in shown.items() if c and f != "in"} == {
            f: c for f, c in final.items() if f not in ("in", "made")
        }
        assert shown.get("in", 0) >= final.get("in", 0)
    return result


def counts(result: RowResult) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for step, field, n in result.counts:
        mine = found.setdefault(step, {})
        mine[field] = mine.get(field, 0) + n
    return found


def balanced(result: RowResult) -> None:
    for step, count in counts(result).items():
        assert count.get("in", 0) == sum(count.get(fate, 0) for fate in FATES), step


def source() -> PlannedStep:
    return planned("src", Start(Config()), (), (), ("n",))


def loop(judge: Callable[[Row, Context], Verdict], **policy: Any) -> list[PlannedStep]:
    on_fail = OnFail(retry="gen", **policy)
    return [
        source(),
        planned("gen", Do(lambda row, ctx: {"gen": (ctx.retry.attempt, *ctx.retry.feedback)}), ["src"], ["n"], ["gen"]),
        planned("ok", Say(judge), ["gen"], ["n", "gen"], ["ok"], on_fail, ["gen", "ok"]),
    ]


def test_a_failed_row_returns_with_feedback_until_it_passes() -> None:
    seen: list[Any] = []

    def judge(row: Row, ctx: Context) -> Verdict:
        seen.append((row["gen"], ctx.retry.attempt, list(ctx.retry.previous)))
        return Verdict("pass") if row.attempt == 3 else Verdict("fail", "dull", {"s": 0.1}, f"say more {row.attempt}")

    result = walk(loop(judge, attempts=3), ["ok"])
    assert seen == [
        ((1,), 1, []),
        ((2, "say more 1"), 2, [(1,)]),
        ((3, "say more 1", "say more 2"), 3, [(1,), (2, "say more 1")]),
    ]
    assert counts(result)["ok"] == {"in": 1, "accepted": 1, "retried": 2}
    assert counts(result)["gen"] == {"in": 1, "accepted": 1}
    assert result.emitted[0].columns["ok"]["outcome"] == "pass"
    assert [(kind, code) for _, kind, code, _, _ in result.reasons] == [("retried", "dull"), ("retried", "dull")]


@pytest.mark.parametrize(
    ("then", "fate", "emitted"),
    [("drop", "rejected", 0), ("review", "review", 0), ("keep_last", "accepted", 1), ("keep_best", "accepted", 1)],
)
def test_what_happens_once_attempts_are_spent(then: str, fate: str, emitted: int) -> None:
    scores = [0.2, 0.9, 0.4]
    result = walk(
        loop(lambda row, ctx: Verdict("fail", "dull", {"s": scores[row.attempt - 1]}), attempts=3, then=then), ["ok"]
    )
    assert counts(result)["ok"] == {"in": 1, fate: 1, "retried": 2}
    assert len(result.emitted) == emitted
    balanced(result)
    if then == "keep_last":
        assert result.emitted[0].columns["gen"][0] == 3
    if then == "keep_best":
        assert result.emitted[0].columns["gen"][0] == 2
        assert result.emitted[0].columns["ok"]["scores"] == {"s": 0.9}
    if emitted == 0:
        assert result.outcomes[0].code == "dull"
        assert result.outcomes[0].attempt == 3


def test_then_fail_stops_the_run() -> None:
    with pytest.raises(AttarError, match="then: fail"):
        walk(loop(lambda row, ctx: Verdict("fail", "dull"), attempts=2, then="fail"), ["ok"])


def test_an_unparseable_verdict_is_asked_again_then_dead_never_a_score() -> None:
    seeds: list[int] = []

    def judge(row: Row, ctx: Context) -> Verdict:
        seeds.append(ctx.seed())
        raise RowError("unparseable", "no JSON")

    result = walk(loop(judge, attempts=3, format_attempts=4), ["ok"])
    assert len(set(seeds)) == 4
    assert counts(result)["ok"] == {"in": 1, "dead": 1}
    assert result.outcomes[0].code == "unparseable"
    assert not result.emitted


def test_avoid_lists_what_was_tried() -> None:
    seen: list[Any] = []
    steps = [
        source(),
        planned("gen", Do(lambda row, ctx: {"gen": ctx.retry.attempt * 10}), ["src"], ["n"], ["gen"]),
        planned(
            "ok",
            Say(lambda row, ctx: (seen.append(list(ctx.retry.avoid)), Verdict("fail", "x"))[1]),
            ["gen"],
            ["n", "gen"],
            ["ok"],
            OnFail(retry="gen", attempts=3, avoid="gen", feedback=False),
            ["gen", "ok"],
        ),
    ]
    walk(steps, ["ok"])
    assert seen == [[], [10], [10, 20]]


def test_a_redrawn_source() -> None:
    steps = [
        planned("src", Start(Config()), (), (), ("n",)),
        planned(
            "ok",
            Say(lambda row, ctx: Verdict("pass") if row["n"] > 100 else Verdict("fail", "small")),
            ["src"],
            ["n"],
            ["ok"],
            OnFail(retry="src", attempts=3),
            ["src", "ok"],
        ),
    ]
    result = walk(steps, ["ok"])
    assert result.emitted[0].columns["n"] == 101
    assert counts(result)["src"] == {"in": 1, "accepted": 1, "made": 1}


def test_overlapping_loops_never_reset_attempts() -> None:
    runs = {"a": 0, "b": 0}

    def count(name: str) -> Callable[[Row, Context], Any]:
        def apply(row: Row, ctx: Context) -> Any:
            runs[name] += 1
            return {name: runs[name]}

        return apply

    steps = [
        source(),
        planned("a", Do(count("a")), ["src"], ["n"], ["a"]),
        planned("b", Do(count("b")), ["a"], ["n", "a"], ["b"]),
        planned(
            "j1",
            Say(lambda row, ctx: Verdict("pass") if row["a"] >= 2 else Verdict("fail", "low")),
            ["b"],
            ["n", "a", "b"],
            ["j1"],
            OnFail(retry="a", attempts=3),
            ["a", "b", "j1"],
        ),
        planned(
            "j2",
            Say(lambda row, ctx: Verdict("fail", "never")),
            ["j1"],
            ["n", "a", "b", "j1"],
            ["j2"],
            OnFail(retry="b", attempts=3),
            ["b", "j1", "j2"],
        ),
    ]
    result = walk(steps, ["j2"])
    assert runs == {"a": 2, "b": 4}
    assert counts(result)["j1"]["retried"] == 1
    assert counts(result)["j2"] == {"in": 1, "rejected": 1, "retried": 2}


def test_branches_rejoin_and_a_row_lost_on_one_is_lost() -> None:
    def steps(left: Any) -> list[PlannedStep]:
        return [
            source(),
            planned("left", Do(lambda row, ctx: left), ["src"], ["n"], ["left"]),
            planned("right", Do(lambda row, ctx: {"right": 2}), ["src"], ["n"], ["right"]),
            planned(
                "both",
                Do(lambda row, ctx: {"both": (row["left"], row["right"])}),
                ["left", "right"],
                ["n", "left", "right"],
                ["both"],
            ),
        ]

    result = walk(steps({"left": 1}), ["both"])
    assert result.emitted[0].columns == {"n": 1, "left": 1, "right": 2, "both": (1, 2)}
    lost = walk(steps(Reject("no", "why")), ["both"])
    assert not lost.emitted
    assert "both" not in counts(lost)
    assert counts(lost)["right"] == {"in": 1, "accepted": 1}
    assert lost.outcomes[0].code == "no"


def test_children_keep_their_order_and_lineage() -> None:
    steps = [
        source(),
        planned("many", Do(lambda row, ctx: [{"k": k} for k in range(200)], expands=True), ["src"], ["n"], ["k"]),
        planned(
            "odd",
            Do(lambda row, ctx: {"odd": True} if row["k"] % 2 else Reject("even")),
            ["many"],
            ["n", "k"],
            ["odd"],
        ),
    ]
    result = walk(steps, ["many", "odd"])
    assert [e.columns["k"] for e in result.emitted if e.tap == "odd"] == list(range(1, 200, 2))
    assert [e.columns["k"] for e in result.emitted if e.tap == "many"] == list(range(200))
    assert {e.parents for e in result.emitted} == {("ab" * 16,)}
    assert len({e.id for e in result.emitted}) == 200
    assert counts(result)["many"] == {"in": 1, "accepted": 1, "made": 200}
    assert counts(result)["odd"] == {"in": 200, "accepted": 100, "rejected": 100}


def test_a_bug_in_a_step_is_a_dead_letter() -> None:
    steps = [source(), planned("bad", Do(lambda row, ctx: 1 / 0), ["src"], ["n"], ["x"])]
    result = walk(steps, ["bad"])
    assert result.outcomes[0].code == "exception"
    assert "ZeroDivisionError" in result.outcomes[0].detail
    balanced(result)


@pytest.mark.parametrize("kind", [asyncio.CancelledError, SystemExit, TimeoutError])
def test_what_a_step_raises_never_ends_the_run_nor_loses_the_row(kind: type[BaseException]) -> None:
    def bad(row: Row, ctx: Context) -> Mapping[str, Any]:
        raise kind("of the step's own")

    for again in (False, True):  # in a line of steps, and with branches at once
        steps = [source(), planned("bad", Do(bad), ["src"], ["n"], ["x"])]
        if again:
            steps.append(planned("other", Do(lambda row, ctx: {"y": 1}), ["src"], ["n"], ["y"]))
        result = walk(steps, [step.name for step in steps[1:]])
        assert [(one.kind, one.code) for one in result.outcomes] == [("dead", "exception")]
        assert counts(result)["bad"] == {"in": 1, "dead": 1}
        assert [one.tap for one in result.emitted] == (["other"] if again else [])
        balanced(result)


def test_a_cancellation_by_the_engine_is_no_outcome() -> None:
    def halted(row: Row, ctx: Context) -> Mapping[str, Any]:
        raise asyncio.CancelledError("halted")

    steps = [source(), planned("bad", Do(halted), ["src"], ["n"], ["x"])]
    pace = Pace()
    pace.halted = True
    with pytest.raises(asyncio.CancelledError):
        walk(steps, ["bad"], pace=pace)


def test_a_verdict_that_is_none_of_the_four_is_a_dead_letter_not_a_pass() -> None:
    steps = [source(), planned("ok", Say(lambda row, ctx: Verdict("maybe")), ["src"], ["n"], ["ok"])]  # type: ignore[arg-type]
    result = walk(steps, ["ok"])
    assert (result.outcomes[0].kind, result.outcomes[0].code) == ("dead", "plugin_contract")
    assert result.emitted == []


def test_words_of_a_step_that_cannot_be_stored_are_mended() -> None:
    told: Any = Reject("bad", None)  # type: ignore[arg-type]
    result = walk([source(), planned("bad", Do(lambda row, ctx: told), ["src"], ["n"], ["x"])], ["bad"])
    assert (result.outcomes[0].code, result.outcomes[0].detail) == ("bad", "")

    steps = [source(), planned("ok", Say(lambda row, ctx: Verdict("pass", feedback="a\ud83d")), ["src"], ["n"], ["ok"])]
    trail = walk(steps, ["ok"]).emitted[0].trail
    assert trail is not None and b"a\\\\ud83d" in trail


def test_an_undeclared_column_is_a_dead_letter() -> None:
    steps = [source(), planned("bad", Do(lambda row, ctx: {"y": 1}), ["src"], ["n"], ["x"])]
    assert walk(steps, ["bad"]).outcomes[0].code == "plugin_contract"


def test_when_lets_a_row_pass_by_with_nulls() -> None:
    steps = [source(), planned("gen", Do(lambda row, ctx: {"gen": 1}), ["src"], ["n"], ["gen"], when="n > 5")]
    result = walk(steps, ["gen"])
    assert result.emitted[0].columns == {"n": 1, "gen": None}
    assert counts(result)["gen"] == {"passed_by": 1}
    assert walk(steps, ["gen"], n=6).emitted[0].columns["gen"] == 1


def test_a_retry_counts_though_the_row_never_comes_back_to_its_judge() -> None:
    steps = [
        source(),
        planned("gen", Do(lambda row, ctx: {"gen": 1} if row.attempt == 1 else Reject("bad")), ["src"], ["n"], ["gen"]),
        planned(
            "ok",
            Say(lambda row, ctx: Verdict("fail", "x")),
            ["gen"],
            ["n", "gen"],
            ["ok"],
            OnFail(retry="gen"),
            ["gen", "ok"],
        ),
    ]
    assert counts(walk(steps, ["ok"])) == {
        "src": {"in": 1, "accepted": 1, "made": 1},
        "gen": {"in": 1, "rejected": 1},
        "ok": {"retried": 1},
    }


@st.composite
def graphs(draw: st.DrawFn) -> list[PlannedStep]:
    """Random graphs of row steps and judges with loops, each step deciding by the row's number and attempt."""
    steps = [source()]
    columns: dict[str, list[str]] = {"src": ["n"]}
    parent: dict[str, str] = {"src": ""}
    expanding: set[str] = set()
    for i in range(draw(st.integers(1, 7))):
        name = f"s{i}"
        above = draw(st.sampled_from(list(columns)))
        kind = draw(st.sampled_from(["row", "judge", "expand"]))
        incoming = columns[above]
        modulus = draw(st.integers(2, 5))
        if kind == "expand":
            size = draw(st.integers(0, 3))
            step: Any = Do(lambda row, ctx, name=name, size=size: [{name: k} for k in range(size)], expands=True)
            expanding.add(name)
            steps.append(planned(name, step, [above], incoming, [name]))
        elif kind == "row":
            step = Do(lambda row, ctx, name=name, m=modulus: {name: 1} if ctx.seed() % m else Reject("unlucky"))
            steps.append(planned(name, step, [above], incoming, [name]))
        else:
            chain = [above]
            while parent[chain[-1]] and chain[-1] not in expanding and draw(st.booleans()):
                chain.append(parent[chain[-1]])
            while chain and (chain[-1] in expanding or chain[-1] == "src"):
                chain.pop()
            then = draw(st.sampled_from(["drop", "review", "keep_last", "keep_best"]))
            policy = OnFail(retry=chain[-1] if chain else None, attempts=draw(st.integers(1, 3)), then=then)
            region = [*reversed(chain), name] if chain and not any(c in expanding for c in chain) else []
            step = Say(
                lambda row, ctx, m=modulus: (
                    Verdict("pass", scores={"s": 1.0}) if ctx.seed() % m else Verdict("fail", "no", {"s": 0.1})
                )
            )
            steps.append(planned(name, step, [above], incoming, [name], policy, region))
        columns[name] = [*incoming, name]
        parent[name] = above
    return steps


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_the_ledger_balances_on_any_graph(steps: list[PlannedStep]) -> None:
    names = [step.name for step in steps]
    result = walk(steps, names)
    balanced(result)
    tally = counts(result)
    emitted: dict[str, int] = {}
    for item in result.emitted:
        emitted[item.tap] = emitted.get(item.tap, 0) + 1
    for step in steps:
        count = tally.get(step.name, {})
        if isinstance(step.step, Do) and step.step.expands:
            assert emitted.get(step.name, 0) == count.get("made", 0)
        else:
            assert emitted.get(step.name, 0) == count.get("accepted", 0)
    for name in names:
        reasons = sum(1 for step, kind, *_ in result.reasons if (step, kind) == (name, "retried"))
        assert tally.get(name, {}).get("retried", 0) == reasons
    ends = {kind: sum(1 for o in result.outcomes if o.kind == kind) for kind in FATES}
    for kind in ("rejected", "review", "dead"):
        assert ends[kind] == sum(count.get(kind, 0) for count in tally.values())


def test_a_blocking_step_works_in_a_thread_and_may_not_await() -> None:
    class Slow(Do):
        blocking = True

        async def apply(self, row: Row, ctx: Context) -> Any:
            return {"x": threading.current_thread() is threading.main_thread()}

    class Waits(Do):
        blocking = True

    result = walk([source(), planned("slow", Slow(lambda row, ctx: {}), ["src"], ["n"], ["x"])], ["slow"])
    assert result.emitted[0].columns["x"] is False
    result = walk([source(), planned("bad", Waits(lambda row, ctx: {}), ["src"], ["n"], ["x"])], ["bad"])
    assert "may not await" in result.outcomes[0].detail
