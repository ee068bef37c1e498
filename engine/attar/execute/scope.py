"""The state of one row id on its way through a stage, and the running counts the display shows of all of them."""

from __future__ import annotations

from typing import Any

from attar.execute.results import Columns, OutcomeRow, RowResult

Live = dict[str, dict[str, int]]
"""step → in, accepted, rejected, review, dead, passed_by, retried"""


class Fates(dict[str, str]):
    """A row's fate at each step, counted as it changes. The ledger is made from the final fates alone."""

    __slots__ = ("_entered", "_live")

    def __init__(self, live: Live) -> None:
        super().__init__()
        self._live = live
        self._entered: set[str] = set()

    def enter(self, step: str) -> None:
        """The row is at a step; counted once, however often it comes back."""
        if step not in self._entered:
            self._entered.add(step)
            self._add(step, "in", 1)

    def __setitem__(self, step: str, fate: str) -> None:
        before = self.get(step)
        if before is not None:
            self._add(step, before, -1)
        elif fate == "passed_by":
            self._add(step, "in", -1)
        self._add(step, fate, 1)
        super().__setitem__(step, fate)

    def forget(self, step: str) -> None:
        """The row will come to this step again: what it got there does not count."""
        fate = self.pop(step, None)
        if fate is not None:
            self._add(step, fate, -1)

    def _add(self, step: str, field: str, n: int) -> None:
        counts = self._live.get(step)
        if counts is None:
            counts = self._live[step] = {}
        counts[field] = counts.get(field, 0) + n


class Scope:
    """The state of one row id: each step's columns, fate and trail."""

    __slots__ = (
        "children",
        "edits",
        "env",
        "id",
        "outcome",
        "parents",
        "prefix",
        "reasons",
        "retried",
        "status",
        "trails",
    )

    def __init__(self, id: str, parents: tuple[str, ...], prefix: bytes | None, live: Live) -> None:
        self.id = id
        self.parents = parents
        self.prefix = prefix
        self.env: dict[str, Columns] = {}
        self.status = Fates(live)
        self.outcome: dict[str, OutcomeRow] = {}
        self.trails: dict[str, list[dict[str, Any]]] = {}
        self.reasons: list[tuple[str, str, str, str, str]] = []
        self.retried: dict[str, int] = {}
        self.children: dict[str, list[RowResult]] = {}
        self.edits: dict[str, dict[str, tuple[Any, Any]]] = {}
        """judge → column → what a person found there and what it was changed to"""
