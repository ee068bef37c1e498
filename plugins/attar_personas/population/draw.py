"""Draws persons: counter-based, so that each person is a pure function of the seed and the person's number.

There is no generator with a state. The random bits of person i for a variable are a 64-bit hash of (seed, variable, i),
so the same person comes out of any slice, shard or sample, and a variable added to a table leaves the others' draws
as they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attar_personas.population.marginals import closure
from attar_personas.population.types import Variable

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, np.dtype[np.int64]]

BITS = 40  # of a draw: probabilities are kept to 1 in 10¹², and a row number and a draw fit one int64
_GOLDEN = 0x9E3779B97F4A7C15
_MIX = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_ROUNDS = 6


def _keys(seed: int, name: str, count: int) -> list[int]:
    digest = hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8 * count).digest()
    return [int.from_bytes(digest[8 * i : 8 * i + 8], "little") for i in range(count)]


def _mixed(z: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """SplitMix64's finaliser (Steele, Lea & Flood 2014), in place: a bijection of 64-bit words in which a change of
    any bit changes each bit of the result with probability near one half."""
    z ^= z >> 30
    z *= _MIX[0]
    z ^= z >> 27
    z *= _MIX[1]
    z ^= z >> 31
    return z


def random_words(seed: int, name: str, numbers: Numbers) -> np.ndarray[Any, Any]:
    """64 random bits for each number (uint64): a hash of seed, name and number.

    Two rounds with two keys: with one, the words of two variables would be the same sequence at another offset.
    """
    import numpy as np

    add, flip = _keys(seed, name, 2)
    z = numbers.astype(np.uint64)
    z *= np.uint64(_GOLDEN)
    z += np.uint64(add)
    z = _mixed(z)
    z ^= np.uint64(flip)
    return _mixed(z)


def random_bits(seed: int, name: str, numbers: Numbers) -> Numbers:
    """BITS random bits for each number, as int64."""
    import numpy as np

    return (random_words(seed, name, numbers) >> np.uint64(64 - BITS)).astype(np.int64)


class Drawing:
    """Draws the values of persons.

    Args:
        variables: of a table, in the order in which they are drawn.
        seed: any whole number.
    """

    def __init__(self, variables: Mapping[str, Variable], seed: int) -> None:
        self.variables = variables
        self.seed = seed
        self._bounds = {name: _bounds(variable) for name, variable in variables.items()}

    def codes(self, numbers: Numbers, names: Iterable[str] | None = None) -> dict[str, Numbers]:
        """For each variable, the position of each person's value among the variable's values.

        Args:
            numbers: the persons' numbers (int64), in any order.
            names: only these, and what they depend on; default all.
        """
        found: dict[str, Numbers] = {}
        for name in self.variables if names is None else closure(self.variables, names):
            variable = self.variables[name]
            drawn = random_bits(self.seed, name, numbers)
            if variable.conditions:
                row = found[variable.conditions[0]]
                for other in variable.conditions[1:]:
                    row = row * len(self.variables[other].values) + found[other]
                drawn += row << BITS
                found[name] = self._bounds[name].searchsorted(drawn, side="right") - row * len(variable.values)
            else:
                found[name] = self._bounds[name].searchsorted(drawn, side="right")
        return found


def _bounds(variable: Variable) -> Numbers:
    """Upper bounds of each cell, row after row: cell j of row r ends at (r + P(value ≤ j)) · 2^BITS.

    One ascending array, so that one search finds a person's value given the person's row. A cell of probability 0 ends
    where it begins and is never found.
    """
    import numpy as np

    count = len(variable.values)
    shares = variable.shares.reshape(-1, count)
    rising = np.cumsum(shares, axis=1)
    total = rising[:, -1:]
    rising = np.divide(rising, total, out=np.ones_like(rising), where=total > 0)  # exactly 1 from the last value on
    bounds = np.rint(rising * float(1 << BITS)).astype(np.int64)
    bounds += (np.arange(len(shares), dtype=np.int64) << BITS)[:, None]
    return np.asarray(bounds.ravel())


class Shuffled:
    """A seeded order of all persons in which any place can be looked up without the rest.

    A Feistel network is a bijection of the numbers below a power of 4; walking it again while the result is too large
    makes it one of the numbers below `people` (cycle walking, Black & Rogaway 2002). Less than 4 walks are needed on
    average.
    """

    def __init__(self, people: int, seed: int) -> None:
        self._people = people
        self._half = max(1, (max(people - 1, 1).bit_length() + 1) // 2)
        self._names = [f"shuffle round {i}" for i in range(_ROUNDS)]
        self._seed = seed

    def persons(self, places: Numbers) -> Numbers:
        """The persons at these places of the order (each below `people`), as int64."""
        import numpy as np

        out = self._once(places.astype(np.int64))
        over = np.flatnonzero(out >= self._people)
        while len(over):
            out[over] = self._once(out[over])
            over = over[out[over] >= self._people]
        return out

    def _once(self, numbers: Numbers) -> Numbers:
        import numpy as np

        half, mask = self._half, (1 << self._half) - 1
        left, right = numbers >> half, numbers & mask
        for name in self._names:
            mixed = (random_words(self._seed, name, right) >> np.uint64(64 - half)).astype(np.int64)
            left, right = right, left ^ mixed
        return (left << half) | right
