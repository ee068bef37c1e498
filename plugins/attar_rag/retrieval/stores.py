"""Vector stores that exist already: Qdrant (a local folder or a server) and Chroma (a local folder).

A local store is never opened where it lies: both libraries lock it, migrate it and write into it. Each process opens a
copy of its own; so several workers can read it, it stays as it was, and so does its digest.
"""

from __future__ import annotations

import json
import os
import shutil
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Any

from pydantic import Field

from attar.api import Config, ConfigProblem, RecipePath, RowError, Runtime

from .embedder import folder_files, needs
from .types import Ask, BadIndex, Hit, Searcher

_SPARE = 16  # asked for beyond what is wanted, so that equals at the end are ordered by their ids


class Qdrant(Config):
    """A Qdrant collection."""

    path: Annotated[str | None, RecipePath()] = Field(None, description="folder of a local store")
    url: str | None = Field(None, description="or address of a server")
    api_key_env: Annotated[str | None, Runtime()] = Field(
        None, description="environment variable that holds the server's key"
    )
    timeout: Annotated[int, Runtime()] = Field(30, ge=1, description="seconds a server has for an answer")
    version: str = Field("", description="a server's content as you name it: another version is asked anew")
    collection: str = Field(..., min_length=1, description="the collection's name")
    vector: str | None = Field(None, description="name of the vectors, where a point has several")
    text: str = Field("text", min_length=1, description="the payload's field with the text")
    id: str | None = Field(None, description="the payload's field with the chunk's id; default: the point's id")


class Chroma(Config):
    """A Chroma collection; its documents are the texts."""

    path: Annotated[str, RecipePath()] = Field(..., description="folder of the store")
    collection: str = Field(..., min_length=1, description="the collection's name")


class Store(Config):
    """One of both."""

    qdrant: Qdrant | None = Field(None, description="a Qdrant collection: path or url, collection, text, id")
    chroma: Chroma | None = Field(None, description="a Chroma collection: path, collection")

    @property
    def remote(self) -> bool:
        """True where another machine answers: its answers are journalled."""
        return self.qdrant is not None and self.qdrant.url is not None


def store_files(store: Store) -> list[str]:
    """The files that hold a local collection: their bytes decide the output."""
    if store.chroma is not None:
        return folder_files(store.chroma.path)
    if store.qdrant is not None and store.qdrant.path is not None:
        here = Path(store.qdrant.path)
        return [str(here / "meta.json"), *folder_files(str(here / "collection" / store.qdrant.collection))]
    return []


def store_notes(store: Store) -> dict[str, str]:
    """What the manifest says of a store whose content has no digest."""
    if not store.remote or store.qdrant is None:
        return {}
    named = f"version {store.qdrant.version!r}" if store.qdrant.version else "no version"
    return {
        "store": f"collection {store.qdrant.collection!r} of {store.qdrant.url}, {named}; "
        "its content has no digest, its answers are journalled"
    }


def check_store(store: Store) -> Iterator[ConfigProblem]:
    """What is wrong with a store, as far as its files tell; nothing is opened or asked."""
    if (store.qdrant is None) == (store.chroma is None):
        yield ConfigProblem(("store",), "expected one store: qdrant or chroma", "name one of them")
        return
    if store.chroma is not None:
        field: tuple[str, ...] = ("store", "chroma")
        yield from needs("chromadb", "chroma", field)
        yield from _check_collection(_chroma_collections(store.chroma.path), store.chroma, "Chroma", field)
    if store.qdrant is not None:
        field = ("store", "qdrant")
        yield from needs("qdrant_client", "retrieval", field)
        if (store.qdrant.path is None) == (store.qdrant.url is None):
            yield ConfigProblem(field, "expected a `path` or a `url`", "give one of them")
        elif store.qdrant.path is not None:
            yield from _check_collection(_qdrant_collections(store.qdrant.path), store.qdrant, "Qdrant", field)


def _check_collection(
    there: Sequence[str] | None, store: Qdrant | Chroma, kind: str, field: Sequence[str]
) -> Iterator[ConfigProblem]:
    if there is None:
        yield ConfigProblem(
            (*field, "path"),
            f"{store.path} is no folder of a {kind} store",
            "name the folder that the store was made with",
        )
    elif store.collection not in there:
        names = ", ".join(sorted(there)) or "none"
        yield ConfigProblem(
            (*field, "collection"),
            f"no collection {store.collection!r} in this store",
            f"its collections: {names}",
        )


def _qdrant_collections(path: str) -> list[str] | None:
    try:
        return list(json.loads(Path(path, "meta.json").read_text(encoding="utf-8"))["collections"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _chroma_collections(path: str) -> list[str] | None:
    import sqlite3

    file = Path(path, "chroma.sqlite3")
    if not file.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            return [name for (name,) in database.execute("select name from collections")]
    except sqlite3.Error:
        return None


def open_store(store: Store, top_k: int) -> Searcher:
    """Opens a store for reading.

    Raises:
        BadIndex: it cannot be opened, or the collection is not in it.
    """
    try:
        if store.chroma is not None:
            return _ChromaSearcher(store.chroma, top_k)
        assert store.qdrant is not None
        return _QdrantSearcher(store.qdrant, top_k)
    except (BadIndex, RowError):
        raise
    except Exception as error:  # what the libraries raise for a store they cannot read has no common kind
        raise BadIndex(f"the store cannot be opened: {type(error).__name__}: {error}") from error


def _copied(owner: Searcher, files: Sequence[str], folder: str) -> str:
    """A copy of the files, removed with its owner."""
    copy = mkdtemp(prefix="attar-store-")
    weakref.finalize(owner, shutil.rmtree, copy, ignore_errors=True)
    for file in files:
        to = Path(copy, os.path.relpath(file, folder))
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to)
    return copy


def _ordered(hits: Sequence[Hit], ask: Ask, top_k: int) -> list[Hit]:
    kept = [hit for hit in hits if hit.id not in ask.exclude]
    return sorted(kept, key=lambda hit: (-hit.score, hit.id))[:top_k]


def _same_size(found: int | None, ask: Ask) -> None:
    if found is not None and len(ask.vector or ()) != found:
        raise BadIndex(
            f"the query's embedding has {len(ask.vector or ())} numbers, those of the store {found}: "
            "name the model that made the store"
        )


class _QdrantSearcher:
    def __init__(self, config: Qdrant, top_k: int) -> None:
        self._config = config
        self._top_k = top_k
        self._size: int | None = None
        self._lower_is_better = False
        from qdrant_client import QdrantClient

        if config.path is not None:
            folder = _copied(self, store_files(Store(qdrant=config)), config.path)
            # Only this collection is in the copy; what the list says of others would be made anew, empty.
            meta = Path(folder, "meta.json")
            known: Mapping[str, Any] = json.loads(meta.read_text(encoding="utf-8"))
            one = {config.collection: known["collections"][config.collection]}
            meta.write_text(json.dumps({**known, "collections": one, "aliases": {}}), encoding="utf-8")
            self._client = QdrantClient(path=folder, force_disable_check_same_thread=True)
        else:
            key = os.environ.get(config.api_key_env) if config.api_key_env else None
            self._client = QdrantClient(
                url=config.url, api_key=key, timeout=config.timeout, check_compatibility=False, prefer_grpc=False
            )
        vectors = self._answer(lambda: self._client.get_collection(config.collection)).config.params.vectors
        if isinstance(vectors, Mapping):
            vectors = vectors.get(config.vector or "")
            if vectors is None:
                raise BadIndex(f"collection {config.collection!r} has no vectors {config.vector!r}; name its `vector`")
        if vectors is not None:
            self._size = vectors.size
            self._lower_is_better = str(vectors.distance.value) in ("Euclid", "Manhattan")

    def search(self, asks: Sequence[Ask]) -> list[list[Hit]]:
        return [self._one(ask) for ask in asks]

    def _one(self, ask: Ask) -> list[Hit]:
        config = self._config
        _same_size(self._size, ask)
        found = self._answer(
            lambda: self._client.query_points(
                config.collection,
                query=list(ask.vector or ()),
                using=config.vector,
                limit=self._top_k + len(ask.exclude) + _SPARE,
                with_payload=True,
            )
        )
        hits = []
        for point in found.points:
            payload = point.payload or {}
            text, id = payload.get(config.text), payload.get(config.id) if config.id is not None else point.id
            if not isinstance(text, str) or id is None:
                lacks = config.id if id is None else config.text
                raise BadIndex(f"point {point.id} of collection {config.collection!r} has no {lacks!r} in its payload")
            hits.append(Hit(str(id), text, float(-point.score if self._lower_is_better else point.score)))
        return _ordered(hits, ask, self._top_k)

    def _answer(self, call: Any) -> Any:
        if self._config.path is not None:
            return call()
        from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

        try:
            return call()
        except ResponseHandlingException as error:
            raise RowError("transport", f"{self._config.url}: {error}") from None
        except UnexpectedResponse as error:
            said = f"{self._config.url} answered {error.status_code} {error.reason_phrase}"
            if error.status_code is not None and error.status_code >= 500:
                raise RowError("transport", said) from None
            raise BadIndex(said) from None


class _ChromaSearcher:
    def __init__(self, config: Chroma, top_k: int) -> None:
        import warnings

        import chromadb
        from chromadb.config import Settings

        self._top_k = top_k
        folder = _copied(self, folder_files(config.path), config.path)
        client = chromadb.PersistentClient(folder, settings=Settings(anonymized_telemetry=False))
        self._collection = client.get_collection(config.collection, embedding_function=None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of embedding functions, which are not used here
            settings: Mapping[str, Any] = self._collection.configuration or {}
        space = (settings.get("hnsw") or settings.get("spann") or {}).get("space")
        # Chroma says distances: 1 - cosine, 1 - product, or squared lengths.
        self._best = 0.0 if (space or "l2") == "l2" else 1.0
        self._count = self._collection.count()

    def search(self, asks: Sequence[Ask]) -> list[list[Hit]]:
        return [self._one(ask) for ask in asks]

    def _one(self, ask: Ask) -> list[Hit]:
        wanted = min(self._count, self._top_k + len(ask.exclude) + _SPARE)
        if not wanted:
            return []
        try:
            found = self._collection.query(
                query_embeddings=[list(ask.vector or ())], n_results=wanted, include=["documents", "distances"]
            )
        except Exception as error:
            raise BadIndex(f"the store cannot be searched: {error}") from None
        rows = zip(found["ids"][0], found["documents"][0], found["distances"][0], strict=True)
        return _ordered(
            [Hit(id, text or "", self._best - float(distance)) for id, text, distance in rows], ask, self._top_k
        )
