"""rag.grade_reply: what code can tell of a reply to a question with passages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Reject, Row, RowStep

_TELLING = 4  # letters of a word that can be evidence; shorter ones are mostly grammar


class GradeReplyConfig(Config):
    """See GradeReply."""

    reply: str = Field("reply", min_length=1, description="column with the reply")
    question: str = Field("question", min_length=1, description="column with the question")
    answer: str = Field("answer", min_length=1, description="column with the reference answer; null: there is none")
    contexts: str = Field("contexts", min_length=1, description="column with the texts the reply must keep to")
    answerable: str = Field("answerable", min_length=1, description="column (bool): the texts answer the question")
    recall: float = Field(
        0.5, gt=0, le=1, description="share of the reference's long words a reply needs where it has no fact to check"
    )
    language: str | None = Field(
        "Indonesian", description="whose way of writing numbers decides what 1.000 is; null: as English does"
    )


class GradeReply(RowStep[GradeReplyConfig]):
    """Grades a reply without a model and rejects none: a wrong reply is a result.

    Writes `refused` (it says that it does not know; Indonesian, Javanese, Hindi, English), `n_ungrounded` (numbers,
    money, dates and names that stand neither in the contexts nor in the question, as rag.check_grounded counts them),
    and `correct`. An answerable question is answered correctly by a reply that does not refuse, has nothing ungrounded,
    and holds every number, date and name of the reference answer; where the reference has none, `recall` of its words
    of four letters or more. One that cannot be answered is answered correctly by a refusal. `correct` is null where an
    answerable question has no reference. Words cannot tell a contradiction: a judge's verdict belongs beside it.
    """

    Config = GradeReplyConfig

    def reads(self, incoming: Columns) -> Columns:
        config = self.config
        return {
            config.reply: "string?",
            config.question: "string",
            config.answer: "string?",
            config.contexts: "list<string>",
            config.answerable: "bool",
        }

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, {"refused": "bool", "n_ungrounded": "int", "correct": "bool?"})

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if self.config.language is not None:
            from attar.api.text import UnknownLanguage, language

            try:
                language(self.config.language)
            except UnknownLanguage as error:
                message, _, help = str(error).partition("; ")
                yield ConfigProblem(("language",), message, help)

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        from attar_rag.conversations.claims import Sources
        from attar_rag.conversations.refusal import refuses

        config = self.config
        reply: str = row[config.reply] or ""
        refused = refuses(reply)
        known = [text for text in row[config.contexts] or () if isinstance(text, str)]
        beyond = len(Sources([*known, row[config.question]], config.language).missing(reply))
        correct: bool | None = refused
        if row[config.answerable]:
            reference = (row[config.answer] or "").strip()
            correct = None
            if reference:
                correct = not refused and not beyond and self._holds(reply, reference)
        return {"refused": refused, "n_ungrounded": beyond, "correct": correct}

    def _holds(self, reply: str, reference: str) -> bool:
        """Whether a reply says what the reference says, as far as facts and words show it."""
        from attar_rag.conversations.claims import Sources
        from attar_rag.retrieval.terms import terms

        facts = Sources([], self.config.language).missing(reference)
        if facts:
            return not Sources([reply], self.config.language).missing(reference)
        wanted = {term for term in terms(reference) if len(term) >= _TELLING} or set(terms(reference))
        return len(wanted & set(terms(reply))) >= self.config.recall * len(wanted) and bool(wanted)
