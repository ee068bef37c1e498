"""What in a recipe's folder no kept run uses.

A run is kept as long as its folder stands. It uses the stages its manifest names, and the answers that these stages'
rows came from or that it asked for itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attar.store.workspace import Workspace

PRUNED_KINDS = ("chat", "completion")
"""Trails name the answers of these kinds alone; embeddings, effects and the like are kept while any run is."""
DECISION = "decision"
"""What people decided is never deleted: it takes little room, and nobody can ask them again."""


@dataclass(slots=True)
class Findings:
    """What would be, or was, deleted in one recipe's folder.

    Attributes:
        folders: unused stages, what `--fresh` set aside, runs that are not kept, crash logs.
        answers: records of the journal that no kept run uses.
        bytes: size of `folders`.
    """

    recipe: str
    folders: list[Path] = field(default_factory=list)
    answers: int = 0
    bytes: int = 0


def runs_of(workspace: Workspace) -> list[Path]:
    """Folders of a recipe's runs: the latest first, then by the time they began."""
    runs = [file.parent for file in workspace.folder.glob("*/manifest.json")]
    latest = workspace.latest
    return sorted(runs, key=lambda run: (run != latest, -(run / "manifest.json").stat().st_mtime_ns, run.name))


def unused(workspace: Workspace, keep: int | None) -> tuple[Findings, list[Path]]:
    """What to delete, answers aside, and the folders of the runs that are kept.

    Args:
        keep: how many of the newest runs are kept; None keeps all.
    """
    runs = runs_of(workspace)
    kept = runs if keep is None else runs[:keep]
    stages = {workspace.stage(fingerprint) for run in kept for fingerprint in _stages(run)}
    found = Findings(workspace.recipe)
    found.folders = [
        *(run for run in runs if run not in kept),
        *(stage for stage in sorted(workspace.stages.glob("*")) if stage not in stages),
        *sorted(workspace.folder.glob("aside-*")),
        *sorted(workspace.folder.glob("crash-*.log")),
    ]
    found.bytes = sum(_size(path) for path in found.folders)
    return found, kept


def unused_answers(workspace: Workspace, kept: list[Path]) -> set[str]:
    """Keys of the journal's records that no kept run uses; all of them where no run is kept."""
    from attar.store.journal import records

    if not kept:
        return {record.key for record in records(workspace.journal) if record.kind != DECISION}
    used = {key for run in kept for fingerprint in _stages(run) for key in _keys(workspace.stage(fingerprint))}
    own = _asked_by(workspace, {run.name for run in kept})
    return {
        record.key
        for record in records(workspace.journal)
        if record.kind in PRUNED_KINDS and record.key not in used and record.key not in own
    }


def _stages(run: Path) -> list[str]:
    manifest: dict[str, Any] = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    return [stage["fingerprint"] for stage in manifest.get("stages", ())]


def _keys(stage: Path) -> Iterator[str]:
    """Request keys in the trails of a stage's rows, those that did not make it included."""
    from attar.store.outcomes import read_outcomes
    from attar.store.tables import StoredTable

    for tap in sorted((stage / "out" / "taps").glob("*")):
        for batch in StoredTable(tap).batch_slice(0, None):
            for trail in batch.column("__trail").to_pylist():
                yield from _named(trail)
    for kind in ("rejected", "review", "dead"):
        if (stage / "out" / kind).is_dir():
            for outcome in read_outcomes(stage / "out" / kind):
                yield from _named(outcome["trail"])


def _named(trail: bytes | str | None) -> Iterator[str]:
    for entry in json.loads(trail) if trail else ():
        if entry.get("key"):
            yield entry["key"]


def _asked_by(workspace: Workspace, runs: set[str]) -> set[str]:
    """Keys in the journal segments that these runs wrote: an unfinished run has no rows yet, only answers."""
    from attar.store.segments import Entry, scan, segment_paths

    own: set[str] = set()
    for path in segment_paths(workspace.journal):
        writer = re.match(r"[0-9a-f]+", path.name)
        if writer is not None and writer[0] in runs:
            own.update(entry.key.hex() for entry in scan(path) if isinstance(entry, Entry))
    return own


def _size(path: Path) -> int:
    files = [path] if path.is_file() else (file for file in path.rglob("*") if file.is_file())
    return sum(file.stat().st_size for file in files)
