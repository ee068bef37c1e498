"""The Context a step sees: prompts, model calls, random numbers, all tied to (step, row, attempt)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from attar.api import (
    Answer,
    Json,
    Message,
    ModelRef,
    PromptRef,
    PromptText,
    Retry,
    Row,
    RowError,
    RowSet,
    SchemaRef,
)
from attar.identity import H, seed_of
from attar.models import Call, ModelClient
from attar.recipe.expressions import render

if TYPE_CHECKING:
    from attar.execute.job import StageJob
    from attar.store.decisions import Decision
    from attar.store.journal import Journal

FIRST_TRY = Retry()
_BEHIND_ALL = 1 << 44  # larger than any row's number
NO_PROMPT: tuple[None, Mapping[str, Any]] = (None, {})


class Pace:
    """Which row may ask next. While there are rows to come, older rows first: they free the window and memory.

    Once the last row is in, in order of arrival, so that all rows near their end together: else the last rows would
    walk their chains alone, with the server half empty.
    """

    __slots__ = ("halted", "last_row_in")

    def __init__(self) -> None:
        self.last_row_in = False
        self.halted = False  # the engine has told the client to send nothing more

    def priority(self, ordinal: int) -> int:
        """Smaller goes first, equals in order of arrival."""
        return _BEHIND_ALL if self.last_row_in else ordinal


class Facts(NamedTuple):
    """What all contexts of one process share.

    Attributes:
        seed: the recipe's seed.
        params: step → the params its prompts see.
        client: None in steps that may not call models (sources, dataset steps, sinks).
        journal: for effects; None where there are none.
        tables: step → folder of its finished output.
        scratch: folder shared by all ranks of the stage's source.
        pace: decides which row may ask next.
        decisions: key of a row that waited for review → what a person decided on it.
    """

    seed: int
    params: Mapping[str, Mapping[str, Any]]
    client: ModelClient | None
    journal: Journal | None
    tables: Mapping[str, Path]
    scratch: Path
    pace: Pace = Pace()
    decisions: Mapping[str, Decision] = MappingProxyType({})

    @classmethod
    def of(
        cls,
        job: StageJob,
        client: ModelClient | None = None,
        journal: Journal | None = None,
        pace: Pace | None = None,
        decisions: Mapping[str, Decision] = MappingProxyType({}),
    ) -> Facts:
        """The facts of a stage; without client and journal for steps that may not ask models."""
        params = {name: planned.params for name, planned in job.plan.steps.items()}
        return cls(job.plan.seed, params, client, journal, job.tables, job.scratch, pace or Pace(), decisions)


class StepContext:
    """Implements `attar.api.Context` for one call of one step.

    `trail` gathers what the call cost and got: one small dict per answer.
    """

    __slots__ = (
        "_facts",
        "_last_prompt",
        "_out",
        "_rng",
        "_side",
        "ask",
        "attempt",
        "ordinal",
        "retry",
        "row_id",
        "shortfalls",
        "step",
        "trail",
    )

    def __init__(
        self,
        facts: Facts,
        step: str,
        row_id: str = "",
        attempt: int = 1,
        retry: Retry = FIRST_TRY,
        ordinal: int = 0,
        side: Mapping[str, str] | None = None,
        out: Path | None = None,
    ) -> None:
        self._facts = facts
        self._last_prompt: tuple[str | None, Mapping[str, Any]] = NO_PROMPT
        self._out = out
        self._rng: Random | None = None
        self._side = side or {}
        self.ask = 0  # how often a judge was asked before in this attempt without an answer that could be parsed
        self.attempt = attempt
        self.ordinal = ordinal
        self.retry = retry
        self.row_id = row_id
        self.shortfalls: list[tuple[str, int]] = []
        self.step = step
        self.trail: list[tuple[tuple[str, int], dict[str, Any]]] = []

    # -- facts -------------------------------------------------------------------------------------------------

    @property
    def rng(self) -> Random:
        if self._rng is None:
            self._rng = Random(self.seed("rng"))
        return self._rng

    @property
    def out(self) -> Path:
        if self._out is None:
            raise RuntimeError(f"step {self.step!r} is no sink: it has no output folder")
        return self._out

    @property
    def scratch(self) -> Path:
        return self._facts.scratch

    def seed(self, key: str = "", sample: int = 0) -> int:
        if self.ask:
            key = f"{key}#ask{self.ask}"
        return seed_of(self._facts.seed, self.step, self.row_id, self.attempt, key, sample)

    def side(self, field: str) -> RowSet:
        from attar.store.tables import StoredTable

        return StoredTable(self._facts.tables[self._side[field]])

    def shortfall(self, what: str, count: int) -> None:
        self.shortfalls.append((what, count))

    # -- prompts -----------------------------------------------------------------------------------------------

    def messages(self, prompt: PromptRef, row: Row, **extra: Any) -> list[Message]:
        text = _choose(prompt, prompt.texts, row)
        variables = {**row.columns, "retry": self.retry, "params": self._facts.params.get(self.step, {}), **extra}
        try:
            messages: list[Message] = [
                {"role": part.role, "content": render(part.text, variables)} for part in text.parts
            ]
        except Exception as error:
            raise RowError("prompt", f"{text.file}: {error}") from error
        self._last_prompt = (text.rehearse, {**variables, "extra": extra}) if text.rehearse else NO_PROMPT
        return messages

    def schema(self, ref: SchemaRef | None, row: Row) -> Mapping[str, Any] | None:
        if ref is None or not ref.schemas:
            return None
        schema: Mapping[str, Any] = _choose(ref, ref.schemas, row)
        return schema

    # -- models ------------------------------------------------------------------------------------------------

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
        known_rehearse, known_variables = self._last_prompt
        call = Call(
            protocol="chat",
            model=str(model),
            step=self.step,
            row=self.row_id,
            priority=self._priority,
            messages=messages,
            schema=schema,
            sampling=sampling,
            rehearse=rehearse if rehearse is not None else known_rehearse,
            variables=variables if variables is not None else known_variables,
            attempt=self.attempt,
        )

        def seeds(k: int) -> int:
            return self.seed(key if k == 0 else f"{key}#format{k}", sample)

        answer = await self._client.chat(call, seeds, format_attempts)
        self._note(model, key, sample, answer)
        return answer

    async def complete(
        self, model: ModelRef, prompt: str, *, key: str = "", sample: int = 0, sampling: Mapping[str, Any] | None = None
    ) -> Answer:
        call = Call(
            protocol="completion",
            model=str(model),
            step=self.step,
            row=self.row_id,
            priority=self._priority,
            prompt=prompt,
            sampling=sampling,
            attempt=self.attempt,
        )
        answer = await self._client.complete(call, self.seed(key, sample))
        self._note(model, key, sample, answer)
        return answer

    async def embed(self, model: ModelRef, texts: Sequence[str], *, key: str = "") -> list[list[float]]:
        call = Call(
            protocol="embeddings",
            model=str(model),
            step=self.step,
            row=self.row_id,
            priority=self._priority,
            texts=texts,
        )
        return await self._client.embed(call, self.seed(key))

    async def logprobs(self, model: ModelRef, text: str, *, key: str = "") -> list[float]:
        call = Call(
            protocol="logprobs",
            model=str(model),
            step=self.step,
            row=self.row_id,
            priority=self._priority,
            prompt=text,
        )
        return await self._client.logprobs(call, self.seed(key))

    async def tokens(self, model: ModelRef, text: str) -> int | None:
        call = Call(
            protocol="tokens",
            model=str(model),
            step=self.step,
            row=self.row_id,
            priority=self._priority,
            prompt=text,
        )
        return await self._client.tokens(call)

    async def effect(self, key: str, fn: Callable[[], Awaitable[Json]]) -> Json:
        journal = self._facts.journal
        if journal is None:
            raise RuntimeError(f"step {self.step!r} has no journal: effects belong to row steps and judges")
        name = H("effect", self.step, self.row_id, self.attempt, key)
        found = journal.get(name)
        if found is not None:
            return found["value"]
        value = await fn()
        journal.put(name, "effect", {"value": value})
        return value

    @property
    def _priority(self) -> int:
        return self._facts.pace.priority(self.ordinal)

    @property
    def _client(self) -> ModelClient:
        client = self._facts.client
        if client is None:
            raise RuntimeError(f"step {self.step!r} may not call models: only row steps and judges may")
        return client

    def take_trail(self) -> list[dict[str, Any]]:
        """The notes so far, ordered by (key, sample): several calls at once may end in any order. Empties the list."""
        notes, self.trail = sorted(self.trail, key=lambda note: note[0]), []
        return [note for _, note in notes]

    def _note(self, model: str, key: str, sample: int, answer: Answer) -> None:
        usage = answer.usage
        note = {
            "model": str(model),
            "key": answer.key,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "finish": answer.finish_reason,
        }
        if answer.repaired:
            note["repaired"] = True
        self.trail.append(((key, sample), note))


def _choose(ref: PromptRef | SchemaRef, loaded: Mapping[str, Any], row: Row) -> Any:
    if ref.by is None:
        return loaded[""]
    value = row[ref.by]
    try:
        return loaded[str(value)]
    except KeyError:
        expected = ", ".join(loaded)
        raise RowError("prompt", f"no file for {ref.by} = {value!r}; there are files for {expected}") from None


__all__ = ["FIRST_TRY", "Facts", "PromptText", "StepContext"]
