"""personas.confidence: one number for how well a persona is borne out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Row, RowStep, parse_type


class ConfidenceConfig(Config):
    """See Confidence."""

    parts: dict[str, tuple[float, float]] = Field(
        ...,
        min_length=1,
        description="column, or field of a struct column (`judged.scores.implied`) → its lowest and highest value",
    )
    column: str = Field("confidence_score", min_length=1, description="column for the result")


class Confidence(RowStep[ConfidenceConfig]):
    """Writes the geometric mean of several measures, each put on 0 to 1 between its lowest and highest value.

    A part that is 0 makes the whole 0: no strong format makes up for a persona its text does not imply. Where a part is
    null the result is null, which says that it was not measured.
    """

    Config = ConfidenceConfig

    def reads(self, incoming: Columns) -> Columns:
        return dict.fromkeys(dict.fromkeys(path.partition(".")[0] for path in self.config.parts), "any")

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, {self.config.column: "float?"}, ("column",))

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        for path, (lowest, highest) in self.config.parts.items():
            if not lowest < highest:
                problem = f"{path}: the lowest value {lowest:g} is not below the highest {highest:g}"
                yield ConfigProblem(("parts", path), problem, "write [lowest, highest], such as [1, 5]")
            missing = _missing(path, incoming)
            if missing:
                yield ConfigProblem(("parts", path), missing, "name a number among the columns", "E501")

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        values = []
        for path, (lowest, highest) in self.config.parts.items():
            value: Any = row
            for name in path.split("."):
                value = value.get(name) if isinstance(value, Mapping) else None
            if value is None:
                return {self.config.column: None}
            values.append(min(1.0, max(0.0, (value - lowest) / (highest - lowest))))
        return {self.config.column: prod(values) ** (1 / len(values))}


def _missing(path: str, incoming: Columns) -> str:
    """What is wrong with a path, where the columns tell."""
    name, *fields = path.split(".")
    if name not in incoming:
        return ""  # told as a missing column already
    kind = parse_type(incoming[name])
    for field in fields:
        known = dict(kind.fields)
        if kind.kind == "struct" and field not in known:
            return f"{path}: {kind.text()} has no field {field!r}; it has {', '.join(known)}"
        if kind.kind != "struct":
            return "" if kind.kind in ("json", "any") else f"{path}: {kind.text()} has no fields"
        kind = known[field]
    return "" if kind.kind in ("int", "float", "json", "any") else f"{path} is {kind.text()}, not a number"
