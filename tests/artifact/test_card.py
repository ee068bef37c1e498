"""The card that every finished run leaves: facts alone, the same each time, and no secret."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.runs import TESTS, Attar, results, run_folder

from attar.artifact.card import card_text
from attar.plan import check
from attar.testing.stand_in import StandInServer

GOLDEN = TESTS / "golden" / "card"


@pytest.fixture(scope="module")
def server() -> Iterator[StandInServer]:
    with StandInServer.start(responder="judge(0.7)") as running:
        yield running


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    shutil.copytree(GOLDEN / "recipe", tmp_path / "recipe")
    return tmp_path / "recipe" / "recipe.yaml"


def front_matter(card: str) -> dict[str, Any]:
    found = re.match(r"---\n(.*?)\n---\n", card, re.DOTALL)
    assert found is not None
    loaded: dict[str, Any] = yaml.safe_load(found[1])
    return loaded


def checks(run: Path) -> None:
    done = subprocess.run(["sha256sum", "--strict", "-c", "sha256sums.txt"], cwd=run, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_card_of_a_rehearsal_is_as_recorded(tmp_path: Path, recipe: Path) -> None:
    attar = Attar(tmp_path, None)
    attar("run", recipe, "--backend", "rehearsal", "--runs", attar.runs, expect=1)  # one question of a trade is short
    run = run_folder(attar.runs, "village-questions")
    card = (run / "README.md").read_text(encoding="utf-8")
    # Digests of steps' code name the run; the card of another version of attar differs in that alone.
    shown = re.sub(r"with attar [\d.]+; run `[0-9a-f]{12}`", "with attar #; run `#`", card)
    if os.environ.get("UPDATE_GOLDEN") == "1":
        (GOLDEN / "README.md").write_text(shown, encoding="utf-8")
    assert shown == (GOLDEN / "README.md").read_text(encoding="utf-8")
    body = card.partition("\n---\n")[2].lstrip("\n")
    assert body.startswith("> **Rehearsal: these rows were made up")
    fields = front_matter(card)
    assert (fields["license"], fields["language"], fields["size_categories"]) == ("cc-by-4.0", ["hi", "en"], ["n<1K"])
    assert fields["tags"] == ["villages", "synthetic", "attar", "rehearsal"]
    assert fields["configs"][0] == {"config_name": "dataset", "data_files": "dataset/*.parquet", "default": True}
    assert "### plain-questions, version 3" in card
    assert "> Ask as people speak." in card
    checks(run)
    listed = {line.split("  ")[1] for line in (run / "sha256sums.txt").read_text().splitlines()}
    assert {"README.md", "dataset/part-00000.parquet", "chat/part-00000.jsonl"} <= listed


def test_the_same_run_leaves_the_same_bytes_and_touches_nothing_twice(tmp_path: Path, recipe: Path) -> None:
    attar = Attar(tmp_path, None)
    kept = {}
    for runs, more in (("one", ["--workers", 1]), ("two", ["--workers", 2, "--shards", 3])):
        attar("run", recipe, "--backend", "rehearsal", "--runs", tmp_path / runs, *more, expect=1)
        run = run_folder(tmp_path / runs, "village-questions")
        kept[runs] = (run / "README.md").read_bytes()
    assert kept["one"] == kept["two"]
    run = run_folder(tmp_path / "one", "village-questions")
    before = {
        name: ((run / name).stat().st_mtime_ns, (run / name).read_bytes()) for name in ("README.md", "sha256sums.txt")
    }
    attar("run", recipe, "--backend", "rehearsal", "--runs", tmp_path / "one", expect=1)
    assert before == {name: ((run / name).stat().st_mtime_ns, (run / name).read_bytes()) for name in before}
    checks(run)


def test_a_real_run_says_who_answered_and_no_secret(tmp_path: Path, recipe: Path, server: StandInServer) -> None:
    text = recipe.read_text(encoding="utf-8").replace(
        "sampling: {temperature: 0.9}",
        "sampling: {temperature: 0.9}, backend: endpoint, endpoint: {url: '${env.PLACE}', key: '${env.PASS}'},"
        " prices: {input: 1, output: 2, source: 'a list'}",
    )
    recipe.write_text(text.replace("milu_Hindi: 0.4", "milu_Hindi: 0.3"), encoding="utf-8")
    attar = Attar(tmp_path, None, PLACE=server.url, PASS="sk-hidden-from-all")
    attar("run", recipe, "--runs", attar.runs, expect=(0, 1))
    run = run_folder(attar.runs, "village-questions")
    card = (run / "README.md").read_text(encoding="utf-8")
    for secret in ("sk-hidden-from-all", server.url, str(server.port), str(tmp_path)):
        assert secret not in card
    assert "Rehearsal" not in card
    assert "rehearsal" not in front_matter(card)["tags"]
    assert "judges rows that it wrote itself" in card
    found = results(attar.runs, "village-questions")
    used, paid = found["answers"], found["usage"]
    assert sum(one["answers"] for one in used.values()) == sum(one["requests"] for one in paid.values())
    for name in ("prompt_tokens", "completion_tokens"):
        assert sum(one[name] for one in used.values()) == sum(one[name] for one in paid.values())
    cost = used["teacher"]["prompt_tokens"] / 1e6 + 2 * used["teacher"]["completion_tokens"] / 1e6
    assert used["teacher"]["cost"] == pytest.approx(cost, abs=1e-6)
    assert f"{used['teacher']['cost']:g} USD" in card
    attar("run", recipe, "--runs", attar.runs, expect=(0, 1))
    assert results(attar.runs, "village-questions")["usage"] == {}
    assert (run / "README.md").read_text(encoding="utf-8") == card, "what the data rests on does not shrink"


def test_killed_while_it_publishes_it_leaves_no_wrong_sums(tmp_path: Path, recipe: Path) -> None:
    attar = Attar(tmp_path, None)
    words = ["run", recipe, "--backend", "rehearsal", "--runs"]
    attar(*words, tmp_path / "whole", expect=1)
    whole = run_folder(tmp_path / "whole", "village-questions")
    for wait in (0.0, 0.006):
        runs = tmp_path / f"killed-{wait}"
        process = attar.start(*words, runs)
        deadline = time.monotonic() + 60
        while not list(runs.glob("*/*/dataset")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(wait)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        for sums in runs.glob("*/*/sha256sums.txt"):
            checks(sums.parent)
        attar(*words, runs, expect=1)
        again = run_folder(runs, "village-questions")
        for name in ("README.md", "sha256sums.txt"):
            assert (again / name).read_bytes() == (whole / name).read_bytes()
        assert not list(again.glob(".*"))


def test_an_interrupted_run_has_no_card(tmp_path: Path, recipe: Path) -> None:
    attar = Attar(tmp_path, "http://127.0.0.1:9/v1")
    text = recipe.read_text(encoding="utf-8").replace("milu_Hindi: 0.4", "milu_Hindi: 0.3")
    recipe.write_text(text, encoding="utf-8")
    process = attar.start("run", recipe, "--runs", attar.runs)
    deadline = time.monotonic() + 60
    while not list(attar.runs.glob("*/latest")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert list(attar.runs.glob("*/*/manifest.json"))
    assert not list(attar.runs.glob("*/*/README.md"))
    assert not list(attar.runs.glob("*/*/sha256sums.txt"))


def test_what_steps_say_of_their_work_is_in_the_card(recipe: Path) -> None:
    plan, _ = check(recipe, gates="later")
    assert plan is not None
    manifest = {"attar": "0", "file": "recipe.yaml", "params": {}, "inputs": {}, "models": {}}
    facts = {name: {} for name in ("outputs", "ledger", "reasons", "answers")}
    results = {"rehearsal": False, "run": "x", "shortfalls": [], "why": [], "gates": [], **facts}
    told = card_text(plan, {**manifest, "notes": {"some": {"tokens": "counted by\na file"}}}, results)
    assert "- some, tokens: counted by a file\n" in told
    assert "None: no step asks a model." in told
    assert "What the steps say" not in card_text(plan, manifest, results)
