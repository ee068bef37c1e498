"""One owner at a time for a recipe's folder; a lock is broken only when its owner is proven gone."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import orjson

from attar.errors import AttarError, fail
from attar.store.files import process_started

_JOB_VARIABLES = {"SLURM_JOB_ID": "Slurm job", "RAY_JOB_ID": "Ray job"}


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lock. `started` is in clock ticks since `boot`; `space` is the container's process numbering."""

    host: str
    pid: int
    started: int
    boot: str = ""
    space: str = ""
    job: str = ""

    @classmethod
    def me(cls) -> Owner:
        pid = os.getpid()
        return cls(socket.gethostname(), pid, process_started(pid) or 0, _boot(), _space(), _job(os.environ))

    def words(self) -> str:
        """The owner as a person would name it."""
        return f"process {self.pid} on {self.host}" + (f" ({self.job})" if self.job else "")

    def gone(self) -> bool | None:
        """True where this owner is proven to be gone, False where it lives, None where nothing is proven."""
        here = Owner.me()
        if self.host != here.host:
            return None
        if self.boot != here.boot:
            return True  # the host was started anew since
        if self.space != here.space:
            return None  # another container on this host: its process ids mean nothing here
        if not here.started:  # no /proc: a process of that id may be another one, but absence is proof
            return _absent(self.pid)
        return process_started(self.pid) != self.started


class OwnerLock:
    """A lock file that names its owner; a context manager.

    Two processes that find the same stale lock cannot both break it: the look and the taking happen under a file
    lock on `<path>.guard`, which the system lets go when its holder dies.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mine: Owner | None = None

    def acquire(self) -> OwnerLock:
        """Takes the lock.

        Raises:
            AttarError: E711, somebody else holds it, or this process does already.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        me = Owner.me()
        with self._guard():
            while not self._create(me):
                held_by = self.holder()
                if held_by is None:
                    if not self.path.exists():
                        continue  # released meanwhile from another host
                    raise self._unreadable()
                if held_by == me:
                    raise fail(
                        "E711",
                        f"this process already works in {self.path.parent}",
                        help="end the first run before starting another of the same recipe",
                    )
                if not held_by.gone():
                    raise self._held(held_by)
                self.path.unlink(missing_ok=True)
        self._mine = me
        return self

    def release(self) -> None:
        """Lets go, where this process (not one forked from it) holds the lock."""
        mine, self._mine = self._mine, None
        if mine is None or mine.pid != os.getpid():
            return
        with self._guard():
            if self.holder() == mine:
                self.path.unlink(missing_ok=True)

    def holder(self) -> Owner | None:
        """Who the lock file names, or None where there is none (or it cannot be read)."""
        try:
            return Owner(**orjson.loads(self.path.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def __enter__(self) -> OwnerLock:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _create(self, me: Owner) -> bool:
        """Puts the lock file in place, whole; False where there is one."""
        draft = self.path.with_name(f".{self.path.name}.{me.host}.{me.pid}.tmp")
        draft.write_bytes(orjson.dumps(asdict(me)))
        try:
            os.link(draft, self.path)
        except FileExistsError:
            return False
        except OSError:  # no hard links here
            try:
                fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            except FileExistsError:
                return False
            os.close(fd)
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)
        return True

    @contextmanager
    def _guard(self) -> Iterator[None]:
        fd = os.open(self.path.with_name(self.path.name + ".guard"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
            except OSError:  # file systems without locks: the creation itself is still atomic
                pass
            yield
        finally:
            os.close(fd)

    def _held(self, owner: Owner) -> AttarError:
        if owner.gone() is None:
            advice = f"it cannot be seen from here whether it still runs; if it does not, remove {self.path}"
        else:
            advice = f"wait until it ends, or end it (kill {owner.pid})"
        return fail("E711", f"{self.path.parent} is in use by {owner.words()}", help=advice)

    def _unreadable(self) -> AttarError:
        return fail(
            "E711",
            f"the lock {self.path} cannot be read, so its owner is unknown",
            help=f"if no run of this recipe is going on, remove {self.path}",
        )


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _space() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _job(environment: Mapping[str, str]) -> str:
    return next((f"{word} {environment[name]}" for name, word in _JOB_VARIABLES.items() if environment.get(name)), "")


def _absent(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
