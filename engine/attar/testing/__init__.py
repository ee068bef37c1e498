"""For authors of plugins and recipes: a stand-in server, fakes, and the contract every step keeps to.

    from attar.testing import FakeContext, StepContract, build, run_row_step

Needs pytest only for `StepContract` and the fixtures in `attar.testing.pytest_plugin`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attar.testing.contract import StepContract
    from attar.testing.fakes import FakeContext, ListRowSet, make_rows
    from attar.testing.responders import Reply
    from attar.testing.settings import Settings
    from attar.testing.stand_in import StandInServer
    from attar.testing.steps import (
        build,
        prompt,
        run_dataset_step,
        run_judge,
        run_merge_step,
        run_row_step,
        run_sink,
        run_source,
        schema,
    )

_HOMES = {
    "contract": ("StepContract",),
    "fakes": ("FakeContext", "ListRowSet", "make_rows"),
    "responders": ("Reply",),
    "settings": ("Settings",),
    "stand_in": ("StandInServer",),
    "steps": (
        "build",
        "prompt",
        "run_dataset_step",
        "run_judge",
        "run_merge_step",
        "run_row_step",
        "run_sink",
        "run_source",
        "schema",
    ),
}

__all__ = [
    "FakeContext",
    "ListRowSet",
    "Reply",
    "Settings",
    "StandInServer",
    "StepContract",
    "build",
    "make_rows",
    "prompt",
    "run_dataset_step",
    "run_judge",
    "run_merge_step",
    "run_row_step",
    "run_sink",
    "run_source",
    "schema",
]


def __getattr__(name: str) -> Any:
    """Imported on first use: the server's process must start fast, and pytest is no dependency."""
    import importlib

    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"attar.testing.{home}"), name)
    raise AttributeError(f"module 'attar.testing' has no attribute {name!r}")
