"""What a step may ask of the engine while it handles a row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Protocol

from attar.api.refs import ModelRef, PromptRef, SchemaRef
from attar.api.rows import Json, Row, RowSet

Message = Mapping[str, Any]


class Usage(NamedTuple):
    """Tokens of one answer as the server counted them; 0 where it did not say."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


class Answer(NamedTuple):
    """One answer of a model.

    Attributes:
        text: the content, without reasoning.
        reasoning: reasoning content where the server keeps it apart, else "".
        value: the parsed JSON where a schema was asked for, else None.
        finish_reason: "stop", "length", … as the server said.
        usage: token counts.
        key: the request key (hex).
        repaired: True where the JSON had to be repaired.
        logprobs: token logprobs where they were asked for, else None.
    """

    text: str
    reasoning: str = ""
    value: Json = None
    finish_reason: str = "stop"
    usage: Usage = Usage()
    key: str = ""
    repaired: bool = False
    logprobs: Json = None


class RowError(Exception):
    """The row cannot go on: it is dead-lettered with this code. Raised by `ctx` calls; a step may raise it too.

    Codes the engine raises: `unparseable` (no valid answer after the format attempts), `truncated` (finish_reason
    length), `too_long` (prompt exceeds the model), `refused` (the server's 4xx for this request), `transport`
    (server unreachable, time-out or 5xx after all tries; tried again by the next run), `prompt` (template failed).
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class Retry(NamedTuple):
    """The retry loop as the row sees it; prompts read it as `retry`.

    Attributes:
        attempt: 1 on the first try.
        feedback: judges' feedback on earlier tries, oldest first.
        previous: the earlier tries' values of the retried step's main column, oldest first.
        avoid: earlier tries' values of the column named by `on_fail.avoid`.
    """

    attempt: int = 1
    feedback: Sequence[str] = ()
    previous: Sequence[Any] = ()
    avoid: Sequence[Any] = ()


class Context(Protocol):
    """Passed to every call of a step. One per (step, row, attempt) for row steps; one per call for the others."""

    @property
    def step(self) -> str:
        """The step's name in the recipe."""
        ...

    @property
    def rng(self) -> Random:
        """Random numbers that depend on recipe seed, step, row id and attempt alone."""
        ...

    @property
    def retry(self) -> Retry: ...

    @property
    def out(self) -> Path:
        """Sinks: an empty folder, published as a whole when the sink returns."""
        ...

    @property
    def scratch(self) -> Path:
        """Sources: a folder shared by all shards of this source, kept with its stage (for indexes made by `count`)."""
        ...

    def seed(self, key: str = "", sample: int = 0) -> int:
        """H("seed", recipe seed, step, row id, attempt, key, sample) mod 2³¹."""
        ...

    def messages(self, prompt: PromptRef, row: Row, **extra: Any) -> list[Message]:
        """Renders a prompt for a row. Templates see the row's columns, `retry`, `params` and `extra`.

        Raises:
            RowError: `prompt`, when the template fails or no file matches the row's `by` value.
        """
        ...

    def schema(self, ref: SchemaRef | None, row: Row) -> Mapping[str, Any] | None:
        """The JSON Schema that applies to this row, or None."""
        ...

    async def chat(
        self,
        model: ModelRef,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any] | None = None,
        key: str = "",
        sample: int = 0,
        sampling: Mapping[str, Any] | None = None,
        rehearse: str | None = None,
        variables: Mapping[str, Any] | None = None,
        format_attempts: int = 2,
    ) -> Answer:
        """One chat completion, journalled before it returns.

        Args:
            model: the ModelRef of the step's config.
            messages: role and content each.
            schema: JSON Schema of the answer; sent as response_format, checked again here, asked again up to
                `format_attempts` times in all.
            key: tells several calls of one step for one row apart.
            sample: index of an independent sample of the same prompt.
            sampling: overrides of the model's sampling parameters for this call.
            rehearse, variables: Jinja answer and its variables for the rehearsal backend (default: the prompt file's
                own `rehearse`, as noted by the last `messages` call, over the row).

        Raises:
            RowError: see RowError for codes. Steps need not catch it.
        """
        ...

    async def complete(
        self, model: ModelRef, prompt: str, *, key: str = "", sample: int = 0, sampling: Mapping[str, Any] | None = None
    ) -> Answer:
        """One raw text completion; otherwise like `chat`."""
        ...

    async def embed(self, model: ModelRef, texts: Sequence[str], *, key: str = "") -> list[list[float]]:
        """One embedding per text, journalled per text list."""
        ...

    async def logprobs(self, model: ModelRef, text: str, *, key: str = "") -> list[float]:
        """Log-probabilities (natural log) of the tokens of `text` under the model, the first token left out."""
        ...

    async def tokens(self, model: ModelRef, text: str) -> int | None:
        """Tokens of `text` by the model's own tokenizer, without special ones and without a chat's template.

        That of its folder where the model is one on this machine, else its server's `/tokenize` (vLLM), journalled.
        None where the model has no tokenizer: it is rehearsed, or a plugin's backend serves it.
        """
        ...

    async def effect(self, key: str, fn: Callable[[], Awaitable[Json]]) -> Json:
        """Runs any costly or outside call once; its JSON result is journalled under (step, row id, attempt, key)."""
        ...

    def side(self, field: str) -> RowSet:
        """The finished output of the step that the StepRef field of this name refers to."""
        ...

    def shortfall(self, what: str, count: int) -> None:
        """Dataset steps: says that `count` promised rows are missing (`what` names the cell); the run exits 1."""
        ...
