"""Question and text checks, and the rows they are made of."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from attar.api import Reject, Row, Verdict
from attar.models.words import ENGLISH
from attar_personas.indianization.domains import Domains
from attar_personas.indianization.question import CheckQuestion
from attar_personas.indianization.text import CheckText

QUESTION = "How should a small town in India weigh new roads against the old trees that shade its markets?"


def question(text: str, **config: Any) -> Verdict:
    step = CheckQuestion(CheckQuestion.Config(**config))
    return asyncio.run(step.judge(Row("r", {"question": text}), None))  # type: ignore[arg-type]


def test_a_bare_question_passes() -> None:
    verdict = question(f" {QUESTION}\n")
    assert (verdict.outcome, verdict.scores["n_words"]) == ("pass", 18.0)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"Here is a question: {QUESTION}", "preamble"),
        (f"**Question:** {QUESTION}", "preamble"),
        (f"Sure! {QUESTION}", "preamble"),
        (f"Roads\n\n{QUESTION}", "preamble"),
        (QUESTION[:-1] + ".", "question_marks"),
        (f"{QUESTION} And why?", "question_marks"),
        (f"{QUESTION} This invites reflection.", "commentary"),
        ("Why do roads matter?", "too_short"),
        (QUESTION.replace("roads", "roads and " * 80), "too_long"),
        (QUESTION.replace("roads", "नई सड़कें"), "not_english"),
        ("", "question_marks"),
    ],
)
def test_question_faults(text: str, code: str) -> None:
    verdict = question(text)
    assert (verdict.outcome, verdict.code) == ("fail", code)
    assert verdict.feedback


def test_questions_that_merely_begin_alike_pass() -> None:
    assert question(QUESTION.replace("How should", "Surely, how should")).outcome == "pass"


def essay(n: int = 950, seed: int = 1) -> str:
    rng = Random(seed)
    drawn = [rng.choice(ENGLISH) for _ in range(n)]
    return "\n\n".join(" ".join(drawn[i : i + 100]) + "." for i in range(0, n, 100))


def text(content: str, columns: dict[str, Any] | None = None, **config: Any) -> Verdict:
    step = CheckText(CheckText.Config(**config))
    return asyncio.run(step.judge(Row("r", {"text": content, **(columns or {})}), None))  # type: ignore[arg-type]


def test_a_long_varied_text_passes() -> None:
    verdict = text(essay())
    assert verdict.outcome == "pass"
    assert verdict.scores["n_words"] == 950
    assert set(verdict.scores) == set(CheckText(CheckText.Config()).score_names())


PERSONA = "A retired postmaster of Almora who has walked every hill path of the district with letters"


@pytest.mark.parametrize(
    ("content", "config", "code"),
    [
        (essay(899), {}, "too_short"),
        (essay(), {"max_words": 920, "min_words": 9}, "too_long"),
        (essay() + " गाँव की कहानी" * 20, {}, "not_english"),
        (essay() + "\n# STYLE #\nplain", {}, "heading_echo"),
        (essay() + "\n**Audience:**\nall", {}, "heading_echo"),
        (essay() + "\nRESPONSE:\nall", {}, "heading_echo"),
        (essay(300) * 4, {}, "repetitive"),
        (essay() + " on and on" * 100, {}, "repetitive"),
        ("the same line\n" * 20 + essay(), {}, "repetitive"),
        (essay() + " I am " + PERSONA.upper(), {"persona": "ps"}, "persona_leak"),
        (essay() + " a rich tapestry", {"max_frames": 0}, "stock_phrases"),
    ],
)
def test_text_faults(content: str, config: dict[str, Any], code: str) -> None:
    verdict = text(content, {"ps": PERSONA}, **config)
    assert (verdict.outcome, verdict.code) == ("fail", code)
    assert verdict.feedback


def test_what_only_looks_like_a_fault_passes() -> None:
    assert text(essay() + "\nA matter of style: the response of an audience.").outcome == "pass"
    assert text(essay() + "\nStyle:\nis not shouted here").outcome == "pass"
    assert text(essay() + " " + PERSONA[:59], {"ps": PERSONA}, persona="ps").outcome == "pass"
    counted = text(essay() + " As a proud Indian, a rich tapestry")
    assert (counted.outcome, counted.scores["frames"]) == ("pass", 2.0)


def test_a_cut_text_fails_as_such_and_feedback_names_every_fault() -> None:
    verdict = text(essay(100) + "\n# STYLE #", {"finish": "length"}, finish="finish")
    assert verdict.code == "truncated"
    assert len(verdict.feedback.splitlines()) == 3
    assert text(essay(), {"finish": "stop"}, finish="finish").outcome == "pass"
    assert text(essay(), {"finish": None}, finish="finish").outcome == "pass"


def test_bounds_that_exclude_each_other_are_told() -> None:
    for step in (CheckText(CheckText.Config(max_words=10)), CheckQuestion(CheckQuestion.Config(max_words=3))):
        assert [problem.field for problem in step.check({})] == [("min_words",)]
    with pytest.raises(ValidationError):
        CheckText.Config(min_word=3)  # type: ignore[call-arg]


def rows(columns: dict[str, Any], **config: Any) -> Any:
    step = Domains(Domains.Config(**config))
    return asyncio.run(step.apply(Row("r", columns), None))  # type: ignore[arg-type]


def test_a_row_per_domain_and_question() -> None:
    made = rows({"sp_1": "silk", "gd_1": "Silk ", "gd_01": "dyes"}, keys="sp_1, gd_1,gd_01", per_domain=2)
    assert [(row["domain"], row["domain_key"], row["question_number"]) for row in made] == [
        ("silk", "sp_1", 1),
        ("silk", "sp_1", 2),
        ("dyes", "gd_01", 1),
        ("dyes", "gd_01", 2),
    ]
    assert isinstance(rows({"sp_1": " "}), Reject)
