"""Pearson's chi-square test against known shares, with its p-value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

LEAST = 5.0  # cells with fewer expected are pooled: below it the statistic no longer follows the distribution
_TINY = 1e-300


class ChiSquare(NamedTuple):
    """A test's outcome.

    Attributes:
        statistic: Σ (seen − expected)² / expected.
        degrees: of freedom: cells after pooling, less one.
        p: probability of a statistic at least as large if the shares are true; 0 where something was seen whose share
            is 0.
        pooled: cells put together because few were expected in each.
        impossible: how many were seen in cells whose share is 0.
    """

    statistic: float
    degrees: int
    p: float
    pooled: int = 0
    impossible: int = 0


def chi_square(seen: Sequence[int], shares: Sequence[float]) -> ChiSquare:
    """Tests counts against shares (of the same cells; the shares need not sum to 1)."""
    total, whole = sum(seen), math.fsum(shares)
    if not total or whole <= 0:
        return ChiSquare(0.0, 0, 1.0)
    impossible = sum(count for count, share in zip(seen, shares, strict=True) if share <= 0)
    cells: list[tuple[float, float]] = []
    rest_seen = rest_expected = 0.0
    pooled = 0
    for count, share in zip(seen, shares, strict=True):
        expected = total * share / whole
        if expected >= LEAST:
            cells.append((count, expected))
        elif share > 0:
            rest_seen, rest_expected, pooled = rest_seen + count, rest_expected + expected, pooled + 1
    if pooled:
        if rest_expected >= LEAST or not cells:
            cells.append((rest_seen, rest_expected))
        else:  # too few even together: with the smallest cell
            smallest = min(range(len(cells)), key=lambda i: cells[i][1])
            cells[smallest] = (cells[smallest][0] + rest_seen, cells[smallest][1] + rest_expected)
    statistic = math.fsum((count - expected) ** 2 / expected for count, expected in cells)
    degrees = len(cells) - 1
    p = 0.0 if impossible else upper_gamma(degrees / 2, statistic / 2) if degrees > 0 else 1.0
    return ChiSquare(statistic, max(degrees, 0), p, pooled, impossible)


def upper_gamma(a: float, x: float) -> float:
    """The regularised upper incomplete gamma function Q(a, x) for a > 0: a chi-square's p is Q(degrees/2, statistic/2).

    By its series below x = a + 1 and by Lentz's continued fraction above, as in Numerical Recipes (3rd ed., 6.2).
    """
    if x <= 0:
        return 1.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        n = a
        while abs(term) > abs(total) * 1e-15:
            n += 1
            term *= x / n
            total += term
        return min(max(1.0 - total * front, 0.0), 1.0)
    b = x + 1 - a
    c = 1 / _TINY
    d = 1 / b
    h = d
    for i in range(1, 1_000_000):
        step = -i * (i - a)
        b += 2
        d = step * d + b
        d = 1 / (d if abs(d) > _TINY else _TINY)
        c = b + step / c
        c = c if abs(c) > _TINY else _TINY
        change = d * c
        h *= change
        if abs(change - 1) < 1e-15:
            break
    return min(max(front * h, 0.0), 1.0)
