"""What all chat formats may be told."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Literal

from pydantic import Field

from attar.api import Columns, Config, ConfigProblem, parse_type
from attar_rag.exports.columns import MESSAGES, has_thoughts, is_split_key
from attar_rag.exports.split import Split
from attar_rag.exports.turns import Roles, Tags


class RoleNames(Config):
    """What the roles are called in the files."""

    user: str = Field("user", min_length=1)
    assistant: str = Field("assistant", min_length=1, description="the model; Gemma's own templates also take model")
    system: str = Field("system", min_length=1)


class ExportConfig(Config):
    """See ChatExport."""

    messages: str = Field("messages", min_length=1, description="column with the messages: role, content, thought")
    question: str | None = Field(None, description="column with a single question, in place of `messages`")
    answer: str | None = Field(None, description="column with its answer")
    answer_thought: str | None = Field(None, description="column with the thought before that answer")
    roles: Roles = Field(default_factory=Roles, description="what the roles are called in the messages")
    system: str | None = Field(None, min_length=1, description="system text of every conversation")
    system_column: str | None = Field(None, description="column with the system text; null or empty: none")
    fold_system: bool = Field(
        False, description="the system text goes before the first question, for templates that have no system role"
    )
    thoughts: Literal["strip", "keep", "tagged"] = Field(
        "strip", description="strip: left out; keep: under a key of their own; tagged: before the answer, between tags"
    )
    thought_key: str = Field("reasoning_content", min_length=1, description="the key where thoughts are kept")
    tags: Tags = Field(default_factory=Tags, description="the tags where thoughts are tagged")
    carry: tuple[str, ...] = Field(
        (), description="further columns, under their own names (also id); those that hold json as JSON text"
    )
    split: Split | None = Field(None, description="by which documents the rows are split; null: all are training")
    rows_per_file: int = Field(100_000, ge=1, description="records in each file")

    @property
    def single(self) -> bool:
        """Whether rows hold a question and an answer in place of messages."""
        return self.question is not None or self.answer is not None

    def columns(self) -> dict[str, str]:
        """What is read of a row, with the types expected; without the engine's own id."""
        wanted: dict[str, str] = {}
        if self.single:
            texts = (self.question, self.answer, self.answer_thought)
            wanted |= {name: "string" for name in texts if name is not None}
        else:
            wanted[self.messages] = MESSAGES
        if self.system_column is not None:
            wanted[self.system_column] = "string"
        further = [*self.carry, *([self.split.by] if self.split else [])]
        return wanted | {name: "any" for name in further if name not in wanted and name != "id"}

    def problems(self, incoming: Columns, keys: Collection[str]) -> Iterator[ConfigProblem]:
        """Mistakes that the columns show.

        Args:
            incoming: columns that arrive.
            keys: those that carried columns must not have.
        """
        if self.single and (self.question is None or self.answer is None):
            given, missing = ("answer", "question") if self.question is None else ("question", "answer")
            yield ConfigProblem((given,), f"{given} is given without {missing}", f"name the {missing}'s column, too")
        if self.answer_thought is not None and not self.single:
            yield ConfigProblem(
                ("answer_thought",), "answer_thought belongs to question and answer", "messages hold their own thoughts"
            )
        if self.system is not None and self.system_column is not None:
            yield ConfigProblem(("system_column",), "both system and system_column are given", "leave one of them out")
        yield from self._thoughts(incoming)
        for place, name in enumerate(self.carry):
            if name in keys:
                yield ConfigProblem(
                    ("carry", place),
                    f"{name!r} is a key of the format itself",
                    "rename the column (std.rename)",
                    "E502",
                )
        split = self.split
        if split is not None and split.by in incoming and not is_split_key(incoming[split.by]):
            yield ConfigProblem(
                ("split", "by"),
                f"column {split.by!r} is {incoming[split.by]}, which names no documents",
                "name a column of string, int, list<string> or list<int>",
                "E503",
            )

    def _thoughts(self, incoming: Columns) -> Iterator[ConfigProblem]:
        if self.thoughts == "strip":
            return
        if self.thoughts == "keep" and self.thought_key in ("role", "content", "from", "value"):
            yield ConfigProblem(("thought_key",), f"{self.thought_key!r} is a key that messages have", "name another")
        if self.single and self.answer_thought is None:
            yield ConfigProblem(
                ("thoughts",), f"thoughts: {self.thoughts}, but no column holds any", "name it as answer_thought"
            )
        if not self.single and not has_thoughts(incoming.get(self.messages)):
            yield ConfigProblem(
                ("thoughts",),
                f"thoughts: {self.thoughts}, but the messages in {self.messages!r} have no field `thought`",
                "use thoughts: strip, or have the messages written with thoughts",
                "E503",
            )

    def carried(self, incoming: Columns) -> dict[str, str]:
        """Types of the carried columns."""
        return {name: "string" if name == "id" else parse_type(incoming[name]).text() for name in self.carry}
