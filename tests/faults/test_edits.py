"""Editing a step repeats only what that edit changes, and a limit costs nothing when it is lifted."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.faults_recipe import copy_recipe, words
from support.runs import Attar, results, run_folder, table

from attar.testing.stand_in import StandInServer

pytestmark = pytest.mark.slow


def requests_by_step(runs: Path) -> dict[str, int]:
    return {step: usage["requests"] for step, usage in results(runs, "faults")["usage"].items()}


def no_key_twice(server: StandInServer) -> None:
    assert not {key: n for key, n in server.keys()["answered"].items() if n > 1}


def test_another_judge_prompt_repeats_only_what_verdicts_change(
    attar: Attar, server: StandInServer, tmp_path: Path
) -> None:
    recipe = copy_recipe(tmp_path / "recipe", 40)
    attar(*words(recipe, "--runs", attar.runs))
    first = requests_by_step(attar.runs)
    before = {row["id"]: row["draft"] for row in table(run_folder(attar.runs, "faults") / "dataset")}
    judge = recipe.parent / "judge.md"
    judge.write_text(judge.read_text().replace("JUDGE this draft", "JUDGE this text"))
    attar(*words(recipe, "--runs", attar.runs))
    second = requests_by_step(attar.runs)
    no_key_twice(server)
    assert second["good"] > 0
    # A first draft is never asked for again; a second or third one only where the new verdict sends a row back
    # more often than the old one did.
    assert second.get("draft", 0) < first["draft"]
    drafted = results(attar.runs, "faults")["ledger"]["good"]
    assert second.get("draft", 0) <= drafted["retried"]
    assert before


def test_the_same_verdicts_need_no_new_draft(attar: Attar, server: StandInServer, tmp_path: Path) -> None:
    server.configure(markers={"JUDGE": "judge(1)"})
    recipe = copy_recipe(tmp_path / "recipe", 20)
    attar(*words(recipe, "--runs", attar.runs))
    judge = recipe.parent / "judge.md"
    judge.write_text(judge.read_text().replace("JUDGE this draft", "JUDGE this text"))
    attar(*words(recipe, "--runs", attar.runs))
    again = requests_by_step(attar.runs)
    no_key_twice(server)
    assert again["good"] == 20
    assert sum(count for step, count in again.items() if step != "good") == 0


def test_other_sampling_repeats_the_step_and_what_follows(attar: Attar, server: StandInServer, tmp_path: Path) -> None:
    recipe = copy_recipe(tmp_path / "recipe", 20)
    text = recipe.read_text()
    recipe.write_text(
        text.replace(
            "close: {use: llm.generate, from: labelled, model: writer",
            "close: {use: llm.generate, from: labelled, model: closer",
        ).replace(
            "  judge: {model: stand-in",
            "  closer: {extends: writer, sampling: {temperature: 0.1}}\n  judge: {model: stand-in",
        )
    )
    attar(*words(recipe, "--runs", attar.runs))
    recipe.write_text(recipe.read_text().replace("temperature: 0.1", "temperature: 0.2"))
    attar(*words(recipe, "--runs", attar.runs))
    assert {step for step, n in requests_by_step(attar.runs).items() if n} == {"close"}
    stages = results(attar.runs, "faults")["stages"]
    assert [stage["steps"] for stage in stages if not stage["reused"]] == [["close"]]
    attar(*words(recipe, "--runs", attar.runs, "-p", "temperature=0.3"))
    asked = requests_by_step(attar.runs)
    assert asked["draft"] >= 20
    no_key_twice(server)


def test_a_limit_costs_nothing_when_lifted(attar: Attar, server: StandInServer, tmp_path: Path) -> None:
    recipe = copy_recipe(tmp_path / "recipe", 80)
    attar(*words(recipe, "--runs", attar.runs, "--limit", 50))
    part = server.stats()["distinct"]
    assert results(attar.runs, "faults")["ledger"]["topics"]["in"] == 50
    attar(*words(recipe, "--runs", attar.runs))
    assert results(attar.runs, "faults")["ledger"]["topics"]["in"] == 80
    no_key_twice(server)
    assert part < server.stats()["distinct"]
    assert server.stats()["requests"] == server.stats()["distinct"]
