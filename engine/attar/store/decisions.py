"""What people decided on rows that waited for review, kept in the recipe's journal in segment files of their own.

A decision is filed under what was decided on: judge, row, text and verdict (`review_key`). It holds wherever the same
row arrives with the same verdict, and never for another text. Every call of `append` makes one segment, which is there
as a whole or not at all; decisions are numbered, and of one key the latest counts, whatever the clocks say.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import orjson

from attar.identity import H, bytes_digest
from attar.store.files import fsync_folder
from attar.store.segments import SUFFIX, Entry, decode, encode, key_bytes, scan

KIND = "decision"
WRITER = "review"
"""Begins the names of the segments that hold decisions; a run's own begin with the run's name, in hex digits."""
Verb = Literal["approve", "edit", "reject"]
VERBS: tuple[Verb, ...] = ("approve", "edit", "reject")


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of one person on one row.

    Attributes:
        key: what was decided on (`review_key`).
        step: the judge that laid the row aside, by its full name.
        row: the row's id.
        decision: approve, edit or reject.
        reason: in the person's words.
        who: the person.
        when: ISO 8601, UTC, to the second.
        columns: for an edit, the changed columns with their new values.
        judged: the row with its verdict as it waited, as JSON text; empty where it was not asked for.
        number: counts up through all decisions of a recipe; set by `append`.
    """

    key: str
    step: str
    row: str
    decision: Verb
    reason: str
    who: str
    when: str
    columns: Mapping[str, Any] = field(default_factory=dict)
    judged: str = ""
    number: int = 0

    def says(self) -> tuple[Any, ...]:
        """What was decided, by whom and why, without when: equal for a sheet that is read twice."""
        return self.decision, orjson.dumps(dict(self.columns), option=orjson.OPT_SORT_KEYS), self.reason, self.who


def review_key(step: str, row: str, judged: bytes | str) -> str:
    """The key of a row that waits for review: 32 hex digits.

    Args:
        step: the judge's full name.
        row: the row's id.
        judged: the row's columns with the verdict, as JSON; the order of keys does not count.
    """
    plain = orjson.dumps(orjson.loads(judged), option=orjson.OPT_SORT_KEYS)
    return H("review", step, row, bytes_digest(plain))


def read_decisions(
    journal: Path, steps: Collection[str] | None = None, *, judged: bool = False
) -> tuple[Decision, ...]:
    """All decisions in a journal's folder, in the order they were made. Reads nothing but decisions.

    Args:
        steps: only those of these judges; None = all.
        judged: also the rows as they waited, which take more memory than all else.
    """
    found: list[Decision] = []
    for path in decision_segments(journal):
        with path.open("rb") as file:
            for entry in scan(path):
                if not isinstance(entry, Entry):
                    continue
                file.seek(entry.offset)
                record = decode(file.read(entry.end - entry.offset))
                if record is None or record[1] != KIND:
                    continue
                value = record[2]
                if steps is None or value["step"] in steps:
                    if not judged:
                        value["judged"] = ""
                    found.append(Decision(**value))
    return tuple(sorted(found, key=lambda decision: (decision.number, decision.when, decision.key)))


def latest(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """Key → the decision that counts: the last one. `decisions` in the order of `read_decisions`."""
    return {decision.key: decision for decision in decisions}


def append(journal: Path, decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """Files decisions, all of them or (where this process is killed) none. Only for the owner of the recipe's lock.

    Returns:
        the decisions with their numbers.

    Raises:
        OSError: the disk refused; nothing was filed.
    """
    if not decisions:
        return ()
    journal.mkdir(parents=True, exist_ok=True)
    number = max((earlier.number for earlier in read_decisions(journal)), default=0)
    numbered = tuple(replace(decision, number=number + k) for k, decision in enumerate(decisions, start=1))
    path = journal / f"{WRITER}-{os.getpid()}-{time.time_ns()}{SUFFIX}"
    draft = path.with_name(f".{path.name}.tmp")  # swept by the next run where a kill leaves it
    try:
        with draft.open("wb") as file:
            for decision in numbered:
                key = key_bytes(H(KIND, decision.key, decision.number))
                file.write(encode(key, KIND, asdict(decision)))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    fsync_folder(journal)
    return numbered


def decision_segments(journal: Path) -> list[Path]:
    """The segment files that hold decisions, by name."""
    return sorted(journal.glob(f"{WRITER}-*{SUFFIX}"))


@dataclass(frozen=True, slots=True)
class Stand:
    """How far the decisions on one judge's rows have come.

    Attributes:
        made: decisions made so far, those that others replaced included.
        digest: of the decisions that count, all they say included; what a stage's fingerprint takes up.
    """

    made: int
    digest: str


def stands(journal: Path) -> dict[str, Stand]:
    """Judge → how far its decisions have come; judges without decisions are absent."""
    by_step: dict[str, list[Decision]] = {}
    for decision in read_decisions(journal):
        by_step.setdefault(decision.step, []).append(decision)
    found = {}
    for step, made in sorted(by_step.items()):
        counting = [
            [key, d.decision, dict(d.columns), d.reason, d.who, d.when] for key, d in sorted(latest(made).items())
        ]
        found[step] = Stand(len(made), H("decisions", counting))
    return found
