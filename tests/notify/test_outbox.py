from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
import structlog

from sentinel.errors import NotifyError
from sentinel.model import Effect, EffectKind
from sentinel.notify.outbox import DeliveryPolicy, Outbox, entries_for
from sentinel.runtime.clock import ReplayClock
from sentinel.runtime.metrics import Metrics
from sentinel.store import Store
from sentinel.store.unit import OutboxEntry, OutboxState, Unit
from tests.fakes.notifier import FakeNotifier, hang
from tests.store import build

NOW = build.START
RATE_LIMITED = NotifyError("slow down", reason="rate_limited")


class Delivery:
    """An outbox on a fresh store, with a clock that the test moves."""

    def __init__(self, store: Store, *notifiers: FakeNotifier, **options: Any) -> None:
        self.store = store
        self.clock = ReplayClock(NOW)
        self.notifiers = {one.name: one for one in notifiers}
        self.metrics = Metrics(notifiers=self.notifiers)
        fallbacks: Mapping[str, tuple[str, ...]] = options.pop("fallbacks", {})
        self.primaries = {
            name: one
            for name, one in self.notifiers.items()
            if not any(name in some for some in fallbacks.values())
        }
        self.outbox = Outbox(
            store,
            self.notifiers,
            clock=self.clock,
            metrics=self.metrics,
            rng=Random(1),
            fallbacks=fallbacks,
            policy=DeliveryPolicy(**options),
        )

    async def tell(self, *effects: Effect) -> None:
        entries = entries_for(effects, self.primaries, self.clock.now())
        await self.store.commit(Unit(effects=effects, outbox=entries))
        self.outbox.wake()

    async def pass_time(self, seconds: float) -> None:
        await self.clock.move_to(self.clock.now() + seconds)

    async def states(self) -> dict[str, OutboxState]:
        return {entry.id: entry.state for entry in await self.store.outbox_list()}

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"sentinel_{name}", labels)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(str(tmp_path / "sentinel.db"))
    yield opened
    await opened.close()


@contextlib.asynccontextmanager
async def running(outbox: Outbox) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(outbox.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - waits for another task, whatever it is
            await asyncio.sleep(0.002)


def told(
    kind: EffectKind = EffectKind.OPENED,
    revision: int = 1,
    incident: str = "inc-1",
    *,
    page: bool = False,
) -> Effect:
    return build.effect(kind, build.incident(incident, revision), page=page)


# --- entries -------------------------------------------------------------------------------------


def test_every_notifier_that_wants_an_effect_gets_a_notice_of_its_own() -> None:
    slack, email = FakeNotifier("slack", lane="C1"), FakeNotifier("email")
    email.unwanted.add("updated")
    opened, updated = told(), told(EffectKind.UPDATED, 2)
    entries = entries_for([opened, updated], {"slack": slack, "email": email}, NOW)
    assert [(one.id, one.notifier, one.lane, one.effect) for one in entries] == [
        ("inc-1:1:opened@slack", "slack", "C1", opened),
        ("inc-1:1:opened@email", "email", "inc-1", opened),
        ("inc-1:2:updated@slack", "slack", "C1", updated),
    ]
    assert {(one.created_at, one.not_before) for one in entries} == {(NOW, NOW)}


# --- the way it should go ------------------------------------------------------------------------


async def test_a_notice_is_delivered_once_and_counted(store: Store) -> None:
    slack = FakeNotifier("slack")
    delivery = Delivery(store, slack)
    async with running(delivery.outbox):
        await delivery.tell(told())
        await eventually(lambda: slack.delivered == ["inc-1:1:opened@slack"])
        assert await delivery.outbox.drain(5)
        delivery.outbox.wake()
        assert await delivery.outbox.drain(5)
    assert [(one.attempt, one.ambiguous) for one in slack.attempts] == [(1, False)]
    assert await delivery.states() == {"inc-1:1:opened@slack": OutboxState.DELIVERED}
    assert delivery.metric("alert_delivery_seconds_count", notifier="slack") == 1
    assert delivery.metric("outbox_pending", notifier="slack") == 0


async def test_what_was_committed_before_the_start_is_delivered(store: Store) -> None:
    slack = FakeNotifier("slack")
    delivery = Delivery(store, slack)
    await delivery.tell(told())
    async with running(delivery.outbox):
        await eventually(lambda: len(slack.delivered) == 1)


async def test_a_lane_is_delivered_in_order_and_lanes_go_side_by_side(store: Store) -> None:
    slack = FakeNotifier("slack")
    slack.pause_seconds = 0.05
    delivery = Delivery(store, slack)
    kinds = (EffectKind.OPENED, EffectKind.ESCALATED, EffectKind.DECAYING, EffectKind.RESOLVED)
    effects = [
        told(kind, revision, f"inc-{number}")
        for revision, kind in enumerate(kinds, start=1)
        for number in range(3)
    ]
    await delivery.tell(*effects)
    assert await delivery.outbox.drain(5)
    for number in range(3):
        mine = [key for key in slack.delivered if key.startswith(f"inc-{number}:")]
        assert mine == [f"inc-{number}:{r}:{k.value}@slack" for r, k in enumerate(kinds, start=1)]
    assert slack.busiest == 3


async def test_a_lane_that_hangs_holds_up_no_other(store: Store) -> None:
    slack = FakeNotifier("slack", hang)
    delivery = Delivery(store, slack)
    async with running(delivery.outbox):
        await delivery.tell(told(incident="inc-1"))
        await eventually(lambda: slack.busy == 1)
        await delivery.tell(told(incident="inc-2"))
        await eventually(lambda: slack.delivered == ["inc-2:1:opened@slack"])


async def test_no_more_attempts_than_allowed_are_under_way(store: Store) -> None:
    slack = FakeNotifier("slack")
    slack.pause_seconds = 0.03
    delivery = Delivery(store, slack, concurrent=2)
    await delivery.tell(*(told(incident=f"inc-{number}") for number in range(12)))
    assert await delivery.outbox.drain(5)
    assert (len(slack.delivered), slack.busiest) == (12, 2)


# --- failures ------------------------------------------------------------------------------------


async def test_a_failed_notice_is_tried_again_after_a_growing_delay(store: Store) -> None:
    slack = FakeNotifier("slack", RATE_LIMITED, RATE_LIMITED)
    delivery = Delivery(store, slack, first_delay_seconds=10)
    async with running(delivery.outbox):
        await delivery.tell(told())
        await eventually(lambda: len(slack.attempts) == 1)
        assert await delivery.outbox.drain(5)
        await delivery.pass_time(4.9)
        await asyncio.sleep(0.05)
        assert len(slack.attempts) == 1
        await delivery.pass_time(5.1)
        await eventually(lambda: len(slack.attempts) == 2)
        assert await delivery.outbox.drain(5)
        await delivery.pass_time(9.9)
        await asyncio.sleep(0.05)
        assert len(slack.attempts) == 2
        await delivery.pass_time(10.1)
        await eventually(lambda: len(slack.delivered) == 1)
    assert [(one.attempt, one.ambiguous) for one in slack.attempts] == [
        (1, False),
        (2, False),
        (3, False),
    ]
    assert {one.key for one in slack.attempts} == {"inc-1:1:opened@slack"}
    failures = delivery.metric(
        "alert_delivery_failures_total", notifier="slack", reason="rate_limited"
    )
    assert failures == 2


async def test_what_the_other_side_asks_for_is_waited_for(store: Store) -> None:
    slack = FakeNotifier("slack", NotifyError("x", reason="rate_limited", retry_after=90))
    delivery = Delivery(store, slack)
    await delivery.tell(told())
    assert await delivery.outbox.drain(5)
    (entry,) = await store.outbox_list()
    assert (entry.not_before, entry.attempts) == (NOW + 90, 1)
    assert entry.last_error == "rate_limited: x"


async def test_an_absurd_wait_is_cut_to_an_hour(store: Store) -> None:
    slack = FakeNotifier("slack", NotifyError("x", reason="rate_limited", retry_after=1e12))
    delivery = Delivery(store, slack)
    await delivery.tell(told())
    assert await delivery.outbox.drain(5)
    assert [entry.not_before for entry in await store.outbox_list()] == [NOW + 3600]


async def test_an_attempt_that_takes_too_long_is_cut_off_and_the_next_is_ambiguous(
    store: Store,
) -> None:
    slack = FakeNotifier("slack", hang, RATE_LIMITED)
    delivery = Delivery(store, slack, attempt_seconds=0.05)
    async with running(delivery.outbox):
        await delivery.tell(told())
        for attempts in (1, 2, 3):
            await eventually(lambda attempts=attempts: len(slack.attempts) == attempts)
            await delivery.outbox.drain(5)
            await delivery.pass_time(30)
        await eventually(lambda: len(slack.delivered) == 1)
    assert [one.ambiguous for one in slack.attempts] == [False, True, True]
    assert delivery.metric("alert_delivery_failures_total", notifier="slack", reason="timeout") == 1


@pytest.mark.parametrize("reason", ["timeout", "ambiguous"])
async def test_a_failure_that_may_have_got_through_makes_the_next_attempt_ambiguous(
    store: Store, reason: str
) -> None:
    slack = FakeNotifier("slack", NotifyError("reset", reason=reason))
    delivery = Delivery(store, slack)
    await delivery.tell(told())
    assert await delivery.outbox.drain(5)
    await delivery.pass_time(30)
    assert await delivery.outbox.drain(5)
    assert [one.ambiguous for one in slack.attempts] == [False, True]


async def test_an_attempt_cut_off_by_a_stop_is_ambiguous_at_the_next_start(store: Store) -> None:
    slack = FakeNotifier("slack", hang)
    delivery = Delivery(store, slack)
    async with running(delivery.outbox):
        await delivery.tell(told())
        await eventually(lambda: slack.busy == 1)
    assert slack.busy == 0
    again = Delivery(store, slack)
    assert await again.outbox.drain(5)
    assert [(one.attempt, one.ambiguous) for one in slack.attempts] == [(1, False), (1, True)]


async def test_a_permanent_failure_is_a_dead_letter_and_the_lane_goes_on(store: Store) -> None:
    slack = FakeNotifier("slack", NotifyError("no channel", reason="misconfigured", permanent=True))
    delivery = Delivery(store, slack)
    with structlog.testing.capture_logs() as logs:
        await delivery.tell(told(), told(EffectKind.ESCALATED, 2))
        assert await delivery.outbox.drain(5)
    assert slack.delivered == ["inc-1:2:escalated@slack"]
    (dead,) = await store.outbox_list(OutboxState.DEAD)
    assert (dead.id, dead.last_error) == ("inc-1:1:opened@slack", "misconfigured: no channel")
    assert delivery.metric("outbox_dead", notifier="slack") == 1
    assert [one["log_level"] for one in logs if one["event"] == "notice_dead"] == ["error"]


async def test_a_revived_dead_letter_is_tried_afresh(store: Store) -> None:
    slack = FakeNotifier("slack", NotifyError("x", reason="rejected", permanent=True), RATE_LIMITED)
    delivery = Delivery(store, slack, max_age_seconds=60)
    await delivery.tell(told())
    assert await delivery.outbox.drain(5)
    await delivery.pass_time(86_400)
    assert await store.outbox_revive("inc-1:1:opened@slack", at=delivery.clock.now())
    assert await delivery.outbox.drain(5)
    await delivery.pass_time(10)
    assert await delivery.outbox.drain(5)
    assert slack.delivered == ["inc-1:1:opened@slack"]


async def test_a_notice_is_given_up_after_so_many_attempts(store: Store) -> None:
    slack = FakeNotifier("slack", *[RATE_LIMITED] * 9)
    delivery = Delivery(store, slack, max_attempts=3)
    await delivery.tell(told())
    for _ in range(5):
        assert await delivery.outbox.drain(5)
        await delivery.pass_time(600)
    assert len(slack.attempts) == 3
    assert await delivery.states() == {"inc-1:1:opened@slack": OutboxState.DEAD}


async def test_a_notice_is_given_up_when_it_is_old_and_was_surely_tried(store: Store) -> None:
    slack = FakeNotifier("slack", *[RATE_LIMITED] * 9)
    delivery = Delivery(store, slack, max_age_seconds=60, sure_attempts=2)
    await delivery.tell(told())
    await delivery.pass_time(3600)  # as if Sentinel had been down
    for _ in range(4):
        assert await delivery.outbox.drain(5)
        await delivery.pass_time(600)
    assert len(slack.attempts) == 2


async def test_a_notifiers_defect_is_logged_and_tried_again_and_stops_nobody(store: Store) -> None:
    broken = FakeNotifier("slack", ZeroDivisionError("a defect"))
    email = FakeNotifier("email")
    delivery = Delivery(store, broken, email)
    with structlog.testing.capture_logs() as logs:
        await delivery.tell(told())
        assert await delivery.outbox.drain(5)
        await delivery.pass_time(10)
        assert await delivery.outbox.drain(5)
    assert [one.ambiguous for one in broken.attempts] == [False, True]
    assert email.delivered == ["inc-1:1:opened@email"]
    assert [one["event"] for one in logs].count("notifier_crashed") == 1
    assert delivery.metric("alert_delivery_failures_total", notifier="slack", reason="crashed") == 1


async def test_a_reason_that_is_no_label_is_counted_as_rejected(store: Store) -> None:
    slack = FakeNotifier("slack", NotifyError("x", reason="full moon"))
    delivery = Delivery(store, slack)
    await delivery.tell(told())
    assert await delivery.outbox.drain(5)
    failures = "alert_delivery_failures_total"
    assert delivery.metric(failures, notifier="slack", reason="rejected") == 1


async def test_notices_of_a_notifier_that_is_gone_from_the_configuration_are_dead_letters(
    store: Store,
) -> None:
    await Delivery(store, FakeNotifier("old")).tell(told())
    delivery = Delivery(store, FakeNotifier("slack"))
    assert await delivery.outbox.drain(5)
    (dead,) = await store.outbox_list(OutboxState.DEAD)
    assert dead.last_error == "misconfigured: no notifier of that name is configured"


async def test_a_superseded_update_is_not_sent(store: Store) -> None:
    slack = FakeNotifier("slack", hang)
    delivery = Delivery(store, slack, attempt_seconds=0.2)
    async with running(delivery.outbox):
        await delivery.tell(told())
        await eventually(lambda: slack.busy == 1)
        for revision in (2, 3, 4):
            await delivery.tell(told(EffectKind.UPDATED, revision))
        await eventually(lambda: slack.busy == 0)
        assert await delivery.outbox.drain(5)
        await delivery.pass_time(30)
        await eventually(lambda: len(slack.delivered) == 2)
    assert slack.delivered == ["inc-1:1:opened@slack", "inc-1:4:updated@slack"]


async def set_read_only(store: Store, *, on: bool) -> None:
    async with store._writer.connect() as connection:
        raw = await connection.get_raw_connection()
        await (await raw.driver_connection.execute(f"PRAGMA query_only = {int(on)}")).close()


async def test_a_store_that_cannot_be_written_is_reported_once_and_nothing_is_sent_twice(
    store: Store,
) -> None:
    slack = FakeNotifier("slack")
    delivery = Delivery(store, slack)
    await delivery.tell(told())
    await set_read_only(store, on=True)
    with structlog.testing.capture_logs() as logs:
        async with running(delivery.outbox):
            for _ in range(4):
                await asyncio.sleep(0.02)
                await delivery.pass_time(5)
            assert slack.attempts == []
            await set_read_only(store, on=False)
            async with asyncio.timeout(5):
                while not slack.delivered:
                    await delivery.pass_time(5)
                    await asyncio.sleep(0.005)
            assert await delivery.outbox.drain(5)
    assert len(slack.attempts) == 1
    assert [one["event"] for one in logs].count("outbox_store_failed") == 1


async def test_draining_gives_up_in_time_and_says_so(store: Store) -> None:
    slack = FakeNotifier("slack", hang)
    delivery = Delivery(store, slack)
    await delivery.tell(told())
    assert not await delivery.outbox.drain(0.1)
    assert slack.busy == 0


class SlowlyRead(Store):
    """What is due is known only some time after it was read."""

    async def outbox_due(self, now: float, limit: int = 100) -> list[OutboxEntry]:
        entries = await super().outbox_due(now, limit)
        await asyncio.sleep(0.1)
        return entries


async def test_a_notice_is_not_sent_again_because_it_was_read_before_its_attempt_ended(
    tmp_path: Path,
) -> None:
    store = await SlowlyRead.open(str(tmp_path / "sentinel.db"))
    slack = FakeNotifier("slack", RATE_LIMITED)
    slack.pause_seconds = 0.05
    delivery = Delivery(store, slack)
    async with running(delivery.outbox):
        await delivery.tell(told())
        await eventually(lambda: slack.busy == 1)
        delivery.outbox.wake()
        await asyncio.sleep(0.3)
    assert len(slack.attempts) == 1
    await store.close()


# --- fallbacks -----------------------------------------------------------------------------------

FALLBACKS = {"slack": ("pagerduty", "email")}
TRIO = ("slack", "pagerduty", "email")


async def test_a_page_that_does_not_get_through_in_time_goes_to_the_fallbacks_once(
    store: Store,
) -> None:
    slack, pagerduty, email = (FakeNotifier(name) for name in TRIO)
    slack.outcomes = [NotifyError("down", reason="unreachable", retry_after=60)] * 10
    delivery = Delivery(store, slack, pagerduty, email, fallbacks=FALLBACKS)
    async with running(delivery.outbox):
        await delivery.tell(told(page=True), told(incident="inc-2"))
        await eventually(lambda: len(slack.attempts) == 2)
        assert await delivery.outbox.drain(5)
        await delivery.pass_time(119)
        await eventually(lambda: len(slack.attempts) == 4)
        assert (pagerduty.attempts, email.attempts) == ([], [])
        await delivery.pass_time(1.5)
        await eventually(lambda: bool(pagerduty.delivered and email.delivered))
        for _ in range(3):
            await delivery.pass_time(300)
            await delivery.outbox.drain(5)
    assert pagerduty.delivered == ["inc-1:1:opened@pagerduty"]
    assert email.delivered == ["inc-1:1:opened@email"]
    assert len(slack.attempts) > 4


async def test_a_dead_page_goes_to_the_fallbacks_at_once(store: Store) -> None:
    slack, pagerduty, email = (FakeNotifier(name) for name in TRIO)
    slack.outcomes = [NotifyError("gone", reason="misconfigured", permanent=True)]
    email.unwanted.add("opened")
    delivery = Delivery(store, slack, pagerduty, email, fallbacks=FALLBACKS)
    await delivery.tell(told(page=True))
    assert await delivery.outbox.drain(5)
    assert pagerduty.delivered == ["inc-1:1:opened@pagerduty"]
    assert email.attempts == []


async def test_a_page_that_got_through_needs_no_fallback(store: Store) -> None:
    slack, pagerduty, email = (FakeNotifier(name) for name in TRIO)
    delivery = Delivery(store, slack, pagerduty, email, fallbacks=FALLBACKS)
    async with running(delivery.outbox):
        await delivery.tell(told(page=True))
        await eventually(lambda: len(slack.delivered) == 1)
        assert await delivery.outbox.drain(5)
        await delivery.pass_time(1000)
        assert await delivery.outbox.drain(5)
    assert pagerduty.attempts == []


async def test_a_fallback_that_was_called_hears_that_it_is_over(store: Store) -> None:
    slack, pagerduty, email = (FakeNotifier(name) for name in TRIO)
    slack.outcomes = [NotifyError("gone", reason="misconfigured", permanent=True)]
    delivery = Delivery(store, slack, pagerduty, email, fallbacks=FALLBACKS)
    await delivery.tell(told(page=True), told(incident="inc-2", page=True))
    assert await delivery.outbox.drain(5)
    await delivery.tell(
        told(EffectKind.UPDATED, 2),
        told(EffectKind.ACKNOWLEDGED, 3),
        told(EffectKind.RESOLVED, 4),
        told(EffectKind.RESOLVED, 4, "inc-2"),
    )
    assert await delivery.outbox.drain(5)
    assert pagerduty.delivered == [
        "inc-1:1:opened@pagerduty",
        "inc-1:3:acknowledged@pagerduty",
        "inc-1:4:resolved@pagerduty",
    ]


async def test_fallbacks_may_have_fallbacks(store: Store) -> None:
    slack, pagerduty, email = (FakeNotifier(name) for name in TRIO)
    permanent = NotifyError("gone", reason="misconfigured", permanent=True)
    slack.outcomes, pagerduty.outcomes = [permanent], [permanent]
    chain = {"slack": ("pagerduty",), "pagerduty": ("email",), "email": ("slack",)}
    delivery = Delivery(store, slack, pagerduty, email, fallbacks=chain)
    delivery.primaries = {"slack": slack}
    await delivery.tell(told(page=True))
    assert await delivery.outbox.drain(5)
    assert email.delivered == ["inc-1:1:opened@email"]


async def test_a_fallback_that_is_not_configured_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="nobody"):
        Delivery(store, FakeNotifier("slack"), fallbacks={"slack": ("nobody",)})
