"""What README and docs say is so."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attar.cli.entry import VERBS

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_guarantee_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/\S+\.py)::(\w+)`", text))
    assert len(named) > 25
    missing = [
        f"{file}::{test}"
        for file, test in sorted(named)
        if not (ROOT / file).is_file() or f"def {test}(" not in (ROOT / file).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_the_ten_line_recipe_runs(attar: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    recipe = found[1]
    assert len(recipe.strip().splitlines()) == 10
    monkeypatch.chdir(tmp_path)
    Path("questions.yaml").write_text(recipe, encoding="utf-8")
    Path("topics.jsonl").write_text('{"topic": "why rain smells"}\n', encoding="utf-8")
    Path("ask.md").write_text("Ask a question about {{ topic }}.\n", encoding="utf-8")
    done = attar("run", "questions.yaml", "--show", 1)
    assert done.code == 0, done.out + done.err
    assert "dataset: 1 rows" in done.out and "topic: why rain smells" in done.out


def test_readme_names_every_verb() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Verbs")[2].partition("\n## ")[0]
    named = [row.strip("`").split()[0] for row in re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE)]
    assert sorted(named) == sorted(VERBS)


def test_readme_names_every_recipe() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Recipes")[2].partition("\n## ")[0]
    named = re.findall(r"^\| \[(\w+)\]\(recipes/\1\.yaml\) \|", table, re.MULTILINE)
    assert sorted(named) == sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_tutorial_shows_the_step_that_is_written() -> None:
    from attar.cli.plugin_project import project_files

    page = (ROOT / "docs" / "writing-plugins.md").read_text(encoding="utf-8")
    written = project_files("tidy", "0.1.0")["src/attar_tidy/wordy.py"]
    shown = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "class Wordy(" in block]
    (block,) = shown
    lines = [line for line in block.splitlines() if line.strip()]
    assert [line for line in lines if line not in written and line.partition("  #")[0] not in written] == []
