from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from benchmarks.detection.brands import (
    BEGIN,
    CALIBRATION,
    CRISES,
    HORIZON,
    SITES,
    TEST,
    Crisis,
    befall,
    flip_chance,
    simulate,
)

NAMED = {crisis.name: crisis for crisis in CRISES}


def minute_at(zone: str, *when: int) -> int:
    moment = datetime(2026, *when, tzinfo=ZoneInfo(zone))
    return int((moment - BEGIN).total_seconds() // 60)


def test_the_same_seed_gives_the_same_brand_and_crisis() -> None:
    one, two = simulate(5, TEST, 1, 10.0, 4), simulate(5, TEST, 1, 10.0, 4)
    assert all(np.array_equal(a, b) for a, b in zip(one.counts, two.counts, strict=True))
    storm = NAMED["storm"]
    first, second = befall(one, storm, 3000, 5), befall(two, storm, 3000, 5)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("other", [(6, TEST, 1), (5, CALIBRATION, 1), (5, TEST, 2)])
def test_another_seed_role_or_index_gives_another_brand(other: tuple[int, int, int]) -> None:
    one, two = simulate(5, TEST, 1, 10.0, 4), simulate(*other, 10.0, 4)
    assert not np.array_equal(one.counts.total, two.counts.total)


@pytest.mark.parametrize("rate", [0.1, 10.0, 1000.0])
def test_the_rate_and_the_classes_are_what_was_asked_for(rate: float) -> None:
    brands = [simulate(1, TEST, index, rate, 14) for index in range(6)]
    season = float(np.mean([brand.season.mean() for brand in brands]))
    assert rate == pytest.approx(season, rel=0.02)
    mean = float(np.mean([brand.counts.total.mean() for brand in brands]))
    assert rate < mean < 1.5 * rate  # bursts come on top
    for brand in brands:
        total, negative, positive = brand.counts
        assert (negative + positive <= total).all()
        assert 0.05 < negative.sum() / total.sum() < 0.4
        assert brand.counts.total.var() > 1.02 * brand.counts.total.mean()


def test_the_profile_follows_the_wall_clock_when_clocks_change() -> None:
    brand = simulate(3, TEST, 1, 10.0, 14)
    assert brand.timezone == "America/New_York"
    before = minute_at(brand.timezone, 3, 5, 14, 30)
    after = minute_at(brand.timezone, 3, 12, 14, 30)  # clocks changed on 8 March
    assert after - before == 7 * 1440 - 60
    assert brand.season[before] == pytest.approx(brand.season[after])
    assert brand.season[before] != pytest.approx(brand.season[before + 7 * 1440], rel=1e-3)


def test_a_wander_has_the_memory_and_spread_it_should() -> None:
    states = np.concatenate([simulate(1, TEST, k, 1.0, 28).level - SITES / 2 for k in range(8)])
    assert states.var() == pytest.approx(SITES / 4, rel=0.1)
    kept = np.mean(states[60:] * states[:-60]) / states.var()
    assert kept == pytest.approx((1 - 2 * flip_chance(150.0)) ** 60, abs=0.05)


def test_harmless_bursts_are_mostly_praise() -> None:
    bursts = [simulate(1, TEST, index, 10.0, 28).burst for index in range(6)]
    praise = sum(burst.positive.sum() for burst in bursts)
    assert praise > 2 * sum(burst.negative.sum() for burst in bursts) > 0


@pytest.mark.parametrize("crisis", CRISES, ids=lambda crisis: crisis.name)
def test_a_crisis_reaches_its_size_and_share(crisis: Crisis) -> None:
    brand, onset = simulate(2, TEST, 0, 100.0, 4), 3 * 1440
    counts = befall(brand, crisis, onset, 2)
    usual = brand.counts.between(onset - 60, onset)
    late = counts.between(HORIZON - 60, HORIZON)
    share = late.negative.sum() / late.total.sum()
    assert share > 1.3 * usual.negative.sum() / usual.total.sum()
    season = brand.season[onset + HORIZON - 60 : onset + HORIZON].sum()
    if crisis.excess:
        assert 0.6 * crisis.excess < late.total.sum() / season - 1 < 2 * crisis.excess + 1
        assert 0 < crisis.growth()[0] <= 0.1  # it starts small
        assert (np.diff(crisis.growth()) > -1e-12).all()
    else:
        assert share == pytest.approx(crisis.share, abs=0.06)
