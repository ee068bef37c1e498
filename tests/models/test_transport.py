"""Every way a server can fail, through a real one; and that no secret ever shows."""

from __future__ import annotations

import asyncio
import base64
import pickle
import socket
import threading
import time
import traceback
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from attar.api import RowError
from attar.models import RetryPolicy, Stop, resolve
from attar.models.policy import retry_after
from attar.recipe.language import Endpoint, ModelSpec

QUICK = RetryPolicy(tries=6, first=0.01, longest=0.05, longest_after=1.0, timeout=5.0, dead_after=30.0)


def _one(ask: Any, server: Any, text: str = "hello", **options: Any) -> tuple[Any, dict[str, Any]]:
    async def body(m: Any) -> Any:
        try:
            result: Any = await m.chat(text)
        except RowError as error:
            result = error
        assert m.meter.in_flight == 0
        return result, {**m.meter.snapshot()["step"], "journal": dict(m.journal.values)}

    found: tuple[Any, dict[str, Any]] = ask(server.url, body, **options)
    return found


@pytest.mark.parametrize("kind", ["503", "500", "429", "cut_head", "cut_body", "broken_body", "hang"])
def test_what_can_pass_is_tried_again(server: Any, ask: Any, kind: str) -> None:
    server.configure(fail_first_tries=2, fail_kind=kind)
    answer, usage = _one(ask, server, policy=replace(QUICK, timeout=0.2 if kind == "hang" else 5))
    assert answer.text == "hello"
    assert (usage["requests"], usage["transport_retries"], usage["format_retries"]) == (1, 2, 0)
    stats = server.stats()
    assert stats["requests"] == 3 and stats["faults"] == {kind: 2} and stats["repeated"] == 0
    assert stats["in_flight"] == 0


@pytest.mark.parametrize("kind", ["503", "429", "cut_head", "cut_body", "broken_body", "hang"])
def test_what_does_not_pass_is_a_transport_error_and_is_not_journalled(server: Any, ask: Any, kind: str) -> None:
    server.configure(faults={kind: 1.0})
    error, usage = _one(ask, server, policy=replace(QUICK, tries=4, timeouts=2, timeout=0.1 if kind == "hang" else 5))
    assert isinstance(error, RowError) and error.code == "transport"
    tries = 2 if kind == "hang" else 4
    assert server.stats()["requests"] == tries and usage["transport_retries"] == tries
    assert usage["requests"] == 0 and usage["journal"] == {}
    server.recover()
    answer, _ = _one(ask, server)
    assert answer.text == "hello"


def test_a_refusal_is_the_rows_own_and_is_remembered(server: Any, ask: Any) -> None:
    server.configure(faults={"400": 1.0}, fault_message="no such grammar")

    async def body(m: Any) -> None:
        for _ in range(2):
            with pytest.raises(RowError) as caught:
                await m.chat("hello")
            assert caught.value.code == "refused" and "no such grammar" in caught.value.detail
        assert m.meter.snapshot()["step"]["refused"] == 1

    ask(server.url, body)
    assert server.stats()["requests"] == 1


def test_a_thirty_percent_bad_server_loses_no_row(server: Any, ask: Any) -> None:
    faults = {"503": 0.08, "429": 0.08, "cut_head": 0.04, "cut_body": 0.04, "hang": 0.02, "broken_body": 0.04}
    server.configure(faults=faults, retry_after=0.02, seed=11)

    async def body(m: Any) -> Any:
        return await asyncio.gather(*(m.chat(f"q {i}") for i in range(300)), return_exceptions=True)

    results = ask(server.url, body, policy=replace(QUICK, tries=20, timeouts=9, timeout=4), in_flight=64)
    assert [r.text for r in results] == [f"q {i}" for i in range(300)]
    stats = server.stats()
    assert set(stats["faults"]) == set(faults) and stats["repeated"] == 0 and stats["answers"] == 300


@pytest.mark.parametrize("date", [False, True])
def test_retry_after_is_waited_for(server: Any, ask: Any, date: bool) -> None:
    server.configure(fail_first_tries=1, fail_kind="429", retry_after=1.0 if date else 0.3, retry_after_date=date)
    began = time.monotonic()
    answer, _ = _one(ask, server, policy=replace(QUICK, longest_after=5))
    waited = time.monotonic() - began
    assert answer.text == "hello"
    if not date:  # a date has whole seconds: what it asks for may be next to nothing
        assert waited >= 0.3


def test_retry_after_forms() -> None:
    assert retry_after("3") == 3.0 and retry_after("0.5") == 0.5 and retry_after("-1") == 0.0
    assert retry_after(None) is None and retry_after("") is None and retry_after("soon") is None
    soon = retry_after(formatdate(time.time() + 10, usegmt=True))
    assert soon is not None and 8 <= soon <= 10
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


def test_waits_grow_and_stay_within_bounds() -> None:
    policy = RetryPolicy(first=0.5, longest=30, longest_after=120)
    for failures in range(1, 40):
        for _ in range(20):
            assert 0 <= policy.wait(failures, None) <= min(30, 0.5 * 2 ** (failures - 1))
    assert 2.0 <= policy.wait(1, 2.0) <= 2.26
    assert policy.wait(1, 9999) < 121
    total = sum(min(30, 0.5 * 2 ** (n - 1)) for n in range(1, policy.tries))
    assert total < 180  # eight tries cost a few minutes at most


def test_wrong_credentials_stop_the_run(server: Any, ask: Any) -> None:
    server.configure(api_key="right-key-0123")

    async def body(m: Any) -> None:
        results = await asyncio.gather(*(m.chat(f"q {i}") for i in range(5)), return_exceptions=True)
        assert all(isinstance(r, Stop) and r.diagnostics[0].code == "E601" for r in results)
        assert m.journal.values == {}

    ask(server.url, body, env={"ATTAR_API_KEY": "wrong-key-9876"})
    answer, _ = _one(ask, server, env={"ATTAR_API_KEY": "right-key-0123"})
    assert answer.text == "hello"


def test_an_unknown_model_or_path_stops_the_run(server: Any, ask: Any) -> None:
    server.configure(models=["other"])

    async def body(m: Any) -> str:
        with pytest.raises(Stop) as caught:
            await m.chat("hello")
        assert caught.value.exit_code == 1
        return caught.value.diagnostics[0].code

    assert ask(server.url, body) == "E602"
    assert ask(server.root + "/elsewhere", body) == "E603"


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def test_a_dead_server_stops_the_run_and_never_shows_its_address(ask: Any) -> None:
    port = _free_port()
    told: list[str] = []

    async def body(m: Any) -> Any:
        return await asyncio.gather(*(m.chat(f"q {i}") for i in range(8)), return_exceptions=True)

    results = ask(
        f"http://127.0.0.1:{port}", body, policy=replace(QUICK, dead_after=0.3), notice=told.append, in_flight=4
    )
    assert all(isinstance(r, Stop) and r.diagnostics[0].code == "E606" for r in results)
    text = "".join(told) + "".join(f"{r} {r.diagnostics}" for r in results)
    assert len(told) == 1 and str(port) not in text and "127.0.0.1" not in text


def test_a_server_that_comes_back_in_time_costs_no_row(ask: Any) -> None:
    from attar.testing import StandInServer

    with StandInServer.start() as first:
        port = first.port

        async def body(m: Any) -> Any:
            await m.chat("before")
            first.stop()
            waiting = asyncio.gather(*(m.chat(f"q {i}") for i in range(10)))
            await asyncio.sleep(0.5)
            second = await asyncio.to_thread(StandInServer.start, port=port)
            try:
                return await waiting
            finally:
                second.stop()

        # more failures than `tries`: nobody there is no try
        answers = ask(first.url, body, policy=replace(QUICK, tries=3, longest=0.02))
    assert [a.text for a in answers] == [f"q {i}" for i in range(10)]


def test_429_lowers_the_number_in_flight_and_answers_raise_it_again(server: Any, ask: Any) -> None:
    server.configure(fail_first_requests=8, fail_kind="429", retry_after=0)

    async def body(m: Any) -> tuple[float, float]:
        limiter = m.client._models["m"].server.limiter
        await asyncio.gather(*(m.chat(f"q {i}") for i in range(8)))
        low = limiter.limit
        for i in range(60):
            await m.chat(f"later {i}")
        return low, limiter.limit

    low, high = ask(server.url, body, in_flight=8)
    assert low < 8 and high == 8


def test_secrets_show_nowhere(server: Any, ask: Any, capfd: Any, caplog: Any) -> None:
    import logging

    caplog.set_level(logging.DEBUG)
    key, header = "sk-very-secret-1234567", "tenant-secret-7654321"
    env = {"MY_URL": server.url, "MY_KEY": key, "MY_HEADER": header}
    spec = ModelSpec(
        model="tiny",
        endpoint=Endpoint(url="${env.MY_URL}", key="${env.MY_KEY}", headers={"X-Tenant": "t ${env.MY_HEADER}"}),
    )
    served = resolve({"m": spec}, {"m"}, "endpoint", env)
    assert key.encode() not in pickle.dumps(served) and str(server.port).encode() not in pickle.dumps(served)
    shown: list[str] = []

    async def body(m: Any) -> None:
        try:
            await m.chat("hello")
        except Exception as error:
            shown.append("".join(traceback.format_exception(error)) + repr(error))
        shown.append(repr(m.journal.values) + repr(m.meter.snapshot()))

    policy = replace(QUICK, tries=2, timeouts=1, timeout=0.2)
    message = f"you sent Bearer {key} and {header} to {server.url}"
    for faults in ({}, {"400": 1.0}, {"503": 1.0}, {"cut_head": 1.0}, {"hang": 1.0}, {"broken_body": 1.0}):
        server.configure(faults=faults, fault_message=message)
        ask(None, body, specs={"m": spec}, env=env, backend="endpoint", policy=policy)
    server.configure(faults={}, api_key="another")
    ask(None, body, specs={"m": spec}, env=env, backend="endpoint", policy=policy)
    out = capfd.readouterr()
    everything = "\n".join([*shown, out.out, out.err, caplog.text])
    assert "transport" in everything and "refused" in everything and "E601" not in key
    for secret in (key, header, f":{server.port}"):
        assert secret not in everything


def test_tls_is_verified_against_a_file_or_switched_off(certificate: Path, ask: Any) -> None:
    from attar.testing import StandInServer

    with StandInServer.start(tls=certificate) as server:

        async def body(m: Any) -> str:
            text: str = (await m.chat("hello")).text
            return text

        assert ask(server.url, body, endpoint=Endpoint(ca_file=str(certificate))) == "hello"
        assert ask(server.url, body, endpoint=Endpoint(verify_tls=False)) == "hello"
        with pytest.raises(Stop) as caught:
            ask(server.url, body)
        assert caught.value.diagnostics[0].code == "E605" and "ca_file" in caught.value.diagnostics[0].help
        with pytest.raises(Stop) as caught:
            ask(server.url, body, endpoint=Endpoint(ca_file=str(certificate.parent / "missing.pem")))
        assert caught.value.diagnostics[0].code == "E608"


def test_a_missing_variable_is_named(ask: Any) -> None:
    spec = ModelSpec(model="tiny", endpoint=Endpoint(url="http://127.0.0.1:9/v1", key="${env.NOT_SET_HERE}"))

    async def body(m: Any) -> None: ...

    with pytest.raises(Stop) as caught:
        ask(None, body, specs={"m": spec}, env={}, backend="endpoint")
    assert "NOT_SET_HERE" in str(caught.value) and caught.value.exit_code == 2


def test_a_halted_client_lets_arrive_what_was_paid_and_sends_nothing_more(server: Any, ask: Any) -> None:
    server.configure(mode="batching", step_seconds=0.3, median_tokens=1, sigma=0, slots=8)

    async def body(m: Any) -> tuple[int, int]:
        known = await m.chat("known")
        tasks = [asyncio.create_task(m.chat(f"q {i}")) for i in range(10)]
        await asyncio.sleep(0.1)
        m.client.halt()
        tasks.append(asyncio.create_task(m.chat("too late")))
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert await m.chat("known") == known
        arrived = [r for r in results if not isinstance(r, BaseException)]
        assert all(isinstance(r, asyncio.CancelledError) for r in results if isinstance(r, BaseException))
        assert len(m.journal.values) == 1 + len(arrived)
        return len(arrived), m.client._models["m"].server.limiter.taken

    assert ask(server.url, body, in_flight=4) == (4, 0)
    assert server.stats()["requests"] == 5


def test_a_halted_client_does_not_wait_out_its_back_off(server: Any, ask: Any) -> None:
    server.configure(faults={"429": 1.0}, retry_after=60)

    async def body(m: Any) -> None:
        task = asyncio.create_task(m.chat("q"))
        await asyncio.sleep(0.1)
        m.client.halt()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)

    ask(server.url, body, policy=replace(QUICK, longest_after=60))


def test_cancelling_leaves_nothing_behind(server: Any, ask: Any) -> None:
    server.configure(faults={"hang": 1.0})

    async def body(m: Any) -> None:
        tasks = [asyncio.create_task(m.chat(f"q {i}")) for i in range(10)]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(r, asyncio.CancelledError) for r in results)
        assert m.meter.in_flight == 0 and m.client._flying == {}
        assert m.client._models["m"].server.limiter.taken == 0
        server.recover()
        assert (await m.chat("q 1")).text == "q 1"

    ask(server.url, body, in_flight=4)


class Talk(threading.Thread):
    """A server in a thread that reads requests, one per connection, and gives each the same answer."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(daemon=True)
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.requests: list[bytes] = []

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                got = b""
                while b"\r\n\r\n" not in got or not got.endswith(b"}"):
                    got += connection.recv(65536)
                self.requests.append(got)
                connection.sendall(self._answer)

    def __enter__(self) -> Talk:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


_ANSWER = b'{"choices":[{"message":{"content":"yes"},"finish_reason":"stop"}]}'
_YES = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_ANSWER), _ANSWER)


async def _hello(m: Any) -> str:
    text: str = (await m.chat("hello")).text
    return text


def test_a_proxy_of_the_environment_is_used(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "no_proxy", "NO_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Talk(_YES) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert ask("http://model.invalid/v1", _hello, env={"ATTAR_API_KEY": "key-0123"}) == "yes"
    request = proxy.requests[0]
    assert request.startswith(b"POST http://model.invalid/v1/chat/completions HTTP/1.1\r\n")
    assert b"Authorization: Bearer key-0123\r\n" in request and b"X-Request-Id: " in request
    port = proxy.port  # nobody there now
    with pytest.raises(Stop) as caught:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        ask("http://model.invalid/v1", _hello, policy=replace(QUICK, dead_after=0.1))
    assert caught.value.diagnostics[0].code == "E606"


def test_the_head_of_a_request(ask: Any) -> None:
    with Talk(_YES) as talk:
        url = f"http://us%65r:p%40ss@127.0.0.1:{talk.port}/दर्पण/a b/v1"
        headers = {"content-type": "application/x", "X-Tenant": " गंध ", "x-request-id": "no", "Host": "other"}
        assert ask(url, _hello, endpoint=Endpoint(headers=headers)) == "yes"
    head, _, body = talk.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == f"POST /{quote('दर्पण')}/a%20b/v1/chat/completions HTTP/1.1"
    sent = dict(line.split(": ", 1) for line in lines[1:])
    assert len(sent) == len(lines) - 1
    assert sent["Authorization"] == "Basic " + base64.b64encode(b"user:p@ss").decode()
    assert (sent["content-type"], sent["X-Tenant"], sent["Host"]) == ("application/x", "गंध", "other")
    assert len(sent["X-Request-Id"]) == 32 and int(sent["Content-Length"]) == len(body)
    assert "x-request-id" not in sent and "Content-Type" not in sent


@pytest.mark.parametrize(
    ("url", "headers", "code"),
    [
        ("http://127.0.0.1:99999/v1", {}, "E605"),
        ("ftp://127.0.0.1/v1", {}, "E605"),
        ("http:///v1", {}, "E605"),
        ("http://127.0.0.1:9/v1", {"X": "a\r\nEvil: b"}, "E614"),
        ("http://127.0.0.1:9/v1", {"X Y": "a"}, "E614"),
    ],
)
def test_addresses_and_headers_that_cannot_be_sent(ask: Any, url: str, headers: dict[str, str], code: str) -> None:
    with pytest.raises(Stop) as caught:
        ask(url, _hello, endpoint=Endpoint(headers=headers))
    assert caught.value.diagnostics[0].code == code and caught.value.exit_code == 2


def test_a_redirect_is_told_and_not_followed(ask: Any) -> None:
    answer = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
    with Talk(answer) as talk, pytest.raises(Stop) as caught:
        ask(f"http://127.0.0.1:{talk.port}/v1", _hello)
    assert caught.value.diagnostics[0].code == "E603" and "redirects" in str(caught.value)
    assert len(talk.requests) == 1
