"""llm.judge: a model judges a row by a rubric; code, not the model, decides from the scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from pydantic import Field

from attar.api import Columns, ConfigProblem, Context, Judge, Row, RowError, SchemaRef, Verdict
from attar_llm.asking import AskConfig
from attar_llm.rubric import (
    WORDS_OF_RULES,
    Criterion,
    Opinion,
    answer_form,
    answer_schema,
    criteria_problems,
    failed_criteria,
    feedback_text,
    load_rubric,
    opinion,
    rubric_problems,
    rubric_variables,
    rule_values,
)
from attar_llm.rules import RuleError, holds, unknown_names

# An answer that cannot be read says nothing of the row; anything else a call raises is the engine's to handle.
_NO_VOTE = frozenset({"unparseable", "truncated"})


class JudgeConfig(AskConfig):
    """See RubricJudge."""

    rubric: SchemaRef | None = Field(None, description="rubric file: {name, version, guidance, criteria: […]}")
    criteria: tuple[Criterion, ...] | None = Field(None, description="the criteria themselves, instead of a file")
    mean_at_least: float = Field(0.8, ge=0, le=1, description="lowest passing mean of the scores, each put on 0 to 1")
    pass_if: str | None = Field(None, description="expression over the scores that decides instead of the default rule")
    review_if: str | None = Field(None, description="expression: where it holds, the row goes to review either way")
    votes: int = Field(1, ge=1, le=99, description="odd number of independent answers; the majority decides")


class RubricJudge(Judge[JudgeConfig]):
    """Asks a model for a reason and a score per criterion, then decides by rule.

    Default rule: every `must` criterion reaches its threshold, and the mean of all scores, each put on a scale of 0 to
    1, is at least `mean_at_least`. `pass_if` replaces it: an expression over the scores' names and `mean`, `lowest`,
    `must_pass`, `failed` (names). `review_if` may also use `agreement`, the share of the majority. Prompts read
    `criteria`, `rubric` and `answer_form` besides the row.

    With `votes: n` the model is asked n times; each readable answer votes pass or fail by the same rule, and the
    majority of those decides; where it is split even, or no answer can be read, the verdict is `unparseable`, never a
    score. Scores are the means over the readable answers; `votes_read` and `agreement` stand beside them.

    Fail codes: `failed_<criterion>` (the first failed `must`, else the first failed), `low_mean`, `pass_if`.
    """

    Config = JudgeConfig
    provides = frozenset({"rubric", "criteria", "answer_form"})

    def score_names(self) -> Sequence[str]:
        try:
            names = [criterion.name for criterion in self._criteria()]
        except ValueError:
            return ()  # check() tells what is wrong with the rubric
        extra = ["agreement", "votes_read"] if self.config.votes > 1 else []
        return [*dict.fromkeys(names), "mean", *extra]

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        if (config.rubric is None) == (config.criteria is None):
            yield ConfigProblem(
                ("rubric",),
                "a judge needs either rubric (a file) or criteria (a list)",
                "give exactly one of the two",
            )
        if config.rubric is not None:
            yield from rubric_problems(config.rubric, incoming, config.prompt)
        if config.criteria is not None:
            yield from criteria_problems(config.criteria, ("criteria",))
        if config.votes % 2 == 0:
            yield ConfigProblem(
                ("votes",), f"votes: {config.votes} can end in a tie; expected an odd number", f"try {config.votes + 1}"
            )
        try:
            criteria = self._criteria()
        except ValueError:
            return
        resolved = config.criteria is not None or (config.rubric is not None and config.rubric.schemas)
        if resolved and not criteria:
            yield ConfigProblem(("rubric",), "the rubric has no criteria to judge by", "add at least one criterion")
        if criteria:
            yield from self._rule_problems({criterion.name for criterion in criteria} | WORDS_OF_RULES)

    def _rule_problems(self, known: set[str]) -> Iterator[ConfigProblem]:
        # One answer alone cannot agree with itself: only the review rule, which sees all votes, knows `agreement`.
        rules = (("pass_if", self.config.pass_if, known - {"agreement"}), ("review_if", self.config.review_if, known))
        for field, text, names in rules:
            if text is None:
                continue
            try:
                unknown = unknown_names(text, names)
            except RuleError as error:
                yield ConfigProblem((field,), str(error), "write an expression such as `mean >= 0.8 and must_pass`")
                continue
            if unknown:
                yield ConfigProblem(
                    (field,),
                    f"{field} uses {', '.join(map(repr, unknown))}, which is no criterion",
                    f"use: {', '.join(sorted(names))}",
                )

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        import asyncio  # 20 ms that checking a recipe need not pay

        criteria = self._criteria()
        votes = await asyncio.gather(*(self._vote(row, ctx, criteria, sample) for sample in range(self.config.votes)))
        read = [vote for vote in votes if isinstance(vote, Opinion)]
        if not read:
            first = next(vote for vote in votes if isinstance(vote, RowError))
            return Verdict("unparseable", first.code, feedback=first.detail)
        passes = [self._decide(vote.scores, criteria)[0] for vote in read]
        ballots = Counter(passes)
        if ballots[True] == ballots[False]:
            detail = f"{ballots[True]} of {len(votes)} votes pass, {ballots[False]} fail"
            return Verdict("unparseable", "no_majority", feedback=detail)
        passed = ballots[True] > ballots[False]
        agreement = ballots[passed] / len(read)
        scores = {c.name: fmean(vote.scores[c.name] for vote in read) for c in criteria}
        return self._verdict(passed, agreement, scores, read, len(votes), passes)

    def _verdict(
        self,
        passed: bool,
        agreement: float,
        scores: dict[str, float],
        read: Sequence[Opinion],
        asked: int,
        passes: Sequence[bool],
    ) -> Verdict:
        criteria = self._criteria()
        values = rule_values(scores, criteria, agreement)
        shown = {**scores, "mean": float(values["mean"])}
        if asked > 1:
            shown |= {"agreement": agreement, "votes_read": float(len(read))}
        review = self.config.review_if is not None and self._holds(self.config.review_if, values)
        if review:
            return Verdict("pass", "borderline", shown, feedback_of(read[0], criteria), review=True)
        if passed:
            return Verdict("pass", "", shown)
        spoken = read[passes.index(False)]  # the majority failed: one of those who failed it speaks for them
        return Verdict("fail", self._decide(spoken.scores, criteria)[1], shown, feedback_of(spoken, criteria))

    async def _vote(self, row: Row, ctx: Context, criteria: Sequence[Criterion], sample: int) -> Opinion | RowError:
        try:
            answer = await ctx.chat(
                self.config.model,
                ctx.messages(self.config.prompt, row, **self._variables(criteria)),
                schema=answer_schema(criteria),
                sample=sample,
                sampling=self.config.sampling.given(),
                format_attempts=1,  # `on_fail.format_attempts` asks the whole judge again
            )
        except RowError as error:
            if error.code in _NO_VOTE:
                return error
            raise
        return opinion(answer.value, criteria)

    def _decide(self, scores: Mapping[str, float], criteria: Sequence[Criterion]) -> tuple[bool, str]:
        """Whether one answer's scores pass, and the fail code where not."""
        values = rule_values(scores, criteria, 1.0)
        below = failed_criteria(scores, criteria)
        code = f"failed_{below[0].name}" if below else "low_mean"
        if self.config.pass_if is not None:
            return self._holds(self.config.pass_if, values), code if below else "pass_if"
        return bool(values["must_pass"]) and values["mean"] >= self.config.mean_at_least - 1e-9, code

    def _holds(self, rule: str, values: Mapping[str, Any]) -> bool:
        try:
            return holds(rule, values)
        except RuleError as error:
            raise RowError("rule", str(error)) from None

    def _criteria(self) -> tuple[Criterion, ...]:
        if self.config.criteria is not None:
            return self.config.criteria
        rubric = load_rubric(self.config.rubric)
        return rubric.criteria if rubric else ()

    def _variables(self, criteria: Sequence[Criterion]) -> dict[str, Any]:
        rubric = rubric_variables(load_rubric(self.config.rubric)) or {
            "rubric": {"name": self.name, "version": "1", "guidance": "", "criteria": [c.shown() for c in criteria]}
        }
        return {**rubric, "criteria": [c.shown() for c in criteria], "answer_form": answer_form(criteria)}


def feedback_of(spoken: Opinion, criteria: Sequence[Criterion]) -> str:
    """Feedback in the words of one answer; where every criterion was met and only the mean was low, all reasons."""
    text = feedback_text(spoken.scores, spoken.reasons, criteria)
    if text:
        return text
    return "\n".join(f"- {c.description}: {spoken.reasons[c.name]}" for c in criteria if spoken.reasons[c.name])
