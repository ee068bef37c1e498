"""llm.generate over scripted answers."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest

from attar.api import Answer, ConfigProblem, Reject, Row, RowError
from attar_llm.generate import Generate

ROW = Row("r1", {"topic": "rain"})
PAIR = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "year": {"type": "integer"}},
    "required": ["title"],
}


def make(factory: Any, text: str = "On {{ topic }}.", **config: Any) -> Generate:
    config.setdefault("prompt", factory(text))
    step = Generate(Generate.Config(model="m", **config))
    step.name = "block.2.essay"
    return step


def run(step: Generate, ctx: Any) -> Any:
    return asyncio.run(step.apply(ROW, ctx))


def test_plain_answer_goes_to_the_column_named_after_the_step(prompt: Any, scripted: Any) -> None:
    step = make(prompt, sampling={"temperature": 0.2})
    ctx = scripted(lambda call: "It rains.")
    assert step.writes({"topic": "string"}) == {"topic": "string", "essay": "string"}
    assert run(step, ctx) == {"essay": "It rains."}
    assert ctx.calls[0]["text"] == "On rain."
    assert ctx.calls[0]["sampling"] == {"temperature": 0.2}
    assert ctx.calls[0]["schema"] is None


def test_schema_properties_become_columns(prompt: Any, schema: Any, scripted: Any) -> None:
    step = make(prompt, output=schema(PAIR))
    assert step.writes({}) == {"title": "string", "year": "int?"}
    assert run(step, scripted(lambda call: {"title": "Rain"})) == {"title": "Rain", "year": None}


def test_the_prompt_s_own_schema_serves_where_the_step_has_none(prompt: Any, scripted: Any) -> None:
    step = make(prompt, prompt=prompt("x", output=PAIR))
    assert step.writes({}) == {"title": "string", "year": "int?"}
    assert run(step, scripted(lambda call: {"title": "Rain", "year": 4})) == {"title": "Rain", "year": 4}


def test_writing_a_column_twice_is_an_error(prompt: Any, schema: Any) -> None:
    with pytest.raises(ConfigProblem, match="written twice"):
        make(prompt, output=schema(PAIR)).writes({"title": "string"})
    with pytest.raises(ConfigProblem, match="written twice"):
        make(prompt, keep_finish="essay").writes({})


def test_cut_off_and_empty_texts_are_rejected_unless_kept(prompt: Any, scripted: Any) -> None:
    cut = scripted(lambda call: Answer("It ra", finish_reason="length"))
    assert run(make(prompt), cut).code == "truncated"
    kept = make(prompt, truncated="keep", keep_finish="finish", keep_reasoning="thought")
    assert kept.writes({}) == {"essay": "string", "thought": "string?", "finish": "string?"}
    assert run(kept, cut) == {"essay": "It ra", "finish": "length", "thought": ""}
    blank = scripted(lambda call: " \n")
    assert run(make(prompt), blank).code == "empty"
    assert run(make(prompt, empty="keep"), blank) == {"essay": " \n"}


def test_samples_make_lists_in_sample_order(prompt: Any, scripted: Any) -> None:
    step = make(prompt, samples=3)
    assert step.writes({}) == {"essay": "list<string>"}
    ctx = scripted(lambda call: f"text {call['sample']}")
    assert run(step, ctx) == {"essay": ["text 0", "text 1", "text 2"]}
    assert [call["sample"] for call in ctx.calls] == [0, 1, 2]


def test_a_bad_sample_fails_the_row_unless_enough_are_good(prompt: Any, scripted: Any) -> None:
    def script(call: Any) -> Any:
        return {0: Answer("x", finish_reason="length"), 1: RowError("refused", "no"), 2: "fine"}[call["sample"]]

    assert isinstance(run(make(prompt, samples=3), scripted(script)), Reject)
    assert run(make(prompt, samples=3, min_samples=1), scripted(script)) == {"essay": ["fine"]}
    with pytest.raises(RowError, match="refused"):
        run(make(prompt, samples=2), scripted(lambda call: RowError("refused", "no") if call["sample"] else "fine"))


def test_a_lost_request_is_never_counted_as_a_bad_sample(prompt: Any, scripted: Any) -> None:
    """Otherwise the data would depend on the network, and the next run could not mend it."""
    step = make(prompt, samples=2, min_samples=1)
    with pytest.raises(RowError, match="transport"):
        run(step, scripted(lambda call: RowError("transport", "down") if call["sample"] else "fine"))


def test_a_rubric_lends_its_wording_to_the_prompt(prompt: Any, schema: Any, scripted: Any) -> None:
    rubric = schema({"name": "plain", "version": "2", "guidance": "Be plain."})
    ctx = scripted(lambda call: "ok")
    run(make(prompt, "{{ rubric.guidance }} ({{ rubric.name }} {{ rubric.version }})", rubric=rubric), ctx)
    assert ctx.calls[0]["text"] == "Be plain. (plain 2)"


def test_config_mistakes_are_told(prompt: Any, schema: Any) -> None:
    def problems(**config: Any) -> list[str]:
        return [problem.message for problem in make(prompt, **config).check({})]

    assert problems() == []
    assert "exceeds samples" in problems(samples=2, min_samples=3)[0]
    assert "no effect" in problems(output=schema(PAIR), column="x")[0]
    reads_rubric = prompt("{{ rubric.guidance }}", variables={"rubric": (1, 1)})
    assert "the step has none" in problems(prompt=reads_rubric)[0]
    assert "is no rubric" in problems(rubric=schema({"title": "?"}))[0]


def test_the_step_pickles(prompt: Any, schema: Any) -> None:
    step = pickle.loads(pickle.dumps(make(prompt, output=schema(PAIR))))
    assert step.writes({}) == {"title": "string", "year": "int?"}
