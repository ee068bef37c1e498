"""Plain lines for logs and pipes: a few seconds apart at most, and one at every stage's end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from attar.display.words import counted, duration, shorten

EVERY_SECONDS = 5.0
STILL_SECONDS = 60.0
"""How far apart progress lines are while nothing moves: a sign of life, no more."""


class PlainDisplay:
    """Prints a line when a run starts, when a stage starts and ends, for notices, and progress every few seconds; once
    a minute where no count has changed since."""

    def __init__(
        self, stream: TextIO, every: float = EVERY_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._every = every
        self._clock = clock
        self._last = clock()
        self._stages = 0
        self._said = ""

    def __call__(self, event: Mapping[str, Any]) -> None:
        handler = getattr(self, f"_{event['type']}", None)
        if handler is not None:
            handler(event)

    def _say(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    def _run_started(self, event: Mapping[str, Any]) -> None:
        stages = event.get("stages", ())
        self._stages = len(stages)
        reused = sum(bool(stage.get("reused")) for stage in stages)
        also = f", {reused} reused" if reused else ""
        self._say(f"{event['recipe']}: run {event['run']} in {event['path']}, {counted(len(stages), 'stage')}{also}")
        for line in backend_lines(event):
            self._say(line)

    def _stage_started(self, event: Mapping[str, Any]) -> None:
        total = event.get("total")
        rows = f", {total:,} rows" if total is not None else ""
        self._say(f"stage {event['index'] + 1} of {self._stages}: {shorten(' > '.join(event['steps']), 100)}{rows}")
        self._last = self._clock()
        self._said = ""

    def _progress(self, event: Mapping[str, Any]) -> None:
        now = self._clock()
        if now - self._last < self._every:
            return
        # Speed and time to go change with the clock alone: they are no news.
        counts = progress_line({**event, "tokens_per_second": None, "eta_seconds": None}, self._stages)
        if counts == self._said and now - self._last < STILL_SECONDS:
            return
        self._last = now
        self._said = counts
        self._say(progress_line(event, self._stages))

    def _stage_finished(self, event: Mapping[str, Any]) -> None:
        how = "reused" if event.get("reused") else f"done in {duration(event.get('seconds'))}"
        self._say(f"stage {event['index'] + 1} of {self._stages}: {how}, {event.get('rows') or 0:,} rows")

    def _notice(self, event: Mapping[str, Any]) -> None:
        self._say(str(event["text"]))


def backend_lines(event: Mapping[str, Any]) -> list[str]:
    """One line per model: what answers for it, and why that was chosen."""
    lines = []
    for model, served in event.get("backends", {}).items():
        why = f" ({served['why']})" if served.get("why") else ""
        lines.append(f"model {model}: {served.get('backend')}{why}")
    return lines


def progress_line(event: Mapping[str, Any], stages: int) -> str:
    """Where a stage stands, in one line."""
    total = event.get("total")
    steps = event.get("steps", {}).values()

    def sum_of(name: str) -> int:
        return sum(counts.get(name, 0) for counts in steps)

    parts = [f"{event.get('done', 0):,}{f' of {total:,}' if total is not None else ''} rows"]
    parts += [f"{sum_of(name):,} {name}" for name in ("rejected", "retried", "review", "dead") if sum_of(name)]
    if event.get("in_flight") or event.get("requests"):
        parts.append(f"{event.get('in_flight', 0):,} in flight")
    if event.get("tokens_per_second"):
        parts.append(f"{event['tokens_per_second']:,.0f} tokens/s")
    if event.get("eta_seconds") is not None:
        parts.append(f"{duration(event['eta_seconds'])} to go")
    return f"stage {event['stage'] + 1} of {stages}: " + ", ".join(parts)
