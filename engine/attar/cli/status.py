"""attar status: what became of a run's rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from attar.cli.common import json_option, print_json, runs_option


@click.command("status")
@click.argument("run")
@runs_option
@json_option("Print results.json as it stands.")
def command(run: str, runs: Path, as_json: bool) -> int:
    """Show what became of a run's rows: ledger, reasons, tokens, cost, time.

    RUN is a run's folder, `recipe/run`, or a recipe's name for its latest run. Exits 0 where the run is known; how
    the run itself ended is in what is printed.
    """
    from attar.store.workspace import find_run

    folder = find_run(run, runs)
    results = read_results(folder)
    if as_json:
        print_json(results)
        return 0
    from attar.display import details

    print(details(results, folder))
    return 0


def read_results(folder: Path) -> dict[str, Any]:
    """results.json of a run.

    Raises:
        AttarError: E702, the run has not ended yet (or was killed), so there are none.
    """
    import json

    from attar.errors import fail

    try:
        results: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise fail(
            "E702",
            f"{folder} holds no results.json: the run is still going on, or was killed before its end",
            help="run the recipe again: it goes on where it stopped, and writes the results at its end",
            exit_code=1,
        ) from None
    return results
