"""Compiles one variable's shares, adjustments and exclusions into one conditional table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attar_personas.population.nodes import Document, KeyPath
from attar_personas.population.types import MOST_CELLS, Variable

if TYPE_CHECKING:
    import numpy as np

OTHERS = "*"


def number(document: Document, text: Any, path: KeyPath) -> float:
    """A weight or a factor: a finite number from 0; a fault, and 0, where it is none."""
    try:
        value = float(text) if isinstance(text, str) else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        found = repr(text) if isinstance(text, str) else "a mapping" if isinstance(text, dict) else "a list"
        document.fault(path, f"expected a number from 0, found {found}")
        return 0.0
    return value


def leaf_values(shares: Any, depth: int) -> list[str]:
    """The values named in the innermost mappings, `depth` levels down, in order of appearance."""
    found: dict[str, None] = {}

    def walk(node: Any, level: int) -> None:
        if not isinstance(node, dict):
            return
        if level == 0:
            found.update(dict.fromkeys(node))
        else:
            for inner in node.values():
                walk(inner, level - 1)

    walk(shares, depth)
    return list(found)


class Filler:
    """Fills arrays from nested mappings of condition values.

    Where neither a value nor "*" is there, factors are 1 and weights 0: whether that can occur is seen later.

    Args:
        conditions: variables whose values are the keys of the outer levels.
        values: of the innermost level.
        factors: whether these are factors and not weights.
    """

    def __init__(
        self, document: Document, conditions: Sequence[Variable], values: Sequence[str], *, factors: bool
    ) -> None:
        self._document = document
        self._conditions = conditions
        self._index = {value: i for i, value in enumerate(values)}
        self._factors = factors

    def fill(self, node: Any, path: KeyPath, level: int = 0) -> np.ndarray[Any, Any]:
        """The array of a (sub)mapping: shape (values of the conditions from `level` on …, values)."""
        import numpy as np

        shape = [len(one.values) for one in self._conditions[level:]]
        out = np.full((*shape, len(self._index)), 1.0 if self._factors else 0.0)
        if not isinstance(node, dict):
            what = f"a mapping of the values of {self._conditions[level].name}" if shape else "a mapping of values"
            self._document.fault(
                path, f"expected {what}, found {node!r}" if node else f"expected {what}, found nothing"
            )
            return out
        if not shape:
            self._leaf(node, path, out)
            return out
        condition = self._conditions[level]
        known = {value: i for i, value in enumerate(condition.values)}
        listed: set[int] = set()
        for key, inner in node.items():
            if key in known:
                listed.add(known[key])
                out[known[key]] = self.fill(inner, (*path, key), level + 1)
            elif key != OTHERS:
                self._document.fault(
                    (*path, key), f"{condition.name} has no value {key!r}", near(key, condition.values)
                )
        rest = [i for i in range(len(condition.values)) if i not in listed]
        if rest and OTHERS in node:
            out[rest] = self.fill(node[OTHERS], (*path, OTHERS), level + 1)
        return out

    def _leaf(self, node: Mapping[str, Any], path: KeyPath, out: np.ndarray[Any, Any]) -> None:
        if self._factors and OTHERS in node:
            out[:] = number(self._document, node[OTHERS], (*path, OTHERS))
        for value, text in node.items():
            if value in self._index:
                out[self._index[value]] = number(self._document, text, (*path, value))
            elif value != OTHERS:
                self._document.fault((*path, value), f"no share names {value!r}", near(value, list(self._index)))
        if not self._factors and not out.any():
            self._document.fault(
                path, "all weights are 0" if node else "there are no values", "give one a weight above 0"
            )


def near(word: str, known: Sequence[str]) -> str:
    """What to say of an unknown word: the nearest known one, or what there is."""
    from difflib import get_close_matches

    found = get_close_matches(word, known, n=1)
    return (
        f"did you mean {found[0]!r}?" if found else f"it has: {', '.join(known[:12])}{', …' if len(known) > 12 else ''}"
    )


def spread(array: np.ndarray[Any, Any], own: Sequence[str], all_conditions: Sequence[str]) -> np.ndarray[Any, Any]:
    """An array over `own` conditions (and values) with axes of length 1 put in for the conditions it lacks."""
    order = sorted(range(len(own)), key=lambda axis: all_conditions.index(own[axis]))
    moved = array.transpose([*order, len(own)])
    sizes = iter(moved.shape)
    return moved.reshape([next(sizes) if name in own else 1 for name in all_conditions] + [array.shape[-1]])


def too_large(conditions: Sequence[Variable], values: int) -> int:
    """How many cells a conditional table would have where that is more than is allowed, else 0."""
    cells = math.prod(len(one.values) for one in conditions) * values
    return cells if cells > MOST_CELLS else 0
