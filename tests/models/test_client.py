"""The client against a real stand-in server: journal, keys, seeds, formats, accounting."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from attar.api import RowError
from attar.models import Call
from attar.recipe.language import ModelSpec, Prices, Sampling

SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 40},
        "score": {"type": "integer", "minimum": 1, "maximum": 5},
    },
    "required": ["title", "score"],
    "additionalProperties": False,
}


def test_an_answer_is_journalled_and_never_asked_for_again(server: Any, ask: Any) -> None:
    async def body(m: Any) -> Any:
        first = await m.chat("hello")
        assert m.journal.values[first.key]["text"] == first.text == "hello"
        again = await m.chat("hello")
        assert again == first
        return m.meter.snapshot()["step"]

    usage = ask(server.url, body)
    assert (usage["requests"], usage["journal_hits"]) == (1, 1)
    assert usage["prompt_tokens"] > 0 and usage["completion_tokens"] > 0
    stats = server.stats()
    assert (stats["requests"], stats["repeated"]) == (1, 0)


def test_it_is_journalled_before_anyone_sees_it(server: Any, ask: Any) -> None:
    async def body(m: Any) -> None:
        class Broken:
            def get(self, key: str) -> None:
                return None

            def put(self, key: str, kind: str, value: Any) -> None:
                raise OSError("disk full")

        m.client._journal = Broken()
        with pytest.raises(OSError, match="disk full"):
            await m.chat("hello")

    ask(server.url, body)


def test_the_request_key_goes_to_the_server(server: Any, ask: Any) -> None:
    async def body(m: Any) -> str:
        return (await m.chat("hello")).key

    key = ask(server.url, body)
    assert list(server.keys()["answered"]) == [key]


def test_seed_sampling_schema_and_revision_are_in_the_key_but_not_url_or_limits(server: Any, ask: Any) -> None:
    def key(seed: int = 1, text: str = "hi", **spec: Any) -> str:
        async def body(m: Any) -> str:
            return (await m.chat(text, seed=seed)).key

        found: str = ask(server.url, body, **spec)
        return found

    base = key()
    assert base == key() == key(in_flight=3) == key(prices=Prices(input=1, source="a test"))
    others = [
        key(seed=2),
        key(text="ho"),
        key(sampling=Sampling(temperature=0.5)),
        key(revision="abc"),
    ]
    assert len({base, *others}) == 5


def test_a_rehearsal_never_fills_in_for_a_model(server: Any, ask: Any) -> None:
    async def body(m: Any) -> str:
        return (await m.chat("hello")).key

    assert ask(None, body) != ask(server.url, body)


@pytest.mark.parametrize("send", [True, False])
def test_seeds_are_sent_unless_switched_off(server: Any, ask: Any, send: bool) -> None:
    server.configure(responder="attar.testing.responders:body")

    async def body(m: Any) -> Any:
        import json

        return json.loads((await m.chat("x", seed=77)).text)

    sent = ask(server.url, body, send_seed=send)
    assert sent.get("seed") == (77 if send else None)


def test_the_body_as_sent(server: Any, ask: Any) -> None:
    server.configure(responder="attar.testing.responders:body")

    async def body(m: Any) -> Any:
        import json

        answer = await m.chat("x", sampling={"temperature": None, "max_tokens": 9})
        return json.loads(answer.text)

    sent = ask(server.url, body, sampling=Sampling(temperature=0.5, top_p=0.9, stop=["END"]))
    assert sent == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "x"}],
        "top_p": 0.9,
        "stop": ["END"],
        "max_tokens": 9,
        "seed": 1,
    }


def test_the_same_question_at_once_is_asked_once(server: Any, ask: Any) -> None:
    server.configure(latency=0.2)

    async def body(m: Any) -> Any:
        answers = await asyncio.gather(*(m.chat("same") for _ in range(20)))
        assert len(set(answers)) == 1
        return m.meter.snapshot()["step"]

    usage = ask(server.url, body)
    assert server.stats()["requests"] == 1
    assert (usage["requests"], usage["journal_hits"]) == (1, 19)


def test_when_the_first_of_them_is_cancelled_another_takes_over(server: Any, ask: Any) -> None:
    server.configure(mode="batching", step_seconds=0.3, median_tokens=1, sigma=0)

    async def body(m: Any) -> Any:
        first = asyncio.create_task(m.chat("same"))
        await asyncio.sleep(0.02)
        others = [asyncio.create_task(m.chat("same")) for _ in range(3)]
        await asyncio.sleep(0.02)
        first.cancel()
        answers = await asyncio.gather(*others)
        assert first.cancelled()
        assert m.meter.in_flight == 0
        return {a.text for a in answers}

    assert ask(server.url, body) == {"same"}
    stats = server.stats()
    assert stats["requests"] == 2 and stats["repeated"] == 0


def test_a_schema_is_sent_and_its_answer_parsed(server: Any, ask: Any) -> None:
    server.configure(responder="schema")

    async def body(m: Any) -> Any:
        return [await m.chat(f"give {i}", schema=SCHEMA) for i in range(10)]

    for answer in ask(server.url, body):
        assert set(answer.value) == {"title", "score"} and 1 <= answer.value["score"] <= 5
        assert not answer.repaired


def test_an_answer_that_does_not_fit_is_asked_for_again_then_given_up(server: Any, ask: Any) -> None:
    async def body(m: Any) -> Any:
        with pytest.raises(RowError) as caught:
            await m.chat("this is no JSON", schema=SCHEMA, attempts=3)
        assert caught.value.code == "unparseable"
        return m.meter.snapshot()["step"]

    usage = ask(server.url, body)
    assert (usage["requests"], usage["format_retries"], usage["transport_retries"]) == (3, 2, 0)
    assert server.stats()["distinct"] == 3


def test_fenced_and_broken_json_is_repaired_with_a_mark(server: Any, ask: Any) -> None:
    async def body(m: Any) -> Any:
        whole = await m.chat('{"title": "a", "score": 3}', schema=SCHEMA)
        fenced = await m.chat('```json\n{"title": "a", "score": 3}\n```', schema=SCHEMA)
        loose = await m.chat("{'title': 'a', 'score': 3,}", schema=SCHEMA)
        return whole, fenced, loose

    whole, fenced, loose = ask(server.url, body)
    assert whole.value == fenced.value == loose.value == {"title": "a", "score": 3}
    assert [whole.repaired, fenced.repaired, loose.repaired] == [False, True, True]


def test_half_json_is_never_taken_for_an_answer(server: Any, ask: Any) -> None:
    server.configure(responder="schema", faults={"half_json": 0.5}, seed=3)

    async def body(m: Any) -> Any:
        async def one(i: int) -> Any:
            try:
                return (await m.chat(f"q {i}", schema=SCHEMA, attempts=2)).value
            except RowError as error:
                return error.code

        return await asyncio.gather(*(one(i) for i in range(60)))

    results = ask(server.url, body)
    whole = [r for r in results if isinstance(r, dict)]
    assert 20 < len(whole) < 60
    assert {r for r in results if isinstance(r, str)} == {"unparseable"}
    assert all(set(r) == {"title", "score"} for r in whole)


def test_cut_off_by_length(server: Any, ask: Any) -> None:
    server.configure(responder="schema", faults={"length": 1.0})

    async def body(m: Any) -> Any:
        plain = await m.chat("say something")
        with pytest.raises(RowError) as caught:
            await m.chat("say it in JSON", schema=SCHEMA)
        return plain, caught.value

    plain, error = ask(server.url, body)
    assert plain.finish_reason == "length"
    assert error.code == "truncated"


@pytest.mark.parametrize("how", ["field", "think"])
def test_reasoning_is_kept_apart(server: Any, ask: Any, how: str) -> None:
    server.configure(reasoning=how, responder="schema")

    async def body(m: Any) -> Any:
        return await m.chat("think", schema=SCHEMA)

    answer = ask(server.url, body)
    assert answer.reasoning == "thinking about it"
    assert "think" not in answer.text and answer.value["score"] >= 1 and not answer.repaired


def test_completion_embeddings_and_logprobs(server: Any, ask: Any) -> None:
    async def body(m: Any) -> None:
        text = await m.client.complete(Call("completion", "m", "step", "r", 0, prompt="once upon a time"), 5)
        assert text.text == "once upon a time"
        vectors = await m.client.embed(Call("embeddings", "m", "step", "r", 0, texts=["ek", "do", "ek"]), 5)
        assert len(vectors) == 3 and vectors[0] == vectors[2] != vectors[1]
        assert sum(x * x for x in vectors[0]) == pytest.approx(1)
        numbers = await m.client.logprobs(Call("logprobs", "m", "step", "r", 0, prompt="a b c d"), 5)
        assert len(numbers) == 3 and all(x <= 0 for x in numbers)
        before = len(m.journal.values)
        assert await m.client.embed(Call("embeddings", "m", "step", "r", 0, texts=["ek", "do", "ek"]), 9) == vectors
        assert await m.client.logprobs(Call("logprobs", "m", "step", "r", 0, prompt="a b c d"), 9) == numbers
        assert len(m.journal.values) == before == 3
        assert sorted(m.journal.kinds.values()) == ["completion", "embeddings", "logprobs"]

    ask(server.url, body)


def test_prices_make_costs(server: Any, ask: Any) -> None:
    async def body(m: Any) -> Any:
        await m.chat("hello there")
        return m.meter.snapshot()["step"]

    usage = ask(server.url, body, prices=Prices(input=2.0, output=4.0, currency="EUR", source="a test"))
    expected = (usage["prompt_tokens"] * 2.0 + usage["completion_tokens"] * 4.0) / 1e6
    assert usage["cost"] == pytest.approx(expected) and usage["currency"] == "EUR"


def test_a_prompt_longer_than_the_model_is_refused_unsent_only_when_certain(server: Any, ask: Any) -> None:
    server.configure(max_context=50)

    async def body(m: Any) -> None:
        with pytest.raises(RowError) as caught:
            await m.chat("a " * 60)
        assert caught.value.code == "too_long"
        assert server.stats()["requests"] == 0
        with pytest.raises(RowError) as caught:
            await m.chat("abcdefgh" * 30)  # one word: only the server can tell
        assert caught.value.code == "too_long" and m.journal.values == {}

    ask(server.url, body, max_context=50)
    assert server.stats()["requests"] == 0  # refused by the server before it counts a request


def test_older_rows_go_first_when_the_server_is_full(server: Any, ask: Any) -> None:
    server.configure(latency=0.02)
    order: list[int] = []

    async def body(m: Any) -> None:
        async def one(priority: int) -> None:
            await m.chat(f"q {priority}", priority=priority)
            order.append(priority)

        first = asyncio.create_task(one(100))
        await asyncio.sleep(0.001)
        rest = [asyncio.create_task(one(p)) for p in (5, 3, 9, 1, 7)]
        await asyncio.gather(first, *rest)

    ask(server.url, body, in_flight=1)
    assert order == [100, 1, 3, 5, 7, 9]
    assert server.stats()["max_in_flight"] == 1


def test_models_at_one_address_share_one_limit(server: Any, ask: Any) -> None:
    server.configure(latency=0.05)
    specs = {"a": ModelSpec(model="x", in_flight=4), "b": ModelSpec(model="y", in_flight=4)}

    async def body(m: Any) -> None:
        await asyncio.gather(*(m.chat(f"q {i}", model="ab"[i % 2]) for i in range(40)))

    ask(server.url, body, specs=specs)
    assert server.stats()["max_in_flight"] == 4
    assert server.stats()["models"] == {"x": 20, "y": 20}
