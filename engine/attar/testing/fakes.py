"""A Context and RowSets for tests of steps, without an engine: scripted answers, or the rehearsal backend's."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Self

import orjson

from attar.api import (
    Answer,
    Json,
    Message,
    ModelRef,
    PromptRef,
    Retry,
    Row,
    RowError,
    RowSet,
    SchemaRef,
    Usage,
)
from attar.identity import H, row_id, seed_of
from attar.models import Call
from attar.models.answers import chat_value, checker, completion_value, parse
from attar.models.rehearsal import respond

if TYPE_CHECKING:
    import pyarrow as pa

Script = Sequence[Any] | Callable[[dict[str, Any]], Any] | None


class ListRowSet:
    """Rows in a list, as a RowSet."""

    def __init__(self, rows: Iterable[Row], columns: Mapping[str, str] | None = None) -> None:
        self._rows = list(rows)
        self._columns = dict(columns) if columns is not None else columns_of(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def columns(self) -> Mapping[str, str]:
        return self._columns

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for start in range(0, len(self._rows), 1000):
            part = self._rows[start : start + 1000]
            batch = pa.RecordBatch.from_pylist([{"id": row.id, **row} for row in part])
            yield batch if columns is None else batch.select([*columns, "id"])

    def sorted_by(self, *keys: str) -> ListRowSet:
        def place(row: Row) -> tuple[tuple[bool, Any], ...]:  # nulls first, as the engine sorts
            return tuple((row[key] is not None, 0 if row[key] is None else row[key]) for key in keys)

        return ListRowSet(sorted(self._rows, key=place), self._columns)


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Columns and types as the values show them; for tests that do not say. A column with a null is nullable."""
    found: dict[str, str] = {}
    empty: set[str] = set()
    for row in rows:
        for name, value in row.items():
            if value is None:
                empty.add(name)
                found.setdefault(name, "any")
            else:
                kind = _type_of(value)
                found[name] = kind if found.get(name, "any") in ("any", kind) else "json"
    return {name: kind + "?" if name in empty and kind != "any" else kind for name, kind in found.items()}


def _type_of(value: Any) -> str:
    for kind, name in ((bool, "bool"), (int, "int"), (float, "float"), (str, "string")):
        if isinstance(value, kind):
            return name
    if isinstance(value, list | tuple):
        items = {_type_of(item) for item in value}
        return f"list<{items.pop()}>" if len(items) == 1 else "json"
    if isinstance(value, Mapping) and value:
        return "struct<" + ",".join(f"{k}:{_type_of(v)}" for k, v in value.items()) + ">"
    return "json"


def make_rows(rows: Iterable[Mapping[str, Any]], step: str = "source") -> list[Row]:
    """Rows with the ids a source called `step` would give them; a Row stays as it is."""
    return [row if isinstance(row, Row) else Row(row_id(step, n), dict(row)) for n, row in enumerate(rows)]


class FakeContext:
    """Implements attar.api.Context for one row (`for_row` makes those of others).

    Args:
        answers: what models answer. A list is used up in order of the calls; a function gets the call as a dict
            (`protocol, model, messages, prompt, texts, schema, sampling, key, sample, text`). Values: a string, a
            JSON value, an Answer, or a RowError to raise. None: the rehearsal backend answers.
        side: rows of side tables by field name.
        params: what prompts see as `params`.
        seed, step, row, attempt: decide `rng` and `seed()`, as in the engine.
        out, scratch: folders; made on first use where not given.

    Attributes:
        calls: every model call so far, as dicts, in order.
        effects: results of `effect` by key.
        shortfalls: what `shortfall` was told.
    """

    def __init__(
        self,
        answers: Script = None,
        *,
        step: str = "step",
        row: str = "",
        attempt: int = 1,
        seed: int = 0,
        retry: Retry | None = None,
        side: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
        params: Mapping[str, Any] | None = None,
        out: Path | None = None,
        scratch: Path | None = None,
    ) -> None:
        self._script = answers if answers is None or callable(answers) else list(answers)
        self._step = step
        self._row = row
        self._seed = seed
        self._retry = retry if retry is not None else Retry(attempt)
        self._side = {name: ListRowSet(make_rows(rows, name)) for name, rows in (side or {}).items()}
        self._params = dict(params or {})
        self._folders: dict[str, Path] = {name: path for name, path in (("out", out), ("scratch", scratch)) if path}
        self._keep: list[tempfile.TemporaryDirectory[str]] = []
        self._rng: Random | None = None
        self._last_prompt: tuple[str | None, Mapping[str, Any]] = (None, {})
        self.calls: list[dict[str, Any]] = []
        self.effects: dict[str, Json] = {}
        self.shortfalls: list[tuple[str, int]] = []

    def for_row(self, row: Row) -> Self:
        """The context of another row: own random numbers, the same script, records and folders."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._row = row.id
        other._rng = None
        other._last_prompt = (None, {})
        if row.attempt != other._retry.attempt:
            other._retry = other._retry._replace(attempt=row.attempt)
        return other

    @property
    def step(self) -> str:
        return self._step

    @property
    def rng(self) -> Random:
        if self._rng is None:
            self._rng = Random(self.seed("rng"))
        return self._rng

    @property
    def retry(self) -> Retry:
        return self._retry

    @property
    def out(self) -> Path:
        return self._folder("out")

    @property
    def scratch(self) -> Path:
        return self._folder("scratch")

    def _folder(self, name: str) -> Path:
        if name not in self._folders:
            made = tempfile.TemporaryDirectory(prefix=f"attar-{name}-", ignore_cleanup_errors=True)
            self._keep.append(made)
            self._folders[name] = Path(made.name)
        return self._folders[name]

    def close(self) -> None:
        """Removes the folders made here."""
        while self._keep:
            self._keep.pop().cleanup()

    def seed(self, key: str = "", sample: int = 0) -> int:
        return seed_of(self._seed, self._step, self._row, self._retry.attempt, key, sample)

    def messages(self, prompt: PromptRef, row: Row, **extra: Any) -> list[Message]:
        from attar.recipe.expressions import render

        text = _choose(prompt, prompt.texts, row)
        variables = {**row, "retry": self._retry, "params": self._params, **extra}
        try:
            made: list[Message] = [{"role": part.role, "content": render(part.text, variables)} for part in text.parts]
        except Exception as error:
            raise RowError("prompt", f"{text.file}: {error}") from error
        self._last_prompt = (text.rehearse, {**variables, "extra": extra})
        return made

    def schema(self, ref: SchemaRef | None, row: Row) -> Mapping[str, Any] | None:
        if ref is None or not ref.schemas:
            return None
        schema: Mapping[str, Any] = _choose(ref, ref.schemas, row)
        return schema

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
        known, seen = self._last_prompt
        call = Call(
            "chat",
            str(model),
            self._step,
            self._row,
            0,
            messages=messages,
            schema=schema,
            sampling=sampling,
            rehearse=rehearse if rehearse is not None else known,
            variables=variables if variables is not None else seen,
        )
        problem = ""
        for attempt in range(max(1, format_attempts)):
            answer = await self._answer(call, key if attempt == 0 else f"{key}#format{attempt}", sample)
            if schema is None or answer.value is not None:
                return answer
            parsed = parse(answer.text, checker(schema))
            if not parsed.problem:
                return answer._replace(value=parsed.value, repaired=parsed.repaired)
            problem = parsed.problem
        raise RowError("unparseable", problem)

    async def complete(
        self, model: ModelRef, prompt: str, *, key: str = "", sample: int = 0, sampling: Mapping[str, Any] | None = None
    ) -> Answer:
        call = Call("completion", str(model), self._step, self._row, 0, prompt=prompt, sampling=sampling)
        return await self._answer(call, key, sample)

    async def embed(self, model: ModelRef, texts: Sequence[str], *, key: str = "") -> list[list[float]]:
        call = Call("embeddings", str(model), self._step, self._row, 0, texts=texts)
        said = self._scripted(call, key, 0)
        if said is not None:
            return [list(vector) for vector in said]
        return [row["embedding"] for row in respond(call, self.seed(key))["data"]]

    async def logprobs(self, model: ModelRef, text: str, *, key: str = "") -> list[float]:
        call = Call("logprobs", str(model), self._step, self._row, 0, prompt=text)
        said = self._scripted(call, key, 0)
        if said is not None:
            return list(said)
        body = respond(call, self.seed(key))
        return [x for x in body["choices"][0]["logprobs"]["token_logprobs"] if x is not None]

    async def tokens(self, model: ModelRef, text: str) -> int | None:
        said = self._scripted(Call("tokens", str(model), self._step, self._row, 0, prompt=text), "", 0)
        return None if said is None else int(said)

    async def effect(self, key: str, fn: Callable[[], Awaitable[Json]]) -> Json:
        name = H(self._step, self._row, self._retry.attempt, key)
        if name not in self.effects:
            # as in the engine, what comes back has been through JSON
            self.effects[name] = orjson.loads(orjson.dumps(await fn()))
        return self.effects[name]

    def side(self, field: str) -> RowSet:
        return self._side[field]

    def shortfall(self, what: str, count: int) -> None:
        self.shortfalls.append((what, count))

    # -- answers -----------------------------------------------------------------------------------------------

    def _scripted(self, call: Call, key: str, sample: int) -> Any:
        """The script's answer, or None where the rehearsal backend is to answer."""
        text = call.prompt or "\n".join(str(message.get("content", "")) for message in call.messages)
        record = {
            "protocol": call.protocol,
            "model": call.model,
            "messages": list(call.messages),
            "prompt": call.prompt,
            "texts": list(call.texts),
            "schema": call.schema,
            "sampling": call.sampling,
            "key": key,
            "sample": sample,
            "text": text,
        }
        self.calls.append(record)
        if self._script is None:
            return None
        if callable(self._script):
            said = self._script(record)
        elif self._script:
            said = self._script.pop(0)
        else:
            raise AssertionError(f"the script has no answer left for call {len(self.calls)}: {text[:200]!r}")
        if isinstance(said, RowError):
            raise said
        return said

    async def _answer(self, call: Call, key: str, sample: int) -> Answer:
        said = self._scripted(call, key, sample)
        if inspect.isawaitable(said):
            said = await said
        seed = self.seed(key, sample)
        name = H(call.protocol, call.model, call.messages, call.prompt, call.sampling, call.schema, seed)
        if isinstance(said, Answer):
            return said
        if said is not None:
            text = said if isinstance(said, str) else orjson.dumps(said).decode()
            return Answer(text, key=name, usage=Usage(len(call.messages), len(text) // 4 + 1))
        read = chat_value if call.protocol == "chat" else completion_value
        value = read(respond(replace(call, variables=dict(call.variables)), seed))
        usage = Usage(value["prompt_tokens"], value["completion_tokens"])
        return Answer(value["text"], finish_reason=value["finish"], usage=usage, key=name)


def _choose(ref: PromptRef | SchemaRef, loaded: Mapping[str, Any], row: Row) -> Any:
    if ref.by is None:
        return loaded[""]
    try:
        return loaded[str(row[ref.by])]
    except KeyError:
        raise RowError(
            "prompt", f"no file for {ref.by} = {row[ref.by]!r}; there are files for {', '.join(loaded)}"
        ) from None
