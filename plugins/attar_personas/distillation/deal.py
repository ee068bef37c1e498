"""personas.deal: every row gets its share of each mix, exactly, in any prefix."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from attar.api import Columns, Config, ConfigProblem, Context, DatasetStep, Drop, New, Row, RowSet


def _weights(value: Any) -> Any:
    """Also takes `[article, qa]`, `[article:3, qa:1]`, or the same as one text with commas, as command lines do."""
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        return value
    weights: dict[str, float] = {}
    for part in value:
        label, colon, weight = str(part).strip().rpartition(":")
        if not colon:
            label, weight = weight, "1"
        try:
            number = float(weight)
        except ValueError:
            raise ValueError(f"expected label:weight, found {part!r}") from None
        if label.strip() in weights:
            raise ValueError(f"{label.strip()!r} is there twice")
        weights[label.strip()] = number
    return weights


Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Weights = Annotated[dict[str, Weight], BeforeValidator(_weights), Field(min_length=1)]


class DealConfig(Config):
    """See Deal."""

    axes: dict[str, Weights] = Field(
        min_length=1, description="name → labels with weights: `{article: 3, qa: 1}`, `[article:3, qa:1]` or `[hi, ta]`"
    )
    known: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="axis → labels it may have, where others would be a mistake"
    )
    each: int = Field(1, ge=1, le=1000, description="deals per row")
    column: str = Field("deals", description="column for the deals of a row: a list of structs with a field per axis")


class Deal(DatasetStep[DealConfig]):
    """Deals labels to rows so that every prefix of the rows has each label's exact share, off by less than one.

    No draw: the label furthest behind its share comes next, axis by axis within the labels of the axes before it, so
    that two axes do not fall into step. Writes one list column with `each` structs per row, to be made rows by
    `personas.near_tasks` or `std.explode` (`spread: true`). Shares hold for the rows that enter; what later steps
    reject they do not replace.
    """

    Config = DealConfig

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        for name, weights in self.config.axes.items():
            if not sum(weights.values()):
                yield ConfigProblem(("axes", name), f"no label of {name!r} has a weight", "give one of them a weight")
            for label in weights:
                if not label:
                    yield ConfigProblem(("axes", name), f"a label of {name!r} is empty", "name it")
                elif label not in self.config.known.get(name, (label,)):
                    known = ", ".join(self.config.known[name])
                    yield ConfigProblem(("axes", name), f"{name} has no label {label!r}", f"choose from: {known}")

    def writes(self, incoming: Columns) -> Columns:
        fields = ",".join(f"{name}:string" for name in self.config.axes)
        return self.add(incoming, {self.config.column: f"list<struct<{fields}>>"})

    def apply(self, rows: RowSet, ctx: Context) -> Iterator[Row | Drop | New]:
        axes = {name: shares(weights) for name, weights in self.config.axes.items()}
        dealt: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for row in rows:
            deals = [deal_one(axes, dealt) for _ in range(self.config.each)]
            yield Row(row.id, {**row, self.config.column: deals}, row.parents, row.attempt)


def shares(weights: Mapping[str, float]) -> dict[str, Fraction]:
    """Labels with a weight, as exact shares of 1, in the order given."""
    exact = {label: Fraction(str(weight)) for label, weight in weights.items() if weight}
    whole = sum(exact.values(), Fraction(0))
    return {label: weight / whole for label, weight in exact.items()}


def deal_one(axes: Mapping[str, Mapping[str, Fraction]], dealt: dict[tuple[str, ...], Counter[str]]) -> dict[str, str]:
    """The next label of each axis; counts it in `dealt`, by the labels of the axes before it."""
    chosen: dict[str, str] = {}
    before: tuple[str, ...] = ()
    for name, parts in axes.items():
        counts = dealt[before]
        label = next_label(parts, counts)
        counts[label] += 1
        chosen[name] = label
        before = (*before, label)
    return chosen


def next_label(parts: Mapping[str, Fraction], counts: Mapping[str, int]) -> str:
    """The label whose next unit falls due first, among those that are not ahead of their share (Still 1979).

    Picking by due date alone among eligible labels keeps every label within one of its share in every prefix; the
    label furthest behind, the simpler rule, does so for two labels only.
    """
    total = sum(counts.get(label, 0) for label in parts)
    eligible = [label for label, share in parts.items() if counts.get(label, 0) < share * (total + 1)]
    labels: Sequence[str] = eligible or list(parts)
    return min(labels, key=lambda label: (counts.get(label, 0) + 1) / parts[label])
