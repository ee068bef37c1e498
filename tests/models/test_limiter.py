"""The limiter: never more than its limit, oldest first, nothing lost when callers are cancelled."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from attar.models.limiter import Limiter


async def _take(limiter: Limiter, priority: int) -> None:
    if not limiter.try_acquire():
        await limiter.acquire(priority)


def test_equal_priorities_go_in_order_of_arrival() -> None:
    async def body() -> list[str]:
        limiter, order = Limiter(1), []

        async def one(name: str, priority: int) -> None:
            await _take(limiter, priority)
            order.append(name)
            await asyncio.sleep(0)
            limiter.release()

        await asyncio.gather(*(one(f"{p}{n}", p) for n in "abc" for p in (2, 1)))
        return order

    order = asyncio.run(body())
    assert order[0] == "2a"  # nobody waited yet
    assert order[1:] == ["1a", "1b", "1c", "2b", "2c"]


@settings(max_examples=80, deadline=None)
@given(
    most=st.integers(1, 5),
    jobs=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.one_of(st.none(), st.integers(0, 6))),
        min_size=1,
        max_size=25,
    ),
)
def test_whatever_is_cancelled_the_limit_holds_and_no_slot_is_lost(
    most: int, jobs: list[tuple[int, int, int | None]]
) -> None:
    """jobs: priority, ticks it works, tick at which it is cancelled."""

    async def body() -> None:
        limiter = Limiter(most)
        running = peak = 0

        async def one(priority: int, ticks: int) -> None:
            nonlocal running, peak
            await _take(limiter, priority)
            running += 1
            peak = max(peak, running)
            try:
                for _ in range(ticks):
                    await asyncio.sleep(0)
            finally:
                running -= 1
                limiter.release()

        tasks = [asyncio.create_task(one(p, t)) for p, t, _ in jobs]
        for tick in range(8):
            await asyncio.sleep(0)
            for task, (_, _, when) in zip(tasks, jobs, strict=True):
                if when == tick:
                    task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert peak <= most and limiter.taken == 0 and running == 0
        for _ in range(most):
            assert limiter.try_acquire()
        assert not limiter.try_acquire()

    asyncio.run(body())


def test_halving_is_once_a_second_and_never_below_one() -> None:
    limiter = Limiter(8)
    limiter.slow_down()
    limiter.slow_down()
    assert limiter.limit == 4
    for _ in range(10):
        limiter._halved = 0.0
        limiter.slow_down()
    assert limiter.limit == 1 and limiter.try_acquire() and not limiter.try_acquire()
    for _ in range(100):
        limiter.speed_up()
    assert limiter.limit == 8
