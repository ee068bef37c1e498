"""The steps of a release keep the contract of attar.testing, in bulk, too."""

from __future__ import annotations

from typing import Any

from attar.testing.contract import StepContract
from attar_personas.release.cap import Cap
from attar_personas.release.labels import NormaliseDomain

ROWS: list[dict[str, Any]] = [
    {"persona": "A weaver", "domain": "Textile design"},
    {"persona": "a  WEAVER", "domain": "textiles"},
    {"persona": "बुनकर", "domain": "हथकरघा उद्योग"},
    {"persona": "A dyer", "domain": "textile chemistry"},
    {"persona": " ", "domain": "textile"},
    {"persona": None, "domain": "textile"},
    {"persona": "A potter", "domain": None},
    {"persona": "A potter again", "domain": "--"},
]


class TestNormaliseDomain(StepContract):
    step = NormaliseDomain
    rows = ROWS


class TestFullLabels(StepContract):
    step = NormaliseDomain
    config = {"style": "full", "text": None, "raw": "label"}
    rows = ROWS


class TestCap(StepContract):
    step = Cap
    config = {"cap": 1, "rows": 3}
    rows = ROWS


class TestCapAlone(StepContract):
    step = Cap
    config = {"cap": 2, "distinct": None}
    rows = ROWS
