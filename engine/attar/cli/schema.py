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
    from attar.plan import schemas

    stale = []
    files = schemas()
    for name, text in files.items():
        path = folder / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"out of date in {folder}: {', '.join(stale)}; write them with: attar schema", file=sys.stderr)
        return 1
    if check:
        print(f"{len(files)} schemas in {folder} are up to date")
    else:
        print(f"wrote {', '.join(stale)} in {folder}" if stale else f"{len(files)} schemas in {folder} are up to date")
    return 0
