"""The student report by the command line and a server: every question is counted for both models, right or wrong."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from support.runs import TESTS, Attar, results, run_folder, table
from support.student_responder import UNREADABLE, cases

from attar.testing.stand_in import StandInServer

RECIPE = TESTS.parent / "recipes" / "student_report.yaml"
NAME = "student-report"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    with StandInServer.start(responder="support.student_responder:respond") as running:
        yield running


def test_before_and_after_side_by_side(tmp_path: Path, server: StandInServer) -> None:
    texts = tmp_path / "texts.jsonl"
    lines = ["satu dua tiga empat lima", "", "tunggal", "एक दो तीन चार"]
    texts.write_text("".join(json.dumps({"text": line}) + "\n" for line in lines), encoding="utf-8")
    attar = Attar(tmp_path, server.url)
    models = [word for name in ("before", "student", "judge") for word in ("-p", f"{name}={name}")]
    attar("run", RECIPE, *models, "-p", f"texts={texts}", "--runs", attar.runs, expect=1)
    ledger = results(attar.runs, NAME)["ledger"]
    home = run_folder(attar.runs, NAME)

    # Texts that cannot be scored are rejected with a reason; the rest adds up to the corpus figure.
    assert sorted(row["code"] for row in table(home / "rejected")) == ["blank_text", "too_short"]
    scored = table(home / "held_out")
    assert [row["before_tokens"] for row in scored] == [4, 3]
    told = json.loads((home / "comparison" / "report.json").read_text())
    found = {one["metric"]: one for one in told["metrics"]}
    for key, system in (("before", "before"), ("after", "student")):
        total = sum(row[f"{system}_logprob"] for row in scored)
        assert found["perplexity"][key] == pytest.approx(math.exp(-total / 7))

    # No reply is lost for being wrong. One that the judge gave no verdict on is a dead letter, and the question counts
    # for neither model.
    (dead,) = table(home / "dead_letter")
    assert (dead["step"], dead["code"]) == ("judged", "unparseable")
    assert len(table(home / "dataset")) == 2 * len(cases()) - 1 == ledger["judged"]["accepted"]
    assert (told["questions"], told["unpaired_questions"]) == (len(cases()) - 1, 1)
    questions = [one for one in cases() if one["id"] != UNREADABLE]
    able = [one for one in questions if one["answerable"]]
    twins = [one for one in able if one["twin_id"]]
    negatives = len(questions) - len(able)
    counted = {
        name: (one["hits"]["before"], one["hits"]["after"], one["n"]["after"])
        for name, one in found.items()
        if "hits" in one
    }
    assert counted == {
        "accuracy": (0, len(able), len(able)),
        "judged_accuracy": (0, len(able), len(able)),
        "grounded": (len(twins), len(questions), len(questions)),
        "over_refusal_twins": (len(twins), 0, len(twins)),
        "over_refusal": (len(twins), 0, len(able)),
        "refusal": (0, negatives, negatives),
        "tone_match": (0, len(questions), len(questions)),
    }
    assert found["tone"]["before"] == 2 and found["tone"]["after"] == 5
    page = (home / "comparison" / "report.md").read_text()
    assert "| answers right, by code | 0.0% [" in page and "+100.0 points" in page


def test_a_question_told_twice_counts_once_and_an_apostrophe_does_no_harm(tmp_path: Path) -> None:
    rows = cases()[:3]
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in (*rows, rows[0])), encoding="utf-8")
    words = ("-p", f"questions={file}", "-p", "system=Don't guess.")
    Attar(tmp_path, None)("run", RECIPE, "--backend", "rehearsal", *words)
    home = run_folder(tmp_path / "runs", NAME)
    told = json.loads((home / "comparison" / "report.json").read_text())
    assert (told["questions"], told["unpaired_questions"], told["repeated_replies"]) == (3, 0, 0)
    assert [row["code"] for row in table(home / "rejected")] == ["duplicate"]
