"""Whole runs of rag.index and rag.retrieve: against a server of embeddings, by one and two workers, from a store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient, models
from support.runs import Attar, results, run_folder, table

from attar.testing.stand_in import StandInServer

DOCUMENTS = {
    "biaya.md": "# Biaya\n\nUang kuliah dibayar sebelum 15 Agustus.\n\n## Denda\n\nDenda Rp 25.000 per hari.\n",
    "asrama.md": "# Asrama\n\nWisma Bima untuk putra, empat orang per kamar. Gerbang ditutup pukul 22.00.\n",
    "bantuan.md": "# सहायता\n\nछात्रवृत्ति का आवेदन अगस्त में भरें। कार्यालय सोमवार को खुलता है।\n",
}
QUESTIONS = ["Berapa denda per hari?", "Kapan gerbang asrama ditutup?", "छात्रवृत्ति का आवेदन कब?", "…", "wisma putra"]
HYBRID = """
attar: 1
name: hybrid
models:
  embedder: {model: tiny-embedder}
steps:
  read: {use: std.read, with: {path: documents, format: text, map: {doc_id: path}}}
  chunks: {use: rag.chunk, from: read, with: {min_tokens: 1, max_tokens: 32}}
  embedded: {use: rag.index, from: chunks, model: embedder}
  questions: {use: std.read, with: {path: questions.jsonl}}
  found:
    use: rag.retrieve
    from: questions
    index: embedded
    model: embedder
    with: {query: question, mode: hybrid, top_k: 2}
outputs:
  dataset: {from: found}
"""
STORE = """
attar: 1
name: store
models:
  embedder: {model: tiny-embedder}
steps:
  questions: {use: std.read, with: {path: questions.jsonl}}
  found:
    use: rag.retrieve
    from: questions
    model: embedder
    with: {query: question, mode: embeddings, top_k: 2, store: {qdrant: {path: store, collection: rules}}}
outputs:
  dataset: {from: found}
"""


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with StandInServer.start() as one:
        yield one


@pytest.fixture
def attar(tmp_path: Path, server: StandInServer) -> Attar:
    (tmp_path / "documents").mkdir()
    for name, text in DOCUMENTS.items():
        (tmp_path / "documents" / name).write_text(text, encoding="utf-8")
    lines = [json.dumps({"question": text}) for text in QUESTIONS]
    (tmp_path / "questions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "hybrid.yaml").write_text(HYBRID, encoding="utf-8")
    (tmp_path / "store.yaml").write_text(STORE, encoding="utf-8")
    return Attar(tmp_path, server.url, ATTAR_RETRY="tries=2,first=0.01")


def dataset(runs: Path, recipe: str) -> list[dict[str, Any]]:
    return table(run_folder(runs, recipe) / "dataset")


def test_workers_agree_and_nothing_is_paid_twice(attar: Attar, server: StandInServer) -> None:
    attar("run", "hybrid.yaml", "--workers", "1", "--runs", attar.folder / "one", expect=0)
    rows = dataset(attar.folder / "one", "hybrid")
    ledger = results(attar.folder / "one", "hybrid")["ledger"]
    chunks = ledger["chunks"]["made"]
    paid = server.stats()["requests"]
    assert paid == chunks + len(rows)
    assert ledger["found"]["rejected"] == 1  # the question without a word
    by_question = {row["question"]: row for row in rows}
    assert len(by_question) == len(QUESTIONS) - 1
    assert all(len(row["context_ids"]) == len(row["contexts"]) == 2 for row in rows)

    attar("run", "hybrid.yaml", "--workers", "2", "--runs", attar.folder / "two")
    assert server.stats()["requests"] == 2 * paid
    digests = [results(attar.folder / name, "hybrid")["outputs"]["dataset"]["digest"] for name in ("one", "two")]
    assert digests[0] == digests[1]
    assert dataset(attar.folder / "two", "hybrid") == rows

    attar("run", "hybrid.yaml", "--runs", attar.folder / "one")
    assert server.stats()["requests"] == 2 * paid


def test_an_endpoint_that_fails_leaves_dead_letters_that_a_later_run_takes_up(
    attar: Attar, server: StandInServer
) -> None:
    attar("run", "hybrid.yaml", "--runs", attar.runs)
    server.configure(faults={"503": 1.0})
    lines = [json.dumps({"question": text}) for text in ["Berapa orang per kamar?", "Kapan uang kuliah dibayar?"]]
    (attar.folder / "questions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    attar("run", "hybrid.yaml", "--runs", attar.runs, expect=1)
    dead = table(run_folder(attar.runs, "hybrid") / "dead_letter")
    assert [one["code"] for one in dead] == ["transport"] * 2
    server.recover()
    attar("run", "hybrid.yaml", "--runs", attar.runs)
    assert len(dataset(attar.runs, "hybrid")) == 2


def test_a_store_is_read_by_two_workers_and_read_again_once_it_has_changed(attar: Attar) -> None:
    def add(*texts: str) -> None:
        client = QdrantClient(path=str(attar.folder / "store"))
        if not client.collection_exists("rules"):
            size = models.VectorParams(size=8, distance=models.Distance.COSINE)
            client.create_collection("rules", vectors_config=size)
        held = client.count("rules").count
        points = [
            models.PointStruct(id=held + n, vector=[1.0 + n, *[0.5] * 7], payload={"text": text})
            for n, text in enumerate(texts)
        ]
        client.upsert("rules", points)
        client.close()

    add("pertama")
    attar("run", "store.yaml", "--workers", "2", "--runs", attar.runs)
    rows = dataset(attar.runs, "store")
    assert [row["contexts"] for row in rows] == [["pertama"]] * 4
    again = attar("run", "store.yaml", "--runs", attar.runs)
    assert dataset(attar.runs, "store") == rows
    add("kedua", "ketiga")
    changed = attar("run", "store.yaml", "--runs", attar.runs)
    assert all(len(row["contexts"]) == 2 for row in dataset(attar.runs, "store"))
    assert again.stderr != changed.stderr
