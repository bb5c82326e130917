from __future__ import annotations

import asyncio
import time

import pytest

from sentinel.runtime.clock import ReplayClock, ScaledClock, SystemClock


def test_the_system_clock_is_the_machines() -> None:
    clock = SystemClock()
    before = time.time()
    assert before <= clock.now() <= time.time()
    assert clock.monotonic() <= clock.monotonic()


async def test_the_system_clock_sleeps_in_real_time() -> None:
    began = time.monotonic()
    await SystemClock().sleep(0.02)
    assert time.monotonic() - began >= 0.019


async def test_a_scaled_clock_runs_its_rate_faster_and_from_its_start() -> None:
    clock = ScaledClock(1000.0, rate=1000.0)
    began = time.monotonic()
    await clock.sleep(20.0)
    elapsed = time.monotonic() - began
    assert 0.019 <= elapsed < 5.0
    assert clock.now() >= 1020.0
    assert clock.monotonic() >= 20.0


async def test_a_replay_clock_stands_still_until_it_is_moved() -> None:
    clock = ReplayClock(1000.0)
    await asyncio.sleep(0.01)
    assert clock.now() == 1000.0
    await clock.move_to(1500.0)
    assert clock.now() == 1500.0


async def test_a_replay_clock_never_runs_backwards() -> None:
    clock = ReplayClock(1000.0)
    await clock.move_to(900.0)
    assert clock.now() == 1000.0


async def test_a_sleeper_wakes_when_the_clock_has_been_moved_far_enough() -> None:
    clock = ReplayClock(1000.0)
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(sleeper("short", 10))
        group.create_task(sleeper("long", 60))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await clock.move_to(1009.9)
        await asyncio.sleep(0.01)
        assert woken == []
        await clock.move_to(1010.0)
        await asyncio.sleep(0.01)
        assert woken == ["short"]
        await clock.move_to(1060.0)
    assert woken == ["short", "long"]


async def test_a_cancelled_sleeper_leaves_the_clock_usable() -> None:
    clock = ReplayClock(0.0)
    task = asyncio.create_task(clock.sleep(10))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(clock.move_to(20.0), 1)
