"""rag.perplexity: how well a model foresees a text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, Context, ModelRef, Reject, Row, RowStep


class PerplexityConfig(Config):
    """See Perplexity."""

    model: ModelRef = Field(description="the model that scores, an entry of models:; its server must echo logprobs")
    text: str = Field("text", min_length=1, description="column with the text")
    column_prefix: str | None = Field(None, description="put before the new columns; default: the step's name and _")


class Perplexity(RowStep[PerplexityConfig]):
    """Scores a text by the model's own log-probabilities of its tokens, the first token left out.

    Writes `<step>_logprob` (natural log, summed), `<step>_tokens` (tokens summed over), `<step>_bytes` (of the text in
    UTF-8) and `<step>_perplexity`, exp(-logprob / tokens). That of several texts is not the mean of theirs but
    exp(-Σ logprob / Σ tokens): add the sums. Tokens are each model's own, so two perplexities compare only where the
    tokenizer is the same; bits per byte, -Σ logprob / (ln 2 · Σ bytes), compare always.

    Reject codes: `blank_text`, `too_short` (a single token has nothing before it), `bad_logprob` (the server sent one
    that is not a finite number).
    """

    Config = PerplexityConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.text: "string?"}

    def writes(self, incoming: Columns) -> Columns:
        kinds = {"logprob": "float", "tokens": "int", "bytes": "int", "perplexity": "float"}
        return self.add(incoming, {self._prefix + name: kind for name, kind in kinds.items()})

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        text = row[self.config.text]
        if not isinstance(text, str) or not text.strip():
            return Reject("blank_text", "there is no text to score")
        found = await ctx.logprobs(self.config.model, text)
        if not found:
            return Reject("too_short", f"{text[:40]!r} is a single token, which nothing foretells")
        total = math.fsum(found)
        ratio = perplexity(total, len(found))
        if ratio is None:
            return Reject("bad_logprob", "a token's log-probability is not finite, or so low that it overflows")
        made = {"logprob": total, "tokens": len(found), "bytes": len(text.encode()), "perplexity": ratio}
        return {self._prefix + name: value for name, value in made.items()}

    @property
    def _prefix(self) -> str:
        return f"{self.short_name}_" if self.config.column_prefix is None else self.config.column_prefix


def perplexity(logprob: float, tokens: int) -> float | None:
    """exp(-logprob / tokens); None where it is no finite number."""
    if not tokens or not math.isfinite(logprob):
        return None
    try:
        return math.exp(-logprob / tokens)
    except OverflowError:
        return None
