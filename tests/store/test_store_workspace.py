"""Folders: replaced as a whole or not at all, found by the names a person would type."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from attar.errors import AttarError
from attar.store import publish as publish_module
from attar.store.outcomes import OUTCOME_SCHEMA, OutcomeWriter, join_outcomes, read_outcomes
from attar.store.publish import publish_folder, sweep_aside
from attar.store.workspace import Workspace, find_run, known_runs, write_json_atomic

PUBLISHER = """
import sys
from pathlib import Path
from attar.store import publish
if sys.argv[2] == "plain":
    publish._exchange = lambda a, b: False
root = Path(sys.argv[1])
print("ready", flush=True)
n = int(sys.argv[3])
while True:
    n += 1
    draft = root / ".dataset.draft"
    publish._remove(draft)
    draft.mkdir()
    for i in range(5):
        (draft / f"part-{i}").write_text(str(n))
    publish.publish_folder(draft, root / "dataset")
"""


class Left(NamedTuple):
    id: str
    step: str = "essay"
    code: str = "short"
    detail: str = "812 words"
    attempt: int = 2
    parents: tuple[str, ...] = ("p",)
    row: bytes = '{"text":"छोटा"}'.encode()
    trail: bytes | None = None


def generation(folder: Path) -> int:
    """Which publish a folder is of; fails where it is not whole."""
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    assert sorted(texts) == [f"part-{i}" for i in range(5)]
    assert len(set(texts.values())) == 1
    return int(texts["part-0"])


@pytest.mark.parametrize("way", ["exchange", "plain"])
def test_a_publish_killed_anywhere_leaves_the_old_folder_or_the_new(tmp_path: Path, way: str) -> None:
    rng = random.Random(way)
    seen = 0
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, str(tmp_path), way, str(seen)], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            while not (tmp_path / "dataset").exists():
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.05))
            child.send_signal(signal.SIGKILL)
            child.wait()
        if way == "exchange":
            assert generation(tmp_path / "dataset") >= seen  # whole at once, before anything is mended
        sweep_aside(tmp_path)
        now = generation(tmp_path / "dataset")
        assert now >= seen
        seen = now
    assert seen > 0


def test_publishing_replaces_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n, exchange in enumerate([True, True, False, False]):
        if not exchange:
            monkeypatch.setattr(publish_module, "_exchange", lambda a, b: False)
        draft = tmp_path / "draft"
        draft.mkdir()
        (draft / str(n)).write_text("x")
        publish_folder(draft, tmp_path / "final")
        assert [path.name for path in (tmp_path / "final").iterdir()] == [str(n)]
        assert [path.name for path in tmp_path.iterdir()] == ["final"]


def test_json_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "results.json"
    write_json_atomic(path, {"a": "क"})
    with pytest.raises(TypeError):
        write_json_atomic(path, {"a": object()})
    assert path.read_text() == '{\n  "a": "क"\n}\n'
    assert [p.name for p in path.parent.iterdir()] == ["results.json"]


def test_outcomes_of_ranks_are_joined_in_order_and_can_be_joined_again(tmp_path: Path) -> None:
    ids = [f"{i:032x}" for i in range(2500)]
    for ranks in (1, 7):
        for rank in range(ranks):
            writer = OutcomeWriter(tmp_path / f"r{ranks}", f"{rank:05d}")
            for id in ids[rank * 2500 // ranks : (rank + 1) * 2500 // ranks]:
                writer.append(Left(id, trail=b"[]" if id.endswith("7") else None))
            writer.close()
        files = sorted((tmp_path / f"r{ranks}").glob("[0-9]*"))
        assert join_outcomes(files, tmp_path / f"out{ranks}") == 2500
    one, seven = ([p.read_bytes() for p in sorted((tmp_path / name).iterdir())] for name in ("out1", "out7"))
    assert one == seven
    read = list(read_outcomes(tmp_path / "out7"))
    assert [row["id"] for row in read] == ids
    assert read[7] == {**Left(ids[7])._asdict(), "parents": ["p"], "row": '{"text":"छोटा"}', "trail": "[]"}
    parts = [*sorted((tmp_path / "out1").glob("part-*")), *sorted((tmp_path / "out7").glob("part-*"))]
    (tmp_path / "all").mkdir()  # as a draft that exists already
    assert join_outcomes(parts, tmp_path / "all") == 5000


def test_no_outcomes_leave_an_empty_part_and_broken_text_is_shown(tmp_path: Path) -> None:
    assert join_outcomes([], tmp_path / "none") == 0
    assert [path.name for path in (tmp_path / "none").iterdir()] == ["part-00000.parquet"]
    assert list(read_outcomes(tmp_path / "none")) == []
    writer = OutcomeWriter(tmp_path / "r", "00000")
    writer.append(Left("a", detail="\ud800 broken"))
    join_outcomes([writer.close()], tmp_path / "one")
    (row,) = read_outcomes(tmp_path / "one")
    assert row["detail"] == "\\ud800 broken"
    assert list(row) == OUTCOME_SCHEMA.names


def a_run(root: Path, recipe: str, name: str) -> Path:
    workspace = Workspace(root, recipe)
    folder = workspace.run(name)
    write_json_atomic(folder / "manifest.json", {})
    workspace.set_latest(folder.name)
    return folder


def test_runs_are_found_by_the_names_people_type(tmp_path: Path) -> None:
    first = a_run(tmp_path, "essays", "aaaa11112222ffff")
    second = a_run(tmp_path, "essays", "aabb11112222")
    other = a_run(tmp_path, "chats", "cccc11112222")
    assert first.name == "aaaa11112222"
    assert Workspace(tmp_path, "essays").latest == second
    assert Workspace(tmp_path, "nothing").latest is None
    assert find_run("essays", tmp_path) == second
    assert find_run("essays/aaaa11112222", tmp_path) == first
    assert find_run("essays/aaaa", tmp_path) == first
    assert find_run("cccc", tmp_path) == other
    assert find_run(str(first), tmp_path) == first
    assert known_runs(tmp_path) == ["chats/cccc11112222", "essays/aaaa11112222", "essays/aabb11112222"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("esays", "did you mean essays?"),
        ("essays/aa", "name one of them: essays/aaaa11112222, essays/aabb11112222"),
        ("zzz", "runs here: essays/aaaa11112222, essays/aabb11112222"),
        ("*", "runs here"),
        ("", "runs here"),
        ("..", "runs here"),
    ],
)
def test_a_name_that_is_no_run_is_answered_with_those_there_are(tmp_path: Path, text: str, says: str) -> None:
    a_run(tmp_path, "essays", "aaaa11112222")
    a_run(tmp_path, "essays", "aabb11112222")
    with pytest.raises(AttarError) as caught:
        find_run(text, tmp_path)
    assert says in caught.value.diagnostics[0].help
    assert caught.value.exit_code == 2


def test_a_fresh_start_sets_aside_what_was_paid_for(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "essays")
    workspace.folder.mkdir()
    assert workspace.set_aside() is None
    for n in (1, 2):
        workspace.journal.mkdir()
        (workspace.journal / "w.seg").write_text(str(n))
        workspace.stage("f" * 32).mkdir(parents=True)
        assert workspace.set_aside() == workspace.folder / f"aside-{n}"
        assert (workspace.folder / f"aside-{n}" / "journal" / "w.seg").read_text() == str(n)
        assert not workspace.journal.exists()
        assert not workspace.stages.exists()


def test_leftovers_are_swept_and_nothing_else(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, "essays")
    run = a_run(tmp_path, "essays", "aaaa11112222")
    taps = workspace.stage("ff") / "out" / "taps"
    keep = [run / "dataset", workspace.journal / "a-1-1.seg", taps / "chunks", workspace.stage("ff") / "stage.json"]
    gone = [
        run / ".dataset.draft",
        run / ".dataset.replaced",
        workspace.journal / ".index.idx.77",
        workspace.journal / ".a-1-1.seg.tmp",
        taps / ".chunks.joining",
        taps / ".sort-xyz",
        workspace.folder / ".latest.77.tmp",
    ]
    for path in [*keep, *gone]:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".seg", ".json", ".tmp", ".77"):
            path.write_text("x")
        else:
            path.mkdir()
    aside = taps / ".answers.replaced"  # killed between two renames: the old one comes back
    aside.mkdir()
    workspace.clean_leftovers()
    assert all(path.exists() for path in keep)
    assert not any(path.exists() for path in gone)
    assert (taps / "answers").is_dir()
    assert not aside.exists()
    Workspace(tmp_path, "never-ran").clean_leftovers()
    assert [path.name for path in tmp_path.iterdir()] == ["essays"]
