"""What a run would take: calls, tokens, GPU-hours and money per step, with every assumption named.

Nothing is invented: a number that cannot be known before the run is None and shown as unknown. Counts are exact where
the source can be counted cheaply; tokens are estimated from characters; answers are counted as long as they may be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from attar.api import PromptRef, PromptText
from attar.plan.counting import Sample, sample_source
from attar.plan.refs import references
from attar.plan.types import Plan, PlannedStep

ACCEPTANCE = 0.8
"""Share of rows that a judge passes at each try, where the caller knows no better."""
TYPICAL_TOKENS = 512
"""Length of an answer without max_tokens."""

# Characters per token, by script: rough means over current multilingual tokenizers (Gemma, Llama, Qwen); a tokenizer
# may be half or twice as good. Latin text is about 4 characters a token, Indic scripts about 2, Han and kana about 1.5.
_PER_TOKEN = (("indic", "\u0900-\u0dff", 2.0), ("cjk", "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af", 1.5))


@dataclass(frozen=True, slots=True)
class StepEstimate:
    """What one step would take. Floats are expectations; None is unknown.

    Attributes:
        rows: rows that enter.
        calls: requests, retries included.
        prompt_tokens, completion_tokens: totals over all calls; completions as long as they may be.
        gpu_hours: completion tokens over the model's stated tokens per second.
        cost: by the model's stated prices.
    """

    step: str
    model: str
    rows: float | None
    calls: float | None
    prompt_tokens: float | None
    completion_tokens: float | None
    gpu_hours: float | None
    cost: float | None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The steps that ask models, what the figures rest on, and where prices and speeds come from."""

    steps: tuple[StepEstimate, ...]
    rows: Mapping[str, float | None]
    """output → rows expected."""
    assumptions: tuple[str, ...]
    sources: tuple[str, ...]

    def total(self, what: str) -> float | None:
        """The sum of a figure over all steps; None where it is unknown for one of them (or, for cost, where two
        currencies meet)."""
        if what == "cost" and len({step.currency for step in self.steps}) > 1:
            return None
        values = [getattr(step, what) for step in self.steps]
        return None if any(value is None for value in values) else float(sum(values))

    def text(self) -> str:
        """A table for people, the assumptions below it."""
        return _table(self)


def estimate(
    plan: Plan, acceptance: float | Mapping[str, float] = ACCEPTANCE, sample: Mapping[str, Sample] | None = None
) -> Estimate:
    """Estimates a run of a plan.

    Args:
        acceptance: share of rows a judge passes per try: one for all, or by step name (others: ACCEPTANCE).
        sample: rows and counts of the sources; by default they are read here (the first rows, and the count where it
            costs little).
    """
    sources = [name for name, step in plan.steps.items() if step.kind == "source"]
    known = sample if sample is not None else {name: sample_source(plan, name) for name in sources}
    return _Estimator(plan, acceptance, known).run()


class _Estimator:
    def __init__(self, plan: Plan, acceptance: float | Mapping[str, float], sample: Mapping[str, Sample]) -> None:
        self.plan = plan
        self.acceptance = acceptance
        self.sample = sample
        self.leaving: dict[str, float | None] = {}
        self.lengths: dict[str, dict[str, float]] = {}
        self.notes: dict[str, None] = {}
        self.judged: dict[float, dict[str, None]] = {}
        self.unmeasured: dict[str, None] = {}

    def run(self) -> Estimate:
        found: list[StepEstimate] = []
        for name in self.plan.order or tuple(self.plan.steps):
            step = self.plan.steps[name]
            entering = self._entering(step)
            self.leaving[name] = self._leaving(step, entering)
            self.lengths[name] = self._lengths(step)
            if step.models:
                found.append(self._asking(step, entering))
        for p, judges in self.judged.items():
            self.notes[f"taken to pass {p:.0%} of rows at each try: {', '.join(judges)}"] = None
        if self.unmeasured:
            names = ", ".join(self.unmeasured)
            self.notes[f"columns of unknown length, left out of prompts: {names}"] = None
        if found:
            self.notes["prompt tokens are estimated from characters (about 4 a token, 2 in Indic scripts)"] = None
            self.notes["answers are counted at max_tokens, or at 512 tokens where none is set: an upper bound"] = None
        outputs = {name: self.leaving.get(output.step) for name, output in self.plan.outputs.items()}
        return Estimate(tuple(found), outputs, tuple(self.notes), tuple(self._sources(found)))

    # -- rows --------------------------------------------------------------------------------------------------

    def _entering(self, step: PlannedStep) -> float | None:
        if step.kind == "source":
            sample = self.sample.get(step.name)
            if sample is None or sample.count is None:
                self.notes[f"how many rows {step.name!r} makes is unknown before it is read"] = None
                return None
            rows = float(sample.count)
            return min(rows, float(self.plan.limit)) if self.plan.limit is not None else rows
        before = [self.leaving[name] for name in step.inputs]
        if any(rows is None for rows in before):
            return None
        known = [value for value in before if value is not None]
        return sum(known) if step.kind == "merge" else min(known, default=None)

    def _leaving(self, step: PlannedStep, rows: float | None) -> float | None:
        if rows is None:
            return None
        if step.kind == "judge":
            p = self._passes(step)
            policy = step.on_fail
            if policy is not None and policy.then in ("keep_last", "keep_best"):
                return rows
            tries = policy.attempts if policy is not None and step.retry_region else 1
            return rows * (1 - (1 - p) ** tries)
        if step.kind == "row" and getattr(step.step, "expands", False):
            self.notes[f"step {step.name!r} makes several rows of one; they are counted as one each"] = None
        elif step.kind in ("dataset", "merge"):
            self.notes[f"step {step.name!r} may drop rows; all are counted"] = None
        return rows

    def _passes(self, judge: PlannedStep) -> float:
        given = self.acceptance
        p = given.get(judge.name, ACCEPTANCE) if isinstance(given, Mapping) else given
        self.judged.setdefault(p, {})[judge.name] = None
        return min(max(p, 1e-6), 1.0)

    def _runs(self, step: PlannedStep) -> float:
        """How often a step is expected to run for a row: the product over the loops it stands in."""
        runs = 1.0
        for judge in self.plan.steps.values():
            if step.name in judge.retry_region and judge.on_fail is not None:
                p = self._passes(judge)
                runs *= (1 - (1 - p) ** judge.on_fail.attempts) / p
        return runs

    # -- tokens ------------------------------------------------------------------------------------------------

    def _lengths(self, step: PlannedStep) -> dict[str, float]:
        """Tokens of each column that leaves a step, where they can be guessed."""
        known: dict[str, float] = {}
        for name in step.inputs:
            known.update(self.lengths[name])
        if step.kind == "source" and (sample := self.sample.get(step.name)) is not None:
            for column in step.columns:
                values = [row[column] for row in sample.rows if row.get(column) is not None]
                if values:
                    known[column] = sum(tokens(str(value)) for value in values) / len(values)
        added = [name for name in step.columns if name not in step.incoming]
        if step.models and step.kind == "row" and added:
            known.update(dict.fromkeys(added, self._answer(step) / len(added)))
        return {name: length for name, length in known.items() if name in step.columns}

    def _answer(self, step: PlannedStep) -> float:
        """Tokens of one answer at most."""
        own = getattr(getattr(step.step.config, "sampling", None), "max_tokens", None)
        most = own or self.plan.models[step.models[0]].sampling.max_tokens
        return float(most or TYPICAL_TOKENS)

    def _prompt(self, step: PlannedStep) -> float | None:
        """Mean tokens of one prompt: the template's own text and the columns it shows."""
        known: dict[str, float] = {}
        for name in step.inputs:
            known.update(self.lengths[name])
        texts = [
            text
            for path, ref in references(step.step.config)
            if isinstance(ref, PromptRef)
            for text in ref.texts.values()
        ]
        if not texts:
            return None
        lengths = []
        for text in texts:
            length = sum(tokens(_plain(part.text)) + 4 for part in text.parts)
            for name in _columns_shown(text):
                if name in known:
                    length += known[name]
                elif name in step.step.provides:
                    length += tokens(_given(step.step.config))
                elif name in step.incoming:
                    self.unmeasured[name] = None
            lengths.append(length)
        return sum(lengths) / len(lengths)

    # -- calls -------------------------------------------------------------------------------------------------

    def _asking(self, step: PlannedStep, rows: float | None) -> StepEstimate:
        config = step.step.config
        asked = (getattr(config, word, None) for word in ("samples", "votes"))
        each = step.step.calls_per_row * next((n for n in asked if isinstance(n, int)), 1)
        if step.when is not None:
            self.notes[f"all rows are taken to meet `when` of step {step.name!r}"] = None
        calls = None if rows is None else rows * self._runs(step) * each
        prompt = self._prompt(step)
        spec = self.plan.models[step.models[0]]
        prompt_tokens = None if calls is None or prompt is None else calls * prompt
        completion = None if calls is None else calls * self._answer(step)
        hours = cost = None
        if completion is not None and spec.throughput is not None:
            hours = completion / spec.throughput.tokens_per_second / 3600
        if completion is not None and prompt_tokens is not None and spec.prices is not None:
            cost = (prompt_tokens * spec.prices.input + completion * spec.prices.output) / 1e6
        currency = spec.prices.currency if spec.prices is not None else ""
        return StepEstimate(step.name, step.models[0], rows, calls, prompt_tokens, completion, hours, cost, currency)

    def _sources(self, found: list[StepEstimate]) -> Iterator[str]:
        for name in dict.fromkeys(step.model for step in found):
            spec = self.plan.models[name]
            if spec.prices is not None:
                price = spec.prices
                yield (
                    f"prices of {name}: {price.input:g} in, {price.output:g} out {price.currency} "
                    f"per million tokens ({price.source})"
                )
            else:
                yield f"prices of {name}: unknown; set `prices:` on the model"
            if spec.throughput is not None:
                speed = spec.throughput
                yield f"speed of {name}: {speed.tokens_per_second:g} output tokens/s per GPU ({speed.source})"
            else:
                yield f"speed of {name}: unknown; set `throughput:` on the model"


def tokens(text: str) -> float:
    """A rough count of a text's tokens, by the scripts it is written in."""
    total = 0.0
    rest = len(text)
    for _, letters, per in _PER_TOKEN:
        count = len(re.findall(f"[{letters}]", text))
        total += count / per
        rest -= count
    return total + rest / 4.0


def _plain(template: str) -> str:
    """A template's own text, without tags."""
    return re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", template, flags=re.DOTALL)


def _columns_shown(text: PromptText) -> list[str]:
    """Names in `{{ … }}` or a loop; those only tested in `{% if %}` put nothing into the prompt."""
    shown = []
    source = "\n".join(part.text for part in text.parts)
    for name in text.variables:
        word = rf"(?<![\w.]){re.escape(name)}\b"
        if re.search(r"\{\{[^}]*" + word, source) or re.search(r"\{%-?\s*for\b[^%]*\bin\s[^%]*" + word, source):
            shown.append(name)
    return shown


def _given(config: Any) -> str:
    """The text that a step adds to its prompts of its own: its config, roughly (criteria, labels, rubric)."""
    parts = []
    for _, ref in references(config):
        schemas = getattr(ref, "schemas", None)
        if schemas:
            parts.append(str(schemas))
    for word in ("criteria", "labels", "rubric"):
        value = getattr(config, word, None)
        if value is not None and not hasattr(value, "schemas"):
            parts.append(str(value))
    return " ".join(parts)


def _table(found: Estimate) -> str:
    head = ("step", "model", "rows", "calls", "prompt tok", "answer tok", "GPU-hours", "cost")
    rows: list[tuple[str, ...]] = [
        (
            step.step,
            step.model,
            _whole(step.rows),
            _whole(step.calls),
            _whole(step.prompt_tokens),
            _whole(step.completion_tokens),
            _small(step.gpu_hours),
            _money(step.cost, step.currency),
        )
        for step in found.steps
    ]
    if len(rows) > 1:
        totals = [found.total(what) for what in ("calls", "prompt_tokens", "completion_tokens", "gpu_hours", "cost")]
        currency = found.steps[0].currency
        rows.append(("total", "", "", *(_whole(t) for t in totals[:3]), _small(totals[3]), _money(totals[4], currency)))
    lines = []
    if rows:
        widths = [max(len(line[column]) for line in [head, *rows]) for column in range(len(head))]
        for line in [head, *rows]:
            cells = [f"{c:<{w}}" if n < 2 else f"{c:>{w}}" for n, (c, w) in enumerate(zip(line, widths, strict=True))]
            lines.append("  ".join(cells).rstrip())
    else:
        lines.append("no step asks a model")
    for name, count in found.rows.items():
        lines.append(f"output {name}: about {_whole(count)} rows" if count is not None else f"output {name}: unknown")
    lines += [f"- {note}" for note in (*found.assumptions, *(found.sources if rows else ()))]
    return "\n".join(lines) + "\n"


def _whole(value: float | None) -> str:
    return "unknown" if value is None else f"{round(value):,}"


def _small(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.3g}"


def _money(value: float | None, currency: str) -> str:
    return "unknown" if value is None else f"{value:,.2f} {currency}"
