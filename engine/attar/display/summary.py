"""The end of a run as text: the ledger, why it ended as it did, where the data is, its first rows."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attar.display.words import duration, money, shorten, table

LEDGER = ("in", "accepted", "rejected", "review", "dead", "made", "retried", "passed_by")
ALWAYS = ("in", "accepted", "rejected", "dead", "made", "retried")  # columns shown even where all are zero
OUTCOMES = {
    "done": "Done",
    "fell_short": "Finished, but fell short",
    "interrupted": "Interrupted; everything received so far is kept",
    "failed": "Failed",
}


def summary(results: Mapping[str, Any], path: Path, *, show: int = 0, brief: bool = False, go_on: str = "") -> str:
    """What a run says at its end.

    Args:
        results: what results.json holds.
        path: the run's folder.
        show: how many first rows of each dataset to print.
        brief: leaves out the ledger and the reasons.
        go_on: the command that goes on with an interrupted run.
    """
    parts = []
    if not brief:
        parts.append("Ledger\n" + ledger_table(results))
        if reasons := reason_lines(results, examples=1):
            parts.append("Reasons\n" + "\n".join(reasons))
    parts.append(outcome(results))
    if shown := "\n".join(output_lines(results, path)):
        parts.append(shown)
    if show:
        parts.extend(first_rows(results, path, show))
    if go_on:
        parts.append(f"To go on: {go_on}")
    if review := review_line(results, path):
        parts.append(review)
    return "\n\n".join(part for part in parts if part)


def details(results: Mapping[str, Any], path: Path) -> str:
    """What `attar status` says: the summary with all examples, tokens, cost and time per step."""
    parts = [
        f"{results['recipe']} run {results['run']}" + (" (rehearsal: no model answered)" if rehearsed(results) else "")
    ]
    parts.append("Ledger\n" + ledger_table(results))
    if reasons := reason_lines(results, examples=3):
        parts.append("Reasons\n" + "\n".join(reasons))
    if results.get("usage"):
        parts.append("Models\n" + usage_table(results))
    if stages := results.get("stages"):
        parts.append("Stages\n" + stage_table(stages))
    if shorts := results.get("shortfalls"):
        parts.append("Missing\n" + "\n".join(f"  {s['step']}: {s['count']:,} of {s['what']}" for s in shorts))
    parts.append(outcome(results))
    parts.append("\n".join(output_lines(results, path)))
    if review := review_line(results, path):
        parts.append(review)
    return "\n\n".join(part for part in parts if part)


def review_line(results: Mapping[str, Any], path: Path) -> str:
    """The command that shows the rows that await review; "" where there are none.

    Args:
        path: the run's folder; the latest run of a recipe goes by the recipe's name.
    """
    if not sum(counts.get("review", 0) for counts in results.get("ledger", {}).values()):
        return ""
    recipe, runs = path.parent, path.parent.parent
    try:
        latest = (recipe / "latest").read_text(encoding="utf-8").strip() == path.name
    except OSError:
        latest = False
    words = ["attar", "review", recipe.name if latest else f"{recipe.name}/{path.name}"]
    if runs != Path("runs"):
        words += ["--runs", str(runs)]
    return f"To review the rows that wait: {shlex.join(words)}"


def rehearsed(results: Mapping[str, Any]) -> bool:
    return bool(results.get("rehearsal"))


def ledger_table(results: Mapping[str, Any]) -> str:
    """One line per step: in = accepted + rejected + review + dead; made and passed by stand apart."""
    ledger: Mapping[str, Mapping[str, int]] = results.get("ledger", {})
    if not ledger:
        return "  no row was handled"
    shown = [name for name in LEDGER if name in ALWAYS or any(row.get(name) for row in ledger.values())]
    rows = [[step, *(f"{counts.get(name, 0):,}" for name in shown)] for step, counts in ledger.items()]
    return table(["step", *(name.replace("_", " ") for name in shown)], rows)


def reason_lines(results: Mapping[str, Any], examples: int) -> list[str]:
    """Why rows were rejected, set aside, dead-lettered or retried, most frequent first, each with examples."""
    lines = []
    place = {step: k for k, step in enumerate(results.get("ledger", {}))}
    for step, codes in sorted(results.get("reasons", {}).items(), key=lambda item: place.get(item[0], len(place))):
        for code, reason in sorted(codes.items(), key=lambda item: (-item[1]["count"], item[0])):
            kind = reason["kind"]  # a code that stands for two kinds carries the second one in its name
            lines.append(f"  {step}: {reason['count']:,} {kind} as {code.removesuffix(f' ({kind})')}")
            for example in reason.get("examples", ())[:examples]:
                detail = shorten(str(example.get("detail") or ""), 160)
                lines.append(f"      {example['id']}" + (f"  {detail}" if detail else ""))
    return lines


def usage_table(results: Mapping[str, Any]) -> str:
    """Requests, tokens, money and time per step and model."""
    rows = []
    for step, use in results.get("usage", {}).items():
        rows.append(
            [
                step,
                str(use.get("model", "")),
                f"{use.get('requests', 0):,}",
                f"{use.get('journal_hits', 0):,}",
                f"{use.get('prompt_tokens', 0):,}",
                f"{use.get('cached_tokens', 0):,}",
                f"{use.get('completion_tokens', 0):,}",
                f"{use.get('format_retries', 0) + use.get('transport_retries', 0):,}",
                money(use.get("cost"), use.get("currency")),
                duration(use.get("seconds")),
            ]
        )
    head = ("step", "model", "requests", "journal", "prompt tok", "cached", "answer tok", "re-asked", "cost", "time")
    return table(head, rows, left=2)


def stage_table(stages: Any) -> str:
    rows = [
        [
            str(stage["index"] + 1),
            shorten(" > ".join(stage["steps"]), 80),
            "reused" if stage.get("reused") else "ran",
            f"{stage.get('rows') or 0:,}",
            duration(stage.get("seconds")),
        ]
        for stage in stages
    ]
    return table(("stage", "steps", "", "rows", "time"), rows, left=3)


def outcome(results: Mapping[str, Any]) -> str:
    """The outcome and every reason for it, one sentence a line."""
    head = OUTCOMES.get(results["outcome"], results["outcome"])
    if results.get("seconds") is not None:
        head += f" {'in' if results['outcome'] == 'done' else 'after'} {duration(results['seconds'])}"
    lines = [f"{head} (exit {results['exit_code']})."]
    lines += [f"  - {sentence}" for sentence in results.get("why", ())]
    if rehearsed(results):
        lines.append("  Rehearsal: no model answered; the rows are made up and marked so.")
    lines += [f"  {line}" for line in gate_lines(results)]
    for model, served in results.get("backends", {}).items():
        if served.get("backend") != "rehearsal":
            lines.append(f"  {model}: {served.get('backend')} ({served.get('why')})")
    return "\n".join(lines)


def gate_lines(results: Mapping[str, Any]) -> list[str]:
    """What the recipe required of its models, and what their evaluations say."""
    lines = []
    for gate in results.get("gates", ()):
        rule = f"{gate['task']} {'<=' if gate['at_most'] else '>='} {gate['needed']:g} required"
        if gate["met"]:
            said = f"met with {gate['found']:.4g} ({gate['metric']}, {gate['file']})"
        else:
            said = f"NOT met (not enforced in a rehearsal): {gate['problem']}"
        lines.append(f"{gate['model']}: {rule}, {said}")
    return lines


def output_lines(results: Mapping[str, Any], path: Path) -> Iterator[str]:
    """Where each dataset is, how many rows it has, its digest."""
    for name, output in results.get("outputs", {}).items():
        wanted = f" of at least {output['min_rows']:,}" if output.get("min_rows") else ""
        digest = f", digest {output['digest']}" if output.get("digest") else ""
        yield f"{name}: {output['rows']:,} rows{wanted} in {path / output['path']}{digest}"


def first_rows(results: Mapping[str, Any], path: Path, show: int) -> Iterator[str]:
    """The first rows of each dataset, one column a line."""
    from attar.display.rows import read_first

    for name, output in results.get("outputs", {}).items():
        rows = read_first(path / output["path"], output.get("format", "parquet"), show)
        if rows is None:
            continue
        lines = [f"First rows of {name}"]
        for k, row in enumerate(rows, start=1):
            lines.append(f"  {k}.")
            lines += [f"    {column}: {shorten(_text(value), 200)}" for column, value in row.items()]
        yield "\n".join(lines)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value, ensure_ascii=False, default=str)
