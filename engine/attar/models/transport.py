"""One server: sends a body, tries again where that can help, and says what became of it."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from attar.api import RowError
from attar.models.calls import Stop
from attar.models.connection import BadCertificate, Broken, CannotConnect, Origin, Response
from attar.models.http import HttpClient
from attar.models.limiter import Limiter
from attar.models.meter import Usage
from attar.models.policy import RetryPolicy, retry_after
from attar.models.secrets import Scrubber

if TYPE_CHECKING:
    from attar.models.proxied import ProxiedClient

_TRY_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_TOO_LONG = (
    "context length",
    "context_length",
    "maximum context",
    "too many tokens",
    "max_model_len",
    "input is too long",
)


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
    """How a server is reached: all that is the same for every request to one path.

    `head` is the request's head up to the value of X-Request-Id, its last header but Content-Length; `url` and
    `headers` are for requests through a proxy.
    """

    origin: Origin
    head: bytes
    seconds: float
    url: str
    proxy: str | None
    headers: Mapping[str, str]


def proxy_for(url: str) -> str | None:
    """The proxy the environment names for a URL (HTTPS_PROXY, NO_PROXY and so on), or None."""
    parts = urlsplit(url)
    found = urllib.request.getproxies().get(parts.scheme)
    if not found or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return found


class Pool:
    """The process's connections, and whether they may be used."""

    def __init__(self) -> None:
        self.http = HttpClient()
        self.halted = asyncio.Event()
        self._proxied: ProxiedClient | None = None

    def open(self, shortest_timeout: float) -> None:
        self.http.open(min(max(shortest_timeout / 20, 0.01), 1.0))

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
        await self.http.close()
        if self._proxied is not None:
            await self._proxied.close()
            self._proxied = None

    async def post_proxied(self, route: Route, key: str, data: bytes) -> Response:
        """One POST through the route's proxy; fails like HttpClient.post."""
        if self._proxied is None:
            from attar.models.proxied import ProxiedClient

            self._proxied = ProxiedClient()
        assert route.proxy is not None
        headers = {**route.headers, "X-Request-Id": key}
        return await self._proxied.post(route.url, route.proxy, route.origin.tls, headers, data, route.seconds)


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
        key: str,
        priority: int,
        usage: Usage,
        read: Callable[[Any], Any],
    ) -> Any:
        """The server's answer as `read` makes it, or Refused. `key` goes along as X-Request-Id.

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
                outcome = await self._try(route, data, key, read)
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
        key: str,
        read: Callable[[Any], Any],
    ) -> Any:
        try:
            if route.proxy is None:
                request = b"%b%b\r\nContent-Length: %d\r\n\r\n%b" % (route.head, key.encode(), len(data), data)
                status, raw, after = await self._pool.http.post(route.origin, request, route.seconds)
            else:
                status, raw, after = await self._pool.post_proxied(route, key, data)
        except TimeoutError:
            return _Failed("time-out")
        except CannotConnect as error:
            return _Failed(f"cannot connect ({error})", reached=False)
        except Broken as error:
            return _Failed(f"connection broken ({error})")
        except BadCertificate:
            self._stop = Stop(
                "E605",
                f"the certificate of {self.name} cannot be verified",
                "set endpoint.ca_file, or endpoint.verify_tls: false where that is acceptable",
            )
            return _Failed("the certificate cannot be verified")
        if status == 200:
            try:
                value = read(orjson.loads(raw))
            except (orjson.JSONDecodeError, KeyError, TypeError, IndexError, ValueError):
                return _Failed("the server's body could not be read", status=200)
            self._failing_since = None
            if self.limiter.limit < self.limiter.most:
                self.limiter.speed_up()
            return value
        return self._status(status, raw, after)

    def _status(self, status: int, raw: bytes, after: str | None) -> Any:
        if status in _TRY_AGAIN or status >= 500:
            if status == 429:
                self._failing_since = None  # busy is not dead
                self.limiter.slow_down()
            return _Failed(f"HTTP {status}", retry_after(after), status)
        self._failing_since = None
        message = self._scrub(message_of(raw))
        if 300 <= status < 400:
            self._stop = Stop(
                "E603",
                f"{self.name} redirects to another address (HTTP {status})",
                "set the base URL to the address the server is found at",
            )
            raise self._stop
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
