"""The recipe that chunks a folder, as users run it: on our own documents, and on a whole real handbook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.runs import TESTS, Attar, results, run_folder, table

RECIPE = TESTS.parent / "recipes" / "chunk_documents.yaml"
OURS = TESTS.parent / "recipes" / "data" / "handbook"
HANDBOOK = TESTS.parent.parent / "shared" / "data" / "handbook_id"
HELP = HANDBOOK.parent / "help_hi.jsonl"


def chunked(folder: Path, documents: Path, *words: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    attar = Attar(folder, None)
    attar("run", RECIPE, "-p", f"documents={documents}", "--runs", attar.runs, *words)
    return table(run_folder(attar.runs, "chunk-documents") / "dataset"), results(attar.runs, "chunk-documents")


def joined(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The documents as their chunks give them back; each chunk is where it says it is."""
    found: dict[str, str] = {}
    for row in rows:
        before = found.get(row["doc_id"], "")
        assert row["start"] == len(before)
        found[row["doc_id"]] = before + row["chunk"]
        assert row["end"] == len(found[row["doc_id"]])
    return found


def test_our_documents_keep_their_tables_and_categories(tmp_path: Path) -> None:
    rows, found = chunked(tmp_path, OURS, "-p", "min_tokens=100", "-p", "max_tokens=400")
    texts = {path.relative_to(OURS).as_posix(): path.read_text(encoding="utf-8") for path in OURS.rglob("*.md")}
    assert joined(rows) == texts
    assert len(rows) >= 3 * len(texts)
    assert all(row["category"] == row["doc_id"].partition("/")[0] for row in rows)
    assert all(row["heading_path"] and not row["cut"] and row["n_tokens"] <= 400 for row in rows)
    [costs] = [row["chunk"] for row in rows if "| Keperawatan | D3 |" in row["chunk"]]
    assert "| Program studi | Jenjang |" in costs and "| Kebidanan | D3 |" in costs
    assert found["ledger"]["chunks"]["in"] == len(texts)
    assert found["ledger"]["chunks"]["made"] == len(rows)
    manifest = json.loads((run_folder(tmp_path / "runs", "chunk-documents") / "manifest.json").read_text())
    assert manifest["notes"]["chunks"]["tokens_counted_by"] == "estimate"


@pytest.mark.skipif(not HANDBOOK.exists(), reason="the handbook is not beside the project")
def test_the_handbook_is_chunked_alike_by_one_worker_and_two(tmp_path: Path) -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in HANDBOOK.glob("*.md")}
    digests = set()
    for workers in ("1", "2"):
        rows, found = chunked(tmp_path / workers, HANDBOOK, "--workers", workers)
        assert joined(rows) == texts
        digests.add(found["outputs"]["dataset"]["digest"])
    assert len(digests) == 1
    last = {row["doc_id"]: row["chunk_id"] for row in rows}
    for row in rows:
        assert row["n_tokens"] <= 4000
        assert row["n_tokens"] >= 1000 or last[row["doc_id"]] == row["chunk_id"]
        assert not row["cut"]


@pytest.mark.skipif(not HELP.exists(), reason="the help pages are not beside the project")
def test_hindi_help_is_cut_at_no_decimal_and_no_letter(tmp_path: Path) -> None:
    pages = [json.loads(line) for line in HELP.read_text(encoding="utf-8").splitlines()]
    (tmp_path / "recipe.yaml").write_text(
        "attar: 1\nname: help\nsteps:\n"
        f"  read: {{use: std.read, with: {{path: {HELP}, map: {{doc_id: id}}}}}}\n"
        "  chunks: {use: rag.chunk, from: read, with: {min_tokens: 20, max_tokens: 90, language: hi}}\n"
        "outputs: {dataset: {from: chunks, format: parquet}}\n"
    )
    attar = Attar(tmp_path, None)
    attar("run", "recipe.yaml", "--runs", attar.runs)
    rows = table(run_folder(attar.runs, "help") / "dataset")
    assert joined(rows) == {page["id"]: page["text"] for page in pages}
    assert len(rows) > 3 * len(pages)
    for row in rows:
        assert row["n_tokens"] <= 90
        assert row["cut"] or row["chunk"].rstrip()[-1:] in set("।.?!:;|)") or row["chunk"].endswith("\n") or (
            row["end"] == len(next(page["text"] for page in pages if page["id"] == row["doc_id"]))
        )  # fmt: skip
