"""rag.index and rag.retrieve by embeddings: the same as faiss finds, both lists fused, many queries at once."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Mapping
from typing import Any

import faiss
import numpy as np
import pytest

from attar.api import Reject, Row, RowError
from attar.testing import FakeContext, StepContract, build, run_row_step
from attar_rag.retrieval.index import Index
from attar_rag.retrieval.retrieve import Retrieve

SIZE = 24


def vector(text: str) -> list[float]:
    """A direction that depends on the text alone."""
    return np.random.default_rng(list(text.encode())).normal(size=SIZE).tolist()  # type: ignore[no-any-return]


def embed(call: Mapping[str, Any]) -> Any:
    return [vector(text) for text in call["texts"]]


def chunks(count: int) -> list[dict[str, Any]]:
    return [{"chunk_id": f"{n:04}", "chunk": f"nomor {n}", "embedding": vector(f"nomor {n}")} for n in range(count)]


def find(query: str, rows: list[dict[str, Any]], row: Mapping[str, Any] | None = None, **config: Any) -> Any:
    step = build(Retrieve, {"query": "question", "index": "c", "mode": "embeddings", "model": "m", **config})
    [found] = run_row_step(step, [{"question": query, **(row or {})}], FakeContext(embed, side={"index": rows}))
    return found


class TestIndexContract(StepContract):
    step = Index
    config = {"model": "m", "prefix": "passage: "}
    rows = [{"chunk": "satu"}, {"chunk": "दो"}, {"chunk": " \n"}, {"chunk": None}]
    incoming = {"chunk": "string?"}


class TestHybridContract(StepContract):
    step = Retrieve
    config = {"query": "question", "index": "c", "mode": "hybrid", "model": "m"}
    rows = [{"question": "nomor 3"}, {"question": ""}]
    answers = staticmethod(embed)
    side = {"index": chunks(5)}


def test_a_chunk_gets_the_embedding_of_its_text_behind_the_prefix() -> None:
    step = build(Index, {"model": "m", "prefix": "passage: "})
    one, empty = run_row_step(step, [{"chunk": "satu"}, {"chunk": " "}], FakeContext(embed))
    assert one == {"embedding": vector("passage: satu")}
    assert isinstance(empty, Reject)
    assert empty.code == "empty_text"


def test_the_same_chunks_as_faiss_finds() -> None:
    rows = chunks(500)
    direct = faiss.IndexFlatIP(SIZE)
    matrix = np.array([row["embedding"] for row in rows], np.float32)
    faiss.normalize_L2(matrix)
    direct.add(matrix)
    for query in ("biaya", "asrama", "छात्रवृत्ति"):
        one = np.array([vector("query: " + query)], np.float32)
        faiss.normalize_L2(one)
        scores, numbers = direct.search(one, 7)
        found = find(query, rows, top_k=7, query_prefix="query: ")
        assert found["context_ids"] == [rows[n]["chunk_id"] for n in numbers[0]]
        assert found["retrieval_scores"] == pytest.approx(scores[0].tolist(), abs=1e-5)


def test_many_queries_at_once_find_what_each_finds_alone() -> None:
    rows = chunks(300)
    config = {"query": "q", "index": "c", "mode": "hybrid", "model": "m", "top_k": 5, "fetch": 9}
    queries = [f"nomor {n} {n * 7}" for n in range(150)]
    context = FakeContext(embed, side={"index": rows})

    async def at_once() -> list[Any]:
        step = build(Retrieve, config)
        each = [Row(str(n), {"q": query}) for n, query in enumerate(queries)]
        return await asyncio.gather(*(step.apply(row, context.for_row(row)) for row in each))

    assert asyncio.run(at_once()) == run_row_step(build(Retrieve, config), [{"q": q} for q in queries], context)


def test_equal_vectors_come_by_id_however_many_there_are() -> None:
    same = vector("nomor 7")
    rows = [{"chunk_id": f"{n:04}", "chunk": "x", "embedding": same} for n in reversed(range(200))]
    assert find("nomor 7", rows, top_k=3)["context_ids"] == ["0000", "0001", "0002"]


def test_what_is_excluded_makes_room() -> None:
    rows = chunks(60)
    everything = find("biaya", rows, top_k=60)["context_ids"]
    assert len(everything) == 60
    gone = everything[:40]
    assert find("biaya", rows, {"gold": gone}, exclude="gold", top_k=5)["context_ids"] == everything[40:45]


def test_both_lists_are_fused_by_reciprocal_rank() -> None:
    """By words: a, b (b is longer). By embeddings: c, b, a. So b: 1/62 + 1/62, a: 1/61 + 1/63, c: 1/61."""
    rows = [
        {"chunk_id": "a", "chunk": "uang kuliah", "embedding": [0.5, 1.0]},
        {"chunk_id": "b", "chunk": "uang kuliah dibayar lewat bank", "embedding": [0.8, 0.6]},
        {"chunk_id": "c", "chunk": "asrama", "embedding": [2.0, 0.0]},
    ]
    step = build(Retrieve, {"query": "q", "index": "c", "mode": "hybrid", "model": "m"})
    context = FakeContext(lambda call: [[3.0, 0.0]], side={"index": rows})
    [found] = run_row_step(step, [{"q": "uang kuliah"}], context)
    expected = {"a": 1 / 61 + 1 / 63, "b": 1 / 62 + 1 / 62, "c": 1 / 61}
    best = sorted(expected, key=lambda id: (-expected[id], id))
    assert found["context_ids"] == best
    assert found["retrieval_scores"] == pytest.approx([expected[id] for id in best])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"chunk_id": "a", "chunk": "x"}], "rag.index"),
        ([{"chunk_id": "a", "chunk": "x", "embedding": "no"}], "not embeddings"),
        (
            [{"chunk_id": "a", "chunk": "x", "embedding": [1.0] * n} for n in (24, 23)],
            "not of one model",
        ),
        ([{"chunk_id": "a", "chunk": "x", "embedding": [1.0, 0.0]}], "the same model"),
        ([{"chunk_id": "a", "chunk": "x", "embedding": [float("inf")] * SIZE}], "not finite"),
    ],
)
def test_an_index_that_cannot_be_searched_says_why(rows: list[dict[str, Any]], said: str) -> None:
    found = find("biaya", rows)
    assert isinstance(found, RowError)
    assert found.code == "bad_index"
    assert said in found.detail


def test_a_step_in_use_pickles() -> None:
    step = build(Retrieve, {"query": "q", "index": "c"})
    run_row_step(step, [{"q": "nomor"}], FakeContext(side={"index": chunks(3)}))
    again = pickle.loads(pickle.dumps(step))
    [found] = run_row_step(again, [{"q": "nomor 2"}], FakeContext(side={"index": chunks(3)}))
    assert found["context_ids"][0] == "0002"
