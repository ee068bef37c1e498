"""Servers owned by a run: flags, sharing, messages, restart, and their end. A small HTTP server plays vLLM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attar.errors import AttarError
from attar.models import vllm_server
from attar.models.calls import ServedModel
from attar.models.guard import Guard
from attar.models.server_log import explain
from attar.models.servers import assign_devices, start_servers, visible_devices
from attar.recipe.language import ModelSpec

ServerSpec = vllm_server.ServerSpec

# Plays `vllm serve`: notes its arguments and pids, forks a child as the engine does, answers /health.
FAKE = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import http.server, json, os, sys
arguments = sys.argv[1:]
with open({notes!r}, "a") as file:
    file.write(json.dumps({{"argv": arguments, "pid": os.getpid(), "devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "keep_alive": os.environ.get("VLLM_HTTP_TIMEOUT_KEEP_ALIVE")}}) + "\\n")
if "--slow" in arguments:
    import time
    time.sleep(60)
if any(a.startswith("--bad") for a in arguments):
    print("usage: vllm serve [model_tag] [options]")
    print("vllm: error: unrecognized arguments: --bad-flag")
    sys.exit(2)
if os.fork() == 0:
    import time
    while True: time.sleep(60)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
port = next(int(a.split("=")[1]) for a in arguments if a.startswith("--port="))
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def served(kind: Any, spec: ModelSpec) -> ServedModel:
    return ServedModel("a name", spec, kind, "the test says so")


def health(model: ServedModel) -> str:
    assert model.base_url is not None and model.base_url.endswith("/v1")
    return model.base_url.removesuffix("v1") + "health"


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def alive_in(pgid: int) -> list[int]:
    """Members of a process group that are no zombies."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if entry.name.isdigit() and int(fields[2]) == pgid and fields[0] != b"Z":
            found.append(int(entry.name))
    return found


def put_fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """Puts the fake in vLLM's place; returns what its starts noted."""
    fake, file = tmp_path / "vllm", tmp_path / "notes.jsonl"
    fake.write_text(FAKE.format(python=sys.executable, notes=str(file)))
    fake.chmod(0o755)
    monkeypatch.setenv("VLLM_COMPILE_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(vllm_server, "find_vllm", lambda: str(fake))
    monkeypatch.setattr("datatrove.pipeline.inference.servers.vllm_server.check_required_dependencies", lambda *_: None)
    monkeypatch.setattr("importlib.metadata.version", lambda _: "0")
    monkeypatch.setattr(vllm_server.CompileLockManager.__init__, "__defaults__", (tmp_path / "locks",))
    return lambda: [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    return put_fake(tmp_path, monkeypatch)


def test_equal_models_share_a_server_and_all_are_gone_afterwards(
    tmp_path: Path, notes: Callable[[], list[dict[str, Any]]]
) -> None:
    models = {
        "teacher": served("vllm", ModelSpec(model="m", revision="r1", serve={"dtype": "bfloat16"}, max_context=512)),
        "judge": served("vllm", ModelSpec(model="m", revision="r1", serve={"dtype": "bfloat16"}, in_flight=3)),
        "other": served("vllm", ModelSpec(model="m", revision="r2", serve={"enforce_eager": True, "x": False})),
        "twin": served("vllm", ModelSpec(model="m", revision="r2", serve={"enforce_eager": True, "x": None})),
        "remote": served("endpoint", ModelSpec(model="m")),
    }
    told: list[Any] = []
    with Guard.start() as guard, start_servers(models, folder=tmp_path / "s", guard=guard, on_event=told.append) as up:
        assert set(up) == set(models)
        assert up["teacher"].base_url == up["judge"].base_url
        assert len({model.base_url for model in up.values()}) == 4
        assert up["remote"].base_url is None
        for name in ("teacher", "other", "twin"):
            with urllib.request.urlopen(health(up[name])) as answer:
                assert answer.status == 200
        seen = notes()
        assert len(seen) == 3
        assert {s["keep_alive"] for s in seen} == {"600"}
        first = next(s["argv"] for s in seen if "--revision=r1" in s["argv"])
        assert first[:2] == ["serve", "m"]
        assert {"--served-model-name=m", "--dtype=bfloat16", "--max-model-len=512", "--host=127.0.0.1"} <= set(first)
        assert "--trust-remote-code" not in first
        second = next(s["argv"] for s in seen if "--no-x" in s["argv"])
        assert "--enforce-eager" in second
        groups = [s["pid"] for s in seen]
        assert all(len(alive_in(group)) == 2 for group in groups)  # the server and its child, in a group of their own
    assert not any(alive_in(group) for group in groups)
    assert any("starting vLLM" in event["text"] for event in told)


def test_a_flag_vllm_does_not_know_is_said_in_its_words_and_nothing_is_left(
    tmp_path: Path, notes: Callable[[], list[dict[str, Any]]]
) -> None:
    models = {
        "a": served("vllm", ModelSpec(model="m")),
        "b": served("vllm", ModelSpec(model="m", serve={"bad_flag": 1})),
    }
    with (
        Guard.start() as guard,
        pytest.raises(AttarError) as caught,
        start_servers(models, folder=tmp_path / "s", guard=guard, on_event=lambda _: None),
    ):
        raise AssertionError("the servers came up")
    (diagnostic,) = caught.value.diagnostics
    assert "unrecognized arguments: --bad-flag" in diagnostic.message
    assert "model 'b'" in diagnostic.message
    assert "serve:" in diagnostic.help
    assert caught.value.exit_code == 2
    assert not any(alive_in(note["pid"]) for note in notes())


def test_a_server_that_dies_is_started_again_at_its_address(
    tmp_path: Path, notes: Callable[[], list[dict[str, Any]]]
) -> None:
    models = {"a": served("vllm", ModelSpec(model="m"))}
    told: list[Any] = []
    with Guard.start() as guard, start_servers(models, folder=tmp_path / "s", guard=guard, on_event=told.append) as up:
        os.kill(notes()[0]["pid"], signal.SIGKILL)
        until(lambda: any("started again" in event["text"] for event in told))
        with urllib.request.urlopen(health(up["a"])) as answer:
            assert answer.status == 200
        assert len(notes()) == 2
    assert not any(alive_in(note["pid"]) for note in notes())


def test_an_error_in_the_run_ends_the_servers_too(tmp_path: Path, notes: Callable[[], list[dict[str, Any]]]) -> None:
    models = {"a": served("vllm", ModelSpec(model="m"))}
    with (
        Guard.start() as guard,
        pytest.raises(KeyboardInterrupt),
        start_servers(models, folder=tmp_path / "s", guard=guard, on_event=lambda _: None),
    ):
        raise KeyboardInterrupt
    assert len(notes()) == 1
    assert not alive_in(notes()[0]["pid"])


def test_ctrl_c_is_heard_while_a_server_loads(tmp_path: Path, notes: Callable[[], list[dict[str, Any]]]) -> None:
    models = {"a": served("vllm", ModelSpec(model="m", serve={"slow": True}))}
    with (
        Guard.start() as guard,
        pytest.raises(KeyboardInterrupt),
        start_servers(
            models, folder=tmp_path / "s", guard=guard, on_event=lambda _: None, stopping=lambda: bool(notes())
        ),
    ):
        raise AssertionError("the server came up")
    assert not alive_in(notes()[0]["pid"])


def test_no_server_is_started_where_no_model_needs_one(tmp_path: Path) -> None:
    models = {"a": served("rehearsal", ModelSpec(model="m"))}
    with (
        Guard.start() as guard,
        start_servers(models, folder=tmp_path / "s", guard=guard, on_event=lambda _: None) as up,
    ):
        assert up == models
    assert not (tmp_path / "s").exists()


DRIVER = """
import sys, time
sys.path.insert(0, sys.argv[1])
import test_servers as t
from pathlib import Path
import pytest
from attar.models.guard import Guard
from attar.models.servers import start_servers
from attar.recipe.language import ModelSpec
folder = Path(sys.argv[2])
with pytest.MonkeyPatch.context() as patch:
    t.put_fake(folder, patch)
    guard = Guard.start()
    models = {"a": t.served("vllm", ModelSpec(model="m"))}
    with start_servers(models, folder=folder / "s", guard=guard, on_event=lambda _: None):
        print("up", flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("whole_group", [False, True])
def test_kill_9_of_the_run_ends_its_server(tmp_path: Path, whole_group: bool) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(Path(__file__).parent), str(tmp_path)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert driver.stdout is not None
    assert driver.stdout.readline() == b"up\n"
    (note,) = [json.loads(line) for line in (tmp_path / "notes.jsonl").read_text().splitlines()]
    assert len(alive_in(note["pid"])) == 2
    (os.killpg if whole_group else os.kill)(driver.pid, signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    until(lambda: not alive_in(note["pid"]))


def spec(name: str, **serve: Any) -> Any:
    return ServerSpec(name=name, model="m", revision=None, serve=serve)


def test_each_server_gets_gpus_of_its_own_where_there_are_enough() -> None:
    def given(specs: list[Any], visible: list[str]) -> list[str | None]:
        return [s.devices for s in assign_devices(specs, visible)]

    two = [spec("a", tensor_parallel_size=2), spec("b")]
    assert given(two, ["0", "1", "2", "3"]) == ["0,1", "2"]
    assert given(two, ["0", "1"]) == [None, None]  # they share what is there
    assert given(two, []) == [None, None]
    assert given([spec("a")], ["0", "1"]) == [None]  # alone: what the environment says
    assert given([spec("a", devices="1"), spec("b")], ["0", "1"]) == ["1", "0"]
    assert given([spec("a", devices=3)], []) == ["3"]
    assert "--devices=3" not in spec("a", devices=3).command("vllm", 1)


def test_visible_devices_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in [("", []), ("2,GPU-abc", ["2", "GPU-abc"]), ("0,-1,1", ["0"]), (" 1 , 3", ["1", "3"])]:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        assert visible_devices() == expected


@pytest.mark.parametrize(
    ("log", "said", "advice"),
    [
        (
            "(EngineCore pid=3) ERROR 11-21 09:22:22 [core.py:1] ValueError: No available memory for the cache blocks."
            "\n(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.\n",
            "No available memory for the cache blocks",
            "gpu_memory_utilization",
        ),
        (
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n  Value error, "
            "User-specified max_model_len (100000) is greater than the derived max_model_len\n    For further\n",
            "User-specified max_model_len",
            "max_context",
        ),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\n", "out of memory", "max_model_len"),
        ("RuntimeError: Failed to infer device type\n", "Failed to infer device type", "--backend endpoint"),
        ("OSError: nobody/nothing is not a local folder and is not a valid model identifier\n", "nobody", "`model: m`"),
        ("Killed\n", "Killed", "read the log"),
    ],
)
def test_the_root_cause_is_found_in_the_log(tmp_path: Path, log: str, said: str, advice: str) -> None:
    file = tmp_path / "vllm.log"
    file.write_text(
        '\n$ ["vllm"]\nValueError: of an earlier start\n\n$ ["vllm"]\nINFO 11-21 09:22:22 [a.py:1] hi\n' + log
    )
    (diagnostic,) = explain("teacher", "m", file, "it ended with code 1").diagnostics
    assert said in diagnostic.message.splitlines()[0]
    assert "earlier start" not in diagnostic.message
    assert advice in diagnostic.help
    assert str(file) in diagnostic.message
