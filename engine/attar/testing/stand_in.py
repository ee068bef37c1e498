"""Starts the stand-in server as a child process, so that it has its own core and a test can be killed beside it."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from attar.testing.settings import Settings


class StandInServer:
    """A running stand-in server. Use `StandInServer.start(...)`, `with` it or call `stop()`."""

    def __init__(self, process: subprocess.Popen[str], port: int, tls: Path | None = None) -> None:
        self._process = process
        self._tls = tls
        self.port = port
        self.root = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}"

    @classmethod
    def start(cls, *, port: int = 0, tls: Path | None = None, **settings: Any) -> Self:
        """Starts a server with these settings (see attar.testing.settings.Settings) and waits until it listens.

        Args:
            port: 0 takes a free one.
            tls: PEM file with key and certificate: HTTPS instead of HTTP.
            settings: `responder="module:function"` is imported in the server's process: keep it on PYTHONPATH.

        Raises:
            pydantic.ValidationError: a setting is unknown or out of range.
            RuntimeError: the server did not start; its own message is on stderr.
        """
        checked = Settings.model_validate(settings).model_dump_json(exclude_defaults=True)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "attar.testing.server", "--die-with-parent"),
                *("--port", str(port), "--settings", checked),
                *(() if tls is None else ("--tls", str(tls))),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        process.stdout.close()
        if not line:
            raise RuntimeError(f"the stand-in server ended with {process.wait()} before it listened")
        return cls(process, int(line), tls)

    @property
    def url(self) -> str:
        """Base URL with `/v1`, as clients take it."""
        return f"{self.root}/v1"

    @property
    def pid(self) -> int:
        return self._process.pid

    def stats(self) -> dict[str, Any]:
        """The counters; see Counts.stats."""
        stats: dict[str, Any] = self._call("stats")
        return stats

    def keys(self) -> dict[str, dict[str, int]]:
        """`tries` and `answered` by request key."""
        keys: dict[str, dict[str, int]] = self._call("keys")
        return keys

    def reset(self) -> None:
        """Sets all counters to zero; keys are forgotten."""
        self._call("reset", {})

    def configure(self, **settings: Any) -> None:
        """Changes settings while it runs.

        Raises:
            ValueError: a setting is unknown or out of range.
        """
        self._call("config", settings)

    reconfigure = configure

    def recover(self) -> None:
        """No more faults of any kind."""
        self.configure(faults={}, fail_first_requests=0, fail_first_tries=0)

    def stop(self) -> None:
        """Ends the process; safe to call twice."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _call(self, what: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.root}/admin/{what}", data, {"Content-Type": "application/json"})
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self._tls is not None:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self._tls))))
        opener = urllib.request.build_opener(*handlers)
        try:
            with opener.open(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(json.load(error)["error"]["message"]) from None
