"""rag.check_grounded: replies whose numbers, money, dates and names stand in the context or in what the user said."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Judge, Row, Verdict
from attar_rag.exports.columns import MESSAGES
from attar_rag.exports.turns import MODEL, USER, Roles, conversation

_CODES = {
    "date": "ungrounded_date",
    "money": "ungrounded_money",
    "number": "ungrounded_number",
    "name": "ungrounded_name",
}


class CheckGroundedConfig(Config):
    """See CheckGrounded."""

    column: str = Field("messages", min_length=1, description="column with the messages")
    contexts: str = Field("contexts", min_length=1, description="column with the texts they must keep to")
    roles: Roles = Field(default_factory=Roles, description="what the roles are called there")
    language: str | None = Field(
        "Indonesian", description="whose way of writing numbers decides what 1.000 is; null: as English does"
    )


class CheckGrounded(Judge[CheckGroundedConfig]):
    """Passes conversations in which every reply's numbers, money, dates and names occur in the contexts, or in what the
    user had said before it.

    Numbers are compared by their worth, in digits of any script and either way of grouping (Rp 5.000.000, ५०,००,०००,
    5 juta). Money must be money in the source too, a percentage a percentage. Of a date in figures or with a month's
    name (Indonesian, English, Hindi), day, month and year must stand together. Names are capitalised words within a
    sentence, and in Devanagari what a title shows to be one; they may be spelt in another script. Numbers of list
    items, forms of address and thoughts are not looked at. A sum that the model worked out itself fails.

    Fail codes: `ungrounded_date`, `ungrounded_money`, `ungrounded_number`, `ungrounded_name`; the feedback lists all.
    Score: `n_ungrounded`, negative, so that fewer are better.
    """

    Config = CheckGroundedConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.column: MESSAGES, self.config.contexts: "list<string>"}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if self.config.language is not None:
            from attar.api.text import UnknownLanguage, language

            try:
                language(self.config.language)
            except UnknownLanguage as error:
                message, _, help = str(error).partition("; ")
                yield ConfigProblem(("language",), message, help)

    def score_names(self) -> tuple[str, ...]:
        return ("n_ungrounded",)

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        from .claims import Claim, Sources

        config = self.config
        texts = [text for text in row[config.contexts] or () if isinstance(text, str)]
        found: list[Claim] = []
        sources: Sources | None = None
        for turn in conversation(row[config.column], config.roles).turns:
            if turn.role == USER:
                texts.append(turn.content)
                sources = None
            elif turn.role == MODEL:
                sources = sources or Sources(texts, config.language)
                found += sources.missing(turn.content)
        scores = {"n_ungrounded": -float(len(found))}
        if not found:
            return Verdict("pass", "", scores)
        told = "; ".join(dict.fromkeys(f"{claim.kind} {claim.text!r}" for claim in found[:8]))
        return Verdict(
            "fail",
            _CODES[found[0].kind],
            scores,
            f"These stand neither in the context nor in the user's words: {told}. Say only what stands there.",
        )
