"""Texts to personas: rehearsed, against judges that fail at random, and with every loop scripted."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.runs import TESTS, Attar, results, run_folder, table
from support.synthesis_responder import texts

from attar.testing.stand_in import StandInServer

ROOT = TESTS.parent
DATA = ROOT.parent / "shared" / "data"
RECIPE = ROOT / "recipes" / "text_to_persona.yaml"
NAME = "text-to-persona"
JUDGE_FAILS, ATTEMPTS = 0.3, 3


def balanced(ledger: dict[str, Any]) -> bool:
    return all(c["in"] == c["accepted"] + c["rejected"] + c["review"] + c["dead"] for c in ledger.values())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInServer]:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setenv("PERSONA_JUDGE_FAILS", str(JUDGE_FAILS))
    monkeypatch.setenv("PERSONA_FORM_BREAKS", "0.05")
    with StandInServer.start(responder="support.synthesis_responder:respond") as running:
        yield running


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInServer]:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    with StandInServer.start(responder="support.synthesis_responder:scripted") as running:
        yield running


def test_rehearsal_accepts_half_reaches_every_step_and_takes_every_loop(tmp_path: Path) -> None:
    attar = Attar(tmp_path, None)
    attar("run", RECIPE, "--backend", "rehearsal", "--runs", attar.runs)
    found = results(attar.runs, NAME)
    ledger = found["ledger"]
    assert balanced(ledger)
    assert found["outputs"]["dataset"]["rows"] * 2 >= ledger["stances"]["made"] == 4 * ledger["read"]["in"]
    assert all(count["in"] > 0 for count in ledger.values())
    assert all(ledger[judge]["retried"] > 0 for judge in ("inferred_ok", "implied", "refined_ok"))
    rows = table(run_folder(attar.runs, NAME) / "dataset")
    assert {row["stance"] for row in rows} == {"read", "write", "like", "dislike"}
    assert {row["synth_method"] for row in rows} == {"text_to_persona"}
    assert all(row["domain"] and row["demographic"] and 0 <= row["confidence_score"] <= 1 for row in rows)
    assert all(5 <= len(row["persona"].split()) <= 120 for row in rows)


def test_coarse_personas_are_one_line_and_skip_the_second_pass(tmp_path: Path) -> None:
    attar = Attar(tmp_path, None)
    words = ["--backend", "rehearsal", "--runs", attar.runs, "--limit", 8]
    attar("run", RECIPE, "-p", "granularity=coarse", *words)
    ledger = results(attar.runs, NAME)["ledger"]
    assert ledger["refined"]["in"] == ledger["refined_ok"]["in"] == 0 < ledger["refined"]["passed_by"]
    coarse = table(run_folder(attar.runs, NAME) / "dataset")
    assert coarse and all(row["persona"].count(".") == 1 for row in coarse)  # the sentence of the first pass
    assert {row["granularity"] for row in coarse} == {"coarse"}


@pytest.mark.timeout(170)
@pytest.mark.skipif(not DATA.exists(), reason="the real input is not beside the project")
@pytest.mark.parametrize(
    ("file", "more", "limit", "stances"),
    [
        ("help_hi.jsonl", [], 40, 4),
        ("personas_5k.jsonl", ["-p", "text_key=input persona", "-p", "per_text=1"], 160, 1),
    ],
)
def test_real_texts_with_judges_that_fail_at_random(
    tmp_path: Path, server: StandInServer, file: str, more: list[str], limit: int, stances: int
) -> None:
    attar = Attar(tmp_path, server.url)
    attar("run", RECIPE, "-p", f"texts={DATA / file}", *more, "--limit", limit, "--runs", attar.runs)
    found = results(attar.runs, NAME)
    ledger = found["ledger"]
    assert balanced(ledger)
    assert ledger["stances"]["made"] == limit * stances
    judged = ledger["implied"]
    expected = 1 - JUDGE_FAILS**ATTEMPTS
    deviation = math.sqrt(expected * (1 - expected) * judged["in"])
    assert abs(judged["accepted"] - expected * judged["in"]) <= 4 * deviation
    lost = sum(count[fate] for count in ledger.values() for fate in ("rejected", "review", "dead"))
    assert found["outputs"]["dataset"]["rows"] + lost == limit * stances
    assert not [n for n in server.keys()["answered"].values() if n > 1]
    rows = table(run_folder(attar.runs, NAME) / "dataset")
    per_text = Counter(row["source_text_sha256"] for row in rows)
    assert max(per_text.values()) <= stances
    assert {row["stance"] for row in rows} == {"read", "write", "like", "dislike"}


def test_feedback_mends_what_it_names_and_stubborn_faults_are_dropped(tmp_path: Path, scripted: StandInServer) -> None:
    once = [f"[{fault} once]" for fault in ("copy", "name", "essay", "judge")]
    always = [f"[{fault} always]" for fault in ("copy", "name", "essay", "judge")]
    # The name to be recited stands in the text: the gazetteer does not know it.
    (tmp_path / "texts.jsonl").write_text(
        texts("[no fault] Ravi Kumar Sharma", *(f"{m} Ravi Kumar Sharma" for m in once + always))
    )
    attar = Attar(tmp_path, scripted.url)
    attar("run", RECIPE, "-p", "texts=texts.jsonl", "-p", "stances=dislike", "--runs", attar.runs)
    found = results(attar.runs, NAME)
    assert found["outputs"]["dataset"]["rows"] == 1 + len(once)
    ledger = found["ledger"]
    assert balanced(ledger)
    # Each of the three faults the code sees: once for its row, and twice more for the stubborn one.
    assert (ledger["inferred_ok"]["retried"], ledger["inferred_ok"]["rejected"]) == (3 * 1 + 3 * 2, 3)
    assert (ledger["implied"]["retried"], ledger["implied"]["rejected"]) == (1 + 2, 1)
    rejected = table(run_folder(attar.runs, NAME) / "rejected")
    codes = Counter(row["code"] for row in rejected)
    assert codes == {"copies_source": 1, "names_person": 1, "not_one_person": 1, "failed_implied": 1}
    assert all(row["attempt"] == ATTEMPTS for row in rejected)
    rows = table(run_folder(attar.runs, NAME) / "dataset")
    assert sum("Second thoughts" in row["persona"] for row in rows) == 1
    assert not any("Sharma" in row["persona"] for row in rows)


def test_a_rehearsal_is_the_same_in_another_folder_and_with_other_concurrency(tmp_path: Path) -> None:
    digests = set()
    for name, more in (("one", []), ("two words", ["--workers", "2"])):
        home = tmp_path / name
        shutil.copytree(ROOT / "recipes", home / "recipes")
        shutil.copytree(ROOT / "prompts", home / "prompts")
        attar = Attar(home, None)
        command = ["run", "recipes/text_to_persona.yaml", "--backend", "rehearsal", "--limit", 4, "--runs", attar.runs]
        attar(*command, *more)
        digests.add(results(attar.runs, NAME)["outputs"]["dataset"]["digest"])
    assert len(digests) == 1
