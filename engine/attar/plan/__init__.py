"""From a recipe to a plan: graph, columns, stages, fingerprints; every mistake found before anything runs."""

from attar.plan.build import build
from attar.plan.check import check
from attar.plan.types import Plan, PlannedOutput, PlannedStep, Stage

__all__ = ["Plan", "PlannedOutput", "PlannedStep", "Stage", "build", "check", "restamp"]


def __getattr__(name: str) -> object:
    if name == "restamp":  # hashing is only needed where something runs
        from attar.plan.fingerprint import restamp

        return restamp
    raise AttributeError(name)
