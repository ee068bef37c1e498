"""attar run: checks the recipe, runs it with a display, and says what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from attar.cli.common import json_option, params_option, plan_or_refuse, recipe_argument, runs_option
from attar.cli.endings import command_to_go_on


@click.command("run")
@recipe_argument
@params_option
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes side by side.")
@click.option("--shards", type=click.IntRange(1), help="Pieces a stage is cut into; as many as workers by default.")
@click.option("--limit", type=click.IntRange(1), help="Only the first N records of each source.")
@click.option("--backend", metavar="NAME", help="Serve every model with this backend (rehearsal needs no model).")
@click.option("--in-flight", type=click.IntRange(1), help="Requests in flight for each model.")
@click.option("--fresh", is_flag=True, help="Set earlier answers and stages aside: everything is paid again.")
@runs_option
@click.option("--show", type=click.IntRange(0), default=0, metavar="N", help="Print the first N rows at the end.")
@json_option("Print events as JSON lines on stdout instead of a display.")
@click.option("--quiet", is_flag=True, help="Print only what went wrong and where the data is.")
@click.pass_obj
def command(
    typed: tuple[str, ...],
    recipe: Path,
    params: Mapping[str, str],
    workers: int,
    shards: int | None,
    limit: int | None,
    backend: str | None,
    in_flight: int | None,
    fresh: bool,
    runs: Path,
    show: int,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run a recipe, or go on where the last run of it stopped.

    Answers are kept as they arrive: after an interruption the same command repeats at most the requests that were in
    flight. Exits 0 where everything asked for is there, 1 where the run fell short or failed, 2 where the recipe has
    mistakes, 130 where it was interrupted.
    """
    plan = plan_or_refuse(recipe, params, limit, runs)

    from attar.display import Mode, make_display
    from attar.execute import RunOptions
    from attar.execute import run as execute

    options = RunOptions(
        workers=workers, shards=shards, limit=limit, backend=backend, in_flight=in_flight, fresh=fresh, runs=runs
    )
    mode: Mode = "json" if as_json else "quiet" if quiet else "auto"
    on_event: Callable[[Mapping[str, Any]], None] = make_display(mode, sys.stdout if as_json else sys.stderr)
    try:
        result = execute(plan, options, on_event)
    finally:
        close = getattr(on_event, "close", None)  # a live table must leave the terminal, however the run ends
        if close is not None:
            close()
    if not as_json:
        from attar.display import summary

        go_on = command_to_go_on(typed) if result.outcome == "interrupted" else ""
        print(summary(result.results, result.path, show=show, brief=quiet, go_on=go_on))
    return result.exit_code
