"""rag.check_messages: conversations that chat formats can hold."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, Context, Judge, Row, Verdict
from attar_rag.exports.columns import MESSAGES, has_thoughts
from attar_rag.exports.turns import MODEL, Roles, Tags, conversation, fault_of


class CheckMessagesConfig(Config):
    """See CheckMessages."""

    column: str = Field("messages", description="column with the messages: role, content, perhaps thought")
    roles: Roles = Field(default_factory=Roles, description="what the roles are called there")
    min_turns: int = Field(1, ge=1, description="answers there must be")
    thoughts: bool = Field(False, description="every answer must have a thought")
    tags: Tags | None = Field(
        default_factory=Tags, description="tags that must not occur in a content or thought; null: not looked at"
    )


class CheckMessages(Judge[CheckMessagesConfig]):
    """Passes conversations in which user and model take turns, the user first and the model last, with no message
    empty: what the formats openai_chat, sharegpt, alpaca, trl_chat and trl_prompt_completion can hold.

    A first message of the role `system` is let through. Fail codes: `unknown_role`, `first_not_user`, `role_order`,
    `last_not_model`, `empty_content`, `missing_thought`, `tag_in_text`, `too_few_turns`. Score: `n_turns`, the answers
    there are.
    """

    Config = CheckMessagesConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.column: MESSAGES}

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if self.config.thoughts and not has_thoughts(incoming.get(self.config.column)):
            yield ConfigProblem(
                ("thoughts",),
                f"messages in column {self.config.column!r} have no field `thought`: every row would fail",
                "leave thoughts out, or have the messages written with thoughts",
                "E503",
            )

    def score_names(self) -> tuple[str, ...]:
        return ("n_turns",)

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        config = self.config
        turns = conversation(row[config.column], config.roles).turns
        scores = {"n_turns": float(sum(turn.role == MODEL for turn in turns))}
        fault = fault_of(turns, min_turns=config.min_turns, thoughts=config.thoughts, tags=config.tags)
        if fault is None:
            return Verdict("pass", "", scores)
        return Verdict("fail", fault.code, scores, f"In the conversation, {fault.message}.")
