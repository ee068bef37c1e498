"""Exact quotas over several axes. Integers throughout, so the result is the same on every machine.

**Axes.** Each axis is shared out by largest remainder: an axis' counts sum to the rows and each is the floor or the
ceiling of its share (ties: the earlier label).

**Cells.** Axes are joined one after the other, in descending order of their largest share. With n_a rows in cell a of
the axes so far and c_j rows for label j of the next, the share of (a, j) is n_a·c_j / rows; its rows sum to n_a and its
columns to c_j, which are integers, so by integrality of network flows there is a table of floors and ceilings of these
shares with exactly these sums (controlled rounding: Bacharach 1966, Cox 1987). It is found by a greedy first try, row
by row, and alternating paths for the rest.

**Guarantee.** Every axis' counts are exact. With two axes each cell is the floor or the ceiling of the product of the
axes' exact shares. With k > 2 it differs from that product by less than d_k = 1 + q_k·d_(k-1), d_2 = 1, where q_k is
the largest share of the k-th axis: below 2 wherever those shares are at most ½. (Within 1 cannot always be had.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import product

Label = str | int | float | bool
Axes = Mapping[str, Mapping[Label, Fraction]]
Cell = tuple[Label, ...]


def largest_remainder(total: int, weights: Sequence[Fraction]) -> list[int]:
    """Shares `total` out by weight: floors first, then one each to the largest remainders (ties: the earlier)."""
    whole = sum(weights)
    shares = [weight * total / whole for weight in weights]
    counts = [int(share) for share in shares]
    order = sorted(range(len(weights)), key=lambda i: (counts[i] - shares[i], i))
    for i in order[: total - sum(counts)]:
        counts[i] += 1
    return counts


def cell_counts(rows: int, axes: Axes) -> dict[Cell, int]:
    """How many rows each cell gets; cells in the order of the axes as given, zero counts included.

    Args:
        rows: rows in all.
        axes: axis → label → weight (not all zero).
    """
    names = list(axes)
    exact = {name: largest_remainder(rows, list(axes[name].values())) for name in names}
    order = sorted(names, key=lambda name: -max(exact[name], default=0))
    prefixes: list[tuple[int, ...]] = [()]
    counts = [rows]
    for name in order:
        table = controlled(counts, exact[name])
        pairs = [
            ((*prefix, j), count)
            for prefix, line in zip(prefixes, table, strict=True)
            for j, count in enumerate(line)
            if count  # a cell without rows has no rows below it either
        ]
        prefixes = [pair[0] for pair in pairs]
        counts = [pair[1] for pair in pairs]
    back = [order.index(name) for name in names]
    labels = [list(axes[name]) for name in names]
    found = {tuple(prefix[b] for b in back): count for prefix, count in zip(prefixes, counts, strict=True)}
    cells = product(*(range(len(line)) for line in labels))
    return {tuple(labels[k][i] for k, i in enumerate(cell)): found.get(cell, 0) for cell in cells}


def controlled(lines: Sequence[int], columns: Sequence[int]) -> list[list[int]]:
    """Integer table with these line and column sums, each entry the floor or ceiling of line·column/total.

    Args:
        lines, columns: non-negative, with equal sums.
    """
    total = sum(lines)
    if not total:
        return [[0] * len(columns) for _ in lines]
    floors, parts = [], []  # parts: remainders, in units of 1/total
    for line in lines:
        pairs = [divmod(line * column, total) for column in columns]
        floors.append([whole for whole, _ in pairs])
        parts.append([part for _, part in pairs])
    extra = [[0] * len(columns) for _ in lines]
    owed = [0] * len(columns)  # what each column should have got by now, less what it got
    for line, part in enumerate(parts):
        for j, one in enumerate(part):
            owed[j] += one
        more = sum(part) // total
        for j in sorted((j for j, one in enumerate(part) if one), key=lambda j: (-owed[j], j))[:more]:
            extra[line][j] = 1
            owed[j] -= total
    _repair(extra, parts, [one // total for one in owed])
    return [[f + e for f, e in zip(a, b, strict=True)] for a, b in zip(floors, extra, strict=True)]


def _repair(extra: list[list[int]], parts: list[list[int]], short: list[int]) -> None:
    """Moves units along alternating paths from columns that have too many to columns that have too few."""
    width = len(short)
    for start in range(width):
        while short[start] < 0:
            came: dict[int, tuple[int, int]] = {}  # column → (column before, line)
            queue, end = deque([start]), -1
            seen = {start}
            while queue and end < 0:
                j = queue.popleft()
                for line, row in enumerate(extra):
                    if not row[j]:
                        continue
                    for k in range(width):
                        if k not in seen and not row[k] and parts[line][k]:
                            seen.add(k)
                            came[k] = (j, line)
                            queue.append(k)
                            if short[k] > 0 and end < 0:
                                end = k
                    if end >= 0:
                        break
            assert end >= 0, "a controlled rounding always exists"
            short[end] -= 1
            short[start] += 1
            while end != start:
                before, line = came[end]
                extra[line][before], extra[line][end] = 0, 1
                end = before


def cell_name(axes: Sequence[str], cell: Sequence[Label]) -> str:
    """A cell as people and reports see it: `tier=direct, persona=elder`."""
    return ", ".join(f"{axis}={label}" for axis, label in zip(axes, cell, strict=True))
