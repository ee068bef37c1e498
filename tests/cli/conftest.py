"""What the tests of the command line share: recorded texts, and commands run in this process."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

GOLDEN = Path(__file__).parent.parent / "golden" / "cli"
DURATION = re.compile(r"\b\d+(\.\d+)? s\b|\b\d+ min \d\d s\b")


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def attar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Runs `attar ARGS` in this process, away from any model server of the environment."""
    from attar.cli import endings
    from attar.cli.entry import run_command

    monkeypatch.setattr(endings, "scene", endings.Scene())
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("ATTAR_BASE_URL", "OPENAI_BASE_URL", "ATTAR_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def run(*args: object) -> Done:
        capsys.readouterr()
        code = run_command([str(arg) for arg in args])
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return run


@pytest.fixture
def recorded() -> Callable[[str, str], None]:
    """Compares a text with the recorded one; with UPDATE_GOLDEN=1 in the environment it is recorded anew."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        scrubbed = DURATION.sub("# s", text)
        if os.environ.get("UPDATE_GOLDEN") == "1":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(scrubbed, encoding="utf-8")
        assert scrubbed == path.read_text(encoding="utf-8")

    return compare
