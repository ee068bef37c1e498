"""personas.check_question: a single bare question."""

from __future__ import annotations

from collections.abc import Iterator

import regex
from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Judge, Row, Verdict
from attar_personas.measure import english_share, words

PREAMBLE = regex.compile(
    r"^\W*(?:sure\b|certainly\b|of course\b|absolutely\b|okay\b|here(?:'s|’s| is| are)\b|question\b\W*:|"
    r"(?:thought[- ]provoking|mind[- ]triggering)\b[^?]{0,60}:)",
    regex.IGNORECASE,
)


class CheckQuestionConfig(Config):
    """See CheckQuestion."""

    column: str = Field("question", description="column with the question")
    min_words: int = Field(12, ge=1)
    max_words: int = Field(80, ge=1)
    min_english: float = Field(0.98, ge=0, le=1, description="lowest share of ASCII letters among letters")


class CheckQuestion(Judge[CheckQuestionConfig]):
    """Passes exactly one question without preamble or commentary.

    Fail codes: `preamble`, `question_marks`, `commentary` (words after the question), `too_short`, `too_long`,
    `not_english`.
    """

    Config = CheckQuestionConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.column: "string"}

    def score_names(self) -> tuple[str, ...]:
        return ("n_words",)

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if self.config.min_words > self.config.max_words:
            yield ConfigProblem(
                ("min_words",),
                f"min_words {self.config.min_words} exceeds max_words {self.config.max_words}",
                "lower min_words or raise max_words",
            )

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        text = (row[self.config.column] or "").strip()
        count = len(words(text))
        code, feedback = self._fault(text, count)
        return Verdict("fail" if code else "pass", code, {"n_words": float(count)}, feedback)

    def _fault(self, text: str, count: int) -> tuple[str, str]:
        config = self.config
        if PREAMBLE.search(text) or "\n" in text:
            return "preamble", "Give the question alone, on one line, with nothing before it."
        marks = text.count("?")
        if marks != 1:
            return "question_marks", f"There are {marks} question marks. Ask a single question, ending in one."
        if words(text[text.index("?") :]):
            return "commentary", "Something follows the question. Give the question alone."
        if count < config.min_words:
            return "too_short", f"The question has {count} words; at least {config.min_words} are needed."
        if count > config.max_words:
            return "too_long", f"The question has {count} words; at most {config.max_words} are allowed."
        share = english_share(text)
        if share < config.min_english:
            return "not_english", f"Only {share:.0%} of the letters are English. Ask in English."
        return "", ""
