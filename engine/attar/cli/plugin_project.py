"""The files of a new plugin project: a step, a recipe that uses it, its data, and tests that pass."""

from __future__ import annotations

from collections.abc import Mapping

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.25"]
build-backend = "hatchling.build"

[project]
name = "attar-{dash}"
version = "0.1.0"
description = "Steps for attar recipes."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["attar>={attar}", "pydantic>=2.10"]

[project.optional-dependencies]
dev = ["pytest>=8.3"]

# The name on the left is the namespace: the step `wordy` of this plugin is `{name}.wordy` in a recipe.
[project.entry-points.attar]
{name} = "attar_{name}:plugin"

[tool.hatch.build.targets.wheel]
packages = ["src/attar_{name}"]

[tool.pytest.ini_options]
testpaths = ["tests"]
"""

README = """\
# attar-{dash}

Steps for attar recipes, under the namespace `{name}`. In the environment that already has attar:

    pip install -e '.[dev]'
    attar plugins show {name}
    attar validate recipes/{name}.yaml
    attar run recipes/{name}.yaml --show 3
    pytest
"""

INIT = '''\
"""Steps for attar recipes, under the namespace `{name}`."""

from __future__ import annotations

from collections.abc import Mapping

from attar.api import hookimpl


class Plugin:
    """The plugin as attar sees it. A step's class is imported when a recipe first uses it, not before."""

    @hookimpl
    def attar_steps(self) -> Mapping[str, str]:
        return {{"wordy": "attar_{name}.wordy:Wordy"}}


plugin = Plugin()
'''

STEP = '''\
"""A step that counts words and turns short texts away."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, Context, Reject, Row, RowStep


class WordyConfig(Config):
    """What a recipe may say under `with:`. Unknown keys are errors, found by `attar validate`."""

    column: str = Field("text", description="the text to count")
    min_words: int = Field(1, ge=0, description="texts with fewer words are rejected as too_short")


class Wordy(RowStep[WordyConfig]):
    """Counts the words of a column into a column named after the step; rejects texts that are too short."""

    Config = WordyConfig
    version = 1  # raise it when the same config would give other rows

    def reads(self, incoming: Columns) -> Columns:
        return {{self.config.column: "string"}}

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, {{self.short_name: "int"}})

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        words = len(re.findall(r"\\S+", row[self.config.column]))
        if words < self.config.min_words:
            return Reject("too_short", f"{{words}} of {{self.config.min_words}} words")
        return {{self.short_name: words}}
'''

RECIPE = """\
attar: 1
name: {recipe}
description: Counts the words of a few sentences and keeps the longer ones.

params:
  rows: {{type: path, default: ../data/rows.jsonl}}
  min_words: {{type: int, default: 4, min: 0}}

steps:
  texts: {{use: std.read, with: {{path: "${{params.rows}}"}}}}
  words: {{use: {name}.wordy, from: texts, with: {{column: text, min_words: "${{params.min_words}}"}}}}

outputs:
  dataset: {{from: words, format: parquet}}
"""

ROWS = """\
{"text": "Rain came early to Kannauj this year."}
{"text": "Too short."}
{"text": "The perfumers carry rose petals to the stills before sunrise."}
{"text": "इत्र मिट्टी की खुशबू भी सँभाल लेता है।"}
"""

TEST = '''\
"""The step keeps the contract of all steps, does what it says, and its recipe is free of mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from attar_{name}.wordy import Wordy

from attar.api import Reject
from attar.testing import StepContract, build, run_row_step

RECIPE = Path(__file__).parent.parent / "recipes" / "{name}.yaml"


class TestContract(StepContract):
    step = Wordy
    config = {{"column": "text", "min_words": 2}}
    rows = [{{"text": "one two  three"}}, {{"text": "one"}}]


def test_counts_words() -> None:
    step = build(Wordy, {{"column": "text"}}, name="words")
    assert run_row_step(step, [{{"text": "one two  three"}}]) == [{{"words": 3}}]


def test_turns_short_texts_away() -> None:
    step = build(Wordy, {{"min_words": 5}})
    assert run_row_step(step, [{{"text": "one two"}}]) == [Reject("too_short", "2 of 5 words")]


def test_recipe_is_free_of_mistakes() -> None:
    command = [sys.executable, "-m", "attar", "validate", str(RECIPE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
'''


def project_files(name: str, attar_version: str) -> Mapping[str, str]:
    """Path in the project → text.

    Args:
        name: the namespace; a Python identifier in lower case.
        attar_version: the oldest attar the plugin asks for.
    """
    words = {"name": name, "dash": name.replace("_", "-"), "attar": attar_version, "recipe": name.replace("_", "-")}
    return {
        "pyproject.toml": PYPROJECT.format(**words),
        "README.md": README.format(**words),
        f"src/attar_{name}/__init__.py": INIT.format(**words),
        f"src/attar_{name}/wordy.py": STEP.format(**words),
        f"src/attar_{name}/py.typed": "",
        f"recipes/{name}.yaml": RECIPE.format(**words),
        "data/rows.jsonl": ROWS,
        f"tests/test_{name}.py": TEST.format(**words),
    }
