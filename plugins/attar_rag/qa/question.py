"""rag.check_question: one question that can be understood by itself, as far as code can tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Judge, Row, Verdict


class CheckQuestionConfig(Config):
    """See CheckQuestion."""

    column: str = Field("question", min_length=1, description="column with the question")
    kind: str | None = Field(None, min_length=1, description="column with its kind")
    prompts: list[str] = Field(
        ["open_ended"], description="kinds that may be a prompt without a question mark (Describe how …)"
    )
    min_words: int = Field(4, ge=1, description="fewer words can hardly stand alone")
    max_words: int = Field(60, ge=1)


class _Fault(NamedTuple):
    code: str
    feedback: str


class CheckQuestion(Judge[CheckQuestionConfig]):
    """Passes exactly one question that points at nothing outside itself. In English, Hindi, Indonesian and Tamil.

    Fail codes: `empty`, `refers_to_text` (the passage above; according to the text; this document), `bare_reference`
    (begins with a pronoun that stands for nothing), `preamble`, `question_marks` (none, or more than one), `commentary`
    (something follows), `too_short`, `too_long`. The first fault gives the code, the feedback names all.

    What only a reader can tell (the first lecture: of which course?) is left to a judge that sees the question alone.
    """

    Config = CheckQuestionConfig

    def reads(self, incoming: Columns) -> Columns:
        kind = {} if self.config.kind is None else {self.config.kind: "string?"}
        return {self.config.column: "string?", **kind}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if self.config.min_words > self.config.max_words:
            yield ConfigProblem(("min_words",), "min_words exceeds max_words: nothing can pass", "lower it")

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        prompt = self.config.kind is not None and row[self.config.kind] in self.config.prompts
        faults = self._faults((row[self.config.column] or "").strip(), prompt=prompt)
        if not faults:
            return Verdict("pass")
        return Verdict("fail", faults[0].code, feedback="\n".join(f"- {fault.feedback}" for fault in faults))

    def _faults(self, text: str, *, prompt: bool) -> Sequence[_Fault]:
        import unicodedata

        import regex

        from attar.api.text import words

        from .deictic import bare_subject, to_the_text

        text = unicodedata.normalize("NFC", text)
        count = len(words(text))
        if not count:
            return [_Fault("empty", "There is no question.")]
        faults = []
        if (pointer := to_the_text(text)) is not None:
            faults.append(
                _Fault(
                    "refers_to_text",
                    f"“{pointer.text}” points at a text the reader does not have. Name what is meant instead.",
                )
            )
        if (pointer := bare_subject(text)) is not None:
            faults.append(
                _Fault("bare_reference", f"“{pointer.text}” stands for nothing in the question. Name what is meant.")
            )
        if "\n" in text or regex.match(
            r"^\W*(?:question|pertanyaan|प्रश्न|கேள்வி|here (?:is|are)|sure|tentu)\b[^?]{0,60}:", text, regex.I
        ):
            faults.append(_Fault("preamble", "Give the question alone, on one line, with nothing before it."))
        marks = regex.findall(r"[?؟？]+", text)
        if len(marks) > 1 or (not marks and not prompt):
            faults.append(_Fault("question_marks", f"There are {len(marks)} question marks. Ask exactly one question."))
        elif marks and not prompt and words(regex.split(r"[?؟？]+", text, maxsplit=1)[1]):
            faults.append(_Fault("commentary", "Something follows the question. Give the question alone."))
        if count < self.config.min_words:
            faults.append(_Fault("too_short", f"{count} words are too few: at least {self.config.min_words}."))
        if count > self.config.max_words:
            faults.append(_Fault("too_long", f"{count} words are too many: at most {self.config.max_words}."))
        return faults
