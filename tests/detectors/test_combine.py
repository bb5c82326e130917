"""BrandDetector: channels that come and go, one budget."""

from __future__ import annotations

import copy
import json
import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import BrandDetector, SnapshotVersionError
from tests.detectors.streams import MINUTE, MONDAY, binomial, poisson

Counts = dict[str, tuple[int, float, float]]
CHANNELS = ("forum", "news", "photos", "video", "microblog")
WARM = 8 * 1440
END = MONDAY + WARM * MINUTE


def background(rng: random.Random, rate: float = 1.0) -> Counts:
    counts: Counts = {}
    for name in CHANNELS:
        n = poisson(rng, rate)
        bad = binomial(rng, n, 0.2)
        counts[name] = (n, bad, binomial(rng, n - bad, 0.3))
    return counts


def make() -> BrandDetector:
    rng = random.Random(5)
    brand = BrandDetector(60, 30.0, "Europe/Rome")
    for i in range(WARM):
        brand.step(MONDAY + i * MINUTE, background(rng))
    return brand


WARMED = make()


def warmed() -> BrandDetector:
    return copy.deepcopy(WARMED)


def with_angry(counts: Counts, names: tuple[str, ...], extra: int) -> Counts:
    more = dict(counts)
    for name in names:
        n, bad, good = more[name]
        more[name] = (n + extra, bad + extra, good)
    return more


def delay(names: tuple[str, ...], extra: int, every: int = 1) -> int:
    brand, rng = warmed(), random.Random(9)
    for i in range(240):
        counts = background(rng)
        if i % every == 0:
            counts = with_angry(counts, names, extra)
        if brand.step(END + i * MINUTE, counts).alarm:
            return i
    return 240


def test_a_crisis_in_one_channel_is_found_and_the_channel_named() -> None:
    brand, rng = warmed(), random.Random(9)
    for i in range(60):
        reading = brand.step(END + i * MINUTE, with_angry(background(rng), ("forum",), 3))
    assert reading.alarm
    assert reading.leading == "forum"


def test_a_crisis_spread_thinly_over_five_channels_is_found() -> None:
    assert delay(CHANNELS, 1) < 15


def test_a_crisis_in_one_channel_is_found_about_as_fast_as_one_spread_out() -> None:
    assert delay(("news",), 5) < 15


def test_ordinary_days_raise_nothing() -> None:
    brand, rng = warmed(), random.Random(77)
    for i in range(3 * 1440):
        reading = brand.step(END + i * MINUTE, background(rng))
        assert not reading.alarm
        assert not reading.opportunity


def test_praise_and_anger_together_are_said_to_be_polarised() -> None:
    brand = warmed()
    for i in range(30):
        reading = brand.step(END + i * MINUTE, {"forum": (20, 10, 10)})
    assert reading.polarised
    assert reading.alarm


def test_anger_alone_is_not_polarised() -> None:
    brand = warmed()
    for i in range(30):
        reading = brand.step(END + i * MINUTE, {"forum": (20, 16, 1)})
    assert not reading.polarised


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(CHANNELS))
def test_the_order_of_the_channels_does_not_matter(order: list[str]) -> None:
    rng = random.Random(3)
    one, other = BrandDetector(), BrandDetector()
    for i in range(100):
        counts = background(rng)
        shuffled = {name: counts[name] for name in order}
        assert one.step(MONDAY + i * MINUTE, counts) == other.step(MONDAY + i * MINUTE, shuffled)


def test_more_channels_than_allowed_fold_into_one() -> None:
    brand = BrandDetector(max_channels=3)
    for i in range(10):
        brand.step(MONDAY + i * MINUTE, {f"c{k}": (1, 0, 0) for k in range(10)})
    assert {"c0", "c1", "other"} == set(brand.channels)
    assert brand.last.channels["other"].mentions == 8
    assert brand.last.pooled.mentions == 10


def test_a_thousand_invented_channels_do_not_grow_the_state() -> None:
    brand = BrandDetector()
    for i in range(1000):
        brand.step(MONDAY + i * MINUTE, {f"c{i}": (1, 0, 0)})
    assert len(brand.channels) == 12


def test_a_small_channel_that_is_down_does_not_blind_the_brand() -> None:
    brand, rng = warmed(), random.Random(9)
    reading = brand.last
    for i in range(60):
        counts = with_angry(background(rng), ("forum",), 4)
        reading = brand.step(END + i * MINUTE, counts, frozenset({"news"}))
    assert reading.alarm
    assert reading.channels["news"].missing
    assert not reading.pooled.missing


def test_counts_of_a_channel_that_is_down_are_ignored() -> None:
    brand, rng = warmed(), random.Random(9)
    counts = {**background(rng), "news": (500, 500, 0)}
    reading = brand.step(END, counts, frozenset({"news"}))
    assert not reading.alarm
    assert reading.pooled.mentions < 50
    assert reading.channels["news"].missing


def test_when_a_large_part_is_down_the_pooled_stream_is_held() -> None:
    brand, rng = warmed(), random.Random(9)
    down = frozenset({"news", "forum", "video"})
    before = brand.pooled.score
    for i in range(60):
        reading = brand.step(END + i * MINUTE, background(rng), down)
    assert reading.pooled.missing
    assert before == reading.pooled.score


def test_when_everything_is_down_nothing_moves_and_nothing_alarms() -> None:
    brand = warmed()
    before = brand.last
    for i in range(300):
        reading = brand.skip(END + i * MINUTE)
        assert not reading.alarm
    assert before.score == reading.score
    assert before.threshold == reading.threshold


def test_a_backlog_after_an_outage_is_no_news() -> None:
    brand = warmed()
    for i in range(180):
        brand.skip(END + i * MINUTE)
    back: Counts = dict.fromkeys(CHANNELS, (180, 36, 45))
    assert not brand.step(END + 180 * MINUTE, back).alarm


def test_hold_and_expect_reach_every_channel_also_new_ones() -> None:
    brand = warmed()
    brand.hold_learning(True)
    brand.expect(3.0, 0.2)
    brand.step(END, {"late": (3, 1, 1)})
    assert all(channel.held for channel in brand.channels.values())
    assert {3.0} == {channel.profile.multiplier for channel in brand.channels.values()}
    assert {0.2} == {channel.widening for channel in brand.channels.values()}


def test_the_counterfactual_lies_between_nothing_and_what_was_seen() -> None:
    brand = warmed()
    reading = brand.step(END, {"forum": (120, 100, 0), "news": (4, 3, 0)})
    assert reading.alarm
    least = brand.counterfactual_mentions()
    assert least is not None
    assert 21 < least < 124
    assert warmed().counterfactual_mentions() is None


def test_a_restart_is_invisible() -> None:
    rng = random.Random(31)
    brand = warmed()
    twin = BrandDetector.restore(json.loads(json.dumps(brand.snapshot())))
    for i in range(200):
        counts = background(rng)
        if i % 50 == 7:
            counts["surprise"] = (5, 5, 0)
        missing = frozenset({"video"}) if i % 30 < 5 else frozenset()
        start = END + i * MINUTE
        assert brand.step(start, counts, missing) == twin.step(start, counts, missing)


def test_a_snapshot_of_something_else_is_a_clear_error() -> None:
    with pytest.raises(SnapshotVersionError, match="this code restores brand version 1"):
        BrandDetector.restore(warmed().pooled.snapshot())


def test_impossible_counts_in_one_channel_change_nothing_in_the_others() -> None:
    brand = warmed()
    before = brand.snapshot()
    with pytest.raises(ValueError, match="impossible counts"):
        brand.step(END, {"forum": (3, 1, 1), "news": (1, 2, 0)})
    assert before == brand.snapshot()


def test_a_single_channel_is_watched_once_and_a_second_one_parts_them() -> None:
    """The pooled stream speaks for the only channel, through a restart, and then hands over what it knows."""
    brand, rng = BrandDetector(60, 30.0, "Europe/Rome"), random.Random(3)
    for i in range(2 * 1440):
        n = poisson(rng, 1.0)
        brand.advance(MONDAY + i * MINUTE, {"news": (n, binomial(rng, n, 0.2), 0)})
    assert brand.channels["news"] is brand.pooled
    assert brand.score == brand.pooled.score
    again = BrandDetector.restore(json.loads(json.dumps(brand.snapshot())))
    assert again.channels["news"] is again.pooled
    start = MONDAY + 2 * 1440 * MINUTE
    known = brand.pooled.negative.usual
    for one in (brand, again):
        one.advance(start, {"forum": (1, 1, 0)})
    assert again.snapshot() == brand.snapshot()
    assert brand.channels["news"] is not brand.pooled
    assert brand.channels["news"].negative.usual == pytest.approx(known, abs=0.001)
    assert set(brand.last.channels) == {"news", "forum"}


# ---------------------------------------------------------------- channels that differ in tone
def toned(rng: random.Random, *, news: bool = True) -> Counts:
    """A kind channel and a rough one."""
    kind, rough = poisson(rng, 3.0) if news else 0, poisson(rng, 1.0)
    return {
        "news": (kind, binomial(rng, kind, 0.08), 0),
        "forum": (rough, binomial(rng, rough, 0.55), 0),
    }


@cache
def brand_of_two_tones() -> BrandDetector:
    rng, brand = random.Random(1), BrandDetector()
    for i in range(9 * 1440):
        brand.advance(MONDAY + i * MINUTE, toned(rng))
    return brand


@pytest.mark.parametrize("seed", range(3))
def test_when_only_the_rough_channel_still_speaks_nobody_has_become_angrier(seed: int) -> None:
    """The kind channel's collector dies and nobody says so: the pooled share rises from .2 to .55."""
    brand, rng = copy.deepcopy(brand_of_two_tones()), random.Random(seed)
    start = MONDAY + 9 * 1440 * MINUTE
    for i in range(600):
        brand.advance(start + i * MINUTE, toned(rng, news=False))
        assert brand.score < brand.threshold


def test_when_both_channels_turn_it_is_found() -> None:
    brand, rng = copy.deepcopy(brand_of_two_tones()), random.Random(2)
    start = MONDAY + 9 * 1440 * MINUTE
    for i in range(40):
        n, m = poisson(rng, 3.0), poisson(rng, 1.0)
        brand.advance(
            start + i * MINUTE,
            {"news": (n, binomial(rng, n, 0.5), 0), "forum": (m, binomial(rng, m, 0.85), 0)},
        )
        if brand.score >= brand.threshold:
            break
    assert i < 30


@settings(max_examples=40, deadline=None)
@given(
    news=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    forum=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    added=st.tuples(st.integers(0, 20), st.integers(0, 20)),
)
def test_adding_negatives_to_any_channel_never_lowers_the_brands_score(
    news: tuple[int, int], forum: tuple[int, int], added: tuple[int, int]
) -> None:
    start = MONDAY + 9 * 1440 * MINUTE
    rows = {"news": news, "forum": forum}
    scores = []
    for more in ((0, 0), added):
        brand = copy.deepcopy(brand_of_two_tones())
        brand.advance(
            start,
            {
                name: (calm + bad + extra, bad + extra, 0)
                for (name, (calm, bad)), extra in zip(rows.items(), more, strict=True)
            },
        )
        scores.append(brand.score)
    assert scores[0] <= scores[1] + 1e-9
