"""attar new: a recipe of one's own, from scratch or as a copy of another with all the files it names."""

from __future__ import annotations

import re
from pathlib import Path

import click

from attar.errors import fail

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@click.command("new")
@click.argument("name")
@click.option(
    "--from", "origin", metavar="RECIPE", help="A recipe file, or the name of a shipped recipe, to start from."
)
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Where to write it; NAME by default.")
def command(name: str, origin: str | None, folder: Path | None) -> int:
    """Write a recipe of your own, with its prompts.

    Without --from: a small recipe that asks, answers and judges. With it: a copy of that recipe and of every prompt,
    schema and data file it names. Either runs as it is; without a model server it rehearses.
    """
    from attar.cli.writing import write_project

    if not NAME.fullmatch(name):
        raise fail(
            "E703",
            f"{name!r} cannot be a recipe's name: expected at most 100 lower-case letters, digits, '.', '_' or '-'",
            help=f"try {re.sub(r'[^a-z0-9._-]+', '-', name.lower()).strip('-._')[:100] or 'my-recipe'}",
        )
    folder = folder or Path(name)
    if origin is None:
        from attar.cli.starter import starter_files

        recipe = f"{name}.yaml"
        write_project(folder, starter_files(name))
    else:
        from attar.cli.copying import copy_of

        copied = copy_of(find_recipe(origin), name)
        recipe = copied.recipe
        write_project(folder, copied.files)
    path = folder / recipe
    print(f"Wrote {path}. Next:\n  attar validate {path}\n  attar run {path} --show 3")
    return 0


def find_recipe(origin: str) -> Path:
    """The recipe file that `--from` means: a path, or the name of a shipped recipe.

    Raises:
        AttarError: E101, there is neither.
    """
    from attar.recipe.files import bundled_root

    if Path(origin).is_file():
        return Path(origin)
    shipped = bundled_root() / "recipes"
    for candidate in (shipped / origin, shipped / f"{origin}.yaml"):
        if candidate.is_file():
            return candidate
    from attar.recipe.document import name_of
    from attar.recipe.files import resolve

    if origin.startswith("bundled:"):
        return resolve(origin, Path())
    for candidate in sorted(shipped.glob("*.yaml")):
        if name_of(candidate) == origin:
            return candidate
    names = sorted(file.stem for file in shipped.glob("*.yaml"))
    raise fail("E101", f"no recipe {origin!r}", help=f"give a file, or one of the shipped recipes: {', '.join(names)}")
