from __future__ import annotations

import copy

import numpy as np
import pytest

from benchmarks.detection.brands import CRISES, DAY, TEST, Brand, befall, simulate
from benchmarks.detection.methods import METHODS, SILENT, Entry, RiverAdwin, SameHour
from benchmarks.detection.study import feed

LONG = 9 * DAY


@pytest.fixture(scope="module")
def brand() -> Brand:
    return simulate(8, TEST, 0, 10.0, 10)


def test_the_commercial_rule_by_hand() -> None:
    rule = SameHour("UTC", 30.0)
    hours = 0
    for day in range(7):
        for hour in range(24):  # mentions in the first hour of each day only
            usual = (4 if day % 2 else 2) if hour == 0 else 0
            for minute in range(60):
                score = rule.step(0, usual if minute < 10 else 0, 0, 0)
            hours += 1
    assert (168, (SILENT,)) == (hours, score)  # no week behind it yet
    scores = [rule.step(0, 1, 0, 0) for _ in range(60)]
    assert [(SILENT,)] * 59 == scores[:59]
    # Past seven days: 20, 40, 20, 40, 20, 40, 20; mean 28.57, variance 114.29; now 60.
    assert scores[59][0] == pytest.approx((60 - 200 / 7) / (800 / 7) ** 0.5)


@pytest.mark.parametrize("entry", METHODS, ids=lambda entry: entry.name)
def test_a_storm_stands_out_and_a_copy_says_the_same(entry: Entry, brand: Brand) -> None:
    method = entry.build(brand.timezone, 30.0)
    quiet = feed(method, brand, brand.counts.between(0, LONG), 0)
    assert LONG == len(quiet)
    twin = copy.deepcopy(method)
    storm = befall(brand, next(one for one in CRISES if one.name == "flash"), LONG, 8)
    scores = feed(method, brand, storm, LONG)
    assert np.array_equal(scores, feed(twin, brand, storm, LONG))
    looks = np.isfinite(quiet[:, 0]).sum() if not entry.ladder else None
    if entry.ladder:
        assert (scores >= 1.0).any(axis=0)[: quiet.shape[1] // 2].all()
    else:
        assert 0 < looks <= LONG / entry.every
        typical = np.quantile(quiet[np.isfinite(quiet[:, 0]), 0], 0.99)
        assert scores[:, 0].max() > typical


def test_adwin_says_nothing_when_the_share_falls() -> None:
    method = RiverAdwin("UTC", 30.0)
    fired = {"fall": 0, "rise": 0}
    for minute in range(8000):
        part = "rise" if minute >= 6000 else "fall"
        negative = 6 if minute < 3000 or minute >= 6000 else 1
        if 1.0 in method.step(60 * minute, 10, negative, 0):
            fired[part] += 1
    assert fired["fall"] == 0
    assert fired["rise"] > 0
