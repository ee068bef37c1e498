"""rag.retrieve from a real Chroma folder, and embeddings by a real sentence-transformers model. `make test-real`."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from attar.testing import FakeContext, build, run_row_step
from attar_rag.retrieval.index import Index
from attar_rag.retrieval.retrieve import Retrieve


def needs(package: str) -> Any:
    """ATTAR_REAL is set by retrieval.sh: there, a missing package is a failure and not a reason to skip."""
    gone = not os.environ.get("ATTAR_REAL") and importlib.util.find_spec(package) is None
    return pytest.mark.skipif(gone, reason=f"{package} is not installed here; `make test-real` brings its own")


# The libraries' own deprecation warnings are not ours to answer for.
pytestmark = [pytest.mark.real, pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]

SIZE = 8
TEXTS = [f"aturan {n} छात्र" for n in range(30)]


def vector(text: str) -> list[float]:
    """A direction that depends on the text alone."""
    import numpy as np

    return np.random.default_rng(list(text.encode())).normal(size=SIZE).tolist()  # type: ignore[no-any-return]


def embed(call: Mapping[str, Any]) -> Any:
    return [vector(text) for text in call["texts"]]


# -- Chroma --------------------------------------------------------------------------------------------------------


def make(folder: Path, space: str) -> Path:
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
    rules = client.create_collection("rules", embedding_function=None, configuration={"hnsw": {"space": space}})
    rules.add(ids=[f"r#{n}" for n in range(30)], embeddings=[vector(text) for text in TEXTS], documents=TEXTS)
    return folder


def find(folder: Path, row: Mapping[str, Any] | None = None, **config: Any) -> Any:
    store = {"chroma": {"path": str(folder), "collection": "rules"}}
    step = build(Retrieve, {"query": "q", "mode": "embeddings", "model": "m", "store": store, **config})
    assert list(step.check({"q": "string", "gold": "list<string>"})) == []
    [found] = run_row_step(step, [{"q": "biaya", **(row or {})}], FakeContext(embed))
    return found


@needs("chromadb")
@pytest.mark.parametrize("space", ["cosine", "l2", "ip"])
def test_the_nearest_documents_of_a_chroma_folder(tmp_path: Path, space: str) -> None:
    import numpy as np

    folder = make(tmp_path / "c", space)
    before = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    matrix, query = np.array([vector(text) for text in TEXTS]), np.array(vector("biaya"))
    products = matrix @ query
    scores = {
        "cosine": products / np.linalg.norm(matrix, axis=1) / np.linalg.norm(query),
        "l2": -((matrix - query) ** 2).sum(axis=1),
        "ip": products,
    }[space]
    best = np.argsort(-scores)[:5]
    found = find(folder, top_k=5)
    assert found["context_ids"] == [f"r#{n}" for n in best]
    assert found["contexts"] == [TEXTS[n] for n in best]
    assert found["retrieval_scores"] == pytest.approx(scores[best].tolist(), abs=1e-4)
    gone = find(folder, {"gold": found["context_ids"][:3]}, exclude="gold", top_k=2)
    assert gone["context_ids"] == found["context_ids"][3:]
    assert {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()} == before


@needs("chromadb")
def test_a_collection_that_is_not_there_is_told_before_anything_runs(tmp_path: Path) -> None:
    store = {"chroma": {"path": str(make(tmp_path / "c", "cosine")), "collection": "rule"}}
    step = build(Retrieve, {"query": "q", "mode": "embeddings", "model": "m", "store": store})
    [problem] = step.check({"q": "string"})
    assert problem.field == ("store", "chroma", "collection")
    assert "rules" in problem.help


# -- sentence-transformers -----------------------------------------------------------------------------------------


def make_model(folder: Path) -> Path:
    """A small random BERT over characters, saved as sentence-transformers saves its models."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = sorted(set("abcdefghijklmnopqrstuvwxyz0123456789?.,:" + "".join(TEXTS)) - {" "})
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{one}" for one in letters)]
    bare = folder.with_name("bare")
    bare.mkdir()
    (bare / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizerFast(
        vocab=str(bare / "vocab.txt"), vocab_file=str(bare / "vocab.txt"), strip_accents=False
    ).save_pretrained(bare)
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(bare)
    body = Transformer(str(bare))
    SentenceTransformer(modules=[body, Pooling(32)], device="cpu").save(str(folder))
    return folder


@needs("sentence_transformers")
def test_a_model_in_a_folder_embeds_chunks_and_queries(tmp_path: Path) -> None:
    import numpy as np
    from sentence_transformers import SentenceTransformer

    folder = make_model(tmp_path / "model")
    local = {"folder": str(folder), "device": "cpu"}
    index = build(Index, {"embedder": local, "prefix": "isi: "})
    assert list(index.check({"chunk": "string"})) == []
    assert str(folder / "modules.json") in index.inputs()
    rows = [{"chunk_id": f"r#{n:02}", "chunk": text} for n, text in enumerate(TEXTS)]
    embedded = [{**row, **made} for row, made in zip(rows, run_row_step(index, rows, FakeContext()), strict=True)]
    step = build(
        Retrieve, {"query": "q", "index": "c", "mode": "embeddings", "embedder": local, "query_prefix": "tanya: "}
    )
    [found] = run_row_step(step, [{"q": "aturan 7?"}], FakeContext(side={"index": embedded}))

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    matrix = model.encode([f"isi: {text}" for text in TEXTS], normalize_embeddings=True)
    scores = matrix @ model.encode("tanya: aturan 7?", normalize_embeddings=True)
    best = np.argsort(-scores)[:3]
    assert found["retrieval_scores"] == pytest.approx(scores[best].tolist(), abs=1e-4)
    assert set(found["context_ids"]) == {f"r#{n:02}" for n in best}
