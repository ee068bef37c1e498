"""The dataset card of a finished run: README.md, with the front matter that Hugging Face reads.

Made of facts alone: the recipe as it was planned, and what the run counted. It knows no time and no machine, so equal
runs have equal cards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attar.artifact.sources import Rubric, prompts_of, rubrics_of
from attar.plan.types import Plan
from attar.recipe.language import Card

NAME = "README.md"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGER = ((10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"))
_ENDINGS = {"parquet": "*.parquet", "jsonl": "*.jsonl*", "csv": "*.csv*"}
_LEDGER = ("in", "accepted", "rejected", "review", "dead", "made", "retried", "passed_by")


def card_text(plan: Plan, manifest: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """The card of a run.

    Args:
        plan: what was run.
        manifest: what manifest.json holds.
        results: what results.json holds; times and usage in it are not looked at.
    """
    card = plan.card or Card()
    rehearsed = bool(results.get("rehearsal"))
    parts = [_front_matter(plan, card, results, rehearsed)]
    if rehearsed:
        parts.append(_rehearsal(manifest))
    parts.append(f"# {card.pretty_name or plan.recipe}")
    if plan.description:
        parts.append(plan.description.strip())
    parts += _told(card)
    parts.append("## Data\n\n" + "\n\n".join(_outputs(plan, results)))
    parts.append("## How it was made\n\n" + "\n\n".join(_making(plan, manifest, results)))
    parts += _models(manifest, results)
    parts += _prompts(plan)
    parts += _rubric_parts(plan)
    parts.append("## Limits\n\n" + _bullets(_limits(plan, card, manifest, results)))
    parts.append(_checking(results))
    return "\n\n".join(parts) + "\n"


def _front_matter(plan: Plan, card: Card, results: Mapping[str, Any], rehearsed: bool) -> str:
    import yaml

    tags = [*card.tags, "synthetic", "attar", *(["rehearsal"] if rehearsed else [])]
    rows = sum(output["rows"] for output in results["outputs"].values())
    languages = [card.language] if isinstance(card.language, str) else card.language
    fields: dict[str, Any] = {
        "license": card.license,
        "language": languages,
        "pretty_name": card.pretty_name or plan.recipe,
        "task_categories": card.task_categories,
        "tags": list(dict.fromkeys(tags)),
        "size_categories": [next((name for limit, name in (*_SIZES, *_LARGER) if rows < limit), "n>1B")],
        "configs": [
            {"config_name": name, "data_files": files} | ({"default": True} if number == 0 else {})
            for number, (name, output) in enumerate(results["outputs"].items())
            if (files := _data_files(output))
        ],
    }
    written = {name: value for name, value in fields.items() if value}
    return "---\n" + yaml.safe_dump(written, allow_unicode=True, sort_keys=False, width=1000) + "---"


def _data_files(output: Mapping[str, Any]) -> Any:
    """An output's files as hubs read them; nothing where a format has not said which they are."""
    folder = output["path"]
    if output["format"] in _ENDINGS:
        return f"{folder}/{_ENDINGS[output['format']]}"
    return [{"split": split, "path": f"{folder}/{pattern}"} for split, pattern in output.get("data_files", {}).items()]


def _rehearsal(manifest: Mapping[str, Any]) -> str:
    models = manifest["models"]
    made_up = [name for name, model in models.items() if model["backend"] == "rehearsal"]
    if len(made_up) == len(models):
        return "> **Rehearsal: these rows were made up; no model answered.** They show the recipe's form alone."
    names = ", ".join(made_up)
    return f"> **Rehearsal: these rows were made up in part; no model answered for {names}.** They show form alone."


def _told(card: Card) -> Iterator[str]:
    """What the recipe's author says."""
    for title, text in (("Intended use", card.intended_use), ("Out of scope", card.out_of_scope)):
        if text:
            yield f"## {title}\n\n{text.strip()}"


def _outputs(plan: Plan, results: Mapping[str, Any]) -> Iterator[str]:
    outputs = results["outputs"]
    yield _table(
        ("output", "rows", "asked for", "columns", "format", "digest"),
        [
            (
                name,
                f"{output['rows']:,}",
                "" if output["min_rows"] is None else f"at least {output['min_rows']:,}",
                str(len(plan.outputs[name].columns) + 1),
                f"{output['format']} in `{output['path']}/`",
                f"`{output['digest']}`",
            )
            for name, output in outputs.items()
        ],
    )
    for name in outputs:
        columns = {"id": "string", **plan.outputs[name].columns}
        yield f"Columns of `{name}`:\n\n" + _bullets(f"`{column}` {kind}" for column, kind in columns.items())
    missing = [f"{short['step']}: {short['count']:,} of {short['what']}" for short in results["shortfalls"]]
    if missing:
        yield "Missing:\n\n" + _bullets(missing)
    elif any(planned.use in ("std.slots", "std.quota") for planned in plan.steps.values()):
        yield "All quotas are met."
    if results["why"]:
        yield "The run fell short:\n\n" + _bullets(results["why"])


def _making(plan: Plan, manifest: Mapping[str, Any], results: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"By recipe `{plan.recipe}` ({manifest['file']}), seed {plan.seed}, with attar {manifest['attar']}; run"
        f" `{results['run']}`."
    )
    if manifest["params"]:
        yield "Parameters:\n\n" + _bullets(f"`{name}`: {_value(value)}" for name, value in manifest["params"].items())
    files = [
        f"`{one['file']}` (read by {step}), digest `{one['digest']}`"
        for step, read in manifest["inputs"].items()
        for one in read
    ]
    if files:
        shown = files if len(files) <= 20 else [*files[:20], f"… and {len(files) - 20:,} more; see manifest.json"]
        yield "Input:\n\n" + _bullets(shown)
    notes = [f"{step}, {what}: {text}" for step, own in manifest.get("notes", {}).items() for what, text in own.items()]
    if notes:
        yield "What the steps say of their work:\n\n" + _bullets(map(_line, notes))
    ledger = results["ledger"]
    columns = [name for name in _LEDGER if any(counts.get(name) for counts in ledger.values())]
    yield _table(
        ("step", "kind", *(name.replace("_", " ") for name in columns)),
        [(step, plan.steps[step].use, *(f"{counts[name]:,}" for name in columns)) for step, counts in ledger.items()],
    )
    reasons = [
        (step, code.removesuffix(f" ({reason['kind']})"), reason["kind"], f"{reason['count']:,}")
        for step in ledger
        for code, reason in sorted(results["reasons"].get(step, {}).items())
    ]
    if reasons:
        yield "Why rows did not go on, or were made again:"
        yield _table(("step", "reason", "what became of it", "times"), reasons)


def _models(manifest: Mapping[str, Any], results: Mapping[str, Any]) -> Iterator[str]:
    models = manifest["models"]
    if not models:
        yield "## Models\n\nNone: no step asks a model."
        return
    rows = []
    for name, model in models.items():
        sampling = ", ".join(f"{key} {_value(value)}" for key, value in model["sampling"].items())
        rows.append((name, model["model"] or "", model["revision"] or "", model["backend"], sampling))
    parts = [_table(("entry", "model", "revision", "backend", "sampling"), rows)]
    if results["gates"]:
        parts.append("Evaluations that the recipe requires of them:")
        head = ("entry", "task", "metric", "required", "found", "met", "results")
        parts.append(_table(head, [_gate(gate) for gate in results["gates"]]))
    if results["answers"]:
        parts.append("Answers that these rows, and those that were turned away, rest on:")
        rows = [
            (
                name,
                f"{used['answers']:,}",
                f"{used['prompt_tokens']:,}",
                f"{used['completion_tokens']:,}",
                "" if used["cost"] is None else f"{used['cost']:g} {used['currency']}",
            )
            for name, used in results["answers"].items()
        ]
        parts.append(_table(("entry", "answers", "prompt tokens", "answer tokens", "cost"), rows))
    yield "## Models\n\n" + "\n\n".join(parts)


def _gate(gate: Mapping[str, Any]) -> tuple[str, ...]:
    found = "" if gate["found"] is None else f"{gate['found']:.6g}"
    if gate["stderr"] is not None:
        found += f" ± {gate['stderr']:.2g}"
    source = f"{gate['file']} of {gate['date']}" if gate["date"] else gate["file"]
    rule = f"{'at most' if gate['at_most'] else 'at least'} {gate['needed']:g}"
    met = "yes" if gate["met"] else f"no: {gate['problem']}"
    digest = f", digest `{gate['digest']}`" if gate["digest"] else ""
    return gate["model"], gate["task"], gate["metric"], rule, found, met, source + digest


def _prompts(plan: Plan) -> Iterator[str]:
    prompts = prompts_of(plan)
    if prompts:
        rows = [(f"`{p.file}`", p.version, ", ".join(p.steps), p.note, f"`{p.digest}`") for p in prompts]
        yield "## Prompts\n\n" + _table(("file", "version", "sent by", "what it is", "digest"), rows)


def _rubric_parts(plan: Plan) -> Iterator[str]:
    rubrics = rubrics_of(plan)
    if rubrics:
        yield (
            "## Rubrics\n\nWhat was asked of the rows, value judgements included.\n\n"
            + "\n\n".join(_rubric(rubric) for rubric in rubrics)
        )


def _rubric(rubric: Rubric) -> str:
    version = f", version {rubric.version}" if rubric.version else ""
    parts = [f"### {rubric.name or 'Criteria of the recipe'}{version}", f"Used by {', '.join(rubric.steps)}."]
    if rubric.note:
        parts.append(rubric.note)
    if rubric.guidance:
        parts.append("Writers are told:\n\n" + "\n".join(f"> {line}" for line in rubric.guidance.strip().splitlines()))
    parts.append(
        _bullets(
            f"**{one.get('name', '')}**{' (must)' if one.get('must') else ''}: {_line(one.get('description', ''))}"
            for one in rubric.criteria
        )
    )
    return "\n\n".join(parts)


def _limits(plan: Plan, card: Card, manifest: Mapping[str, Any], results: Mapping[str, Any]) -> Iterator[str]:
    if results["rehearsal"]:
        yield "A rehearsal: nothing in these rows was written by a model, and nothing may be learnt from them."
    elif manifest["models"]:
        yield "The rows were written by models; what they state as fact has not been checked by people."
    if plan.limit is not None:
        yield f"Only the first {plan.limit:,} records of each source were used."
    for word, folder in (("review", "review"), ("dead", "dead_letter")):
        count = sum(counts[word] for counts in results["ledger"].values())
        if count:
            state = "await a person's review" if word == "review" else "ended in errors"
            yield f"{count:,} rows {state} and are not in the data; see `{folder}/`."
    names = {entry: model["model"] for entry, model in manifest["models"].items() if model["model"]}
    judges = {names.get(m) for step in plan.steps.values() if step.kind == "judge" for m in step.models}
    writers = {names.get(m) for step in plan.steps.values() if step.kind != "judge" for m in step.models}
    own = set() if results["rehearsal"] else judges & writers
    for model in sorted(name for name in own if name is not None):
        yield f"`{model}` judges rows that it wrote itself; models favour their own writing."
    if any(not gate["met"] for gate in results["gates"]):
        yield "A model has not passed an evaluation that the recipe requires of it; see Models."
    if not card.license:
        yield "The recipe names no licence."
    if card.limitations:
        yield _line(card.limitations)


def _checking(results: Mapping[str, Any]) -> str:
    first = next(iter(results["outputs"]), "dataset")
    return (
        "## Checking a copy\n\n`sha256sum -c sha256sums.txt` in this folder. Where a row comes from (its source's rows,"
        " its tries, verdicts and requests) is in `provenance/`, by `id`; an output's digest covers ids, values and"
        f" order of its rows, whatever its files look like (`{first}` above)."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_row(head), "|" + "---|" * len(head), *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_line(cell).replace("|", "\\|") for cell in cells) + " |"


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _line(text: Any) -> str:
    return " ".join(str(text).split())


def _value(value: Any) -> str:
    import json

    return "none" if value is None else json.dumps(value, ensure_ascii=False, default=str)
