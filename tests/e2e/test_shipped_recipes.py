"""Every shipped recipe by README's own command, as a rehearsal: balanced, every step and loop taken, half accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.runs import Attar, results

from attar.plan import check
from attar.plan.types import Plan

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_rehearses_as_readme_says(recipe: Path, tmp_path: Path) -> None:
    plan, faults = check(recipe, {})
    assert plan is not None, faults
    done = Attar(tmp_path, None)("run", recipe, "--backend", "rehearsal", expect=(0, 1))
    found = results(tmp_path / "runs", plan.recipe)

    assert done.returncode == found["exit_code"]
    assert [why for why in found["why"] if "await review" not in why] == []
    ledger: dict[str, Any] = found["ledger"]
    for step, counts in ledger.items():
        assert counts["in"] == sum(counts[kind] for kind in ("accepted", "rejected", "review", "dead")), step
        assert counts["in"] + counts["made"] + counts["passed_by"] > 0, f"no row came to {step}"
        assert counts["dead"] == 0, step
    untaken = [name for name, step in plan.steps.items() if step.retry_region and not ledger[name]["retried"]]
    assert untaken == [], "loops that no row took"
    for name, output in found["outputs"].items():
        made = _made(plan, plan.outputs[name].step, ledger)
        assert output["rows"] * 2 >= made, f"{name}: {output['rows']} of {made}"


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_copied_recipe_stands_alone(recipe: Path, tmp_path: Path) -> None:
    attar = Attar(tmp_path, None)
    attar("new", "mine", "--from", recipe.stem)
    copied = tmp_path / "mine/recipes/mine.yaml"
    attar("validate", copied, expect=0)
    plan, faults = check(copied, {})
    assert plan is not None, faults
    inputs = {file for step in plan.steps.values() for file in step.step.inputs()}
    assert not [file for file in inputs if Path(file).is_relative_to(ROOT / "recipes")], "its input is copied too"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("persona_essays", ("personas=rows.jsonl", "persona_key=text")),
        ("indic_distillation", ("personas=rows.jsonl", "persona_key=text")),
        ("indic_refinement", ("texts=rows.jsonl",)),
        ("translate", ("documents=rows.jsonl",)),
    ],
)
def test_a_blank_row_asks_no_model(name: str, words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": " \\n"}\n', encoding="utf-8")
    params = [word for param in words for word in ("-p", param)]
    recipe = ROOT / "recipes" / f"{name}.yaml"
    Attar(tmp_path, None)("run", recipe, "--backend", "rehearsal", *params, expect=1)
    ledger = results(tmp_path / "runs", name.replace("_", "-"))["ledger"]
    usable = next(counts for step, counts in ledger.items() if step.endswith("usable"))
    assert (usable["in"], usable["rejected"]) == (1, 1)


def _made(plan: Plan, step: str, ledger: dict[str, Any]) -> int:
    """Rows that began at the nearest step (or steps) before an output at which rows begin."""
    made: int = ledger[step]["made"] if step in ledger else 0
    return made or sum(_made(plan, name, ledger) for name in plan.steps[step].inputs)
