"""Delivery: what was committed reaches people at least once, in order, and is never given up in silence.

What lives here: when an attempt is made, how long it may take, what is done about a failure, and when fallbacks are called. What does not:
rows (``store.outbox``), vendors (one file each), wording (``message``).

The clock of this module is the delivery clock: the machine's own (or a scaled one), also while events are replayed on a clock of their own.
Stamps of outbox entries are in its time, because delivering takes real time whatever the events' time is. The limit of one attempt
is measured by the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from random import Random
from typing import TypeVar

import msgspec
import structlog

from sentinel.errors import NotifyError, StoreError
from sentinel.model import Effect
from sentinel.notify.base import Notice, Notifier
from sentinel.runtime.clock import Clock
from sentinel.runtime.metrics import NOTIFY_FAILURES, Metrics
from sentinel.store import Store
from sentinel.store.unit import OutboxEntry

T = TypeVar("T")

log = structlog.get_logger(__name__)

AMBIGUOUS_REASONS = frozenset({"timeout", "ambiguous", "crashed"})
"""Failures after which the message may be there nevertheless."""

ERROR_CHARACTERS = 300
GAUGE_SECONDS = 1.0

ROUNDING_SECONDS = 0.001
"""Added to a moment that is compared after an addition and a subtraction, so that it is surely over when it is reached."""


class DeliveryPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How patient the outbox is.

    Attributes:
        attempt_seconds: Limit of one attempt, in real time.
        first_delay_seconds: Delay after the first failure; doubles, with jitter, up to ``ceiling_seconds``.
        retry_after_limit_seconds: The longest wait that another side may ask for.
        max_attempts: After so many failures the notice is a dead letter.
        max_age_seconds: A notice this old is a dead letter at its next failure, but only after ``sure_attempts``, so that one that waited
            while Sentinel was down, or was revived by an operator, is still tried.
        fallback_after_seconds: A page that has not got through for so long also goes to the fallbacks; at once when it is dead.
        concurrent: Attempts under way at once, over all lanes.
        store_retry_seconds: Pause after the store could not be read or written.
    """

    attempt_seconds: float = 30.0
    first_delay_seconds: float = 1.0
    ceiling_seconds: float = 300.0
    retry_after_limit_seconds: float = 3600.0
    max_attempts: int = 300
    max_age_seconds: float = 86_400.0
    sure_attempts: int = 3
    fallback_after_seconds: float = 120.0
    concurrent: int = 32
    store_retry_seconds: float = 1.0

    def delay(self, attempts: int, retry_after: float | None, rng: Random) -> float:
        """Seconds to wait after ``attempts`` failures; what the other side asked for is a floor.

        Example:
            >>> policy = DeliveryPolicy()
            >>> 0.5 <= policy.delay(1, None, Random(1)) <= 1.0
            True
            >>> 150 <= policy.delay(50, None, Random(1)) <= 300
            True
            >>> policy.delay(1, 42.0, Random(1))
            42.0
        """
        doubled = self.first_delay_seconds * 2.0 ** min(attempts - 1, 20)
        jittered = min(self.ceiling_seconds, doubled) * rng.uniform(0.5, 1.0)
        return max(jittered, min(retry_after or 0.0, self.retry_after_limit_seconds))


def entries_for(
    effects: Iterable[Effect], notifiers: Mapping[str, Notifier], now: float
) -> tuple[OutboxEntry, ...]:
    """The notices that these effects make: one for each notifier that wants it.

    Args:
        effects: In the order in which they were told.
        notifiers: Those that get every effect first-hand; leave out notifiers that are fallbacks only.
        now: Delivery clock, epoch seconds; not the events' time.
    """
    return tuple(
        _entry(effect, notifier, now)
        for effect in effects
        for notifier in notifiers.values()
        if notifier.wants(effect)
    )


def _entry(effect: Effect, notifier: Notifier, now: float) -> OutboxEntry:
    return OutboxEntry(
        id=f"{effect.id}@{notifier.name}",
        notifier=notifier.name,
        lane=notifier.lane(effect),
        effect=msgspec.structs.replace(effect, bundle=b"") if effect.bundle else effect,
        created_at=now,
        not_before=now,
    )


class Outbox:
    """Delivers what is due: lanes side by side, the notices of one lane one after another.

    Before an attempt the store is told that it begins, so that an attempt cut off by a crash makes the next one ``ambiguous``.

    Args:
        store: Holds the notices.
        notifiers: By name; fallbacks included.
        clock: The delivery clock (module docstring).
        metrics: Counts deliveries and failures.
        rng: Jitter.
        fallbacks: Name of a notifier to the names of those that take its pages over.
        policy: Limits and delays.

    Raises:
        ValueError: ``fallbacks`` names a notifier that is not there.
    """

    def __init__(  # noqa: PLR0917 - one caller, at the composition root
        self,
        store: Store,
        notifiers: Mapping[str, Notifier],
        clock: Clock,
        metrics: Metrics,
        rng: Random,
        fallbacks: Mapping[str, Sequence[str]] | None = None,
        policy: DeliveryPolicy | None = None,
    ) -> None:
        self._store, self._notifiers, self._clock = store, notifiers, clock
        self._metrics, self._rng = metrics, rng
        self._fallbacks = dict(fallbacks or {})
        self._policy = policy or DeliveryPolicy()
        named = {*self._fallbacks, *(one for some in self._fallbacks.values() for one in some)}
        if unknown := sorted(named - set(notifiers)):
            raise ValueError(f"fallbacks name unknown notifiers: {', '.join(unknown)}")
        self._woken = asyncio.Event()
        self._passing = asyncio.Lock()
        self._lanes: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._ended_count = 0
        self._running = False
        self._failing: set[str] = set()
        self._gauged_at = float("-inf")
        self._defect: BaseException | None = None

    def wake(self) -> None:
        """Look at the outbox now: call it after each commit that added notices."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled. Attempts that are cut off then are ambiguous at the next start."""
        self._running = True
        try:
            while True:
                self._woken.clear()
                await self._wait(await self._pass())
        finally:
            self._running = False
            await self._stop()

    async def drain(self, limit_seconds: float) -> bool:
        """Deliver all that is due now, whether or not ``run`` is running: for a clean stop, and for the demo.

        Args:
            limit_seconds: Real time after which to give up waiting.

        Returns:
            Whether nothing was due any more; notices that wait for another attempt do not count.
        """
        try:
            async with asyncio.timeout(limit_seconds):
                while True:
                    ended = self._ended_count
                    await self._pass()
                    if self._lanes:
                        await asyncio.wait(
                            list(self._lanes.values()), return_when=asyncio.FIRST_COMPLETED
                        )
                    elif "read" in self._failing:
                        await self._clock.sleep(self._policy.store_retry_seconds)
                    elif ended == self._ended_count:  # else a lane ended while we looked
                        return True
        except TimeoutError:
            return False
        finally:
            if not self._running:
                await self._stop()

    async def _wait(self, moment: float | None) -> None:
        """Wait for ``wake``, for a lane that is done, or for a ``moment`` of the delivery clock."""
        waits: list[asyncio.Task[object]] = [asyncio.create_task(self._woken.wait())]
        if moment is not None:
            # It may be over already: the clock went on while we looked.
            seconds = max(0.0, moment - self._clock.now())
            waits.append(asyncio.create_task(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _stop(self) -> None:
        tasks = list(self._lanes.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- one look at the outbox -----------------------------------------------------------------

    async def _pass(self) -> float | None:
        """Call fallbacks, begin what is due; return the moment at which something else is."""
        if self._defect is not None:
            raise self._defect
        async with self._passing:
            now = self._clock.now()
            try:
                await self._call_fallbacks(now)
                # What is read of a lane that is busy now may be out of date when it has been read.
                busy = set(self._lanes)
                if len(busy) < self._policy.concurrent:
                    for entry in await self._store.outbox_due(now, self._policy.concurrent):
                        if (entry.notifier, entry.lane) not in busy:
                            self._begin(entry)
                moments = [
                    await self._store.outbox_next_at(now),
                    await self._next_fallback_at(),
                ]
                await self._gauge()
            except StoreError as error:
                self._report_store("read", error)
                return now + self._policy.store_retry_seconds
            self._failing.discard("read")
            return min((at for at in moments if at is not None), default=None)

    def _begin(self, entry: OutboxEntry) -> None:
        lane = (entry.notifier, entry.lane)
        if len(self._lanes) >= self._policy.concurrent:
            return  # the next lane that ends makes room and wakes us
        task = asyncio.create_task(self._deliver(entry))
        self._lanes[lane] = task
        task.add_done_callback(lambda done: self._ended(lane, done))

    def _ended(self, lane: tuple[str, str], done: asyncio.Task[None]) -> None:
        del self._lanes[lane]
        self._ended_count += 1
        if not done.cancelled() and (error := done.exception()) is not None:
            self._defect = error  # a defect of this file: ``run`` crashes loudly
        self._woken.set()

    async def _gauge(self) -> None:
        if self._lanes and self._clock.monotonic() - self._gauged_at < GAUGE_SECONDS:
            return
        self._gauged_at = self._clock.monotonic()
        pending = await self._store.outbox_pending_counts()
        dead = await self._store.outbox_dead_counts()
        for name in self._notifiers:
            self._metrics.outbox_pending.labels(name).set(pending.get(name, 0))
            self._metrics.outbox_dead.labels(name).set(dead.get(name, 0))
        self._metrics.queue_depth.labels("outbox").set(sum(pending.values()))

    def _report_store(self, doing: str, error: StoreError) -> None:
        if doing not in self._failing:
            log.error("outbox_store_failed", doing=doing, error=str(error))
        self._failing.add(doing)

    # --- fallbacks ------------------------------------------------------------------------------

    async def _call_fallbacks(self, now: float) -> None:
        if not self._fallbacks:
            return
        overdue = now - self._policy.fallback_after_seconds
        for entry in await self._store.outbox_wanting_fallback(sorted(self._fallbacks), overdue):
            fallbacks = {name: self._notifiers[name] for name in self._fallbacks[entry.notifier]}
            entries = entries_for([entry.effect], fallbacks, now)
            await self._store.outbox_fall_back(entry.id, entries)
            if entries:
                log.warning(
                    "fallback_called",
                    notice=entry.id,
                    notifier=entry.notifier,
                    fallbacks=[one.notifier for one in entries],
                )

    async def _next_fallback_at(self) -> float | None:
        if not self._fallbacks:
            return None
        oldest = await self._store.outbox_oldest_page(sorted(self._fallbacks))
        if oldest is None:
            return None
        return oldest + self._policy.fallback_after_seconds + ROUNDING_SECONDS

    # --- one attempt ----------------------------------------------------------------------------

    async def _deliver(self, entry: OutboxEntry) -> None:
        notifier = self._notifiers.get(entry.notifier)
        if notifier is None:
            gone = "no notifier of that name is configured"
            await self._until_stored(lambda: self._bury(entry, "misconfigured", gone))
            return
        if not await self._until_stored(lambda: self._store.outbox_mark_attempt(entry.id)):
            return  # delivered or superseded since it was read
        notice = Notice(entry.id, entry.effect, entry.attempts + 1, entry.ambiguous)
        try:
            async with asyncio.timeout(self._policy.attempt_seconds):
                await notifier.deliver(notice)
        except NotifyError as error:
            failure = error
        except TimeoutError:
            failure = NotifyError("took too long", reason="timeout")
        except Exception as error:
            # A notifier's defect must not stop the others; the notice is tried again.
            log.exception("notifier_crashed", notifier=entry.notifier, notice=entry.id)
            failure = NotifyError(type(error).__name__, reason="crashed")
        else:
            now = self._clock.now()
            await self._until_stored(lambda: self._store.outbox_delivered(entry.id, now))
            delivery = self._metrics.alert_delivery.labels(entry.notifier)
            delivery.observe(max(0.0, now - entry.created_at))
            log.info("notice_delivered", notice=entry.id, attempt=notice.attempt)
            return
        await self._until_stored(lambda: self._settle(entry, failure))

    async def _settle(self, entry: OutboxEntry, failure: NotifyError) -> None:
        """Note a failed attempt: try again later, or make it a dead letter."""
        now, attempts, policy = self._clock.now(), entry.attempts + 1, self._policy
        reason = failure.reason if failure.reason in NOTIFY_FAILURES else "rejected"
        old = now - entry.created_at > policy.max_age_seconds and attempts >= policy.sure_attempts
        if failure.permanent or attempts >= policy.max_attempts or old:
            await self._bury(entry, reason, str(failure))
            return
        delay = policy.delay(attempts, failure.retry_after, self._rng)
        await self._store.outbox_failed(
            entry.id,
            not_before=now + delay,
            attempts=attempts,
            error=f"{reason}: {failure}"[:ERROR_CHARACTERS],
            ambiguous=reason in AMBIGUOUS_REASONS,
        )
        self._count_failure(entry, reason)
        log.warning(
            "notice_failed",
            notice=entry.id,
            reason=reason,
            attempt=attempts,
            delay_seconds=round(delay, 3),
            error=str(failure)[:ERROR_CHARACTERS],
        )

    async def _bury(self, entry: OutboxEntry, reason: str, error: str) -> None:
        await self._store.outbox_dead(entry.id, f"{reason}: {error}"[:ERROR_CHARACTERS])
        self._count_failure(entry, reason)
        log.error("notice_dead", notice=entry.id, reason=reason, error=error[:ERROR_CHARACTERS])

    def _count_failure(self, entry: OutboxEntry, reason: str) -> None:
        if entry.notifier in self._notifiers:
            self._metrics.alert_delivery_failures.labels(entry.notifier, reason).inc()

    async def _until_stored(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write, however long the store takes to come back; the lane waits meanwhile."""
        while True:
            try:
                written = await write()
            except StoreError as error:
                self._report_store("write", error)
                await self._clock.sleep(self._policy.store_retry_seconds)
            else:
                self._failing.discard("write")
                return written
