"""The general prompts that ship with attar_llm serve their steps as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from attar.api import PromptRef, Row
from attar.recipe.prompts import load_prompt
from attar.testing import steps
from attar.testing.fakes import FakeContext
from attar_llm.classify import Classify
from attar_llm.judge import RubricJudge
from attar_llm.pairwise import Pairwise

PROMPTS = Path(__file__).parents[2] / "prompts"
ROWS = [{"text": "It rains.", "other": "It pours."}]


def shipped(name: str) -> PromptRef:
    text, found = load_prompt(PROMPTS / "llm" / name)
    assert found == [] and text is not None
    return PromptRef(files={"": name}, texts={"": text})


@pytest.mark.parametrize("path", sorted(PROMPTS.rglob("*.md")), ids=lambda path: path.stem)
def test_every_prompt_file_is_sound(path: Path) -> None:
    text, found = load_prompt(path)
    assert found == []
    assert text is not None and text.note and text.inputs


def said(context: FakeContext) -> list[str]:
    return [call["text"] for call in context.calls]


def test_judge() -> None:
    criteria = [
        {"name": "wet", "description": "It is wet.", "must": True},
        {"name": "good", "description": "It is good.", "scale": "1-5", "levels": {1: "no", 5: "yes"}},
    ]
    context = FakeContext(seed=3)
    step = steps.build(RubricJudge, {"model": "m", "prompt": shipped("judge.md"), "criteria": criteria})
    verdicts: list[Any] = steps.run_judge(step, [Row(str(n), ROWS[0]) for n in range(40)], context)
    assert {verdict.outcome for verdict in verdicts} == {"pass", "fail"}, "its rehearsal takes both ways"
    text = said(context)[0]
    assert "- wet: It is wet. Answer true or false." in text
    assert "- good: It is good. Answer a whole number from 1 to 5.\n  1: no\n  5: yes" in text
    assert '"good": {"reason": "one or two sentences", "score": 1 to 5}' in text


def test_pairwise_and_classify() -> None:
    context = FakeContext()
    step = steps.build(Pairwise, {"model": "m", "prompt": shipped("pairwise.md"), "a": "text", "b": "other"})
    (found,) = steps.run_row_step(step, ROWS, context)
    assert found["step"]["winner"] in ("a", "b", "tie")
    assert "First text:\nIt rains.\n\nSecond text:\nIt pours." in said(context)[0]
    context = FakeContext()
    config = {"model": "m", "prompt": shipped("classify.md"), "labels": {"wet": "about water", "dry": ""}}
    (found,) = steps.run_row_step(steps.build(Classify, config), ROWS, context)
    assert found["step"] in ("wet", "dry")
    assert "- wet: about water\n- dry\n" in said(context)[0]
