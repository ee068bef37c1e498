"""rag.check_answer: crisp and detailed answers in the asked form, standing on what the chunk says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Judge, Row, Verdict


class CheckAnswerConfig(Config):
    """See CheckAnswer."""

    crisp: str = Field("crisp", min_length=1, description="column with the short answer")
    detailed: str = Field("detailed", min_length=1, description="column with the detailed answer")
    evidence: str = Field("evidence", min_length=1, description="column with the quotes (list of texts)")
    context: str = Field("chunk", min_length=1, description="column with the text that the answer is from")
    question: str | None = Field(None, min_length=1, description="column with the question, whose numbers are allowed")
    language: str | None = Field(None, description="language of the answers: code or name; default: all of them")
    crisp_words: int = Field(25, ge=1, description="words of the crisp answer at most")
    min_sentences: int = Field(3, ge=1, description="sentences of the detailed answer at least")
    max_sentences: int = Field(5, ge=1, description="and at most")
    quote_words: int = Field(3, ge=1, description="a shorter quote is no evidence")


class _Fault(NamedTuple):
    code: str
    feedback: str


class CheckAnswer(Judge[CheckAnswerConfig]):
    """Passes answers in the asked form that stand on the chunk. The first fault gives the code, the feedback names all.

    Fail codes: `empty`, `refusal`, `crisp_too_long`, `too_few_sentences`, `too_many_sentences`, `cut_sentence` (the
    detailed answer ends without a sentence end, or either ends in a comma, colon, dash or …), `no_evidence`,
    `evidence_too_short`, `evidence_not_in_text` (quotes must be there to the letter; white space may differ),
    `number_not_in_text` (numbers of either answer that the chunk and the question lack; digits of all scripts compare),
    `refers_to_text` (speaks of "the passage"). Sentences are those of `attar.api.text`, so that abbreviations, initials
    and numbers end none.
    """

    Config = CheckAnswerConfig

    def reads(self, incoming: Columns) -> Columns:
        config = self.config
        question = {} if config.question is None else {config.question: "string?"}
        return {
            config.crisp: "string?",
            config.detailed: "string?",
            config.evidence: "any",
            config.context: "string",
            **question,
        }

    def score_names(self) -> Sequence[str]:
        return ("sentences", "crisp_words", "evidence")

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        if config.min_sentences > config.max_sentences:
            yield ConfigProblem(("min_sentences",), "min_sentences exceeds max_sentences: nothing can pass", "lower it")
        if config.language is not None:
            from attar.api.text import UnknownLanguage, language

            try:
                language(config.language)
            except UnknownLanguage as error:
                message, _, help = str(error).partition("; ")
                yield ConfigProblem(("language",), message, help)

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        from attar.api.text import sentences, words

        config = self.config
        crisp = (row[config.crisp] or "").strip()
        detailed = (row[config.detailed] or "").strip()
        quotes = [str(one or "") for one in row[config.evidence] or ()]
        context = row[config.context] or ""
        question = (row[config.question] or "") if config.question is not None else ""
        count, length = len(sentences(detailed, config.language)), len(words(crisp))
        faults = [
            *self._form(crisp, detailed, length, count),
            *self._grounds(quotes, context),
            *self._numbers(f"{crisp}\n{detailed}", f"{context}\n{question}"),
        ]
        found = sum(1 for fault in faults if fault.code.startswith("evidence"))
        scores = {
            "sentences": float(config.min_sentences <= count <= config.max_sentences),
            "crisp_words": float(0 < length <= config.crisp_words),
            "evidence": 1 - found / len(quotes) if quotes else 0.0,
        }
        if not faults:
            return Verdict("pass", scores=scores)
        return Verdict("fail", faults[0].code, scores, "\n".join(f"- {fault.feedback}" for fault in faults))

    def _form(self, crisp: str, detailed: str, length: int, count: int) -> Iterator[_Fault]:
        from .deictic import speaks_of_text
        from .wording import is_cut, refuses

        config = self.config
        if not length or not count:
            yield _Fault("empty", "Both answers are needed, crisp and detailed.")
            return
        if refuses(crisp) or refuses(detailed):
            yield _Fault("refusal", "Answer the question from the text; do not decline.")
        if length > config.crisp_words:
            yield _Fault(
                "crisp_too_long", f"The crisp answer has {length} words; at most {config.crisp_words} are allowed."
            )
        wanted = f"{config.min_sentences} to {config.max_sentences} are wanted"
        if count < config.min_sentences:
            yield _Fault("too_few_sentences", f"The detailed answer has {count} sentences; {wanted}.")
        if count > config.max_sentences:
            yield _Fault("too_many_sentences", f"The detailed answer has {count} sentences; {wanted}.")
        for name, text, whole in (("crisp", crisp, False), ("detailed", detailed, True)):
            if is_cut(text, whole=whole):
                yield _Fault("cut_sentence", f"The {name} answer breaks off: “…{text[-40:]}”. End it properly.")
            if (pointer := speaks_of_text(text)) is not None:
                yield _Fault(
                    "refers_to_text",
                    f"The {name} answer says “{pointer.text}”; the reader has no such text before them.",
                )

    def _grounds(self, quotes: Sequence[str], context: str) -> Iterator[_Fault]:
        from attar.api.text import words

        from .spans import find

        if not quotes:
            yield _Fault("no_evidence", "Quote the words of the text that the answer rests on.")
        for quote in quotes:
            if len(words(quote)) < self.config.quote_words:
                yield _Fault(
                    "evidence_too_short", f"“{quote}” is too short to be evidence; quote a clause or sentence."
                )
            elif find(quote, context) is None:
                yield _Fault("evidence_not_in_text", f"“{quote}” is not in the text. Copy quotes letter by letter.")

    def _numbers(self, answer: str, allowed: str) -> Iterator[_Fault]:
        from attar.api.text import numbers

        known = numbers(allowed, self.config.language)
        written = {other.text for other in known}
        told: set[str] = set()
        for number in numbers(answer, self.config.language):
            if number.text in written or number.text in told or any(_same(number, other) for other in known):
                continue
            told.add(number.text)
            yield _Fault("number_not_in_text", f"{number.text} is no number of the text. Use its numbers only.")


def _same(one: Any, other: Any) -> bool:
    from attar.api.text import number_differences

    missing, _ = number_differences([one], [other])
    return not missing
