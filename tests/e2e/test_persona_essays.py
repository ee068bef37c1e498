"""The first recipe on 5,000 real personas, with judges that fail at random with a known probability."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.persona_responder import accepted_share
from support.runs import TESTS, Attar, results, run_folder, table

from attar.testing.stand_in import StandInServer

ROOT = TESTS.parent
PERSONAS = ROOT.parent / "shared" / "data" / "personas_5k.jsonl"
JUDGE_FAILS = 0.3
ATTEMPTS = 3


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInServer]:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setenv("PERSONA_JUDGE_FAILS", str(JUDGE_FAILS))
    with StandInServer.start(responder="support.persona_responder:respond") as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(not PERSONAS.exists(), reason="the 5,000 personas are not beside the project")
def test_all_personas_through_all_stages(tmp_path: Path, server: StandInServer) -> None:
    attar = Attar(tmp_path, server.url)
    attar("run", ROOT / "recipes" / "persona_essays.yaml", "-p", f"personas={PERSONAS}", "--runs", attar.runs)
    found = results(attar.runs, "persona-essays")
    ledger = found["ledger"]
    for step, count in ledger.items():
        assert count["in"] == count["accepted"] + count["rejected"] + count["review"] + count["dead"], step
    assert ledger["read"]["in"] == 5000
    lost = sum(count[fate] for count in ledger.values() for fate in ("rejected", "review", "dead"))
    delivered = found["outputs"]["dataset"]["rows"]
    assert delivered + lost == 5000
    expected = accepted_share(JUDGE_FAILS, ATTEMPTS)
    deviation = math.sqrt(expected * (1 - expected) / 5000)
    assert abs(delivered / 5000 - expected) <= 3 * deviation
    assert not [n for n in server.keys()["answered"].values() if n > 1]
    rows = table(run_folder(attar.runs, "persona-essays") / "dataset")
    assert len({row["id"] for row in rows}) == delivered
    assert all(len(row["text"].split()) >= 900 for row in rows)


def test_rehearsal_accepts_half_reaches_every_step_and_takes_every_loop(tmp_path: Path) -> None:
    attar = Attar(tmp_path, None)
    recipe = ROOT / "recipes" / "persona_essays.yaml"
    attar("run", recipe, "--backend", "rehearsal", "--runs", attar.runs)
    found = results(attar.runs, "persona-essays")
    ledger = found["ledger"]
    assert found["rehearsal"] is True
    assert found["outputs"]["dataset"]["rows"] * 2 >= ledger["read"]["made"]
    assert all(count["in"] > 0 for count in ledger.values())
    loops = ["labels_ok", "persona_judged", "question_ok", "essay_ok", "essay_judged"]
    assert all(ledger[judge]["retried"] > 0 for judge in loops)
    provenance = table(run_folder(attar.runs, "persona-essays") / "provenance")
    assert provenance
    assert all(row["rehearsal"] for row in provenance)


def test_a_rehearsal_is_the_same_in_another_folder(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two words"):
        home = tmp_path / name
        shutil.copytree(ROOT / "recipes", home / "recipes")
        shutil.copytree(ROOT / "prompts", home / "prompts")
        attar = Attar(home, None)
        attar("run", "recipes/persona_essays.yaml", "--backend", "rehearsal", "--limit", 6, "--runs", attar.runs)
        digests.add(results(attar.runs, "persona-essays")["outputs"]["dataset"]["digest"])
    assert len(digests) == 1
