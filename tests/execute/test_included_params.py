"""A step of an included recipe sees that recipe's own params in its prompts."""

from __future__ import annotations

from pathlib import Path

from support.runs import Attar, run_folder, table

INNER = """
attar: 1
name: inner
params: {tone: {default: plain}}
models: {writer: {model: m, backend: rehearsal}}
steps:
  topics: {use: std.read, with: {path: topics.jsonl}}
  said: {use: llm.generate, from: topics, model: writer, prompt: say.md}
outputs: {dataset: {from: said}}
"""
OUTER = """
attar: 1
name: outer
params: {tone: {default: loud}}
include: {file: inner.yaml, as: inner, with: {tone: "very ${params.tone}"}}
steps:
  kept: {use: std.filter, from: inner.said, with: {where: "topic != ''"}}
outputs: {dataset: {from: kept}}
"""
PROMPT = """---
rehearse: "{{ params.tone }}: {{ topic }}"
---
# user
{{ params.tone }} {{ topic }}
"""


def test_an_included_step_sees_its_own_params(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(INNER)
    (tmp_path / "outer.yaml").write_text(OUTER)
    (tmp_path / "say.md").write_text(PROMPT)
    (tmp_path / "topics.jsonl").write_text('{"topic": "rain"}\n')
    attar = Attar(tmp_path, None)
    for recipe, expected in (("inner", "plain: rain"), ("outer", "very loud: rain")):
        attar("run", f"{recipe}.yaml", "--runs", attar.runs)
        assert [row["said"] for row in table(run_folder(attar.runs, recipe) / "dataset")] == [expected]
