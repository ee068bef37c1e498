"""What the stand-in server counts."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Counts:
    """Requests by key. A key answered in full before and asked again was paid twice."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.requests = 0
        self.repeated = 0
        self.answers = 0
        self.aborted = 0
        self.connections = 0
        self.in_flight = 0
        self.max_in_flight = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.first: float | None = None
        self.last: float | None = None
        self.models: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._tries: dict[str, int] = {}
        self._answered: dict[str, int] = {}

    def opened(self) -> None:
        self.connections += 1

    def arrived(self, key: str, model: str, now: float) -> int:
        """Counts a request; returns which try of its key it is (from 1)."""
        if self.first is None:
            self.first = now
        self.requests += 1
        self.in_flight += 1
        if self.in_flight > self.max_in_flight:
            self.max_in_flight = self.in_flight
        self.models[model] += 1
        if key in self._answered:
            self.repeated += 1
        number = self._tries.get(key, 0) + 1
        self._tries[key] = number
        return number

    def left(self) -> None:
        """A request ended without a whole answer."""
        self.in_flight -= 1

    def answered(self, key: str, spent: tuple[int, int], now: float) -> None:
        self.in_flight -= 1
        self.answers += 1
        self.last = now
        self.prompt_tokens += spent[0]
        self.completion_tokens += spent[1]
        self._answered[key] = self._answered.get(key, 0) + 1

    def stats(self) -> dict[str, Any]:
        """Sums; `repeated` = requests for a key answered before, `span` = seconds from first request to last answer."""
        return {
            "requests": self.requests,
            "distinct": len(self._tries),
            "answers": self.answers,
            "repeated": self.repeated,
            "aborted": self.aborted,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "connections": self.connections,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "models": dict(self.models),
            "faults": dict(self.faults),
            "first": self.first,  # time.monotonic(), which all processes of a machine share on Linux
            "last": self.last,
            "span": 0.0 if self.first is None or self.last is None else self.last - self.first,
        }

    def keys(self) -> dict[str, dict[str, int]]:
        """How often each key was asked, and answered in full."""
        return {"tries": self._tries, "answered": self._answered}
