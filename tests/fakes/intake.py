"""An intake that records deliveries and commits at once, on demand, or not at all.

It keeps the store's promises as far as sources can see them: ``(source, id)`` counts once, positions move with
the commit, receipts resolve after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sentinel.model import Mention, SourceState
from sentinel.sources.base import Delivery, IntakeBusyError, Receipt


class FakeIntake:
    def __init__(self, *, auto_commit: bool = True, room: int = 1_000_000) -> None:
        self.auto_commit = auto_commit
        self.room = room
        self.deliveries: list[Delivery] = []
        self.pending: list[tuple[Delivery, asyncio.Future[Receipt]]] = []
        self.store: dict[tuple[str, str], Mention] = {}
        self.retracted: list[str] = []
        self.duplicates = 0
        self.edits = 0
        self.reports: list[tuple[str, SourceState, str]] = []
        self.positions: dict[str, str] = {}
        self.refuse_with: Exception | None = None
        self._changed = asyncio.Event()

    # --- the contract ---

    async def put(self, delivery: Delivery) -> asyncio.Future[Receipt]:
        while len(self.pending) >= self.room:
            await self._wait()
        return self._queue(delivery)

    def try_put(self, delivery: Delivery) -> asyncio.Future[Receipt]:
        if len(self.pending) >= self.room:
            raise IntakeBusyError(2.5)
        return self._queue(delivery)

    async def report(self, source: str, state: SourceState, *, detail: str = "") -> None:
        self.reports.append((source, state, detail))
        self._changed.set()

    def position(self, source: str) -> str:
        return self.positions.get(source, "")

    # --- for tests ---

    @property
    def mentions(self) -> list[Mention]:
        """Every mention delivered, in order, duplicates included."""
        return [mention for delivery in self.deliveries for mention in delivery.mentions]

    @property
    def states(self) -> list[SourceState]:
        return [state for _, state, _ in self.reports]

    def commit(self, count: int | None = None) -> None:
        """Commit the oldest ``count`` pending deliveries, or all."""
        for _ in range(len(self.pending) if count is None else count):
            delivery, future = self.pending.pop(0)
            receipt = self._store(delivery)
            if not future.done():
                future.set_result(receipt)
        self._changed.set()

    def fail(self, error: Exception) -> None:
        """Let the oldest pending delivery fail."""
        _, future = self.pending.pop(0)
        future.set_exception(error)
        self._changed.set()

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until something that the deliveries or reports tell has become true."""
        async with asyncio.timeout(seconds):
            while not condition():
                await self._wait()

    def _queue(self, delivery: Delivery) -> asyncio.Future[Receipt]:
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self.deliveries.append(delivery)
        self.pending.append((delivery, future))
        if self.auto_commit:
            self.commit()
        self._changed.set()
        return future

    def _store(self, delivery: Delivery) -> Receipt:
        accepted = duplicates = 0
        for mention in delivery.mentions:
            known = self.store.get(mention.key)
            if known is None:
                accepted += 1
            elif known.text == mention.text:
                duplicates += 1
            else:
                self.edits += 1
            self.store[mention.key] = mention
        for retraction in delivery.retractions:
            self.retracted.append(retraction.mention_id or retraction.author_id)
        if delivery.position:
            self.positions[delivery.source] = delivery.position
        self.duplicates += duplicates
        return Receipt(accepted=accepted, duplicates=duplicates)

    async def _wait(self) -> None:
        self._changed.clear()
        # Real time bounds the wait for conditions that no event announces.
        try:
            await asyncio.wait_for(self._changed.wait(), 0.05)
        except TimeoutError:
            return
