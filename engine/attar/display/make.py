"""Chooses the display for a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, TextIO

Mode = Literal["auto", "live", "plain", "json", "quiet"]
OnEvent = Callable[[Mapping[str, Any]], None]


def make_display(mode: Mode, stream: TextIO) -> OnEvent:
    """The function that a run calls with every event.

    Args:
        mode: "live" redraws a table (for a terminal), "plain" prints lines, "json" prints one event a line, "quiet"
            prints notices alone; "auto" is "live" on a terminal and "plain" elsewhere.
        stream: where to write.
    """
    if mode == "auto":
        mode = "live" if stream.isatty() else "plain"
    if mode == "json":
        return _json_lines(stream)
    if mode == "quiet":
        return _notices(stream)
    if mode == "plain":
        from attar.display.plain import PlainDisplay

        return PlainDisplay(stream)
    from attar.display.live import LiveDisplay

    return LiveDisplay(stream)


def _json_lines(stream: TextIO) -> OnEvent:
    def on_event(event: Mapping[str, Any]) -> None:
        stream.write(json.dumps(event, ensure_ascii=False, default=str) + "\n")
        stream.flush()

    return on_event


def _notices(stream: TextIO) -> OnEvent:
    def on_event(event: Mapping[str, Any]) -> None:
        if event["type"] == "notice":
            stream.write(f"{event['text']}\n")
            stream.flush()

    return on_event
