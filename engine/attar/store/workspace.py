"""Where everything of a recipe lies: `runs/<recipe>/` with lock, journal, stages and one folder per run."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

from attar.errors import AttarError, fail
from attar.store.decisions import decision_segments
from attar.store.files import write_bytes_atomic, write_json_atomic
from attar.store.index import NAME as INDEX
from attar.store.outcomes import OUTCOME_SCHEMA, OutcomeWriter, join_outcomes, read_outcomes
from attar.store.parts import write_parts
from attar.store.publish import publish_folder, sweep_aside

__all__ = [
    "OUTCOME_SCHEMA",
    "OutcomeWriter",
    "Workspace",
    "find_run",
    "join_outcomes",
    "known_runs",
    "publish_folder",
    "read_outcomes",
    "write_json_atomic",
    "write_parts",
]

RUN_NAME_DIGITS = 12
_LATEST = "latest"
_LEFTOVERS = (".*.draft", ".*.joining", ".*.tmp", ".sort-*", ".index.idx.*")


class Workspace:
    """The folder of one recipe. Making the object touches nothing on disk."""

    def __init__(self, root: Path, recipe: str) -> None:
        self.root = root
        self.recipe = recipe
        self.folder = root / recipe
        self.lock_path = self.folder / "lock"
        self.journal = self.folder / "journal"
        self.stages = self.folder / "stages"

    def run(self, digest: str) -> Path:
        """The folder of the run with this plan digest."""
        return self.folder / digest[:RUN_NAME_DIGITS]

    def stage(self, fingerprint: str) -> Path:
        """The folder of a stage; runs with the same fingerprint share it."""
        return self.stages / fingerprint

    @property
    def latest(self) -> Path | None:
        """The folder of the run that started last, or None."""
        return _latest(self.folder)

    def set_latest(self, run_name: str) -> None:
        """Notes which run started last."""
        write_bytes_atomic(self.folder / _LATEST, f"{run_name}\n".encode())

    def set_aside(self) -> Path | None:
        """For a fresh start: moves journal and stages into `aside-<n>/`, so nothing paid for is destroyed.

        What people decided on rows in review stays: it holds only where the same text gets the same verdict again.

        Returns:
            where they are now, or None where there was nothing.
        """
        staying = {path.name for path in decision_segments(self.journal)}
        answers = [path for path in self.journal.iterdir() if path.name not in staying] if self.journal.exists() else []
        present = [path for path in (self.stages, self.journal) if path.exists()]
        if staying and not answers:
            present.remove(self.journal)
        if not present:
            return None
        number = 1 + max((int(n) for p in self.folder.glob("aside-*") if (n := p.name[6:]).isdigit()), default=0)
        aside = self.folder / f"aside-{number}"
        aside.mkdir()
        for path in present:  # stages first: without their journal they would only be reused, never repaid
            if path == self.journal and staying:
                (aside / path.name).mkdir()
                for part in sorted(answers, key=lambda part: part.name != INDEX):  # first what knows places of others
                    part.rename(aside / path.name / part.name)
            else:
                path.rename(aside / path.name)
        return aside

    def clean_leftovers(self) -> None:
        """Sweeps away what killed runs left half written. Only for the owner of the lock."""
        if not self.folder.is_dir():
            return
        places = [self.folder, self.journal, *(p for p in self.folder.iterdir() if (p / "manifest.json").is_file())]
        places += [*self.stages.glob("*"), *self.stages.glob("*/out"), *self.stages.glob("*/out/taps")]
        for place in places:
            if place.is_dir():
                sweep_aside(place)
                for pattern in _LEFTOVERS:
                    for leftover in place.glob(pattern):
                        _remove(leftover)


def find_run(text: str, root: Path) -> Path:
    """The folder of a run, by its path, `recipe/run` (or the start of the run's name), or a recipe for its latest run.

    Raises:
        AttarError: E701, nothing answers to that name; the help names what comes nearest.
    """
    for folder in (root / text, Path(text)):
        for candidate in (folder, _latest(folder)):
            if candidate is not None and _is_run(candidate):
                return candidate
    recipe, slash, start = text.partition("/")
    pattern = f"{recipe}/{start}*" if slash else f"*/{text}*"
    if not any(char in text for char in "*?[") and text.strip("/. "):
        begun = [folder for folder in root.glob(pattern) if _is_run(folder)]
        if len(begun) == 1:
            return begun[0]
        if begun:
            names = ", ".join(sorted(str(folder.relative_to(root)) for folder in begun))
            raise fail("E701", f"{text!r} is the start of several runs' names", help=f"name one of them: {names}")
    raise _unknown(text, root)


def known_runs(root: Path) -> list[str]:
    """`recipe/run` of every run under a root, sorted."""
    return sorted(str(file.parent.relative_to(root)) for file in root.glob("*/*/manifest.json"))


def _is_run(folder: Path) -> bool:
    return (folder / "manifest.json").is_file() or (folder / "results.json").is_file()


def _latest(folder: Path) -> Path | None:
    try:
        name = (folder / _LATEST).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return folder / name if name else None


def _unknown(text: str, root: Path) -> AttarError:
    runs = known_runs(root)
    if not runs:
        return fail(
            "E701", f"no run answers to {text!r}: there are no runs in {root}", help="--runs names another folder"
        )
    recipes = sorted({run.partition("/")[0] for run in runs})
    near = difflib.get_close_matches(text, [*recipes, *runs], n=3)
    advice = f"did you mean {' or '.join(near)}?" if near else f"runs here: {', '.join(runs[:20])}"
    return fail("E701", f"no run answers to {text!r} in {root}", help=advice)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
