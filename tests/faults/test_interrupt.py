"""Ctrl-C: the answers on their way arrive and are kept, nothing new is asked, and the same command goes on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from support.faults_recipe import copy_recipe, words
from support.runs import Attar, left, results, run_folder

from attar.testing.stand_in import StandInServer

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("layout", [["--workers", "1"], ["--workers", "2", "--shards", "3"]])
def test_ctrl_c_keeps_everything_and_says_how_to_go_on(
    layout: list[str], attar: Attar, server: StandInServer, tmp_path: Path
) -> None:
    recipe = copy_recipe(tmp_path / "recipe", 60)
    whole = Attar(tmp_path / "whole", server.url)
    whole.folder.mkdir()
    whole(*words(recipe, "--runs", whole.runs))
    expected = left(run_folder(whole.runs, "faults"))
    needed = server.stats()["requests"]
    server.reset()

    process = attar.start(*words(recipe, "--runs", attar.runs, *layout))
    deadline = time.monotonic() + 60
    while server.stats()["requests"] < needed // 4:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "attar run" in out + err
    assert results(attar.runs, "faults")["outcome"] == "interrupted"
    stopped_at = server.stats()
    assert stopped_at["requests"] < needed
    assert not attar.processes()

    attar(*words(recipe, "--runs", attar.runs, *layout))
    assert left(run_folder(attar.runs, "faults")) == expected
    assert server.stats()["repeated"] == 0  # what was paid before the stop was kept


def test_fresh_pays_again_and_keeps_the_old(attar: Attar, server: StandInServer, tmp_path: Path) -> None:
    recipe = copy_recipe(tmp_path / "recipe", 10)
    attar(*words(recipe, "--runs", attar.runs))
    first = left(run_folder(attar.runs, "faults"))
    asked = server.stats()["requests"]
    attar(*words(recipe, "--runs", attar.runs))
    assert server.stats()["requests"] == asked
    attar(*words(recipe, "--runs", attar.runs, "--fresh"))
    assert server.stats()["requests"] == 2 * asked
    assert left(run_folder(attar.runs, "faults")) == first
    assert list((attar.runs / "faults").glob("aside-*"))


def test_a_second_driver_is_refused(attar: Attar, server: StandInServer, tmp_path: Path) -> None:
    server.configure(latency=0.5)
    recipe = copy_recipe(tmp_path / "recipe", 30)
    process = attar.start(*words(recipe, "--runs", attar.runs))
    deadline = time.monotonic() + 30
    while server.stats()["requests"] < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    second = attar(*words(recipe, "--runs", attar.runs), expect=None)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert second.returncode in (1, 2)
    assert "E711" in second.stderr
