"""The guard process (see guard.py): run as a file, with the standard library alone, never imported.

Its input: `+ <pgid> <start time>` adds a process group, `- <pgid>` forgets one, `bye` ends the guard. When the input
ends without `bye`, or the driver is gone, it ends the groups and itself.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

GRACE = 5.0  # seconds between SIGTERM and SIGKILL
groups: dict[int, int] = {}  # pgid -> start time of its leader, 0 where it is not known


def stat(pid: int | str) -> list[bytes] | None:
    """Fields of /proc/<pid>/stat behind the command name; None where the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 (pathlib would double its memory)
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None


def alive(pgid: int) -> bool:
    """Whether the group has a member that is not a zombie."""
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False  # another user's: the number was used again
    if not os.path.isdir("/proc/self"):  # noqa: PTH112
        return True
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            fields = stat(name)
            if fields and int(fields[2]) == pgid and fields[0] not in (b"Z", b"X"):
                return True
    return False


def ours(pgid: int) -> bool:
    """False where the number now names another process."""
    fields = stat(pgid)
    return not fields or not groups[pgid] or int(fields[19]) == groups[pgid]


def forget_ended() -> None:
    """Drops groups that are gone, long before their numbers can be given out again."""
    for pgid in list(groups):
        try:
            os.killpg(pgid, 0)
        except OSError:
            del groups[pgid]
        else:
            if not ours(pgid):
                del groups[pgid]


def end_all() -> None:
    for number, wait in ((signal.SIGTERM, GRACE), (signal.SIGKILL, 2.0)):
        for pgid in list(groups):
            if not (alive(pgid) and ours(pgid)):
                del groups[pgid]
                continue
            try:
                os.killpg(pgid, number)
            except OSError:
                del groups[pgid]
        deadline = time.monotonic() + wait
        while groups and time.monotonic() < deadline:
            time.sleep(0.05)
            for pgid in list(groups):
                if not alive(pgid):
                    del groups[pgid]


def take(line: bytes) -> bool:
    """Handles one line of input; True for the goodbye."""
    words = line.split()
    if words[:1] == [b"+"]:
        groups[int(words[1])] = int(words[2])
    elif words[:1] == [b"-"]:
        groups.pop(int(words[1]), None)
    return words[:1] == [b"bye"]


def main(driver: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    handle = -1
    try:
        handle = os.pidfd_open(driver)
        poll.register(handle, select.POLLIN)
    except (AttributeError, OSError):
        pass  # the pipe alone tells
    gone = os.getppid() != driver
    rest = b""
    while True:
        ready = dict(poll.poll(0 if gone else 2000))
        gone = gone or handle in ready
        if 0 in ready:
            piece = os.read(0, 65536)
            *lines, rest = (rest + piece).split(b"\n")
            if any(map(take, lines)):
                return
            if piece:
                continue  # all that was sent is read before anything is ended
            gone = True
        if gone:
            end_all()
            return
        forget_ended()


if __name__ == "__main__":
    main(int(sys.argv[1]))
