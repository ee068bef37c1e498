"""What calls cost, per step and model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attar.recipe.language import Prices

_SUMS = (
    "requests",
    "journal_hits",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "format_retries",
    "transport_retries",
    "refused",
    "seconds",
)


class Usage:
    """Sums of one step's calls to one model.

    `requests` counts requests answered by the server (with an answer or a permanent refusal); tokens are those of
    these requests, so answers from the journal cost nothing. `transport_retries` counts tries that came to nothing,
    `seconds` the time from first try to answer, summed over requests.
    """

    __slots__ = ("in_flight", *_SUMS)

    def __init__(self) -> None:
        self.in_flight = 0
        self.requests = 0
        self.journal_hits = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cached_tokens = 0
        self.format_retries = 0
        self.transport_retries = 0
        self.refused = 0
        self.seconds = 0.0


class Meter:
    """Usage by step and model name. One per process; read at any time."""

    def __init__(self) -> None:
        self._usage: dict[tuple[str, str], Usage] = {}
        self._prices: dict[str, Prices] = {}

    def of(self, step: str, model: str) -> Usage:
        """The sums of a step's calls to a model, made on first use."""
        try:
            return self._usage[step, model]
        except KeyError:
            usage = self._usage[step, model] = Usage()
            return usage

    def __iter__(self) -> Iterator[tuple[str, str, Usage]]:
        for (step, model), usage in self._usage.items():
            yield step, model, usage

    @property
    def in_flight(self) -> int:
        """Requests with the servers now."""
        return sum(usage.in_flight for usage in self._usage.values())

    def prices(self, model: str, prices: Prices | None) -> None:
        """Makes cost known for a model; without, its cost is 0 in no currency."""
        if prices is not None:
            self._prices[model] = prices

    def cost(self, model: str, usage: Usage) -> float:
        """Money for the tokens paid."""
        prices = self._prices.get(model)
        if prices is None:
            return 0.0
        return (usage.prompt_tokens * prices.input + usage.completion_tokens * prices.output) / 1e6

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Per step: `model` (names, joined by commas), the sums over its models, `cost` and `currency`."""
        out: dict[str, dict[str, Any]] = {}
        for step, model, usage in self:
            total = out.setdefault(
                step, {"model": "", "in_flight": 0, **dict.fromkeys(_SUMS, 0), "cost": 0.0, "currency": ""}
            )
            total["model"] = f"{total['model']}, {model}" if total["model"] else model
            for name in ("in_flight", *_SUMS):
                total[name] += getattr(usage, name)
            total["cost"] += self.cost(model, usage)
            if model in self._prices:
                total["currency"] = self._prices[model].currency
        return out
