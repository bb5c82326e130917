"""A classifier that errs: the guarantee holds, and knowing its rates never makes detection slower."""

from __future__ import annotations

import copy
import json
import math
import random
from statistics import fmean

import pytest

from detectors import BrandDetector
from detectors.share import PERFECT, Rates, ShareDetector
from tests.detectors.streams import MINUTE, MONDAY, binomial, poisson

POOR: Rates = (0.55, 0.10)


def looks(share: float, rates: Rates) -> float:
    """The share of hits that a classifier with these rates shows."""
    return rates[1] + share * (rates[0] - rates[1])


def taught(rates: Rates, known: Rates, *, share: float = 0.2, rate: float = 1.0) -> ShareDetector:
    rng, detector = random.Random(1), ShareDetector()
    detector.read_with(known)
    for i in range(8 * 1440):
        n = poisson(rng, rate)
        detector.update(i * MINUTE, n, binomial(rng, n, looks(share, rates)), rate)
    return detector


def delays(detector: ShareDetector, rates: Rates, share: float, runs: int) -> list[int]:
    """Minutes until the theoretical threshold, for a share that jumps."""
    found = []
    for seed in range(runs):
        one, rng = copy.deepcopy(detector), random.Random(seed)
        for minute in range(1000):
            n = poisson(rng, 4.0)
            hits = binomial(rng, n, looks(share, rates))
            if one.update(10**7 + minute * MINUTE, n, hits, 4.0) >= one.threshold:
                break
        found.append(minute)
    return found


@pytest.mark.parametrize("rates", [(0.9, 0.05), (0.7, 0.15), POOR])
def test_at_the_boundary_the_mean_statistic_does_not_outgrow_time(rates: Rates) -> None:
    """The guarantee, given the rates: without a rise of the true share beyond the boundary, mean R is at most n."""
    rng, total, runs, minutes = random.Random(4), 0.0, 400, 100
    base = taught(rates, rates)
    boundary = max(base.boundaries())
    for _ in range(runs):
        detector = copy.deepcopy(base)
        detector.clear()
        for i in range(minutes):
            n = poisson(rng, 1)
            detector.update(10**7 + i * MINUTE, n, binomial(rng, n, boundary), 3.0, learn=False)
        total += min(math.exp(detector.evidence), 20 * minutes)
    assert total / runs <= 1.5 * minutes


def test_ordinary_weeks_seen_through_a_poor_classifier_raise_nothing() -> None:
    rng, detector = random.Random(6), taught(POOR, POOR)
    highest = 0.0
    for i in range(10 * 1440):
        n = poisson(rng, 1.0)
        highest = max(
            highest, detector.update(10**7 + i * MINUTE, n, binomial(rng, n, looks(0.2, POOR)), 1.0)
        )
    assert highest < detector.threshold


def test_knowing_a_poor_classifiers_rates_finds_a_moderate_rise_sooner() -> None:
    unknown = fmean(delays(taught(POOR, PERFECT, rate=4.0), POOR, 0.5, 40))
    known = fmean(delays(taught(POOR, POOR, rate=4.0), POOR, 0.5, 40))
    assert known < 0.95 * unknown


def test_knowing_them_does_not_slow_down_a_large_rise() -> None:
    unknown = fmean(delays(taught(POOR, PERFECT, rate=4.0), POOR, 0.9, 40))
    known = fmean(delays(taught(POOR, POOR, rate=4.0), POOR, 0.9, 40))
    assert known < 1.1 * unknown


def test_rates_that_do_not_fit_what_is_seen_break_nothing() -> None:
    """More hits than the sensitivity allows: bets stay below one, scores finite."""
    detector = taught(PERFECT, (0.3, 0.05), share=0.6)
    evidence = detector.update(10**7, 50, 48, 1.0)
    assert math.isfinite(evidence)
    assert evidence > 5


def test_rates_reach_every_channel_also_new_ones_and_survive_a_restart() -> None:
    brand = BrandDetector()
    brand.advance(MONDAY, {"news": (1, 0, 0)})
    brand.read_with((0.8, 0.1), (0.7, 0.05))
    brand.advance(MONDAY + MINUTE, {"forum": (2, 1, 0)})
    twin = BrandDetector.restore(json.loads(json.dumps(brand.snapshot())))
    for one in (brand, twin):
        assert {part.negative.rates for part in one.channels.values()} == {(0.8, 0.1)}
        assert {part.positive.rates for part in one.channels.values()} == {(0.7, 0.05)}
    assert twin.snapshot() == brand.snapshot()


@pytest.mark.parametrize("rates", [(0.5, 0.5), (1.1, 0.0), (0.7, -0.1), (math.nan, 0.1)])
def test_rates_of_a_classifier_that_tells_nothing_are_refused(rates: Rates) -> None:
    detector = ShareDetector()
    with pytest.raises(ValueError, match="impossible rates"):
        detector.read_with(rates)
    assert detector.rates == PERFECT
