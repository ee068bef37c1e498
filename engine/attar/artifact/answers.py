"""The answers that a run's rows rest on: how many, how many tokens, what they cost; whichever run paid for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attar.recipe.language import Prices


class Answers:
    """Sums by model, each answer once, however many rows came of it.

    Usage in results.json is what this run asked its servers; it shrinks to nothing when a finished run is run again,
    and after a kill it misses what was paid before. A card must not: it counts what stands in the rows' trails.
    Keeps 8 bytes of each answer's key.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._sums: dict[str, list[int]] = {}

    def count(self, trail: Iterable[Mapping[str, Any]]) -> None:
        """Adds the answers of one row's trail; verdicts of checks, which asked nobody, are passed over."""
        for entry in trail:
            key = entry.get("key")
            if key is None or (mark := int(key[:16], 16)) in self._seen:
                continue
            self._seen.add(mark)
            sums = self._sums.setdefault(str(entry["model"]), [0, 0, 0])
            sums[0] += 1
            sums[1] += entry.get("prompt_tokens") or 0
            sums[2] += entry.get("completion_tokens") or 0

    def summed(self, prices: Mapping[str, Prices | None]) -> dict[str, dict[str, Any]]:
        """By model: answers, tokens, and their cost where the recipe gives prices."""
        found: dict[str, dict[str, Any]] = {}
        for model, (answers, asked, answered) in sorted(self._sums.items()):
            price = prices.get(model)
            cost = None if price is None else round((asked * price.input + answered * price.output) / 1e6, 6)
            found[model] = {
                "answers": answers,
                "prompt_tokens": asked,
                "completion_tokens": answered,
                "cost": cost,
                "currency": None if price is None else price.currency,
            }
        return found
