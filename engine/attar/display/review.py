"""Rows in review as text: the list of those that wait, one row in full, and what was decided."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Protocol

from attar.display.words import duration, shorten, table

SHORT_ID = 8
_DETAIL = 60


class Decided(Protocol):
    """What a person decided."""

    @property
    def decision(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def who(self) -> str: ...
    @property
    def when(self) -> str: ...
    @property
    def columns(self) -> Mapping[str, Any]: ...


class InReview(Protocol):
    """A row in review."""

    @property
    def id(self) -> str: ...
    @property
    def step(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def row(self) -> Mapping[str, Any]: ...
    @property
    def verdict(self) -> Mapping[str, Any]: ...
    @property
    def trail(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def decided(self) -> Decided | None: ...


def waiting_table(rows: Sequence[InReview], since: Sequence[datetime | None], now: datetime) -> str:
    """One line per row that waits: judge, shortest unambiguous id, code, age, reason."""
    short = short_ids(row.id for row in rows)
    lines = [
        [row.step, short[row.id], row.code, age(began, now), shorten(visible(row.detail), _DETAIL)]
        for row, began in zip(rows, since, strict=True)
    ]
    return table(("step", "id", "code", "age", "reason"), lines, left=5)


def decided_table(rows: Sequence[InReview], pending: set[str]) -> str:
    """One line per row that was decided: judge, id, decision, who, when, whether a run has carried it on, reason."""
    short = short_ids(row.id for row in rows)
    lines = []
    for row in rows:
        decision = row.decided
        assert decision is not None
        carried = "next run" if row.id in pending else ""
        lines.append(
            [
                row.step,
                short[row.id],
                decision.decision,
                decision.who,
                decision.when,
                carried,
                shorten(visible(decision.reason), _DETAIL),
            ]
        )
    return table(("step", "id", "decision", "who", "when", "", "reason"), lines, left=7)


def whole_row(
    row: InReview, answers: Mapping[str, str], since: datetime | None, earlier: Sequence[Decided] = ()
) -> str:
    """A row in full: verdict, columns, every try with answers and feedback, and what was decided.

    Args:
        answers: request key → what the model said.
        earlier: decisions on the same row that do not count for this text.
    """
    began = f", since {since:%Y-%m-%d %H:%M} UTC" if since is not None else ""
    parts = [f"Row {row.id} at {row.step}{began}"]
    parts.append("Verdict\n" + "\n".join(_verdict(row)))
    parts.append("Row\n" + "\n".join(f"  {name}: {_value(value)}" for name, value in row.row.items()))
    if row.trail:
        parts.append("History\n" + "\n".join(_history(row.trail, answers)))
    if earlier:
        parts.append("Decided before\n" + "\n".join(line for one in earlier for line in _decision(one)))
    if row.decided is not None:
        parts.append("Decided\n" + "\n".join(_decision(row.decided)))
    return "\n\n".join(parts)


def short_ids(ids: Iterable[str]) -> dict[str, str]:
    """Id → its shortest start that no other id has, of at least eight digits."""
    ordered = sorted(set(ids))
    lengths = dict.fromkeys(ordered, SHORT_ID)
    for one, other in pairwise(ordered):
        common = next((i for i, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(one))
        for id in (one, other):
            lengths[id] = max(lengths[id], common + 1)
    return {id: id[: lengths[id]] for id in ordered}


def age(began: datetime | None, now: datetime) -> str:
    """How long ago: `12 s`, `2 h 10 min`, `3 d`; `–` where it is unknown."""
    if began is None:
        return "–"
    seconds = max(0.0, (now - began).total_seconds())
    return f"{int(seconds // 86400)} d" if seconds >= 2 * 86400 else duration(float(round(seconds)))


def _verdict(row: InReview) -> list[str]:
    verdict = row.verdict
    lines = [f"  {verdict.get('outcome', '?')}, laid aside as {row.code}"]
    if row.detail:
        lines.append(f"  {_value(row.detail)}")
    scores = {name: score for name, score in (verdict.get("scores") or {}).items() if score is not None}
    if scores:
        lines.append("  scores: " + ", ".join(f"{name} {score:g}" for name, score in scores.items()))
    return lines


def _history(trail: Sequence[Mapping[str, Any]], answers: Mapping[str, str]) -> list[str]:
    lines: list[str] = []
    for entry in trail:
        place = f"  {entry['step']}, try {entry['attempt']}"
        if "decision" in entry:
            lines.append(f"{place}: {entry['decision']} by {entry['who']} at {entry['when']}: {entry['reason']}")
        elif "outcome" in entry:
            said = [str(entry["outcome"])]
            if entry.get("code"):
                said.append(f"({entry['code']})")
            lines.append(
                f"{place}: {' '.join(said)}" + (f": {_value(entry['feedback'])}" if entry.get("feedback") else "")
            )
        elif "key" in entry:
            cost = f"{entry.get('prompt_tokens', 0):,} + {entry.get('completion_tokens', 0):,} tokens"
            lines.append(f"{place}: {entry.get('model', '')} answered ({cost})")
            if entry["key"] in answers:
                lines.append(f"    {_value(answers[entry['key']], '    ')}")
    return lines


def _decision(decision: Decided) -> list[str]:
    lines = [f"  {decision.decision} by {decision.who} at {decision.when}: {decision.reason}"]
    lines += [f"  {name} becomes: {_value(value)}" for name, value in decision.columns.items()]
    return lines


def _value(value: Any, indent: str = "  ") -> str:
    """A value in full; further lines of a text are indented as the first one is."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"\n{indent}  ".join(visible(text).split("\n"))


def visible(text: str) -> str:
    """A text without characters that would command the terminal; models write all sorts of things."""
    return "".join(c if c in "\n\t" or (c >= " " and not "\x7f" <= c <= "\x9f") else "�" for c in text)
