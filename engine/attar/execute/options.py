"""What a run is asked for and what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["done", "fell_short", "interrupted", "failed"]
OnEvent = Callable[[Mapping[str, Any]], None]

EXIT_CODES: Mapping[Outcome, int] = {"done": 0, "fell_short": 1, "failed": 1, "interrupted": 130}


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run a plan; nothing here can change the data (`limit` aside, which asks for less of it).

    Attributes:
        workers: processes that work side by side on this machine; 1 works in the calling process.
        shards: ranks a stage is cut into; None = as many as workers.
        limit: first n records of each source; None = all.
        backend: overrides every model's backend.
        in_flight: overrides every model's requests in flight.
        fresh: sets the journal and all stages aside first, so that everything is paid again.
        runs: the folder that holds all runs.
    """

    workers: int = 1
    shards: int | None = None
    limit: int | None = None
    backend: str | None = None
    in_flight: int | None = None
    fresh: bool = False
    runs: Path = Path("runs")


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. `results` is what results.json holds; `path` is the run's folder."""

    outcome: Outcome
    exit_code: int
    results: Mapping[str, Any]
    path: Path


@dataclass(slots=True)
class Interrupted(BaseException):
    """The user asked to stop; all answers received so far are journalled."""

    why: str = field(default="interrupted")
