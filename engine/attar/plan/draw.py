"""The graph of a plan as text for a terminal and as Mermaid for a page: stages marked, retry edges dashed."""

from __future__ import annotations

from collections.abc import Mapping

from attar.plan.types import Plan, PlannedStep, Stage


def draw_text(plan: Plan, notes: Mapping[int, str] | None = None) -> str:
    """The stages with their steps, one a line: what it is, what it reads, what it adds, where rows go back to.

    Args:
        notes: a remark per stage index ("reused", "runs: the prompt changed").
    """
    notes = notes or {}
    width = max((len(name) for name in plan.steps), default=0)
    uses = max((len(step.use) for step in plan.steps.values()), default=0)
    lines: list[str] = []
    for stage in plan.stages:
        lines.append(_stage_line(stage, notes.get(stage.index, "")))
        for step in (plan.steps[name] for name in stage.steps):
            lines += [f"  {step.name:<{width}}  {step.use:<{uses}}  {_facts(step)}".rstrip()]
        lines.append("")
    for name, output in plan.outputs.items():
        rows = f", at least {output.min_rows:,} rows" if output.min_rows else ""
        lines.append(f"output {name}: {output.step} as {output.format}{rows} ({', '.join(output.columns)})")
    return "\n".join(lines) + "\n"


def _stage_line(stage: Stage, note: str) -> str:
    reads = f", reads {', '.join(stage.inputs)}" if stage.inputs else ""
    waits = f", after stage {', '.join(str(n + 1) for n in stage.needs)}" if stage.needs else ""
    batch = ", in batches" if stage.batch else ""
    return f"stage {stage.index + 1} ({stage.kind}{reads}{waits}{batch})" + (f": {note}" if note else "")


def _facts(step: PlannedStep) -> str:
    facts = []
    if step.inputs:
        facts.append(f"from {', '.join(step.inputs)}")
    if step.side:
        facts.append(f"beside {', '.join(dict.fromkeys(step.side.values()))}")
    if step.models:
        facts.append(f"asks {', '.join(step.models)}")
    added = [name for name in step.columns if name not in step.incoming]
    gone = [name for name in step.incoming if name not in step.columns]
    if added:
        facts.append(f"adds {', '.join(added)}")
    if gone:
        facts.append(f"drops {', '.join(gone)}")
    if step.when:
        facts.append(f"when {step.when}")
    if step.retry_region and step.on_fail is not None:
        facts.append(f"sends back to {step.retry_region[0]}, {step.on_fail.attempts} tries, then {step.on_fail.then}")
    elif step.kind == "judge":
        facts.append(f"fails: {step.on_fail.then if step.on_fail is not None else 'drop'}")
    return "; ".join(facts)


def draw_mermaid(plan: Plan) -> str:
    """A Mermaid flowchart: a box per stage, solid edges for rows, dotted for side tables, dashed back for retries."""
    ids = {name: f"s{number}" for number, name in enumerate(plan.steps)}
    lines = ["flowchart TD"]
    for stage in plan.stages:
        lines.append(f'  subgraph stage{stage.index + 1}["stage {stage.index + 1}: {stage.kind}"]')
        lines += [f"    {ids[name]}{_shape(plan.steps[name])}" for name in stage.steps]
        lines.append("  end")
    for number, (name, output) in enumerate(plan.outputs.items()):
        lines.append(f'  o{number}[("{_text(name)} ({_text(output.format)})")]')
    dashed: list[int] = []
    edges = 0
    for name, step in plan.steps.items():
        for read in step.inputs:
            lines.append(f"  {ids[read]} --> {ids[name]}")
            edges += 1
        for field, read in step.side.items():
            lines.append(f'  {ids[read]} -. "{_text(field)}" .-> {ids[name]}')
            edges += 1
    for number, output in enumerate(plan.outputs.values()):
        lines.append(f"  {ids[output.step]} --> o{number}")
        edges += 1
    for name, step in plan.steps.items():
        if step.retry_region and step.on_fail is not None:
            lines.append(f'  {ids[name]} -. "retry, {step.on_fail.attempts} tries" .-> {ids[step.retry_region[0]]}')
            dashed.append(edges)
            edges += 1
    if dashed:
        lines.append(f"  linkStyle {','.join(map(str, dashed))} stroke-dasharray: 6 4")
    return "\n".join(lines) + "\n"


def _shape(step: PlannedStep) -> str:
    text = f"{_text(step.name)}<br/>{_text(step.use)}"
    if step.kind == "judge":
        return f'{{{{"{text}"}}}}'
    if step.kind in ("source", "sink"):
        return f'(["{text}"])'
    if step.kind in ("dataset", "merge"):
        return f'[["{text}"]]'
    return f'["{text}"]'


def _text(text: str) -> str:
    return text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
