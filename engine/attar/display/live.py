"""The live table on a terminal. Redrawn only from events (no thread), so that forked workers inherit nothing odd."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from attar.display.plain import backend_lines
from attar.display.words import counted, duration, shorten

REDRAW_SECONDS = 0.2
COUNTS = ("in", "accepted", "rejected", "retried", "review", "dead")
STYLES = {"accepted": "green", "rejected": "yellow", "retried": "cyan", "review": "magenta", "dead": "red"}


class LiveDisplay:
    """One table for the run: steps of the stage at hand with their counts, and a line of speed below."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream)
        self._live: Live | None = None
        self._stages = 0
        self._last = 0.0
        self._steps: dict[str, Mapping[str, int]] = {}
        self._status = ""
        # Progress comes from the thread that watches the ranks; a notice may come from a signal handler of this one.
        self._lock = threading.RLock()

    def __call__(self, event: Mapping[str, Any]) -> None:
        handler = getattr(self, f"_{event['type']}", None)
        if handler is not None:
            with self._lock:
                handler(event)

    def _run_started(self, event: Mapping[str, Any]) -> None:
        self._stages = len(event.get("stages", ()))
        self._say(f"{event['recipe']}: run {event['run']} in {event['path']}, {counted(self._stages, 'stage')}")
        for line in backend_lines(event):
            self._say(line)
        self._live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._live.start()

    def _stage_started(self, event: Mapping[str, Any]) -> None:
        self._steps = {step: {} for step in event["steps"]}
        total = event.get("total")
        rows = f" · {total:,} rows" if total is not None else ""
        self._status = f"stage {event['index'] + 1} of {self._stages}{rows}"
        self._draw(force=True)

    def _progress(self, event: Mapping[str, Any]) -> None:
        self._steps.update(event.get("steps", {}))
        self._status = status_line(event, self._stages)
        self._draw()

    def _stage_finished(self, event: Mapping[str, Any]) -> None:
        how = "reused" if event.get("reused") else f"done in {duration(event.get('seconds'))}"
        self._say(f"stage {event['index'] + 1} of {self._stages}: {how}, {event.get('rows') or 0:,} rows")
        self._draw(force=True)

    def _notice(self, event: Mapping[str, Any]) -> None:
        self._say(str(event["text"]))

    def _run_finished(self, event: Mapping[str, Any]) -> None:
        self.close()

    def close(self) -> None:
        """Takes the table away and gives the cursor back; called at the end however the run ends."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _say(self, text: str) -> None:
        self._console.print(Text(text))

    def _draw(self, force: bool = False) -> None:
        now = time.monotonic()
        if self._live is None or (not force and now - self._last < REDRAW_SECONDS):
            return
        self._last = now
        self._live.update(render_table(self._steps, self._status), refresh=True)


def status_line(event: Mapping[str, Any], stages: int) -> str:
    """Stage, rows done, requests in flight, tokens per second and the time to go."""
    total = event.get("total")
    parts = [f"stage {event['stage'] + 1} of {stages}"]
    parts.append(f"{event.get('done', 0):,}{f' of {total:,}' if total is not None else ''} rows")
    parts.append(f"{event.get('in_flight', 0):,} in flight")
    if event.get("journal_hits"):
        parts.append(f"{event['journal_hits']:,} answers from the journal")
    parts.append(f"{event.get('tokens_per_second') or 0:,.0f} tokens/s")
    if event.get("eta_seconds") is not None:
        parts.append(f"{duration(event['eta_seconds'])} to go")
    return " · ".join(parts)


def render_table(steps: Mapping[str, Mapping[str, int]], status: str) -> Group:
    """The table of one moment."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("step")
    for name in COUNTS:
        table.add_column(name, justify="right", min_width=8, style=STYLES.get(name))
    for step, counts in steps.items():
        entering = counts.get("in", 0) or counts.get("made", 0)
        cells = [f"{entering:,}", *(f"{counts.get(name, 0):,}" if counts.get(name) else "·" for name in COUNTS[1:])]
        table.add_row(Text(shorten(step, 40)), *cells)
    return Group(table, Text(status, style="dim"))
