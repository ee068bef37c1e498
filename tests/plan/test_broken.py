"""Broken recipes: each is refused with the text that stands in its expected.txt, and its repaired twin passes.

`python tests/plan/test_broken.py` writes the texts anew; read the difference before you keep it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attar.errors import render
from attar.plan import check
from attar.registry import Registry

FOLDER = Path(__file__).resolve().parent.parent / "golden" / "broken"
CASES = sorted(path for path in FOLDER.iterdir() if path.name[:2].isdigit())


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused_with_the_right_words(case: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)
    plan, found = check(Path("recipe.yaml"), registry=registry)
    assert plan is None
    assert any(one.severity == "error" for one in found)
    assert all(one.span is not None for one in found if one.severity == "error"), "every fault has a place"
    for one in found:
        assert one.help or "expected" in one.message, "every fault says what to do, or what was expected"
    assert render(found) == (case / "expected.txt").read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_repaired_twin_passes(case: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)
    plan, found = check(Path("fixed.yaml"), registry=registry)
    assert plan is not None, render(found)
    assert found == []


def test_there_are_thirty_and_one_shows_six() -> None:
    assert len(CASES) >= 30
    six = (next(case for case in CASES if case.name.endswith("six-faults")) / "expected.txt").read_text()
    assert six.count("--> recipe.yaml:") == 6, six


if __name__ == "__main__":
    for one in CASES:
        os.chdir(one)
        (one / "expected.txt").write_text(render(check(Path("recipe.yaml"), registry=Registry.load())[1]))
