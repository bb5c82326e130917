"""Time as a thing that is handed in: the only module that may ask the operating system for it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Where the shell gets its time from."""

    def now(self) -> float:
        """Wall clock, epoch seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for measuring spans."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Wall clock, epoch seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        await asyncio.sleep(seconds)


class ScaledClock:
    """A clock that starts at a given moment and runs ``rate`` times as fast as real time.

    Drills and end-to-end tests run the production code on it. Sleeping is scaled too.
    """

    def __init__(self, start: float, rate: float = 1.0) -> None:
        self._start, self._rate = start, rate
        self._origin = time.monotonic()

    def now(self) -> float:
        """Scaled wall clock, epoch seconds."""
        return self._start + (time.monotonic() - self._origin) * self._rate

    def monotonic(self) -> float:
        """Scaled monotonic seconds."""
        return (time.monotonic() - self._origin) * self._rate

    async def sleep(self, seconds: float) -> None:
        """Wait ``seconds`` of scaled time."""
        await asyncio.sleep(seconds / self._rate)


class ReplayClock:
    """A clock that stands still until somebody moves it: replays, backtests and tests.

    ``sleep`` returns when the clock has been moved far enough. ``monotonic`` follows real time, so that
    measured durations and delivery time-outs stay meaningful during a replay.
    """

    def __init__(self, start: float) -> None:
        self._now = start
        self._moved = asyncio.Condition()

    def now(self) -> float:
        """The moment it was last set to, epoch seconds."""
        return self._now

    def monotonic(self) -> float:
        """Real monotonic seconds."""
        return time.monotonic()

    async def move_to(self, moment: float) -> None:
        """Set the time; it never runs backwards."""
        async with self._moved:
            self._now = max(self._now, moment)
            self._moved.notify_all()

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved by ``seconds``."""
        until = self._now + seconds
        async with self._moved:
            await self._moved.wait_for(lambda: self._now >= until)
