"""Questions that come one by one are answered many at a time, in a thread beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


class Gather(Generic[Q, A]):
    """While one batch is being answered, the questions that come in wait and make the next.

    Args:
        answer: answers a batch, one answer per question and in their order; is run in a thread, never twice at once.
            An answer must not depend on which other questions were in its batch: nobody knows which those are.
        most: questions in a batch at most.
    """

    def __init__(self, answer: Callable[[Sequence[Q]], Sequence[A]], most: int = 1024) -> None:
        self._answer = answer
        self._most = most
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """The answer to one question; raises what `answer` raised for its batch."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[A] = loop.create_future()
        self._waiting.append((question, future))
        if self._running is None or self._running.done():
            self._running = loop.create_task(self._run())
        return await future

    async def _run(self) -> None:
        await asyncio.sleep(0)  # rows that are ready now come along
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            batch = [(question, future) for question, future in batch if not future.done()]
            if not batch:  # all have given up
                continue
            try:
                answers = await asyncio.to_thread(self._answer, [question for question, _ in batch])
            except BaseException as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                if not isinstance(error, Exception):
                    raise
                continue
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
