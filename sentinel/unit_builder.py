"""From prepared work to one transaction: feeds the core input by input and gathers what must be committed together.

What lives here: the order of the journal, removal of repeats, and what a unit is made of. What does not: when units are made and
how a failed commit is tried again (``runner``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

import msgspec

from sentinel.core.pipeline import Core
from sentinel.language.labels import Label
from sentinel.language.quantify import levels, measurable
from sentinel.model import (
    Command,
    Dropped,
    DropReason,
    Effect,
    Retraction,
    Sighting,
    SourceStatus,
)
from sentinel.sources.base import Delivery, Receipt
from sentinel.store import Store, text_digest
from sentinel.store.unit import EntryKind, JournalEntry, OutboxEntry, Snapshot, Unit

Found = Sighting | Dropped
"""What became of a mention: it concerns a brand, or not."""

FORGOTTEN = text_digest("")

T = TypeVar("T")


class Work:
    """One input waiting in the queue.

    Attributes:
        item: A delivery, a command, a source's word, or None for the clock alone.
        receipt: Resolves after the commit; who does not wait for it may let it go.
    """

    __slots__ = ("item", "receipt")

    def __init__(self, item: Delivery | Command | SourceStatus | None) -> None:
        self.item = item
        self.receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()


class Prepared:
    """Work whose mentions are matched and scored: ``found`` has one list a work."""

    __slots__ = ("found", "works")

    def __init__(self, works: Sequence[Work], found: Sequence[list[Found]]) -> None:
        self.works, self.found = works, found


class Shell(Protocol):
    """What the builder needs of the runner."""

    def next_seq(self) -> int:
        """The next place in the journal."""
        ...

    def now(self) -> float:
        """The core's clock, epoch seconds."""
        ...

    def count(self, delivery: Delivery) -> None:
        """Metrics of a delivery as it came."""
        ...

    def drop(self, source: str, reason: DropReason, number: int = 1) -> None:
        """Count mentions that go no further."""
        ...

    def matched(self, source: str, sightings: Sequence[Sighting]) -> None:
        """Count mentions that concern a brand."""
        ...

    def model_id(self) -> str:
        """Of the scorer in service."""
        ...

    def outbox_entries(self, effects: Sequence[Effect]) -> tuple[OutboxEntry, ...]:
        """Notices for effects."""
        ...

    def due_snapshots(self) -> tuple[Snapshot, ...]:
        """Snapshots that are due now."""
        ...

    async def commit(self, unit: Unit) -> None:
        """Commit a unit, trying again until it succeeds."""
        ...

    async def ask(self, work: Callable[[], Awaitable[T]]) -> T:
        """Have the store do something, trying again until it succeeds."""
        ...

    def committed(self, unit: Unit) -> None:
        """A unit is durable."""
        ...


class UnitBuilder:
    """Builds units from works, in order. One is made for each round of the runner."""

    def __init__(self, core: Core, store: Store, shell: Shell) -> None:
        self._core, self._store, self._shell = core, store, shell
        self._reset()

    def _reset(self) -> None:
        self._journal: list[JournalEntry] = []
        self._sightings: list[Sighting] = []
        self._late: list[Sighting] = []
        self._edits: list[Sighting] = []
        self._retractions: list[Retraction] = []
        self._positions: dict[str, str] = {}
        self._effects: list[Effect] = []
        self._waiting: list[tuple[asyncio.Future[Receipt], Receipt]] = []

    async def take(self, work: Work, found: Sequence[Found]) -> None:
        """Apply one input to the core."""
        item = work.item
        receipt = Receipt()
        if isinstance(item, Delivery):
            receipt = await self._deliver(item, found)
        elif isinstance(item, Command):
            self._effects += self._core.command(item)
            self._note(EntryKind.COMMAND, item.at, msgspec.msgpack.encode(item))
        elif isinstance(item, SourceStatus):
            self._effects += self._core.source(item)
            self._note(EntryKind.SOURCE, item.at, msgspec.msgpack.encode(item))
        self._waiting.append((work.receipt, receipt))

    async def finish(self) -> None:
        """Let the clock close what may be closed, and commit."""
        now = self._shell.now()
        tick = self._core.tick(now)
        if tick is not None:
            self._effects += self._core.advance(tick)
            self._note(EntryKind.ADVANCE, now, msgspec.msgpack.encode(tick))
        await self._commit()

    async def _deliver(self, delivery: Delivery, found: Sequence[Found]) -> Receipt:
        self._shell.count(delivery)
        sightings = [one for one in found if isinstance(one, Sighting)]
        fresh, edits = await self._new_ones(sightings)
        if fresh:
            await self._feed(delivery.source, fresh)
        self._edits += edits  # after what they edit, which may have begun a unit of its own
        if delivery.watermark:
            self._core.delivered(delivery.source, delivery.watermark)
        for retraction in await self._concerning(delivery.retractions):
            self._core.forget(retraction)
            self._retractions.append(retraction)
            self._note(EntryKind.RETRACTION, self._shell.now(), msgspec.msgpack.encode(retraction))
        if delivery.position:
            self._positions[delivery.source] = delivery.position
        return self._account(delivery.source, found, fresh)

    async def _concerning(self, retractions: Sequence[Retraction]) -> list[Retraction]:
        """Those that concern something we have: a network tells of every deletion on it."""
        if not retractions:
            return []
        pending = [one.mention for one in (*self._sightings, *self._late)]
        keys = [(one.source, one.mention_id) for one in retractions if one.mention_id]
        authors = [(one.source, one.author_id) for one in retractions if one.author_id]
        known = await self._shell.ask(lambda: self._store.known(keys))
        known_authors = await self._shell.ask(lambda: self._store.known_authors(authors))
        ours = {*known, *(one.key for one in pending)}
        theirs = {*known_authors, *((one.source, one.author.id) for one in pending)}
        return [
            one
            for one in retractions
            if (one.source, one.mention_id) in ours or (one.source, one.author_id) in theirs
        ]

    async def _new_ones(
        self, sightings: Sequence[Sighting]
    ) -> tuple[list[Sighting], list[Sighting]]:
        """Those that are neither archived nor in this unit, and those with another text under a known id."""
        if not sightings:
            return [], []
        keys = [one.mention.key for one in sightings]
        known = await self._shell.ask(lambda: self._store.known(keys))
        pending = (*self._sightings, *self._late, *self._edits)
        known.update({one.mention.key: text_digest(one.mention.text) for one in pending})
        fresh: list[Sighting] = []
        edits: list[Sighting] = []
        for one in sightings:
            digest = text_digest(one.mention.text)
            before = known.setdefault(one.mention.key, "")
            if not before:
                known[one.mention.key] = digest
                fresh.append(one)
            elif before not in {digest, FORGOTTEN}:
                known[one.mention.key] = digest
                edits.append(one)
        return fresh, edits

    async def _feed(self, source: str, fresh: Sequence[Sighting]) -> None:
        if any(entry.kind is not EntryKind.MENTIONS for entry in self._journal):
            await (
                self._commit()
            )  # one MENTIONS entry a unit, so that the journal's order is the core's
        fed = self._core.feed(fresh)
        if fed.counted and not self._journal:
            self._note(EntryKind.MENTIONS, self._shell.now())
        self._sightings += fed.counted
        self._late += fed.late
        self._shell.drop(source, DropReason.LATE, len(fed.late))

    def _account(self, source: str, found: Sequence[Found], fresh: Sequence[Sighting]) -> Receipt:
        dropped = [one.reason for one in found if isinstance(one, Dropped)]
        for reason in dropped:
            self._shell.drop(source, reason)
        duplicates = len(found) - len(dropped) - len(fresh)
        self._shell.drop(source, DropReason.DUPLICATE, duplicates)
        self._shell.matched(source, fresh)
        unmatched = dropped.count(DropReason.UNMATCHED)
        return Receipt(
            accepted=len(fresh),
            duplicates=duplicates,
            unmatched=unmatched,
            dropped=len(dropped) - unmatched,
        )

    def _note(self, kind: EntryKind, at: float, payload: bytes = b"") -> None:
        self._journal.append(JournalEntry(self._shell.next_seq(), at, kind, payload))

    async def _tell_levels(self) -> None:
        """Say with each incident what share the brand's own labels make of its figures; the core knows no labels."""
        known: dict[str, list[Label]] = {}
        for place, effect in enumerate(self._effects):
            incident = effect.incident
            if incident is None or not measurable(incident):
                continue
            brand = incident.brand
            if brand not in known:
                known[brand] = await self._labels(brand)
            told = levels(incident, known[brand], self._shell.model_id())
            if told:
                told_more = msgspec.structs.replace(incident, levels=told)
                self._effects[place] = msgspec.structs.replace(effect, incident=told_more)

    async def _labels(self, brand: str) -> list[Label]:
        return await self._shell.ask(lambda: self._store.labels(brand))

    async def _commit(self) -> None:
        await self._tell_levels()
        incidents = {one.incident.id: one.incident for one in self._effects if one.incident}
        unit = Unit(
            journal=tuple(self._journal),
            sightings=tuple(self._sightings),
            late=tuple(self._late),
            edits=tuple(self._edits),
            retractions=tuple(self._retractions),
            positions=self._positions,
            effects=tuple(self._effects),
            incidents=tuple(incidents.values()),
            outbox=self._shell.outbox_entries(self._effects),
            snapshots=self._shell.due_snapshots(),
        )
        if unit != Unit():
            await self._shell.commit(unit)
            self._shell.committed(unit)
        for future, receipt in self._waiting:
            if not future.done():
                future.set_result(receipt)
        self._reset()
