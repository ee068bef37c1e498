"""Simple expressions run as plain Python: the same values and the same faults as in the sandbox."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.api.expressions import ExpressionError, compile_expression
from attar_std._expr import Expression
from attar_std._expr_fast import compile_fast

NUMBER = st.one_of(st.booleans(), st.integers(-9, 9), st.floats(-9, 9))
VALUE = st.one_of(st.none(), NUMBER, st.text(max_size=4), st.lists(st.integers(), max_size=2))
LEAF = st.sampled_from(["a", "b", "missing", "1", "2.5", "0", "'x'", "''", "true", "none"])


def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = ["+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in", "~"]
    return st.one_of(
        st.builds(lambda x, o, y: f"({x} {o} {y})", inner, st.sampled_from(operators), inner),
        st.builds(lambda x, y, z: f"({x} if {y} else {z})", inner, inner, inner),
        st.builds(lambda x, f: f"({x} | {f})", inner, st.sampled_from(["length", "lower", "upper", "trim", "count"])),
        st.builds(lambda x: f"(not {x})", inner),
        st.builds(lambda x: f"(-{x})", inner),
        st.builds(lambda x, y, z: f"({x} < {y} < {z})", inner, inner, inner),
    )


def outcome(run: Any, row: dict[str, Any]) -> tuple[str, Any]:
    try:
        value = run(row)
    except ExpressionError as error:
        return "fault", str(error)
    return type(value).__name__, repr(value)


@given(st.recursive(LEAF, grow, max_leaves=6), VALUE, VALUE)
@settings(deadline=None, max_examples=400)
def test_same_values_and_faults_as_the_sandbox(text: str, a: Any, b: Any) -> None:
    row = {"a": a, "b": b}
    assert outcome(Expression(text), row) == outcome(compile_expression(text), row)


@pytest.mark.parametrize("text", ["a | length > 2", "a ~ '-' ~ b", "a == 1 and not b", "1 if a in b else 2"])
def test_simple_ones_are_fast(text: str) -> None:
    assert compile_fast(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "a.b",
        "a[0]",
        "a()",
        "range(3)",
        "a is defined",
        "a | replace('x', 'y')",
        "[a]",
        "a ** 9",
        "a }} {{ b",
        "a) }}{{ (b",
    ],
)
def test_everything_else_is_left_to_the_sandbox(text: str) -> None:
    assert compile_fast(text) is None


def test_pickles() -> None:
    expression = Expression("a + 1")
    assert expression({"a": 1}) == 2
    assert pickle.loads(pickle.dumps(expression))({"a": 2}) == 3
