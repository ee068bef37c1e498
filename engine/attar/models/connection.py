"""One HTTP/1.1 connection, and what can come of an exchange on it."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import httptools

if TYPE_CHECKING:
    from attar.models.http import HttpClient

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
