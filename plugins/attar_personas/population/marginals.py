"""Exact distributions of a table's variables, alone or together, by summing the conditional tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from attar_personas.population.types import Variable

if TYPE_CHECKING:
    import numpy as np

MOST_JOINT = 40_000_000  # cells gone through in one step
SAMPLED = 4_000_000


class Joint(NamedTuple):
    """A joint distribution.

    Attributes:
        shares: probabilities, one axis per variable asked for, in that order.
        exact: False where it was estimated from SAMPLED drawn persons, because the exact sum is too large.
    """

    shares: np.ndarray[Any, Any]
    exact: bool = True


class TooLarge(Exception):
    """The exact sum goes through more than MOST_JOINT cells in one step."""


def closure(variables: Mapping[str, Variable], names: Iterable[str]) -> list[str]:
    """The variables named and all that they depend on, in the order in which they are drawn."""
    wanted, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting.extend(variables[name].conditions)
    return [name for name in variables if name in wanted]


Factor = tuple[tuple[str, ...], "np.ndarray[Any, Any]"]


def exact_joint(variables: Mapping[str, Variable], names: Sequence[str]) -> np.ndarray[Any, Any]:
    """The joint distribution of some variables, one axis each in the order of `names`.

    By variable elimination: the conditional tables are factors; of the variables not asked for, the one whose factors
    together span the fewest cells is summed out next.

    Raises:
        TooLarge: a step would go through more than MOST_JOINT cells.
    """
    needed = closure(variables, names)
    sizes = {name: len(variables[name].values) for name in needed}
    factors: list[Factor] = [((*variables[name].conditions, name), variables[name].shares) for name in needed]
    left = [name for name in needed if name not in names]

    def span(name: str) -> set[str]:
        return {other for scope, _ in factors if name in scope for other in scope}

    while left:
        name = min(left, key=lambda one: math.prod(sizes[other] for other in span(one)))
        left.remove(name)
        scope = span(name)
        joined = [factor for factor in factors if name in factor[0]]
        factors = [factor for factor in factors if name not in factor[0]]
        kept = tuple(other for other in needed if other in scope and other != name)
        factors.append((kept, _summed(joined, kept, sizes)))
    return _summed(factors, tuple(names), sizes)


def _summed(factors: Sequence[Factor], kept: Sequence[str], sizes: Mapping[str, int]) -> np.ndarray[Any, Any]:
    """The product of factors, summed over all variables but those kept."""
    import numpy as np

    scope = list(dict.fromkeys(name for names, _ in factors for name in names))
    if math.prod(sizes[name] for name in scope) > MOST_JOINT:
        raise TooLarge
    letters = {name: i for i, name in enumerate(scope)}
    operands: list[Any] = []
    for names, array in factors:
        operands += [array, [letters[name] for name in names]]
    return np.asarray(np.einsum(*operands, [letters[name] for name in kept], optimize="greedy"))


def joint_of(variables: Mapping[str, Variable], names: Sequence[str]) -> Joint:
    """As `exact_joint`; estimated from drawn persons of a fixed seed where the exact sum is too large."""
    try:
        return Joint(exact_joint(variables, names))
    except TooLarge:
        return Joint(_sampled(variables, names), exact=False)


def _sampled(variables: Mapping[str, Variable], names: Sequence[str]) -> np.ndarray[Any, Any]:
    import numpy as np

    from attar_personas.population.draw import Drawing

    shape = [len(variables[name].values) for name in names]
    drawing = Drawing(variables, seed=0)
    total = np.zeros(math.prod(shape), dtype=np.int64)
    step = 1 << 17
    for start in range(0, SAMPLED, step):
        codes = drawing.codes(np.arange(start, start + step, dtype=np.int64), names)
        flat = np.ravel_multi_index([codes[name] for name in names], shape)
        total += np.bincount(flat, minlength=len(total))
    return np.asarray(total / total.sum()).reshape(shape)
