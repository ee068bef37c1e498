"""What the report counts, and the arithmetic of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

_Z = 1.959963984540054  # two-sided 95 % of the normal distribution


class Interval(NamedTuple):
    """Bounds of a share, both in [0, 1]."""

    low: float
    high: float


def wilson(hits: int, n: int) -> Interval | None:
    """The 95 % score interval of a share (E. B. Wilson, 1927); None where nothing was counted.

    It holds near 0 and 1 and for few rows, where share ± 1.96 standard errors does not.
    """
    if not n:
        return None
    share, square = hits / n, _Z * _Z
    middle = (share + square / (2 * n)) / (1 + square / n)
    reach = _Z * math.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return Interval(max(0.0, middle - reach), min(1.0, middle + reach))


@dataclass(slots=True)
class Share:
    """A share being counted."""

    hits: int = 0
    n: int = 0

    def add(self, hit: bool | None) -> None:
        """Counts one case; None is no case."""
        if hit is not None:
            self.n += 1
            self.hits += hit

    @property
    def value(self) -> float | None:
        return self.hits / self.n if self.n else None


@dataclass(slots=True)
class Scored:
    """Sums over scored texts."""

    logprob: float = 0.0
    tokens: int = 0
    bytes: int = 0
    texts: int = 0

    @property
    def perplexity(self) -> float | None:
        """Of the corpus: exp(-Σ logprob / Σ tokens), never the mean of the texts' perplexities."""
        return math.exp(-self.logprob / self.tokens) if self.tokens else None

    @property
    def bits_per_byte(self) -> float | None:
        return -self.logprob / (math.log(2) * self.bytes) if self.bytes else None
