"""A recipe whose judges send rows to a person in every way there is, and the answers of its models.

Topics go by number (n mod 4): 0 is borderline at once (`review_if`), 1 fails every try (`then: review` in a loop), the
others pass. Behind that judge: parts of a draft (an expanding step) of which every draft's part B is laid aside by a
judge without a loop, a dataset step, and one more model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from attar.testing.responders import text_of

RECIPE = """\
attar: 1
name: review
seed: 3
params: {topics: {type: path, required: true}}
models:
  m: {model: stand-in, backend: endpoint, sampling: {temperature: 0.7, max_tokens: 64}, in_flight: 16}
steps:
  topics: {use: std.read, with: {path: "${params.topics}", id: topic}}
  draft: {use: llm.generate, from: topics, model: m, prompt: draft.md}
  title: {use: llm.generate, from: draft, model: m, prompt: title.md}
  sound:
    use: llm.judge
    from: draft
    model: m
    prompt: sound.md
    with: {criteria: [{name: clear, description: It is clear., scale: [1, 5]}], review_if: clear == 3}
    on_fail: {retry: draft, attempts: 2, feedback: true, then: review}
  both: {use: std.derive, from: [sound, title], with: {columns: {head: "title ~ ': ' ~ draft"}}}
  parts:
    use: std.derive
    from: both
    with: {columns: {parts: "[draft ~ ' part A', draft ~ ' part B']"}, types: {parts: list<string>}}
  part: {use: std.explode, from: parts, with: {column: parts, into: part}}
  fair:
    use: std.check
    from: part
    with: {rules: {is_b: "'part B' not in part"}}
    on_fail: {then: review}
  unique: {use: std.dedup, from: fair, with: {by: [part]}}
  close: {use: llm.generate, from: unique, model: m, prompt: close.md}
outputs:
  dataset: {from: close, format: parquet}
"""
PROMPTS = {
    "draft.md": "# user\nDRAFT on {{ topic }}{% for f in retry.feedback %} mind: {{ f }}{% endfor %}\n",
    "title.md": "# user\nTITLE of {{ draft }}\n",
    "sound.md": "# user\nSOUND? {{ draft }}\n{{ criteria | length }} {{ answer_form }}\n",
    "close.md": "# user\nCLOSE {{ head }} / {{ part }}\n",
}


def copy_review_recipe(folder: Path, topics: int = 8) -> Path:
    """The recipe, its prompts and its topics in a folder; returns the recipe file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"recipe.yaml": RECIPE, **PROMPTS}.items():
        (folder / name).write_text(text, encoding="utf-8")
    lines = [json.dumps({"topic": f"विषय-{n}", "n": n, "note": None}, ensure_ascii=False) for n in range(topics)]
    (folder / "topics.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "recipe.yaml"


def respond(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any], rng: Random) -> Any:
    """Answers by the word a prompt begins with and the number of the topic in it."""
    text = text_of(messages)
    kind = text.partition(" ")[0]
    if kind == "SOUND?":
        number = int(re.search(r"विषय-(\d+)", text)[1])  # type: ignore[index]
        score = {0: 3, 1: 1}.get(number % 4, 5)
        return {"clear": {"reason": f"it is a {score}", "score": score}}
    rest = " ".join(text.split()[1:])
    return f"{kind.lower()} {rest}" + (f" #{rng.randrange(1000)}" if kind == "DRAFT" else "")
