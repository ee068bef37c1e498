"""docs/recipe-language.md: its recipes load, and no key of the language is missing from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from attar.recipe import language, load
from attar.recipe.prompts import FrontMatter, load_prompt

PAGE = Path(__file__).resolve().parents[2] / "docs" / "recipe-language.md"
TEXT = PAGE.read_text(encoding="utf-8")
RECIPES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda text: re.search(r"name: (\S+)", text)[1])
def test_every_recipe_loads(recipe: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(recipe, encoding="utf-8")
    loaded, found = load(tmp_path / "r.yaml", {"docs": "x"} if "required: true" in recipe else {})
    assert loaded is not None and found == []


def test_the_prompt_file_loads(tmp_path: Path) -> None:
    (prompt,) = re.findall(r"```text\n(---.*?)```", TEXT, re.DOTALL)
    (tmp_path / "p.md").write_text(prompt, encoding="utf-8")
    text, found = load_prompt(tmp_path / "p.md")
    assert text is not None and found == []


def test_every_key_is_described() -> None:
    models = [m for m in vars(language).values() if isinstance(m, type) and issubclass(m, language.Model)]
    keys = {f.alias or name for m in [*models, FrontMatter] for name, f in m.model_fields.items()}
    assert len(keys) > 50
    described = set(re.findall(r"`([a-z_]+)`", TEXT)) | {"repeat"}
    assert keys - described == set()


def test_every_code_of_this_room_is_listed() -> None:
    room = PAGE.parents[1] / "engine" / "attar" / "recipe"
    used = {code for file in room.glob("*.py") for code in re.findall(r'"([EW][0-9]{3})"', file.read_text("utf-8"))}
    table = TEXT.partition("## Codes of mistakes")[2].partition("\n## ")[0]
    listed = set(re.findall(r"[EW][0-9]{3}", table))
    for first, last in re.findall(r"E([0-9]{3})–E([0-9]{3})", table):
        listed |= {f"E{n}" for n in range(int(first), int(last) + 1)}
    assert used - listed == set()
