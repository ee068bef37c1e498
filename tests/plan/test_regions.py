"""`on_fail`: where rows may go back to, and which steps then run again."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.plans import good, planned, said

MODELS = "models: {m: {model: x}}\n"
OUT = "outputs: {dataset: {from: z}}\n"


def region(tmp_path: Path, steps: str, judge: str = "z") -> tuple[str, ...]:
    return good(tmp_path, MODELS + "steps:\n" + steps + OUT).steps[judge].retry_region


def test_the_region_is_all_on_a_path_and_nothing_else(tmp_path: Path) -> None:
    steps = (
        "  a: {use: t.read}\n  g: {use: t.gen, from: a, model: m}\n  side: {use: t.map, from: a}\n"
        "  l: {use: t.map, from: g}\n  r: {use: t.map, from: [g, side]}\n"
        "  z: {use: t.check, from: [l, r], on_fail: {retry: g}}\n"
    )
    assert region(tmp_path, steps) == ("g", "l", "r", "z")


def test_a_source_that_redraws_can_be_retried(tmp_path: Path) -> None:
    steps = "  a: {use: t.slots}\n  z: {use: t.check, from: a, on_fail: {retry: a}}\n"
    assert region(tmp_path, steps) == ("a", "z")


def test_a_step_that_draws_makes_a_loop_worthwhile(tmp_path: Path) -> None:
    steps = "  a: {use: t.read}\n  d: {use: t.draw, from: a}\n  z: {use: t.check, from: d, on_fail: {retry: d}}\n"
    assert region(tmp_path, steps) == ("d", "z")


def test_loops_one_inside_the_other(tmp_path: Path) -> None:
    steps = (
        "  a: {use: t.read}\n  g: {use: t.gen, from: a, model: m}\n  j: {use: t.check, from: g, on_fail: {retry: g}}\n"
        "  h: {use: t.gen, from: j, model: m}\n  z: {use: t.check, from: h, on_fail: {retry: g}}\n"
    )
    plan = good(tmp_path, MODELS + "steps:\n" + steps + OUT)
    assert plan.steps["j"].retry_region == ("g", "j")
    assert plan.steps["z"].retry_region == ("g", "j", "h", "z")


A = "  a: {use: t.read}\n"
G = A + "  g: {use: t.gen, from: a, model: m}\n"
H = "  h: {use: t.gen, from: a, model: m}\n"
SORT = "  s: {use: t.sort, from: g}\n"
EXPLODE = "  e: {use: t.explode, from: %s}\n"
Z = "  z: {use: t.check, from: %s, on_fail: {%s}}\n"
ILLEGAL = [
    (G + Z % ("g", "retry: gg"), "E401", "no step 'gg'"),
    (G + Z % ("g", "retry: z"), "E421", "the judge itself"),
    (G + H + Z % ("g", "retry: h"), "E421", "not before"),
    (G + SORT + Z % ("s", "retry: g"), "E422", "'s' needs all rows"),
    (G + Z % ("g", "retry: a"), "E423", "cannot draw a row anew"),
    (G + EXPLODE % "g" + Z % ("e", "retry: g"), "E424", "'e' makes several rows"),
    (A + EXPLODE % "a" + Z % ("e", "retry: e"), "E424", "'e' makes several rows"),
    (A + "  g: {use: t.map, from: a}\n" + Z % ("g", "retry: g"), "E425", "nothing between 'g' and 'z'"),
    (G + Z % ("g", "retry: g, then: keep_best"), "E426", "needs scores"),
    (G + Z % ("g", "avoid: g"), "E427", "no effect"),
    (G + Z % ("g", "retry: g, avoid: gen"), "E501", "no column 'gen'"),
]


@pytest.mark.parametrize(("steps", "code", "part"), ILLEGAL)
def test_illegal(tmp_path: Path, steps: str, code: str, part: str) -> None:
    found = [f for f in said(tmp_path, MODELS + "steps:\n" + steps + OUT) if f[0][0] == "E"]
    found = [f for f in found if f[0] != "E408"]
    assert [c for c, _, _ in found] == [code], found
    assert part in found[0][2]
    assert found[0][1] == steps.count("\n") + 2  # the judge's line


def test_loops_that_cross_are_refused(tmp_path: Path) -> None:
    steps = (
        "  a: {use: t.read}\n  g: {use: t.gen, from: a, model: m}\n  j: {use: t.check, from: g, on_fail: {retry: g}}\n"
        "  k: {use: t.check, from: g, on_fail: {retry: g}}\n  z: {use: t.map, from: [j, k]}\n"
    )
    found = said(tmp_path, MODELS + "steps:\n" + steps + OUT)
    assert [(c, n) for c, n, _ in found] == [("E428", 6)]


def test_loops_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    steps = (
        "  a: {use: t.read}\n  p: {use: t.gen, from: a, model: m}\n  q: {use: t.gen, from: a, model: m}\n"
        "  p2: {use: t.map, from: [p, q]}\n  q2: {use: t.map, from: [q, p]}\n"
        "  j: {use: t.check, from: p2, on_fail: {retry: p}}\n  k: {use: t.check, from: q2, on_fail: {retry: q}}\n"
        "  z: {use: t.map, from: [j, k]}\n"
    )
    found = said(tmp_path, MODELS + "steps:\n" + steps + OUT)
    assert [c for c, _, _ in found] == ["E429"], found


def test_one_attempt_is_a_warning(tmp_path: Path) -> None:
    steps = "  a: {use: t.slots}\n  z: {use: t.check, from: a, on_fail: {retry: a, attempts: 1}}\n"
    plan, found = planned(tmp_path, "steps:\n" + steps + OUT)
    assert plan is not None
    assert [d.code for d in found] == ["W420"]
