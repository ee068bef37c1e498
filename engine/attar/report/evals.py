"""Two evaluations side by side: who is better at which task, by how much, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from attar.errors import fail
from attar.evals import Evals, EvalsProblem, Figure, is_share, pick, read_evals

CERTAINTY = 1.96
"""Standard errors on either side that hold 95 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Line:
    """One task's figures in both evaluations.

    Attributes:
        label: the metric; with its filter where the task has it under several.
        percent: True where the figures are shares of right answers, here in percent (points); else as in the file.
        a, b: the figures.
        a_stderr, b_stderr: their standard errors, where the files have them.
        higher: whether more is better.
    """

    task: str
    metric: str
    filter: str
    label: str
    percent: bool
    a: float
    b: float
    a_stderr: float | None
    b_stderr: float | None
    higher: bool

    @property
    def difference(self) -> float:
        """b − a: in points where `percent`, else in the metric's own unit."""
        return self.b - self.a

    @property
    def change(self) -> float | None:
        """The difference in percent of a; None where a is 0, of which nothing is a share."""
        return None if self.a == 0 else 100 * self.difference / abs(self.a)

    @property
    def better(self) -> str:
        """`a`, `b`, or "" where they are equal."""
        if self.a == self.b:
            return ""
        return "b" if (self.b > self.a) == self.higher else "a"

    @property
    def margin(self) -> float | None:
        """1.96 standard errors of the difference (the two taken as independent); None where a file gives none."""
        if self.a_stderr is None or self.b_stderr is None:
            return None
        return CERTAINTY * math.hypot(self.a_stderr, self.b_stderr)

    @property
    def within_error(self) -> bool | None:
        """Whether the difference is no larger than its margin; None where that is not known."""
        return None if self.margin is None else abs(self.difference) <= self.margin


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that two evaluations have in common, and what they have not.

    Attributes:
        names: what the two columns are called.
        only_a, only_b: tasks that one alone has.
        apart: tasks that both have, without a metric in common.
        notes: what a reader has to know to compare fairly.
    """

    names: tuple[str, str]
    lines: Sequence[Line]
    only_a: Sequence[str] = ()
    only_b: Sequence[str] = ()
    apart: Sequence[str] = ()
    notes: Sequence[str] = field(default_factory=list)


def compare(
    a: Path, b: Path, names: tuple[str, str] | None = None, metrics: Sequence[str] = (), *, every: bool = False
) -> Comparison:
    """Compares two results files of lm-evaluation-harness, or two folders of them.

    Args:
        a, b: the files; of a folder, the newest results of each task.
        names: of the two columns; the models' own by default.
        metrics: `metric` for all tasks that have it, or `task/metric`; else the task's primary metric.
        every: True takes every metric that both have.

    Raises:
        AttarError: E650 a file cannot be read, E651 a folder holds several models' results, E652 the two have no task
            in common, E653 no task has a metric that was asked for.
    """
    left, right = _load(a), _load(b)
    named = names or _names(a, b, left.model, right.model)
    chosen = _chosen(metrics, (*left.tasks, *right.tasks))
    lines: list[Line] = []
    apart: list[str] = []
    met: set[str] = set()
    for task, figures in left.tasks.items():
        if task not in right.tasks:
            continue
        pairs = list(_pairs(figures, right.tasks[task]))
        asked = chosen.get(task) or chosen.get("")
        kept = pairs if every else list(_wanted(pairs, asked))
        met.update((asked or []) if kept else [])
        if not kept and (asked is None or task in chosen):
            apart.append(task)
        lines += [_line(task, one, other, kept) for one, other in kept]
    if missing := [metric for metrics_ in chosen.values() for metric in metrics_ if metric not in met]:
        raise fail("E653", f"no task of both has the metric {missing[0]!r}", help="--all-metrics shows those there are")
    if not lines:
        raise fail(
            "E652",
            f"{a.name} and {b.name} have no figure in common",
            help=f"tasks of the first: {_some(left.tasks)}; of the second: {_some(right.tasks)}",
        )
    only_a = [task for task in left.tasks if task not in right.tasks]
    only_b = [task for task in right.tasks if task not in left.tasks]
    return Comparison(named, lines, only_a, only_b, apart, list(_notes(left, right, named, lines)))


def _load(path: Path) -> Evals:
    """One evaluation; the files of a folder merged, the newest figure of each task first."""
    try:
        found = read_evals(path)
    except EvalsProblem as problem:
        raise fail("E650", problem.message, help=problem.help) from None
    models = list(dict.fromkeys(one.model for one in found))
    if len(models) > 1:
        raise fail(
            "E651",
            f"{path} holds the results of {len(models)} models: {', '.join(models[:5])}",
            help="name the folder of one of them, or a results file",
        )
    tasks: dict[str, tuple[Figure, ...]] = {}
    shots: dict[str, int] = {}
    for one in found:
        percent = one.percent  # of the whole file, which it reads: once, not for each of its thousands of tasks
        for task, figures in one.tasks.items():
            if task not in tasks:
                tasks[task] = tuple(_scaled(figure, percent) for figure in figures)
                if task in one.shots:
                    shots[task] = one.shots[task]
    return Evals(found[0].file, models[0], found[0].revision, found[0].date, tasks, shots)


def _scaled(figure: Figure, percent: bool) -> Figure:
    """Shares in percent, whatever the file counts in."""
    if percent or not is_share(figure.metric):
        return figure
    stderr = None if figure.stderr is None else 100 * figure.stderr
    return Figure(figure.metric, figure.filter, 100 * figure.value, stderr, figure.higher)


def _names(a: Path, b: Path, first: str, second: str) -> tuple[str, str]:
    if first and second and first != second:
        return first, second
    if a.name != b.name:
        return a.name, b.name
    return str(a), str(b)


def _chosen(metrics: Sequence[str], tasks: Sequence[str]) -> Mapping[str, list[str]]:
    """Task → metrics asked for; "" for those asked of every task. A task's name may hold a slash itself."""
    chosen: dict[str, list[str]] = {}
    for text in metrics:
        task, slash, metric = text.rpartition("/")
        named = bool(slash) and task in tasks
        chosen.setdefault(task if named else "", []).append(metric if named else text)
    return chosen


def _pairs(first: Sequence[Figure], second: Sequence[Figure]) -> Iterator[tuple[Figure, Figure]]:
    other = {(one.metric, one.filter): one for one in second}
    for one in first:
        if (one.metric, one.filter) in other:
            yield one, other[one.metric, one.filter]


def _wanted(pairs: Sequence[tuple[Figure, Figure]], metrics: Sequence[str] | None) -> Iterator[tuple[Figure, Figure]]:
    first = [one for one, _ in pairs]
    partner = {id(one): other for one, other in pairs}
    for metric in metrics if metrics is not None else [None]:
        for one in pick(first, metric):
            yield one, partner[id(one)]


def _line(task: str, a: Figure, b: Figure, kept: Sequence[tuple[Figure, Figure]]) -> Line:
    alike = sum(one.metric == a.metric for one, _ in kept)
    label = a.metric if alike == 1 else f"{a.metric} ({a.filter})"
    return Line(
        task, a.metric, a.filter, label, is_share(a.metric), a.value, b.value, a.stderr, b.stderr, a.higher and b.higher
    )


def _notes(left: Evals, right: Evals, names: tuple[str, str], lines: Sequence[Line]) -> Iterator[str]:
    for task in dict.fromkeys(line.task for line in lines):
        a, b = left.shots.get(task), right.shots.get(task)
        if a is not None and b is not None and a != b:
            yield f"{task}: {a} examples in the prompt of {names[0]}, {b} in that of {names[1]}"


def _some(tasks: Mapping[str, object]) -> str:
    shown = ", ".join(list(tasks)[:5])
    return shown + (f", … ({len(tasks)} in all)" if len(tasks) > 5 else "")
