"""recipes/translate.yaml: rehearsed into every language, and on real Hindi pages against a translator that errs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.runs import TESTS, Attar, results, run_folder, table

from attar.api.text import language, number_differences, script_share
from attar.testing.stand_in import StandInServer

ROOT = TESTS.parent
RECIPE = ROOT / "recipes" / "translate.yaml"
PAGES = ROOT.parent / "shared" / "data" / "help_hi.jsonl"

pytest.importorskip("py3langid")


def balanced(runs: Path) -> dict[str, dict[str, int]]:
    ledger: dict[str, dict[str, int]] = results(runs, "translate")["ledger"]
    for step, count in ledger.items():
        assert count["in"] == count["accepted"] + count["rejected"] + count["review"] + count["dead"], step
    return ledger


@pytest.mark.parametrize("name", ["English", "Tamil", "Indonesian"])
def test_a_rehearsal_accepts_half_reaches_every_step_and_takes_every_loop(tmp_path: Path, name: str) -> None:
    attar = Attar(tmp_path, None)
    attar("run", RECIPE, "--backend", "rehearsal", "-p", f"language={name}", "--runs", attar.runs)
    ledger = balanced(attar.runs)
    rows = table(run_folder(attar.runs, "translate") / "dataset")
    assert len(rows) * 2 >= ledger["read"]["in"] == 12
    assert all(count["in"] > 0 for count in ledger.values())
    assert ledger["checked"]["retried"] > 0
    assert ledger["faithful"]["retried"] > 0
    assert {row["source_language"] for row in rows} == {"English", "Hindi", "Indonesian"}
    for row in rows:
        assert row["mode"] == ("refine" if row["source_language"] == name else "translate")
        assert number_differences(row["text"], row["translation"], row["source_language"], name) == ([], [])
        assert "⟦" not in row["translation"]


PIECES = """
attar: 1
name: pieces
steps:
  read: {use: std.read, with: {path: texts.jsonl, columns: {text: string}}}
  pieces: {use: lang.segments, from: read, with: {max_characters: 20}}
  long: {use: std.filter, from: pieces, with: {where: "'LOST' not in segment"}}
  joined: {use: lang.join, from: long, with: {text: segment, keep: [text]}}
outputs:
  dataset: {from: joined}
"""


def test_pieces_of_a_run_are_joined_to_the_character(tmp_path: Path) -> None:
    texts = [
        "One.\n\nTwo, a little longer than that.\n\n\n  Three.\n",
        "एक।\n\nदो।",
        "",
        "Kept, but\n\nthe second is LOST.",
    ]
    lines = [json.dumps({"text": text}) for text in texts]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "pieces.yaml").write_text(PIECES, encoding="utf-8")
    attar = Attar(tmp_path, None)
    attar("run", "pieces.yaml", "--runs", attar.runs)
    rows = table(run_folder(attar.runs, "pieces") / "dataset")
    assert sorted(row["text"] for row in rows) == sorted(texts[:3])
    assert all(row["joined"] == row["text"] for row in rows)
    ledger = results(attar.runs, "pieces")["ledger"]
    assert ledger["joined"]["rejected"] == 1


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandInServer]:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setenv("TRANSLATE_FAULTS", "0.4")
    monkeypatch.setenv("TRANSLATE_JUDGE_FAILS", "0.2")
    monkeypatch.setenv("TRANSLATE_LOG", str(tmp_path / "log.jsonl"))
    with StandInServer.start(responder="support.translation_responder:respond") as running:
        yield running


@pytest.mark.skipif(not PAGES.exists(), reason="the Hindi help pages are not beside the project")
def test_hindi_pages_through_a_translator_that_errs(tmp_path: Path, server: StandInServer) -> None:
    name = "English"
    attar = Attar(tmp_path, server.url)
    attar("run", RECIPE, "-p", f"documents={PAGES}", "-p", f"language={name}", "--runs", attar.runs)
    ledger = balanced(attar.runs)
    rows = table(run_folder(attar.runs, "translate") / "dataset")
    assert ledger["read"]["in"] == 126
    assert len(rows) >= 63
    assert ledger["checked"]["retried"] > 0
    assert ledger["faithful"]["retried"] > 0
    asked = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    planted = Counter(one["fault"] for one in asked)
    assert planted.keys() >= {"", "script", "cut", "echo", "stray"}
    # What was planted was refused: an answer with such a fault is nowhere in the data.
    shown = {row["translation"].strip() for row in rows}
    wrong = {one["answer"].strip() for one in asked if one["fault"] in ("script", "cut", "echo", "stray")}
    assert not shown & wrong
    scripts = language(name).scripts
    for row in rows:
        assert row["source_language"] == "Hindi"
        assert number_differences(row["text"], row["translation"], "hi", name) == ([], [])
        assert script_share(row["translation"], *scripts, "Latin") >= 0.9
    told = [one["prompt"] for one in asked if "Your last translation was not accepted" in one["prompt"]]
    assert any("Write" in one and "in its own script throughout" in one for one in told)
    assert any("breaks off at" in one or "paragraphs, the translation" in one for one in told)
    assert any("⟦999⟧ stands for nothing" in one for one in told)


@pytest.mark.skipif(not PAGES.exists(), reason="the Hindi help pages are not beside the project")
def test_hindi_pages_are_refined_in_hindi(tmp_path: Path, server: StandInServer) -> None:
    attar = Attar(tmp_path, server.url)
    attar("run", RECIPE, "-p", f"documents={PAGES}", "-p", "language=Hindi", "--limit", "30", "--runs", attar.runs)
    ledger = balanced(attar.runs)
    rows = table(run_folder(attar.runs, "translate") / "dataset")
    assert {row["mode"] for row in rows} == {"refine"}
    assert ledger["checked"]["retried"] > 0
    assert len(rows) >= 15
