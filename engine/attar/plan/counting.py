"""A look at a source before a run: its first rows, and how many it has where that costs little to know."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from attar.api import Reject, Retry, Source
from attar.identity import seed_of
from attar.plan.types import Plan

CHEAP_BYTES = 64 << 20
"""Sources with more to read than this are not counted before a run."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen of a source: its first good rows, and its record count (None where unknown)."""

    rows: tuple[Mapping[str, Any], ...] = ()
    count: int | None = None


class LookContext:
    """The Context of a source that is only looked at: seeded as in a run, no models, a scratch folder of its own."""

    def __init__(self, plan: Plan, step: str, scratch: Path) -> None:
        self.step = step
        self.scratch = scratch
        self.out = scratch
        self.retry = Retry()
        self._seed = plan.seed
        self.rng = Random(self.seed())

    def seed(self, key: str = "", sample: int = 0) -> int:
        return seed_of(self._seed, self.step, "", 1, key, sample)


def sample_source(plan: Plan, name: str, rows: int = 3) -> Sample:
    """Reads a few rows of a source; counts it where its files are local and small, or it reads none."""
    step = plan.steps[name].step
    assert isinstance(step, Source)
    with tempfile.TemporaryDirectory() as folder:
        ctx: Any = LookContext(plan, name, Path(folder))
        try:
            if _too_large(step):
                return Sample()
            count = step.count(ctx)
            stop = rows if count is None else min(rows, count)
            found = [columns for _, columns in step.rows(0, stop, ctx) if not isinstance(columns, Reject)]
        except Exception:  # a look must not fail a plan; the run will say what is wrong
            return Sample()
        return Sample(tuple(dict(columns) for columns in found[:rows]), count)


def _too_large(step: Source[Any]) -> bool:
    from attar.recipe.files import is_url

    total = 0
    for name in step.inputs():
        if is_url(name):
            return True
        total += os.path.getsize(name)  # noqa: PTH202
    return total > CHEAP_BYTES
