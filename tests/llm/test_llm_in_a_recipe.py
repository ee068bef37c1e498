"""All steps of attar_llm in one rehearsed run: what they return must survive checking, storing and counting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.runs import Attar, results, run_folder, table

RECIPE = """
attar: 1
name: all-of-llm
seed: 5
models:
  m: {model: any/model, backend: rehearsal}
steps:
  read: {use: std.read, with: {path: topics.jsonl, columns: {topic: string}}}
  draft: {use: llm.generate, from: read, model: m, prompt: draft.md, output: draft.json}
  variants: {use: llm.generate, from: draft, model: m, prompt: plain.md, with: {samples: 3}}
  label:
    use: llm.classify
    from: variants
    model: m
    prompt: label.md
    with: {labels: {wet: about water, dry: not about water}, multi: true, keep_reason: why}
  quotes:
    use: llm.extract
    from: label
    model: m
    prompt: plain.md
    output: quotes.json
    with: {text: topic, evidence: [facts.quote], unfounded: "null"}
  better: {use: llm.pairwise, from: quotes, model: m, prompt: compare.md, with: {a: title, b: topic}}
  good:
    use: llm.judge
    from: better
    model: m
    prompt: judge.md
    with:
      criteria:
        - {name: clear, description: It is clear, scale: 1-5}
        - {name: kind, description: It is kind, must: true}
      votes: 3
      review_if: agreement < 1 and 3 < clear
    on_fail: {retry: draft, attempts: 4, then: keep_best}
outputs:
  dataset: {from: good, format: jsonl}
"""
DRAFT = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "year": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "notes": {"type": "object"},
    },
    "required": ["title", "tags", "notes"],
}
QUOTES = {
    "type": "object",
    "properties": {
        "facts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"fact": {"type": "string"}, "quote": {"type": "string"}},
                "required": ["fact", "quote"],
            },
            "minItems": 1,
        }
    },
    "required": ["facts"],
}
VOTE = """---
rehearse: |
  {%- set bad = fail(0.4) -%}
  {"clear": {"reason": "r", "score": {{ 2 if bad else 5 }}},
   "kind": {"reason": "r", "met": {{ "false" if bad else "true" }}}}
---
# user
{{ title }}: {{ answer_form }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    topics = [{"topic": f"topic {n}: पानी"} for n in range(20)]
    files = {
        "recipe.yaml": RECIPE,
        "topics.jsonl": "\n".join(json.dumps(topic) for topic in topics),
        "draft.json": json.dumps(DRAFT),
        "quotes.json": json.dumps(QUOTES),
        "draft.md": "# user\nDraft on {{ topic }}. {{ retry.feedback | join }}\n",
        "plain.md": "# user\nOn {{ topic }}.\n",
        "label.md": "# user\n{% for label in labels %}{{ label.name }}: {{ label.description }}{% endfor %}\n",
        "compare.md": "# user\n{{ first }} or {{ second }}?\n",
        "judge.md": VOTE,
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_every_step_in_one_run(folder: Path) -> None:
    attar = Attar(folder, None)
    attar("run", "recipe.yaml", "--runs", attar.runs, expect=(0, 1))  # 1 where rows await review
    ledger = results(attar.runs, "all-of-llm")["ledger"]
    for step, count in ledger.items():
        assert count["in"] == count["accepted"] + count["rejected"] + count["review"] + count["dead"], step
        assert count["dead"] == count["rejected"] == 0, step
    assert ledger["good"]["retried"] > 0 and ledger["good"]["review"] > 0
    lines = (run_folder(attar.runs, "all-of-llm") / "dataset/part-00000.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == ledger["good"]["accepted"] > 0
    for row in rows:
        assert len(row["variants"]) == 3
        assert set(row["label"]) <= {"wet", "dry"}
        assert row["better"]["winner"] in ("a", "b", "tie")
        assert row["facts"][0]["fact"] and row["facts"][0]["quote"] is None  # rehearsed quotes are not in the text
        assert row["good"]["outcome"] in ("pass", "fail")  # keep_best passes the best failing try on
        assert row["good"]["scores"]["votes_read"] == 3
        assert isinstance(row["notes"], dict | str)
    review = run_folder(attar.runs, "all-of-llm") / "review"
    assert ledger["good"]["review"] == (len(table(review)) if review.exists() else 0)
