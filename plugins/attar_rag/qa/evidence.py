"""rag.evidence: quotes as places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, Context, Reject, Row, RowStep


class EvidenceConfig(Config):
    """See Evidence."""

    quotes: str = Field("evidence", min_length=1, description="column with the quotes (list of texts)")
    context: str = Field("chunk", min_length=1, description="column with the text they are from")
    column: str | None = Field(None, min_length=1, description="column that takes the places; default: the step's name")


class Evidence(RowStep[EvidenceConfig]):
    """Finds each quote in the text and writes its words and place, in characters: `context[start:end] == text`.

    White space may differ between quote and text; the text's own is written. Quotes of the same place are one, and
    they stand in the text's order. Rejects `evidence_not_in_text` where one is not there, `no_evidence` where there is
    none.
    """

    Config = EvidenceConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.quotes: "any", self.config.context: "string"}

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, {self._column: "list<struct<text:string,start:int,end:int>>"})

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        from .spans import find

        spans = set()
        for quote in row[self.config.quotes] or ():
            span = find(str(quote or ""), row[self.config.context] or "")
            if span is None:
                return Reject("evidence_not_in_text", f"{str(quote)[:80]!r} is not in the text")
            spans.add(span)
        if not spans:
            return Reject("no_evidence", "no quote is given")
        ordered = sorted(spans, key=lambda span: (span.start, span.end))
        return {self._column: [span._asdict() for span in ordered]}

    @property
    def _column(self) -> str:
        return self.config.column or self.short_name
