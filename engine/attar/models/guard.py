"""What ends a run's processes when the run itself can no longer do it.

A driver that is killed with -9 runs no handler, and PR_SET_PDEATHSIG reaches only children, not the grandchildren a
model server forks. So a tiny process in a session of its own watches the driver and ends whole process groups.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

_CHILD = Path(__file__).with_name("guard_child.py")


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None where it is gone or the system does not say.

    A pid alone does not name a process: numbers are used again. A pid with its start time does.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The command name may hold spaces and brackets: count fields from behind its last bracket.
    return int(stat.rpartition(b")")[2].split()[19])


def group_alive(pgid: int) -> bool:
    """Whether a process group has a member that is not a zombie."""
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    proc = Path("/proc")
    if not proc.is_dir():
        return True
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == pgid and fields[0] not in (b"Z", b"X"):
            return True
    return False


def end_group(pgid: int, grace: float = 10.0) -> None:
    """Ends a process group: SIGTERM, up to `grace` seconds, SIGKILL; returns when no member is left alive."""
    for number, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(pgid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            if not group_alive(pgid):
                return
            time.sleep(0.05)


class Guard:
    """A small process (about 10 MB) that ends registered process groups once this process is gone.

    It learns of that in two ways: the pipe from here closes without a goodbye, or the kernel reports this process's
    end (a forked child may still hold the pipe open). It lives in its own session, so a Ctrl-C or a kill of the
    driver's whole group leaves it alive. Each group is remembered with its leader's start time, so that a number
    that has been given to another process since is left alone.

    Use `Guard.start()`, then `close()` when the groups have been ended in an orderly way.
    """

    def __init__(self) -> None:
        self._groups: dict[int, int | None] = {}
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @classmethod
    def start(cls) -> Guard:
        """Starts the guard process. Raises OSError where no process can be started."""
        guard = cls()
        with guard._lock:
            guard._launch()
        return guard

    @property
    def pid(self) -> int | None:
        """Its process id; None once closed."""
        return self._child.pid if self._child is not None else None

    def add(self, pgid: int) -> None:
        """Registers a process group. Call it as soon as the group exists."""
        with self._lock:
            self._groups[pgid] = start_time(pgid)
            self._send(self._line(pgid))

    def remove(self, pgid: int) -> None:
        """Forgets a group that has ended."""
        with self._lock:
            if pgid in self._groups:
                del self._groups[pgid]
                self._send(f"- {pgid}\n")

    def close(self) -> None:
        """Says goodbye: the guard ends without touching anything. May be called twice."""
        with self._lock:
            child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        try:
            child.stdin.write(b"bye\n")
            child.stdin.close()
        except (BrokenPipeError, ValueError):  # it is gone already
            pass
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _line(self, pgid: int) -> str:
        return f"+ {pgid} {self._groups[pgid] or 0}\n"

    def _launch(self) -> None:
        self._child = subprocess.Popen(
            # -I -S: no site-packages, no user's PYTHON* variables: it starts in 20 ms and nothing can break it.
            [sys.executable, "-I", "-S", str(_CHILD), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # holds no terminal or pipe of the user's open
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            bufsize=0,
        )

    def _send(self, line: str) -> None:
        if self._child is None:
            return
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(line.encode())
        except BrokenPipeError:
            # Somebody ended the guard. A run without one would leave orphans: start another.
            self._child.wait()
            self._launch()
            assert self._child.stdin is not None
            self._child.stdin.write("".join(map(self._line, self._groups)).encode())


def watch_parent(pid: int, started: int | None = None, *, then: Callable[[], None] | None = None) -> threading.Thread:
    """Ends this process at once (SIGKILL) when another is gone: for workers, which must not outlive their driver.

    A worker that goes on alone would race the next run for the same files.

    Args:
        pid: the driver.
        started: its `start_time`, taken there; without it, a pid that was used again is not told apart.
        then: called instead of killing this process.

    Returns:
        The daemon thread that watches.
    """

    def end() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def gone() -> bool:
        now = start_time(pid)
        if now is not None:
            return started is not None and now != started
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return Path("/proc/self").exists()  # alive, yet without an entry: only where there is no /proc

    def watch() -> None:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return (then or end)()
        except (AttributeError, OSError):  # not Linux, or an old kernel
            while not gone():
                time.sleep(0.5)
            return (then or end)()
        try:
            if not gone():  # checked after the handle is open, so that it cannot be another process's
                poll = select.poll()
                poll.register(handle, select.POLLIN)
                while not poll.poll():
                    pass
        finally:
            os.close(handle)
        return (then or end)()

    thread = threading.Thread(target=watch, name="attar-watch-parent", daemon=True)
    thread.start()
    return thread
