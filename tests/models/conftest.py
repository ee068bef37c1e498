"""A real stand-in server in a process of its own, and a client with little patience."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from attar.models import Call, Meter, ModelClient, RetryPolicy, resolve
from attar.recipe.language import ModelSpec
from attar.testing import Settings, StandInServer

QUICK = RetryPolicy(tries=6, first=0.01, longest=0.05, longest_after=1.0, timeout=5.0, dead_after=30.0)


class MemoryJournal:
    """Remembers what was put, and in which order."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.kinds: dict[str, str] = {}

    def get(self, key: str) -> Any | None:
        return self.values.get(key)

    def put(self, key: str, kind: str, value: Any) -> None:
        self.values[key] = value
        self.kinds[key] = kind


@pytest.fixture(scope="session")
def shared_server() -> Iterator[StandInServer]:
    with StandInServer.start() as server:
        yield server


@pytest.fixture
def server(shared_server: StandInServer) -> StandInServer:
    """The session's server as new: default settings, counters at zero."""
    shared_server.configure(**Settings().model_dump())
    shared_server.reset()
    return shared_server


class Asked:
    """A client and what it works with."""

    def __init__(self, client: ModelClient, journal: MemoryJournal, meter: Meter) -> None:
        self.client = client
        self.journal = journal
        self.meter = meter

    async def chat(self, text: str = "hello", seed: int = 1, model: str = "m", attempts: int = 2, **more: Any) -> Any:
        call = Call(
            "chat", model, "step", "row", more.pop("priority", 0), messages=[{"role": "user", "content": text}], **more
        )
        return await self.client.chat(call, lambda k: seed + 1000 * k, attempts)


@asynccontextmanager
async def _open(
    url: str | None,
    *,
    policy: RetryPolicy = QUICK,
    specs: Mapping[str, ModelSpec] | None = None,
    journal: MemoryJournal | None = None,
    env: Mapping[str, str] | None = None,
    backend: str | None = None,
    notice: Callable[[str], None] | None = None,
    **spec: Any,
) -> AsyncIterator[Asked]:
    known = dict(env or {})
    if url is not None:
        known.setdefault("ATTAR_BASE_URL", url)
    models = dict(specs or {"m": ModelSpec(model="tiny", **spec)})
    served = resolve(models, set(models), backend or ("endpoint" if url else "rehearsal"), known)
    memory, meter = journal if journal is not None else MemoryJournal(), Meter()
    async with ModelClient(served, memory, meter, policy=policy, env=known, notice=notice) as client:
        yield Asked(client, memory, meter)


@pytest.fixture
def ask() -> Callable[..., Any]:
    """Runs an async test body with a client: `ask(url, body, **options)`."""

    def run(url: str | None, body: Callable[[Asked], Any], **options: Any) -> Any:
        async def go() -> Any:
            async with _open(url, **options) as asked:
                return await body(asked)

        return asyncio.run(go())

    return run


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate and its key, in one PEM file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 2 -subj /CN=stand-in"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True
    )
    both = folder / "both.pem"
    both.write_text((folder / "k.pem").read_text() + (folder / "c.pem").read_text())
    return both
