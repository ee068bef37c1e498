"""Which rows of a table stay when buckets are capped: decided on numbers, 21 bytes a row and no text.

A row's rank is a bijection of the first half of its id, keyed by the recipe's seed: drawn like a hash, free of ties
where ids are (publishing demands that the first halves differ), and the same wherever the row stands.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
KEEP, DUPLICATE, OVER_CAP, OVER_TOTAL = range(4)
_GROUP = 1 << 22
"""Rows that are sorted at once: bounds memory beside the columns of numbers."""
_PARTS = 16


class Decided(NamedTuple):
    """What becomes of each row.

    Attributes:
        verdicts: uint8, one of KEEP, DUPLICATE, OVER_CAP, OVER_TOTAL.
        duplicates: places of the duplicates, ascending.
        firsts: for each of them, the place of the row that stays for it.
        sizes: rows per bucket before the cap, duplicates left out.
        kept: rows that stay.
    """

    verdicts: NDArray[np.uint8]
    duplicates: NDArray[np.int64]
    firsts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    kept: int


def ranks_of(words: U64, seed: int) -> U64:
    """Ranks of ids.

    Args:
        words: first halves of the ids.
        seed: any whole number; another seed, another order.
    """
    key = _mixed(np.array([seed & 0xFFFFFFFFFFFFFFFF], np.uint64))
    return _mixed(words ^ key)


def _mixed(x: U64) -> U64:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection in which every bit moves every other."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: U64 = x ^ (x >> np.uint64(31))
    return mixed


def decide(ranks: U64, buckets: NDArray[np.int32], texts: U64 | None, cap: int | None, total: int | None) -> Decided:
    """Decides by rank alone, so in whatever order the rows stand: first one row per text, then the cap, then the total.

    Args:
        ranks: of all rows; the smallest stay.
        buckets: number of each row's bucket, from 0.
        texts: hash of each row's text, 0 where it is not to be compared; None: no text is compared.
        cap: rows a bucket may hold; None: any number.
        total: rows that may stay, at least 1; None: all.
    """
    verdicts = np.zeros(len(ranks), np.uint8)
    duplicates = firsts = np.empty(0, np.int64)
    if texts is not None:
        duplicates, firsts = _same_texts(ranks, texts, verdicts)
    width = int(buckets.max()) + 1 if len(buckets) else 0
    sizes = np.bincount(buckets[verdicts == KEEP], minlength=width).astype(np.int64)
    if cap is not None:
        _cap(ranks, buckets, sizes, cap, verdicts)
    kept = int((verdicts == KEEP).sum())
    if total is not None and kept > total:
        _cut(ranks, total, verdicts)
        kept = total
    return Decided(verdicts, duplicates, firsts, sizes, kept)


def _same_texts(ranks: U64, texts: U64, verdicts: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    duplicates, firsts = [], []
    part = (texts >> np.uint64(60)).astype(np.uint8)
    for number in range(_PARTS):
        places = np.flatnonzero((part == number) & (texts != 0))
        order = places[np.lexsort((ranks[places], texts[places]))]
        found = texts[order]
        again = np.concatenate([[False], found[1:] == found[:-1]])[: len(order)]
        starts = np.maximum.accumulate(np.where(again, 0, np.arange(len(order))))
        extra = np.flatnonzero(again)
        verdicts[order[extra]] = DUPLICATE
        duplicates.append(order[extra])
        firsts.append(order[starts[extra]])
    places = np.concatenate(duplicates)
    ascending = places.argsort()
    return places[ascending], np.concatenate(firsts)[ascending]


def _cap(
    ranks: U64, buckets: NDArray[np.int32], sizes: NDArray[np.int64], cap: int, verdicts: NDArray[np.uint8]
) -> None:
    for group in _groups(np.flatnonzero(sizes > cap), sizes):
        chosen = np.zeros(len(sizes), bool)
        chosen[group] = True
        places = np.flatnonzero(chosen[buckets] & (verdicts == KEEP))
        order = places[np.lexsort((ranks[places], buckets[places]))]
        ends = np.cumsum(sizes[group])  # lexsort puts the buckets in the order of their numbers, as `group` has them
        starts = np.repeat(ends - sizes[group], sizes[group])
        verdicts[order[np.arange(len(order)) - starts >= cap]] = OVER_CAP


def _groups(heavy: NDArray[Any], sizes: NDArray[np.int64]) -> list[NDArray[Any]]:
    """Buckets over the cap, ascending, in groups that hold about _GROUP rows."""
    if not len(heavy):
        return []
    numbers = np.cumsum(sizes[heavy]) // _GROUP
    return np.split(heavy, np.flatnonzero(np.diff(numbers)) + 1)


def _cut(ranks: U64, total: int, verdicts: NDArray[np.uint8]) -> None:
    found = ranks[verdicts == KEEP]
    found.partition(total - 1)
    verdicts[(verdicts == KEEP) & (ranks > found[total - 1])] = OVER_TOTAL
