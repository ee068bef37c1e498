"""A lean pooled HTTP/1.1 client for one kind of exchange: a POST written at once, its answer read whole.

aiohttp costs 0.15 ms of CPU per call, several times all else the engine does for one; here a request is one write to a
kept connection and one future that the parser's callbacks settle. No redirects, cookies, proxies or compression: the
few who sit behind a proxy go by `proxied.py`.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from typing import Any, NamedTuple

import httptools

# vLLM and uvicorn close a connection that was idle for 5 seconds: ours must be gone before, or requests are lost to it.
KEEP_ALIVE = 4.0
CONNECT_SECONDS = 30.0
_ADDRESS_SECONDS = 300.0
_KEPT = frozenset({b"content-length", b"transfer-encoding", b"content-encoding", b"retry-after"})


class Origin(NamedTuple):
    """Where connections go; equal origins share them. `host` is a name or a bare IPv4 or IPv6 address."""

    host: str
    port: int
    tls: ssl.SSLContext | None


class Response(NamedTuple):
    """A whole answer; `after` is its Retry-After as sent."""

    status: int
    body: bytes
    after: str | None


class CannotConnect(Exception):
    """Nobody was reached: the request was not sent."""


class BadCertificate(Exception):
    """The server's certificate cannot be verified."""


class Broken(Exception):
    """The connection ended, or spoke no HTTP, before the answer was whole."""


class Connection(asyncio.Protocol):
    """One connection; carries one exchange at a time. The `on_…` methods are called by the parser."""

    __slots__ = (
        "_answer",
        "_client",
        "_headers",
        "_parser",
        "_pieces",
        "_reusable",
        "_status",
        "_transport",
        "deadline",
        "idle_since",
        "origin",
        "touched",
        "waiter",
    )

    def __init__(self, client: HttpClient, origin: Origin) -> None:
        self.origin = origin
        self.waiter: asyncio.Future[Response] | None = None
        self.deadline = 0.0
        self.idle_since = 0.0
        self.touched = False
        self._client = client
        self._parser: Any = httptools.HttpResponseParser(self)
        self._transport: Any = None
        self._answer: Response | None = None
        self._headers: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        self._status = 0
        self._reusable = False

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes, deadline: float, waiter: asyncio.Future[Response]) -> None:
        """Writes a request; `waiter` gets the answer, Broken or TimeoutError."""
        self.waiter = waiter
        self.deadline = deadline
        self.touched = False
        self._answer = None
        self._status = 0
        if self._headers:
            self._headers = {}
        if self._pieces:
            self._pieces = []
        self._transport.write(request)

    def fail(self, error: Exception) -> None:
        """Ends the connection, and the exchange on it with an error."""
        waiter, self.waiter = self.waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
        self.abort()

    def abort(self) -> None:
        self.waiter = None
        if self._transport is not None:
            self._transport.abort()

    # -- called by the loop ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._client.connections.add(self)

    def data_received(self, data: bytes) -> None:
        waiter = self.waiter
        if waiter is None:  # nobody asked: what comes now could be taken for the next answer
            self.abort()
            return
        self.touched = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self._answer is None:
                self.fail(Broken("the answer is no HTTP"))
                return
            self._reusable = False  # more came than the answer
        answer = self._answer
        if answer is not None:
            self.waiter = None
            if self._reusable:
                self._client.release(self)
            else:
                self.abort()
            if not waiter.done():
                waiter.set_result(answer)

    def eof_received(self) -> None:
        """A body without a length ends where the connection does."""
        waiter = self.waiter
        if waiter is None or waiter.done() or self._status < 200:
            return
        if b"content-length" not in self._headers and b"transfer-encoding" not in self._headers:
            self.waiter = None
            self._whole()
            if self._answer is not None:
                waiter.set_result(self._answer)

    def connection_lost(self, error: Exception | None) -> None:
        self._client.connections.discard(self)
        self._parser = None  # it holds our methods
        waiter, self.waiter = self.waiter, None
        if waiter is not None and not waiter.done():
            where = "in its body" if self._status else "in its head" if self.touched else "before its answer"
            waiter.set_exception(Broken(f"{'closed' if error is None else type(error).__name__} {where}"))

    # -- called by the parser ----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._answer is not None:  # a second answer to one question
            self._reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._answer is None:
            name = name.lower()
            if name in _KEPT:
                self._headers[name] = value

    def on_headers_complete(self) -> None:
        if self._answer is None:
            self._status = self._parser.get_status_code()

    def on_body(self, piece: bytes) -> None:
        if self._answer is None:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        if self._answer is not None:
            return
        if self._status < 200:  # 100 Continue, 103 Early Hints: the answer is still to come
            self._status = 0
            self._headers = {}
            return
        self._reusable = self._parser.should_keep_alive()
        self._whole()

    def _whole(self) -> None:
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        after = None
        headers = self._headers
        if len(headers) > 1 or b"content-length" not in headers:
            after = headers.get(b"retry-after")
            coding = headers.get(b"content-encoding", b"identity").strip().lower()
            if coding in (b"gzip", b"deflate"):  # nobody asked for it, some proxies do it anyway
                try:
                    body = zlib.decompress(body, 47)
                except zlib.error:
                    self.fail(Broken("its body cannot be unpacked"))
                    return
        self._answer = Response(self._status, body, None if after is None else after.decode("latin-1"))


class HttpClient:
    """Connections by origin, reused last in first out, and the watchdog of their deadlines.

    How many requests run at once is the caller's to limit. Belongs to the loop it was opened in.
    """

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self._idle: dict[Origin, list[Connection]] = {}
        self._addresses: dict[Origin, tuple[float, list[Any]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._every = 1.0

    def open(self, every: float) -> None:
        """Starts the watchdog, which looks for expired deadlines every so many seconds."""
        self._loop = asyncio.get_running_loop()
        self._every = every
        self._tick()

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for connection in list(self.connections):
            connection.fail(Broken("the client was closed"))
        for _ in range(10):  # transports end in the loop's next turns
            if not self.connections:
                break
            await asyncio.sleep(0)
        self._idle.clear()

    async def post(self, origin: Origin, request: bytes, seconds: float) -> Response:
        """Sends a request, head and body, and reads the answer.

        A kept connection that ends without a byte of an answer was closed while idle, as servers do: the request is
        sent once more, on a new one.

        Raises:
            CannotConnect, BadCertificate: nothing was sent.
            TimeoutError: no whole answer within `seconds`.
            Broken: the connection ended before the answer did.
        """
        loop = self._loop
        assert loop is not None, "the client is not open"
        deadline = loop.time() + seconds
        connection = self._kept(origin, loop)
        reused = connection is not None
        while True:
            if connection is None:
                connection = await self._connect(origin, deadline, loop)
            waiter: asyncio.Future[Response] = loop.create_future()
            connection.send(request, deadline, waiter)
            try:
                return await waiter
            except Broken:
                if not reused or connection.touched:
                    raise
                connection, reused = None, False
            except asyncio.CancelledError:
                if connection.waiter is waiter:
                    connection.abort()
                raise

    def release(self, connection: Connection) -> None:
        """Keeps a connection for the next request."""
        loop = self._loop
        assert loop is not None
        connection.idle_since = loop.time()
        try:
            self._idle[connection.origin].append(connection)
        except KeyError:
            self._idle[connection.origin] = [connection]

    def _kept(self, origin: Origin, loop: asyncio.AbstractEventLoop) -> Connection | None:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.usable:
                if connection.idle_since + KEEP_ALIVE > loop.time():
                    return connection
                connection.abort()
        return None

    async def _connect(self, origin: Origin, deadline: float, loop: asyncio.AbstractEventLoop) -> Connection:
        name = origin.host if origin.tls is not None else None
        failure: OSError | None = None
        try:
            async with asyncio.timeout_at(min(deadline, loop.time() + CONNECT_SECONDS)):
                for address in await self._resolve(origin, loop):
                    try:
                        _, connection = await loop.create_connection(
                            lambda: Connection(self, origin), *address, ssl=origin.tls, server_hostname=name
                        )
                        return connection
                    except ssl.SSLCertVerificationError:
                        raise BadCertificate from None
                    except OSError as error:
                        failure = error
        except TimeoutError:
            if loop.time() >= deadline:
                raise
            raise CannotConnect("no answer") from None
        except OSError as error:  # its name is not known
            failure = error
        self._addresses.pop(origin, None)
        raise CannotConnect(type(failure).__name__) from None

    async def _resolve(self, origin: Origin, loop: asyncio.AbstractEventLoop) -> list[Any]:
        """Host and port to try, in order; kept for a while: some servers close after every answer."""
        known = self._addresses.get(origin)
        if known is not None and known[0] > loop.time():
            return known[1]
        found = await loop.getaddrinfo(origin.host, origin.port, type=1)  # SOCK_STREAM
        addresses = list(dict.fromkeys(entry[4][:2] for entry in found))
        self._addresses[origin] = (loop.time() + _ADDRESS_SECONDS, addresses)
        return addresses

    def _tick(self) -> None:
        loop = self._loop
        assert loop is not None
        now = loop.time()
        stale = now - KEEP_ALIVE
        for connection in list(self.connections):
            if connection.waiter is not None and connection.deadline <= now:
                connection.fail(TimeoutError())
        for idle in self._idle.values():
            fresh = [connection for connection in idle if connection.usable and connection.idle_since > stale]
            if len(fresh) < len(idle):
                for connection in set(idle).difference(fresh):
                    connection.abort()
                idle[:] = fresh
        self._watch = loop.call_later(self._every, self._tick)
