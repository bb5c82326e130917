"""The one way from a delivery to a commit: prepare (match, score), then feed the core and commit, in one order.

What lives here: the intake queue with its back-pressure, the journal's order, recovery, snapshots. What does not: what a mention means
(``core``), SQL (``store``), how people are told (``notify``).

Two tasks. ``_prepare`` takes what has come, matches it and has it scored in a thread; ``_commit`` feeds the core and commits mentions,
positions, journal, effects and notices in one transaction. A commit that fails is tried again with the same unit until it succeeds: the core
has moved on, so the unit may not be lost; meanwhile the queue fills and sources wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import TypeVar

import msgspec
import structlog

from sentinel.core.match import Matcher
from sentinel.core.pipeline import GAP, GLOBAL, Core
from sentinel.core.windows import Tick
from sentinel.errors import SnapshotError, StoreError
from sentinel.language.base import Post, Scorer
from sentinel.language.corrections import Layers
from sentinel.language.drift import ScoreDrift
from sentinel.language.second_opinion import SecondOpinion, Skipped
from sentinel.model import (
    Command,
    Direction,
    Dropped,
    DropReason,
    Effect,
    Incident,
    Match,
    Mention,
    Retraction,
    Severity,
    Sighting,
    SourceState,
    SourceStatus,
    Verdict,
)
from sentinel.notify.base import Notifier
from sentinel.notify.outbox import entries_for
from sentinel.runtime.clock import Clock
from sentinel.runtime.metrics import Metrics
from sentinel.runtime.supervise import Backoff
from sentinel.sources.base import Delivery, IntakeBusyError, Receipt
from sentinel.store import Store
from sentinel.store.unit import EntryKind, JournalRow, OutboxEntry, Snapshot, Unit
from sentinel.unit_builder import Found, Prepared, UnitBuilder, Work

log = structlog.get_logger(__name__)

BATCH_MENTIONS = 512
"""Mentions prepared at once. Larger amortises the commit's disk flush, smaller answers sooner."""
TICK_SECONDS = 1.0
BEAT_LIMIT_SECONDS = 60.0
"""A pipeline that has not gone round for so long is not alive."""
BUSY_RETRY_SECONDS = 2.0
SNAPSHOT_SLICES = 5
STOP_SECONDS = 10.0
"""After ``stop``, a store that fails for so long ends the run: a full disk must not make stopping impossible."""

T = TypeVar("T")


class Runner:
    """Owns the core and drives it. Implements ``sources.base.Intake``.

    Args:
        core: Freshly built; ``recover`` brings it to where the journal ends.
        on_commit: Called after each commit that left notices for the outbox.
        delivery_now: Clock of the outbox, epoch seconds.
        second_opinion: Judges again what deserves it; None for nothing.
    """

    def __init__(
        self,
        *,
        core: Core,
        store: Store,
        matcher: Matcher,
        scorer: Scorer,
        clock: Clock,
        metrics: Metrics,
        notifiers: Mapping[str, Notifier],
        on_commit: Callable[[], None],
        delivery_now: Callable[[], float],
        rng: Random,
        languages: Sequence[str] = (),
        second_opinion: SecondOpinion | None = None,
        queue_mentions: int = 20_000,
        snapshot_seconds: float = 300.0,
    ) -> None:
        self.core, self.store = core, store
        self._matcher, self._scorer, self._clock, self._metrics = matcher, scorer, clock, metrics
        self._notifiers, self._on_commit, self._delivery_now = notifiers, on_commit, delivery_now
        self._languages = {
            shard.brand.id: shard.brand.languages[0] for shard in core.shards.values()
        }
        self._known_languages = frozenset(languages)
        self._drift = ScoreDrift()
        self.layers = Layers()
        self._second, self._second_broken = second_opinion, False
        self._limit, self._waiting = queue_mentions, 0
        self._works: deque[Work] = deque()
        self._arrived, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._prepared: asyncio.Queue[Prepared | None] = asyncio.Queue(maxsize=2)
        self._positions: dict[str, str] = {}
        self._seq = 0
        self._backoff = Backoff(first=0.2, ceiling=10.0, rng=rng)
        self._snapshot_seconds = snapshot_seconds
        self._snapshot_due = clock.monotonic() + snapshot_seconds / SNAPSHOT_SLICES
        self._snapshot_queue: deque[str] = deque()
        self._stopping, self._stopped_at = False, 0.0
        self.recovered = False
        self.commit_failing = ""
        self.beat = clock.monotonic()
        self._said: dict[str, SourceState] = {}
        self.source_details: dict[str, str] = {}
        self.started_at = clock.now()
        self._snapshot_at: dict[str, float] = dict.fromkeys(core.shards, clock.monotonic())
        self.last_event_at: dict[str, float] = {}
        self.ingested: dict[str, int] = {}

    # --- Intake ----------------------------------------------------------------------------------

    async def put(self, delivery: Delivery) -> asyncio.Future[Receipt]:
        """Queue a delivery, waiting for room."""
        while self._waiting >= self._limit:
            self._room.clear()
            await self._room.wait()
        return self._enqueue_delivery(delivery)

    def try_put(self, delivery: Delivery) -> asyncio.Future[Receipt]:
        """Queue a delivery or refuse at once."""
        if self._waiting >= self._limit or self._stopping or self.commit_failing:
            raise IntakeBusyError(BUSY_RETRY_SECONDS)
        return self._enqueue_delivery(delivery)

    async def report(self, source: str, state: SourceState, *, detail: str = "") -> None:
        """Take a source's word about itself."""
        self.source_details[source] = detail
        # What was said last, not what the core knows: its word may still be in the queue.
        if self._said.get(source) is state and not detail.startswith(GAP):
            return
        self._said[source] = state
        self._metrics.source_connected.labels(source).set(state is SourceState.ALIVE)
        log.info("source_state_changed", source=source, state=state.value)
        self._enqueue(
            Work(
                SourceStatus(source=source, state=state, at=self._clock.now(), detail=detail[:200])
            )
        )

    def position(self, source: str) -> str:
        """The last committed position of a source."""
        return self._positions.get(source, "")

    async def submit(self, command: Command) -> Incident | None:
        """Hand a person's command to the core; returns after its commit."""
        self._metrics.commands.labels(command.action.value).inc()
        # The core's clock, which differs from people's during a replay.
        work = Work(msgspec.structs.replace(command, at=self._clock.now()))
        self._enqueue(work)
        await work.receipt
        return await self.store.incident(command.incident_id)

    def _enqueue_delivery(self, delivery: Delivery) -> asyncio.Future[Receipt]:
        self._waiting += len(delivery.mentions)
        work = Work(delivery)
        self._enqueue(work)
        return work.receipt

    def _enqueue(self, work: Work) -> None:
        self._works.append(work)
        self._metrics.queue_depth.labels("intake").set(len(self._works))
        self._arrived.set()

    # --- running ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until ``stop`` has been called and everything taken in is committed."""
        async with asyncio.TaskGroup() as group:
            ticker = group.create_task(self._tick_often())
            group.create_task(self._prepare_all())
            await self._commit_all()
            ticker.cancel()

    def wake_outbox(self) -> None:
        """There are notices that no commit announced: revived ones."""
        self._on_commit()

    def stop(self) -> None:
        """Take nothing more in; ``run`` returns once all that was taken in is committed."""
        if not self._stopping:
            self._stopping, self._stopped_at = True, self._clock.monotonic()
        self._arrived.set()

    async def _tick_often(self) -> None:
        while True:
            await self._clock.sleep(TICK_SECONDS)
            if not self._works:
                self._enqueue(Work(None))

    async def _prepare_all(self) -> None:
        while True:
            while not self._works:
                if self._stopping:
                    await self._prepared.put(None)
                    return
                self._arrived.clear()
                await self._arrived.wait()
            works: list[Work] = []
            size = 0
            while self._works and size < BATCH_MENTIONS:
                work = self._works.popleft()
                works.append(work)
                if isinstance(work.item, Delivery):
                    size += len(work.item.mentions)
            self._waiting -= size
            if self._waiting < self._limit:
                self._room.set()
            self._metrics.queue_depth.labels("intake").set(len(self._works))
            found = await self._match_and_score([work.item for work in works])
            await self._prepared.put(Prepared(works, found))

    async def _match_and_score(self, items: Sequence[object]) -> list[list[Found]]:
        """For each item that is a delivery, what became of its mentions; verdicts come from one batch."""
        matched: list[list[tuple[Mention, tuple[Match, ...]] | Dropped]] = []
        posts: list[Post] = []
        followers: list[int] = []
        for number, item in enumerate(items):
            row: list[tuple[Mention, tuple[Match, ...]] | Dropped] = []
            mentions = item.mentions if isinstance(item, Delivery) else ()
            for mention in mentions:
                found = self._matcher.match(mention.text, mention.mentions_of, brand=mention.brand)
                if isinstance(found, Dropped):
                    row.append(found)
                    continue
                row.append((mention, found))
                posts.append(
                    Post(mention.text, mention.language or self._languages.get(found[0].brand))
                )
                followers.append(mention.author.followers or 0)
            matched.append(row)
            if number % 32 == 31:
                await asyncio.sleep(0)  # noqa: TID251 - yields to the loop, waits for nothing
        if not posts:
            return [[one for one in row if isinstance(one, Dropped)] for row in matched]
        with self._metrics.score_seconds.time():
            judged = await asyncio.to_thread(self._judge, posts, followers)
        verdicts = iter(judged)
        return [
            [
                one
                if isinstance(one, Dropped)
                else Sighting(one[0], one[1], self._taught(one[1], next(verdicts)))
                for one in row
            ]
            for row in matched
        ]

    def _taught(self, matches: Sequence[Match], verdict: Verdict) -> Verdict:
        """As the brand's people taught it; a post about several brands keeps the scorer's word."""
        return self.layers.verdict(verdict, matches[0].brand) if len(matches) == 1 else verdict

    def _judge(self, posts: Sequence[Post], followers: Sequence[int]) -> list[Verdict]:
        """In a thread, one batch at a time: score, watch the scorer itself, and judge again what deserves it."""
        verdicts = self._scorer.score(posts)
        for language, number in self._drift.seen(verdicts).items():
            if language in self._known_languages:
                self._metrics.language_drift.labels(language).inc(number)
        if self._second is None:
            return verdicts
        review = self._second.review(
            posts, verdicts, followers, busy=self._waiting >= BATCH_MENTIONS
        )
        for why, number in review.given.items():
            self._metrics.second_opinions.labels(why.value).inc(number)
        for reason, number in review.skipped.items():
            self._metrics.second_opinions_skipped.labels(reason.value).inc(number)
        if review.skipped[Skipped.BROKEN] and not self._second_broken:
            self._second_broken = True
            log.error("second_opinion_broken", error=self._second.problem())
        return review.verdicts

    async def _commit_all(self) -> None:
        while (prepared := await self._prepared.get()) is not None:
            self.beat = self._clock.monotonic()
            began = self._clock.monotonic()
            builder = UnitBuilder(self.core, self.store, self)
            for work, found in zip(prepared.works, prepared.found, strict=True):
                await builder.take(work, found)
            await builder.finish()
            self._metrics.batch_seconds.observe(self._clock.monotonic() - began)
        await self._snapshot_everything()

    async def commit(self, unit: Unit) -> None:
        """Commit a unit, trying again until it succeeds.

        Raises:
            StoreError: It still fails a while after ``stop``: nobody was told that the unit is safe, so senders repeat it.
        """
        await self.ask(lambda: self.store.commit(unit))
        if unit.outbox:
            self._on_commit()

    async def ask(self, work: Callable[[], Awaitable[T]]) -> T:
        """Have the store do something, trying again until it succeeds: what the core was fed may not be lost."""
        while True:
            try:
                done = await work()
            except StoreError as error:
                self._metrics.commits_failed.inc()
                if not self.commit_failing:
                    log.error("commit_failed", error=str(error))  # noqa: TRY400 - the store's cause was logged by name
                self.commit_failing = str(error)
                if self._stopping and self._clock.monotonic() - self._stopped_at > STOP_SECONDS:
                    raise
                delay = self._backoff.next()
                await asyncio.sleep(min(delay, 1.0) if self._stopping else delay)  # noqa: TID251 - the disk lives in real time
                self.beat = self._clock.monotonic()
            else:
                if self.commit_failing:
                    log.info("commit_recovered")
                    self.commit_failing = ""
                    self._backoff.reset()
                return done

    # --- what the unit builder needs -------------------------------------------------------------

    def next_seq(self) -> int:
        """The next place in the journal."""
        self._seq += 1
        return self._seq

    def count(self, delivery: Delivery) -> None:
        """Metrics of a delivery as it came."""
        metrics, source = self._metrics, delivery.source
        unseen = sum(times for _, times in delivery.dropped)
        number = len(delivery.mentions) + unseen
        metrics.mentions_ingested.labels(source).inc(number)
        self.ingested[source] = self.ingested.get(source, 0) + number
        for reason, times in delivery.dropped:
            metrics.mentions_dropped.labels(source, reason.value).inc(times)
        metrics.retractions.labels(source).inc(len(delivery.retractions))
        if number:
            self.last_event_at[source] = self._clock.now()
            metrics.source_last_event.labels(source).set(self.last_event_at[source])
        for mention in delivery.mentions[:8]:  # a sample is enough for a histogram of lag
            metrics.ingest_lag.labels(source).observe(
                max(0.0, mention.received_at - mention.published_at)
            )

    def drop(self, source: str, reason: DropReason, number: int = 1) -> None:
        """Count mentions that go no further."""
        self._metrics.mentions_dropped.labels(source, reason.value).inc(number)

    def matched(self, source: str, sightings: Sequence[Sighting]) -> None:
        """Count mentions that concern a brand, and apart those that no model read or that are in two languages."""
        self._metrics.mentions_matched.labels(source).inc(len(sightings))
        for one in sightings:
            if not one.verdict.scored:
                self._metrics.unscored(one.verdict.language)
            if one.verdict.second_language:
                self._metrics.mixed(one.verdict.language)

    def model_id(self) -> str:
        """Of the scorer in service."""
        return self._scorer.model_id

    def now(self) -> float:
        """The core's clock."""
        return self._clock.now()

    def outbox_entries(self, effects: Sequence[Effect]) -> tuple[OutboxEntry, ...]:
        """Notices for effects."""
        return entries_for(effects, self._notifiers, self._delivery_now())

    def committed(self, unit: Unit) -> None:
        """After a commit: positions and gauges."""
        self._positions.update(unit.positions)
        for effect in unit.effects:
            self._metrics.effects.labels(effect.kind.value).inc()
            log.info(
                "effect_committed",
                kind=effect.kind.value,
                effect=effect.id,
                page=effect.page,
                severity=effect.incident.severity.slug if effect.incident else None,
            )
        self._metrics.last_advance.set(self.core.watermarks.closed)
        inferred = self.core.listening.inferred()
        for source in self.core.watermarks.sources:
            self._metrics.source_silent.labels(source).set(source in inferred)
        if unit.effects:
            self._gauge_incidents()

    def _gauge_incidents(self) -> None:
        counts = {(direction, level): 0 for direction in Direction for level in Severity}
        for shard in self.core.shards.values():
            for case in shard.state.cases:
                counts[case.direction, case.severity] += case.open
        for (direction, level), number in counts.items():
            self._metrics.incidents_open.labels(direction.value, level.slug).set(number)
        spent = [shard.budget_spent(self._clock.now()) for shard in self.core.shards.values()]
        self._metrics.false_alarm_budget_spent.set(sum(spent) / len(spent) if spent else 0.0)

    # --- snapshots -------------------------------------------------------------------------------

    def due_snapshots(self) -> tuple[Snapshot, ...]:
        """A slice of the brands whose snapshot is due now, so that no commit carries them all."""
        now = self._clock.monotonic()
        if now < self._snapshot_due:
            return ()
        self._snapshot_due = now + self._snapshot_seconds / SNAPSHOT_SLICES
        if not self._snapshot_queue:
            self._snapshot_queue.extend(self.core.shards)
        slice_size = max(1, -(-len(self.core.shards) // SNAPSHOT_SLICES))
        names = [
            self._snapshot_queue.popleft()
            for _ in range(min(slice_size, len(self._snapshot_queue)))
        ]
        return self._snapshots((GLOBAL, *names))

    def _snapshots(self, names: Sequence[str]) -> tuple[Snapshot, ...]:
        at, moment = self._clock.now(), self._clock.monotonic()
        self._snapshot_at.update((name, moment) for name in names if name != GLOBAL)
        self._metrics.snapshot_age.set(moment - min(self._snapshot_at.values(), default=moment))
        return tuple(Snapshot(name, self._seq, at, self.core.snapshot(name)) for name in names)

    async def _snapshot_everything(self) -> None:
        """On a clean stop: the next start replays nothing."""
        names = [GLOBAL, *self.core.shards]
        try:
            for begin in range(0, len(names), 50):
                await self.store.commit(Unit(snapshots=self._snapshots(names[begin : begin + 50])))
        except StoreError as error:  # a cache: the next start replays the journal instead
            log.warning("last_snapshot_skipped", error=str(error))

    # --- recovery --------------------------------------------------------------------------------

    async def recover(self) -> None:
        """Bring the core to the end of the journal: the last snapshots, plus a replay of what came after.

        A damaged snapshot costs its brand the history before the journal's beginning, never the start.

        Raises:
            StoreError: The store cannot be read.
        """
        self._positions = await self.store.positions()
        self._seq = await self.store.last_seq()
        since: dict[str, int] = dict.fromkeys([GLOBAL, *self.core.shards], 0)
        for snapshot in await self.store.snapshots():
            if snapshot.brand not in since:
                continue  # a brand that was taken out of the configuration
            try:
                self.core.restore(snapshot.brand, snapshot.blob)
            except SnapshotError as error:
                log.error("snapshot_unusable", brand=snapshot.brand, error=str(error))  # noqa: TRY400
            else:
                since[snapshot.brand] = snapshot.seq
        replayed = 0
        async for row in self.store.journal_since(min(since.values())):
            only = frozenset(name for name, seq in since.items() if seq < row.entry.seq)
            replay(self.core, row, only)
            replayed += 1
        for source in self.core.watermarks.sources:
            status = SourceStatus(source=source, state=SourceState.STARTING, at=self._clock.now())
            self._enqueue(Work(status))
        self.recovered = True
        self._gauge_incidents()
        log.info("recovered", journal_entries=replayed, brands=len(self.core.shards))

    async def forget_old(self, retention_seconds: float) -> None:
        """Delete texts older than the retention, and journal entries that every snapshot contains."""
        pruned = await self.store.prune_journal(self._seq, brands=[GLOBAL, *self.core.shards])
        gone = await self.store.purge(self._clock.now() - retention_seconds)
        log.info("old_data_forgotten", mentions=gone, journal_entries=pruned)


def replay(core: Core, row: JournalRow, only: frozenset[str]) -> None:
    """Apply one journal row to the parts of the core that are behind it. Its effects were committed with it."""
    entry = row.entry
    match entry.kind:
        case EntryKind.MENTIONS:
            core.feed(row.sightings, only=only)
        case EntryKind.ADVANCE:
            core.advance(msgspec.msgpack.decode(entry.payload, type=Tick), only=only)
        case EntryKind.COMMAND:
            core.command(msgspec.msgpack.decode(entry.payload, type=Command), only=only)
        case EntryKind.SOURCE:
            core.source(msgspec.msgpack.decode(entry.payload, type=SourceStatus), only=only)
        case EntryKind.RETRACTION:
            core.forget(msgspec.msgpack.decode(entry.payload, type=Retraction))
