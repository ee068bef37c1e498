"""The eight stages end to end: rehearsed, over real personas with judges that fail at random, and from a population."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.runs import TESTS, Attar, results, run_folder, table

from attar.plan import check
from attar.testing.stand_in import StandInServer

ROOT = TESTS.parent
RECIPE = ROOT / "recipes" / "indic_distillation.yaml"
NAME = "indic-distillation"
PERSONAS = ROOT.parent / "shared" / "data" / "personas_5k.jsonl"
HELP = ROOT.parent / "shared" / "data" / "help_hi.jsonl"
ROWS = 150
JUDGE_FAILS, BORDERLINE, FORM_BREAKS, ATTEMPTS = 0.3, 0.05, 0.1, 3
LOOPS = ("labels_ok", "compliant", "picked_ok", "relevant", "draft_ok", "valid")
LOOPS += ("translation_ok", "faithful", "enriched_ok")
TYPES = {"article", "dialogue", "qa", "cot", "cross_lingual"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInServer]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("DISTILL_JUDGE_FAILS", str(JUDGE_FAILS))
    monkeypatch.setenv("DISTILL_BORDERLINE", str(BORDERLINE))
    monkeypatch.setenv("DISTILL_FORM_BREAKS", str(FORM_BREAKS))
    with StandInServer.start(responder="support.distillation_responder:respond") as running:
        yield running


def balanced(ledger: Mapping[str, Mapping[str, int]]) -> None:
    for step, count in ledger.items():
        assert count["in"] == count["accepted"] + count["rejected"] + count["review"] + count["dead"], step
        assert count["dead"] == 0, step


def sound(rows: list[dict[str, Any]]) -> None:
    """What every row of the dataset keeps to, whatever the judges said."""
    for row in rows:
        wanted = row["target_language"]
        assert row["content"] and row["content_final"]
        assert row["translation_failed"] == (row["translation"] is None)
        assert row["final_language"] == (wanted if row["translation"] or row["mode"] == "refine" else "English")
        assert row["is_enriched"] == bool(row["edits"])
        assert min(row["accuracy"], row["coherence"], row["alignment"]) >= 4
        assert (row["mode"] == "refine") == (row["output_type"] == "cross_lingual")
        assert (row["turns"] is None) == (row["output_type"] in ("article", "cross_lingual"))
        if row["turns_final"] is not None:
            assert [turn["role"] for turn in row["turns_final"]] == [turn["role"] for turn in row["turns"]]


def accepted_share() -> float:
    """Share of personas that end in the dataset: every judge and check draws independently."""
    judge, form = 1 - JUDGE_FAILS**ATTEMPTS, 1 - FORM_BREAKS**ATTEMPTS
    passes, fails = (1 - BORDERLINE) * (1 - JUDGE_FAILS), (1 - BORDERLINE) * JUDGE_FAILS
    return judge**2 * form**3 * (passes + fails * passes)


@pytest.mark.skipif(not PERSONAS.exists(), reason="the 5,000 personas are not beside the project")
def test_real_personas_with_judges_that_fail_at_random(tmp_path: Path, server: StandInServer) -> None:
    attar = Attar(tmp_path, server.url)
    attar("run", RECIPE, "-p", f"personas={PERSONAS}", "--limit", ROWS, "--runs", attar.runs, expect=1)
    found = results(attar.runs, NAME)
    ledger = found["ledger"]
    balanced(ledger)
    assert ledger["source.read"]["in"] == ROWS
    lost = sum(count[fate] for count in ledger.values() for fate in ("rejected", "review", "dead"))
    delivered = found["outputs"]["dataset"]["rows"]
    assert delivered + lost == ROWS
    expected = accepted_share()
    assert abs(delivered / ROWS - expected) <= 3 * math.sqrt(expected * (1 - expected) / ROWS)
    assert not [n for n in server.keys()["answered"].values() if n > 1]

    folder = run_folder(attar.runs, NAME)
    rows = table(folder / "dataset")
    assert len({row["id"] for row in rows}) == delivered == found["outputs"]["jsonl"]["rows"]
    sound(rows)
    assert {row["output_type"] for row in rows} == TYPES
    assert all(len(row["content"].split()) >= 900 for row in rows if row["output_type"] == "article")
    assert any(row["translation_failed"] for row in rows) and any(row["is_enriched"] for row in rows)
    # The persona stays where only its task was lost.
    assert found["outputs"]["personas"]["rows"] == ledger["compliant"]["accepted"] > delivered
    assert ledger["relevant"]["rejected"] > 0


def test_rehearsal_accepts_half_reaches_every_step_and_takes_every_loop(tmp_path: Path) -> None:
    attar = Attar(tmp_path, None)
    attar("run", RECIPE, "--backend", "rehearsal", "--runs", attar.runs, expect=1)  # rows await review
    found = results(attar.runs, NAME)
    ledger = found["ledger"]
    balanced(ledger)
    assert found["rehearsal"] is True
    assert found["outputs"]["dataset"]["rows"] * 2 >= ledger["source.read"]["made"]
    assert all(count["in"] > 0 for count in ledger.values())
    assert [judge for judge in LOOPS if not ledger[judge]["retried"]] == []
    assert ledger["valid"]["review"] > 0
    rows = table(run_folder(attar.runs, NAME) / "dataset")
    sound(rows)
    assert {row["output_type"] for row in rows} == TYPES
    assert any(row["is_enriched"] for row in rows) and not all(row["is_enriched"] for row in rows)


def test_a_population_several_tasks_and_several_languages(tmp_path: Path) -> None:
    attar = Attar(tmp_path, None)
    params = ["source=population", "people=8", "tasks_per_persona=3", "languages=Hindi,Tamil", "mix=cot:1,qa:2"]
    words = [word for param in params for word in ("-p", param)]
    attar("run", RECIPE, *words, "--backend", "rehearsal", "--runs", attar.runs, expect=(0, 1))
    ledger = results(attar.runs, NAME)["ledger"]
    balanced(ledger)
    assert ledger["near"]["made"] == 3 * ledger["near"]["accepted"]
    assert ledger["target"]["made"] == 2 * ledger["target"]["accepted"]
    rows = table(run_folder(attar.runs, NAME) / "dataset")
    assert {row["target_language"] for row in rows} == {"Hindi", "Tamil"}
    by_persona: dict[str, set[str]] = {}
    for row in rows:
        by_persona.setdefault(row["ps"], set()).add(row["task_id"])
    assert max(len(tasks) for tasks in by_persona.values()) == 3, "a persona's tasks are not one another's"
    people = table(run_folder(attar.runs, NAME) / "personas")
    assert all(isinstance(row["person"], int) for row in people)


@pytest.mark.skipif(not HELP.exists(), reason="the Hindi help pages are not beside the project")
def test_real_hindi_texts_are_refined_with_judges_that_fail_at_random(tmp_path: Path, server: StandInServer) -> None:
    attar = Attar(tmp_path, server.url)
    attar("run", ROOT / "recipes" / "indic_refinement.yaml", "-p", f"texts={HELP}", "--runs", attar.runs)
    found = results(attar.runs, "indic-refinement")
    balanced(found["ledger"])
    assert found["outputs"]["dataset"]["rows"] == found["ledger"]["read"]["in"] == 126
    assert found["ledger"]["translation_ok"]["retried"] > 0 and found["ledger"]["faithful"]["retried"] > 0
    rows = table(run_folder(attar.runs, "indic-refinement") / "dataset")
    for row in rows:
        assert row["mode"] == "refine" and row["final_language"] == "Hindi"
        assert row["is_enriched"] or row["content_final"] == (row["translation"] or row["source_text"])
    assert any(row["translation_failed"] for row in rows) and any(row["is_enriched"] for row in rows)


@pytest.mark.parametrize(
    "params",
    [
        {"layout": "prefix_friendly", "rubric": str(ROOT / "prompts/rubrics/values_national.yaml")},
        {"mix": "article:3,qa:1", "languages": "hi,bn,ur", "tasks_per_persona": "4", "candidates": "12"},
        {"source": "population", "table": "personas:tables/indonesia.yaml", "people": "7"},
    ],
)
def test_the_recipe_is_valid_with_each_of_its_params(params: dict[str, str]) -> None:
    plan, found = check(RECIPE, params)
    assert found == [] and plan is not None
    columns = plan.outputs["dataset"].columns
    assert {"translation": "string?", "content_final": "string", "edits": "list<string>"}.items() <= columns.items()
    loops = {name for name, step in plan.steps.items() if step.retry_region}
    assert loops == {*LOOPS}


def test_a_copy_of_the_recipe_brings_its_sources_and_runs(tmp_path: Path) -> None:
    attar = Attar(tmp_path, None)
    attar("new", "mine", "--from", NAME)
    assert {"personas_file.yaml", "personas_population.yaml"} == {
        file.name for file in (tmp_path / "mine" / "recipes" / "sources").iterdir()
    }
    attar("validate", "mine/recipes/mine.yaml")


def test_a_type_nobody_writes_and_an_unknown_language_are_told() -> None:
    _, found = check(RECIPE, {"mix": "article,poem", "languages": "Hindi,Elvish"})
    messages = " ".join(one.message for one in found)
    assert "'poem'" in messages and "Elvish" in messages
