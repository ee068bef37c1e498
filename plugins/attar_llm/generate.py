"""llm.generate: a model writes columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from attar.api import Answer, Columns, ConfigProblem, Context, Reject, Row, RowError, RowStep, SchemaRef, Type, nullable
from attar_llm.asking import FormConfig, known_schemas, schema_of
from attar_llm.columns import answer_columns, merged_columns
from attar_llm.rubric import load_rubric, rubric_problems, rubric_variables

_TRY_AGAIN = "transport"


class GenerateConfig(FormConfig):
    """See Generate."""

    output: SchemaRef | None = Field(
        None, description="JSON Schema of the answer; its top-level properties are columns"
    )
    rubric: SchemaRef | None = Field(None, description="rubric file whose wording the prompt reads as `rubric`")
    column: str | None = Field(
        None, min_length=1, description="column of an answer without properties; default: step name"
    )
    samples: int = Field(1, ge=1, le=1024, description="answers per row; more than one makes every column a list")
    min_samples: int | None = Field(None, ge=1, description="answers that must be good; default: all")
    truncated: Literal["reject", "keep"] = Field("reject", description="what a text cut off by max_tokens is")
    empty: Literal["reject", "keep"] = Field("reject", description="what a text without a letter is")
    keep_reasoning: str | None = Field(None, min_length=1, description="column for the model's reasoning")
    keep_finish: str | None = Field(None, min_length=1, description="column for the finish reason (stop, length)")


class Generate(RowStep[GenerateConfig]):
    """Asks a model once (or `samples` times) per row.

    Without a schema the answer is one string column named after the step (or `column`). With `output` (or the prompt
    file's own `output`) the top-level properties become columns; optional ones are nullable, what has no column form is
    `json`. With `samples: n` > 1 each of these columns is a list with an element per answer, in sample order: the row
    stays one row, so that it can still be judged and retried; `std.explode` makes a row of each.

    Reject codes: `truncated`, `empty`; with samples only where fewer than `min_samples` are good.
    """

    Config = GenerateConfig
    provides = frozenset({"rubric"})

    def __init__(self, config: GenerateConfig) -> None:
        super().__init__(config)
        self._made: tuple[str, dict[str, Type]] | None = None

    def writes(self, incoming: Columns) -> Columns:
        config = self.config
        new: dict[str, Type] = {
            name: f"list<{kind}>" if config.samples > 1 else kind for name, kind in self._answer_columns().items()
        }
        for column in (config.keep_reasoning, config.keep_finish):
            if column is not None:
                if column in new:
                    raise ConfigProblem((), f"column {column!r} is written twice by this step", "rename one", "E502")
                new[column] = "list<string>" if config.samples > 1 else nullable("string")
        return self.add(incoming, new)

    def check(self, incoming: Columns) -> Iterator[ConfigProblem]:
        config = self.config
        if config.min_samples is not None and config.min_samples > config.samples:
            yield ConfigProblem(
                ("min_samples",),
                f"min_samples {config.min_samples} exceeds samples {config.samples}",
                f"set min_samples to at most {config.samples}",
            )
        if config.column is not None and config.column not in self._answer_columns() and self._schemas():
            yield ConfigProblem(
                ("column",), "column has no effect: the answer's properties name the columns", "remove column"
            )
        yield from rubric_problems(config.rubric, incoming, config.prompt)

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject:
        config = self.config
        if config.samples == 1:
            return await self._one(row, ctx, 0)
        import asyncio  # 20 ms that checking a recipe need not pay

        found = await asyncio.gather(
            *(self._one(row, ctx, sample) for sample in range(config.samples)), return_exceptions=True
        )
        good: list[Mapping[str, Any]] = []
        bad: list[Reject | BaseException] = []
        for one in found:
            if isinstance(one, Reject | BaseException):
                bad.append(one)
            else:
                good.append(one)
        for one in bad:
            # The weather must not decide the data: a row with a lost request is tried again by the next run. What is
            # no RowError (cancellation, a stop of the run) is not ours to swallow.
            if isinstance(one, BaseException) and (not isinstance(one, RowError) or one.code == _TRY_AGAIN):
                raise one
        if len(good) < (config.min_samples or config.samples):
            first = bad[0]
            if isinstance(first, BaseException):
                raise first
            return first
        return {name: [one[name] for one in good] for name in good[0]}

    async def _one(self, row: Row, ctx: Context, sample: int) -> Mapping[str, Any] | Reject:
        """One answer as columns."""
        config = self.config
        schema = schema_of(config.output, config.prompt, row, ctx)
        answer = await ctx.chat(
            config.model,
            ctx.messages(config.prompt, row, **rubric_variables(load_rubric(config.rubric))),
            schema=schema,
            sample=sample,
            sampling=config.sampling.given(),
            format_attempts=config.format_attempts,
        )
        if schema is not None:
            columns = answer_columns(answer.value, schema, self._column, self._answer_columns())
        else:
            if config.truncated == "reject" and answer.finish_reason == "length":
                return Reject("truncated", f"the answer was cut off after {answer.usage.completion_tokens} tokens")
            if config.empty == "reject" and not answer.text.strip():
                return Reject("empty", f"the answer is empty (finish reason {answer.finish_reason!r})")
            # Rows whose schema is chosen by column may have columns this row's plain answer does not fill.
            columns = dict.fromkeys(self._answer_columns()) | {self._column: answer.text}
        return {**columns, **self._kept(answer)}

    def _kept(self, answer: Answer) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        if self.config.keep_reasoning is not None:
            kept[self.config.keep_reasoning] = answer.reasoning
        if self.config.keep_finish is not None:
            kept[self.config.keep_finish] = answer.finish_reason
        return kept

    @property
    def _column(self) -> str:
        return self.config.column or self.short_name

    def _schemas(self) -> list[Mapping[str, Any]]:
        return known_schemas(self.config.output, self.config.prompt)

    def _answer_columns(self) -> dict[str, Type]:
        """Columns of one answer; worked out once per name, for it is asked for with every row."""
        if self._made is None or self._made[0] != self.name:
            self._made = self.name, self._make_answer_columns()
        return self._made[1]

    def _make_answer_columns(self) -> dict[str, Type]:
        schemas = self._schemas()
        if not schemas:
            return {self._column: "string"}
        columns = merged_columns(schemas, self._column)
        plain = self.config.output is None and any(text.output is None for text in self.config.prompt.texts.values())
        if plain:
            columns = {name: nullable(kind) for name, kind in columns.items()} | {self._column: "string?"}
        return columns
