"""attar validate: every mistake in a recipe at once, without a model, a network or a heavy import."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from attar.cli.common import check, count, json_option, params_option, print_json, recipe_argument
from attar.cli.endings import show_diagnostics
from attar.errors import to_json


@click.command("validate")
@recipe_argument
@params_option
@click.option("--backend", metavar="NAME", help="Check for this backend; rehearsal only warns of evaluations.")
@json_option("Print the diagnostics as one JSON document, for editors and CI.")
def command(recipe: Path, params: Mapping[str, str], backend: str | None, as_json: bool) -> int:
    """Check a recipe: every mistake at once, before any model is called.

    A recipe is checked for the models it names: one that has not passed an evaluation the recipe requires is a mistake.
    Exits 0 where the recipe can run, else 2. Warnings alone do not fail.
    """
    plan, diagnostics = check(recipe, params, to_run=False, gates="note" if backend == "rehearsal" else "stop")
    errors = sum(found.severity == "error" for found in diagnostics)
    failed = plan is None or errors > 0
    if as_json:
        document: dict[str, Any] = {"ok": not failed, "file": str(recipe)}
        if plan is not None:
            document |= {"recipe": plan.recipe, "steps": len(plan.steps), "stages": len(plan.stages)}
        document["diagnostics"] = to_json(diagnostics)
        print_json(document)
        return 2 if failed else 0
    if diagnostics:
        show_diagnostics(diagnostics)
    if failed:
        return 2
    assert plan is not None
    warnings = len(diagnostics) - errors
    also = f", {count(warnings, 'warning')}" if warnings else ""
    print(f"OK {recipe}: {count(len(plan.steps), 'step')} in {count(len(plan.stages), 'stage')}{also}")
    return 0
