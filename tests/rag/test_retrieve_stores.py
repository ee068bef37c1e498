"""rag.retrieve from a Qdrant collection that exists, as a folder and over HTTP; and what is told of stores before."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from attar.api import RowError
from attar.testing import FakeContext, build, run_row_step
from attar_rag.retrieval.retrieve import Retrieve

SIZE = 8


def vector(text: str) -> list[float]:
    """A direction that depends on the text alone."""
    return np.random.default_rng(list(text.encode())).normal(size=SIZE).tolist()  # type: ignore[no-any-return]


def embed(call: Mapping[str, Any]) -> Any:
    return [vector(text) for text in call["texts"]]


TEXTS = [f"aturan {n} छात्र" for n in range(30)]


def make(folder: Path, distance: models.Distance = models.Distance.COSINE, named: str | None = None) -> Path:
    """A collection `rules` of TEXTS, beside one that is of no concern."""
    client = QdrantClient(path=str(folder))
    params = models.VectorParams(size=SIZE, distance=distance)
    client.create_collection("rules", vectors_config={named: params} if named else params)
    client.create_collection("other", vectors_config=params)
    points = [
        models.PointStruct(
            id=n,
            vector={named: vector(text)} if named else vector(text),
            payload={"text": text, "chunk_id": f"r#{n}", "n": n},
        )
        for n, text in enumerate(TEXTS)
    ]
    client.upsert("rules", points)
    client.close()
    return folder


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that no test changes."""
    return make(tmp_path_factory.mktemp("store") / "q")


def find(query: str, store: dict[str, Any], row: Mapping[str, Any] | None = None, **config: Any) -> Any:
    config = {"query": "q", "mode": "embeddings", "model": "m", "store": {"qdrant": store}, **config}
    [found] = run_row_step(build(Retrieve, config), [{"q": query, **(row or {})}], FakeContext(embed))
    return found


def cosines(query: str) -> list[float]:
    def unit(text: str) -> Any:
        one = np.array(vector(text))
        return one / np.linalg.norm(one)

    return [float(unit(text) @ unit(query)) for text in TEXTS]


@pytest.mark.parametrize("named", [None, "dense"])
def test_the_nearest_points_of_a_folder(tmp_path: Path, rules: Path, named: str | None) -> None:
    folder = make(tmp_path / "q", named=named) if named else rules
    store = {"path": str(folder), "collection": "rules", "id": "chunk_id", "vector": named}
    found = find("कितनी फीस", store, top_k=4)
    near = cosines("कितनी फीस")
    best = sorted(range(30), key=lambda n: -near[n])[:4]
    assert found["context_ids"] == [f"r#{n}" for n in best]
    assert found["contexts"] == [TEXTS[n] for n in best]
    assert found["retrieval_scores"] == pytest.approx([near[n] for n in best], abs=1e-5)


def test_a_distance_becomes_a_score_that_is_better_when_higher(tmp_path: Path) -> None:
    make(tmp_path / "q", models.Distance.EUCLID)
    found = find("biaya", {"path": str(tmp_path / "q"), "collection": "rules"}, top_k=30)
    away = [float(np.linalg.norm(np.array(vector(text)) - np.array(vector("biaya")))) for text in TEXTS]
    assert found["context_ids"] == [str(n) for n in sorted(range(30), key=lambda n: away[n])]
    assert found["retrieval_scores"] == pytest.approx(sorted((-one for one in away), reverse=True), abs=1e-4)


def test_what_is_excluded_makes_room(rules: Path) -> None:
    store = {"path": str(rules), "collection": "rules", "id": "chunk_id"}
    everything = find("biaya", store, top_k=30)["context_ids"]
    found = find("biaya", store, {"gold": everything[:25]}, exclude="gold", top_k=3)
    assert found["context_ids"] == everything[25:28]


def test_the_store_stays_as_it_is_and_may_be_open_elsewhere(tmp_path: Path) -> None:
    folder = make(tmp_path / "q")
    before = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    open_elsewhere = QdrantClient(path=str(folder))
    step = build(
        Retrieve,
        {
            "query": "q",
            "mode": "embeddings",
            "model": "m",
            "store": {"qdrant": {"path": str(folder), "collection": "rules"}},
        },
    )
    [found] = run_row_step(step, [{"q": "biaya"}], FakeContext(embed))
    open_elsewhere.close()
    assert len(found["context_ids"]) == 3
    assert {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()} == before
    names = [Path(name).relative_to(folder).as_posix() for name in step.inputs()]
    assert names == ["meta.json", "collection/rules/storage.sqlite"]


def test_a_query_of_another_size_and_a_point_without_text_are_told(rules: Path) -> None:
    folder = rules
    wrong = find("biaya", {"path": str(folder), "collection": "rules", "text": "body"})
    assert isinstance(wrong, RowError)
    assert (wrong.code, "'body'" in wrong.detail) == ("bad_index", True)
    config = {"query": "q", "mode": "embeddings", "model": "m"}
    step = build(Retrieve, {**config, "store": {"qdrant": {"path": str(folder), "collection": "rules"}}})
    [wrong] = run_row_step(step, [{"q": "biaya"}], FakeContext(lambda call: [[1.0, 2.0]]))
    assert (wrong.code, "2 numbers" in wrong.detail) == ("bad_index", True)


@pytest.mark.parametrize(
    ("store", "mode", "field", "said"),
    [
        ({"qdrant": {"path": "{q}", "collection": "rule"}}, "embeddings", "collection", "other, rules"),
        ({"qdrant": {"path": "{q}/none", "collection": "rules"}}, "embeddings", "path", "no folder of a Qdrant"),
        ({"qdrant": {"collection": "rules"}}, "embeddings", "qdrant", "`path` or a `url`"),
        ({"chroma": {"path": "{q}", "collection": "rules"}}, "embeddings", "path", "no folder of a Chroma"),
        ({}, "embeddings", "store", "one store"),
        ({"qdrant": {"path": "{q}", "collection": "rules"}}, "hybrid", "mode", "by embeddings"),
    ],
)
def test_wrong_stores_are_told_before_anything_runs(rules: Path, store: Any, mode: str, field: str, said: str) -> None:
    store = json.loads(json.dumps(store).replace("{q}", str(rules)))
    step = build(Retrieve, {"query": "q", "mode": mode, "model": "m", "store": store})
    told = {problem.field[-1]: f"{problem.message} {problem.help}" for problem in step.check({"q": "string"})}
    assert said in told[field]


# -- a server ------------------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Answers as Qdrant's REST interface does, from a local collection; `asked` counts the searches."""

    daemon_threads = True
    asked = 0
    down = False
    store: QdrantClient


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *words: Any) -> None:
        pass

    def _say(self, code: int, result: Any) -> None:
        body = json.dumps({"time": 0.0, "status": "ok", "result": result}).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.server.down or self.path != "/collections/rules":
            self._say(500 if self.server.down else 404, None)
        else:
            self._say(200, json.loads(self.server.store.get_collection("rules").model_dump_json()))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked += 1
        found = self.server.store.query_points(
            "rules", query=body["query"]["nearest"], limit=body["limit"], with_payload=True
        )
        self._say(200, json.loads(found.model_dump_json()))


@pytest.fixture
def server(rules: Path) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), _Handler) as one:
        one.store = QdrantClient(path=str(rules), force_disable_check_same_thread=True)
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield one
        one.shutdown()
        one.store.close()


def test_a_server_says_the_same_as_its_folder_and_is_asked_once(rules: Path, server: Server) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    config = {"query": "q", "mode": "embeddings", "model": "m", "top_k": 4}
    step = build(Retrieve, {**config, "store": {"qdrant": {"url": url, "collection": "rules", "id": "chunk_id"}}})
    context = FakeContext(embed)
    first = run_row_step(step, [{"q": "biaya"}], context)
    assert run_row_step(step, [{"q": "biaya"}], context) == first
    assert server.asked == 1
    folder = {"path": str(rules), "collection": "rules", "id": "chunk_id"}
    assert first == [find("biaya", folder, top_k=4)]
    assert url in step.notes()["store"]
    assert step.inputs() == []


def test_a_server_that_fails_is_a_matter_of_transport(server: Server) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    missing = find("biaya", {"url": url, "collection": "nope"})
    assert (missing.code, "404" in missing.detail) == ("bad_index", True)
    server.down = True
    assert find("biaya", {"url": url, "collection": "rules"}).code == "transport"
    assert find("biaya", {"url": "http://127.0.0.1:1", "collection": "rules"}).code == "transport"
