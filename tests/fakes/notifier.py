"""A notifier that records what it is given and fails as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sentinel.model import Effect
from sentinel.notify.base import Notice

Outcome = Exception | Callable[[], Awaitable[None]] | None


class FakeNotifier:
    """``outcomes`` are used up one an attempt; after them every attempt succeeds."""

    def __init__(self, name: str, *outcomes: Outcome, lane: str | None = None) -> None:
        self.name = name
        self.outcomes = list(outcomes)
        self.attempts: list[Notice] = []
        self.delivered: list[str] = []
        self.busy = 0
        self.busiest = 0
        self.pause_seconds = 0.0
        self.unwanted: set[str] = set()
        self._lane = lane

    def wants(self, effect: Effect) -> bool:
        return effect.kind.value not in self.unwanted

    def lane(self, effect: Effect) -> str:
        if self._lane is not None:
            return self._lane
        return effect.incident.id if effect.incident else "operations"

    async def deliver(self, notice: Notice) -> None:
        self.attempts.append(notice)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            await asyncio.sleep(self.pause_seconds)
            if isinstance(outcome, Exception):
                raise outcome
            if outcome is not None:
                await outcome()
        finally:
            self.busy -= 1
        self.delivered.append(notice.key)


async def hang() -> None:
    """Never answer."""
    await asyncio.Event().wait()
