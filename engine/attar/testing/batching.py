"""A model of continuous batching: what a vLLM server does with time, without the model.

A step takes a + b·batch seconds and gives every running sequence one token. Sequences enter at a step's start while
slots are free, by the request's `priority` and then by arrival, and leave at the end of the step of their last token.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Callable
from random import Random

from attar.testing.settings import Settings


class Batching:
    """The engine's one step loop. `submit` queues a sequence; its callback runs when the last token is out."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self.settings = settings
        self._loop = loop
        self._waiting: list[tuple[int, int, Sequence]] = []
        self._running: list[tuple[int, int, Sequence]] = []  # by the number of the step that ends them
        self._batch = 0
        self._order = 0
        self._step = 0
        self._clock = 0.0
        self._going = False
        self.steps = 0
        self.busy_seconds = 0.0
        self.slot_steps = 0

    def submit(self, tokens: int, prompt_tokens: int, priority: int, done: Callable[[], None]) -> Sequence:
        sequence = Sequence(tokens, prompt_tokens, done)
        self._order += 1
        heapq.heappush(self._waiting, (priority, self._order, sequence))
        if not self._going:
            self._going = True
            self._clock = self._loop.time()
            self._loop.call_soon(self._begin)
        return sequence

    def abort(self, sequence: Sequence) -> None:
        """The client has gone: its slot is free from the next step on."""
        if sequence.state == "running":
            self._batch -= 1
        sequence.state = "gone"

    def _begin(self) -> None:
        settings = self.settings
        prefill = 0
        while self._waiting and self._batch < settings.slots:
            _, order, sequence = heapq.heappop(self._waiting)
            if sequence.state == "gone":
                continue
            sequence.state = "running"
            self._batch += 1
            prefill += sequence.prompt_tokens
            heapq.heappush(self._running, (self._step + sequence.tokens, order, sequence))
        if not self._batch:
            self._running.clear()
            self._going = False
            return
        seconds = (
            settings.step_seconds
            + settings.step_seconds_per_sequence * self._batch
            + settings.prefill_seconds_per_token * prefill
        )
        self.steps += 1
        self.busy_seconds += seconds
        self.slot_steps += self._batch
        # The clock runs ahead by the modelled time, not by the timer's: late timers do not add up. A loop that
        # fell behind by more than a step (a stopped process) starts again from now.
        now = self._loop.time()
        self._clock = max(self._clock + seconds, now - seconds)
        self._loop.call_at(self._clock, self._end)

    def _end(self) -> None:
        self._step += 1
        running = self._running
        done: list[Sequence] = []
        while running and running[0][0] <= self._step:
            sequence = heapq.heappop(running)[2]
            if sequence.state == "running":
                sequence.state = "done"
                self._batch -= 1
                done.append(sequence)
        for sequence in done:
            sequence.done()
        self._loop.call_soon(self._begin)


class Sequence:
    """One request in the engine: waiting, running, done or gone."""

    __slots__ = ("done", "prompt_tokens", "state", "tokens")

    def __init__(self, tokens: int, prompt_tokens: int, done: Callable[[], None]) -> None:
        self.tokens = tokens
        self.prompt_tokens = prompt_tokens
        self.done = done
        self.state = "waiting"


def length(settings: Settings, rng: Random, cap: int | None) -> int:
    """Output tokens of a request: log-normal, at least 1, at most `cap` and `settings.longest`."""
    drawn = round(math.exp(math.log(settings.median_tokens) + settings.sigma * rng.gauss(0, 1)))
    return max(1, min(drawn, settings.longest, cap or settings.longest))
