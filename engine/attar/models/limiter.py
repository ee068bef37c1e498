"""Who may ask a server next: a bounded number at once, older rows first, fewer while the server says 429."""

from __future__ import annotations

import asyncio
import heapq
import time

_AGAIN = 1.0  # seconds between two halvings: one burst of 429s is one signal
_RISE = 0.125  # added per answer, up to the configured limit


class Limiter:
    """A limit on requests in flight with a priority queue that exists only while the limit is reached.

    Equal priorities go in order of arrival. A caller that is cancelled while it waits, or after its turn was given
    but before it noticed, leaves no slot taken.
    """

    __slots__ = ("_halved", "_order", "_waiting", "limit", "most", "taken")

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(most)
        self.taken = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = 0
        self._halved = 0.0

    def try_acquire(self) -> bool:
        """Takes a slot if one is free and nobody waits; the common case, without a coroutine."""
        if self._waiting or self.taken >= self.limit:
            return False
        self.taken += 1
        return True

    async def acquire(self, priority: int) -> None:
        """Waits for a slot. Call after `try_acquire` said no."""
        if self.try_acquire():
            return
        turn = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._waiting, (priority, self._order, turn))
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            raise

    def release(self) -> None:
        self.taken -= 1
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        waiting = self._waiting
        while waiting and self.taken < self.limit:
            turn = heapq.heappop(waiting)[2]
            if not turn.done():
                self.taken += 1
                turn.set_result(None)

    def dismiss(self) -> None:
        """Cancels all who wait."""
        for _, _, turn in self._waiting:
            turn.cancel()
        self._waiting.clear()

    def slow_down(self) -> None:
        """The server said 429: half as many from now, at most once a second."""
        now = time.monotonic()
        if now - self._halved >= _AGAIN:
            self._halved = now
            self.limit = max(1.0, self.limit / 2)

    def speed_up(self) -> None:
        """An answer arrived: a little more, up to the configured limit."""
        if self.limit < self.most:
            self.limit = min(float(self.most), self.limit + _RISE)
            if self._waiting:
                self._wake()
