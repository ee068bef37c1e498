"""What a process must do before it works for a run: end with its driver, hear of stops, use a fast event loop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attar.execute.job import StageJob

_entered = False
_stop = threading.Event()
LOOK_SECONDS = 0.2


def enter_worker(job: StageJob) -> None:
    """Called at the start of every rank. In a worker process: ends it when the driver is gone, and leaves Ctrl-C to
    the driver, which tells workers through the stop file."""
    global _entered
    if _entered or job.in_driver():
        return
    _entered = True
    from attar.models.guard import watch_parent

    watch_parent(job.owner, job.owner_started)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop where there is one (about a third less CPU per request), else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


@contextmanager
def rare_collections() -> Iterator[None]:
    """The cycle collector runs rarely while rows are walked, and leaves alone what was there before.

    Rows are freed by reference counts; by its usual thresholds the collector looks at the modules and the window of
    rows again and again, a sixth of the CPU of a call. Cycles of failed rows are still collected.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def stop_check(job: StageJob, halt: Callable[[], None] | None) -> Callable[[], bool]:
    """Tells whether the user asked to stop; the first time it says so, `halt` has the client send nothing more."""
    looked = 0.0
    told = False
    in_driver = job.in_driver()

    def stopping() -> bool:
        nonlocal looked, told
        if told:
            return True
        if in_driver:
            told = _stop.is_set()
        else:
            now = time.monotonic()
            if now - looked >= LOOK_SECONDS:
                looked = now
                told = job.stop_file.exists()
        if told and halt is not None:
            halt()
        return told

    return stopping


@contextmanager
def stop_on_signals(stop_file: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """SIGINT and SIGTERM ask the run to stop cleanly; a second one ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        if _stop.is_set():
            os.write(2, b"stopped at once; run the same command again to go on\n")
            os._exit(130)
        _stop.set()
        stop_file.touch()
        tell("stopping: waiting for the answers that are on their way (Ctrl-C again to stop at once)")

    stop_file.unlink(missing_ok=True)
    _stop.clear()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop_file.unlink(missing_ok=True)


def asked_to_stop() -> bool:
    """True once SIGINT or SIGTERM arrived in this process."""
    return _stop.is_set()
