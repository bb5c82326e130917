"""What holds for every input: order, restarts, more negatives, scale, time zones, and figures that are figures."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import BrandDetector, CrisisDetector
from detectors.calibration import Prior
from detectors.share import EVIDENCE_LIMIT
from tests.detectors.streams import DAY, MINUTE, MONDAY, binomial, poisson, quiet

Row = tuple[int, float, float, int]
CHANNELS = ("forum", "news", "video")
SHARES = {"forum": 0.5, "news": 0.1, "video": 0.2}
END = MONDAY + 8 * DAY


def said(rng: random.Random, rate: float = 1.0) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for name in CHANNELS:
        n = poisson(rng, rate)
        bad = binomial(rng, n, SHARES[name])
        rows[name] = (n, bad, binomial(rng, n - bad, 0.3), 0)
    return rows


@cache
def grown() -> BrandDetector:
    rng, brand = random.Random(5), BrandDetector()
    for i in range(8 * 1440):
        brand.advance(MONDAY + i * MINUTE, said(rng))
    return brand


@cache
def stream() -> CrisisDetector:
    detector = CrisisDetector(60, 30.0, "UTC")
    for bucket in quiet(8 * 1440, seed=11, rate=5.0):
        detector.step(bucket.start, bucket.mentions, bucket.negative, bucket.positive)
    return detector


def anything(seed: int, minutes: int) -> Iterator[tuple[str, Any]]:
    """What a brand may be told: minutes of any kind, gaps, idle runs, people and calendars."""
    rng, when = random.Random(seed), END
    for _ in range(minutes):
        when += MINUTE * (rng.randrange(2, 400) if rng.random() < 0.03 else 1)
        draw = rng.random()
        if draw < 0.04:
            yield "hold", rng.random() < 0.5
        elif draw < 0.06:
            yield "rearm", None
        elif draw < 0.10:
            yield "expect", rng.choice([(1.0, 0.0), (4.0, 0.5), (0.2, 0.3)])
        elif draw < 0.12:
            yield "prior", Prior(6 + 6 * rng.random(), 80 * rng.random())
        elif draw < 0.14:
            yield "rates", (0.6 + 0.4 * rng.random(), 0.2 * rng.random())
        if rng.random() < 0.2:
            yield "idle", when
            continue
        rows: dict[str, Row] = {}
        for name in (*CHANNELS, "surprise"):
            if rng.random() < 0.6:
                n = rng.choice([0, 1, 2, 5, rng.randrange(0, 4000)])
                unread = rng.randrange(0, n + 1) if rng.random() < 0.2 else 0
                bad = (n - unread) * rng.random()
                rows[name] = (n, bad, (n - unread - bad) * rng.random(), unread)
        missing = frozenset(name for name in CHANNELS if rng.random() < 0.05)
        yield "minute", (when, rows, missing)


def tell(brand: BrandDetector, kind: str, what: Any) -> None:
    match kind:
        case "minute":
            brand.advance(*what)
        case "idle":
            if not brand.pass_idle(what, 1):
                brand.advance(what, {})
        case "hold":
            brand.hold_learning(what)
        case "rearm":
            brand.rearm()
        case "expect":
            brand.expect(*what)
        case "prior":
            brand.threat_budget.borrow(what)
        case "rates":
            brand.read_with(what, what)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 150), tail=st.integers(1, 60))
def test_a_restart_of_a_brand_is_invisible_whatever_it_is_told(
    seed: int, cut: int, tail: int
) -> None:
    told = list(anything(seed, cut + tail))
    brand = copy.deepcopy(grown())
    for one in told[:cut]:
        tell(brand, *one)
    twin = BrandDetector.restore(json.loads(json.dumps(brand.snapshot())))
    for one in told[cut:]:
        tell(brand, *one)
        tell(twin, *one)
        assert twin.last == brand.last
    assert twin.snapshot() == brand.snapshot()


def figures(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for one in value.values():
            yield from figures(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from figures(one)
    elif isinstance(value, float):
        yield value


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_figure_of_a_brand_is_ever_infinite_or_not_a_number(seed: int) -> None:
    brand = copy.deepcopy(grown())
    for one in anything(seed, 120):
        tell(brand, *one)
        assert all(math.isfinite(figure) for figure in figures(brand.last))
    assert all(math.isfinite(figure) for figure in figures(brand.snapshot()))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), order=st.permutations(CHANNELS))
def test_the_order_in_which_channels_are_named_changes_nothing(seed: int, order: list[str]) -> None:
    """Also from the first mention on, when the channels are opened."""
    for start in (BrandDetector(), copy.deepcopy(grown())):
        one, other, rng = start, copy.deepcopy(start), random.Random(seed)
        for i in range(30):
            rows = said(rng, 2.0)
            one.advance(END + i * MINUTE, rows)
            other.advance(END + i * MINUTE, {name: rows[name] for name in order})
        assert one.last == other.last


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_brands_score_lies_between_those_of_its_streams(seed: int) -> None:
    """Dependent evidence is averaged: together they never say more than the one that says most."""
    brand, rng = copy.deepcopy(grown()), random.Random(seed)
    for i in range(20):
        brand.advance(END + i * MINUTE, said(rng, 2.0))
        scores = [one.score for one in (brand.pooled, *brand.channels.values())]
        assert min(scores) - 1e-9 <= brand.score <= max(scores) + 1e-9


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    added=st.lists(st.integers(0, 30), min_size=20, max_size=20),
    channel=st.sampled_from(CHANNELS),
)
def test_added_negatives_never_put_an_alarm_off_while_learning_is_held(
    seed: int, added: list[int], channel: str
) -> None:
    """Over many minutes: the same talk with more negatives in it alarms no later.

    While it learns this cannot hold without end: what has become usual is evidence no longer.
    """
    plain, worse = copy.deepcopy(grown()), copy.deepcopy(grown())
    plain.hold_learning(True)
    worse.hold_learning(True)
    rng = random.Random(seed)
    for i, more in enumerate(added):
        rows = said(rng, 1.5)
        angrier = dict(rows)
        n, bad, good, unread = rows[channel]
        angrier[channel] = (n + more, bad + more, good, unread)
        plain.advance(END + i * MINUTE, rows)
        worse.advance(END + i * MINUTE, angrier)
        if plain.score >= plain.threshold:
            assert worse.score >= worse.threshold
            break


@pytest.mark.parametrize("share", [0.4, 0.45])
def test_the_same_share_in_more_mentions_is_more_evidence_up_to_the_tempering(
    share: float,
) -> None:
    scores = []
    for mentions in (2, 5, 10, 20, 40):
        detector = copy.deepcopy(stream())
        detector.step(END, mentions, mentions * share, 0)
        scores.append(detector.negative.evidence)
    assert scores == sorted(scores)
    assert scores[0] < scores[-1]
    for mentions in (1000, 10_000, 100_000):
        detector = copy.deepcopy(stream())
        detector.step(END, mentions, mentions * share, 0)
        scores.append(detector.negative.evidence)
    assert max(scores) < EVIDENCE_LIMIT
    # Beyond it, more of the same minute says no more.
    assert scores[-3:] == pytest.approx([scores[-1]] * 3)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Asia/Kathmandu", "America/Phoenix"])
def test_a_brand_elsewhere_is_the_same_brand_at_the_same_time_of_its_own_day(zone: str) -> None:
    """Without daylight saving: the same counts by the local clock give the same scores."""
    here = CrisisDetector(60, 30.0, "UTC")
    offset = ZoneInfo(zone).utcoffset(datetime(2024, 1, 1))  # noqa: DTZ001 - the zone is being asked
    assert offset is not None
    there = CrisisDetector(60, 30.0, zone)
    shift = round(offset.total_seconds())
    whole = shift % 3600 == 0  # a zone of half hours has its hours cut elsewhere
    for bucket in quiet(4 * 1440, seed=2, rate=4.0):
        one = here.step(bucket.start, bucket.mentions, bucket.negative, bucket.positive)
        other = there.step(bucket.start - shift, bucket.mentions, bucket.negative, bucket.positive)
        assert other == pytest.approx(one, abs=1e-9 if whole else 4.0)


def test_the_profile_follows_the_wall_clock_over_a_change_of_the_clock() -> None:
    """Rome puts its clocks forward on 31 March 2024: the busy hour comes an hour earlier by UTC."""
    rome = ZoneInfo("Europe/Rome")
    start = int(datetime(2024, 3, 4, tzinfo=rome).timestamp())
    detector = CrisisDetector(60, 30.0, "Europe/Rome")
    for minute in range(27 * 1440):
        when = start + minute * MINUTE
        detector.step(when, 20 if datetime.fromtimestamp(when, rome).hour == 12 else 2, 0, 0)
    after = int(datetime(2024, 4, 1, tzinfo=rome).timestamp())
    expected = {
        hour: copy.deepcopy(detector).profile.expect(after + hour * 3600 + 1800)
        for hour in range(9, 16)
    }
    assert max(expected, key=expected.__getitem__) == 12
