"""attar schema: the JSON Schemas that editors and CI read, generated from the language and the installed plugins."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("schema")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where a file is missing or out of date.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("schemas"),
    show_default=True,
    help="Where the schemas are.",
)
def command(check: bool, folder: Path) -> int:
    """Write the JSON Schemas of the recipe language and of the installed steps."""
    from attar.plan.json_schemas import stale, write

    if check:
        old = stale(folder)
        if old:
            print(f"out of date in {folder}: {', '.join(old)}; write them with: attar schema", file=sys.stderr)
            return 1
        print(f"the schemas in {folder} are up to date")
        return 0
    written = write(folder)
    print(f"wrote {', '.join(written)} in {folder}" if written else f"the schemas in {folder} are up to date")
    return 0
