"""Rehearsal: deterministic, network-free, valid under the schema, and random instances in general."""

from __future__ import annotations

import re
import unicodedata
from random import Random
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attar.api import RowError
from attar.models import Call
from attar.models.instances import instance
from attar.models.patterns import matching
from attar.models.words import ALL_INDIC, ENGLISH, words

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 3, "maxLength": 20},
        "age": {"type": "integer", "minimum": 18, "maximum": 99},
        "mood": {"enum": ["calm", "angry", None]},
        "kind": {"const": "person"},
        "pin": {"type": "string", "pattern": r"^[1-9]\d{5}$"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 4, "uniqueItems": True},
        "home": {"$ref": "#/$defs/place"},
        "note": {"type": ["string", "null"]},
        "either": {"anyOf": [{"type": "integer", "minimum": 5, "maximum": 6}, {"type": "boolean"}]},
    },
    "required": ["name", "age", "mood", "kind", "pin", "tags", "home", "note", "either"],
    "additionalProperties": False,
    "$defs": {
        "place": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "inside": {"$ref": "#/$defs/place"}},
            "required": ["city"],
        }
    },
}


def test_instances_are_valid_and_follow_their_seed() -> None:
    validator = jsonschema.Draft202012Validator(PERSON)
    seen = [instance(PERSON, Random(seed)) for seed in range(200)]
    for value in seen:
        validator.validate(value)
    assert seen == [instance(PERSON, Random(seed)) for seed in range(200)]
    assert {v["mood"] for v in seen} == {"calm", "angry", None}
    assert {type(v["either"]) for v in seen} == {int, bool} and None in {v["note"] for v in seen}


_bounds = st.tuples(st.integers(-50, 50), st.integers(0, 60)).map(lambda t: (t[0], t[0] + t[1]))
_leaves = st.one_of(
    st.just({"type": "null"}),
    st.just({"type": "boolean"}),
    _bounds.map(lambda b: {"type": "integer", "minimum": b[0], "maximum": b[1]}),
    _bounds.map(lambda b: {"type": "number", "minimum": b[0], "maximum": b[1]}),
    st.integers(-20, 20).map(lambda n: {"type": "integer", "exclusiveMinimum": n}),
    st.integers(-20, 20).map(lambda n: {"type": "number", "exclusiveMaximum": n}),
    st.tuples(st.integers(0, 30), st.integers(0, 30)).map(
        lambda t: {"type": "string", "minLength": t[0], "maxLength": t[0] + t[1]}
    ),
    st.lists(st.one_of(st.text(max_size=5), st.integers(), st.none()), min_size=1, max_size=4).map(
        lambda e: {"enum": e}
    ),
    st.sampled_from([r"^\d{3}-[A-Z]{2}$", r"^(yes|no)$", r"^[a-z]+(, [a-z]+)*$", r"x{2,5}"]).map(
        lambda p: {"type": "string", "pattern": p}
    ),
)


def _nested(children: Any) -> Any:
    names = st.sampled_from(["a", "b", "c", "d"])
    return st.one_of(
        st.tuples(children, st.integers(0, 3), st.integers(0, 3)).map(
            lambda t: {"type": "array", "items": t[0], "minItems": t[1], "maxItems": t[1] + t[2]}
        ),
        st.lists(children, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
        st.tuples(st.dictionaries(names, children, max_size=4), st.sets(names, max_size=4)).map(
            lambda t: {"type": "object", "properties": t[0], "required": sorted(t[1])}
        ),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=st.recursive(_leaves, _nested, max_leaves=8), seed=st.integers(0, 2**31))
def test_any_such_schema_has_valid_instances(schema: Any, seed: int) -> None:
    jsonschema.Draft202012Validator(schema).validate(instance(schema, Random(seed)))


@pytest.mark.parametrize(
    "pattern",
    [r"^[A-Z]{3}-\d{4}$", r"^(a|b)+$", r"\bword\b", r"^[^,]+, [^,]+$", r"^\w+@\w+\.org$", r"^.{10,20}$", r"^a?b*c+$"],
)
def test_strings_that_match(pattern: str) -> None:
    for seed in range(50):
        assert re.search(pattern, matching(pattern, Random(seed)))


def test_words_have_indic_ones_and_are_nfc() -> None:
    text = words(Random(1), 2000)
    assert unicodedata.is_normalized("NFC", text) and text.count(" ") == 1999
    plain = {w.strip(".").lower() for w in text.split()}
    assert plain <= {w.lower() for w in (*ALL_INDIC, *ENGLISH)}
    assert len(plain & set(ALL_INDIC)) > 20


def test_the_template_answers_over_the_row(ask: Any) -> None:
    template = '{"domain": {{ pick(domains) | tojson }}, "n": {{ number(1, 6) }}, "bad": {{ fail(0.5) | tojson }}}'

    async def body(m: Any) -> Any:
        return [
            (
                await m.chat(
                    "x", seed=s, rehearse=template, variables={"domains": ["law", "खेती"]}, schema={"type": "object"}
                )
            )
            for s in range(60)
        ]

    answers = ask(None, body)
    assert answers == ask(None, body)
    values = [a.value for a in answers]
    assert {v["domain"] for v in values} == {"law", "खेती"} and {v["bad"] for v in values} == {True, False}
    assert {v["n"] for v in values} == set(range(1, 7))


def test_a_changed_template_or_variable_is_another_answer(ask: Any) -> None:
    async def body(m: Any) -> list[str]:
        texts = []
        for template, name in (("a {{ name }}", "x"), ("b {{ name }}", "x"), ("a {{ name }}", "y")):
            texts.append((await m.chat("same", rehearse=template, variables={"name": name})).text)
        return texts

    assert ask(None, body) == ["a x", "b x", "a y"]


def test_a_template_that_fails_is_the_rows_error(ask: Any) -> None:
    async def body(m: Any) -> None:
        for template in ("{{ missing }}", "{{ pick([]) }}", "{% if %}"):
            with pytest.raises(RowError) as caught:
                await m.chat("x", rehearse=template, variables={})
            assert caught.value.code == "rehearse"
        assert m.journal.values == {}

    ask(None, body)


def test_schema_and_plain_words_without_a_template(ask: Any) -> None:
    async def body(m: Any) -> None:
        jsonschema.validate((await m.chat("x", schema=PERSON)).value, PERSON)
        assert len((await m.chat("x")).text.split()) >= 30
        vectors = await m.client.embed(
            Call("embeddings", "m", "s", "r", 0, texts=["the old river", "an old river", "xyz"]), 0
        )
        near, far = (sum(a * b for a, b in zip(vectors[0], other, strict=True)) for other in vectors[1:])
        assert near > far
        assert len(await m.client.logprobs(Call("logprobs", "m", "s", "r", 0, prompt="a b c"), 0)) == 2
        usage = m.meter.snapshot()["s"]
        assert usage["requests"] == 2

    ask(None, body)


def test_format_attempts_are_taken_in_rehearsal_too(ask: Any) -> None:
    template = "{% if fail(0.5) %}no JSON{% else %}{}{% endif %}"

    async def body(m: Any) -> Any:
        async def one(seed: int) -> str:
            try:
                await m.chat("x", seed=seed, rehearse=template, schema={"type": "object"})
            except RowError as error:
                return error.code
            return "ok"

        return [await one(s) for s in range(80)], m.meter.snapshot()["step"]

    results, usage = ask(None, body)
    assert {"ok", "unparseable"} == set(results) and 5 < results.count("unparseable") < 40
    assert usage["format_retries"] > results.count("unparseable")
