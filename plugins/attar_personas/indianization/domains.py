"""personas.domains: one row per persona and chosen domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from attar.api import Columns, Config, Context, Reject, Row, RowStep


def _listed(value: Any) -> Any:
    """Also takes one name, or names with commas between, as a command line writes them."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class DomainsConfig(Config):
    """See Domains."""

    keys: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        ("sp_1",), min_length=1, description="columns that hold a domain each"
    )
    per_domain: int = Field(1, ge=1, description="rows per domain: so many questions are asked in it")
    column: str = Field("domain", description="column for the domain")


class Domains(RowStep[DomainsConfig]):
    """Makes a row per chosen domain key (and `per_domain` of each), in the order of `keys`.

    Writes `domain`, `domain_key` (which key it came from) and `question_number` (from 1). Two keys that name the same
    domain make one row, for the first of them. Reject code: `no_domain` where every chosen column is blank.
    """

    Config = DomainsConfig
    expands = True

    def reads(self, incoming: Columns) -> Columns:
        return dict.fromkeys(self.config.keys, "string?")

    def writes(self, incoming: Columns) -> Columns:
        column = self.config.column
        return self.add(incoming, {column: "string", f"{column}_key": "string", "question_number": "int"})

    async def apply(self, row: Row, ctx: Context) -> list[Mapping[str, Any]] | Reject:
        chosen: dict[str, tuple[str, str]] = {}
        for key in self.config.keys:
            domain = (row[key] or "").strip()
            if domain:
                chosen.setdefault(domain.casefold(), (key, domain))
        if not chosen:
            return Reject("no_domain", f"blank: {', '.join(self.config.keys)}")
        column = self.config.column
        return [
            {column: domain, f"{column}_key": key, "question_number": number}
            for key, domain in chosen.values()
            for number in range(1, self.config.per_domain + 1)
        ]
