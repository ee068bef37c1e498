"""Row steps on Arrow batches leave what they leave row by row: rows, outcomes with details, ledger and digests."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.runs import Attar, left, results, run_folder

RECIPE = """
attar: 1
name: bulk
steps:
  read:
    use: std.read
    with: {{path: rows.jsonl, columns: {{persona: "string?", domain: "string?", n: int, tags: "list<string>?"}}}}
  some: {{use: std.filter, from: read, with: {{where: "n % 5 != 0"}}{when}}}
  domains: {{use: personas.normalise_domain, from: some}}
  more: {{use: std.filter, from: domains, with: {{where: "n % 7 != 0"}}}}
outputs:
  dataset: {{from: more, format: parquet}}
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with records good and bad, more than a batch of them."""
    folder = tmp_path_factory.mktemp("bulk")
    random = Random(5)
    lines = []
    for n in range(3000):
        row: dict[str, Any] = {
            "persona": random.choice([None, " ", 'one "two"\n', "नमस्ते"]),
            "domain": random.choice([None, "--", "Rice farming", "भारतीय इतिहास"]),
            "n": n if random.random() > 0.01 else "x",
            "tags": random.choice([None, [], ["a", "b"]]),
        }
        lines.append(json.dumps(row, ensure_ascii=False) if random.random() > 0.01 else "{torn")
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_batches_and_rows_leave_the_same(rows: Path) -> None:
    found = {}
    for name, when, layout in (
        ("batches", "", []),
        ("batches in shards", "", ["--shards", 3, "--workers", 2]),
        ("rows", ', when: "n > -1"', []),
    ):
        recipe = rows / f"{name.replace(' ', '_')}.yaml"
        recipe.write_text(RECIPE.format(when=when))
        runs = rows / name.replace(" ", "_")
        Attar(rows, None)("run", recipe, "--runs", runs, "--quiet", *layout, expect=1)
        got = results(runs, "bulk")
        ledger = {step: {k: v for k, v in counts.items() if k != "passed_by"} for step, counts in got["ledger"].items()}
        found[name] = (got["outputs"]["dataset"]["digest"], left(run_folder(runs, "bulk")), ledger, got["reasons"])
    expected = found["rows"]
    kinds = {(row["step"], row["code"]) for row in [*expected[1]["rejected"], *expected[1]["dead_letter"]]}
    assert {
        ("domains", "blank_persona"),
        ("domains", "no_domain"),
        ("read", "schema"),
        ("read", "invalid_json"),
    } < kinds
    assert {row["detail"] for row in expected[1]["rejected"] if row["code"] == "no_domain"} == {
        "column 'domain' holds no label"
    }
    for name, got in found.items():
        assert got == expected, name
