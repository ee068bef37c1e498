"""Splits by document: none is in two of them, others stay where they are, and the files are the same however they were
made."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from support.row_sets import Rows
from support.runs import Attar, results, run_folder

from attar.testing import FakeContext, build
from attar_rag.exports.formats import OpenAIChat, TRLPromptCompletion
from attar_rag.exports.split import Split, Splitter

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "export_chat.yaml"
DOCUMENTS = st.sampled_from([f"{letter}.md" for letter in "abcdefghijklmnop"] + ["हिंदी.md", "é.md", "e\u0301.md"])
HALF = {"train": 0.4, "validation": 0.3, "test": 0.3}


def drawn(rows: list[Any], kind: str, **split: Any) -> list[str]:
    """The split of each row, by the value of its column."""
    given_rows = Rows({"by": kind}, [{"by": value} for value in rows])
    splitter = Splitter(Split(by="by", **{**HALF, **split}), given_rows)
    return [splitter.of(value, f"{number:032x}") for number, value in enumerate(rows)]


def own(value: str) -> str:
    """A document's name as it counts: e with an accent is one letter or two, and the same document."""
    return "é.md" if value == "e\u0301.md" else value


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(DOCUMENTS, max_size=3), max_size=25))
def test_no_document_is_in_two_splits(rows: list[list[str]]) -> None:
    found: dict[str, set[str]] = {}
    for documents, name in zip(rows, drawn(rows, "list<string>"), strict=True):
        for document in documents:
            found.setdefault(own(document), set()).add(name)
    assert all(len(names) == 1 for names in found.values())


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(DOCUMENTS, min_size=1, max_size=3), max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_of_names_decides_nothing(rows: list[list[str]], random: Any) -> None:
    there = dict(zip(map(str, rows), drawn(rows, "list<string>"), strict=True))
    mixed = random.sample(rows, len(rows))
    again = drawn([random.sample(documents, len(documents)) for documents in mixed], "list<string>")
    assert dict(zip(map(str, mixed), again, strict=True)) == there


@settings(deadline=None, max_examples=50)
@given(st.lists(DOCUMENTS, max_size=20), st.lists(st.text(min_size=1), max_size=20))
def test_another_document_moves_none(rows: list[str], more: list[str]) -> None:
    assert drawn([*rows, *more], "string")[: len(rows)] == drawn(rows, "string")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(DOCUMENTS, min_size=1, max_size=2), max_size=12), st.lists(DOCUMENTS, min_size=1, max_size=3))
def test_a_row_moves_only_what_it_joins(rows: list[list[str]], more: list[str]) -> None:
    joined = {own(document) for document in more}
    while any(joined & set(map(own, row)) and not set(map(own, row)) <= joined for row in rows):
        joined |= {own(d) for row in rows if joined & set(map(own, row)) for d in row}
    before, after = drawn(rows, "list<string>"), drawn([*rows, more], "list<string>")
    apart = [n for n, row in enumerate(rows) if not joined & set(map(own, row))]
    assert [after[n] for n in apart] == [before[n] for n in apart]


def test_the_hash_is_the_documented_one() -> None:
    digest = hashlib.blake2b('["split","v2","हिंदी.md"]'.encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    expected = "test" if place < 0.3 else "validation" if place < 0.6 else "train"
    assert drawn(["हिंदी.md"], "string", salt="v2") == [expected]


def test_shares_are_met_and_hold_for_groups_as_well() -> None:
    """5,000 draws: a share is within four standard deviations (0.0069 at 0.4) of what was asked for."""
    singles = Counter(drawn([f"{n}.md" for n in range(5_000)], "string"))
    pairs = Counter(drawn([[f"{n}a.md", f"{n}b.md"] for n in range(5_000)], "list<string>"))
    for counts in (singles, pairs):
        for name, share in HALF.items():
            assert abs(counts[name] / 5_000 - share) < 0.028


def test_chunks_of_a_document_and_numbers_and_rows_without_one() -> None:
    chunks = [["a.md#0"], ["a.md#1", "b.md#7"], ["b.md#2"], ["c.md"]]
    cut = drawn(chunks, "list<string>", cut_at="#")
    assert cut[0] == cut[1] == cut[2]
    assert cut[3] == drawn([["c.md"]], "list<string>")[0]
    assert drawn([7, 7], "int") == drawn(["7", "7"], "string")
    alone = drawn([None, ""] * 50, "string?")
    assert set(alone) == {"train", "validation", "test"}  # each by its own id


@pytest.mark.parametrize("shares", [{"train": 0.9}, {"train": 0.5, "validation": 0.1, "test": 0.1}, {"train": 0}])
def test_shares_that_do_not_make_one(shares: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Split.model_validate({"by": "doc_id", "validation": 0.05, "test": 0.0, **shares})


def test_readme_counts_records_and_documents(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "model", "content": "b"}] * 2
    rows = [{"messages": turns, "docs": docs} for docs in (["a.md", "b.md"], ["b.md", "c.md"], ["d.md"])]
    columns = {"messages": "list<struct<role:string,content:string>>", "docs": "list<string>"}
    step = build(TRLPromptCompletion, {"split": {"by": "docs", "train": 1, "validation": 0, "test": 0}})
    step.write(Rows(columns, rows), FakeContext(out=tmp_path))
    assert "| train | 6 | 4 | 3 |" in (tmp_path / "README.md").read_text(encoding="utf-8")


# -- the recipe --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Runs of the shipped recipe with one worker and with two."""
    folder = tmp_path_factory.mktemp("export")
    attar = Attar(folder, None)
    for workers in (1, 2):
        attar("run", RECIPE, "--workers", workers, "--runs", folder / str(workers), "--quiet")
    return {workers: folder / str(workers) for workers in (1, 2)}


def test_one_worker_and_two_write_the_same_bytes(runs: dict[int, Path]) -> None:
    one, two = (run_folder(runs[workers], "export-chat") for workers in (1, 2))
    names = ["openai", "sharegpt", "alpaca", "trl_chat", "trl_prompt_completion"]
    files = sorted(path.relative_to(one) for name in names for path in (one / name).rglob("*") if path.is_file())
    assert len(files) == 20  # README.md and three splits each
    assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)


def test_the_shipped_documents_are_in_one_split_each(runs: dict[int, Path]) -> None:
    sources = {}
    for line in (ROOT / "recipes" / "data" / "conversations.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        sources[row["messages"][0]["content"]] = row["documents"]
    found: dict[str, set[str]] = {}
    for path in (run_folder(runs[1], "export-chat") / "trl_chat" / "data").iterdir():
        for line in path.read_text(encoding="utf-8").splitlines():
            asked = next(m["content"] for m in json.loads(line)["messages"] if m["role"] == "user")
            for document in sources[asked]:
                found.setdefault(document, set()).add(path.name)
    assert all(len(names) == 1 for names in found.values())
    assert len(set.union(*found.values())) == 3


@pytest.mark.filterwarnings("ignore")
def test_datasets_reads_the_whole_run_by_its_card(runs: dict[int, Path], tmp_path: Path, monkeypatch: Any) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets.disable_progress_bars()
    home = run_folder(runs[1], "export-chat")
    data = datasets.load_dataset(str(home), "sharegpt", cache_dir=str(tmp_path))
    assert {name: len(split) for name, split in data.items()} == {"train": 5, "validation": 2, "test": 1}
    assert results(runs[1], "export-chat")["outputs"]["sharegpt"]["rows"] == 8


def test_many_rows_take_little_memory(tmp_path: Path) -> None:
    """40,000 conversations of 1.2 kB, 48 MB of text: the writer holds batches, not rows."""
    turns = [{"role": "user", "content": "soal " * 60}, {"role": "model", "content": "jawab " * 150}]
    columns = {"messages": "list<struct<role:string,content:string>>", "doc_id": "string"}
    process = psutil.Process()
    held: list[int] = []

    class Many(Rows):
        def batches(self, columns: Any = None) -> Any:
            (batch,) = super().batches(columns)
            for _ in range(40):
                held.append(process.memory_info().rss)
                yield batch

    rows = Many(columns, [{"messages": turns, "doc_id": f"{n % 40}.md"} for n in range(1000)], 1000)
    step = build(OpenAIChat, {"split": {"by": "doc_id"}, "rows_per_file": 12_000})
    step.write(rows, FakeContext(out=tmp_path))
    first, last = held[40:50], held[70:]  # of the second pass, which writes
    assert max(last) - max(first) < 10e6
    written = sorted((tmp_path / "data").iterdir())
    assert sum(path.read_bytes().count(b"\n") for path in written) == 40_000
    assert len([path for path in written if path.name.startswith("train")]) >= 3


def test_a_row_that_is_no_conversation_ends_the_run_by_name_and_publishes_nothing(tmp_path: Path) -> None:
    recipe = tmp_path / "raw.yaml"
    data = ROOT / "recipes" / "data" / "conversations.jsonl"
    recipe.write_text(
        f"attar: 1\nname: raw\nsteps:\n  read: {{use: std.read, with: {{path: {data}, id: id}}}}\n"
        "outputs:\n  chat: {from: read, format: trl_chat}\n"
    )
    done = Attar(tmp_path, None)("run", recipe, expect=1)
    said = " ".join((done.stdout + done.stderr).split())
    assert "(trl_chat): row " in said and "the last message is not the model's (last_not_model)" in said
    assert "rag.check_messages" in said and "Traceback" not in said
    assert not list((tmp_path / "runs").glob("raw/*/chat"))
