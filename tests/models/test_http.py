"""The pooled client against servers that speak HTTP byte by byte: what is kept, what is broken, what is sent twice."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from attar.models import http
from attar.models.connection import BadCertificate, Broken, CannotConnect, Origin
from attar.models.http import HttpClient

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: \r\nRetry-After: 7\r\n\r\n"
    b"3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"
)
Talk = Callable[["Peer"], Awaitable[None]]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    return asyncio.run if request.param == "asyncio" else uvloop.run


class Peer:
    """The server's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.reader, self.writer, self.number = reader, writer, number

    async def request(self) -> bytes:
        """One request's head and body; IncompleteReadError once the client has gone."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        return head + await self.reader.readexactly(length)

    async def send(self, data: bytes, piece: int | None = None) -> None:
        for at in range(0, len(data), piece or len(data)):
            self.writer.write(data[at : at + (piece or len(data))])
            await self.writer.drain()
            if piece:
                await asyncio.sleep(0)


class Served:
    """A listening server and a client of it."""

    def __init__(self) -> None:
        self.client = HttpClient()
        self.connections = 0
        self.origin = Origin("127.0.0.1", 0, None)

    async def post(self, request: bytes = REQUEST, seconds: float = 5.0) -> Any:
        return await self.client.post(self.origin, request, seconds)


@asynccontextmanager
async def serving(talk: Talk, tick: float = 0.02, tls: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    served = Served()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.connections += 1
        try:
            await talk(Peer(reader, writer, served.connections))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    served.origin = Origin("127.0.0.1", server.sockets[0].getsockname()[1], None)
    served.client.open(tick)
    try:
        yield served
    finally:
        await served.client.close()
        assert not served.client.connections
        server.close()


def _always(answer: bytes, piece: int | None = None) -> Talk:
    async def talk(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(answer, piece)

    return talk


def test_one_connection_serves_one_request_after_another(run: Any) -> None:
    seen: list[bytes] = []

    async def talk(peer: Peer) -> None:
        while True:
            seen.append(await peer.request())
            await peer.send(OK)

    async def body() -> None:
        async with serving(talk) as served:
            for _ in range(5):
                assert await served.post() == (200, b"hello", None)
            assert served.connections == 1
            await asyncio.gather(*(served.post() for _ in range(10)))
            assert served.connections == 10
            await asyncio.gather(*(served.post() for _ in range(10)))
            assert served.connections == 10

    run(body())
    assert seen == [REQUEST] * 25


@pytest.mark.parametrize("answer", [OK, CHUNKED, b"HTTP/1.1 103 Early Hints\r\nRetry-After: 7\r\nLink: x\r\n\r\n" + OK])
def test_an_answer_may_come_in_pieces_of_any_size(run: Any, answer: bytes) -> None:
    async def body() -> None:
        pieces = iter(range(1, len(answer) + 1))

        async def talk(peer: Peer) -> None:
            while True:
                await peer.request()
                cut = next(pieces)
                await peer.send(answer[:cut])
                await asyncio.sleep(0.001)
                await peer.send(answer[cut:]) if cut < len(answer) else None

        async with serving(talk) as served:
            for _ in range(len(answer)):
                status, text, after = await served.post()
                assert (status, text) == (200, b"hello")
                assert after == ("7" if answer is CHUNKED else None)
            assert served.connections == 1
        async with serving(_always(answer, 1)) as served:
            assert (await served.post())[:2] == (200, b"hello")

    run(body())


def test_bodies_of_megabytes_both_ways(run: Any) -> None:
    large = bytes(range(256)) * 40_000
    request = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(large), large)

    async def talk(peer: Peer) -> None:
        got = await peer.request()
        assert got == request
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(large) + large)
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(large), 70_001):
            part = large[at : at + 70_001]
            await peer.send(b"%x\r\n%b\r\n" % (len(part), part))
        await peer.send(b"0\r\n\r\n")

    async def body() -> None:
        async with serving(talk) as served:
            for _ in range(2):
                status, got, _ = await served.post(request)
                assert status == 200 and got == large

    run(body())


def test_a_connection_closed_while_idle_costs_nothing(run: Any) -> None:
    """The server closes after its answer, saying nothing, as vLLM does to idle connections."""
    seen: list[int] = []

    async def talk(peer: Peer) -> None:
        await peer.request()
        seen.append(peer.number)
        await peer.send(OK)

    async def body() -> None:
        async with serving(talk) as served:
            for number in range(1, 6):
                assert (await served.post()).body == b"hello"
                assert served.connections == number
                if number % 2:
                    await asyncio.sleep(0.02)  # else the next request meets the closing connection

    run(body())
    assert seen == [1, 2, 3, 4, 5]


def test_a_kept_connection_that_ends_unanswered_is_replaced_once(run: Any) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.send(OK)
            await peer.request()

    async def body() -> None:
        async with serving(talk) as served:
            await served.post()
            with pytest.raises(Broken, match="before its answer"):  # the fresh one ends too: that is a failure
                await served.post()
            assert served.connections == 2

    run(body())


def test_a_kept_connection_that_breaks_in_an_answer_is_a_failure(run: Any) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send(OK[:1])

    async def body() -> None:
        async with serving(talk) as served:
            await served.post()
            with pytest.raises(Broken, match="in its head"):
                await served.post()
            assert served.connections == 1

    run(body())


def test_idle_connections_are_dropped_before_servers_drop_them(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "KEEP_ALIVE", 0.05)

    async def body() -> None:
        async with serving(_always(OK), tick=0.01) as watched, serving(_always(OK), tick=60) as unwatched:
            for served in (watched, unwatched):
                await asyncio.gather(*(served.post() for _ in range(3)))
                assert len(served.client.connections) == 3
            await asyncio.sleep(0.2)
            assert not watched.client.connections  # by the watchdog
            await unwatched.post()
            assert unwatched.connections == 4  # on reuse

    run(body())


@pytest.mark.parametrize(
    ("answer", "where"),
    [
        (b"", "before its answer"),
        (OK[:12], "in its head"),
        (OK[:-2], "in its body"),
        (CHUNKED[:-4], "in its body"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello", "no HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", "unpacked"),
    ],
)
def test_what_is_cut_or_no_http_is_broken(run: Any, answer: bytes, where: str) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        if answer:
            await peer.send(answer)

    async def body() -> None:
        async with serving(talk) as served:
            with pytest.raises(Broken, match=where):
                await served.post()
            assert served.connections == 1

    run(body())


@pytest.mark.parametrize(
    "answer",
    [
        OK + OK,
        OK + OK[:3],
        OK + b"garbage",
        OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"),
        OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n") + b"more",
        OK.replace(b"1.1", b"1.0"),
    ],
)
def test_a_connection_with_more_on_it_is_not_used_again(run: Any, answer: bytes) -> None:
    async def body() -> None:
        async with serving(_always(answer)) as served:
            for number in range(1, 4):
                assert await served.post() == (200, b"hello", None)
                assert served.connections == number

    run(body())


def test_what_comes_unasked_ends_the_connection(run: Any) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await asyncio.sleep(0.02)
        await peer.send(OK.replace(b"hello", b"wrong"))
        await peer.request()

    async def body() -> None:
        async with serving(talk) as served:
            await served.post()
            await asyncio.sleep(0.08)
            assert not served.client.connections
            assert (await served.post()).body == b"hello"

    run(body())


def test_a_body_without_a_length_ends_with_the_connection(run: Any) -> None:
    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhel")
        await asyncio.sleep(0.01)
        await peer.send(b"lo")

    async def body() -> None:
        async with serving(talk) as served:
            assert await served.post() == (200, b"hello", None)

    run(body())


def test_compression_nobody_asked_for_is_undone(run: Any) -> None:
    packed = gzip.compress(b"hello")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)

    async def body() -> None:
        async with serving(_always(head + packed)) as served:
            assert await served.post() == (200, b"hello", None)

    run(body())


def test_deadlines_and_cancelling_end_the_connection(run: Any) -> None:
    gone: list[int] = []

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK[:20])
        try:
            assert await peer.reader.read() == b""
        except ConnectionError:
            pass
        gone.append(peer.number)

    async def body() -> None:
        async with serving(talk) as served:
            with pytest.raises(TimeoutError):
                await served.post(seconds=0.05)
            task = asyncio.create_task(served.post())
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0.05)
            assert gone == [1, 2] and not served.client.connections
            last = asyncio.create_task(served.post())
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):  # a closed client leaves nobody waiting
            await last

    run(body())


def test_nobody_there_is_told_from_a_broken_answer(run: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        refused = Origin("127.0.0.1", taken.getsockname()[1], None)

        async def body() -> None:
            client = HttpClient()
            client.open(0.02)
            with pytest.raises(CannotConnect, match="ConnectionRefusedError"):
                await client.post(refused, REQUEST, 5)
            with pytest.raises(CannotConnect, match="gaierror"):
                await client.post(Origin("no-such-host.invalid", 80, None), REQUEST, 5)
            await client.close()

        run(body())


def test_tls_to_a_server_that_speaks_none_does_not_connect(run: Any) -> None:
    async def talk(peer: Peer) -> None:
        await peer.reader.read(10)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async def body() -> None:
        async with serving(talk) as served:
            served.origin = served.origin._replace(tls=ssl.create_default_context())
            with pytest.raises(CannotConnect):
                await served.post()

    run(body())


def test_ipv6(run: Any) -> None:
    async def body() -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await Peer(reader, writer, 1).request()
            writer.write(OK)
            writer.close()

        try:
            server = await asyncio.start_server(connected, "::1", 0)
        except OSError:
            pytest.skip("no IPv6 here")
        client = HttpClient()
        client.open(0.02)
        origin = Origin("::1", server.sockets[0].getsockname()[1], None)
        assert (await client.post(origin, REQUEST, 5)).body == b"hello"
        await client.close()
        server.close()

    run(body())


def test_tls_connections_are_kept_and_large_bodies_pass(run: Any, certificate: Path) -> None:
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate)
    large = b"x" * 1_000_000

    async def body() -> None:
        async with serving(_always(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + large), tls=ours) as served:
            served.origin = served.origin._replace(tls=ssl.create_default_context(cafile=str(certificate)))
            for _ in range(3):
                assert (await served.post()).body == large
            assert served.connections == 1
            served.origin = served.origin._replace(tls=ssl.create_default_context())
            with pytest.raises(BadCertificate):
                await served.post()

    run(body())


@pytest.mark.parametrize("first", ["refuses", "swallows"])
def test_of_a_names_addresses_the_one_that_answers_is_kept(
    run: Any, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setattr(http, "_NEXT_SECONDS", 0.1)
    # A listener whose queue is full takes no connection, as a network that swallows packets.
    with socket.socket() as other, socket.socket() as filling:
        other.bind(("127.0.0.1", 0))
        bad = ("127.0.0.1", other.getsockname()[1])
        if first == "swallows":
            other.listen(0)
            filling.connect(bad)

        async def body() -> None:
            async with serving(_always(OK)) as served:
                good = served.origin[:2]
                named = Origin("a.name", 80, None)
                served.client._addresses[named] = (asyncio.get_running_loop().time() + 60, [bad, good])
                for _ in range(2):
                    assert (await served.client.post(named, REQUEST, 5)).body == b"hello"
                    assert served.client._addresses[named][1] == [good, bad]
                assert served.connections == 1

        run(body())
