"""attar clean: deletes what no kept run uses."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from attar.cli.common import count, recipe_name, runs_option
from attar.errors import fail


@click.command("clean")
@click.argument("recipe", required=False)
@click.option("--keep", type=click.IntRange(0), metavar="N", help="Keep only the N newest runs; all by default.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@runs_option
def command(recipe: str | None, keep: int | None, dry_run: bool, runs: Path) -> int:
    """Delete stages, answers and leftovers that no kept run uses.

    RECIPE is a recipe's name or file; all recipes by default. A run is kept as long as its folder stands. Datasets of
    kept runs are never touched.
    """
    recipe = recipe_name(recipe, runs) if recipe is not None else None
    names = [recipe] if recipe is not None else recipes_in(runs)
    if recipe is not None and recipe not in recipes_in(runs):
        from attar.registry import suggest

        raise fail(
            "E701", f"there are no runs of {recipe!r} in {runs}", help=suggest(recipe, recipes_in(runs), "recipes")
        )
    nothing = True
    for name in names:
        nothing &= not clean_recipe(name, runs, keep, dry_run)
    if nothing:
        print(f"Nothing to delete in {runs}.")
    return 0


def recipes_in(runs: Path) -> list[str]:
    """Names of the recipes that have a folder of runs, sorted."""
    if not runs.is_dir():
        return []
    return sorted(
        folder.name
        for folder in runs.iterdir()
        if folder.is_dir() and any((folder / part).exists() for part in ("journal", "stages", "latest"))
    )


def clean_recipe(name: str, runs: Path, keep: int | None, dry_run: bool) -> bool:
    """Cleans one recipe's folder and says what was deleted; False where there was nothing.

    Raises:
        AttarError: the recipe is running.
    """
    from attar.cli.cleaning import unused, unused_answers
    from attar.store.journal import prune
    from attar.store.lock import OwnerLock
    from attar.store.workspace import Workspace

    workspace = Workspace(runs, name)
    with OwnerLock(workspace.lock_path):
        found, kept = unused(workspace, keep)
        answers = unused_answers(workspace, kept)
        if not found.folders and not answers:
            return False
        verb = "would delete" if dry_run else "deleted"
        if not dry_run:
            workspace.clean_leftovers()
            if answers:
                prune(workspace.journal, lambda key: key not in answers)
            for path in found.folders:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            if not kept:
                (workspace.folder / "latest").unlink(missing_ok=True)
    for path in found.folders:
        print(f"{verb} {path}")
    if answers:
        print(f"{verb} {count(len(answers), 'answer')} in {workspace.journal}")
    print(
        f"{name}: {found.bytes / 1e6:,.1f} MB in {count(len(found.folders), 'place')}, {count(len(kept), 'run')} kept"
    )
    return True
