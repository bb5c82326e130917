from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.detection.brands import CRISES, DAY, HORIZON, SITES, TEST, befall, simulate
from benchmarks.detection.oracle import Oracle, delays, information_delay, spacing, transition

NAMED = {crisis.name: crisis for crisis in CRISES}
BUDGET = 30 * DAY


def test_the_chain_is_a_chain_and_its_rest_is_binomial() -> None:
    step = transition(150.0)
    assert np.ones(SITES + 1) == pytest.approx(step.sum(axis=1))
    rest = np.array([math.comb(SITES, k) for k in range(SITES + 1)]) / 2**SITES
    assert rest == pytest.approx(rest @ step)
    states = np.arange(SITES + 1) - SITES / 2
    kept = (rest * states * (step @ states)).sum() / (rest * states * states).sum()
    assert math.exp(-1 / 150) == pytest.approx(kept)


@pytest.mark.parametrize("name", ["flash", "turn"])
def test_its_guarantee_holds_without_calibration(name: str) -> None:
    limit, minutes = 40.0, 240
    brands = [simulate(11, TEST, index, 5.0, 2) for index in range(24)]
    oracle = Oracle(brands, NAMED[name], [300] * len(brands), 4)
    first = np.full(len(brands), np.inf)
    for minute in range(minutes):
        counts = [tuple(int(part[300 + minute]) for part in brand.counts) for brand in brands]
        over = oracle.update(counts) >= limit + 4
        first[over & np.isinf(first)] = minute + 1
    mean = np.minimum(first, minutes).mean()  # cut off, so the truth is higher still
    assert limit <= mean
    assert np.isfinite(first).sum() > len(brands) / 3  # it does alarm, or nothing was shown


def test_it_finds_crises_and_stays_quiet_without_one() -> None:
    brands = [simulate(4, TEST, index, 10.0, 3) for index in range(6)]
    onsets, storm = [2000 + 100 * k for k in range(6)], NAMED["storm"]
    after = [befall(brand, storm, onset, 4) for brand, onset in zip(brands, onsets, strict=True)]
    calm = [
        brand.counts.between(onset, onset + HORIZON)
        for brand, onset in zip(brands, onsets, strict=True)
    ]
    found = delays(brands, onsets, after, storm, BUDGET)
    assert all(3 <= delay <= 90 for delay in found)
    assert [math.inf] * 6 == delays(brands, onsets, calm, storm, BUDGET)


def test_a_crisis_that_begins_within_an_alarm_is_not_counted() -> None:
    brand, flash = simulate(4, TEST, 0, 10.0, 3), NAMED["flash"]
    raging = befall(brand, flash, 2000, 4)
    for before, during in zip(brand.counts, raging, strict=True):
        before[2000 : 2000 + HORIZON] = during
    after = brand.counts.between(2040, 2040 + HORIZON)
    assert math.isnan(delays([brand], [2040], [after], flash, BUDGET)[0])


def test_a_larger_budget_is_never_slower() -> None:
    brands = [simulate(4, TEST, index, 1.0, 3) for index in range(6)]
    onsets, swell = [2000] * 6, NAMED["swell"]
    after = [befall(brand, swell, 2000, 4) for brand in brands]
    patient = delays(brands, onsets, after, swell, BUDGET)
    hasty = delays(brands, onsets, after, swell, BUDGET / 10)
    assert all(a <= b for a, b in zip(hasty, patient, strict=True) if not math.isnan(a))
    assert sum(hasty) < sum(patient)


def test_the_limit_falls_with_the_rate_and_rises_with_the_doubling_time() -> None:
    small, large = simulate(1, TEST, 0, 1.0, 1), simulate(1, TEST, 0, 100.0, 1)
    flash, storm = NAMED["flash"], NAMED["storm"]
    assert information_delay(large, storm, BUDGET) < information_delay(small, storm, BUDGET)
    assert information_delay(small, flash, BUDGET) < information_delay(small, storm, BUDGET)
    assert 1 <= spacing(large, flash, BUDGET) <= spacing(small, storm, BUDGET)
