from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.detection.measure import (
    calibrate,
    delay,
    episodes,
    false_alarms,
    median_delay,
    poisson_interval,
    ratio,
)


def quiet(days: int, peaks: dict[int, float]) -> np.ndarray:
    scores = np.zeros(days * 1440)
    for minute, value in peaks.items():
        scores[minute] = value
    return scores


def test_alarms_within_six_hours_are_one() -> None:
    scores = quiet(1, {0: 5, 359: 5, 360: 5, 900: 4})
    assert (2, 3, 0) == (episodes(scores, 5), episodes(scores, 4), episodes(scores, 6))


def test_calibration_spends_the_budget_and_no_more() -> None:
    streams = [quiet(10, {1000: 9, 3000: 7, 9000: 5}), quiet(10, {500: 8, 7000: 6})]
    assert 8.0 == calibrate(streams, 10.0)  # 20 days, two alarms
    assert 5.0 == calibrate(streams, 4.0)
    assert 9.0 < calibrate(streams, 100.0) < 9.0001  # not one alarm: just above all


def test_a_score_that_saturates_cannot_be_calibrated() -> None:
    assert math.inf == calibrate([quiet(10, dict.fromkeys(range(0, 14000, 1000), 1.0))], 10.0)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (4, 1.0899, 10.2416), (20, 12.2165, 30.8884)],
)
def test_intervals_are_those_of_the_tables(count: int, low: float, high: float) -> None:
    assert poisson_interval(count) == pytest.approx((low, high), abs=2e-4)


def test_false_alarms_are_a_brand_and_thirty_days() -> None:
    found = false_alarms([quiet(30, {100: 9}), quiet(30, {100: 9, 5000: 9})], 9)
    assert (3, 1.5) == (found["count"], found["rate"])
    assert found["low"] < 1.5 < found["high"]


def test_delay_counts_closed_minutes() -> None:
    after = np.array([0.0, 0.0, 7.0])
    assert 3.0 == delay(0.0, after, 7.0)
    assert math.inf == delay(0.0, after, 8.0)
    assert math.isnan(delay(7.0, after, 7.0))  # was alarming before


def test_medians_and_ratios_take_never_for_long() -> None:
    assert 5.0 == median_delay([math.nan, 3.0, 5.0, math.inf])
    assert math.inf == median_delay([3.0, math.inf, math.inf])
    assert math.isnan(median_delay([math.nan]))
    assert (2.0, 72.0) == (ratio(20.0, 10.0), ratio(math.inf, 10.0))
    assert math.isnan(ratio(20.0, math.inf))
