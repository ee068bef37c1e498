"""The guard ends what a killed driver leaves behind: real processes, real SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from attar.models.guard import Guard, end_group, group_alive, start_time, watch_parent

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")

# A server that forks a child and a grandchild, all of which ignore SIGTERM where asked, and writes their pids.
SERVER = """
import os, signal, sys, time
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
def note():
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n")
note()
if os.fork() == 0:
    note()
    if os.fork() == 0:
        note()
time.sleep(120)
"""

DRIVER = """
import subprocess, sys, time
from attar.models.guard import Guard
guard = Guard.start()
for kind in ("meek", sys.argv[3]):
    server = subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1], kind], start_new_session=True)
    guard.add(server.pid)
FORK
print(guard.pid, flush=True)
time.sleep(120)
"""


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def running(pid: int) -> bool:
    """Whether the process exists and is no zombie (nobody may be there to reap an orphan in a container)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in (b"Z", b"X")


def pids_in(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


@pytest.fixture
def strays() -> Iterator[list[int]]:
    """Pids to end whatever happens."""
    found: list[int] = []
    yield found
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


@pytest.mark.parametrize(
    ("whole_group", "forks", "kind"), [(False, False, "meek"), (False, True, "meek"), (True, False, "stubborn")]
)
def test_kill_9_of_the_driver_ends_servers_and_their_grandchildren(
    tmp_path: Path, strays: list[int], whole_group: bool, forks: bool, kind: str
) -> None:
    # With a fork, a child of the driver holds the pipe's other end open: its closing alone would not tell.
    code = DRIVER.replace("FORK", "import os\nif os.fork() == 0:\n    time.sleep(60)\n    os._exit(0)" if forks else "")
    driver = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "pids"), SERVER, kind],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert driver.stdout is not None
    guard = int(driver.stdout.readline())
    strays += [driver.pid, guard]
    until(lambda: len(pids_in(tmp_path / "pids")) == 6)
    servers = pids_in(tmp_path / "pids")
    strays += servers
    assert all(map(running, servers))
    (os.killpg if whole_group else os.kill)(driver.pid, signal.SIGKILL)
    until(lambda: not any(map(running, servers)))
    until(lambda: not running(guard))
    try:
        os.killpg(driver.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    driver.stdout.close()
    driver.wait()


def test_goodbye_leaves_processes_alone_and_a_removed_group_is_forgotten(tmp_path: Path, strays: list[int]) -> None:
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(tmp_path / "pids"), "meek"], start_new_session=True)
    strays.append(server.pid)
    with Guard.start() as guard:
        child = guard.pid
        assert child is not None and os.getsid(child) == child
        guard.add(server.pid)
    until(lambda: not running(child))
    assert running(server.pid)
    guard = Guard.start()
    guard.add(server.pid)
    guard.remove(server.pid)
    assert guard._child is not None and guard._child.stdin is not None
    guard._child.stdin.close()  # as when the driver dies
    guard._child.wait(10)
    assert running(server.pid)
    end_group(server.pid)
    assert not group_alive(server.pid)
    server.wait()


def test_a_number_used_again_is_left_alone(tmp_path: Path, strays: list[int]) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", SERVER, str(tmp_path / "pids"), "meek"], start_new_session=True)
    strays.append(bystander.pid)
    until(lambda: len(pids_in(tmp_path / "pids")) == 3)
    guard = Guard.start()
    guard._groups[bystander.pid] = (start_time(bystander.pid) or 0) - 1  # as if an earlier process had that number
    assert guard._child is not None and guard._child.stdin is not None
    guard._child.stdin.write(guard._line(bystander.pid).encode())
    guard._child.stdin.close()
    guard._child.wait(10)
    assert running(bystander.pid)
    end_group(bystander.pid, grace=0.2)
    assert not any(map(running, pids_in(tmp_path / "pids")))
    bystander.wait()


def test_a_guard_that_was_killed_is_replaced(tmp_path: Path, strays: list[int]) -> None:
    servers = []
    with Guard.start() as guard:
        for _ in range(2):
            server = subprocess.Popen(["sleep", "60"], start_new_session=True)
            strays.append(server.pid)
            servers.append(server)
            guard.add(server.pid)
            if guard.pid is not None and len(servers) == 1:
                os.kill(guard.pid, signal.SIGKILL)
                until(lambda: guard.pid is not None and not running(guard.pid))
        assert guard.pid is not None and running(guard.pid)
        assert guard._child is not None and guard._child.stdin is not None
        guard._child.stdin.close()
        for server in servers:
            assert server.wait(10) == -signal.SIGTERM


def test_the_guard_ignores_ctrl_c_and_stays_small() -> None:
    with Guard.start() as guard:
        assert guard.pid is not None
        server = subprocess.Popen(["sleep", "60"], start_new_session=True)
        guard.add(server.pid)
        until(lambda: "SigIgn" in Path(f"/proc/{guard.pid}/status").read_text())
        until(lambda: int(_status(guard.pid or 0, "SigIgn"), 16) & (1 << (signal.SIGINT - 1)) > 0)
        os.kill(guard.pid, signal.SIGINT)
        os.kill(guard.pid, signal.SIGTERM)
        assert int(_status(guard.pid, "VmRSS").split()[0]) < 20 * 1024  # KiB
        assert running(guard.pid)
        end_group(server.pid)
        server.wait()


def _status(pid: int, key: str) -> str:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return line.split(":", 1)[1].strip()
    raise KeyError(key)


WORKER = """
import sys, time
from attar.models.guard import watch_parent
watch_parent(int(sys.argv[1]))
print("up", flush=True)
time.sleep(60)
"""


def test_a_worker_dies_with_its_driver() -> None:
    driver = subprocess.Popen(["sleep", "60"])
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(driver.pid)], stdout=subprocess.PIPE)
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"up\n"
    assert worker.poll() is None
    driver.kill()
    driver.wait()
    assert worker.wait(10) == -signal.SIGKILL
    worker.stdout.close()


@pytest.mark.parametrize("pidfd", [True, False])
def test_a_driver_already_gone_or_replaced_is_noticed(monkeypatch: pytest.MonkeyPatch, pidfd: bool) -> None:
    if not pidfd:
        monkeypatch.delattr(os, "pidfd_open")
    ended: list[str] = []
    driver = subprocess.Popen(["sleep", "60"])
    started = start_time(driver.pid)
    assert started is not None
    watch_parent(driver.pid, started - 1, then=lambda: ended.append("replaced")).join(10)
    alive = watch_parent(driver.pid, started, then=lambda: ended.append("gone"))
    alive.join(0.7)
    assert alive.is_alive()
    driver.kill()
    driver.wait()
    alive.join(10)
    watch_parent(driver.pid, then=lambda: ended.append("late")).join(10)
    assert ended == ["replaced", "gone", "late"]
