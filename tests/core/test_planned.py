"""Planned events in the core: expected, not muted, and exact in a replay."""

import msgspec
import pytest

from sentinel.core.pipeline import GLOBAL
from sentinel.core.windows import Tick, Window, planned
from sentinel.model import Caveat, Direction, EffectKind
from tests.core.build import AURORA, NEGATIVE, NEUTRAL, NORTHWIND, POSITIVE, T0, Player, core

HOUR = 3600.0


def at_the_event(multiplier: float = 8.0) -> Player:
    """A brand after a day and a half, with an event that begins now and lasts two hours."""
    player = Player(core())
    player.quiet(2200)
    player.core.calendar = (Window(player.now, player.now + 2 * HOUR, multiplier, 1.0),)
    return player


def opened(player: Player) -> list[Direction]:
    return [
        one.incident.direction
        for one in player.effects
        if one.kind is EffectKind.OPENED and one.incident
    ]


def test_overlapping_events_do_not_multiply() -> None:
    windows = (Window(0, 100, 3.0, 1.0), Window(50, 150, 5.0, 0.5), Window(0, 9, 1.0, 0.0))
    assert [(1.0, 0.0), (3.0, 1.0), (5.0, 1.0), (5.0, 0.5), (1.0, 0.0)] == [
        planned(windows, start, "aurora") for start in (-1, 0, 60, 120, 150)
    ]


def test_an_event_of_another_brand_changes_nothing() -> None:
    assert (1.0, 0.0) == planned((Window(0, 9, 3.0, 1.0, ("northwind",)),), 5, "aurora")


def test_the_expectation_is_multiplied_during_the_event_and_neutral_after_it() -> None:
    player = at_the_event()
    detector = player.core.shards[AURORA.id].detector
    before = detector.pooled.last_expected
    seen = []
    for _ in range(130):
        player.quiet(1, rate=3.0)
        seen.append((detector.multiplier, detector.pooled.last_expected))
    assert [8.0] * 120 + [1.0] * 10 == [one for one, _ in seen]
    assert seen[0][1] == pytest.approx(8 * before, rel=0.2)
    assert seen[-1][1] < 4 * before


def test_expected_talk_during_an_event_raises_nothing() -> None:
    player = at_the_event()
    for _ in range(120):
        player.minute(((NEUTRAL, 4), (POSITIVE, 1), (NEGATIVE, player.rng.random() < 0.5)))
    player.quiet(60)
    assert [] == opened(player)


def test_negatives_that_break_during_an_event_still_page_and_the_alert_says_so() -> None:
    player = at_the_event()
    player.storm(15, negative=12, neutral=3)
    assert [Direction.THREAT] == opened(player)
    alert = next(one for one in player.effects if one.kind is EffectKind.OPENED)
    assert alert.page
    assert alert.incident is not None
    assert Caveat.PLANNED_EVENT in alert.incident.caveats


def test_a_replay_needs_the_journal_alone_whatever_the_calendar_says_by_then() -> None:
    live = Player(core(AURORA, NORTHWIND))
    journal: list[bytes | list[object]] = []
    live.core.calendar = (Window(T0 + 600, T0 + 1800, 6.0, 0.5, ("aurora",)),)
    replayed = Player(core(AURORA, NORTHWIND)).core
    effects = []
    for minute in range(60):
        live.quiet(0)
        tick = live.core.tick(live.now + 60)
        live.now += 60
        assert tick is not None
        journal.append(msgspec.msgpack.encode(tick))
        effects += live.core.advance(tick)
        assert (600 <= minute * 60 < 1800) == (live.core.shards["aurora"].detector.multiplier == 6)
        assert live.core.shards["northwind"].detector.multiplier == 1.0
    replayed.calendar = (Window(T0, T0 + 9000, 50.0, 9.0),)
    for entry in journal:
        assert isinstance(entry, bytes)
        replayed.advance(msgspec.msgpack.decode(entry, type=Tick))
    for part in (GLOBAL, "aurora", "northwind"):
        assert live.core.snapshot(part) == replayed.snapshot(part)


def test_a_tick_carries_only_the_events_that_touch_its_minutes() -> None:
    player = Player(core())
    player.quiet(3)
    near = Window(player.now, player.now + 60)
    player.core.calendar = (
        Window(player.now - 600, player.now - 1),
        near,
        Window(player.now + 60, player.now + 120),
    )
    tick = player.core.tick(player.now + 60)
    assert tick is not None
    assert (near,) == tick.planned
