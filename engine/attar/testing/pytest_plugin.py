"""Fixtures for plugins' tests: `pytest_plugins = ["attar.testing.pytest_plugin"]` in conftest.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from attar.testing.fakes import FakeContext
from attar.testing.stand_in import StandInServer


@pytest.fixture
def stand_in() -> Iterator[Callable[..., StandInServer]]:
    """Starts stand-in servers (`stand_in(responder="schema")`); they end with the test."""
    started: list[StandInServer] = []

    def start(**settings: Any) -> StandInServer:
        server = StandInServer.start(**settings)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def fake_context() -> Iterator[Callable[..., FakeContext]]:
    """Makes FakeContexts (`fake_context(["an answer"])`); their folders go with the test."""
    made: list[FakeContext] = []

    def make(answers: Any = None, **options: Any) -> FakeContext:
        context = FakeContext(answers, **options)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()
