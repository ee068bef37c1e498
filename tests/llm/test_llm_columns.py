"""Answer schemas become columns, and valid answers fit them."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.api import ParsedType, parse_type
from attar.recipe.language import Sampling
from attar_llm.columns import answer_columns, columns_of, merged_columns
from attar_llm.sampling import SamplingOverrides

TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        (TEXT, "string"),
        ({"type": "integer"}, "int"),
        ({"type": "number"}, "float"),
        ({"type": "boolean"}, "bool"),
        ({"type": ["string", "null"]}, "string?"),
        ({"type": ["string", "integer"]}, "json"),
        ({"enum": ["a", "b"]}, "string"),
        ({"enum": ["a", None]}, "string?"),
        ({"enum": ["a", 1]}, "json"),
        ({"const": 3}, "int"),
        ({"anyOf": [TEXT, {"type": "null"}]}, "string?"),
        ({"anyOf": [TEXT, {"type": "integer"}]}, "json"),
        ({"type": "array", "items": TEXT}, "list<string>"),
        ({"type": "array"}, "json"),
        ({"type": "array", "items": {"type": "object"}}, "json"),
        ({"type": "object"}, "json"),
        ({"type": "object", "properties": {"a b": TEXT}, "required": ["a b"]}, "json"),
        (
            {"type": "object", "properties": {"a": TEXT, "b": {"type": "number"}}, "required": ["a"]},
            "struct<a:string,b:float?>",
        ),
        ({"$ref": "#/$defs/name"}, "string"),
        ({"$ref": "#/$defs/loop"}, "json"),
        ({"$ref": "https://elsewhere/x.json"}, "json"),
        ({}, "json"),
    ],
)
def test_each_schema_has_its_type(schema: dict[str, Any], kind: str) -> None:
    root = {
        "type": "object",
        "properties": {"x": schema},
        "required": ["x"],
        "$defs": {"name": TEXT, "loop": {"$ref": "#/$defs/loop"}},
    }
    assert columns_of(root, "step") == {"x": kind}


def test_recursive_schema_ends_as_json() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    assert "json" in columns_of(tree, "step")["next"]


def test_optional_properties_are_nullable_and_plain_answers_take_the_step_s_column() -> None:
    schema = {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["b"]}
    assert columns_of(schema, "step") == {"a": "string?", "b": "string"}
    assert columns_of({"type": "array", "items": TEXT}, "step") == {"step": "list<string>"}
    assert answer_columns(["x"], {"type": "array", "items": TEXT}, "step", {"step": "list<string>"}) == {"step": ["x"]}


def test_property_named_like_the_step_is_not_the_whole_answer() -> None:
    schema = {"type": "object", "properties": {"step": TEXT}, "required": ["step"]}
    assert answer_columns({"step": "x"}, schema, "step", columns_of(schema, "step")) == {"step": "x"}


def test_schemas_chosen_by_column_share_what_they_share() -> None:
    one = {"type": "object", "properties": {"a": TEXT, "n": {"type": "integer"}}, "required": ["a", "n"]}
    two = {"type": "object", "properties": {"a": TEXT, "n": TEXT, "z": TEXT}, "required": ["a", "n", "z"]}
    assert merged_columns([one, two], "step") == {"a": "string", "n": "json", "z": "string?"}


def test_values_take_the_column_s_type() -> None:
    schema = {
        "type": "object",
        "properties": {
            "score": {"type": "number"},
            "facts": {
                "type": "array",
                "items": {"type": "object", "properties": {"q": TEXT, "p": {"type": "number"}}, "required": ["q"]},
            },
        },
        "required": ["facts"],
    }
    found = answer_columns({"facts": [{"q": "x", "extra": 1}]}, schema, "s", columns_of(schema, "s"))
    assert found == {"score": None, "facts": [{"q": "x", "p": None}]}
    whole = answer_columns({"score": 3, "facts": []}, schema, "s", columns_of(schema, "s"))["score"]
    assert isinstance(whole, float)


scalars = st.sampled_from([TEXT, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}])
names = st.sampled_from(["a", "b", "c"])


def objects(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(names, inner, min_size=1).flatmap(
        lambda properties: st.sets(st.sampled_from(sorted(properties))).map(
            lambda required: {"type": "object", "properties": properties, "required": sorted(required)}
        )
    )


schemas = st.recursive(
    scalars, lambda inner: objects(inner) | inner.map(lambda item: {"type": "array", "items": item}), max_leaves=6
)


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    match schema["type"]:
        case "string":
            return st.text(max_size=5)
        case "integer":
            return st.integers(-9, 9)
        case "number":
            return st.integers(-9, 9) | st.floats(-9, 9)
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(values(schema["items"]), max_size=3)
    required = {name: values(schema["properties"][name]) for name in schema["required"]}
    optional = {name: values(part) for name, part in schema["properties"].items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)


def fits(value: Any, kind: ParsedType) -> bool:
    if value is None:
        return kind.nullable
    if kind.kind == "list":
        assert kind.item
        item = kind.item
        return isinstance(value, list) and all(fits(part, item) for part in value)
    if kind.kind == "struct":
        fields = dict(kind.fields)
        return set(value) == set(fields) and all(fits(value[name], part) for name, part in fields.items())
    python = {"string": str, "int": int, "float": float, "bool": bool, "json": object}[kind.kind]
    return isinstance(value, python)


@settings(max_examples=150)
@given(objects(schemas).flatmap(lambda schema: values(schema).map(lambda value: (schema, value))))
def test_every_valid_answer_fits_its_columns(case: tuple[dict[str, Any], Any]) -> None:
    schema, value = case
    jsonschema.validate(value, schema)
    columns = columns_of(schema, "step")
    found = answer_columns(value, schema, "step", columns)
    assert set(found) == set(columns)
    assert all(fits(found[name], parse_type(kind)) for name, kind in columns.items())


def test_sampling_overrides_are_those_of_models() -> None:
    assert SamplingOverrides.model_json_schema()["properties"] == Sampling.model_json_schema()["properties"]
    for unset in (SamplingOverrides(), SamplingOverrides(temperature=None)):
        assert unset.given() is None
    assert SamplingOverrides(temperature=0).given() == {"temperature": 0}
