"""personas.check_task and personas.task: the task a model picked, held against its candidates and written out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from attar.api import Columns, Config, Context, Judge, Reject, Row, RowStep, Verdict

TASK_COLUMNS = {
    "task_domain": "domain",
    "task_context": "context",
    "task_function": "function",
    "task_languages": "languages",
}


class TaskConfig(Config):
    """See CheckTask and WriteTask."""

    column: str = Field("task_id", description="column with the id that was picked")
    candidates: str = Field("candidates", description="column with the candidates of personas.near_tasks")


class CheckTask(Judge[TaskConfig]):
    """Passes a task id that is one of the row's candidates and was not tried before.

    What was tried is what `on_fail.avoid` of a judge further on remembers. Fail codes: `unknown_task`, `tried_task`.
    """

    Config = TaskConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.column: "string?", self.config.candidates: "any"}

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        picked = row[self.config.column]
        tried = set(ctx.retry.avoid)
        offered = [one["task_id"] for one in row[self.config.candidates] or ()]
        left = ", ".join(name for name in offered if name not in tried)
        if picked not in offered:
            return Verdict("fail", "unknown_task", feedback=f"{picked!r} is none of the tasks. Choose one of: {left}")
        if picked in tried:
            return Verdict("fail", "tried_task", feedback=f"{picked!r} did not suit before. Choose one of: {left}")
        return Verdict("pass")


class WriteTask(RowStep[TaskConfig]):
    """Writes the picked task's domain, context, function and note on languages as columns, each named `task_…`.

    Reject code: `unknown_task`, for an id that is no candidate; `personas.check_task` before it has it picked again.
    """

    Config = TaskConfig

    def reads(self, incoming: Columns) -> Columns:
        return {self.config.column: "string?", self.config.candidates: "any"}

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, dict.fromkeys(TASK_COLUMNS, "string"))

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        picked = row[self.config.column]
        for one in row[self.config.candidates] or ():
            if one["task_id"] == picked:
                return {column: one[field] for column, field in TASK_COLUMNS.items()}
        return Reject("unknown_task", f"{picked!r} is none of the candidates")
