"""The owner's lock: one at a time, broken only when the owner is proven gone."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import orjson
import pytest

from attar.errors import AttarError
from attar.store.lock import Owner, OwnerLock

HOLDER = """
import sys, time
from pathlib import Path
from attar.store.lock import OwnerLock
OwnerLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(60)
"""

RACER = """
import sys, time
from pathlib import Path
from attar.errors import AttarError
from attar.store.lock import OwnerLock
path, inside, log = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
got = 0
deadline = time.monotonic() + 30
while got < 15 and time.monotonic() < deadline:
    try:
        with OwnerLock(path):
            inside.touch(exist_ok=False)  # fails where somebody else is inside
            got += 1
            time.sleep(0.001)
            inside.unlink()
    except AttarError:
        time.sleep(0.001)
log.write_text(str(got))
"""


def holding(path: Path) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    child.stdout.close()
    return child


def written(path: Path, **changes: object) -> None:
    path.write_bytes(orjson.dumps(asdict(replace(Owner.me(), **changes))))  # type: ignore[arg-type]


def test_a_lock_is_taken_and_let_go(tmp_path: Path) -> None:
    path = tmp_path / "recipe" / "lock"
    with OwnerLock(path) as lock:
        assert lock.holder() == Owner.me()
    assert not path.exists()
    with OwnerLock(path):
        pass


def test_the_same_process_cannot_hold_it_twice(tmp_path: Path) -> None:
    with OwnerLock(tmp_path / "lock"), pytest.raises(AttarError, match="this process already"):
        OwnerLock(tmp_path / "lock").acquire()
    assert not (tmp_path / "lock").exists()


def test_a_living_owner_is_named_and_a_killed_one_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    child = holding(path)
    try:
        with pytest.raises(AttarError) as caught:
            OwnerLock(path).acquire()
        assert f"process {child.pid} on {socket.gethostname()}" in str(caught.value)
        assert path.exists()
    finally:
        child.send_signal(signal.SIGKILL)
    # Dead but not reaped yet: a zombie is gone too.
    for _ in range(1000):
        if Owner(**orjson.loads(path.read_bytes())).gone():
            break
        time.sleep(0.005)
    with OwnerLock(path):
        assert OwnerLock(path).holder() == Owner.me()
    child.wait()


def test_a_process_id_that_was_given_out_again_is_no_owner(tmp_path: Path) -> None:
    written(tmp_path / "lock", started=Owner.me().started - 5)
    with OwnerLock(tmp_path / "lock"):
        pass


def test_an_owner_from_before_a_reboot_is_gone(tmp_path: Path) -> None:
    written(tmp_path / "lock", boot="another", pid=1)
    with OwnerLock(tmp_path / "lock"):
        pass


@pytest.mark.parametrize("changes", [{"host": "node17"}, {"space": "pid:[1]"}, {"host": "n", "job": "Slurm job 42"}])
def test_an_owner_that_cannot_be_seen_keeps_its_lock(tmp_path: Path, changes: dict[str, str]) -> None:
    path = tmp_path / "lock"
    written(path, pid=2**22 + 1, **changes)
    before = path.read_bytes()
    with pytest.raises(AttarError) as caught:
        OwnerLock(path).acquire()
    (diagnostic,) = caught.value.diagnostics
    assert changes.get("job", "process") in diagnostic.message
    assert f"remove {path}" in diagnostic.help
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{}", b"garbage"])
def test_a_lock_that_cannot_be_read_is_not_broken(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lock").write_bytes(content)
    with pytest.raises(AttarError, match="cannot be read"):
        OwnerLock(tmp_path / "lock").acquire()
    assert (tmp_path / "lock").exists()


def test_the_job_is_part_of_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    assert Owner.me().job == "Slurm job 4711"


def test_of_many_processes_one_at_a_time_is_inside_though_the_lock_was_stale(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    written(path, started=1)  # all of them find it stale at once
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(path), str(tmp_path / "inside"), str(tmp_path / f"log{n}")],
            stderr=subprocess.PIPE,
        )
        for n in range(5)
    ]
    for racer in racers:
        _, errors = racer.communicate(timeout=60)
        assert (racer.returncode, errors) == (0, b"")
    assert [(tmp_path / f"log{n}").read_text() for n in range(5)] == ["15"] * 5
    assert not path.exists()
