"""Runs attar as a user does, in processes of its own, and looks at what it left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq

MARK = "ATTAR_TEST_MARK"
TESTS = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-c", "from attar.cli import main; main()"]


class Attar:
    """attar against one stand-in server, with its runs in one folder. Every process it starts carries a mark."""

    def __init__(self, folder: Path, url: str | None, **env: str) -> None:
        self.folder = folder
        self.runs = folder / "runs"
        self.mark = uuid.uuid4().hex
        self.env = {**os.environ, MARK: self.mark, "PYTHONPATH": str(TESTS), "OPENAI_API_KEY": "sk-of-the-test", **env}
        for name in ("ATTAR_BASE_URL", "OPENAI_BASE_URL"):
            self.env.pop(name, None)
        if url is not None:
            self.env["ATTAR_BASE_URL"] = url

    def start(self, *words: str | Path, **options: Any) -> subprocess.Popen[str]:
        """Starts `attar WORDS` in a session of its own."""
        return subprocess.Popen(
            [*COMMAND, *map(str, words)],
            cwd=self.folder,
            env=self.env,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            **options,
        )

    def __call__(self, *words: str | Path, expect: int | Sequence[int] | None = 0) -> subprocess.CompletedProcess[str]:
        """Runs `attar WORDS` to its end and demands its exit code."""
        process = self.start(*words)
        out, err = process.communicate(timeout=170)
        wanted = (expect,) if isinstance(expect, int) else expect
        if wanted is not None and process.returncode not in wanted:
            raise AssertionError(f"attar {words} ended with {process.returncode}, not {wanted}\n{out}\n{err}")
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def processes(self) -> list[psutil.Process]:
        """Processes that carry this object's mark and still run."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == self.mark:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found


def run_folder(runs: Path, recipe: str) -> Path:
    """The folder of a recipe's latest run."""
    home = runs / recipe
    return home / (home / "latest").read_text().strip()


def results(runs: Path, recipe: str) -> dict[str, Any]:
    """results.json of a recipe's latest run."""
    loaded: dict[str, Any] = json.loads((run_folder(runs, recipe) / "results.json").read_text())
    return loaded


def table(folder: Path) -> list[dict[str, Any]]:
    """All rows of a folder of parquet parts, in order."""
    rows: list[dict[str, Any]] = []
    for part in sorted(folder.glob("*.parquet")):
        rows += pq.ParquetFile(part).read().to_pylist()
    return rows


def left(folder: Path) -> Mapping[str, Any]:
    """What a run left, for comparing: data, outcomes and provenance, row by row in order."""
    return {name: table(folder / name) for name in ("dataset", "rejected", "review", "dead_letter", "provenance")}
