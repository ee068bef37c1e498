"""Where every row went: counts per step, and the reasons with the first examples of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

FIELDS = ("in", "accepted", "rejected", "review", "dead", "made", "retried", "passed_by")
KINDS = ("dead", "review", "rejected", "retried")
"""Kinds of reason, gravest first: where kinds share a code, the gravest is filed under the plain code."""
EXAMPLES = 3


class _Example(NamedTuple):
    order: int
    id: str
    detail: str


class Ledger:
    """Counts rows per step and field, and keeps each reason's count and its first three examples by order.

    Merging is commutative and associative, so any number of ranks, merged in any order, give the same ledger.
    """

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, int]] = {}
        self._reasons: dict[tuple[str, str, str], tuple[int, list[_Example]]] = {}

    def count(self, step: str, field: str, n: int = 1) -> None:
        """Adds n rows to a field of a step.

        Raises:
            KeyError: there is no such field.
        """
        counts = self._counts.get(step)
        if counts is None:
            counts = self._counts[step] = dict.fromkeys(FIELDS, 0)
        counts[field] += n

    def reason(self, step: str, kind: str, code: str, row_id: str, detail: str, order: int) -> None:
        """Notes why a row was rejected, sent to review, dead-lettered or retried.

        Args:
            kind: one of KINDS.
            order: the row's place in the run's input; decides which examples are kept.
        """
        key = (step, kind, code)
        found = self._reasons.get(key)
        if found is None:
            self._reasons[key] = (1, [_Example(order, row_id, detail)])
            return
        count, examples = found
        if len(examples) >= EXAMPLES and order > examples[-1].order:
            self._reasons[key] = (count + 1, examples)
        else:
            self._reasons[key] = (count + 1, sorted([*examples, _Example(order, row_id, detail)])[:EXAMPLES])

    def reasons(self, step: str, kind: str, code: str, count: int, examples: Iterable[tuple[int, str, str]]) -> None:
        """Notes `count` rows of one reason at once.

        Args:
            examples: (order, row id, detail) of the first EXAMPLES of them by order; more are not needed.
        """
        other = Ledger()
        other._reasons[step, kind, code] = (count, sorted(_Example(*one) for one in examples)[:EXAMPLES])
        self.merge(other)

    def merge(self, other: Ledger) -> None:
        """Adds another ledger's counts and reasons."""
        for step, counts in other._counts.items():
            for field, n in counts.items():
                self.count(step, field, n)
        for key, (count, examples) in other._reasons.items():
            mine, kept = self._reasons.get(key, (0, []))
            self._reasons[key] = (mine + count, sorted([*kept, *examples])[:EXAMPLES])

    def to_json(self) -> dict[str, Any]:
        """{"counts": {step: {field: n}}, "reasons": {step: {code: {"kind", "count", "examples"}}}}, keys sorted.

        A code that a step used for several kinds stands once per kind: the gravest under the code itself, the others
        under `code (kind)`, with the code beside it.
        """
        reasons: dict[str, dict[str, Any]] = {}
        place = {kind: i for i, kind in enumerate(KINDS)}
        for step, kind, code in sorted(self._reasons, key=lambda k: (k[0], k[2], place.get(k[1], 9), k[1])):
            count, examples = self._reasons[step, kind, code]
            entry: dict[str, Any] = {
                "kind": kind,
                "count": count,
                "examples": [{"id": e.id, "detail": e.detail, "order": e.order} for e in examples],
            }
            name = code
            if code in reasons.setdefault(step, {}):
                name = f"{code} ({kind})"
                entry["code"] = code
            reasons[step][name] = entry
        return {"counts": {step: dict(self._counts[step]) for step in sorted(self._counts)}, "reasons": reasons}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Ledger:
        """The ledger that `to_json` wrote."""
        ledger = cls()
        for step, counts in value["counts"].items():
            for field, n in counts.items():
                ledger.count(step, field, n)
        for step, named in value["reasons"].items():
            for name, entry in named.items():
                examples = [_Example(e["order"], e["id"], e["detail"]) for e in entry["examples"]]
                ledger._reasons[step, entry["kind"], entry.get("code", name)] = (entry["count"], examples)
        return ledger

    def check(self) -> list[str]:
        """A sentence for each step where in ≠ accepted + rejected + review + dead; empty when all balance."""
        found = []
        for step in sorted(self._counts):
            c = self._counts[step]
            out = c["accepted"] + c["rejected"] + c["review"] + c["dead"]
            if c["in"] != out:
                found.append(
                    f"step {step!r} does not balance: {c['in']} rows went in, {out} are accounted for "
                    f"({c['accepted']} accepted, {c['rejected']} rejected, {c['review']} in review, {c['dead']} dead)"
                )
        return found
