"""A server that fails in every way it can: each row arrives or is a dead letter with its reason, and heals later."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.faults_recipe import copy_recipe, words
from support.runs import Attar, left, results, run_folder

from attar.testing.stand_in import StandInServer

pytestmark = pytest.mark.slow

FAULTS = {"503": 0.08, "429": 0.06, "cut_head": 0.04, "cut_body": 0.04, "hang": 0.02, "half_json": 0.06}


def test_a_third_of_requests_fails(attar: Attar, server: StandInServer, tmp_path: Path) -> None:
    server.configure(faults=FAULTS, retry_after=0.05, latency=0)
    recipe = copy_recipe(tmp_path / "recipe", 40)
    attar.env["ATTAR_RETRY"] = "tries=3,first=0.02,timeout=1"
    run = attar(*words(recipe, "--runs", attar.runs), expect=(0, 1))
    found = results(attar.runs, "faults")
    for step, count in found["ledger"].items():
        assert count["in"] == sum(count[fate] for fate in ("accepted", "rejected", "review", "dead")), step
    dead = sum(count["dead"] for count in found["ledger"].values())
    letters = left(run_folder(attar.runs, "faults"))["dead_letter"]
    assert len(letters) == dead
    assert all(letter["code"] for letter in letters)
    assert run.returncode == (1 if dead else 0)

    server.recover()
    attar(*words(recipe, "--runs", attar.runs), expect=(0, 1))
    codes = {letter["code"] for letter in left(run_folder(attar.runs, "faults"))["dead_letter"]}
    assert "transport" not in codes


def test_a_server_that_is_down_leaves_transport_letters_and_heals(
    attar: Attar, server: StandInServer, tmp_path: Path
) -> None:
    whole = Attar(tmp_path / "whole", server.url)
    whole.folder.mkdir()
    recipe = copy_recipe(tmp_path / "recipe", 12)
    whole(*words(recipe, "--runs", whole.runs))
    server.configure(faults={"503": 0.7}, latency=0)
    attar.env["ATTAR_RETRY"] = "tries=2,first=0.01"
    attar(*words(recipe, "--runs", attar.runs), expect=1)
    codes = {letter["code"] for letter in left(run_folder(attar.runs, "faults"))["dead_letter"]}
    assert codes == {"transport"}
    server.recover()
    attar(*words(recipe, "--runs", attar.runs), expect=0)
    assert left(run_folder(attar.runs, "faults")) == left(run_folder(whole.runs, "faults"))
