"""A stand-in server with random latency for the recipe that has everything that can be interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.runs import TESTS, Attar

from attar.testing.stand_in import StandInServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInServer]:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    with StandInServer.start(responder="support.responders:faults", latency=0.05) as running:
        yield running


@pytest.fixture
def attar(tmp_path: Path, server: StandInServer) -> Attar:
    return Attar(tmp_path, server.url)
