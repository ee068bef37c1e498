"""The desk of a reviewer: the rows of a run that wait, what was decided on them, and the filing of decisions."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from attar.errors import AttarError, fail
from attar.store.decisions import Decision, Verb, append, latest, read_decisions, review_key
from attar.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row in review.

    Attributes:
        key: what a decision on it is filed under.
        judged: the row with its verdict as JSON text.
        trail: what was asked of models for it and what judges said, oldest first.
        columns: name → type of every column, the judge's verdict included.
        decided: the decision that counts, or None while nobody has decided.
    """

    key: str
    id: str
    step: str
    code: str
    detail: str
    attempt: int
    judged: str
    trail: Sequence[Mapping[str, Any]]
    columns: Mapping[str, str]
    decided: Decision | None = None

    @property
    def row(self) -> dict[str, Any]:
        """The columns, the verdict left out."""
        found: dict[str, Any] = orjson.loads(self.judged)
        found.pop(self.verdict_name, None)
        return found

    @property
    def verdict_name(self) -> str:
        """The judge's own column; it says what the judge said, so nobody edits it."""
        return self.step.rpartition(".")[2]

    @property
    def verdict(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = orjson.loads(self.judged).get(self.verdict_name) or {}
        return found


class Desk:
    """What waits in a run's `review/`, and the decisions in its recipe's journal."""

    def __init__(self, folder: Path) -> None:
        """Reads a run's folder.

        Raises:
            AttarError: E750, the run has laid nothing out for review yet.
        """
        self.folder = folder
        home = (folder if folder.name not in ("", "..") else folder.resolve()).parent
        self.recipe = home.absolute().name
        self.workspace = (
            Workspace(home.parent, home.name) if home.name else Workspace(home.absolute().parent, self.recipe)
        )
        try:
            self._manifest = orjson.loads((folder / "manifest.json").read_bytes())
        except (OSError, orjson.JSONDecodeError):
            self._manifest = {}
        self.file = str(self._manifest.get("file", ""))
        self.decisions = read_decisions(self.workspace.journal, judged=True)
        self._latest = latest(self.decisions)
        rows = list(self._read())
        self.waiting = [row for row in rows if row.decided is None]
        self.pending = [row for row in rows if row.decided is not None]
        """Decided, but no run has carried the decision on yet."""

    @property
    def name(self) -> str:
        return f"{self.recipe}/{self.folder.absolute().name}"

    def _read(self) -> Iterator[Waiting]:
        from attar.store.outcomes import read_outcomes

        review = self.folder / "review"
        if not review.is_dir():
            raise fail(
                "E750",
                f"{self.folder} holds no review/: the run has not ended yet, or was killed before its end",
                help="run the recipe again: it goes on where it stopped, and lays out what waits at its end",
                exit_code=1,
            )
        for outcome in read_outcomes(review):
            key = review_key(outcome["step"], outcome["id"], outcome["row"])
            yield Waiting(
                key,
                outcome["id"],
                outcome["step"],
                outcome["code"],
                outcome["detail"],
                outcome["attempt"],
                outcome["row"],
                orjson.loads(outcome["trail"] or "[]"),
                self._columns(outcome["step"]),
                self._latest.get(key),
            )

    def _columns(self, step: str) -> Mapping[str, str]:
        found: Mapping[str, str] = self._manifest.get("steps", {}).get(step, {}).get("columns", {})
        return found

    def decided_rows(self) -> list[Waiting]:
        """Every row that was ever decided, as it waited then, with the decision that counts; oldest first."""
        in_review = {row.key: row for row in self.pending}
        return [in_review.get(key) or self._of(decision) for key, decision in self._latest.items()]

    def _of(self, decision: Decision) -> Waiting:
        verdict = orjson.loads(decision.judged).get(decision.step.rpartition(".")[2]) or {}
        return Waiting(
            decision.key,
            decision.row,
            decision.step,
            verdict.get("code") or verdict.get("outcome") or "",
            verdict.get("feedback") or "",
            0,
            decision.judged,
            (),
            self._columns(decision.step),
            decision,
        )

    # -- finding -----------------------------------------------------------------------------------------------

    def find(self, start: str, step: str | None = None) -> Waiting:
        """The row whose id begins so: among those that wait, else among those decided on (minds may change).

        Raises:
            AttarError: E751, no row's id begins so; E752, several do.
        """
        for rows in (self.waiting, self.decided_rows()):
            found = [row for row in rows if row.id.startswith(start.lower()) and step in (None, row.step)]
            ids = list(dict.fromkeys(row.id for row in found))
            if len(ids) > 1:
                listed = ", ".join(ids[:6]) + (", …" if len(ids) > 6 else "")
                raise fail("E752", f"{len(ids)} rows have ids that begin with {start!r}", help=f"name one: {listed}")
            steps = list(dict.fromkeys(row.step for row in found))
            if len(steps) > 1:
                raise fail(
                    "E752",
                    f"row {ids[0]} is in review at several steps: {', '.join(steps)}",
                    help=f"name one, as with --step {steps[0]}",
                )
            if found:
                return found[-1]  # of several decided texts of one row, the last
        at = f" at {step!r}" if step else ""
        raise fail(
            "E751",
            f"no row in review of {self.name}{at} has an id that begins with {start!r}",
            help=f"list the rows that wait: attar review {self.recipe}" if self.waiting else "no row waits in this run",
        )

    def at(self, step: str | None) -> list[Waiting]:
        """The rows that wait, of one judge or of all.

        Raises:
            AttarError: E751, the recipe has no such step.
        """
        steps = self._manifest.get("steps", {})
        if step is not None and step not in steps:
            from attar.registry import suggest

            known = list(dict.fromkeys(row.step for row in (*self.waiting, *self.pending))) or list(steps)
            raise fail("E751", f"{self.recipe} has no step {step!r}", help=suggest(step, known, "steps"))
        return [row for row in self.waiting if step in (None, row.step)]

    def earlier(self, row: Waiting) -> list[Decision]:
        """What was decided before on the same row at the same judge: on other texts, or in place of what counts."""
        return [d for d in self.decisions if (d.row, d.step) == (row.id, row.step) and d != row.decided]

    # -- when and how ------------------------------------------------------------------------------------------

    def since(self, rows: Sequence[Waiting]) -> list[datetime | None]:
        """When each row was judged, as near as the files tell.

        The journal's segment with the last answer behind the verdict was begun with the run that asked for it. Where
        the index does not know the answer yet, or no model was asked, it is when the stage's rows were laid out.
        """
        from attar.store.index import Index
        from attar.store.segments import key_bytes, started

        laid_out = {step: self._laid_out(step) for step in {row.step for row in rows}}
        index = Index(self.workspace.journal)
        found: list[datetime | None] = []
        try:
            for row in rows:
                asked = next((entry["key"] for entry in reversed(row.trail) if entry.get("key")), None)
                place = index.find(key_bytes(asked)) if asked else None
                times = [laid_out[row.step], started(Path(place.segment)) if place is not None else 0]
                earliest = min((time for time in times if time), default=0)
                found.append(datetime.fromtimestamp(earliest / 1e9, UTC) if earliest else None)
        finally:
            index.close()
        return found

    def _laid_out(self, step: str) -> int:
        folders = [
            self.workspace.stage(stage["fingerprint"]) / "out" / "review"
            for stage in self._manifest.get("stages", ())
            if step in stage["steps"]
        ]
        for folder in (*folders, self.folder / "review"):
            parts = sorted(folder.glob("part-*"))
            if parts:
                return parts[0].stat().st_mtime_ns
        return 0

    def answers(self, row: Waiting) -> Mapping[str, str]:
        """Request key → the text a model answered, for the requests in a row's trail that the journal still holds."""
        from attar.store.journal import Journal, build_index
        from attar.store.lock import OwnerLock

        with suppress(AttarError, OSError), OwnerLock(self.workspace.lock_path):
            build_index(self.workspace.journal)  # while a run goes on, what it indexed at its start has to do
        found: dict[str, str] = {}
        with Journal(self.workspace.journal, "reader") as journal:
            for entry in row.trail:
                value = journal.get(entry["key"]) if entry.get("key") else None
                if isinstance(value, Mapping) and "text" in value:
                    found[entry["key"]] = str(value["text"])
        return found

    # -- filing ------------------------------------------------------------------------------------------------

    def file_all(self, decisions: Sequence[Decision]) -> Filed:
        """Files decisions under the recipe's lock; those that already count are left out.

        Raises:
            AttarError: E711, the recipe is being run.
        """
        from attar.store.lock import OwnerLock

        new = [d for d in decisions if d.key not in self._latest or self._latest[d.key].says() != d.says()]
        replaced = sum(d.key in self._latest for d in new)
        if new:
            try:
                lock = OwnerLock(self.workspace.lock_path).acquire()
            except AttarError as error:
                (found,) = error.diagnostics
                what = f"nothing was decided: {found.message}, and a run has to know all decisions when it begins"
                raise AttarError([replace(found, message=what)], exit_code=1) from None
            try:
                append(self.workspace.journal, new)
            finally:
                lock.release()
        keys = {decision.key for decision in new}
        left = [row for row in self.waiting if row.key not in keys]
        return Filed(len(new), len(decisions) - len(new), replaced, len(left))


@dataclass(frozen=True, slots=True)
class Filed:
    """What came of filing: new decisions, those that stood already, earlier ones replaced, rows that still wait."""

    written: int
    unchanged: int
    replaced: int
    waiting: int


def decide(
    row: Waiting, decision: Verb, reason: str, who: str, when: str, columns: Mapping[str, Any] | None = None
) -> Decision:
    """A decision on a row, not filed yet. Broken characters in what a person wrote are spelt out."""
    reason, who = (text.encode("utf-8", "backslashreplace").decode() for text in (reason.strip(), who))
    return Decision(row.key, row.step, row.id, decision, reason, who, when, dict(columns or {}), row.judged)


def now() -> str:
    """This moment in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def reviewer(given: str | None) -> str:
    """Who decides: as given, else ATTAR_REVIEWER, else the login name.

    Raises:
        AttarError: E753, nobody is named.
    """
    who = given if given is not None else os.environ.get("ATTAR_REVIEWER", "")
    if given is None and not who.strip():
        with suppress(OSError, KeyError, ImportError):
            who = getpass.getuser()
    who = " ".join(who.split())
    if not who:
        raise fail("E753", "it is not known who decides", help="name yourself with --who or ATTAR_REVIEWER")
    return who
