"""The plan: everything `execute` needs, and nothing it has to look up again. Plain picklable data plus built steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from attar.api import Columns, Step
from attar.errors import Diagnostic
from attar.recipe.language import Card, ModelSpec, OnFail

GateRule = Literal["stop", "note", "later"]
Kind = Literal["source", "row", "judge", "dataset", "merge", "sink"]


@dataclass(slots=True)
class PlannedStep:
    """One step, built and checked.

    Attributes:
        step: the instance (its `name` set, its refs resolved).
        inputs: step names it reads from, in the order of `from`.
        reads: columns it reads (prompt variables and `when` included), in order, without duplicates.
        incoming: columns that arrive. For `from: [a, b]` on a row step or judge: the union of both.
        columns: columns that leave.
        scope: row steps with the same scope handle the same row id; the scope's name is that of the step that
            made the row (the stage's input step, or the expanding step).
        side: names of steps whose finished output it reads, by StepRef field.
        retry_region: for a judge with `on_fail.retry`: names of the steps that run again, target first, this judge
            last, in topological order. Empty otherwise.
        fingerprint: hex; covers all that decides this step's output and that of those before it.
        models: names of models it uses.
        params: what its prompts see as `params`: those of the recipe it was written in (an included one has its own).
    """

    name: str
    use: str
    kind: Kind
    step: Step[Any]
    inputs: tuple[str, ...]
    when: str | None
    on_fail: OnFail | None
    reads: tuple[str, ...]
    incoming: Columns
    columns: Columns
    scope: str = ""
    stage: int = -1
    side: Mapping[str, str] = field(default_factory=dict)
    retry_region: tuple[str, ...] = ()
    fingerprint: str = ""
    models: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Stage:
    """A maximal fused run of row steps, or a single dataset, merge or sink step.

    Attributes:
        kind: "rows" (a source and/or row steps and judges), "dataset", "merge" or "sink".
        steps: names in topological order. In a "rows" stage that begins with a source, the source is first.
        input: the step whose finished output it reads; None where it begins with a source. Merge stages have several.
        taps: steps of this stage whose output is written out: read by later stages or by outputs.
        fingerprint: hex, of the taps' fingerprints, language and engine version.
        needs: indexes of stages that must be finished first.
        batch: True where every step can run on Arrow batches (source included).
    """

    index: int
    kind: Literal["rows", "dataset", "merge", "sink"]
    steps: tuple[str, ...]
    inputs: tuple[str, ...]
    taps: tuple[str, ...]
    fingerprint: str
    needs: tuple[int, ...]
    batch: bool = False


@dataclass(slots=True)
class PlannedOutput:
    """One dataset to leave. `sink` writes it (built from the exporter of its format, or parquet/jsonl/csv)."""

    name: str
    step: str
    format: str
    min_rows: int | None
    sink: Step[Any]
    columns: Columns


@dataclass(frozen=True, slots=True)
class Gate:
    """One figure that a recipe requires of a model, and what its evaluation says.

    Attributes:
        model: its entry under `models:`; `named` is what that entry names.
        metric: with its filter, where it has one; "" where it could not be found out.
        needed: the figure required; `found` is None where there is none.
        at_most: True where less is better (perplexities).
        file, digest, date: the results file's name, digest and day.
        problem: why the gate is not met; None where it is.
    """

    model: str
    named: str
    task: str
    metric: str
    needed: float
    found: float | None = None
    stderr: float | None = None
    at_most: bool = False
    met: bool = False
    file: str = ""
    digest: str = ""
    date: str = ""
    problem: Diagnostic | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in manifest.json and results.json."""
        names = ("model", "named", "task", "metric", "needed", "found", "stderr", "at_most", "met", "file", "digest")
        told = {name: getattr(self, name) for name in (*names, "date")}
        return {**told, "problem": None if self.problem is None else self.problem.message}


@dataclass(slots=True)
class Plan:
    """A checked recipe."""

    recipe: str
    file: Path
    description: str
    seed: int
    params: Mapping[str, Any]
    models: Mapping[str, ModelSpec]
    steps: Mapping[str, PlannedStep]
    stages: Sequence[Stage]
    outputs: Mapping[str, PlannedOutput]
    digest: str
    """hex; of every output's fingerprint, formats and options: what names the run directory."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    plugins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """namespace → {distribution, version, digest} of the plugins whose steps are used."""
    order: tuple[str, ...] = ()
    """All steps, each after those it reads and after judges that may send back what it reads."""
    own: Mapping[str, str] = field(default_factory=dict)
    """step → the part of its fingerprint that does not depend on other steps; empty where none were asked for."""
    gates: tuple[Gate, ...] = ()
    """What the recipe requires of its models, judged. An unmet one stops a run on a real backend."""
    card: Card | None = None
    """What the recipe says for the dataset's card."""
