"""datatrove's local executor, with what its own leaves open closed (see docs/architecture.md, Decisions).

Ours differs in three ways: no manager process (it outlives a killed driver), workers that end with the driver, and no
log lines on the user's terminal. Ranks, completion marks and statistics are datatrove's.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.utils.stats import PipelineStats

from attar.errors import fail
from attar.execute.options import Interrupted
from attar.execute.process import asked_to_stop


class StageExecutor(LocalPipelineExecutor):  # type: ignore[misc]
    """Runs a stage's ranks on this machine: in this process with one worker, else in a pool of worker processes."""

    def __init__(self, pipeline: Sequence[Any], folder: Path, tasks: int, workers: int) -> None:
        # Absolute: fsspec keeps file systems by their path, and a relative one would mean another place after chdir.
        super().__init__(list(pipeline), tasks=tasks, workers=workers, logging_dir=str(folder.resolve()))

    def run(self) -> None:
        """Runs the ranks that are not complete yet.

        Raises:
            AttarError: what must stop the run; E721 when a worker process died.
            Interrupted: the user asked to stop.
        """
        self._launched = True
        ranks = self.get_incomplete_ranks(range(self.tasks))
        if self.workers == 1 or len(ranks) <= 1:
            for rank in ranks:
                self._run_for_rank(rank)
            return
        context = multiprocessing.get_context("forkserver")
        with ProcessPoolExecutor(min(self.workers, len(ranks)), mp_context=context) as pool:
            with _deaf_to_ctrl_c():
                futures = [pool.submit(_run_rank, self, rank) for rank in ranks]
            try:
                done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
                for future in waiting:
                    future.cancel()
                for future in done:
                    future.result()
            except BrokenProcessPool as error:
                if asked_to_stop():  # whoever stopped us stopped the workers, too
                    raise Interrupted from error
                raise fail(
                    "E721",
                    "a worker process died (killed, or out of memory)",
                    help="run again to go on; fewer --workers need less memory",
                    exit_code=1,
                ) from error

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> PipelineStats:
        if self.is_rank_completed(rank):
            return PipelineStats()
        self._set_distributed_environment(node_rank)
        data: Any = None
        for step in self.pipeline:
            data = step(data, rank, self.world_size)
        deque(data, maxlen=0)
        stats = PipelineStats(self.pipeline)
        with self.logging_dir.open(f"stats/{rank:05d}.json", "w") as file:
            stats.save_to_disk(file)
        self.mark_rank_as_completed(rank)
        return stats


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started in the block never hear SIGINT, from their first instruction on: the driver tells them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run_rank(executor: StageExecutor, rank: int) -> None:
    executor._run_for_rank(rank)
