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
    folder = find_run(run, runs)
    results = read_results(folder)
    if as_json:
        print_json(results)
        return 0
    from attar.display import details

    print(details(results, folder))
    return 0


def find_run(run: str, runs: Path) -> Path:
    """The folder of a run.

    Raises:
        AttarError: E701, nothing answers to that name.
    """
    from attar.errors import fail

    looked = []
    for folder in (Path(run), runs / run):
        for candidate in (folder, _latest(folder)):
            if candidate is None:
                continue
            if (candidate / "results.json").is_file() or (candidate / "manifest.json").is_file():
                return candidate
            looked.append(str(candidate))
    matches = [file.parent for file in runs.glob(f"*/{run}*/manifest.json")] if "/" not in run else []
    if len(matches) == 1:
        return matches[0]
    known = known_runs(runs)
    advice = f"runs here: {', '.join(known)}" if known else f"there are no runs in {runs}; --runs names another folder"
    raise fail("E701", f"no run answers to {run!r}; looked in {', '.join(looked)}", help=advice)


def known_runs(runs: Path) -> list[str]:
    """`recipe/run` of every run in a folder of runs, in order of name."""
    return sorted(str(file.parent.relative_to(runs)) for file in runs.glob("*/*/manifest.json"))


def _latest(folder: Path) -> Path | None:
    try:
        return folder / (folder / "latest").read_text(encoding="utf-8").strip()
    except OSError:
        return None


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
