"""A scenario as a source: it moves the replay clock and delivers, so that the whole production path runs on event time."""

from __future__ import annotations

import asyncio

from sentinel.drills.scenario import Conversation, Scenario
from sentinel.model import Mention, SourceState
from sentinel.runtime.clock import Clock, ReplayClock
from sentinel.sources.base import Delivery, Intake, Receipt

BATCH_MENTIONS = 256
BATCH_MINUTES = 240


class ScenarioSource:
    """Plays a scenario as fast as the pipeline takes it.

    Args:
        scenario: What to play.
        clock: Moved along with the deliveries.
        slow_from: From this moment on each delivery waits for its commit, so that people are told in the scenario's order
            and not all at once at the end; epoch seconds.
        pace: A clock to keep step with from ``slow_from`` on: nothing is delivered before it happens there.
        until: Where to end, epoch seconds; None for the scenario's own end.
    """

    lateness_seconds = 0.0

    def __init__(
        self,
        scenario: Scenario,
        clock: ReplayClock,
        *,
        slow_from: float,
        pace: Clock | None = None,
        until: float | None = None,
    ) -> None:
        self.name = scenario.id
        self._pace = pace
        self._until = scenario.ends_at() if until is None else min(until, scenario.ends_at())
        self._scenario, self._clock, self._slow_from = scenario, clock, slow_from
        self.now = scenario.starts_at()
        self.delivered = 0

    async def run(self, intake: Intake) -> None:
        """Deliver everything, then return."""
        await intake.report(self.name, SourceState.ALIVE)
        # Say where it begins before the clock moves: a source without a watermark is taken to keep up with the clock.
        await (await intake.put(Delivery(self.name, watermark=self.now)))
        batch: list[Mention] = []
        minutes = 0
        receipt: asyncio.Future[Receipt] | None = None
        for start, mentions in Conversation(self._scenario, self.name).minutes():
            if start >= self._until:
                break
            batch += mentions
            minutes += 1
            slow = start >= self._slow_from
            if slow and self._pace is not None:
                await self._pace.sleep(max(0.0, start + 60 - self._pace.now()))
            elif len(batch) < BATCH_MENTIONS and minutes < (5 if slow else BATCH_MINUTES):
                continue
            receipt = await self._hand_over(intake, batch, start + 60)
            if slow:
                await receipt
            batch, minutes = [], 0
        receipt = await self._hand_over(intake, batch, self._until)
        await receipt

    async def _hand_over(
        self, intake: Intake, batch: list[Mention], until: float
    ) -> asyncio.Future[Receipt]:
        self.now = until
        self.delivered += len(batch)
        await self._clock.move_to(until)
        return await intake.put(Delivery(self.name, mentions=tuple(batch), watermark=until))
