"""Exact distributions of a table's variables, alone or together, by summing the conditional tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from attar_personas.population.types import Variable

if TYPE_CHECKING:
    import numpy as np

MOST_JOINT = 20_000_000  # cells of 8 bytes held at once
SAMPLED = 4_000_000


class Joint(NamedTuple):
    """A joint distribution.

    Attributes:
        shares: probabilities, one axis per variable asked for, in that order.
        exact: False where it was estimated from SAMPLED drawn persons, because the exact sum needs too much memory.
    """

    shares: np.ndarray[Any, Any]
    exact: bool = True


class TooLarge(Exception):
    """The exact sum needs more than MOST_JOINT cells at once."""


def closure(variables: Mapping[str, Variable], names: Iterable[str]) -> list[str]:
    """The variables named and all that they depend on, in the order in which they are drawn."""
    wanted, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting.extend(variables[name].conditions)
    return [name for name in variables if name in wanted]


def exact_joint(variables: Mapping[str, Variable], names: Sequence[str]) -> np.ndarray[Any, Any]:
    """The joint distribution of some variables, one axis each in the order of `names`.

    Goes through the variables in drawing order and sums each out as soon as nothing later depends on it.

    Raises:
        TooLarge: an intermediate table would exceed MOST_JOINT cells.
    """
    import numpy as np

    needed = closure(variables, names)
    held: list[str] = []
    joint = np.ones(())
    for at, name in enumerate(needed):
        variable = variables[name]
        later = needed[at + 1 :]
        if math.prod(joint.shape) * len(variable.values) > MOST_JOINT:
            raise TooLarge
        letters = {other: i for i, other in enumerate([*held, name])}
        keep = [
            other for other in letters if other in names or any(other in variables[one].conditions for one in later)
        ]
        joint = np.einsum(
            joint,
            [letters[other] for other in held],
            variable.shares,
            [letters[other] for other in (*variable.conditions, name)],
            [letters[other] for other in keep],
        )
        held = keep
    return np.asarray(joint.transpose([held.index(name) for name in names]))


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
    return (total / total.sum()).reshape(shape)
