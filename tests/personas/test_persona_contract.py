"""Every step of attar_personas keeps the contract of attar.testing, also over nulls."""

from __future__ import annotations

from typing import Any

from attar.testing.contract import StepContract
from attar_personas.indianization.domains import Domains
from attar_personas.indianization.labels import CheckLabelled, Labelled
from attar_personas.indianization.question import CheckQuestion
from attar_personas.indianization.text import CheckText

ROWS: list[dict[str, Any]] = [
    {"text": "ps: A | b | gd_1: c | sp_1: d | gd_01: e | sp_01: f", "persona": "A weaver", "sp_1": "silk"},
    {"text": "कहानी?", "persona": None, "sp_1": " "},
    {"text": None, "persona": "", "sp_1": None},
]


class TestLabelled(StepContract):
    step = Labelled
    config = {"text": "text"}
    rows = [{"text": row["text"]} for row in ROWS]


class TestCheckLabelled(StepContract):
    step = CheckLabelled
    config = {"text": "text", "original": "persona"}
    rows = ROWS


class TestDomains(StepContract):
    step = Domains
    config = {"keys": "sp_1", "per_domain": 2}
    rows = ROWS


class TestCheckQuestion(StepContract):
    step = CheckQuestion
    config = {"column": "text"}
    rows = ROWS


class TestCheckText(StepContract):
    step = CheckText
    config = {"min_words": 1, "persona": "persona"}
    rows = ROWS
