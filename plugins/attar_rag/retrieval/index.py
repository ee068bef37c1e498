"""rag.index: embeddings of chunks, for rag.retrieve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, ModelRef, Reject, Row, RowStep

from .embedder import Local, check_embedder, embed, folder_files


class IndexConfig(Config):
    """See Index."""

    text: str = Field("chunk", min_length=1, description="column with the text to embed")
    model: ModelRef | None = Field(None, description="model whose server offers /v1/embeddings")
    embedder: Local | None = Field(None, description="or a sentence-transformers model: {folder: …}")
    prefix: str = Field("", description='put before each text, where the model wants it ("passage: ")')
    embedding: str = Field("embedding", min_length=1, description="column the embedding is written to")


class Index(RowStep[IndexConfig]):
    """Embeds each chunk, for rag.retrieve with `mode: embeddings` or `hybrid`.

    One text is embedded per request, journalled, so that nothing is paid twice; the server batches what is in flight
    together. BM25 needs no such step: rag.retrieve makes its index of the chunks' words by itself. A text without
    anything but white space is rejected as `empty_text`.
    """

    Config = IndexConfig

    def inputs(self) -> Sequence[str]:
        return folder_files(self.config.embedder.folder) if self.config.embedder is not None else ()

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.text: "string?"}

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, {self.config.embedding: "list<float>"}, ("embedding",))

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        yield from check_embedder(self.config.model, self.config.embedder, wanted=True)

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        text = row[self.config.text]
        if not isinstance(text, str) or not text.strip():
            return Reject("empty_text", "there is nothing to embed")
        return {
            self.config.embedding: await embed(ctx, self.config.prefix + text, self.config.model, self.config.embedder)
        }
