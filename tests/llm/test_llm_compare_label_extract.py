"""llm.pairwise, llm.classify and llm.extract over scripted answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from attar.api import Row, parse_type
from attar_llm.classify import Classify
from attar_llm.extract import Extract
from attar_llm.pairwise import Pairwise

ROW = Row("r1", {"left": "short", "right": "a longer text", "text": "हिन्दी  में\nलिखा। Rain fell on Tuesday."})


def run(step: Any, ctx: Any) -> Any:
    step.name = step.name or "found"
    return asyncio.run(step.apply(ROW, ctx))


# pairwise


def pairwise(prompt: Any, **config: Any) -> Pairwise:
    config = {"a": "left", "b": "right", "prompt": prompt("{{ first }} / {{ second }}"), **config}
    return Pairwise(Pairwise.Config(model="m", **config))


def prefers(*texts: str) -> Any:
    """A judge that prefers the texts named, wherever they stand; both or none is a tie."""

    def script(call: Any) -> Any:
        first, second = (part in texts for part in call["text"].split(" / "))
        return {"reason": call["key"], "better": "tie" if first == second else "first" if first else "second"}

    return script


@pytest.mark.parametrize(
    ("script", "winner", "consistent"),
    [
        (prefers("short"), "a", True),
        (prefers("a longer text"), "b", True),
        (prefers(), "tie", True),
        (lambda call: {"reason": "", "better": "first"}, "tie", False),  # a judge that favours a place wins nothing
        (lambda call: {"reason": "", "better": "second"}, "tie", False),
    ],
)
def test_only_a_win_in_both_orders_counts(
    prompt: Any, scripted: Any, script: Any, winner: str, consistent: bool
) -> None:
    found = run(pairwise(prompt), scripted(script))["found"]
    assert (found["winner"], found["consistent"]) == (winner, consistent)


def test_reasons_belong_to_their_order(prompt: Any, scripted: Any) -> None:
    ctx = scripted(prefers("short"))
    found = run(pairwise(prompt), ctx)["found"]
    assert (found["reason_ab"], found["reason_ba"]) == ("ab", "ba")
    assert sorted(call["text"] for call in ctx.calls) == ["a longer text / short", "short / a longer text"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the fixtures are factories without state
@given(answers=st.tuples(*[st.sampled_from(["first", "second", "tie"])] * 2))
def test_swapping_the_columns_swaps_the_winner(prompt: Any, scripted: Any, answers: tuple[str, str]) -> None:
    said = dict(zip(("short / a longer text", "a longer text / short"), answers, strict=True))

    def script(call: Any) -> Any:
        return {"reason": "", "better": said[call["text"]]}

    one = run(pairwise(prompt), scripted(script))["found"]["winner"]
    other = run(pairwise(prompt, a="right", b="left"), scripted(script))["found"]["winner"]
    assert other == {"a": "b", "b": "a", "tie": "tie"}[one]


def test_pairwise_mistakes(prompt: Any) -> None:
    assert [problem.field for problem in pairwise(prompt, b="left").check({})] == [("b",)]
    step = pairwise(prompt)
    step.name = "found"
    assert step.reads({}) == {"left": "any", "right": "any"}
    assert parse_type(step.writes({})["found"]).kind == "struct"


# classify


def classify(prompt: Any, **config: Any) -> Classify:
    config = {"labels": ["news", "law"], "prompt": prompt("{{ labels | map(attribute='name') | join }}"), **config}
    return Classify(Classify.Config(model="m", **config))


def test_one_label_out_of_the_list(prompt: Any, scripted: Any) -> None:
    ctx = scripted(lambda call: {"reason": "It reports.", "label": "news"})
    assert run(classify(prompt, keep_reason="why"), ctx) == {"found": "news", "why": "It reports."}
    schema = ctx.calls[0]["schema"]
    assert list(schema["properties"]) == ["reason", "label"]
    assert schema["properties"]["label"]["enum"] == ["news", "law"]
    assert ctx.calls[0]["text"] == "newslaw"


def test_labels_in_the_recipe_s_order_without_doubles(prompt: Any, scripted: Any) -> None:
    step = classify(prompt, multi=True)
    ctx = scripted(lambda call: {"reason": "", "labels": ["law", "news", "law"]})
    assert run(step, ctx) == {"found": ["news", "law"]}
    assert step.writes({})["found"] == "list<string>"


def test_rows_without_an_accepted_label_are_rejected(prompt: Any, scripted: Any) -> None:
    law = scripted(lambda call: {"reason": "A statute.", "label": "law"})
    found = run(classify(prompt, accept=["news"]), law)
    assert (found.code, found.detail) == ("label_not_accepted", "law: A statute.")
    assert run(classify(prompt, accept=["law"]), law) == {"found": "law"}
    none = scripted(lambda call: {"reason": "", "labels": []})
    assert run(classify(prompt, multi=True, accept=["news"]), none).code == "no_label"
    assert run(classify(prompt, multi=True), none) == {"found": []}


def test_classify_mistakes(prompt: Any) -> None:
    assert [problem.field for problem in classify(prompt, accept=["sport"]).check({})] == [("accept", 0)]
    assert [problem.field for problem in classify(prompt, accept=[]).check({})] == [("accept",)]
    with pytest.raises(ValidationError, match="twice"):
        classify(prompt, labels=["a", "a"])
    with pytest.raises(ValidationError):
        classify(prompt, labels=["a"])


# extract

FACTS = {
    "type": "object",
    "properties": {
        "day": {"type": "string"},
        "facts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"fact": {"type": "string"}, "quote": {"type": "string"}},
                "required": ["fact", "quote"],
            },
        },
    },
    "required": ["facts"],
}


def extract(prompt: Any, schema: Any, **config: Any) -> Extract:
    config = {"text": "text", "output": schema(FACTS), "prompt": prompt("{{ text }}"), **config}
    return Extract(Extract.Config(model="m", **config))


def says(*quotes: str, **more: Any) -> Any:
    return lambda call: {"facts": [{"fact": "f", "quote": quote} for quote in quotes], **more}


def test_properties_become_columns(prompt: Any, schema: Any, scripted: Any) -> None:
    step = extract(prompt, schema)
    assert step.writes({}) == {"day": "string?", "facts": "list<struct<fact:string,quote:string>>"}
    assert run(step, scripted(says("x"))) == {"day": None, "facts": [{"fact": "f", "quote": "x"}]}


def test_quotes_must_stand_in_the_text_whatever_its_line_breaks(prompt: Any, schema: Any, scripted: Any) -> None:
    step = extract(prompt, schema, evidence=["facts.quote", "day"])
    assert run(step, scripted(says("हिन्दी में लिखा", "fell on", day="Tuesday")))["day"] == "Tuesday"
    assert run(step, scripted(says("fell on")))["day"] is None  # nothing claimed, nothing unfounded
    wrong = run(step, scripted(says("fell on", "fell on Monday")))
    assert (wrong.code, wrong.detail) == ("evidence_not_in_text", "facts.quote: fell on Monday")
    assert run(step, scripted(says("हिन्द में"))).code == "evidence_not_in_text"


def test_unfounded_quotes_can_be_emptied_instead(prompt: Any, schema: Any, scripted: Any) -> None:
    step = extract(prompt, schema, evidence=["facts.quote"], unfounded="null")
    assert step.writes({})["facts"] == "list<struct<fact:string,quote:string?>>"
    found = run(step, scripted(says("fell on", "snow")))
    assert [fact["quote"] for fact in found["facts"]] == ["fell on", None]


def test_lists_of_quotes(prompt: Any, schema: Any, scripted: Any) -> None:
    listed = {
        "type": "object",
        "properties": {"spans": {"type": "array", "items": {"type": "string"}}},
        "required": ["spans"],
    }
    step = extract(prompt, schema, output=schema(listed), evidence=["spans"], unfounded="null")
    assert step.writes({}) == {"spans": "list<string?>"}
    assert run(step, scripted(lambda call: {"spans": ["Rain", "Snow"]})) == {"spans": ["Rain", None]}


def test_evidence_must_be_text_of_the_schema(prompt: Any, schema: Any) -> None:
    problems = list(extract(prompt, schema, evidence=["facts.quote", "facts", "nothing", "facts.none"]).check({}))
    assert [problem.field for problem in problems] == [("evidence", 1), ("evidence", 2), ("evidence", 3)]
