"""rag.retrieve: the chunks that answer a query, from a step's rows or from a store that exists already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, ModelRef, Reject, Row, RowError, RowStep, StepRef

from .embedder import Local, check_embedder, embed, folder_files, needs
from .gather import Gather
from .stores import Store, check_store, open_store, store_files, store_notes
from .types import Ask, BadIndex, Hit, Searcher

Mode = Literal["bm25", "embeddings", "hybrid"]


class RetrieveConfig(Config):
    """See Retrieve."""

    query: str = Field(..., min_length=1, description="column with the query")
    index: StepRef | None = Field(None, description="step whose rows are searched (rag.chunk, rag.index, …)")
    store: Store | None = Field(
        None, description="or a store that exists: {qdrant: {path: …, collection: …}} or {chroma: {…}}"
    )
    mode: Mode = Field("bm25", description="bm25, embeddings, or hybrid: both, fused by reciprocal rank")
    model: ModelRef | None = Field(None, description="model that embeds the query (/v1/embeddings)")
    embedder: Local | None = Field(None, description="or a sentence-transformers model: {folder: …}")
    query_prefix: str = Field("", description='put before the query that is embedded ("query: ")')
    top_k: int = Field(3, ge=1, le=1000, description="chunks per query at most")
    exclude: str | None = Field(
        None, description="column with a chunk's id, or a list of ids, that must not be found (the gold chunk)"
    )
    min_score: float | None = Field(None, description="chunks with a lower score are left out")
    fetch: int = Field(50, ge=1, le=10_000, description="hybrid: length of each list before they are fused")
    rrf_k: int = Field(60, ge=0, description="hybrid: a chunk at rank r of a list scores 1 / (rrf_k + r)")
    k1: float = Field(1.5, ge=0, description="BM25: how soon more of the same word stops to count")
    b: float = Field(0.75, ge=0, le=1, description="BM25: how far long chunks are held back")
    id: str = Field("chunk_id", min_length=1, description="the index's column with ids")
    text: str = Field("chunk", min_length=1, description="the index's column with texts")
    embedding: str = Field("embedding", min_length=1, description="the index's column with embeddings")
    column_prefix: str = Field("", description="put before the names of the columns written")


class Retrieve(RowStep[RetrieveConfig]):
    """Finds the `top_k` chunks that answer a row's query.

    Writes `context_ids`, `contexts` (the chunks' texts) and `retrieval_scores`, best first, equal scores by id; fewer
    than `top_k`, or none, where no more is found. Scores are BM25's as Lucene has it (a chunk that shares no word is
    never found), the cosine of the embeddings, or the sum of reciprocal ranks; of a store what it says, made so that
    higher is better.

    Words are runs of letters, marks and digits in any script, case folded. The index is made once per process of the
    rows of `index`, in memory; embeddings are compared exactly, with no approximation. Their bytes, a local model's
    files and a local store's files decide what can be reused. What a remote store says is journalled; it has no digest,
    so give its content a `version`.

    A query without any word is rejected as `empty_query`; a row is dead-lettered as `bad_index` where the index or the
    store cannot be searched, and as `transport` where a model or a remote store cannot be reached.
    """

    Config = RetrieveConfig

    def __init__(self, config: RetrieveConfig) -> None:
        super().__init__(config)
        self._gather: Gather[Ask, list[Hit]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_gather": None}

    def inputs(self) -> Sequence[str]:
        config = self.config
        return [
            *(folder_files(config.embedder.folder) if config.embedder is not None else ()),
            *(store_files(config.store) if config.store is not None else ()),
        ]

    def notes(self) -> Mapping[str, str]:
        return store_notes(self.config.store) if self.config.store is not None else {}

    def reads(self, incoming: Columns) -> Columns:
        wanted = {self.config.query: "string?"}
        if self.config.exclude is not None:
            wanted[self.config.exclude] = "any"
        return wanted

    def writes(self, incoming: Columns) -> Columns:
        ids, texts, scores = self._columns
        return self.add(
            incoming, {ids: "list<string>", texts: "list<string>", scores: "list<float>"}, ("column_prefix",)
        )

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        if (config.index is None) == (config.store is None):
            found = "both are given" if config.index is not None else "neither is given"
            yield ConfigProblem(
                ("index",), f"chunks come from a step (`index`) or from a `store`, {found}", "give one of them"
            )
        yield from self._check_index()
        kind = incoming.get(config.exclude or "", "string").rstrip("?")
        if kind not in ("string", "list<string>"):
            yield ConfigProblem(
                ("exclude",), f"column {config.exclude!r} is {kind}, not an id or a list of ids", code="E503"
            )
        if config.store is not None:
            if config.mode != "embeddings":
                yield ConfigProblem(
                    ("mode",), f"a store is searched by embeddings, not by {config.mode}", "set `mode: embeddings`"
                )
            yield from check_store(config.store)
        else:
            yield from needs("numpy", "retrieval", ("mode",))
            if config.mode != "bm25":
                yield from needs("faiss", "retrieval", ("mode",))
        if config.mode == "hybrid" and config.fetch < config.top_k:
            yield ConfigProblem(("fetch",), f"fetch is below top_k ({config.top_k})", "raise it")
        yield from check_embedder(config.model, config.embedder, wanted=config.mode != "bm25")

    def _check_index(self) -> Iterator[ConfigProblem]:
        """What retrieval needs of the index's columns, where they are known."""
        config, there = self.config, self.side_columns.get("index")
        if there is None:
            return
        wanted = {"id": ("string", "int"), "text": ("string",)}
        if config.mode != "bm25":
            wanted["embedding"] = ("list<float>",)
        for field, kinds in wanted.items():
            name = getattr(config, field)
            if name not in there:
                help = "embed the chunks by rag.index first" if field == "embedding" else f"it has {', '.join(there)}"
                yield ConfigProblem((field,), f"step {config.index!r} has no column {name!r}", help, code="E501")
            elif there[name].rstrip("?") not in kinds:
                said = f"column {name!r} of step {config.index!r} is {there[name]}, expected {' or '.join(kinds)}"
                yield ConfigProblem((field,), said, code="E503")

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        from .terms import terms

        config = self.config
        query = row[config.query]
        if not isinstance(query, str) or not terms(query):
            return Reject("empty_query", "the query holds no word")
        vector = None
        if config.mode != "bm25":
            vector = await embed(ctx, config.query_prefix + query, config.model, config.embedder)
        ask = Ask(query, vector, self._excluded(row))
        if config.store is not None and config.store.remote:
            hits = [Hit(*one) for one in await ctx.effect("store", lambda: self._said(ask, ctx))]
        else:
            hits = await self._ask(ask, ctx)
        if config.min_score is not None:
            hits = [hit for hit in hits if hit.score >= config.min_score]
        ids, texts, scores = self._columns
        return {ids: [hit.id for hit in hits], texts: [hit.text for hit in hits], scores: [hit.score for hit in hits]}

    @property
    def _columns(self) -> tuple[str, str, str]:
        before = self.config.column_prefix
        return f"{before}context_ids", f"{before}contexts", f"{before}retrieval_scores"

    def _excluded(self, row: Row) -> frozenset[str]:
        value = row[self.config.exclude] if self.config.exclude is not None else None
        if value is None:
            return frozenset()
        return frozenset([value] if isinstance(value, str) else (one for one in value if one is not None))

    async def _said(self, ask: Ask, ctx: Context) -> list[list[Any]]:
        return [list(hit) for hit in await self._ask(ask, ctx)]  # as JSON, for the journal

    async def _ask(self, ask: Ask, ctx: Context) -> list[Hit]:
        if self._gather is None:
            self._gather = Gather(_Opened(self.config, ctx).search)
        try:
            return await self._gather.ask(ask)
        except BadIndex as error:
            raise RowError("bad_index", str(error)) from None


class _Opened:
    """The index or store, opened when the first queries come, in their thread."""

    def __init__(self, config: RetrieveConfig, ctx: Context) -> None:
        self._config = config
        self._ctx = ctx
        self._searcher: Searcher | BadIndex | None = None

    def search(self, asks: Sequence[Ask]) -> list[list[Hit]]:
        if self._searcher is None:
            try:
                self._searcher = self._open()
            except BadIndex as error:
                self._searcher = error  # building it again for every batch would end the same
        if isinstance(self._searcher, BadIndex):
            raise self._searcher
        return self._searcher.search(asks)

    def _open(self) -> Searcher:
        config = self._config
        if config.store is not None:
            return open_store(config.store, config.top_k)
        from .chunks import ChunkIndex, Options

        options = Options(
            mode=config.mode,
            top_k=config.top_k,
            fetch=config.fetch,
            rrf_k=config.rrf_k,
            id=config.id,
            text=config.text,
            embedding=config.embedding,
            k1=config.k1,
            b=config.b,
        )
        return ChunkIndex(self._ctx.side("index"), options)
