"""llm.extract: a model pulls facts out of a text column; quotes it claims can be checked against the text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from attar.api import Columns, ConfigProblem, Context, ParsedType, Reject, Row, RowStep, SchemaRef, Type, parse_type
from attar_llm.asking import FormConfig
from attar_llm.columns import answer_columns, merged_columns


class ExtractConfig(FormConfig):
    """See Extract."""

    text: str = Field(description="column with the text to extract from")
    output: SchemaRef = Field(description="JSON Schema of what is extracted; its top-level properties are columns")
    evidence: tuple[str, ...] = Field(
        (), description="properties that must be substrings of the text: `quote`, or `facts.quote` inside a list"
    )
    unfounded: Literal["reject", "null"] = Field(
        "reject", description="what happens when a quote is not in the text: the row is rejected, or the quote is null"
    )


class Extract(RowStep[ExtractConfig]):
    """Extracts columns from a text.

    Each property named in `evidence` must be found in the text, letter for letter save for Unicode form (NFC) and
    runs of white space; an empty or absent quote proves nothing and is not counted as unfounded. Reject code:
    `evidence_not_in_text`. With `unfounded: null` the quote becomes null, and the evidence columns are nullable.
    """

    Config = ExtractConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.text: "string?"}

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, self._types())

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        types = self._types()
        if not self.config.output.schemas:
            return
        for number, path in enumerate(self.config.evidence):
            kind = _kind_at(path.split("."), types)
            if kind is None or kind.kind != "string":
                yield ConfigProblem(
                    ("evidence", number),
                    f"evidence {path!r} is no text property of the output schema",
                    f"its properties are: {', '.join(types)}",
                )

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        config = self.config
        schema = ctx.schema(config.output, row)
        assert schema is not None, "the engine resolves output before a step runs"
        answer = await ctx.chat(
            config.model,
            ctx.messages(config.prompt, row),
            schema=schema,
            sampling=config.sampling.given(),
            format_attempts=config.format_attempts,
        )
        columns = answer_columns(answer.value, schema, self.short_name, self._types())
        text = _plain(str(row[config.text] or ""))
        for path in config.evidence:
            unfounded = _check_quotes(columns, path.split("."), text)
            if unfounded and config.unfounded == "reject":
                return Reject("evidence_not_in_text", f"{path}: {unfounded[0]}")
        return columns

    def _types(self) -> dict[str, Type]:
        schemas = list(self.config.output.schemas.values())
        if not schemas:
            return {self.short_name: "json"}  # not resolved: the engine has reported why
        types = merged_columns(schemas, self.short_name)
        if self.config.unfounded == "null":
            for path in self.config.evidence:
                name, *rest = path.split(".")
                if name in types:
                    types[name] = _nullable_at(parse_type(types[name]), rest).text()
        return types


def _kind_at(path: list[str], types: Mapping[str, Type]) -> ParsedType | None:
    """The type at a dotted path, lists looked through; None where there is nothing."""
    kind = parse_type(types[path[0]]) if path[0] in types else None
    for name in path[1:]:
        while kind is not None and kind.kind == "list":
            kind = kind.item
        kind = dict(kind.fields).get(name) if kind is not None else None
    while kind is not None and kind.kind == "list":
        kind = kind.item
    return kind


def _nullable_at(kind: ParsedType, path: list[str]) -> ParsedType:
    """The type with nulls allowed at the path, lists looked through."""
    if kind.kind == "list" and kind.item is not None:
        return kind._replace(item=_nullable_at(kind.item, path))
    if not path:
        return kind._replace(nullable=True)
    fields = tuple((n, _nullable_at(part, path[1:]) if n == path[0] else part) for n, part in kind.fields)
    return kind._replace(fields=fields)


def _check_quotes(holder: Any, path: list[str], text: str) -> list[str]:
    """Sets quotes that are not in the text to None, in place, and returns them."""
    if isinstance(holder, list):
        return [quote for part in holder for quote in _check_quotes(part, path, text)]
    if not isinstance(holder, dict):
        return []
    value = holder.get(path[0])
    if len(path) > 1:
        return _check_quotes(value, path[1:], text)
    if isinstance(value, list):
        missing = [quote for quote in value if isinstance(quote, str) and _plain(quote) not in text]
        holder[path[0]] = [None if quote in missing else quote for quote in value]
        return missing
    if isinstance(value, str) and _plain(value) not in text:
        holder[path[0]] = None
        return [value]
    return []


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
