"""A step while it is being planned: what is known of it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from attar.api import Columns, DatasetStep, Judge, MergeStep, RowStep, Sink, Source, Step
from attar.plan.types import Kind
from attar.recipe.loaded import LoadedStep, YamlPath


@dataclass(slots=True)
class Draft:
    """One step on its way to a PlannedStep.

    Attributes:
        cls: its class; None where it cannot be had.
        step: the instance; None where its config is wrong.
        inputs, side: as in PlannedStep, existing steps only.
        incoming, columns: None where they cannot be known because of an earlier mistake; followers are then not judged.
        reads: columns it reads.
        prompts: (config path, value, prompt) of each loaded prompt file.
        unjoinable: True where `from` names steps that cannot be joined row by row.
        asks: True where the config names any model, known or not.
        tainted: True where columns that the step writes cannot be trusted (a schema that could not be read).
    """

    loaded: LoadedStep
    cls: type[Step[Any]] | None = None
    step: Step[Any] | None = None
    inputs: tuple[str, ...] = ()
    side: dict[str, str] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    incoming: Columns | None = None
    columns: Columns | None = None
    reads: tuple[str, ...] = ()
    prompts: list[tuple[YamlPath, str, Any]] = field(default_factory=list)
    by: list[tuple[YamlPath, str]] = field(default_factory=list)
    tainted: bool = False
    unjoinable: bool = False
    asks: bool = False
    scope: str = ""
    region: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.loaded.name

    @property
    def kind(self) -> Kind | None:
        return kind_of(self.cls) if self.cls is not None else None

    @property
    def expands(self) -> bool:
        return self.cls is not None and issubclass(self.cls, RowStep) and self.cls.expands


def kind_of(cls: type[Step[Any]]) -> Kind | None:
    """What kind of step a class is; None where it is none of them."""
    kinds: tuple[tuple[type[Step[Any]], Kind], ...] = (
        (Source, "source"),
        (RowStep, "row"),
        (Judge, "judge"),
        (MergeStep, "merge"),
        (DatasetStep, "dataset"),
        (Sink, "sink"),
    )
    for base, kind in kinds:
        if issubclass(cls, base):
            return kind
    return None
