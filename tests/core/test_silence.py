"""Missing data: a dead collector is told to operations, never taken for calm and never for a crisis."""

from __future__ import annotations

import copy

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.pipeline import GLOBAL, Core
from sentinel.core.silence import Listening, Told
from sentinel.core.windows import Tick
from sentinel.model import (
    Brand,
    Caveat,
    Effect,
    EffectKind,
    SourceState,
    SourceStatus,
)
from tests.core.build import NEGATIVE, NEUTRAL, POSITIVE, T0, Player, sighting

BRANDS = tuple(Brand(id=name, name=name) for name in ("aurora", "northwind", "borea", "lumen"))
WEEK = 7 * 1440 + 30


class Country(Player):
    """Several brands on one source, one channel each; which brands are mentioned is decided every minute."""

    def minute_of(self, brands: tuple[Brand, ...], rate: float = 0.6, bad: float = 0.1) -> None:
        made = []
        for brand in brands:
            for _ in range(int(self.rng.random() < rate) + int(self.rng.random() < rate)):
                draw = self.rng.random()
                verdict = NEGATIVE if draw < bad else POSITIVE if draw > 0.8 else NEUTRAL
                at = self.now + self.rng.uniform(0, 59)
                made.append(sighting(self.number, at, verdict, brand=brand.id))
                self.number += 1
        self.core.feed(made)
        self.now += 60
        self.tick()


@pytest.fixture(scope="module")
def week() -> Country:
    player = Country(Core(BRANDS, (), {"feed": 0.0}))
    for _ in range(WEEK):
        player.minute_of(BRANDS)
    assert [] == player.effects
    return player


@pytest.fixture
def player(week: Country) -> Country:
    return copy.deepcopy(week)


def told(player: Player) -> list[tuple[EffectKind, tuple[str, ...]]]:
    return [(one.kind, one.sources) for one in player.effects]


SILENT = (EffectKind.SOURCE_SILENT, ("feed",))
BACK = (EffectKind.SOURCE_RECOVERED, ("feed",))


def test_a_source_that_says_it_is_alive_and_delivers_nothing_is_told_once_within_15_minutes(
    player: Country,
) -> None:
    began = player.now
    for _ in range(180):
        player.minute_of(())
    assert [SILENT] == told(player)
    (effect,) = player.effects
    assert effect.at - began <= 15 * 60
    assert began - 120 <= effect.since <= began + 60
    assert not effect.brand


def test_what_is_inferred_can_be_asked_at_any_time(player: Country) -> None:
    assert {} == player.core.listening.inferred()
    began = player.now
    for _ in range(60):
        player.minute_of(())
    (silence,) = player.core.listening.inferred().values()
    assert ((), True) == (silence.brands, began - 120 <= silence.since <= began + 60)
    for _ in range(5):
        player.minute_of(BRANDS, rate=1.0)
    assert {} == player.core.listening.inferred()


def test_brands_that_stopped_together_are_named_while_they_are_silent(player: Country) -> None:
    for _ in range(40):
        player.minute_of(BRANDS[3:])
    assert ("aurora", "borea", "northwind") == player.core.listening.inferred()["feed"].brands
    for _ in range(5):
        player.minute_of(BRANDS, rate=1.0)
    assert {} == player.core.listening.inferred()


def test_learning_is_frozen_meanwhile_and_its_return_is_told(player: Country) -> None:
    before = {
        name: shard.detector.pooled.profile.snapshot() for name, shard in player.core.shards.items()
    }
    for _ in range(240):
        player.minute_of(())
    for name, shard in player.core.shards.items():
        assert shard.detector.pooled.last_missing
        after = shard.detector.pooled.profile.snapshot()
        changed = [
            hour
            for hour, (one, other) in enumerate(
                zip(before[name]["cells"], after["cells"], strict=True)
            )
            if other < 0.5 * one
        ]
        assert [] == changed
    for _ in range(120):
        player.minute_of(BRANDS)
    assert [SILENT, BACK] == told(player)
    assert not player.core.shards["aurora"].detector.pooled.last_missing


def test_a_backfill_after_an_outage_is_neither_a_spike_nor_lost(player: Country) -> None:
    gap = player.now
    for _ in range(130):
        player.minute_of(())
    heap = [
        sighting(10**6 + number, gap + number * 10.0, NEUTRAL, brand=BRANDS[number % 4].id)
        for number in range(780)
    ]
    fed = player.core.feed(heap)
    assert 780 == len(fed.late) + len(fed.counted)
    assert len(fed.late) > 760  # archived by the shell, not counted
    for _ in range(120):
        player.minute_of(BRANDS)
    assert [SILENT, BACK] == told(player)


def test_a_heap_that_is_dated_with_the_present_is_no_spike_either(player: Country) -> None:
    for _ in range(130):
        player.minute_of(())
    heap = []
    for number in range(600):
        verdict = (NEGATIVE, NEUTRAL, NEUTRAL, NEUTRAL, POSITIVE, NEUTRAL, NEUTRAL)[number % 7]
        heap.append(
            sighting(10**6 + number, player.now + number % 60, verdict, brand=BRANDS[number % 4].id)
        )
    assert 600 == len(player.core.feed(heap).counted)
    for _ in range(120):
        player.minute_of(BRANDS)
    assert [SILENT, BACK] == told(player)


def test_several_brands_that_stop_together_while_another_goes_on_are_one_word(
    player: Country,
) -> None:
    began = player.now
    for _ in range(40):
        player.minute_of(BRANDS[3:])
    assert [SILENT] == told(player)
    assert player.effects[0].at - began <= 15 * 60
    for _ in range(60):
        player.minute_of(BRANDS)
    assert [SILENT, BACK] == told(player)


def test_one_brand_that_stops_is_nobodys_outage(player: Country) -> None:
    for _ in range(120):
        player.minute_of(BRANDS[1:])
    assert [] == told(player)


def test_a_source_that_says_it_is_down_is_told_once_and_not_again_as_silent(
    player: Country,
) -> None:
    player.effects += player.core.source(SourceStatus("feed", SourceState.DOWN, player.now))
    for _ in range(90):
        player.minute_of(())
    assert [SILENT] == told(player)
    player.effects += player.core.source(SourceStatus("feed", SourceState.ALIVE, player.now))
    for _ in range(30):
        player.minute_of(BRANDS)
    assert [SILENT, BACK] == told(player)


def test_saying_alive_again_is_not_yet_being_back(player: Country) -> None:
    for _ in range(30):
        player.minute_of(())
    for state in (SourceState.STARTING, SourceState.ALIVE):
        player.effects += player.core.source(SourceStatus("feed", state, player.now))
    player.minute_of(())
    assert [SILENT] == told(player)


def test_a_stop_of_sentinel_itself_is_not_taken_for_a_silence(player: Country) -> None:
    player.core.source(SourceStatus("feed", SourceState.STARTING, player.now))
    player.now += 6 * 3600
    player.core.source(SourceStatus("feed", SourceState.ALIVE, player.now))
    player.tick()
    for _ in range(30):
        player.minute_of(BRANDS)
    assert [] == told(player)


def test_a_real_crisis_after_the_return_still_pages(player: Country) -> None:
    for _ in range(60):
        player.minute_of(())
    for _ in range(60):
        player.minute_of(BRANDS)
    player.storm(15, negative=12)
    assert EffectKind.OPENED in {one.kind for one in player.effects}


def test_a_replay_after_a_restart_says_the_same(player: Country) -> None:
    twin = Country(Core(BRANDS, (), {"feed": 0.0}))
    twin.now, twin.rng, twin.number = player.now, copy.deepcopy(player.rng), player.number
    for part in (GLOBAL, *(brand.id for brand in BRANDS)):
        twin.core.restore(part, player.core.snapshot(part))
    for one in (player, twin):
        for minute in range(200):
            one.minute_of(() if 30 <= minute < 90 else BRANDS)
    assert [SILENT, BACK] == told(player)
    assert player.effects == twin.effects
    assert player.core.snapshot(GLOBAL) == twin.core.snapshot(GLOBAL)


def test_the_tick_says_which_sources_are_missing_so_that_a_shard_replays_alone(
    player: Country,
) -> None:
    for _ in range(30):
        player.minute_of(())
    tick = player.core.tick(player.now + 60)
    assert isinstance(tick, Tick)
    assert ("feed",) == tick.down


def test_two_sources_that_fall_silent_together_are_told_together() -> None:
    listening = Listening()
    words: list[Told] = []
    for minute in range(20):
        usual = {"one": {"a": 0.8}, "two": {"b": 0.8}}
        words.append(listening.step(60.0 * minute, ("one", "two"), usual))
    (said,) = [one for one in words if one.silent]
    assert ("one", "two") == said.silent
    assert ("one", "two") == listening.silent()


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from("abcde"), st.floats(0, 50), max_size=5),
            st.lists(st.sampled_from("abcde"), max_size=3),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_silence_is_told_once_and_its_end_once(
    steps: list[tuple[dict[str, float], list[str], bool]],
) -> None:
    listening, open_word = Listening(), False
    for number, (usual, heard, alive) in enumerate(steps):
        for brand in heard:
            listening.hear("feed", brand)
        said = listening.step(60.0 * number, ("feed",) if alive else (), {"feed": usual})
        if said.back:
            assert open_word
            open_word = False
        if said.silent:
            assert not open_word
            open_word = True
        copied = msgspec.msgpack.decode(msgspec.msgpack.encode(listening), type=Listening)
        assert listening == copied


def test_a_young_brand_does_not_speak_of_its_source() -> None:
    player = Country(Core(BRANDS, (), {"feed": 0.0}), start=T0)
    for _ in range(600):
        player.minute_of(BRANDS)
    for _ in range(120):
        player.minute_of(())
    effects: list[Effect] = player.effects
    assert [] == effects


def test_an_alert_says_when_another_channel_has_been_silent_for_too_long_to_be_believed() -> None:
    """The source lives, for it brings the forum; that the news have stopped is nobody's word but the detector's."""
    told = []
    for news_until in (2000, 1900):
        player = Player(Core((BRANDS[0],), (), {"feed": 0.0}))
        for number in range(2000):
            player.quiet(1, channel="forum")
            if number < news_until:
                made = sighting(10**6 + number, player.now + 1, channel="news")
                player.core.feed([made])
        player.storm(10, channel="forum")
        opened = [one.incident for one in player.effects if one.kind is EffectKind.OPENED]
        told.append([Caveat.SOURCE_GAP in one.caveats for one in opened if one])
    assert told == [[False], [True]]
