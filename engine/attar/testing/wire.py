"""A small HTTP/1.1 server protocol: keep-alive, Content-Length bodies, one request at a time per connection.

Hand-written because the stand-in must cost far less than the client it measures; it never faces anything but tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Request:
    """One request, and the connection to answer on. `gone` is called if the client leaves before the answer."""

    __slots__ = ("body", "connection", "gone", "head", "method", "path", "state")

    def __init__(self, connection: Connection, method: str, path: str, head: bytes, body: bytes) -> None:
        self.connection = connection
        self.method = method
        self.path = path
        self.head = head
        self.body = body
        self.gone: Callable[[Request], None] | None = None
        self.state: Any = None

    def header(self, name: bytes) -> str:
        """A header's value, or "". `name` in lower case."""
        at = self.head.lower().find(b"\r\n" + name + b":")
        if at < 0:
            return ""
        start = at + len(name) + 3
        end = self.head.find(b"\r\n", start)
        return self.head[start : end if end >= 0 else None].strip().decode("latin-1")

    def reply(self, body: bytes, status: int = 200, headers: str = "") -> None:
        """Sends an answer; nothing happens where the client has gone."""
        self.connection.answer(full(body, status, headers))

    def cut(self, sent: bytes = b"") -> None:
        """Sends some bytes, then breaks the connection."""
        self.connection.cut(sent)


def full(body: bytes, status: int = 200, headers: str = "") -> bytes:
    """The bytes of a whole response."""
    if status == 200 and not headers:
        return _OK % len(body) + body
    head = f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body


class Connection(asyncio.Protocol):
    """One client connection."""

    def __init__(self, handle: Callable[[Request], None], opened: Callable[[], None]) -> None:
        self._handle = handle
        self._opened = opened
        self._buffer = b""
        self._busy: Request | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        self._opened()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        request, self._busy = self._busy, None
        if request is not None and request.gone is not None:
            request.gone(request)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if self._busy is None:
            self._next()

    def _next(self) -> None:
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = buffer[:end]
        lower = head.lower()
        at = lower.find(b"\r\ncontent-length:")
        size = 0
        if at >= 0:
            stop = lower.find(b"\r\n", at + 17)
            size = int(lower[at + 17 : stop if stop >= 0 else None])
        elif b"\r\ntransfer-encoding:" in lower:
            self.cut(full(b'{"error":{"message":"send Content-Length"}}', 411))
            return
        if len(buffer) < end + 4 + size:
            if b"\r\nexpect: 100-continue" in lower and len(buffer) == end + 4 and self.transport is not None:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        method, path, _ = head[: head.find(b"\r\n")].decode("latin-1").split(" ", 2)
        request = Request(self, method, path.partition("?")[0], head, buffer[end + 4 : end + 4 + size])
        self._buffer = buffer[end + 4 + size :]
        self._busy = request
        self._handle(request)

    def answer(self, data: bytes) -> None:
        self._busy = None
        if self.transport is not None:
            self.transport.write(data)
            if self._buffer:
                self._next()

    def cut(self, sent: bytes) -> None:
        self._busy = None
        transport, self.transport = self.transport, None
        if transport is not None:
            if sent:
                transport.write(sent)
                transport.close()
            else:
                transport.abort()
