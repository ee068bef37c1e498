"""llm.judge: rules over scores, votes, feedback; what cannot be read is never a score."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from attar.api import Row, RowError
from attar_llm.judge import RubricJudge
from attar_llm.rubric import Criterion, answer_schema

ROW = Row("r1", {"essay": "It rains."})
CRITERIA = [
    {"name": "clear", "description": "The text is clear", "scale": [1, 5], "threshold": 4},
    {"name": "true", "description": "Nothing in it is false", "must": True},
]


def make(prompt: Any, **config: Any) -> RubricJudge:
    if "rubric" not in config:
        config.setdefault("criteria", CRITERIA)
    config.setdefault("prompt", prompt("Judge {{ essay }} by {{ criteria | length }}: {{ answer_form }}"))
    step = RubricJudge(RubricJudge.Config(model="m", **config))
    step.name = "grounded"
    return step


def says(clear: int, true: bool, reason: str = "because") -> dict[str, Any]:
    return {"clear": {"reason": reason, "score": clear}, "true": {"reason": reason, "met": true}}


def run(step: RubricJudge, ctx: Any) -> Any:
    return asyncio.run(step.judge(ROW, ctx))


def test_reason_stands_before_the_verdict_in_the_asked_schema(prompt: Any, scripted: Any) -> None:
    ctx = scripted(lambda call: says(5, True))
    run(make(prompt), ctx)
    schema = ctx.calls[0]["schema"]
    assert list(schema["properties"]["clear"]["properties"]) == ["reason", "score"]
    assert schema["properties"]["clear"]["properties"]["score"] == {"type": "integer", "minimum": 1, "maximum": 5}
    assert list(schema["properties"]["true"]["properties"]) == ["reason", "met"]
    assert "Judge It rains. by 2" in ctx.calls[0]["text"]


@pytest.mark.parametrize(
    ("clear", "true", "outcome", "code"),
    [
        (5, True, "pass", ""),
        (4, True, "pass", ""),  # mean of 0.75 and 1
        (3, True, "fail", "failed_clear"),  # mean of 0.5 and 1 is below 0.8
        (5, False, "fail", "failed_true"),
        (1, False, "fail", "failed_true"),  # a failed must names the fault
    ],
)
def test_default_rule(prompt: Any, scripted: Any, clear: int, true: bool, outcome: str, code: str) -> None:
    verdict = run(make(prompt), scripted(lambda call: says(clear, true)))
    assert (verdict.outcome, verdict.code) == (outcome, code)
    assert verdict.scores == {"clear": clear, "true": float(true), "mean": ((clear - 1) / 4 + true) / 2}


def test_a_low_mean_fails_though_no_criterion_does(prompt: Any, scripted: Any) -> None:
    verdict = run(make(prompt, mean_at_least=0.95), scripted(lambda call: says(4, True, "could be plainer")))
    assert (verdict.outcome, verdict.code) == ("fail", "low_mean")
    assert "could be plainer" in verdict.feedback


def test_feedback_names_what_failed_and_why(prompt: Any, scripted: Any) -> None:
    feedback = run(make(prompt), scripted(lambda call: says(2, False, "the sky is green"))).feedback
    assert feedback.splitlines() == [
        "- Nothing in it is false (not met): the sky is green",
        "- The text is clear (2 of 5, at least 4 is needed): the sky is green",
    ]


def test_pass_if_replaces_the_rule(prompt: Any, scripted: Any) -> None:
    lenient = make(prompt, pass_if="clear >= 2")
    assert run(lenient, scripted(lambda call: says(2, False))).outcome == "pass"
    strict = make(prompt, pass_if="must_pass and lowest > 0.9")
    verdict = run(strict, scripted(lambda call: says(4, True)))
    assert (verdict.outcome, verdict.code) == ("fail", "pass_if")


def test_borderline_rows_go_to_review_whichever_way_they_fell(prompt: Any, scripted: Any) -> None:
    step = make(prompt, review_if="clear == 3")
    for true in (True, False):
        verdict = run(step, scripted(lambda call, true=true: says(3, true)))
        assert (verdict.outcome, verdict.review, verdict.code) == ("pass", True, "borderline")
    assert run(step, scripted(lambda call: says(5, True))).review is False


def test_an_answer_that_cannot_be_read_is_no_score(prompt: Any, scripted: Any) -> None:
    for code in ("unparseable", "truncated"):
        verdict = run(make(prompt), scripted(lambda call, code=code: RowError(code, "half JSON")))
        assert (verdict.outcome, verdict.code, dict(verdict.scores)) == ("unparseable", code, {})


def test_an_unreadable_answer_is_asked_for_once_since_on_fail_asks_again(prompt: Any, scripted: Any) -> None:
    ctx = scripted(lambda call: "no JSON at all")
    assert run(make(prompt), ctx).outcome == "unparseable"
    assert len(ctx.calls) == 1


def test_other_faults_of_a_call_are_the_engine_s(prompt: Any, scripted: Any) -> None:
    with pytest.raises(RowError, match="transport"):
        run(make(prompt), scripted(lambda call: RowError("transport", "down")))
    with pytest.raises(RowError, match="transport"):
        run(
            make(prompt, votes=3), scripted(lambda call: RowError("transport", "") if call["sample"] else says(5, True))
        )


@given(votes=st.lists(st.sampled_from(["pass", "fail", "lost"]), min_size=1, max_size=9).filter(lambda v: len(v) % 2))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the fixtures are factories without state
def test_majority_of_the_readable_votes_decides(prompt: Any, scripted: Any, votes: list[str]) -> None:
    def script(call: Any) -> Any:
        vote = votes[call["sample"]]
        return RowError("unparseable", "?") if vote == "lost" else says(5 if vote == "pass" else 2, vote == "pass")

    verdict = run(make(prompt, votes=len(votes)), scripted(script))
    passes, fails = votes.count("pass"), votes.count("fail")
    expected = "unparseable" if passes == fails else "pass" if passes > fails else "fail"
    assert verdict.outcome == expected
    if expected != "unparseable" and len(votes) > 1:
        assert verdict.scores["votes_read"] == passes + fails
        assert verdict.scores["agreement"] == pytest.approx(max(passes, fails) / (passes + fails))
        assert verdict.scores["clear"] == pytest.approx((5 * passes + 2 * fails) / (passes + fails))


def test_votes_are_independent_samples_and_scores_columns_are_known(prompt: Any, scripted: Any) -> None:
    ctx = scripted(lambda call: says(5, True))
    step = make(prompt, votes=3)
    run(step, ctx)
    assert [call["sample"] for call in ctx.calls] == [0, 1, 2]
    assert step.score_names() == ["clear", "true", "mean", "agreement", "votes_read"]
    assert step.writes({})["grounded"].startswith("struct<outcome:string,")


def test_a_rubric_file_serves_as_criteria(prompt: Any, schema: Any, scripted: Any) -> None:
    step = make(prompt, rubric=schema({"name": "n", "version": "3", "guidance": "g", "criteria": CRITERIA}))
    assert list(step.check({})) == []
    assert step.score_names() == ["clear", "true", "mean"]
    assert run(step, scripted(lambda call: says(5, True))).outcome == "pass"


@pytest.mark.parametrize(
    ("config", "field", "words"),
    [
        ({"votes": 4}, ("votes",), "odd"),
        ({"pass_if": "clarity > 3"}, ("pass_if",), "'clarity'"),
        ({"pass_if": "clear >"}, ("pass_if",), "no expression"),
        ({"pass_if": "agreement > 0.5"}, ("pass_if",), "'agreement'"),
        ({"review_if": "agreement < 1 and nonsense"}, ("review_if",), "'nonsense'"),
        ({"criteria": [{**CRITERIA[0], "threshold": 6}]}, ("criteria", 0, "threshold"), "outside its scale"),
        ({"criteria": [{**CRITERIA[0], "threshold": 1}]}, ("criteria", 0, "threshold"), "every score passes"),
        ({"criteria": [{**CRITERIA[0], "scale": [5, 1]}]}, ("criteria", 0), "is empty"),
        ({"criteria": [CRITERIA[0], CRITERIA[0]]}, ("criteria", 1), "twice"),
        ({"criteria": [{**CRITERIA[0], "name": "mean"}]}, ("criteria", 0), "word of pass_if"),
        ({"criteria": []}, ("rubric",), "no criteria"),
        ({"criteria": None}, ("rubric",), "either rubric"),
    ],
)
def test_config_mistakes_are_told(prompt: Any, config: dict[str, Any], field: tuple[Any, ...], words: str) -> None:
    problems = list(make(prompt, **config).check({}))
    assert [problem.field for problem in problems] == [field]
    assert words in problems[0].message


def test_a_broken_rubric_file_is_told_once(prompt: Any, schema: Any) -> None:
    broken = make(prompt, rubric=schema({"name": "n", "criteria": [{"name": "Bad Name"}]}))
    problems = list(broken.check({}))
    assert [problem.field for problem in problems] == [("rubric",)]
    assert "criteria.0.name" in problems[0].message
    assert broken.score_names() == ()


def test_an_expression_that_fails_on_values_is_the_row_s_error(prompt: Any, scripted: Any) -> None:
    step = make(prompt, pass_if="1 / (clear - 5) > 0")
    with pytest.raises(RowError, match="rule"):
        run(step, scripted(lambda call: says(5, True)))


def test_every_criterion_is_required_of_the_answer() -> None:
    schema = answer_schema([Criterion.model_validate(one) for one in CRITERIA])
    assert schema["required"] == ["clear", "true"]
    assert schema["additionalProperties"] is False


def test_scales_as_people_write_them() -> None:
    for scale in ("1-5", "1 – 5", "1 to 5", [1, 5]):
        assert Criterion.model_validate({**CRITERIA[0], "scale": scale}).bounds == (1, 5)
    assert Criterion.model_validate({**CRITERIA[0], "scale": "bool", "threshold": None}).passing == 1
    assert Criterion.model_validate({**CRITERIA[0], "threshold": None}).passing == 4
    with pytest.raises(ValidationError):
        Criterion.model_validate({**CRITERIA[0], "scale": "high"})
