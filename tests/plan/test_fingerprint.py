"""What a fingerprint covers and what it leaves out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.plans import good, said

from attar.plan import Plan, restamp

BODY = """
    seed: 3
    params: {tone: {type: string, default: warm}, unused: {type: int, default: 1}}
    models:
      m: {model: gemma, sampling: {temperature: 0.5}, in_flight: 8}
      j: {model: other}
    steps:
      a: {use: t.read, with: {files: [rows.txt], threads: 2}}
      g: {use: t.gen, from: a, model: m, prompt: p.md}
      z: {use: t.score, from: g, model: j, on_fail: {retry: g}}
      after: {use: t.map, from: z}
      aside: {use: t.map, from: g}
    outputs: {dataset: {from: after}, half: {from: aside}}
"""
PROMPT = "# user\n{{ text }} {{ params.tone }}\n"


def prints(
    folder: Path, change: tuple[str, str] = ("", ""), prompt: str = PROMPT, rows: str = "x\n", **more: int
) -> dict[str, str]:
    (folder / "rows.txt").write_text(rows)
    assert change[0] in BODY
    plan = good(folder, BODY.replace(*change) if change[0] else BODY, p_md=prompt, **more)  # type: ignore[arg-type]
    return {**{name: step.fingerprint for name, step in plan.steps.items()}, "plan": plan.digest}


def changed(tmp_path: Path, change: tuple[str, str] = ("", ""), **more: object) -> set[str]:
    before = prints(tmp_path)
    after = prints(tmp_path, change, **more)  # type: ignore[arg-type]
    return {name for name in before if before[name] != after[name]}


ALL = {"a", "g", "z", "after", "aside", "plan"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("threads: 2", "threads: 9"), set()),
        (("in_flight: 8", "in_flight: 99"), set()),
        (("model: other", "model: other, prices: {input: 1, source: page}"), set()),
        (("model: other", "model: other, endpoint: {url: 'http://x/v1'}"), set()),
        (("{type: int, default: 1}", "{type: int, default: 2}"), set()),
        (("temperature: 0.5", "temperature: 0.6"), ALL - {"a"}),
        (("model: gemma", "model: gemma, revision: abc"), ALL - {"a"}),
        (("model: gemma", "model: gemma, send_seed: false"), ALL - {"a"}),
        (("default: warm", "default: cold"), ALL - {"a"}),
        # The judge decides what leaves the loop, so what reads from inside the loop depends on it too.
        (("model: other", "model: another"), {"z", "after", "aside", "plan"}),
        (("on_fail: {retry: g}", "on_fail: {retry: g, attempts: 5}"), {"z", "after", "aside", "plan"}),
        (("seed: 3", "seed: 4"), ALL),
    ],
)  # fmt: skip
def test_what_changes_what(tmp_path: Path, change: tuple[str, str], expected: set[str]) -> None:
    assert changed(tmp_path, change) == expected


def test_bytes_of_prompt_and_rows_count(tmp_path: Path) -> None:
    assert changed(tmp_path, prompt=PROMPT + "More.\n") == ALL - {"a"}
    assert changed(tmp_path, rows="y\n") == ALL
    assert changed(tmp_path, limit=5) == ALL


def test_the_same_size_and_a_new_time_is_read_again(tmp_path: Path) -> None:
    before = prints(tmp_path, rows="x\n")
    (tmp_path / "rows.txt").write_text("y\n")
    os.utime(tmp_path / "rows.txt", ns=(1, 1))
    plan = good(tmp_path, BODY, p_md=PROMPT)
    assert plan.steps["a"].fingerprint != before["a"]


def test_moving_recipe_and_rows_together_changes_nothing(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two" / "deep"
    one.mkdir()
    two.mkdir(parents=True)
    assert prints(one) == prints(two)


def load(tmp_path: Path) -> Plan:
    (tmp_path / "rows.txt").write_text("x\n")
    return good(tmp_path, BODY, p_md=PROMPT)


def test_restamp_keeps_rehearsed_and_real_stages_apart(tmp_path: Path) -> None:
    plan = load(tmp_path)
    same = restamp(plan, {})
    assert same.digest == plan.digest
    assert [s.fingerprint for s in same.stages] == [s.fingerprint for s in plan.stages]
    salted = restamp(plan, {"m": "rehearsal"})
    differ = {name for name in plan.steps if plan.steps[name].fingerprint != salted.steps[name].fingerprint}
    assert differ == ALL - {"a", "plan"}
    assert salted.digest != plan.digest
    assert plan.digest == load(tmp_path).digest, "the first plan is not touched"


def test_without_fingerprints_no_file_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from support.plans import REGISTRY, write_recipe

    from attar.plan import check

    (tmp_path / "rows.txt").write_text("x\n")
    file = write_recipe(tmp_path, BODY, p_md=PROMPT)
    monkeypatch.setattr("attar.plan.fingerprint.file_digest", lambda path: pytest.fail("read"))
    plan, found = check(file, {}, registry=REGISTRY, fingerprints=False)
    assert plan is not None, found
    assert plan.digest == ""


def test_a_config_that_cannot_be_fingerprinted_is_a_diagnostic(tmp_path: Path) -> None:
    steps = "steps:\n  a: {use: t.read}\n  z: {use: t.weird, from: a}\noutputs: {dataset: {from: z}}\n"
    found = said(tmp_path, steps)
    assert [(code, line) for code, line, _ in found] == [("E309", 3)]
    assert "mark it Runtime()" in found[0][2]


def test_one_pinned_fingerprint(tmp_path: Path) -> None:
    """Changes only with the language version: what is stored must not silently be paid again."""
    from attar.identity import H
    from attar.plan.fingerprint import model_identity
    from attar.recipe.language import ModelSpec

    assert H("fingerprint", 1, model_identity(ModelSpec(model="m"))) == "e3e3da9c894de750b9216086c6af9c97"
