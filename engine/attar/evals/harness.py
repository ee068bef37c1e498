"""Reads lm-evaluation-harness results files (`results_<date>.json`), of its present and its older layout.

A results file holds `results` (task → `"metric,filter"` → number, and `"metric_stderr,filter"` beside it), `groups`
(the aggregates of task groups, alike), `higher_is_better` (task → metric → bool), `n-shot`, `config.model_args`,
`model_name` and `date`. Layout after EleutherAI/lm-evaluation-harness, `lm_eval/loggers/evaluation_tracker.py` (2024);
files of its versions before 0.4 name metrics without a filter.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

LARGEST = 128 << 20
"""Bytes. A results file of hundreds of tasks has a few MiB; more is something else."""

PRIMARY = ("acc_norm", "acc", "exact_match", "pass@1", "f1", "bleu_acc", "word_perplexity")
"""Which metric stands for a task that has several, first one first. `acc_norm` leads because the harness reports it
only where answers differ in length (hellaswag, arc, piqa), and there it is the figure that gets published."""

_SHARE = re.compile(r"(?:^|_)(?:acc|accuracy|exact_match|em|mc1|mc2|pass@\d+|pass_at_\d+)(?:$|_)")
_LOWER = re.compile(r"perplexity|bits_per_byte|(?:^|_)(?:loss|wer|cer|ter|mae|mse|rmse|brier_score|ece|latency)(?:$|_)")
_MODEL_KEYS = ("peft", "delta", "pretrained", "model", "path", "engine")
"""Arguments that name the evaluated weights, first one first: an adapter is evaluated, not the base it sits on."""


class EvalsProblem(Exception):
    """A results file that cannot be used: what was found, and what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of one task.

    Attributes:
        metric, filter: the two halves of the harness's key; filter "none" where it names none.
        value: as it stands in the file: a share of 1 for accuracies, unless the file was written in percent.
        stderr: its standard error, where the file has one.
        higher: whether more is better.
    """

    metric: str
    filter: str
    value: float
    stderr: float | None
    higher: bool

    @property
    def key(self) -> str:
        """As a recipe or a command line names it."""
        return self.metric if self.filter == "none" else f"{self.metric},{self.filter}"


@dataclass(frozen=True, slots=True)
class Evals:
    """One results file.

    Attributes:
        file: where it was read.
        model, revision: what was evaluated; "" and None where the file does not say.
        date: seconds since 1970; 0 where the file does not say.
        tasks: task or group → its figures, in the file's order.
        shots: task → examples in the prompt, where the file says.
    """

    file: Path
    model: str
    revision: str | None
    date: float
    tasks: Mapping[str, tuple[Figure, ...]]
    shots: Mapping[str, int] = field(default_factory=dict)

    @property
    def percent(self) -> bool:
        """True where accuracies are written as percent: the harness writes shares, tables made by hand often do not."""
        return any(one.value > 1 for figures in self.tasks.values() for one in figures if is_share(one.metric))


def is_share(metric: str) -> bool:
    """Whether a metric is a share of right answers, from 0 to 1."""
    return _SHARE.search(metric) is not None


def pick(figures: Sequence[Figure], metric: str | None = None) -> list[Figure]:
    """The figures a metric's name stands for: one, several that differ by filter, or none.

    Args:
        figures: of one task.
        metric: `acc`, `exact_match,strict-match`; None for the task's primary metric (`PRIMARY`; a sole metric is it).

    Returns:
        one figure where the name is clear; the one without a filter (`none`) goes before filtered ones.
    """
    if metric is None:
        names = list(dict.fromkeys(one.metric for one in figures))
        metric = next((name for name in PRIMARY if name in names), names[0] if names else "")
        if len(names) == 1:
            metric = names[0]
    name, comma, wanted = metric.partition(",")
    found = [one for one in figures if one.metric == name and (not comma or one.filter == wanted.strip())]
    plain = [one for one in found if one.filter == "none"]
    return plain or found


def read_evals(path: Path) -> list[Evals]:
    """Reads one results file, or every `results_*.json` below a folder.

    Returns:
        the newest first, by the date in the file, else by its name. One evaluation's tasks may be spread over several
        files: whoever looks for a task takes the first file that has it.

    Raises:
        EvalsProblem: it is not there, cannot be read, or is no results file.
    """
    if path.is_dir():
        files = sorted(path.rglob("results*.json"))
        if not files:
            raise EvalsProblem(
                f"the folder {path.name or path}/ holds no results_*.json",
                "name the folder that was the harness's --output_path, or one results file",
            )
        read = [_read(file) for file in files]
        return sorted(read, key=lambda one: (-one.date, _reversed(one.file.name)))
    return [_read(path)]


def _reversed(name: str) -> tuple[int, ...]:
    return tuple(-ord(char) for char in name)  # results_2025-02-01… before results_2025-01-01…


def _read(file: Path) -> Evals:
    again = "name the results_*.json that lm-evaluation-harness wrote (with --output_path)"
    try:
        if file.stat().st_size > LARGEST:
            raise EvalsProblem(f"{file.name} has more than {LARGEST >> 20} MiB: that is no results file", again)
        data = json.loads(file.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise EvalsProblem(f"{file.name} cannot be read: {error.strerror or error}", again) from None
    except UnicodeDecodeError:
        raise EvalsProblem(f"{file.name} is not UTF-8 text", again) from None
    except json.JSONDecodeError as error:
        raise EvalsProblem(f"{file.name} is not JSON (line {error.lineno}, column {error.colno})", again) from None
    except RecursionError:
        raise EvalsProblem(f"{file.name} is nested too deeply to be a results file", again) from None
    results = data.get("results") if isinstance(data, dict) else None
    if not isinstance(results, dict) or not all(isinstance(task, dict) for task in results.values()):
        found = f"the keys {', '.join(list(data)[:5])}" if isinstance(data, dict) and data else "another shape"
        if isinstance(results, list | dict):
            found = "`results` of another shape"
        wanted = "`results: {task: {metric: number}}`"
        raise EvalsProblem(f"{file.name} is no results file: expected {wanted}, found {found}", again)
    better = _mapping(data.get("higher_is_better"))
    tasks = {
        str(task): tuple(_figures(values, _mapping(better.get(task))))
        for task, values in {**_mapping(data.get("groups")), **results}.items()
        if isinstance(values, dict)
    }
    tasks = {task: figures for task, figures in tasks.items() if figures}
    if not tasks:
        raise EvalsProblem(f"{file.name} holds no figure of any task", again)
    model, revision = _model(data)
    shots = {str(k): v for k, v in _mapping(data.get("n-shot")).items() if isinstance(v, int)}
    return Evals(file, model, revision, _date(data.get("date"), file.name), tasks, shots)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _figures(values: Mapping[str, Any], better: Mapping[str, Any]) -> Iterator[Figure]:
    for key, value in values.items():
        metric, _, chosen = str(key).partition(",")
        number = _number(value)
        if number is None or metric.endswith("_stderr") or metric in ("alias", "name", "sample_len", "samples"):
            continue
        suffix = f",{chosen}" if chosen else ""
        higher = better.get(metric)
        if not isinstance(higher, bool):
            higher = _LOWER.search(metric) is None
        yield Figure(metric, chosen or "none", number, _number(values.get(f"{metric}_stderr{suffix}")), higher)


def _model(data: Mapping[str, Any]) -> tuple[str, str | None]:
    """Name and revision of what was evaluated; newer files keep the arguments as a mapping, older ones as a text."""
    config = _mapping(data.get("config"))
    arguments = config.get("model_args", data.get("model_args"))
    if isinstance(arguments, str):
        pairs = (part.partition("=") for part in arguments.split(","))
        arguments = {key.strip(): value.strip() for key, equals, value in pairs if equals}
    arguments = _mapping(arguments)
    named = next((str(arguments[key]) for key in _MODEL_KEYS if arguments.get(key)), "")
    revision = arguments.get("revision") or config.get("model_revision")
    model = named or data.get("model_name") or ""
    return str(model), str(revision) if revision and str(revision) != "main" else None


def _date(value: Any, name: str) -> float:
    number = _number(value)
    if number is not None:
        return number
    from datetime import datetime

    text = value if isinstance(value, str) else ""
    found = re.search(r"(\d{4}-\d\d-\d\d)T(\d\d)[-:](\d\d)[-:](\d\d)", text or name)
    if found is None:
        return 0.0
    try:
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}:{found[3]}:{found[4]}")
    except ValueError:
        return 0.0
    return moment.replace(tzinfo=UTC).timestamp()
