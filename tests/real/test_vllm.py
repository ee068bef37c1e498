"""A real vLLM on the CPU, started, asked and ended by a run (must-show 7). Run with `make test-real`."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
    # ATTAR_REAL is set by run.sh: there, a missing vLLM is a failure and not a reason to skip.
    pytest.mark.skipif(
        not os.environ.get("ATTAR_REAL") and importlib.util.find_spec("vllm") is None,
        reason="vLLM is not installed here; `make test-real` brings its own environment",
    ),
]

ROWS = 20
# A random model ends nothing by itself: every string and number is bounded.
SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 1, "maxLength": 24},
        "score": {"type": "integer", "minimum": 0, "maximum": 9},
        "kind": {"enum": ["rose", "vetiver", "sandalwood"]},
    },
    "required": ["city", "score", "kind"],
    "additionalProperties": False,
}
MORE = {
    "type": "object",
    "properties": {"more": {"type": "string", "minLength": 1, "maxLength": 40}},
    "required": ["more"],
    "additionalProperties": False,
}
# Found on this vLLM: chunked prefill with seeds kills a CPU engine; xgrammar lets raw control characters into bounded
# strings, and free whitespace fills max_tokens.
RECIPE = """
attar: 1
name: real
seed: 3
models:
  tiny:
    model: {model}
    backend: vllm
    serve:
      dtype: bfloat16
      max_model_len: 2048
      enforce_eager: true
      enable_chunked_prefill: false
      max_num_batched_tokens: 8192
      structured_outputs_config: '{{"backend": "guidance", "disable_any_whitespace": true}}'
    sampling: {{temperature: 1, max_tokens: 256}}
    in_flight: 8
  twin: {{extends: tiny, sampling: {{temperature: 0.5}}}}
steps:
  rows: {{use: std.read, with: {{path: rows.jsonl}}}}
  first: {{use: llm.generate, from: rows, model: tiny, prompt: prompt.md, output: schema.json}}
  second: {{use: llm.generate, from: first, model: twin, prompt: again.md, output: more.json}}
outputs:
  dataset: {{from: second, format: jsonl, min_rows: {rows}}}
"""


@pytest.fixture
def recipe(tmp_path: Path, model: Path) -> Path:
    with (tmp_path / "rows.jsonl").open("w") as file:
        for number in range(ROWS):
            file.write(json.dumps({"place": f"a town by river {number}", "number": number}) + "\n")
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "more.json").write_text(json.dumps(MORE))
    (tmp_path / "prompt.md").write_text("---\ninputs: [place]\n---\n# user\nWhat grows in {{ place }}?\n")
    (tmp_path / "again.md").write_text("# user\nSay more of {{ kind }} in {{ city }}.\n")
    file = tmp_path / "real.yaml"
    file.write_text(RECIPE.format(model=model, rows=ROWS))
    return file


class Run:
    """An `attar run` that is read while it goes on."""

    def __init__(self, recipe: Path) -> None:
        self.folder = recipe.parent / "runs"
        attar = Path(sys.executable).with_name("attar")
        self.errors = (recipe.parent / "stderr.txt").open("ab")
        self.process = subprocess.Popen(
            [attar, "run", str(recipe), "--json", "--runs", str(self.folder)],
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            start_new_session=True,
        )
        self.events: list[dict[str, Any]] = []

    def read_until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            self.events.append(event)
            if wanted(event):
                return event
        self.finish()
        errors = Path(self.errors.name).read_text()
        raise AssertionError(f"the run ended with {self.process.returncode} before that:\n{self.events}\n{errors}")

    def kill(self, *, whole_group: bool) -> None:
        (os.killpg if whole_group else os.kill)(self.process.pid, signal.SIGKILL)
        self.finish()

    def finish(self) -> int:
        assert self.process.stdout is not None
        self.process.stdout.read()
        self.process.stdout.close()
        self.errors.close()
        return self.process.wait(600)


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    """Runs to end whatever happens; their guards end the servers."""
    started: list[Run] = []
    yield started
    for run in started:
        if run.process.poll() is None:
            run.kill(whole_group=True)


def members(group: int) -> list[int]:
    """Processes of a group that are no zombies."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != b"Z":
                found.append(int(entry.name))
    return found


def server_groups(model: Path) -> set[int]:
    """Process groups of the servers of this model that run now. Its workers rename themselves: their group tells."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"serve" in words and str(model).encode() in words:
                try:
                    found.add(os.getpgid(int(entry.name)))
                except ProcessLookupError:
                    continue
    return found


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def answers(event: dict[str, Any]) -> bool:
    return event["type"] == "notice" and "answers after" in event["text"]


def dataset(folder: Path) -> list[dict[str, Any]]:
    (results,) = folder.glob("*/*/results.json")
    path = results.parent / json.loads(results.read_text())["outputs"]["dataset"]["path"]
    return [json.loads(line) for file in sorted(path.glob("part-*")) for line in file.read_text().splitlines()]


def check_rows(rows: list[dict[str, Any]]) -> None:
    import jsonschema

    assert len(rows) == ROWS
    assert [row["number"] for row in rows] == list(range(ROWS))
    for row in rows:
        jsonschema.validate({key: row[key] for key in SCHEMA["properties"]}, SCHEMA)
        jsonschema.validate({"more": row["more"]}, MORE)
    assert len({(row["city"], row["score"]) for row in rows}) > ROWS // 2  # asked, not made up


def test_rows_arrive_valid_and_the_server_is_gone(recipe: Path, model: Path, runs: list[Run]) -> None:
    run = Run(recipe)
    runs.append(run)
    run.read_until(answers)
    groups = server_groups(model)
    assert len(groups) == 1  # models that differ in sampling alone share a server
    (group,) = groups
    assert group not in (run.process.pid, os.getpgrp())
    assert len(members(group)) > 1
    done = run.read_until(lambda event: event["type"] == "run_finished")
    assert run.finish() == 0, done["results"]["why"]
    assert not members(group)
    check_rows(dataset(run.folder))
    usage = done["results"]["usage"]
    assert sum(step["requests"] for step in usage.values()) >= 2 * ROWS
    assert done["results"]["backends"]["tiny"]["backend"] == "vllm"


@pytest.mark.parametrize(("whole_group", "loading"), [(False, False), (True, True)])
def test_kill_9_leaves_no_server_and_the_next_run_ends_well(
    recipe: Path, model: Path, runs: list[Run], whole_group: bool, loading: bool
) -> None:
    run = Run(recipe)
    runs.append(run)
    if loading:
        until(lambda: bool(server_groups(model)))
    else:
        run.read_until(answers)
    (group,) = server_groups(model)
    assert members(group)
    run.kill(whole_group=whole_group)
    until(lambda: not members(group))
    again = Run(recipe)
    runs.append(again)
    again.read_until(lambda event: event["type"] == "run_finished")
    assert again.finish() == 0
    assert not server_groups(model)
    check_rows(dataset(again.folder))


def test_a_flag_vllm_does_not_know_is_told_in_its_words(recipe: Path, model: Path) -> None:
    recipe.write_text(recipe.read_text().replace("dtype: bfloat16", "dtype: bfloat16\n      no_such_flag: 1"))
    attar = Path(sys.executable).with_name("attar")
    done = subprocess.run(
        [attar, "run", str(recipe), "--runs", str(recipe.parent / "runs")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2, done.stderr
    assert "--no-such-flag" in done.stderr
    assert "vllm serve --help" in done.stderr
    assert "Traceback" not in done.stderr
    assert not server_groups(model)
