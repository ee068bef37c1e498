"""References found however deep they stand, and named in full under an include or a repeat."""

from __future__ import annotations

from pathlib import Path

from support.plans import REGISTRY, good, write_recipe

from attar.plan import check
from attar.plan.configs import full_name

PART = """
attar: 1
name: part
models: {m: {model: x}, n: {model: y}}
steps:
  a: {use: t.read, with: {files: [rows.txt]}}
  g: {use: t.gen, from: a, model: m, prompt: p.md, with: {others: [n, m]}}
outputs: {dataset: {from: g}}
"""


def test_models_inside_with_are_those_of_the_included_recipe(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "part.yaml").write_text(PART)
    (inner / "p.md").write_text("# user\n{{ text }}\n")
    (inner / "rows.txt").write_text("x\n")
    plan = good(
        tmp_path,
        "include: {file: inner/part.yaml, as: part}\nmodels: {n: {model: own}}\n"
        "steps:\n  z: {use: t.gen, from: part.g, model: n, prompt: inner/p.md}\noutputs: {dataset: {from: z}}\n",
    )
    config = plan.steps["part.g"].step.config
    assert (config.model, config.others) == ("part.m", ["part.n", "part.m"])
    assert plan.steps["part.g"].models == ("part.m", "part.n")
    assert plan.steps["z"].models == ("n",)
    assert plan.steps["part.a"].step.config.files == [str(inner / "rows.txt")], "relative to the file that names it"


def test_full_names() -> None:
    known = {"m": 0, "a.m": 0, "a.b.k": 0, "hops.1.x": 0, "hops.2.x": 0, "hops.2.y": 0}
    assert full_name("m", "a.step", known) == "a.m"
    assert full_name("m", "step", known) == "m"
    assert full_name("m", "b.step", known) == "m"
    assert full_name("k", "a.b.c.step", known) == "a.b.k"
    assert full_name("hops", "step", known) == "hops.2.y"
    assert full_name("nobody", "a.step", known) == "nobody"


def test_files_of_a_plugin_and_messages_with_paths_as_written(tmp_path: Path) -> None:
    body = (
        "steps: {a: {use: t.read, with: {files: ['t:plans.py', 'sub/x.txt', 's3://b/c']}}}\noutputs: {o: {from: a}}\n"
    )
    plan, found = check(write_recipe(tmp_path, body), registry=REGISTRY, fingerprints=False)
    assert plan is not None, found
    first, second, third = plan.steps["a"].step.config.files
    assert Path(first).is_file() and first.endswith("plans.py")
    assert (second, third) == (str(tmp_path / "sub" / "x.txt"), "s3://b/c")
