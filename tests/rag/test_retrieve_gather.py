"""Many queries answered together: who asks gets the own answer, an error reaches its batch, nobody waits in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from attar_rag.retrieval import embedder
from attar_rag.retrieval.gather import Gather


class Doubler:
    """Doubles numbers, refuses batches with a negative one, and keeps the sizes of batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.sizes.append(len(numbers))
        if min(numbers, default=0) < 0:
            raise ValueError("negative")
        return [2 * number for number in numbers]


def test_each_gets_its_own_answer_and_batches_are_bounded() -> None:
    double = Doubler()

    async def ask() -> list[int]:
        gather = Gather(double, most=64)
        return await asyncio.gather(*(gather.ask(number) for number in range(500)))

    assert asyncio.run(ask()) == [2 * number for number in range(500)]
    assert max(double.sizes) == 64
    assert sum(double.sizes) == 500


def test_an_error_reaches_all_of_its_batch_and_none_of_the_next() -> None:
    async def ask() -> None:
        gather = Gather(Doubler())
        first = await asyncio.gather(gather.ask(1), gather.ask(-1), return_exceptions=True)
        assert [type(one) for one in first] == [ValueError, ValueError]
        assert await gather.ask(3) == 6

    asyncio.run(ask())


def test_who_gives_up_holds_up_nobody() -> None:
    double = Doubler()

    async def ask() -> None:
        gather = Gather(double)
        gone, stays = asyncio.ensure_future(gather.ask(1)), asyncio.ensure_future(gather.ask(2))
        await asyncio.sleep(0)
        gone.cancel()
        assert await stays == 4
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(ask())


def test_it_may_be_asked_from_one_event_loop_after_another() -> None:
    gather = Gather(Doubler())
    assert [asyncio.run(gather.ask(number)) for number in (1, 2)] == [2, 4]


def test_a_package_that_is_missing_is_named_with_its_extra() -> None:
    [problem] = embedder.needs("no_such_package", "retrieval", ("mode",))
    assert "no_such_package" in problem.message
    assert "attar[retrieval]" in problem.help
    assert list(embedder.needs("json", "retrieval", ("mode",))) == []
