"""The window of unfinished rows: one coroutine per row, older rows first, results out in input order.

The number of *unfinished* rows is bounded, so the server is kept full however slow a single row is. Finished rows that
wait for an older one are few in memory: beyond a limit they go to a temporary file.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import IO

from attar.errors import fail
from attar.execute.context import Pace
from attar.execute.options import Interrupted
from attar.execute.results import RowResult

HELD_IN_MEMORY = 4096
HEARTBEAT = 0.25
DRAIN_SECONDS = 10.0
Work = Callable[[], Coroutine[None, None, RowResult]]
Stopping = Callable[[], bool]


class Reorder:
    """Holds results until their turn. Beyond `limit` held results, new ones are pickled to a temporary file."""

    def __init__(self, limit: int = HELD_IN_MEMORY) -> None:
        self._limit = limit
        self._held: dict[int, RowResult] = {}
        self._spilled: dict[int, tuple[int, int]] = {}
        self._file: IO[bytes] | None = None
        self._next = 0

    def add(self, ordinal: int, result: RowResult) -> None:
        if ordinal != self._next and len(self._held) >= self._limit:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
            data = pickle.dumps(tuple(result), protocol=pickle.HIGHEST_PROTOCOL)
            start = self._file.seek(0, 2)
            self._file.write(data)
            self._spilled[ordinal] = (start, len(data))
        else:
            self._held[ordinal] = result

    def ready(self) -> Iterator[RowResult]:
        """Takes out the results whose turn has come."""
        while True:
            result = self._held.pop(self._next, None)
            if result is None:
                place = self._spilled.pop(self._next, None)
                if place is None:
                    return
                assert self._file is not None
                self._file.seek(place[0])
                result = RowResult(*pickle.loads(self._file.read(place[1])))
                if not self._spilled:
                    self._file.close()
                    self._file = None
            self._next += 1
            yield result

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class Window:
    """Runs work items with at most `size` unfinished at once.

    Args:
        work: yields one coroutine function per row, in input order; read only when there is room.
        size: unfinished rows at most.
        stopping: asked whenever a row finishes; True stops feeding.
        halt: called once something must stop the run: nothing new may be sent, what was sent may arrive.
        loop: the event loop that will run it.
        pace: told when the last row is in.
    """

    def __init__(
        self,
        work: Iterator[Work],
        size: int,
        stopping: Stopping,
        halt: Callable[[], None],
        loop: asyncio.AbstractEventLoop,
        pace: Pace,
    ) -> None:
        self._work = work
        self._size = size
        self._stopping = stopping
        self._halt = halt
        self._pace = pace
        self._reorder = Reorder()
        self._ready: list[RowResult] = []
        self._tasks: set[asyncio.Task[RowResult]] = set()
        self._started = 0
        self._exhausted = False
        self._failure: BaseException | None = None
        self._wake = asyncio.Event()
        self._loop = loop
        self._chunk = 1
        self._lost = 0

    async def next_chunk(self, chunk: int) -> list[RowResult] | None:
        """Finished results in input order: as soon as there are `chunk`, or what there is every HEARTBEAT seconds.

        None when all is done; an empty list when nothing finished lately.

        Raises:
            Interrupted: `stopping` said so; requests in flight were given time to arrive first.
            AttarError: what must stop the run.
        """
        self._chunk = chunk
        self._fill()
        if self._failure is None and len(self._ready) < chunk and (self._tasks or not self._exhausted):
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), HEARTBEAT)
        if self._failure is not None:
            self._halt()
            await self._drain()
            raise self._failure
        if self._stopping() and (self._tasks or not self._exhausted):
            await self._drain()
            raise Interrupted
        if not self._ready and self._exhausted and not self._tasks:
            if self._lost:  # cancelled, yet nobody asked to stop: never call a stage whole that lacks rows
                raise fail("E725", f"{self._lost} rows were cancelled without an outcome", exit_code=1)
            return None
        ready, self._ready = self._ready, []
        return ready

    async def close(self) -> None:
        """Cancels what runs and waits for it."""
        self._exhausted = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reorder.close()

    async def _drain(self) -> None:
        """Lets requests in flight arrive, so that what was paid is journalled, then cancels the rest."""
        self._exhausted = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=DRAIN_SECONDS)
        await self.close()

    def _fill(self) -> None:
        while not self._exhausted and len(self._tasks) < self._size and self._failure is None and not self._stopping():
            try:
                work = next(self._work)
            except StopIteration:
                self._exhausted = self._pace.last_row_in = True
                self._wake.set()
                return
            except BaseException as error:
                self._failure = error
                self._wake.set()
                return
            ordinal = self._started
            self._started += 1
            task = self._loop.create_task(work())
            self._tasks.add(task)
            task.add_done_callback(partial(self._done, ordinal))

    def _done(self, ordinal: int, task: asyncio.Task[RowResult]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            self._lost += 1
            return
        error = task.exception()
        if error is not None:
            self._failure = self._failure or error
            self._wake.set()
            return
        self._reorder.add(ordinal, task.result())
        self._ready.extend(self._reorder.ready())
        if len(self._ready) >= self._chunk or not self._tasks:
            self._wake.set()
        self._fill()
