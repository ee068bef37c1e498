"""The config that std.slots and std.quota share: rows and axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from pydantic import Field

from attar.api import Config, ConfigProblem

from ._quota import Axes, Cell, Label, cell_counts

Weights = dict[str | int | float | bool, float]
Values = list[str | int | float | bool]
MAX_CELLS = 200_000


class AxesConfig(Config):
    rows: int = Field(..., ge=1, description="finished rows wanted")
    axes: dict[str, Weights | Values] = Field(
        ...,
        min_length=1,
        description="axis → labels with weights (`tier: {direct: 40, reasoning: 60}`), or a list of equal labels",
    )


def weighed(choices: Weights | Values) -> dict[Label, Fraction]:
    """Labels with their weights; those of a list weigh the same. Decimal weights mean what they look like."""
    if isinstance(choices, Mapping):
        return {label: Fraction(str(weight)) for label, weight in choices.items()}
    return {label: Fraction(1) for label in choices}


def axes_of(config: AxesConfig) -> Axes:
    """The axes of a config."""
    return {name: weighed(choices) for name, choices in config.axes.items()}


def cells_of(config: AxesConfig) -> dict[Cell, int]:
    """Rows wanted of each cell."""
    return cell_counts(config.rows, axes_of(config))


def type_of_labels(labels: Sequence[Any]) -> str | None:
    """The type of a column of these labels, or None where they disagree."""
    kinds = {type(label) for label in labels}
    if kinds <= {int, float} and float in kinds:
        return "float"
    return {str: "string", int: "int", float: "float", bool: "bool"}.get(kinds.pop()) if len(kinds) == 1 else None


def choice_problems(field: tuple[str, str], choices: Weights | Values) -> Iterator[ConfigProblem]:
    """Mistakes in one axis or one drawn column."""
    name = field[1]
    labels = list(choices)
    if not labels:
        yield ConfigProblem(field, f"{name!r} has no labels", "list at least one")
        return
    for n, label in enumerate(labels):
        if label in labels[:n]:
            yield ConfigProblem(field, f"{name!r} lists {label!r} twice", "give weights to make it more frequent")
            return
    if type_of_labels(labels) is None:
        yield ConfigProblem(
            field, f"the labels of {name!r} are of different types", "quote them: they become one column"
        )
    if isinstance(choices, Mapping):
        import math

        for label, weight in choices.items():
            if not math.isfinite(weight) or weight < 0:
                yield ConfigProblem((*field, str(label)), f"weight {weight:g} of {label!r} is not a share", "0 or more")
                return
        if not any(choices.values()):
            yield ConfigProblem(field, f"all weights of {name!r} are 0", "give one of them more")


def axes_problems(config: AxesConfig) -> Iterator[ConfigProblem]:
    """Mistakes in the axes."""
    cells = 1
    for name, choices in config.axes.items():
        yield from choice_problems(("axes", name), choices)
        cells *= max(len(choices), 1)
    if cells > MAX_CELLS:
        yield ConfigProblem(
            ("axes",), f"{cells:,} cells, more than {MAX_CELLS:,}", "use fewer axes, and draw the rest with draw:"
        )
