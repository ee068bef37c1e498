"""The journal: nothing acknowledged is lost, damage costs only what is damaged, the first of equal keys counts."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attar.identity import H
from attar.store import index as index_module
from attar.store import journal as journal_module
from attar.store.journal import Journal, OwnKeys, build_index, prune, records
from attar.store.segments import Entry, decode, encode, key_bytes, scan, segment_paths

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)

WRITER = """
import sys
from pathlib import Path
from attar.identity import H
from attar.store.journal import Journal
journal = Journal(Path(sys.argv[1]), sys.argv[2])
for i in range(10**9):
    journal.put(H(sys.argv[2], i), "chat", {"i": i, "text": "क" * (i * 37 % 3000)})
    print(i, flush=True)
"""


@given(value=JSON, kind=st.text("abc_", max_size=20))
def test_a_record_comes_back_as_it_was_written(value: Any, kind: str) -> None:
    key = os.urandom(16)
    assert decode(encode(key, kind, value)) == (key, kind, value)


@pytest.mark.parametrize("value", ["\ud800 lone", 2**200, {"n": -(2**70)}, "x" * 100_000, {"t": "ಕ" * 5000}])
def test_values_that_are_unusual_json_come_back(value: Any, tmp_path: Path) -> None:
    with Journal(tmp_path, "w") as journal:
        journal.put("k", "effect", value)
        assert journal.get("k") == value
    build_index(tmp_path)
    with Journal(tmp_path, "w") as journal:
        assert journal.get("k") == value


def test_long_values_are_compressed() -> None:
    assert len(encode(bytes(16), "chat", "नमस्ते " * 1000)) < 1000


def test_a_value_that_is_no_json_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path, "w") as journal:
        with pytest.raises(TypeError):
            journal.put("k", "chat", {1, 2})
        assert journal.get("k") is None
        journal.put("k", "chat", 1)
        assert journal.get("k") == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_costs_only_the_records_it_touches(tmp_path: Path, data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(0, 400), min_size=1, max_size=12))
    ends, raw = [], b""
    for i, size in enumerate(sizes):
        raw += encode(key_bytes(H(i)), "k", "x" * size)
        ends.append(len(raw))
    broken = bytearray(raw)
    hits = data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=3, unique=True))
    for at in hits:
        broken[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(raw)))
    path = tmp_path / "w-1-1.seg"
    path.write_bytes(broken[:cut])
    found = list(scan(path))
    starts = [0, *ends[:-1]]
    whole = {
        i
        for i, (start, end) in enumerate(zip(starts, ends, strict=True))
        if end <= cut and not any(start <= at < end for at in hits)
    }
    assert [entry.key for entry in found if isinstance(entry, Entry)] == [key_bytes(H(i)) for i in sorted(whole)]
    torn = found[-1]
    sound = sum(ends[i] - starts[i] for i in whole)
    assert (torn == 0) == (sound == cut)
    build_index(tmp_path)
    with Journal(tmp_path, "r") as journal:
        for i, size in enumerate(sizes):
            assert journal.get(H(i)) == ("x" * size if i in whole else None)
    (tmp_path / index_module.NAME).unlink()


def test_garbage_index_is_an_empty_one_and_is_built_again(tmp_path: Path) -> None:
    with Journal(tmp_path, "w") as journal:
        journal.put("k", "chat", 1)
    for garbage in (b"", b"ATTARIX1", os.urandom(500)):
        (tmp_path / index_module.NAME).write_bytes(garbage)
        with Journal(tmp_path, "r") as journal:
            assert journal.get("k") is None
        assert build_index(tmp_path).records == 1
        with Journal(tmp_path, "r") as journal:
            assert journal.get("k") == 1


def test_the_first_of_equal_keys_counts_also_across_writers(tmp_path: Path) -> None:
    first, second = Journal(tmp_path, "a"), Journal(tmp_path, "b")
    assert first.put("k", "chat", "first") == "first"
    assert first.put("k", "chat", "again") == "first"
    assert second.put("k", "chat", "second") == "second"  # it cannot know
    first.close()
    second.close()
    build_index(tmp_path)
    with Journal(tmp_path, "c") as journal:
        assert journal.get("k") == "first"


def test_the_index_grows_with_the_segments_and_finds_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_BATCH", 300)  # several merges a build
    monkeypatch.setattr(index_module, "_BLOCK", 64)
    filed: dict[str, int] = {}
    for n in range(4):
        with Journal(tmp_path, f"w{n}") as journal:
            for i in range(n * 500, n * 500 + 700):  # overlapping: some keys come twice
                journal.put(H(i), "chat", i + 1_000_000 * n)
                filed.setdefault(H(i), i + 1_000_000 * n)
        info = build_index(tmp_path)
        assert (info.records, info.segments, info.torn) == (len(filed), n + 1, 0)
        with Journal(tmp_path, "r") as journal:
            assert {key: journal.get(key) for key in filed} == filed
            assert journal.get(H("absent")) is None
            assert journal.get("00" * 16) is None
            assert journal.get("ff" * 16) is None
    grown = (tmp_path / index_module.NAME).read_bytes()
    (tmp_path / index_module.NAME).unlink()
    build_index(tmp_path)
    entries = len(filed) * 32
    assert (tmp_path / index_module.NAME).read_bytes()[:entries] == grown[:entries]


def test_a_build_without_news_leaves_the_index_alone(tmp_path: Path) -> None:
    with Journal(tmp_path, "w") as journal:
        journal.put("k", "chat", 1)
    build_index(tmp_path)
    before = (tmp_path / index_module.NAME).stat().st_ino
    assert build_index(tmp_path).records == 1
    assert (tmp_path / index_module.NAME).stat().st_ino == before


def test_open_readers_keep_their_index_while_it_is_replaced(tmp_path: Path) -> None:
    with Journal(tmp_path, "w") as journal:
        journal.put("a", "chat", 1)
    build_index(tmp_path)
    with Journal(tmp_path, "r") as reader:
        with Journal(tmp_path, "w2") as journal:
            journal.put("b", "chat", 2)
        build_index(tmp_path)
        assert reader.get("a") == 1
        assert reader.get("b") is None


def test_many_segments_need_few_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "OPEN_SEGMENTS", 3)
    for i in range(10):
        with Journal(tmp_path, "w") as journal:
            journal.put(H(i), "chat", i)
    build_index(tmp_path)
    with Journal(tmp_path, "r") as journal:
        assert [journal.get(H(i)) for i in [*range(10), *range(10)]] == [*range(10), *range(10)]
        assert len(journal._segments) <= 3


def test_threads_share_one_writer(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "w")

    def work(thread: int) -> None:
        for i in range(300):
            journal.put(H(thread, i), "chat", [thread, i])
            assert journal.get(H(thread, i)) == [thread, i]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert len(segment_paths(tmp_path)) == 1
    assert sorted(record.value for record in records(tmp_path)) == [[t, i] for t in range(6) for i in range(300)]


def test_own_keys_are_found_after_many_merges_and_with_equal_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OwnKeys, "RECENT", 16)
    monkeypatch.setattr(OwnKeys, "LARGEST", 300)
    own = OwnKeys()
    rng = random.Random(5)
    expected: dict[bytes, list[int]] = {}
    for i in range(2000):
        half = rng.randrange(500).to_bytes(8, "big")
        own.add(half + os.urandom(8), i)
        expected.setdefault(half, []).append(i)
    assert {half: own.find(half + bytes(8)) for half in expected} == expected
    assert own.find(b"\xff" * 16) == []
    assert len(own._levels) < 12


def test_prune_keeps_what_is_kept(tmp_path: Path) -> None:
    for n in range(3):
        with Journal(tmp_path, f"w{n}") as journal:
            for i in range(20):
                journal.put(H(n, i), "chat", [n, i])
    build_index(tmp_path)
    kept = {H(n, i) for n in (0, 1) for i in range(0, 20, 2)}
    assert prune(tmp_path, kept) == 40
    assert {record.key for record in records(tmp_path)} == kept
    assert len(segment_paths(tmp_path)) == 2
    with Journal(tmp_path, "r") as journal:
        assert journal.get(H(1, 4)) == [1, 4]
        assert journal.get(H(1, 5)) is None
        assert journal.get(H(2, 4)) is None
    assert prune(tmp_path, lambda key: True) == 0


def test_a_put_that_the_disk_refuses_leaves_no_torn_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path, "w")
    journal.put("a", "chat", 1)
    write = os.write
    left = [10]

    def full(fd: int, data: bytes) -> int:
        if left[0]:
            n = write(fd, data[: left[0]])
            left[0] = 0
            return n
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        journal.put("b", "chat", 2)
    monkeypatch.undo()
    assert journal.get("b") is None
    journal.put("b", "chat", 3)
    journal.close()
    assert build_index(tmp_path).torn == 0
    assert [record.value for record in records(tmp_path)] == [1, 3]


def test_kill_9_loses_no_acknowledged_record(tmp_path: Path) -> None:
    rng = random.Random(11)
    acknowledged: dict[str, int] = {}
    for n in range(6):
        name = f"writer{n}"
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), name], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(rng.randrange(1, 2000))]
            child.send_signal(signal.SIGKILL)
            lines += child.stdout.read().splitlines(keepends=True)
            child.wait()
        acknowledged[name] = max(int(line) for line in lines if line.endswith("\n"))
    with segment_paths(tmp_path)[0].open("ab") as file:  # and one torn tail, whatever the kills left
        file.write(encode(bytes(16), "chat", "torn")[:-1])
    info = build_index(tmp_path)
    assert info.torn >= 1
    with Journal(tmp_path, "again") as journal:
        for name, last_i in acknowledged.items():
            for i in range(last_i + 1):
                value = journal.get(H(name, i))
                assert value is not None and value["i"] == i
