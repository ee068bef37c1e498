"""rag.retrieve by words: what a word is, the same chunks as bm25s finds, ties, what is left out, odd queries."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import bm25s
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attar.api import Reject, RowError
from attar.plan import check
from attar.testing import FakeContext, StepContract, build, run_row_step
from attar_rag.retrieval.retrieve import Retrieve
from attar_rag.retrieval.terms import terms

CHUNKS = [
    {"chunk_id": "a#0", "chunk": "Pendaftaran beasiswa dibuka setiap Agustus di loket akademik."},
    {"chunk_id": "a#1", "chunk": "हिन्दी में छात्रवृत्ति का आवेदन अगस्त में भरें।"},
    {"chunk_id": "b#0", "chunk": "Wi-Fi kampus: pilih jaringan CAMPUS, masukkan NIM dan sandi."},
    {"chunk_id": "b#1", "chunk": "हिन हिनाता घोड़ा; दी गई पुस्तक वापस करें।"},
]


def find(query: Any, chunks: list[dict[str, Any]] = CHUNKS, row: dict[str, Any] | None = None, **config: Any) -> Any:
    step = build(Retrieve, {"query": "question", "index": "chunks", **config})
    [found] = run_row_step(step, [{"question": query, **(row or {})}], FakeContext(side={"index": chunks}))
    return found


class TestContract(StepContract):
    step = Retrieve
    config = {"query": "question", "index": "chunks", "exclude": "gold"}
    rows = [
        {"question": "beasiswa agustus", "gold": None},
        {"question": "sandi Wi-Fi", "gold": "b#0"},
        {"question": "", "gold": None},
        {"question": None, "gold": None},
    ]
    incoming = {"question": "string?", "gold": "string?"}
    side = {"index": CHUNKS}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("हिन्दी में, क्‍या?", ["हिन्दी", "में", "क्या"]),
        ("Ａ4 ÉCOLE École E\u0301cole", ["ａ4", "école", "école", "école"]),
        ("தமிழ்நாடு—চট্টগ্রাম", ["தமிழ்நாடு", "চট্টগ্রাম"]),
        ("?! … ---", []),
    ],
)
def test_words_are_whole_in_any_script(text: str, found: list[str]) -> None:
    assert terms(text) == found


def test_a_hindi_word_is_found_whole_and_not_by_its_pieces() -> None:
    assert find("हिन्दी")["context_ids"] == ["a#1"]


def test_the_best_come_first_with_text_and_score() -> None:
    found = find("kapan pendaftaran beasiswa dibuka dan di mana jaringan?", top_k=2)
    assert found["context_ids"] == ["a#0", "b#0"]
    assert found["contexts"] == [CHUNKS[0]["chunk"], CHUNKS[2]["chunk"]]
    assert found["retrieval_scores"] == sorted(found["retrieval_scores"], reverse=True)
    assert found["retrieval_scores"][1] > 0


@pytest.mark.parametrize("query", [None, "", "  \n", "?!", "…"])
def test_a_query_without_a_word_is_rejected(query: Any) -> None:
    found = find(query)
    assert isinstance(found, Reject)
    assert found.code == "empty_query"


def test_no_chunk_is_found_for_words_that_none_has() -> None:
    assert find("xylofon") == {"context_ids": [], "contexts": [], "retrieval_scores": []}
    assert find("beasiswa", [])["context_ids"] == []
    assert find("beasiswa", [{"chunk_id": "a", "chunk": "…"}, {"chunk_id": "b", "chunk": ""}])["context_ids"] == []


def test_more_than_there_is_gives_what_there_is() -> None:
    assert find("di beasiswa kampus", top_k=1000)["context_ids"] == ["a#0", "b#0"]


@pytest.mark.parametrize("gold", ["a#0", ["a#0"], ["zz", "a#0", None]])
def test_what_is_excluded_is_not_found_and_makes_room(gold: Any) -> None:
    row = {"gold": gold}
    assert find("di beasiswa kampus", row=row, exclude="gold", top_k=1)["context_ids"] == ["b#0"]
    assert find("di beasiswa kampus", row={"gold": None}, exclude="gold", top_k=1)["context_ids"] == ["a#0"]


def test_equal_scores_come_by_id_however_the_chunks_lie() -> None:
    chunks = [{"chunk_id": f"d#{n}", "chunk": "sama saja"} for n in range(40)]
    for seed in range(3):
        random.Random(seed).shuffle(chunks)
        assert find("sama", chunks, top_k=3)["context_ids"] == ["d#0", "d#1", "d#10"]


def test_low_scores_are_left_out_and_columns_are_named_as_wanted() -> None:
    everything = find("beasiswa kampus dan", top_k=4)
    assert len(everything["context_ids"]) == 2
    least = everything["retrieval_scores"][0]
    assert find("beasiswa kampus dan", min_score=least, column_prefix="gold_")["gold_context_ids"] == ["b#0"]


def test_a_column_that_the_index_lacks_is_named() -> None:
    found = find("beasiswa", text="body")
    assert isinstance(found, RowError)
    assert found.code == "bad_index"
    assert "'body'" in found.detail
    assert "chunk_id, chunk" in found.detail


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, ("index",)),
        ({"index": "c", "store": {"qdrant": {"path": "x", "collection": "c"}}}, ("index",)),
        ({"index": "c", "mode": "embeddings"}, ("model",)),
        ({"index": "c", "mode": "hybrid", "model": "m", "embedder": {"folder": "nowhere"}}, ("model",)),
        ({"index": "c", "model": "m"}, ("model",)),
        ({"index": "c", "mode": "hybrid", "model": "m", "fetch": 2}, ("fetch",)),
        ({"index": "c", "exclude": "number"}, ("exclude",)),
    ],
)
def test_wrong_settings_are_told_before_anything_runs(config: dict[str, Any], field: tuple[str, ...]) -> None:
    step = build(Retrieve, {"query": "q", **config})
    problems = [problem.field for problem in step.check({"q": "string", "number": "int"})]
    assert field in problems


RECIPE = """
attar: 1
name: lacking
models: {e: {model: tiny}}
steps:
  read: {use: std.read, with: {path: here.jsonl}}
  chunks: {use: rag.chunk, from: read}
  found:
    use: rag.retrieve
    from: read
    index: chunks
    model: e
    with: {query: text, mode: hybrid, text: body, id: heading_path}
outputs: {dataset: {from: found}}
"""


def test_columns_that_the_index_lacks_are_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "here.jsonl").write_text('{"text": "x"}\n', encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    plan, faults = check(tmp_path / "recipe.yaml", {})
    assert plan is None
    told = {fault.code + " " + fault.message for fault in faults}
    assert told == {
        "E501 step 'chunks' has no column 'body'",
        "E501 step 'chunks' has no column 'embedding'",
        "E503 column 'heading_path' of step 'chunks' is list<string>, expected string or int",
    }


WORDS = ["beasiswa", "kampus", "नामांकन", "छात्र", "asrama", "bayar", "UKT", "login"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=12), min_size=1, max_size=20),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6),
    st.integers(1, 25),
)
def test_the_same_chunks_as_bm25s_finds(texts: list[list[str]], query: list[str], k: int) -> None:
    chunks = [{"chunk_id": f"{n:02}", "chunk": " ".join(words)} for n, words in enumerate(texts)]
    found = find(" ".join(query), chunks, top_k=k)
    if not any(texts):
        assert found["context_ids"] == []
        return
    direct = bm25s.BM25(method="lucene")
    direct.index([[word.casefold() for word in words] for words in texts], show_progress=False)
    scores = direct.get_scores([word.casefold() for word in query])
    best = sorted((-float(score), f"{n:02}") for n, score in enumerate(scores) if score > 0)[:k]
    assert found["retrieval_scores"] == pytest.approx([-score for score, _ in best], abs=1e-5)
    assert found["context_ids"] == [id for _, id in best]


PAGES = Path(__file__).parents[3] / "shared" / "data" / "help_hi.jsonl"


@pytest.mark.skipif(not PAGES.exists(), reason="the Hindi help pages are not beside this checkout")
def test_hindi_pages_are_found_by_their_own_sentences() -> None:
    from attar.api.text import sentences, words

    pages = [json.loads(line) for line in PAGES.read_text(encoding="utf-8").splitlines()]
    chunks = [{"chunk_id": page["id"], "chunk": page["text"]} for page in pages]
    asked = [(page["id"], one.text) for page in pages for one in sentences(page["text"]) if len(words(one.text)) > 12]
    assert len(asked) > 300
    step = build(Retrieve, {"query": "q", "index": "c", "top_k": 3})
    found = run_row_step(step, [{"q": text} for _, text in asked], FakeContext(side={"index": chunks}))
    there = sum(page in one["context_ids"] for (page, _), one in zip(asked, found, strict=True))
    assert there / len(asked) > 0.95
