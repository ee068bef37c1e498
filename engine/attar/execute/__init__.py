"""Runs plans: stages on datatrove executors, rows through the row graph, whatever happens on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attar.execute.options import Interrupted, OnEvent, RunOptions, RunResult

if TYPE_CHECKING:
    from attar.execute.driver import run
    from attar.execute.prepared import Prepared, prepare

__all__ = ["Interrupted", "OnEvent", "Prepared", "RunOptions", "RunResult", "prepare", "run"]


def __getattr__(name: str) -> Any:
    # datatrove and pyarrow are loaded only when something runs.
    if name == "run":
        from attar.execute.driver import run

        return run
    if name in ("prepare", "Prepared"):
        from attar.execute import prepared

        return getattr(prepared, name)
    raise AttributeError(name)
