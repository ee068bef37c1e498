"""kill -9 anywhere, then the same command again: the same data, and no more paid twice than was in flight."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.faults_recipe import copy_recipe, words
from support.runs import Attar, left, run_folder

from attar.testing.stand_in import StandInServer

TOPICS = 60
IN_FLIGHT = 32  # the recipe's two models share one server, and so one limit
SHARES = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95]
LAYOUTS = [["--shards", "1"], ["--workers", "2", "--shards", "3"]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What an uninterrupted run leaves, and how many requests it takes."""
    folder = tmp_path_factory.mktemp("whole")
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent)
    with StandInServer.start(responder="support.responders:faults", latency=0.05) as server:
        attar = Attar(folder, server.url)
        recipe = copy_recipe(folder / "recipe", TOPICS)
        process = attar.start(*words(recipe, "--runs", attar.runs, "--json"))
        assert process.stdout is not None
        marks = {}
        for line in process.stdout:
            event = json.loads(line)
            if event["type"] == "stage_finished":
                marks["published from"] = time.monotonic()
            if event["type"] == "run_finished":
                marks["published to"] = time.monotonic()
        assert process.wait() == 0
        return {
            "left": left(run_folder(attar.runs, "faults")),
            "requests": server.stats()["requests"],
            "publish": marks["published to"] - marks["published from"],
        }


def kill(process: subprocess.Popen[str], whom: str) -> None:
    if whom == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()


def no_orphans(attar: Attar) -> None:
    deadline = time.monotonic() + 10
    while attar.processes():
        assert time.monotonic() < deadline, [p.cmdline() for p in attar.processes()]
        time.sleep(0.1)


def check(attar: Attar, server: StandInServer, recipe: Path, layout: list[str], whole: Mapping[str, Any]) -> None:
    """The rerun ends well, leaves what an uninterrupted run leaves, and paid at most what was in flight twice."""
    no_orphans(attar)
    attar(*words(recipe, "--runs", attar.runs, *layout))
    assert left(run_folder(attar.runs, "faults")) == whole["left"]
    stats = server.stats()
    assert stats["requests"] - whole["requests"] <= IN_FLIGHT
    assert stats["distinct"] == whole["requests"]
    no_orphans(attar)


@pytest.mark.parametrize("whom", ["group", "parent"])
@pytest.mark.parametrize("share", SHARES)
def test_kill_at_a_share_of_the_requests(
    share: float, whom: str, attar: Attar, server: StandInServer, whole: Mapping[str, Any], tmp_path: Path
) -> None:
    layout = LAYOUTS[SHARES.index(share) % 2]
    recipe = copy_recipe(tmp_path / "recipe", TOPICS)
    process = attar.start(*words(recipe, "--runs", attar.runs, *layout))
    goal = share * whole["requests"]
    deadline = time.monotonic() + 60
    while server.stats()["requests"] < goal and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    kill(process, whom)
    assert process.returncode == -signal.SIGKILL  # it was at work, not done already
    check(attar, server, recipe, layout, whole)


@pytest.mark.parametrize("whom", ["group", "parent"])
@pytest.mark.parametrize("seed", range(10))
def test_kill_during_publish(
    seed: int, whom: str, attar: Attar, server: StandInServer, whole: Mapping[str, Any], tmp_path: Path
) -> None:
    layout = LAYOUTS[seed % 2]
    recipe = copy_recipe(tmp_path / "recipe", TOPICS)
    process = attar.start(*words(recipe, "--runs", attar.runs, "--json", *layout))
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["type"] == "stage_finished" and "close" in event["steps"]:
            break
    time.sleep(Random(seed).random() * whole["publish"])
    kill(process, whom)
    check(attar, server, recipe, layout, whole)
