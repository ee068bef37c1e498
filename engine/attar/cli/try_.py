"""attar try: prompts as sent and answers for a few rows, before a run pays for thousands."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from attar.cli.common import json_option, params_option, plan_or_refuse, print_json, recipe_argument, runs_option
from attar.errors import fail

if TYPE_CHECKING:
    from attar.execute.preview import Exchange


@click.command("try")
@recipe_argument
@params_option
@click.option("--rows", type=click.IntRange(1), default=3, show_default=True, help="How many rows of each source.")
@click.option("--dry", is_flag=True, help="Only render the prompts: no model is asked; made-up answers stand in.")
@click.option("--step", "steps", multiple=True, metavar="NAME", help="Show only what this step asks. Repeatable.")
@click.option("--backend", metavar="NAME", help="Serve every model with this backend.")
@runs_option
@json_option("Print one JSON document.")
def command(
    recipe: Path,
    params: Mapping[str, str],
    rows: int,
    dry: bool,
    steps: Sequence[str],
    backend: str | None,
    runs: Path,
    as_json: bool,
) -> int:
    """Show prompts as sent and answers for a few rows.

    The rows go through the whole recipe as in a run. Answers are kept: a later run does not pay for them again.
    """
    if dry and backend not in (None, "rehearsal"):
        raise click.UsageError("--dry asks no model; it cannot be combined with --backend")
    plan = plan_or_refuse(recipe, params, rows, runs)
    for step in steps:
        if step not in plan.steps or not plan.steps[step].models:
            from attar.registry import suggest

            asking = [name for name, planned in plan.steps.items() if planned.models]
            raise fail("E706", f"no step {step!r} asks a model", help=suggest(step, asking, "steps that do"))

    from attar.execute import RunOptions
    from attar.execute.preview import preview

    heard = Heard()
    options = RunOptions(limit=rows, backend="rehearsal" if dry else backend, runs=runs)
    results = preview(plan, options, heard.hear, _notice)
    exchanges = [one for one in heard.in_order() if not steps or one.step in steps]
    if as_json:
        print_json({"exchanges": [_described(one, dry) for one in exchanges], "ledger": results["ledger"]})
        return 0
    from attar.display.summary import ledger_table, reason_lines

    for one in exchanges:
        print(_shown(one, dry))
    if not exchanges:
        print("No model was asked.\n")
    if dry and exchanges:
        print("No model was asked: what stands in for earlier answers is made up.\n")
    print("Ledger\n" + ledger_table(results))
    if reasons := reason_lines(results, examples=1):
        print("\nReasons\n" + "\n".join(reasons))
    return 0


@dataclass(slots=True)
class Heard:
    """Questions in the order in which they were answered."""

    exchanges: list[Exchange] = field(default_factory=list)

    def hear(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def in_order(self) -> list[Exchange]:
        """By row in order of first appearance, then as they came: a row that is sent back is followed try by try."""
        rows = {row: k for k, row in enumerate(dict.fromkeys(one.row for one in self.exchanges))}
        return sorted(self.exchanges, key=lambda one: rows[one.row])


def _notice(event: Mapping[str, Any]) -> None:
    if event["type"] == "notice":
        print(event["text"], file=sys.stderr)


def _described(one: Exchange, dry: bool) -> dict[str, Any]:
    described: dict[str, Any] = {"step": one.step, "row": one.row, "try": one.attempt, "model": one.model}
    described["messages"] = list(one.asked)
    if one.schema is not None:
        described["schema"] = one.schema
    if dry:
        return described
    if one.answer is None:
        return described | {"error": one.error}
    answer = one.answer
    described |= {"answer": answer.text, "reasoning": answer.reasoning, "finish_reason": answer.finish_reason}
    return described | {
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
    }


def _shown(one: Exchange, dry: bool) -> str:
    again = f" · try {one.attempt}" if one.attempt > 1 else ""
    lines = [f"=== {one.step} · row {one.row[:12]}{again} · model {one.model}"]
    for message in one.asked:
        lines += [f"--- {message['role']}", _content(message["content"])]
    if one.schema is not None:
        lines.append("--- answer must meet the step's JSON Schema")
    if one.answer is None:
        if not dry:
            lines += ["--- no answer", one.error]
    elif not dry:
        used = one.answer.usage
        tokens = f"{used.prompt_tokens:,} + {used.completion_tokens:,} tokens, {one.answer.finish_reason}"
        if one.answer.reasoning:
            lines += ["--- reasoning", one.answer.reasoning]
        lines += [f"--- answer ({tokens})", one.answer.text]
    return "\n".join(lines) + "\n"


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content.rstrip("\n")
    import json

    return json.dumps(content, ensure_ascii=False)
