"""The same recipe gives the same data whatever the concurrency, the workers, the shards and the timing."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.faults_recipe import copy_recipe, words
from support.runs import Attar, left, results, run_folder

from attar.testing.stand_in import StandInServer

LAYOUTS = {
    "one at a time": ["--in-flight", 1],
    "64 in flight": ["--in-flight", 64],
    "256 in flight": ["--in-flight", 256],
    "two workers": ["--workers", 2],
    "seven shards": ["--shards", 7],
    "two workers, seven shards": ["--workers", 2, "--shards", 7],
}


@pytest.mark.slow
def test_layout_changes_nothing(tmp_path: Path, server: StandInServer) -> None:
    recipe = copy_recipe(tmp_path / "recipe", 60)
    found = {}
    for name, layout in LAYOUTS.items():
        attar = Attar(tmp_path, server.url)
        runs = tmp_path / name.replace(" ", "-")
        attar(*words(recipe, "--runs", runs, *layout), expect=(0,))
        digest = results(runs, "faults")["outputs"]["dataset"]["digest"]
        found[name] = (digest, left(run_folder(runs, "faults")), results(runs, "faults")["ledger"])
    expected = found["one at a time"]
    assert len(expected[1]["dataset"]) > 10
    assert expected[1]["rejected"]
    for name, got in found.items():
        assert got[0] == expected[0], name
        assert got[1] == expected[1], name
        assert got[2] == expected[2], name
