"""The recipe of tests/faults, copied with its input, and the words that run it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from support.runs import TESTS

RECIPE = TESTS / "faults" / "recipe"


def copy_recipe(folder: Path, topics: int) -> Path:
    """The recipe and its input in a folder of the test's own; returns the recipe file."""
    shutil.copytree(RECIPE, folder, dirs_exist_ok=True)
    with (folder / "topics.jsonl").open("w", encoding="utf-8") as file:
        for i in range(topics):
            file.write(json.dumps({"topic": f"विषय {i}", "n": i}, ensure_ascii=False) + "\n")
    with (folder / "labels.jsonl").open("w", encoding="utf-8") as file:
        for i in range(0, topics, 2):
            file.write(json.dumps({"topic": f"विषय {i}", "label": f"label {i}"}, ensure_ascii=False) + "\n")
    return folder / "recipe.yaml"


def words(recipe: Path, *more: Any) -> list[str]:
    """The words of `attar run` for the copied recipe."""
    folder = recipe.parent
    return [
        "run",
        str(recipe),
        "-p",
        f"topics={folder / 'topics.jsonl'}",
        "-p",
        f"labels={folder / 'labels.jsonl'}",
        *map(str, more),
    ]
