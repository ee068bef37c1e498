"""The stand-in server itself: strict, deterministic, counting; and that it never outlives its tests."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import ValidationError

from attar.testing import Settings, StandInServer
from attar.testing.responders import find


@pytest.fixture(scope="module")
def shared() -> Iterator[StandInServer]:
    with StandInServer.start() as server:
        yield server


@pytest.fixture
def server(shared: StandInServer) -> StandInServer:
    shared.configure(**Settings().model_dump())
    shared.reset()
    return shared


def post(server: StandInServer, path: str, body: Any, key: str = "", method: str = "POST") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        headers = {"Content-Type": "application/json", **({"X-Request-Id": key} if key else {})}
        connection.request(method, path, json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def chat(server: StandInServer, text: str = "hi", key: str = "", **more: Any) -> tuple[int, Any]:
    body = {"model": "tiny", "messages": [{"role": "user", "content": text}], **more}
    return post(server, "/v1/chat/completions", body, key)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "x"}]}, 200),
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokenz": 1}, 400),
        ("/v1/chat/completions", {"model": "m", "messages": []}, 400),
        ("/v1/chat/completions", {"model": "m", "messages": [{"content": "x"}]}, 400),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}, 400),
        ("/v1/chat/completions", ["x"], 400),
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}, 400),
        ("/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "x"}]}, 404),
        ("/v1/v1/models", {}, 404),
        ("/v1/completions", {"model": "m", "prompt": "x"}, 200),
        ("/v1/completions", {"model": "m", "prompt": "x", "messages": []}, 400),
        ("/v1/embeddings", {"model": "m", "input": ["x"]}, 200),
        ("/v1/embeddings", {"model": "m", "input": ["x"], "seed": 1}, 400),
    ],
)
def test_paths_and_bodies(server: StandInServer, path: str, body: Any, status: int) -> None:
    found, answer = post(server, path, body)
    assert found == status, answer
    assert server.stats()["requests"] == (1 if status == 200 else 0)


def test_models_and_methods(server: StandInServer) -> None:
    server.configure(models=["a", "b"])
    status, body = post(server, "/v1/models", {}, method="GET")
    assert status == 200 and [row["id"] for row in body["data"]] == ["a", "b"]
    assert post(server, "/v1/chat/completions", {}, method="GET")[0] == 405
    assert chat(server)[0] == 404


def test_keys_seen_again_after_an_answer_are_counted(server: StandInServer) -> None:
    server.configure(fail_first_tries=1)
    assert chat(server, key="a")[0] == 503
    assert chat(server, key="a")[0] == 200
    assert server.stats()["repeated"] == 0
    assert chat(server, key="a")[0] == 200
    chat(server, key="b")
    stats = server.stats()
    assert (stats["requests"], stats["distinct"], stats["repeated"], stats["answers"]) == (4, 2, 1, 2)
    assert server.keys() == {"tries": {"a": 3, "b": 1}, "answered": {"a": 2}}


def test_answers_depend_on_the_key_alone(server: StandInServer) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "string"}}}
    server.configure(responder="schema")
    one = chat(server, key="a", response_format=schema)[1]["choices"]
    two = chat(server, key="b", response_format=schema)[1]["choices"]
    assert one == chat(server, key="a", response_format=schema)[1]["choices"] != two


def test_faults_follow_their_shares_and_the_seed(server: StandInServer) -> None:
    def run(seed: int) -> list[int]:
        server.configure(faults={"503": 0.3, "400": 0.2}, seed=seed)
        server.reset()
        return [chat(server, key=f"k{i}")[0] for i in range(200)]

    first = run(1)
    assert first == run(1) != run(2)
    assert 35 < first.count(503) < 85 and 20 < first.count(400) < 60


def test_responders_by_model_and_by_marker(server: StandInServer) -> None:
    server.configure(responders={"w": "words(5)"}, markers={"JUDGE": "judge(1.0)", "NEVER": "judge(0.0)"})

    def said(**body: Any) -> str:
        text: str = chat(server, **body)[1]["choices"][0]["message"]["content"]
        return text

    assert said(text="plain") == "plain"
    assert len(said(model="w").split()) == 5
    assert said(text="please JUDGE this") == "PASS" and said(text="NEVER", model="w") == "FAIL"


def test_judge_answers_in_the_schemas_own_words() -> None:
    from random import Random

    schema = {
        "type": "object",
        "required": ["verdict", "ok", "score", "parts"],
        "properties": {
            "verdict": {"enum": ["pass", "fail"]},
            "ok": {"type": "boolean"},
            "score": {"type": "integer", "minimum": 1, "maximum": 5},
            "parts": {"type": "array", "minItems": 2, "items": {"enum": ["no", "yes"]}},
        },
    }
    body = {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}
    good, bad = (find(f"judge({p})")([], body, Random(1)) for p in (1, 0))
    assert isinstance(good, dict) and isinstance(bad, dict)
    assert (good["verdict"], good["ok"], good["score"], set(good["parts"])) == ("pass", True, 5, {"yes"})
    assert (bad["verdict"], bad["ok"], bad["score"], set(bad["parts"])) == ("fail", False, 1, {"no"})
    passed = sum(find("judge(0.7)")([], {}, Random(n)) == "PASS" for n in range(1000))
    assert 640 < passed < 760


def test_continuous_batching_takes_the_modelled_time(server: StandInServer) -> None:
    """Eight sequences of ten tokens on four slots: twenty full steps, whatever the machine does meanwhile."""
    server.configure(
        mode="batching", slots=4, step_seconds=0.01, step_seconds_per_sequence=0.001, median_tokens=10, sigma=0
    )
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    with ThreadPoolExecutor(9) as pool:
        # the first keeps a slot busy while the others arrive
        list(pool.map(lambda n: post(server, "/v1/chat/completions", body, f"k{n}"), range(8)))
    stats = server.stats()
    engine = stats["batching"]
    assert stats["completion_tokens"] == 80 and stats["max_in_flight"] <= 8
    assert 20 <= engine["steps"] <= 40 and engine["mean_batch"] * engine["steps"] == pytest.approx(80)
    assert engine["busy_seconds"] == pytest.approx(0.01 * engine["steps"] + 0.001 * 80)
    assert stats["span"] >= 0.9 * engine["busy_seconds"]


def test_a_client_that_leaves_frees_its_slot(server: StandInServer) -> None:
    server.configure(mode="batching", slots=1, step_seconds=0.05, median_tokens=1000, sigma=0)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]})
    connection.request("POST", "/v1/chat/completions", body)
    _until(lambda: server.stats()["in_flight"] == 1)
    connection.close()
    _until(lambda: server.stats()["aborted"] == 1)
    server.configure(median_tokens=1)
    assert chat(server)[0] == 200
    assert server.stats()["in_flight"] == 0


def test_lengths_are_log_normal_and_capped() -> None:
    from random import Random

    from attar.testing.batching import length

    settings = Settings(median_tokens=100, sigma=0.5, longest=400)
    drawn = sorted(length(settings, Random(n), None) for n in range(2000))
    assert 90 < drawn[1000] < 110 and drawn[-1] == 400 and drawn[0] >= 1
    assert max(length(settings, Random(n), 50) for n in range(100)) == 50


def test_wrong_settings_are_refused(server: StandInServer) -> None:
    with pytest.raises(ValidationError):
        StandInServer.start(respnder="echo")
    for wrong in ({"faults": {"503": 0.7, "429": 0.7}}, {"no_such": 1}, {"responder": "nonsense"}, {"slots": 0}):
        with pytest.raises(ValueError, match=r"."):
            server.configure(**wrong)
    assert chat(server)[0] == 200


def test_a_responder_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_responder.py").write_text(
        "from attar.testing.responders import Reply\n"
        "def answer(messages, body, rng):\n"
        "    if 'bad' in messages[-1]['content']: raise KeyError('x')\n"
        "    return Reply('short', reasoning='because', finish_reason='length')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with StandInServer.start(responder="mine_responder:answer") as server:
        choice = chat(server)[1]["choices"][0]
        assert choice["finish_reason"] == "length" and choice["message"]["reasoning_content"] == "because"
        status, body = chat(server, "bad")
        assert status == 500 and "KeyError" in body["error"]["message"] and server.stats()["in_flight"] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="PDEATHSIG is Linux's")
def test_it_dies_with_the_process_that_started_it() -> None:
    code = (
        "import time; from attar.testing import StandInServer\n"
        "s = StandInServer.start(); print(s.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    child = psutil.Process(pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    child.wait(10)


def test_the_command_line_prints_its_port() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "attar.testing.server", "--port", "0", "--print-port", "--set", "responder=words(3)"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    server = StandInServer(process, int(process.stdout.readline()))
    process.stdout.close()
    with server:
        assert len(chat(server)[1]["choices"][0]["message"]["content"].split()) == 3


def _until(true: Any) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
