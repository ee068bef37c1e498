"""sha256sums.txt: what sha256sum itself makes of it, and that it never names what is not there."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.artifact.checksums import NAME, Checksums

NAMES = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=12)


def publish(run: Path, files: dict[str, bytes], name: str = "dataset") -> Checksums:
    """Covers a draft, then puts it in place, as a run does."""
    draft = run / f".{name}.draft"
    for file, data in files.items():
        (draft / file).parent.mkdir(parents=True, exist_ok=True)
        (draft / file).write_bytes(data)
    sums = Checksums(run)
    sums.cover(name, draft)
    if (run / name).exists():
        (run / name).rename(run / f"old-{len(list(run.iterdir()))}")
    draft.rename(run / name)
    return sums


def checks(run: Path) -> bool:
    return (
        subprocess.run(["sha256sum", "--quiet", "--strict", "-c", NAME], cwd=run, capture_output=True).returncode == 0
    )


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(NAMES.filter(lambda name: name not in (".", "..")), st.binary(max_size=20), min_size=1, max_size=4)
)
def test_sha256sum_reads_any_name(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    run = tmp_path_factory.mktemp("run")
    publish(run, files).write()
    lines = (run / NAME).read_bytes().count(b"\n")
    assert lines == len(files)
    assert checks(run)
    before = (run / NAME).stat().st_mtime_ns
    publish(run, files).write()
    assert (run / NAME).stat().st_mtime_ns == before, "read back as it was written, whatever the names"


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    publish(tmp_path, {"part-0": b"abc", "deep/part-1": b""}).write()
    assert checks(tmp_path)
    assert f"{hashlib.sha256(b'abc').hexdigest()}  dataset/part-0\n" in (tmp_path / NAME).read_text()
    (tmp_path / "dataset/part-0").write_bytes(b"abd")
    assert not checks(tmp_path)


@pytest.mark.parametrize("after", [{"part-0": b"new"}, {"part-0": b"abc", "part-1": b""}, {"part-1": b"abc"}])
def test_sums_are_gone_before_what_they_name_is_replaced(tmp_path: Path, after: dict[str, bytes]) -> None:
    publish(tmp_path, {"part-0": b"abc"}).write()
    sums = publish(tmp_path, after)  # killed here, the run has no sums rather than wrong ones
    assert not (tmp_path / NAME).exists()
    sums.write()
    assert checks(tmp_path)


def test_sums_stay_where_nothing_changes(tmp_path: Path) -> None:
    publish(tmp_path, {"part-0": b"abc"}).write()
    sums = publish(tmp_path, {"part-0": b"abc"})
    assert (tmp_path / NAME).exists()
    sums.cover_bytes("README.md", b"new here")
    assert not (tmp_path / NAME).exists()
    (tmp_path / "README.md").write_bytes(b"new here")
    sums.write()
    assert checks(tmp_path)


def test_broken_sums_are_written_anew(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\xff\x00 nothing\n")
    publish(tmp_path, {"part-0": b"abc"}).write()
    assert checks(tmp_path)
