"""rag.check_domain: a domain of the list, spelt as there."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Judge, Row, Verdict


class CheckDomainConfig(Config):
    """See CheckDomain."""

    column: str = Field("domain", min_length=1, description="column with the domain")
    domains: list[str] = Field(..., min_length=1, description="the domains there are")


class CheckDomain(Judge[CheckDomainConfig]):
    """Passes a row whose domain is one of the list, spelt as there. Fail code: `unknown_domain`."""

    Config = CheckDomainConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.column: "string?"}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if len(set(self.config.domains)) < len(self.config.domains):
            yield ConfigProblem(("domains",), "a domain is there twice", "name each once")

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        if row[self.config.column] in self.config.domains:
            return Verdict("pass")
        known = ", ".join(self.config.domains)
        return Verdict(
            "fail", "unknown_domain", feedback=f"{row[self.config.column]!r} is none of the domains: {known}."
        )
