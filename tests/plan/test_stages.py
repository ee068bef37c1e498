"""Where the graph is cut into stages, and that no cut makes a stage wait for itself."""

from __future__ import annotations

import pickle
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.plans import good, said

from attar.plan import Plan

MODELS = "models: {m: {model: x}}\n"


def stages(plan: Plan) -> list[tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[int, ...]]]:
    return [(s.kind, s.steps, s.inputs, s.taps, s.needs) for s in plan.stages]


def test_row_steps_fuse_branches_stay_and_dataset_steps_cut(tmp_path: Path) -> None:
    body = """
        steps:
          a: {use: t.read}
          b: {use: t.map, from: a}
          c: {use: t.map, from: a}
          d: {use: t.map, from: [b, c]}
          s: {use: t.sort, from: d}
          e: {use: t.map, from: s}
          f: {use: t.map, from: s}
          w: {use: t.write, from: e}
        outputs: {dataset: {from: f}, half: {from: b}}
    """
    plan = good(tmp_path, body)
    assert stages(plan) == [
        ("rows", ("a", "b", "c", "d"), (), ("b", "d"), ()),
        ("dataset", ("s",), ("d",), ("s",), (0,)),
        ("rows", ("e", "f"), ("s",), ("e", "f"), (1,)),
        ("sink", ("w",), ("e",), (), (2,)),
    ]
    assert {plan.steps[n].scope for n in "abcd"} == {"a"}
    assert {plan.steps[n].scope for n in "ef"} == {"s"}


def test_an_expanding_step_opens_a_scope(tmp_path: Path) -> None:
    body = """
        steps:
          a: {use: t.read}
          x: {use: t.explode, from: a}
          b: {use: t.map, from: x}
        outputs: {dataset: {from: b}}
    """
    plan = good(tmp_path, body)
    assert [plan.steps[n].scope for n in "axb"] == ["a", "a", "x"]
    assert plan.stages[0].batch is False


def test_a_side_table_is_a_stage_that_is_waited_for(tmp_path: Path) -> None:
    body = """
        steps:
          docs: {use: t.read}
          chunks: {use: t.map, from: docs}
          slots: {use: t.slots}
          context: {use: t.map, from: slots, index: chunks}
          more: {use: t.map, from: context}
        outputs: {dataset: {from: more}}
    """
    plan = good(tmp_path, body)
    assert stages(plan) == [
        ("rows", ("docs", "chunks"), (), ("chunks",), ()),
        ("rows", ("slots", "context", "more"), (), ("more",), (0,)),
    ]
    assert plan.steps["context"].side == {"index": "chunks"}


def test_a_step_that_reads_its_own_stage_as_a_table_begins_a_new_one(tmp_path: Path) -> None:
    body = """
        steps:
          docs: {use: t.read}
          chunks: {use: t.map, from: docs}
          near: {use: t.map, from: chunks, index: chunks}
        outputs: {dataset: {from: near}}
    """
    plan = good(tmp_path, body)
    assert stages(plan) == [
        ("rows", ("docs", "chunks"), (), ("chunks",), ()),
        ("rows", ("near",), ("chunks",), ("near",), (0,)),
    ]


def test_two_stages_that_would_wait_for_each_other_are_cut(tmp_path: Path) -> None:
    body = """
        steps:
          p: {use: t.read}
          p1: {use: t.map, from: p}
          q: {use: t.read}
          q1: {use: t.map, from: q}
          p2: {use: t.map, from: p1, index: q1}
          q2: {use: t.map, from: q1, index: p1}
        outputs: {dataset: {from: p2}, other: {from: q2}}
    """
    plan = good(tmp_path, body)
    for stage in plan.stages:
        assert all(needed < stage.index for needed in stage.needs)
    assert len(plan.stages) == 3


def test_a_judge_cannot_join_across_a_cut(tmp_path: Path) -> None:
    body = """
        steps:
          a: {use: t.read}
          b: {use: t.map, from: a}
          c: {use: t.map, from: b, index: b}
          z: {use: t.map, from: [b, c]}
        outputs: {dataset: {from: z}}
    """
    assert [c for c, _, _ in said(tmp_path, body)] == ["E409"]


def test_the_plan_pickles(tmp_path: Path) -> None:
    plan = good(
        tmp_path,
        MODELS + "steps:\n  a: {use: t.read}\n  z: {use: t.gen, from: a, model: m, prompt: p.md}\n"
        "outputs: {dataset: {from: z}}\n",
        p_md="# user\n{{ text }}\n",
    )
    again = pickle.loads(pickle.dumps(plan))
    assert again.digest == plan.digest
    assert again.steps["z"].columns == plan.steps["z"].columns


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[str, str, list[int], int | None]]:
    """(kind, name, inputs, side) of up to nine steps that read only earlier ones."""
    steps: list[tuple[str, str, list[int], int | None]] = [("read", "s0", [], None)]
    for number in range(1, draw(st.integers(1, 9))):
        kind = draw(st.sampled_from(["read", "map", "map", "map", "sort", "union", "explode"]))
        inputs: list[int] = []
        side = None
        if kind != "read":
            inputs = [draw(st.integers(0, number - 1))]
            if kind == "union":
                inputs = sorted({*inputs, draw(st.integers(0, number - 1))})
            if kind == "map" and draw(st.booleans()):
                side = draw(st.integers(0, number - 1))
        steps.append((kind, f"s{number}", inputs, side))
    return steps


@given(graphs())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_graph_is_cut_so_that_every_stage_has_what_it_needs(
    tmp_path: Path, steps: list[tuple[str, str, list[int], int | None]]
) -> None:
    lines = []
    for kind, name, inputs, side in steps:
        parts = [f"use: t.{kind}"]
        if inputs:
            parts.append(f"from: [{', '.join(f's{i}' for i in inputs)}]")
        if side is not None:
            parts.append(f"index: s{side}")
        lines.append(f"  {name}: {{{', '.join(parts)}}}\n")
    outputs = "".join(f"  o{n}: {{from: {name}}}\n" for n, (_, name, _, _) in enumerate(steps))
    # Two maps of one row may not write the same column; names differ, so they never do.
    plan = good(tmp_path, "steps:\n" + "".join(lines) + "outputs:\n" + outputs)
    done: set[str] = set()
    seen: list[str] = []
    for stage in plan.stages:
        inside = set(stage.steps)
        assert all(needed < stage.index for needed in stage.needs)
        earlier = {tap for other in plan.stages[: stage.index] for tap in other.taps}
        for name in stage.steps:
            step = plan.steps[name]
            assert step.stage == stage.index
            for read in step.inputs:
                if read in inside:
                    assert read in seen, "inputs come first"
                else:
                    assert read in earlier and read in stage.inputs
            for side in step.side.values():
                assert side in earlier, "a side table is finished before its reader's stage begins"
                assert plan.steps[side].stage in stage.needs
            seen.append(name)
        done |= inside
        if stage.kind == "rows":
            assert len(stage.inputs) + sum(plan.steps[n].kind == "source" for n in stage.steps) == 1
    assert done == set(plan.steps) and len(seen) == len(plan.steps)
