"""attar plan: what a run would do, reuse and cost, before it does anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from attar.cli.common import json_option, params_option, plan_or_refuse, print_json, recipe_argument, runs_option
from attar.errors import AttarError

if TYPE_CHECKING:
    from attar.plan import Plan


@click.command("plan")
@recipe_argument
@params_option
@click.option("--limit", type=click.IntRange(1), help="Plan for the first N records of each source.")
@click.option("--backend", metavar="NAME", help="Plan for this backend; rehearsed stages are not reused by real runs.")
@runs_option
@click.option("--mermaid", is_flag=True, help="Print only the graph, as a Mermaid flowchart.")
@json_option("Print one JSON document.")
def command(
    recipe: Path,
    params: Mapping[str, str],
    limit: int | None,
    backend: str | None,
    runs: Path,
    mermaid: bool,
    as_json: bool,
) -> int:
    """Show the graph, the stages, what would be reused and what a run would cost.

    Nothing runs. Calls and tokens are estimates; what they rest on is printed with them. Shares of rows that judges
    pass are taken from the recipe's latest run, where that one asked models: a rehearsal's shares tell nothing.
    """
    if mermaid and as_json:
        raise click.UsageError("--mermaid and --json exclude each other")
    plan = plan_or_refuse(recipe, params, limit, runs)
    from attar.plan.draw import draw_mermaid, draw_text
    from attar.plan.estimate import ACCEPTANCE, estimate

    if mermaid:
        print(draw_mermaid(plan), end="")
        return 0
    from attar.store.workspace import Workspace

    latest = Workspace(runs, plan.recipe).latest
    outlook = look_ahead(plan, limit, backend, runs, latest)
    passed = acceptance(latest)
    found = estimate(plan, passed or ACCEPTANCE)
    if as_json:
        print_json(_document(plan, outlook, asdict(found), draw_mermaid(plan)))
        return 0
    print(f"{plan.recipe} ({recipe}): {plan.description}".rstrip(": ") + "\n")
    notes = {k: "reused" if why is None else f"runs: {why}" for k, why in outlook.why.items()}
    print(draw_text(plan, notes))
    for model, served in outlook.backends.items():
        print(f"model {model}: {served['backend']} ({served['why']})")
    for trouble in outlook.troubles:
        print(f"model trouble: {trouble}")
    print("\nEstimate, as if nothing were reused\n" + found.text().rstrip("\n"))
    if passed and latest is not None:
        print(f"- shares of rows that judges pass are those of run {latest.name}")
    return 0


@dataclass(slots=True)
class Outlook:
    """What a run would find.

    Attributes:
        why: stage index → why it has to run; None where its finished output is used again.
        backends: model → who would serve it and why.
        troubles: why models cannot be served here; then nothing is said of reuse.
    """

    why: dict[int, str | None]
    backends: Mapping[str, Mapping[str, str]]
    troubles: list[str]


def look_ahead(plan: Plan, limit: int | None, backend: str | None, runs: Path, latest: Path | None) -> Outlook:
    """Compares a plan with what earlier runs left, and with the latest of them."""
    from attar.execute import RunOptions, prepare

    try:
        prepared = prepare(plan, RunOptions(limit=limit, backend=backend, runs=runs))
    except AttarError as error:
        unknown = "whether earlier output can be reused depends on the backend"
        return Outlook(
            dict.fromkeys((stage.index for stage in plan.stages), unknown),
            {},
            [f"{found.message}; {found.help}".rstrip("; ") for found in error.diagnostics],
        )
    why = prepared.reusable()
    before = _steps_of(latest)
    for stage in prepared.plan.stages:
        reason = why[stage.index]
        if reason is None or latest is None or not before or prepared.run_name == latest.name:
            continue  # in the same run nothing has changed but people's decisions
        changed = _changed(prepared.plan, stage.steps, before)
        if changed:
            why[stage.index] = f"{reason}; changed since run {latest.name}: {', '.join(changed)}"
    return Outlook(why, prepared.backends(), [])


def _changed(plan: Plan, steps: tuple[str, ...], before: Mapping[str, Any]) -> list[str]:
    """Steps of a stage that differ from the earlier run while nothing they read does: where the change began."""

    def differs(name: str) -> bool:
        known = before.get(name)
        return known is None or known["fingerprint"] != plan.steps[name].fingerprint

    found = []
    for name in steps:
        step = plan.steps[name]
        reads = [*step.inputs, *step.side.values()]
        if differs(name) and not any(differs(read) for read in reads):
            found.append(f"{name} (new)" if name not in before else name)
    return found


def _steps_of(run: Path | None) -> dict[str, Any]:
    """The steps in a run's manifest; {} where there is none."""
    steps: dict[str, Any] = _read(run, "manifest.json").get("steps", {})
    return steps


def acceptance(run: Path | None) -> dict[str, float]:
    """Step → share of its tries that passed in a run that asked models; {} for a rehearsal, or where there is none."""
    results = _read(run, "results.json")
    shares = {}
    for step, counts in results.get("ledger", {}).items():
        tries = counts["in"] - counts["dead"] + counts["retried"]
        if tries > 0 and not results.get("rehearsal"):
            shares[step] = counts["accepted"] / tries
    return shares


def _read(run: Path | None, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((run / name).read_text(encoding="utf-8")) if run is not None else {}
    except (OSError, ValueError):
        return {}
    return found


def _document(plan: Plan, outlook: Outlook, found: Mapping[str, Any], mermaid: str) -> dict[str, Any]:
    return {
        "recipe": plan.recipe,
        "digest": plan.digest,
        "params": dict(plan.params),
        "steps": {
            name: {
                "use": step.use,
                "kind": step.kind,
                "from": list(step.inputs),
                "side": dict(step.side),
                "models": list(step.models),
                "columns": dict(step.columns),
                "stage": step.stage,
                "retry": list(step.retry_region),
            }
            for name, step in plan.steps.items()
        },
        "stages": [
            {
                "index": stage.index,
                "kind": stage.kind,
                "steps": list(stage.steps),
                "needs": list(stage.needs),
                "reused": outlook.why[stage.index] is None,
                "why": outlook.why[stage.index] or "",
            }
            for stage in plan.stages
        ],
        "outputs": {
            name: {"from": output.step, "format": output.format, "min_rows": output.min_rows}
            for name, output in plan.outputs.items()
        },
        "backends": dict(outlook.backends),
        "troubles": outlook.troubles,
        "estimate": dict(found),
        "mermaid": mermaid,
    }
