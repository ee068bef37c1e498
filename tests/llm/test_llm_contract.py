"""Every step of attar_llm keeps the contract of attar.testing."""

from __future__ import annotations

from typing import Any

from attar.testing import steps
from attar.testing.contract import StepContract
from attar_llm.classify import Classify
from attar_llm.extract import Extract
from attar_llm.generate import Generate
from attar_llm.judge import RubricJudge
from attar_llm.pairwise import Pairwise

ROWS: list[dict[str, Any]] = [{"a": "rain", "b": "snow"}, {"a": "बारिश", "b": ""}]
PROMPT = steps.prompt("{{ a }} {{ b }}")
SCHEMA = steps.schema({"type": "object", "properties": {"x": {"type": "string"}, "n": {"type": "integer"}}})


class TestGenerate(StepContract):
    step = Generate
    config = {"model": "m", "prompt": PROMPT, "output": SCHEMA, "keep_finish": "finish"}
    rows = ROWS


class TestGenerateText(StepContract):
    step = Generate
    config = {"model": "m", "prompt": PROMPT, "samples": 3}
    rows = ROWS


class TestJudge(StepContract):
    step = RubricJudge
    config = {"model": "m", "prompt": PROMPT, "criteria": [{"name": "good", "description": "It is good"}], "votes": 3}
    rows = ROWS


class TestPairwise(StepContract):
    step = Pairwise
    config = {"model": "m", "prompt": steps.prompt("{{ first }} {{ second }}"), "a": "a", "b": "b"}
    rows = ROWS


class TestClassify(StepContract):
    step = Classify
    config = {"model": "m", "prompt": PROMPT, "labels": ["wet", "dry"], "accept": ["wet"]}
    rows = ROWS


class TestExtract(StepContract):
    step = Extract
    config = {"model": "m", "prompt": PROMPT, "output": SCHEMA, "text": "a", "evidence": ["x"]}
    rows = ROWS
