"""lang.protect: masks what a translation must not change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Row, RowStep, SchemaRef, nullable

KEPT_TYPE = "list<struct<mark:string,text:string,kind:string>>"
Protected = Literal["number", "url", "email", "placeholder", "code", "name"]


class ProtectConfig(Config):
    """See Protect."""

    text: str = Field("text", min_length=1, description="column with the text")
    column: str = Field("protected", min_length=1, description="new column; what was masked is in `<column>_kept`")
    kinds: tuple[Protected, ...] = Field(
        ("number", "url", "email", "placeholder", "code", "name"),
        description="what is masked: numbers as written, addresses, {name} %s {{x}} <tag> ${x}, `code`, given names",
    )
    names: str | None = Field(None, min_length=1, description="column with names to mask (a list, or one name)")
    glossary: SchemaRef | None = Field(None, description="YAML or JSON file with `terms: […]`, masked like names")
    capitalised: bool = Field(False, description="also mask sequences of capitalised words in Latin text as names")


class Protect(RowStep[ProtectConfig]):
    """Puts marks (⟦1⟧, ⟦2⟧ …) in place of what a translator must not change, one for each place.

    Writes `<column>` and `<column>_kept`, a list of `{mark, text, kind}` that prompts can show and `lang.restore`
    needs. Numbers are masked as they are written (₹1,00,000 keeps its sign outside), so that words which go with them
    (5 lakh) are still translated. Names are masked only where a column, a glossary or `capitalised` gives them. A null
    text stays null.
    """

    Config = ProtectConfig

    def reads(self, incoming: Columns) -> Columns:
        names = {} if self.config.names is None else {self.config.names: "any"}
        return {self.config.text: "string?", **names}

    def writes(self, incoming: Columns) -> Columns:
        kind = nullable("string") if incoming.get(self.config.text, "string").endswith("?") else "string"
        new = {self.config.column: kind, f"{self.config.column}_kept": KEPT_TYPE}
        return self.add(incoming, new, ("column",))

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if self.config.glossary is not None:
            for content in self.config.glossary.schemas.values():
                terms = content.get("terms")
                if not isinstance(terms, list) or not all(isinstance(term, str) and term.strip() for term in terms):
                    yield ConfigProblem(
                        ("glossary",), "a glossary has `terms`, a list of texts", "write terms: [ISRO, Aadhaar]"
                    )

    def _terms(self) -> tuple[str, ...]:
        glossary = self.config.glossary
        return tuple(term for content in glossary.schemas.values() for term in content["terms"]) if glossary else ()

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        from attar_lang.marks import protect
        from attar_lang.names import capitalised

        config = self.config
        text: str | None = row[config.text]
        if text is None:
            return {config.column: None, f"{config.column}_kept": []}
        names = [*self._terms(), *names_of(row[config.names] if config.names is not None else None)]
        if config.capitalised:
            names += [name.text for name in capitalised(text)]
        masked, kept = protect(text, config.kinds, names)
        return {config.column: masked, f"{config.column}_kept": [one._asdict() for one in kept]}


def names_of(value: Any) -> list[str]:
    """Names of a column: a list of texts, one text, or nothing."""
    if value is None:
        return []
    several = [value] if isinstance(value, str) else value
    return [str(one) for one in several if one is not None and str(one).strip()]
