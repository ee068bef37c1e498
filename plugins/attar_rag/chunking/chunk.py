"""rag.chunk: documents into chunks that no sentence is cut by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Reject, Row, RowError, RowStep

from .estimate import estimate
from .tokens import Tokens, counter, describe, files_of
from .weights import SAMPLE

_OWN = {
    "chunk_id": "string",
    "chunk": "string",
    "start": "int",
    "end": "int",
    "n_tokens": "int",
    "heading_path": "list<string>",
    "cut": "bool",
}


class ChunkConfig(Config):
    """See Chunk."""

    text: str = Field("text", min_length=1, description="column with the document's text")
    id: str | None = Field(
        None, min_length=1, description="column that names the document; default: doc_id where it arrives, else row ids"
    )
    min_tokens: int = Field(1000, ge=0, description="a chunk has at least so many tokens, where that cuts no sentence")
    max_tokens: int = Field(4000, ge=16, description="a chunk has at most so many tokens")
    language: str | None = Field(
        None, description="whose abbreviations end no sentence, by code or name; default: those of all languages"
    )
    tokens: Tokens = Field(
        "estimate",
        description="who counts: estimate, {tokenizer: file or folder}, {tiktoken: encoding} or {model: its entry}",
    )


class Chunk(RowStep[ChunkConfig]):
    """Cuts documents into chunks of min_tokens to max_tokens; one row per chunk, the text's own column goes.

    Writes `chunk_id` (`<doc_id>#<n>`, from 0), `doc_id` where it did not arrive, `chunk`, `start` and `end` (in
    characters: `chunk == text[start:end]`, and all chunks of a document joined are its text), `n_tokens`,
    `heading_path` (Markdown headings above the chunk's first text, the highest first) and `cut`.

    A chunk ends before the highest heading in its last half, else before a paragraph, else before an item of a list;
    code blocks, tables and items stay whole where they fit. A paragraph that has to be cut is cut between sentences; a
    sentence that alone is above max_tokens is cut between words, and `cut` is true for the chunks that end within it.
    Abbreviations, initials, decimal points and numbered items end no sentence. No character as a reader sees it is ever
    cut. Only a document's last chunk, or one before something that cannot be cut, is below min_tokens.

    Tokens are those of the chunk's text alone, without what a chat adds. The estimate is within a tenth of a current
    tokenizer's count for Latin scripts, within a third for Indic ones; the manifest tells who counted. A document
    without text is rejected as `empty_document`. All chunks of one document are in memory together: one of 20 MB takes
    about 250 MB.
    """

    Config = ChunkConfig
    expands = True
    calls_per_row = 0  # a model is asked to count, at most, never to write

    def inputs(self) -> Sequence[str]:
        return files_of(self.config.tokens)

    def notes(self) -> Mapping[str, str]:
        return describe(self.config.tokens)

    def reads(self, incoming: Columns) -> Columns:
        wanted = {self.config.text: "string?"}
        if self.config.id is not None:
            wanted[self.config.id] = "any"
        return wanted

    def writes(self, incoming: Columns) -> Columns:
        kept = {name: kind for name, kind in incoming.items() if name != self.config.text}
        new = {"doc_id": "string", **_OWN} if "doc_id" not in kept else _OWN
        return self.add(kept, new)

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        if config.min_tokens > config.max_tokens:
            yield ConfigProblem(("min_tokens",), "min_tokens exceeds max_tokens: no chunk is possible", "lower it")
        if config.language is not None:
            from attar.api.text import UnknownLanguage, language

            try:
                language(config.language)
            except UnknownLanguage as error:
                message, _, help = str(error).partition("; ")
                yield ConfigProblem(("language",), message, help)
        if not isinstance(config.tokens, str) and config.tokens.model is None:
            try:
                counter(config.tokens)
            except ConfigProblem as problem:
                yield problem

    async def apply(self, row: Row, ctx: Context) -> Reject | list[Mapping[str, Any]]:
        from .packing import Ask, Limits, pack

        config = self.config
        text = row[config.text]
        if not isinstance(text, str) or not text.strip():
            return Reject("empty_document", "the document holds no text")
        name = self._name(row)
        rest = {column: value for column, value in row.items() if column != config.text}
        rest.setdefault("doc_id", name)
        count, ratio = await self._counting(ctx)
        packing = pack(
            text,
            Limits(config.min_tokens, config.max_tokens),
            exact=count is not None,
            language=config.language,
            ratio=ratio,
        )
        children: list[Mapping[str, Any]] = []
        answer: Any = None
        while True:
            try:
                found = packing.send(answer)
            except StopIteration:
                return children
            answer = None
            if isinstance(found, Ask):
                assert count is not None
                answer = await count(text[found.start : found.end])
                continue
            number = len(children)
            children.append(
                {
                    **rest,
                    "chunk_id": f"{name}#{number}",
                    "chunk": text[found.start : found.end],
                    "start": found.start,
                    "end": found.end,
                    "n_tokens": found.tokens,
                    "heading_path": list(found.path),
                    "cut": found.cut,
                }
            )
            if number % 16 == 15:
                await asyncio.sleep(0)  # a long document holds up no other row

    async def _counting(self, ctx: Context) -> tuple[Callable[[str], Awaitable[int]] | None, float]:
        """What counts a text's tokens, and how many it takes per estimated one; None: the estimate counts."""
        tokens = self.config.tokens
        if isinstance(tokens, str):
            return None, 1.0
        model = tokens.model
        if model is None:
            opened = counter(tokens)

            async def by_file(text: str) -> int:
                return opened.count(text)

            return by_file, opened.ratio
        first = await ctx.tokens(model, SAMPLE)
        if first is None:
            return None, 1.0

        async def by_model(text: str) -> int:
            found = await ctx.tokens(model, text)
            if found is None:
                raise RowError("no_tokenizer", f"model {model!r} counts no longer")
            return found

        return by_model, first / estimate(SAMPLE)

    def _name(self, row: Row) -> str:
        column = self.config.id or ("doc_id" if "doc_id" in row else None)
        value = row[column] if column is not None else None
        return str(value) if value is not None else row.id
