"""The JSON Schema of the language says what the loader says, as far as a schema can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from attar.recipe.document import parse
from attar.recipe.schema import recipe_schema

READ = {
    "type": "object",
    "additionalProperties": False,
    "required": ["path"],
    "properties": {
        "path": {"type": "string"},
        "rows": {"type": "integer", "minimum": 1},
        "columns": {"type": "array", "items": {"$ref": "#/$defs/Column"}},
        "kind": {"enum": ["a", "b"]},
    },
    "$defs": {"Column": {"type": "object", "properties": {"size": {"type": "integer"}}, "additionalProperties": False}},
}
STEPS = {"std.read": READ, "std.limit": {"type": "object", "properties": {}, "additionalProperties": False}}


def faults(text: str, steps: dict[str, Any] | None = None) -> list[tuple[str | int, ...]]:
    document, found = parse(text, Path("x"), "x")
    assert document is not None, found
    schema = recipe_schema(STEPS if steps is None else steps)
    jsonschema.Draft202012Validator.check_schema(schema)
    errors = jsonschema.Draft202012Validator(schema).iter_errors(document.data)
    return sorted(tuple(error.absolute_path) for error in errors)


RECIPE = """
attar: 1
name: x
seed: ${params.n}
params: {n: {type: int, default: 1}}
models: {m: {model: x, in_flight: "${params.n}", sampling: {temperature: "${params.n}", stop: "${params.n}"}}}
include: [{file: a.yaml, as: b}]
steps:
  a: {use: std.read, with: {path: x, rows: "${params.n}", kind: "${params.n}", columns: [{size: "${params.n}"}]}}
  b: {from: a, repeat: {times: "${params.n}", steps: {c: {use: stranger.step, with: {what: ever}}}}}
  c: {use: std.limit, from: b}
outputs: {d: {from: c, min_rows: "${params.n}"}}
"""


def test_a_good_recipe() -> None:
    assert faults(RECIPE) == []


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("in_flight:", "inflight:", ("models", "m")),
        ("path: x, rows", "pth: x, rows", ("steps", "a", "with")),
        ('rows: "${params.n}"', "rows: 0", ("steps", "a", "with", "rows")),
        ('rows: "${params.n}"', "rows: many", ("steps", "a", "with", "rows")),
        ('kind: "${params.n}"', "kind: c", ("steps", "a", "with", "kind")),
        ('size: "${params.n}"', "sise: 1", ("steps", "a", "with", "columns", 0)),
        ("use: std.limit, from: b", "use: std.limit, from: b, with: {x: 1}", ("steps", "c", "with")),
        ("use: std.read, with: {path: x", "use: std.read, wiht: {path: x", ("steps", "a")),
        ('times: "${params.n}", steps', "steps", ("steps", "b", "repeat")),
        ("use: stranger.step, with", "us: stranger.step, with", ("steps", "b", "repeat", "steps", "c")),
        ("from: c, min_rows", "form: c, min_rows", ("outputs", "d")),
        ("type: int", "type: integer", ("params", "n", "type")),
        ("name: x", "name: X y", ("name",)),
    ],
)
def test_faults_are_found_where_they_are(old: str, new: str, where: tuple[str | int, ...]) -> None:
    assert RECIPE.replace(old, new) != RECIPE
    assert where in faults(RECIPE.replace(old, new))


def test_the_schema_is_the_same_every_time_and_leaves_its_input_alone() -> None:
    before = json.dumps(STEPS)
    first, second = recipe_schema(STEPS), recipe_schema(dict(reversed(STEPS.items())))
    assert json.dumps(first) == json.dumps(second)
    assert json.dumps(STEPS) == before
    assert json.dumps(recipe_schema()) == json.dumps(recipe_schema())


def test_without_steps_any_use_is_allowed() -> None:
    assert faults(RECIPE, {}) == []
