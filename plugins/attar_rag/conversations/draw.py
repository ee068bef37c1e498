"""rag.draw_context: chunks of a category to write from, with the one that holds the answer known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Reject, Row, RowError, RowSet, RowStep, StepRef
from attar_rag.retrieval.gather import Gather
from attar_rag.retrieval.types import Ask, BadIndex, Hit

_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)
_NEAR = 4  # further gold chunks are drawn among so many times as many neighbours, so that a redraw finds others


class DrawContextConfig(Config):
    """See DrawContext."""

    index: StepRef = Field(..., description="step whose rows are the chunks (rag.chunk)")
    category: str = Field("category", min_length=1, description="column with the row's category")
    labels: list[str] = Field(
        ["category", "heading_path"],
        min_length=1,
        description="the index's columns whose value, or one of whose values, may be that category; Markdown headings "
        "within a chunk's text may be it as well",
    )
    top_k: int = Field(3, ge=1, le=100, description="chunks in a context")
    kind: str | None = Field(None, description="column with the kind of row, for `gold` and `withhold`")
    gold: dict[str, int] = Field(default_factory=dict, description="kind → gold chunks drawn for it; otherwise 1")
    withhold: list[str] = Field([], description="kinds whose context is left without its gold chunks")
    id: str = Field("chunk_id", min_length=1, description="the index's column with ids")
    text: str = Field("chunk", min_length=1, description="the index's column with texts")


class _Pool(NamedTuple):
    """The chunks, and which of them belong to a category, in the order of their ids."""

    texts: Mapping[str, str]
    members: Mapping[str, Sequence[str]]


class DrawContext(RowStep[DrawContextConfig]):
    """Draws a gold chunk of the row's category, and fills the context up with the chunks that are nearest to it.

    Nearness is BM25 of the gold chunk's own words over the whole index, whatever the category: neighbours are the
    distractors that a retriever would bring. Which chunk is drawn depends on the row and the try alone: a judge that
    sends the row back gets another draw. Of kinds with several gold chunks the further ones are drawn among the
    first one's neighbours.

    Writes `gold_ids` and `gold` (ids and texts), `context_ids`, `contexts` and `retrieval_scores` in shuffled order
    (the gold chunk does not always come first; gold chunks have no score), and `twin_context_ids` and `twin_contexts`:
    the same context, but for kinds in `withhold`, where gold chunks stand in it and as many neighbours less.

    A category without chunks, or with too few for the gold ones, is rejected as `empty_category`; a row is
    dead-lettered as `bad_index` where the index lacks a column.
    """

    Config = DrawContextConfig
    varies = True

    def __init__(self, config: DrawContextConfig) -> None:
        super().__init__(config)
        self._gather: Gather[Ask, list[Hit]] | None = None
        self._pool: _Pool | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_gather": None, "_pool": None}

    def reads(self, incoming: Columns) -> Columns:
        config = self.config
        return {config.category: "string?", **({config.kind: "string?"} if config.kind is not None else {})}

    def writes(self, incoming: Columns) -> Columns:
        ids = dict.fromkeys(("gold_ids", "gold", "context_ids", "contexts"), "list<string>")
        twins = dict.fromkeys(("twin_context_ids", "twin_contexts"), "list<string>")
        return self.add(incoming, {**ids, "retrieval_scores": "list<float?>", **twins})

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        if config.kind is None and (config.gold or config.withhold):
            yield ConfigProblem(("kind",), "gold and withhold go by kind, and no column is named for it", "set `kind`")
        for kind, count in config.gold.items():
            if not 1 <= count <= config.top_k:
                yield ConfigProblem(("gold", kind), f"{count} gold chunks do not fit into {config.top_k}", "1 to top_k")

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        config = self.config
        if self._pool is None:
            self._pool = self._gathered(ctx.side("index"))
        pool = self._pool
        category = row[config.category]
        members = pool.members.get(category, ())
        if not members:
            return Reject("empty_category", f"no chunk belongs to the category {category!r}")
        kind = row[config.kind] if config.kind is not None else None
        wanted = config.gold.get(kind, 1) if kind is not None else 1
        first = members[ctx.rng.randrange(len(members))]
        near = await self._neighbours(first, (config.top_k + wanted) * _NEAR, ctx)
        further = ctx.rng.sample(range(min(len(near), wanted * _NEAR)), min(wanted - 1, len(near)))
        gold = [first, *(near[place].id for place in sorted(further))]
        if len(gold) < wanted:
            return Reject("empty_category", f"{wanted} gold chunks are wanted and no chunk is near {first!r}")
        others = [hit for hit in near if hit.id not in gold]
        beside: list[tuple[str, float | None]] = [(hit.id, hit.score) for hit in others]
        twin = [*((id, None) for id in gold), *beside][: config.top_k]
        drawn = beside[: config.top_k] if kind in config.withhold else list(twin)
        for several in (drawn, twin):
            ctx.rng.shuffle(several)
        if kind not in config.withhold:
            twin = drawn
        return {
            "gold_ids": gold,
            "gold": [pool.texts[id] for id in gold],
            "context_ids": [id for id, _ in drawn],
            "contexts": [pool.texts[id] for id, _ in drawn],
            "retrieval_scores": [score for _, score in drawn],
            "twin_context_ids": [id for id, _ in twin],
            "twin_contexts": [pool.texts[id] for id, _ in twin],
        }

    async def _neighbours(self, id: str, most: int, ctx: Context) -> list[Hit]:
        """Other chunks with other texts, the nearest first."""
        assert self._pool is not None
        text = self._pool.texts[id]
        if self._gather is None:
            side = ctx.side("index")
            self._gather = Gather(_Opened(self.config, side, max(len(self._pool.texts), 1)).search)
        try:
            hits = await self._gather.ask(Ask(text, None, frozenset([id])))
        except BadIndex as error:
            raise RowError("bad_index", str(error)) from None
        seen = {text}
        found = []
        for hit in hits:
            if hit.text not in seen:
                seen.add(hit.text)
                found.append(hit)
        return found[:most]

    def _gathered(self, rows: RowSet) -> _Pool:
        config = self.config
        for name in (config.id, config.text):
            if len(rows) and name not in rows.columns:
                raise RowError("bad_index", f"the index has no column {name!r}; it has {', '.join(rows.columns)}")
        texts: dict[str, str] = {}
        members: dict[str, list[str]] = {}
        for row in rows:
            text = row[config.text]
            if not isinstance(text, str) or not text.strip():
                continue
            id = str(row[config.id])
            texts[id] = text
            for label in dict.fromkeys([*_labels(row, config.labels), *_HEADING.findall(text)]):
                members.setdefault(label, []).append(id)
        return _Pool(texts, {label: sorted(several) for label, several in members.items()})


def _labels(row: Row, columns: Sequence[str]) -> Iterator[str]:
    for column in columns:
        value = row.get(column)
        yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str))


class _Opened:
    """BM25 over the chunks, made when the first rows come, in their thread."""

    def __init__(self, config: DrawContextConfig, side: RowSet, most: int) -> None:
        self._config = config
        self._side = side
        self._most = min(most, 200)
        self._index: Any = None

    def search(self, asks: Sequence[Ask]) -> list[list[Hit]]:
        if self._index is None:
            from attar_rag.retrieval.chunks import ChunkIndex, Options

            options = Options(
                mode="bm25",
                top_k=self._most,
                fetch=self._most,
                rrf_k=60,
                id=self._config.id,
                text=self._config.text,
                embedding="embedding",
                k1=1.5,
                b=0.75,
            )
            self._index = ChunkIndex(self._side, options)
        found: list[list[Hit]] = self._index.search(asks)
        return found
