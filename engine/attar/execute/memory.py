"""What a retry loop remembers of one row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attar.api import Judge, Retry, Verdict
from attar.execute.context import FIRST_TRY
from attar.execute.program import Node

if TYPE_CHECKING:
    from attar.execute.scope import Scope

Columns = Mapping[str, Any]


class LoopMemory:
    """What a loop remembers of one row: how often each step ran, who failed it, and what was tried."""

    __slots__ = ("avoid", "best", "fails", "feedback", "previous", "runs", "settled")

    def __init__(self) -> None:
        self.runs: dict[str, int] = {}
        self.fails: dict[str, int] = {}
        self.settled: set[str] = set()
        self.feedback: dict[str, list[str]] = {}
        self.previous: dict[str, list[Any]] = {}
        self.avoid: dict[str, list[Any]] = {}
        self.best: dict[str, tuple[float, dict[str, Columns]]] = {}

    def retry(self, name: str, attempt: int) -> Retry:
        if attempt == 1:
            return FIRST_TRY
        return Retry(
            attempt,
            tuple(self.feedback.get(name, ())),
            tuple(self.previous.get(name, ())),
            tuple(self.avoid.get(name, ())),
        )

    def remember(self, judge: Node, target: Node, columns: Columns, verdict: Verdict) -> None:
        policy = judge.policy
        for name in judge.region:
            if policy.feedback:
                self.feedback.setdefault(name, []).append(verdict.feedback or verdict.code or "rejected")
            if target.added:
                self.previous.setdefault(name, []).append(columns.get(target.added[0]))
            if policy.avoid is not None:
                self.avoid.setdefault(name, []).append(columns.get(policy.avoid))

    def keep(self, judge: Node, scope: Scope, columns: Columns, verdict: Verdict) -> None:
        """Keeps the best try so far: the highest mean of scores, the later one of equals."""
        mean = sum(verdict.scores.values()) / len(verdict.scores) if verdict.scores else 0.0
        if judge.name not in self.best or mean >= self.best[judge.name][0]:
            tried = {name: scope.env[name] for name in judge.region if name in scope.env}
            tried[judge.name] = {**columns, **verdict_column(judge, verdict)}
            self.best[judge.name] = (mean, tried)


def verdict_column(node: Node, verdict: Verdict) -> Columns:
    value: dict[str, Any] = {
        "outcome": verdict.outcome,
        "code": verdict.code or None,
        "feedback": verdict.feedback or None,
    }
    assert isinstance(node.step, Judge)
    names = node.step.score_names()
    if names:
        value["scores"] = {name: verdict.scores.get(name) for name in names}
    return {node.step.short_name: value}
