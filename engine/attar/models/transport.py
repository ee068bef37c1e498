"""One server, one pooled session: sends a body, tries again where that can help, and says what became of it.

The hot path is a plain aiohttp call and little else. Time-outs are kept by one watchdog per session instead of a
timer per request.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import urllib.request
from collections.abc import Callable
from typing import Any, NamedTuple

import aiohttp
import orjson
from multidict import CIMultiDict
from yarl import URL

from attar.api import RowError
from attar.models.calls import Stop
from attar.models.limiter import Limiter
from attar.models.meter import Usage
from attar.models.policy import RetryPolicy, retry_after
from attar.models.secrets import Scrubber

_TRY_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_TOO_LONG = (
    "context length",
    "context_length",
    "maximum context",
    "too many tokens",
    "max_model_len",
    "input is too long",
)
_QUIET = aiohttp.ClientTimeout(total=None, connect=None, sock_read=None, sock_connect=30)
# vLLM and uvicorn close a connection that was idle for 5 seconds: ours must be gone before, or requests are lost to it.
KEEP_ALIVE = 4.0


class Refused(NamedTuple):
    """The server's permanent no to one request: `code` is a RowError code."""

    code: str
    detail: str


class _Failed(NamedTuple):
    """A try that came to nothing and may succeed later."""

    what: str
    after: float | None = None
    status: int = 0
    reached: bool = True


class Route(NamedTuple):
    """How a server is reached: all that is the same for every request to one path."""

    url: URL
    tls: ssl.SSLContext | bool
    proxy: URL | None
    seconds: float


def proxy_for(url: URL) -> URL | None:
    """The proxy the environment names for a URL (HTTPS_PROXY, NO_PROXY and so on), or None."""
    found = urllib.request.getproxies().get(url.scheme)
    if not found or urllib.request.proxy_bypass(url.host or ""):
        return None
    return URL(found)


class Pool:
    """The process's one aiohttp session, and the watchdog of its time-outs."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._session: aiohttp.ClientSession | None = None
        self._deadlines: dict[asyncio.Task[Any], float] = {}
        self._expired: set[asyncio.Task[Any]] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shortest = 1.0
        self.halted = asyncio.Event()

    def open(self, shortest_timeout: float) -> None:
        self._shortest = min(max(shortest_timeout / 20, 0.01), 1.0)
        connector = aiohttp.TCPConnector(
            limit=self._limit, limit_per_host=0, keepalive_timeout=KEEP_ALIVE, ttl_dns_cache=300
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=_QUIET,
            trust_env=False,  # it would start a thread per request to look for proxies: see Route
            auto_decompress=True,
            cookie_jar=aiohttp.DummyCookieJar(),
            raise_for_status=False,
        )
        self._loop = asyncio.get_running_loop()
        self._tick()

    async def pause(self, seconds: float) -> None:
        """Sleeps between two tries.

        Raises:
            asyncio.CancelledError: the client was halted.
        """
        try:
            await asyncio.wait_for(self.halted.wait(), seconds)
        except TimeoutError:
            return
        raise asyncio.CancelledError("halted")

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _tick(self) -> None:
        loop = self._loop
        assert loop is not None
        now = loop.time()
        for task, deadline in list(self._deadlines.items()):
            if deadline <= now and task not in self._expired:
                self._expired.add(task)
                task.cancel()
        self._watch = loop.call_later(self._shortest, self._tick)

    async def post(self, route: Route, data: bytes, headers: Any) -> tuple[int, bytes, Any]:
        """One POST: status, body and headers.

        Raises:
            TimeoutError: no whole answer within the route's seconds.
            aiohttp.ClientError, OSError: the connection broke or could not be made.
        """
        session, loop = self._session, self._loop
        assert session is not None, "the client is not open"
        assert loop is not None
        task = asyncio.current_task()
        assert task is not None
        # A row's task has one request in flight at most, so the task itself can stand for it.
        self._deadlines[task] = loop.time() + route.seconds
        try:
            async with session.post(
                route.url, data=data, headers=headers, ssl=route.tls, proxy=route.proxy
            ) as response:
                return response.status, await response.read(), response.headers
        except asyncio.CancelledError:
            if task in self._expired and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            del self._deadlines[task]
            self._expired.discard(task)


class Server:
    """What all models on one server share: its address, its limit, and whether it lives."""

    def __init__(
        self,
        name: str,
        pool: Pool,
        policy: RetryPolicy,
        most: int,
        scrub: Scrubber,
        notice: Callable[[str], None] | None,
    ) -> None:
        self.name = name
        self.limiter = Limiter(most)
        self._pool = pool
        self._policy = policy
        self._scrub = scrub
        self._notice = notice
        self._failing_since: float | None = None
        self._stop: Stop | None = None
        self._told = False

    async def ask(
        self,
        route: Route,
        data: bytes,
        headers: CIMultiDict[str],
        priority: int,
        usage: Usage,
        read: Callable[[Any], Any],
    ) -> Any:
        """The server's answer as `read` makes it, or Refused.

        `read` turns the parsed body into a value; a KeyError, TypeError, IndexError or ValueError from it counts as a
        broken body.

        Raises:
            RowError: `transport`, all tries failed.
            Stop: credentials refused, unknown model, or the server is dead.
        """
        limiter = self.limiter
        failures = timeouts = 0
        while True:
            if self._stop is not None:
                raise self._stop
            if self._pool.halted.is_set():
                raise asyncio.CancelledError("halted")
            if not limiter.try_acquire():
                await limiter.acquire(priority)
            usage.in_flight += 1
            try:
                outcome = await self._try(route, data, headers, read)
            finally:
                usage.in_flight -= 1
                limiter.release()
            if type(outcome) is not _Failed:
                return outcome
            usage.transport_retries += 1
            self._check_alive(outcome)
            if outcome.reached:
                failures += 1
                timeouts += outcome.what == "time-out"
                if failures >= self._policy.tries or timeouts >= self._policy.timeouts:
                    raise RowError("transport", f"{outcome.what}, after {failures} tries")
                await self._pool.pause(self._policy.wait(failures, outcome.after))
            else:
                # Nobody is there: waiting for the server costs nothing, and a try is not used up.
                await self._pool.pause(self._policy.wait(4, None))

    async def _try(
        self,
        route: Route,
        data: bytes,
        headers: CIMultiDict[str],
        read: Callable[[Any], Any],
    ) -> Any:
        try:
            status, raw, got = await self._pool.post(route, data, headers)
        except aiohttp.ConnectionTimeoutError:
            return _Failed("cannot connect (no answer)", reached=False)
        except TimeoutError:
            return _Failed("time-out")
        except aiohttp.ClientConnectorCertificateError:
            self._stop = Stop(
                "E605",
                f"the certificate of {self.name} cannot be verified",
                "set endpoint.ca_file, or endpoint.verify_tls: false where that is acceptable",
            )
            return _Failed("the certificate cannot be verified")
        except aiohttp.ClientConnectorError as error:
            return _Failed(f"cannot connect ({type(error.os_error).__name__})", reached=False)
        except aiohttp.InvalidURL:
            self._stop = Stop("E605", f"the address of {self.name} is no URL", "check the recipe's endpoint.url")
            return _Failed("no URL")
        except (aiohttp.ClientError, OSError) as error:
            return _Failed(f"connection broken ({type(error).__name__})")
        if status == 200:
            try:
                value = read(orjson.loads(raw))
            except (orjson.JSONDecodeError, KeyError, TypeError, IndexError, ValueError):
                return _Failed("the server's body could not be read", status=200)
            self._failing_since = None
            if self.limiter.limit < self.limiter.most:
                self.limiter.speed_up()
            return value
        return self._status(status, raw, got)

    def _status(self, status: int, raw: bytes, headers: Any) -> Any:
        if status in _TRY_AGAIN or status >= 500:
            if status == 429:
                self._failing_since = None  # busy is not dead
                self.limiter.slow_down()
            return _Failed(f"HTTP {status}", retry_after(headers.get("Retry-After")), status)
        self._failing_since = None
        message = self._scrub(message_of(raw))
        if status in (401, 403):
            self._stop = Stop(
                "E601",
                f"{self.name} refused the credentials (HTTP {status}): {message}",
                "set the key the server expects (ATTAR_API_KEY or the model's endpoint.key) and run again",
            )
            raise self._stop
        if status in (404, 405) and not _names_body(message):
            if "model" in message.lower():
                self._stop = Stop(
                    "E602",
                    f"{self.name} does not serve this model: {message}",
                    "set the model's `model:` to a name the server lists, and run again",
                )
            else:
                self._stop = Stop(
                    "E603",
                    f"{self.name} knows no such path (HTTP {status}): {message}",
                    "check the base URL; it usually ends in /v1",
                )
            raise self._stop
        low = message.lower()
        return Refused("too_long" if any(mark in low for mark in _TOO_LONG) else "refused", f"HTTP {status}: {message}")

    def _check_alive(self, outcome: _Failed) -> None:
        """Stops everything once the server has given no answer at all for `dead_after` seconds."""
        if self._stop is not None:
            raise self._stop
        if outcome.status in (200, 429):
            return
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        dead_after = self._policy.dead_after
        if now - self._failing_since >= dead_after:
            self._stop = Stop(
                "E606",
                f"{self.name} has not answered for {dead_after:.0f} seconds ({outcome.what})",
                "see that it runs and can be reached from here, then run again: everything answered is kept",
            )
            raise self._stop
        if not outcome.reached and not self._told and self._notice is not None:
            self._told = True
            self._notice(f"{self.name} cannot be reached ({outcome.what}); trying for {dead_after:.0f} s")


def message_of(raw: bytes) -> str:
    """The message in an error body, in the shapes servers use; at most 500 characters."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw.decode("utf-8", "replace").strip()[:500]
    for name in ("error", "message", "detail"):
        if isinstance(body, dict) and body.get(name):
            body = body[name]
    return (body if isinstance(body, str) else orjson.dumps(body).decode())[:500]


def _names_body(message: str) -> bool:
    """Whether a 404 speaks of something inside the request (a missing file or image) and not of path or model."""
    low = message.lower()
    return "not found" in low and any(word in low for word in ("image", "file", "tool", "adapter file"))
