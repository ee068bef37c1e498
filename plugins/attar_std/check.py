"""std.check: a judge without a model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Judge, Row, Verdict
from attar.api.expressions import ExpressionError

from ._expr import Expression

_CODE = re.compile(r"[a-z][a-z0-9_]*")


class Rule(Config):
    expr: str = Field(..., min_length=1, description="expression that must be true of a good row")
    feedback: str = Field("", description="what the next try is told; without it, the expression itself")


class CheckConfig(Config):
    rules: dict[str, Annotated[str, Field(min_length=1)] | Rule] = Field(
        ..., min_length=1, description="reason code → expression that must be true, or `{expr, feedback}`"
    )


class Check(Judge[CheckConfig]):
    """Passes a row for which all rules are true: `rules: {too_short: "essay | words >= 900"}`.

    The first rule that is not true gives the code; feedback names every one that is not, so that a next try can mend
    them all at once. The score `passed` is the share of rules that are true. A rule that fails to be worked out (a null
    where text is needed) is an error of the row, not a verdict.
    """

    Config = CheckConfig

    def __init__(self, config: CheckConfig) -> None:
        super().__init__(config)
        rules = {code: Rule(expr=rule) if isinstance(rule, str) else rule for code, rule in config.rules.items()}
        self._rules = {code: Expression(rule.expr) for code, rule in rules.items()}
        self._feedback = {code: rule.feedback or f"this must be true: {rule.expr}" for code, rule in rules.items()}

    def reads(self, incoming: Columns) -> Columns:
        names = {name for expression in self._rules.values() for name in expression.variables()}
        return dict.fromkeys(sorted(names), "any")

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        for code, expression in self._rules.items():
            if not _CODE.fullmatch(code):
                yield ConfigProblem(("rules", code), f"{code!r} is no reason code", "lower case letters, digits and _")
            yield from expression.problems(("rules", code))

    def score_names(self) -> Sequence[str]:
        return ("passed",)

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        failed = []
        for code, expression in self._rules.items():
            try:
                if not expression(row):
                    failed.append(code)
            except ExpressionError as error:
                return Verdict("error", "expression", feedback=f"{code}: {' '.join(str(error).split())}")
        scores = {"passed": 1 - len(failed) / len(self._rules)}
        if not failed:
            return Verdict("pass", scores=scores)
        return Verdict("fail", failed[0], scores, "\n".join(self._feedback[code] for code in failed))
