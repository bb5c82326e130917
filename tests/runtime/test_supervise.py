from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.errors import SourceError
from sentinel.runtime.supervise import Backoff, supervise


class StepClock:
    """A clock whose sleeps take no time and are written down; runs may move it."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


def failing(*failures: BaseException | None) -> tuple[Callable[[], Awaitable[None]], list[int]]:
    """A run that raises these in turn; None is a run that returns."""
    left, runs = list(failures), [0]

    async def run() -> None:
        runs[0] += 1
        failure = left.pop(0)
        if failure is not None:
            raise failure

    return run, runs


async def watch(run: Callable[[], Awaitable[None]], clock: StepClock, seed: int = 1) -> list[str]:
    reasons: list[str] = []

    async def on_failure(reason: str) -> None:
        reasons.append(reason)

    backoff = Backoff(rng=Random(seed))
    await supervise("one", run, clock=clock, backoff=backoff, on_failure=on_failure)
    return reasons


async def test_a_run_that_returns_is_not_started_again() -> None:
    run, runs = failing(None)
    clock = StepClock()
    assert await watch(run, clock) == []
    assert (runs, clock.slept) == ([1], [])


async def test_a_failure_is_told_with_its_reason_and_the_run_starts_again() -> None:
    run, runs = failing(SourceError("gone", reason="disconnected"), None)
    assert await watch(run, StepClock()) == ["disconnected"]
    assert runs == [2]


@pytest.mark.parametrize(
    "defect", [ValueError("x"), KeyError("x"), RuntimeError(), OSError(28, "full"), TimeoutError()]
)
async def test_a_defect_never_leaks_out(defect: Exception) -> None:
    run, runs = failing(defect, defect, None)
    assert await watch(run, StepClock()) == ["crashed", "crashed"]
    assert runs == [3]


async def test_one_source_that_crashes_does_not_stop_another() -> None:
    crashing, _ = failing(*[RuntimeError("x")] * 3, None)
    finished = asyncio.Event()

    async def healthy() -> None:
        for _ in range(30):
            await asyncio.sleep(0)
        finished.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(watch(crashing, StepClock()))
        group.create_task(watch(healthy, StepClock()))
    assert finished.is_set()


async def test_cancellation_passes_through() -> None:
    async def run() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(watch(run, StepClock()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_waits_double_up_to_the_ceiling_and_are_jittered() -> None:
    run, _ = failing(*[SourceError("x")] * 10, None)
    clock = StepClock()
    await watch(run, clock)
    for n, wait in enumerate(clock.slept):
        raw = min(60.0, 2.0**n)
        assert raw * 0.5 <= wait <= raw
    assert len({round(wait, 9) for wait in clock.slept[7:]}) == 3


async def test_the_same_seed_gives_the_same_waits() -> None:
    waits = []
    for seed in (7, 7, 8):
        run, _ = failing(*[SourceError("x")] * 5, None)
        clock = StepClock()
        await watch(run, clock, seed)
        waits.append(clock.slept)
    assert waits[0] == waits[1]
    assert waits[0] != waits[2]


async def test_what_the_other_side_asked_for_is_a_floor() -> None:
    run, _ = failing(SourceError("busy", retry_after=120.0), None)
    clock = StepClock()
    await watch(run, clock)
    assert clock.slept == [120.0]


async def test_a_long_healthy_run_begins_the_waits_anew() -> None:
    clock = StepClock()
    lengths = [0.0] * 6 + [61.0, 0.0]

    async def run() -> None:
        if not lengths:
            return
        clock.time += lengths.pop(0)
        raise SourceError("x")

    await watch(run, clock)
    assert clock.slept[5] >= 16.0
    assert clock.slept[6] <= 1.0
    assert clock.slept[7] <= 2.0


@given(
    seed=st.integers(0, 2**32),
    tries=st.integers(1, 60),
    first=st.floats(0.01, 10),
    ceiling=st.floats(10, 600),
)
def test_no_wait_is_ever_longer_than_the_ceiling_or_shorter_than_half_the_first(
    seed: int, tries: int, first: float, ceiling: float
) -> None:
    backoff = Backoff(first=first, ceiling=ceiling, rng=Random(seed))
    for _ in range(tries):
        assert first * 0.5 <= backoff.next() <= ceiling
