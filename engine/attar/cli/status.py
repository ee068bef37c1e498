"""attar status: what became of a run's rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from attar.cli.common import json_option, print_json, recipe_name, runs_option


@click.command("status")
@click.argument("run", required=False)
@runs_option
@json_option("Print results.json as it stands; without RUN, the list of runs.")
def command(run: str | None, runs: Path, as_json: bool) -> int:
    """Show what became of a run's rows: ledger, reasons, tokens, cost, time.

    RUN is a run's folder, `recipe/run`, or a recipe's name or file for its latest run; without it, the runs there are
    are listed. Exits 0 where the run is known; how
    the run itself ended is in what is printed.
    """
    from attar.store.workspace import find_run, known_runs

    if run is None:
        known = known_runs(runs)
        if as_json:
            print_json({"runs": known})
        else:
            print("\n".join(known) or f"There are no runs in {runs}.")
        return 0
    folder = find_run(recipe_name(run, runs), runs)
    results = read_results(folder)
    if as_json:
        print_json(results)
        return 0
    from attar.display import details

    print(details(results, folder))
    if any(counts.get("review") for counts in results.get("ledger", {}).values()) and (folder / "review").is_dir():
        from attar.cli.review import decided_line
        from attar.cli.review_desk import Desk

        if line := decided_line(Desk(folder)):
            print(line)
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
