"""A lean pooled HTTP/1.1 client for one kind of exchange: a POST written at once, its answer read whole.

aiohttp costs 0.15 ms of CPU per call, several times all else the engine does for one; here a request is one write to a
kept connection and one future that the parser's callbacks settle. No redirects, cookies, proxies or compression: the
few who sit behind a proxy go by `proxied.py`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

from attar.models.connection import BadCertificate, Broken, CannotConnect, Connection, Origin, Response

# vLLM and uvicorn close a connection that was idle for 5 seconds: ours must be gone before, or requests are lost to it.
KEEP_ALIVE = 4.0
CONNECT_SECONDS = 30.0
_NEXT_SECONDS = 2.0
_ADDRESS_SECONDS = 300.0


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
            if connection.waiter is not None:
                connection.waiter.cancel()
            connection.abort()
        for _ in range(10):  # transports end in the loop's next turns
            if not self.connections:
                break
            await asyncio.sleep(0)
        self._idle.clear()
        self._loop = None

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
                addresses = await self._resolve(origin, loop)
                for address in addresses:
                    # One that swallows packets (IPv6 on many a network) must not stand before one that answers.
                    patience = None if address == addresses[-1] else _NEXT_SECONDS
                    try:
                        async with asyncio.timeout(patience):
                            _, connection = await loop.create_connection(
                                lambda: Connection(self, origin), *address, ssl=origin.tls, server_hostname=name
                            )
                        self._prefer(origin, address)
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
        found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(entry[4][:2] for entry in found))
        self._addresses[origin] = (loop.time() + _ADDRESS_SECONDS, addresses)
        return addresses

    def _prefer(self, origin: Origin, address: Any) -> None:
        """Tries the address that answered first from now on."""
        known = self._addresses.get(origin)
        if known is not None and known[1][0] != address:
            rest = [other for other in known[1] if other != address]
            self._addresses[origin] = (known[0], [address, *rest])

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
