"""llm.pairwise: a model compares two columns, twice, in both orders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from attar.api import Columns, ConfigProblem, Context, Row, RowStep
from attar_llm.asking import FormConfig


class PairwiseConfig(FormConfig):
    """See Pairwise."""

    a: str = Field(description="column with one text")
    b: str = Field(description="column with the other")
    allow_tie: bool = Field(True, description="whether the model may call the two equal")


class Pairwise(RowStep[PairwiseConfig]):
    """Says which of two columns is better, with the place of each swapped between two questions.

    Models favour a place (Zheng et al. 2023, "Judging LLM-as-a-Judge"), so only a win in both orders counts: anything
    else is a tie. Prompts read `first` and `second`, the texts in the order asked. Writes one struct column named after
    the step: `winner` (a, b or tie), `consistent` (both orders said the same), `reason_ab`, `reason_ba`.
    """

    Config = PairwiseConfig
    calls_per_row = 2  # each order once
    provides = frozenset({"first", "second"})

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.a: "any", self.config.b: "any"}

    def writes(self, incoming: Columns) -> Columns:
        kind = "struct<winner:string,consistent:bool,reason_ab:string,reason_ba:string>"
        return self.add(incoming, {self.short_name: kind})

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if self.config.a == self.config.b:
            yield ConfigProblem(("b",), f"a and b are both {self.config.a!r}", "name two different columns")

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any]:
        import asyncio  # 20 ms that checking a recipe need not pay

        config = self.config
        (said_ab, reason_ab), (said_ba, reason_ba) = await asyncio.gather(
            self._ask(row, ctx, config.a, config.b), self._ask(row, ctx, config.b, config.a)
        )
        in_ab = {"first": "a", "second": "b"}.get(said_ab, "tie")
        in_ba = {"first": "b", "second": "a"}.get(said_ba, "tie")
        return {
            self.short_name: {
                "winner": in_ab if in_ab == in_ba else "tie",
                "consistent": in_ab == in_ba,
                "reason_ab": reason_ab,
                "reason_ba": reason_ba,
            }
        }

    async def _ask(self, row: Row, ctx: Context, first: str, second: str) -> tuple[str, str]:
        """One order: who is better (first, second, tie) and why."""
        config = self.config
        answer = await ctx.chat(
            config.model,
            ctx.messages(config.prompt, row, first=row[first], second=row[second]),
            schema=self._schema(),
            key="ab" if first == config.a else "ba",
            sampling=config.sampling.given(),
            format_attempts=config.format_attempts,
        )
        return str(answer.value["better"]), str(answer.value["reason"])

    def _schema(self) -> dict[str, Any]:
        choices = ["first", "second", "tie"] if self.config.allow_tie else ["first", "second"]
        return {
            "type": "object",
            "properties": {"reason": {"type": "string"}, "better": {"type": "string", "enum": choices}},
            "required": ["reason", "better"],
            "additionalProperties": False,
        }
