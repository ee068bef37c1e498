"""`attar validate` over the broken recipes: exit 2 with the recorded words, exit 0 for each repaired twin."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BROKEN = Path(__file__).parent.parent / "golden" / "broken"
CASES = sorted(case for case in BROKEN.iterdir() if (case / "recipe.yaml").is_file())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused_and_repaired(case: Path, attar: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)
    refused = attar("validate", "recipe.yaml")
    assert refused.code == 2 and refused.out == ""
    assert refused.err == (case / "expected.txt").read_text(encoding="utf-8")
    document = json.loads(attar("validate", "recipe.yaml", "--json").out)
    places = [(d["file"], d["line"], d["column"]) for d in document["diagnostics"] if d["severity"] == "error"]
    assert places and all(f"{file}:{line}:{column}" in refused.err for file, line, column in places)
    repaired = attar("validate", "fixed.yaml")
    assert (repaired.code, repaired.err) == (0, "")
