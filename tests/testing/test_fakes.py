"""FakeContext, the step runners and the contract, over small steps of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from attar.api import (
    Answer,
    Columns,
    Config,
    Context,
    DatasetStep,
    Drop,
    Judge,
    ModelRef,
    New,
    PromptRef,
    Reject,
    Row,
    RowError,
    RowSet,
    RowStep,
    SchemaRef,
    Source,
    Verdict,
)
from attar.testing import (
    FakeContext,
    ListRowSet,
    StepContract,
    build,
    make_rows,
    prompt,
    run_dataset_step,
    run_judge,
    run_row_step,
    run_sink,
    run_source,
    schema,
)

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["n"]}


class AskConfig(Config):
    model: ModelRef
    prompt: PromptRef
    output: SchemaRef | None = None


class Ask(RowStep[AskConfig]):
    Config = AskConfig

    def reads(self, incoming: Columns) -> Columns:
        return {"text": "string"}

    def writes(self, incoming: Columns) -> Columns:
        return self.add(incoming, {self.short_name: "json"})

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject | list[Mapping[str, Any]]:
        if not row["text"]:
            return Reject("empty", "no text")
        wanted = ctx.schema(self.config.output, row)
        answer = await ctx.chat(self.config.model, ctx.messages(self.config.prompt, row), schema=wanted)
        return {self.short_name: answer.value if wanted else answer.text, "draw": ctx.rng.random()}


class GoodAsk(Ask):
    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject | list[Mapping[str, Any]]:
        result = await super().apply(row, ctx)
        return {k: v for k, v in result.items() if k != "draw"} if isinstance(result, Mapping) else result


CONFIG = {"model": "m", "prompt": prompt("Say {{ text }}!"), "output": schema(SCHEMA)}
PLAIN = {"model": "m", "prompt": prompt("Say {{ text }}!", rehearse="{{ pick(['a', 'b', 'c']) }} {{ text }}")}
ROWS = [{"text": "ek"}, {"text": "do"}, {"text": ""}]


def test_scripted_answers_in_order() -> None:
    context = FakeContext(["one", RowError("transport", "gone")])
    results = run_row_step(build(Ask, PLAIN), ROWS, context)
    assert results[0]["step"] == "one"
    assert isinstance(results[1], RowError) and results[1].code == "transport"
    assert results[2] == Reject("empty", "no text")
    assert [call["text"] for call in context.calls] == ["Say ek!", "Say do!"]
    with pytest.raises(AssertionError, match="no answer left"):
        run_row_step(build(Ask, PLAIN), ROWS, context)


def test_a_script_sees_the_call_and_formats_are_checked_as_in_the_engine() -> None:
    asked: list[int] = []

    def script(call: dict[str, Any]) -> Any:
        asked.append(1)
        assert call["schema"] == SCHEMA and call["model"] == "m"
        return {"n": 3} if "ek" in call["text"] else {"n": 99}

    first, second, _ = run_row_step(build(Ask, CONFIG), ROWS, FakeContext(script))
    assert first["step"] == {"n": 3}
    assert isinstance(second, RowError) and second.code == "unparseable" and len(asked) == 3


def test_without_a_script_it_rehearses_the_same_every_time() -> None:
    first = run_row_step(build(Ask, PLAIN), ROWS)
    assert first == run_row_step(build(Ask, PLAIN), ROWS)
    assert first[0]["step"].split()[1] == "ek" and first[0]["draw"] != first[1]["draw"]
    values = [r["step"]["n"] for r in run_row_step(build(Ask, CONFIG), [{"text": str(i)} for i in range(40)])]
    assert set(values) <= set(range(1, 10)) and len(set(values)) > 4


def test_random_numbers_follow_identity() -> None:
    row = make_rows([{"a": 1}])[0]
    one = FakeContext(step="s", seed=7).for_row(row)
    assert one.rng.random() == FakeContext(step="s", seed=7).for_row(row).rng.random()
    again = FakeContext(step="s", seed=7).for_row(Row(row.id, row, attempt=2))
    assert again.retry.attempt == 2 and again.rng.random() != FakeContext(step="s", seed=7).for_row(row).rng.random()
    assert one.seed("k") != one.seed("k", 1) != one.seed("j", 1)


def test_effects_happen_once_and_come_back_as_json() -> None:
    async def body() -> None:
        context, count = FakeContext(), [0]

        async def fn() -> Any:
            count[0] += 1
            return {"pair": (1, 2)}

        for _ in range(2):
            assert await context.effect("x", fn) == {"pair": [1, 2]}
        assert count == [1]
        assert len(await context.embed(ModelRef("m"), ["a b", "c"])) == 2
        assert len(await context.logprobs(ModelRef("m"), "a b c")) == 2
        assert isinstance(await context.complete(ModelRef("m"), "a"), Answer)

    asyncio.run(body())


def test_prompt_errors_are_row_errors() -> None:
    (error,) = run_row_step(build(Ask, {**PLAIN, "prompt": prompt("{{ missing }}")}), ROWS[:1])
    assert isinstance(error, RowError) and error.code == "prompt" and "missing" in error.detail


class Long(Judge[Config]):
    Config = Config

    async def judge(self, row: Row, ctx: Context) -> Verdict:
        return Verdict("pass") if len(row["text"]) > 1 else Verdict("fail", "too_short")


class Unique(DatasetStep[Config]):
    Config = Config

    def apply(self, rows: RowSet, ctx: Context) -> Iterator[Row | Drop | New]:
        seen: set[str] = set()
        for row in rows.sorted_by("text"):
            if row["text"] in seen:
                yield Drop(row, Reject("double"))
            else:
                seen.add(row["text"])
                yield row


class Forgetful(DatasetStep[Config]):
    Config = Config

    def apply(self, rows: RowSet, ctx: Context) -> Iterator[Row | Drop | New]:
        yield next(iter(rows))


class Count(Source[Config]):
    Config = Config

    def count(self, ctx: Context) -> int | None:
        (ctx.scratch / "index").write_text("3")
        return 3

    def rows(self, start: int, stop: int | None, ctx: Context) -> Iterator[tuple[Any, Mapping[str, Any] | Reject]]:
        assert (ctx.scratch / "index").exists()
        for n in range(start, stop or 3):
            yield n, {"text": f"t{n}"} if n != 1 else Reject("unreadable")

    def writes(self, incoming: Columns) -> Columns:
        return {"text": "string"}


def test_the_other_kinds() -> None:
    assert run_judge(build(Long), ROWS) == [Verdict("pass"), Verdict("pass"), Verdict("fail", "too_short")]
    results = run_dataset_step(build(Unique), [*ROWS, {"text": "ek"}])
    assert [isinstance(r, Drop) for r in results].count(True) == 1 and len(results) == 4
    with pytest.raises(AssertionError, match="2 input rows are not accounted for"):
        run_dataset_step(build(Forgetful), ROWS)
    assert run_source(build(Count), 1) == [(1, Reject("unreadable")), (2, {"text": "t2"})]


def test_row_sets() -> None:
    rows = ListRowSet(make_rows([{"a": 2, "b": None}, {"a": 1, "b": [0.5]}]))
    assert rows.columns == {"a": "int", "b": "list<float>?"} and len(rows) == 2
    assert [row["a"] for row in rows.sorted_by("a")] == [1, 2]
    (batch,) = rows.batches()
    assert batch.column("id").to_pylist() == [row.id for row in rows]


def test_fixtures(fake_context: Any, stand_in: Any, tmp_path: Any) -> None:
    from attar.api import Sink

    class Write(Sink[Config]):
        Config = Config

        def write(self, rows: RowSet, ctx: Context) -> None:
            (ctx.out / "rows").write_text(str(len(rows)))

    context = fake_context()
    run_sink(build(Write), ROWS, context)
    assert (context.out / "rows").read_text() == "3"
    assert stand_in(responder="words(2)").stats()["requests"] == 0


class TestContractHoldsForAGoodStep(StepContract):
    step = GoodAsk
    config = CONFIG
    rows = ROWS


class TestContractHoldsForAJudge(StepContract):
    step = Long
    rows = ROWS


class TestContractHoldsForADatasetStep(StepContract):
    step = Unique
    rows = ROWS


class TestContractHoldsForASource(StepContract):
    step = Count


class Loose(Config):
    model_config = {"extra": "allow"}


class Bad(RowStep[Config]):
    """Everything the contract is there to find."""

    Config = Loose
    calls = 0

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.helper = lambda: None

    def reads(self, incoming: Columns) -> Columns:
        return {"elsewhere": "string"}

    def writes(self, incoming: Columns) -> Columns:
        return {**incoming, "made": "strng"}

    async def apply(self, row: Row, ctx: Context) -> Mapping[str, Any] | Reject | list[Mapping[str, Any]]:
        Bad.calls += 1
        return Reject("Not Snake") if Bad.calls % 3 == 0 else {"unsaid": Bad.calls}


class _BadContract(StepContract):
    step = Bad
    rows = ROWS


@pytest.mark.parametrize("name", [name for name in dir(StepContract) if name.startswith("test_")])
def test_the_contract_finds_what_is_wrong(name: str) -> None:
    with pytest.raises((AssertionError, ValueError, AttributeError, TypeError, pytest.fail.Exception)):
        getattr(_BadContract(), name)()
