"""personas.agreement: asks for the same again and measures how alike the answers are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, Context, ModelRef, PromptRef, Row, RowStep, SchemaRef


class AgreementConfig(Config):
    """See Agreement."""

    model: ModelRef = Field(description="the model asked again, an entry of models:")
    prompt: PromptRef = Field(description="the prompt the first answer came from")
    output: SchemaRef | None = Field(None, description="JSON Schema of the answer; default: the prompt file's own")
    column: str = Field("persona", min_length=1, description="column that holds the first answer's text")
    field: str | None = Field(None, description="property of the answer that is compared; default: `column`'s name")
    samples: int = Field(2, ge=2, le=64, description="answers compared, the first one included")
    n: int = Field(3, ge=1, description="characters of the n-grams compared")


class Agreement(RowStep[AgreementConfig]):
    """Asks a prompt again, `samples` − 1 times, and writes how alike the answers are into a column of the step's name.

    That is the mean similarity of all pairs (Jaccard, over character n-grams), from 0 to 1: high where the text leaves
    little choice of persona. Answers in other words count as unlike, so 0.2 is common and 0.5 much.
    """

    Config = AgreementConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.column: "string"}

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, {self.short_name: "float"})

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        import asyncio  # 20 ms that checking a recipe need not pay

        again = await asyncio.gather(*(self._ask(row, ctx, sample) for sample in range(1, self.config.samples)))
        texts = [str(row[self.config.column] or ""), *again]
        pairs = [
            ngram_similarity(one, other, self.config.n)
            for place, one in enumerate(texts)
            for other in texts[place + 1 :]
        ]
        return {self.short_name: sum(pairs) / len(pairs)}

    async def _ask(self, row: Row, ctx: Context, sample: int) -> str:
        config = self.config
        schema = self._schema(row, ctx)
        answer = await ctx.chat(config.model, ctx.messages(config.prompt, row), schema=schema, sample=sample)
        if schema is None:
            return answer.text
        value = answer.value.get(config.field or config.column) if isinstance(answer.value, Mapping) else None
        return value if isinstance(value, str) else ""

    def _schema(self, row: Row, ctx: Context) -> Mapping[str, Any] | None:
        if self.config.output is not None:
            return ctx.schema(self.config.output, row)
        prompt = self.config.prompt
        text = prompt.texts.get("" if prompt.by is None else str(row.get(prompt.by)))
        return text.output if text else None


def ngram_similarity(one: str, other: str, n: int = 3) -> float:
    """Jaccard similarity of two texts' sets of n consecutive characters as readers count them (NFC, case-folded)."""
    first, second = _ngrams(one, n), _ngrams(other, n)
    return len(first & second) / len(first | second) if first or second else 1.0


def _ngrams(text: str, n: int) -> set[tuple[str, ...]]:
    import unicodedata

    import regex

    flat = " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).split())
    clusters: list[str] = regex.findall(r"\X", flat)
    return {tuple(clusters[i : i + n]) for i in range(max(1, len(clusters) - n + 1))} if clusters else set()
