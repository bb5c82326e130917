from __future__ import annotations

from sentinel.model import EffectKind
from sentinel.store import Store, StoreRefs
from sentinel.store.unit import OutboxEntry, OutboxState, Unit
from tests.store import build

NOW = build.START + 1000


def notice(
    kind: EffectKind,
    revision: int,
    *,
    incident: str = "inc-1",
    notifier: str = "slack",
    lane: str | None = None,
    page: bool = False,
    at: float = build.START,
) -> OutboxEntry:
    effect = build.effect(kind, build.incident(incident, revision), page=page)
    return build.entry(effect, notifier, lane, at)


async def ids_due(store: Store, now: float = NOW) -> list[str]:
    return [entry.id for entry in await store.outbox_due(now)]


async def states(store: Store) -> dict[str, OutboxState]:
    return {entry.id: entry.state for entry in await store.outbox_list()}


async def test_only_the_oldest_pending_notice_of_a_lane_is_due(store: Store) -> None:
    opened, escalated = notice(EffectKind.OPENED, 1), notice(EffectKind.ESCALATED, 2)
    other = notice(EffectKind.OPENED, 1, incident="inc-2")
    email = notice(EffectKind.OPENED, 1, notifier="email")
    await store.commit(Unit(outbox=(opened, escalated, other, email)))
    assert await ids_due(store) == [opened.id, other.id, email.id]
    await store.outbox_delivered(opened.id, NOW)
    assert await ids_due(store) == [escalated.id, other.id, email.id]
    await store.outbox_dead(escalated.id, "gone")
    assert await ids_due(store) == [other.id, email.id]


async def test_a_notice_that_waits_holds_back_what_comes_after_it(store: Store) -> None:
    opened, escalated = notice(EffectKind.OPENED, 1), notice(EffectKind.ESCALATED, 2)
    await store.commit(Unit(outbox=(opened, escalated)))
    await store.outbox_failed(opened.id, not_before=NOW + 30, attempts=1, error="rate_limited")
    assert await ids_due(store) == []
    assert await store.outbox_next_at() == NOW + 30
    (entry,) = await store.outbox_due(NOW + 30)
    assert (entry.attempts, entry.last_error) == (1, "rate_limited")


async def test_nothing_is_due_in_an_empty_outbox(store: Store) -> None:
    assert await store.outbox_next_at() is None
    assert await ids_due(store) == []


async def test_an_attempt_that_was_never_settled_makes_the_notice_ambiguous_for_good(
    store: Store,
) -> None:
    opened = notice(EffectKind.OPENED, 1)
    await store.commit(Unit(outbox=(opened,)))

    async def ambiguous() -> bool:
        (entry,) = await store.outbox_due(NOW)
        return entry.ambiguous

    assert not await ambiguous()
    assert await store.outbox_mark_attempt(opened.id)
    assert await ambiguous()  # as after a crash
    for attempts in (1, 2):
        assert await store.outbox_mark_attempt(opened.id)
        await store.outbox_failed(opened.id, not_before=0, attempts=attempts, error="rate_limited")
        assert await ambiguous()


async def test_an_attempt_that_failed_cleanly_is_not_ambiguous(store: Store) -> None:
    opened = notice(EffectKind.OPENED, 1)
    await store.commit(Unit(outbox=(opened,)))
    await store.outbox_mark_attempt(opened.id)
    await store.outbox_failed(opened.id, not_before=0, attempts=1, error="rate_limited")
    assert [entry.ambiguous for entry in await store.outbox_due(NOW)] == [False]
    await store.outbox_mark_attempt(opened.id)
    await store.outbox_failed(opened.id, not_before=0, attempts=2, error="timeout", ambiguous=True)
    assert [entry.ambiguous for entry in await store.outbox_due(NOW)] == [True]


async def test_an_attempt_cannot_begin_on_what_is_settled(store: Store) -> None:
    opened = notice(EffectKind.OPENED, 1)
    await store.commit(Unit(outbox=(opened,)))
    await store.outbox_delivered(opened.id, NOW)
    assert not await store.outbox_mark_attempt(opened.id)
    assert not await store.outbox_mark_attempt("unknown")


async def test_a_late_failure_does_not_undo_a_delivery(store: Store) -> None:
    opened = notice(EffectKind.OPENED, 1)
    await store.commit(Unit(outbox=(opened,)))
    await store.outbox_delivered(opened.id, NOW)
    await store.outbox_failed(opened.id, not_before=0, attempts=1, error="timeout")
    assert await states(store) == {opened.id: OutboxState.DELIVERED}


async def test_dead_letters_are_listed_and_revived(store: Store) -> None:
    opened = notice(EffectKind.OPENED, 1)
    await store.commit(Unit(outbox=(opened,)))
    assert not await store.outbox_revive(opened.id)
    await store.outbox_failed(opened.id, not_before=NOW * 2, attempts=7, error="timeout")
    await store.outbox_dead(opened.id, "rejected: no such channel")
    (dead,) = await store.outbox_list(OutboxState.DEAD)
    assert (dead.id, dead.last_error) == (opened.id, "rejected: no such channel")
    assert await store.outbox_dead_counts() == {"slack": 1}
    assert await store.outbox_revive(opened.id, at=NOW)
    (entry,) = await store.outbox_due(NOW)
    assert (entry.state, entry.attempts, entry.not_before) == (OutboxState.PENDING, 0, NOW)
    assert await store.outbox_pending_counts() == {"slack": 1}


async def test_an_update_is_superseded_by_a_later_view_of_the_incident(store: Store) -> None:
    first = notice(EffectKind.UPDATED, 2)
    second = notice(EffectKind.CHECKLIST_CHANGED, 3)
    await store.commit(Unit(outbox=(notice(EffectKind.OPENED, 1), first)))
    await store.commit(Unit(outbox=(second,)))
    third = notice(EffectKind.UPDATED, 4)
    await store.commit(Unit(outbox=(third, notice(EffectKind.UPDATED, 4, incident="inc-2"))))
    now = await states(store)
    assert [now[one.id] for one in (first, second, third)] == [
        OutboxState.SUPERSEDED,
        OutboxState.SUPERSEDED,
        OutboxState.PENDING,
    ]
    await store.commit(Unit(outbox=(first,)))
    assert (await states(store))[first.id] is OutboxState.SUPERSEDED


async def test_news_pages_tried_updates_and_other_notifiers_are_not_superseded(
    store: Store,
) -> None:
    kept = (
        notice(EffectKind.ESCALATED, 2),
        notice(EffectKind.UPDATED, 3, page=True),
        notice(EffectKind.UPDATED, 4),
        notice(EffectKind.UPDATED, 4, notifier="email"),
        notice(EffectKind.UPDATED, 4, incident="inc-2"),
        notice(EffectKind.CHECKLIST_CHANGED, 9),
    )
    await store.commit(Unit(outbox=kept[:3]))
    await store.outbox_mark_attempt(kept[2].id)
    await store.commit(Unit(outbox=kept[3:]))
    older = notice(EffectKind.RESOLVED, 8)
    await store.commit(Unit(outbox=(older,)))
    assert set((await states(store)).values()) == {OutboxState.PENDING}


async def test_an_update_that_was_tried_and_failed_is_not_superseded(store: Store) -> None:
    tried = notice(EffectKind.UPDATED, 2)
    await store.commit(Unit(outbox=(tried,)))
    await store.outbox_mark_attempt(tried.id)
    await store.outbox_failed(tried.id, not_before=0, attempts=1, error="rate_limited")
    await store.commit(Unit(outbox=(notice(EffectKind.UPDATED, 3),)))
    assert (await states(store))[tried.id] is OutboxState.PENDING


async def test_fallbacks_are_wanted_for_pages_that_are_overdue_or_dead_and_only_once(
    store: Store,
) -> None:
    overdue = notice(EffectKind.OPENED, 1, page=True, at=NOW - 200)
    young = notice(EffectKind.OPENED, 1, incident="inc-2", page=True, at=NOW)
    dead = notice(EffectKind.OPENED, 1, incident="inc-3", page=True, at=NOW)
    quiet = notice(EffectKind.OPENED, 1, incident="inc-4", at=NOW - 200)
    other = notice(EffectKind.OPENED, 1, notifier="console", page=True, at=NOW - 200)
    done = notice(EffectKind.OPENED, 1, incident="inc-5", page=True, at=NOW - 200)
    await store.commit(Unit(outbox=(overdue, young, dead, quiet, other, done)))
    await store.outbox_dead(dead.id, "rejected")
    await store.outbox_delivered(done.id, NOW)

    async def wanted() -> list[str]:
        return [one.id for one in await store.outbox_wanting_fallback(["slack"], NOW - 120)]

    assert await wanted() == [overdue.id, dead.id]
    fallback = build.entry(overdue.effect, "pagerduty")
    await store.outbox_fall_back(overdue.id, [fallback])
    await store.outbox_fall_back(dead.id, [])
    assert await wanted() == []
    assert fallback.id in await ids_due(store)


async def test_what_closes_an_incident_follows_its_page_to_the_fallbacks(store: Store) -> None:
    page = notice(EffectKind.OPENED, 1, page=True, at=NOW - 200)
    await store.commit(Unit(outbox=(page,)))
    await store.outbox_fall_back(page.id, [])
    closing = notice(EffectKind.RESOLVED, 3)
    unrelated = notice(EffectKind.RESOLVED, 3, incident="inc-2")
    await store.commit(Unit(outbox=(notice(EffectKind.DECAYING, 2), closing, unrelated)))
    await store.outbox_delivered(closing.id, NOW)
    wanted = await store.outbox_wanting_fallback(["slack"], NOW - 120)
    assert [one.id for one in wanted] == [closing.id]


async def test_a_purge_drops_settled_notices_and_keeps_dead_and_pending_ones(
    store: Store,
) -> None:
    kinds = (EffectKind.OPENED, EffectKind.ESCALATED, EffectKind.RESOLVED)
    delivered, dead, pending = (notice(kind, 1) for kind in kinds)
    await store.commit(Unit(outbox=(delivered, dead, pending)))
    await store.outbox_delivered(delivered.id, NOW)
    await store.outbox_dead(dead.id, "rejected")
    await store.purge(NOW)
    assert set(await states(store)) == {dead.id, pending.id}


async def test_a_notifiers_note_is_kept_for_each_incident(store: Store) -> None:
    refs = StoreRefs(store)
    assert await refs.get("slack", "inc-1") == {}
    await refs.put("slack", "inc-1", {"ts": "1.0"})
    await refs.put("slack", "inc-1", {"ts": "2.0", "channel": "C1"})
    await refs.put("email", "inc-1", {})
    assert await refs.get("slack", "inc-1") == {"ts": "2.0", "channel": "C1"}
    assert await store.ref_get("slack", "inc-2") == {}
