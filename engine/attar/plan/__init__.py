"""From a recipe to a plan: graph, columns, stages, fingerprints; every mistake found before anything runs."""

from attar.plan.build import build
from attar.plan.check import check
from attar.plan.types import Plan, PlannedOutput, PlannedStep, Stage

__all__ = [
    "Plan",
    "PlannedOutput",
    "PlannedStep",
    "Stage",
    "build",
    "check",
    "restamp",
    "schemas",
]

_LATE = {  # imported on first use: `validate` must start fast
    "restamp": "attar.plan.fingerprint",
    "schemas": "attar.plan.json_schemas",
}


def __getattr__(name: str) -> object:
    if name in _LATE:
        from importlib import import_module

        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
