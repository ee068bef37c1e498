"""What a rank of a stage needs to do its work: plain picklable data, handed to datatrove with the pipeline."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from attar.models import ServedModel
from attar.plan.types import Plan, Stage


@dataclass(frozen=True, slots=True)
class StageJob:
    """One stage to run.

    Attributes:
        folder: the stage's folder; ranks write under `ranks/`, joined output stands under `out/`.
        total: rows that enter (records of the source, or rows of the input table); None where only reading tells.
        limit: first n records of a source, where the run asked for a limit.
        served: the models this stage uses, resolved.
        workers: processes that share each server's in-flight limit.
        tables: step → folder of its finished output, for inputs and side tables.
        owner: pid of the driver; a worker ends when it is gone.
        owner_started: when it started, so that a pid given to another process is not taken for it.
        stop_file: exists once the user asked to stop.
    """

    plan: Plan
    stage: Stage
    folder: Path
    journal: Path
    writer: str
    total: int | None
    limit: int | None
    served: Mapping[str, ServedModel]
    workers: int
    tables: Mapping[str, Path]
    owner: int
    owner_started: int | None
    stop_file: Path

    @property
    def scratch(self) -> Path:
        return self.folder / "scratch"

    def slice(self, rank: int, world_size: int) -> tuple[int, int | None]:
        """The contiguous records [start, stop) of a rank; stop None = to the end."""
        if self.total is None:
            return 0, self.limit
        return rank * self.total // world_size, (rank + 1) * self.total // world_size

    def in_driver(self) -> bool:
        return os.getpid() == self.owner
