"""Waiting for several tasks, and running a coroutine where there is no event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any


async def together(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Waits for all tasks and raises the first failure, once the others have ended.

    Where a task ended because the client was halted, the others are left to end by themselves: their requests are on
    their way and will be paid. Only a cancellation from outside cancels them.
    """
    try:
        await asyncio.gather(*tasks)
    except BaseException as error:
        mine = asyncio.current_task()
        if not isinstance(error, asyncio.CancelledError) or (mine is not None and mine.cancelling()):
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def drive(call: Coroutine[Any, Any, Any]) -> Any:
    """Runs a blocking step's coroutine in a thread: it may take its time but has no event loop to await on."""
    try:
        call.send(None)
    except StopIteration as end:
        return end.value
    call.close()
    raise TypeError("a step with blocking = True may not await")
