"""ShareDetector: the null, the margins and the tempering."""

from __future__ import annotations

import copy
import math
import random
from itertools import pairwise

import pytest

from detectors.base import Bucket
from detectors.share import (
    BETS,
    EVIDENCE_LIMIT,
    MARGIN_LEAST,
    MARGIN_MOST,
    MARGIN_PRIOR,
    ShareDetector,
    Wander,
)
from tests.detectors.streams import MINUTE, binomial, poisson


def taught(rate: float, share: float, days: float = 4, seed: int = 1) -> ShareDetector:
    rng, detector = random.Random(seed), ShareDetector(60, 30)
    for i in range(int(days * 1440)):
        n = poisson(rng, rate)
        detector.observe(Bucket(i * MINUTE, n, binomial(rng, n, share)))
    return detector


def test_the_usual_share_is_learnt() -> None:
    assert taught(3, 0.3).usual == pytest.approx(0.3, abs=0.03)


def test_without_history_the_usual_share_is_the_prior() -> None:
    assert ShareDetector(prior=(3, 7)).usual == pytest.approx(0.3)


def test_a_share_at_the_boundary_gives_an_average_of_evidence_that_does_not_grow() -> None:
    """Shiryaev-Roberts at the boundary is a martingale minus time: mean R stays at most n."""
    rng, total, runs, minutes = random.Random(4), 0.0, 400, 100
    base = taught(3, 0.2)
    boundary = max(base.boundaries())
    for _ in range(runs):
        detector = copy.deepcopy(base)
        detector.clear()
        for i in range(minutes):
            n = poisson(rng, 1)
            detector.update(10**7 + i * MINUTE, n, binomial(rng, n, boundary), 3.0, learn=False)
        total += min(math.exp(detector.evidence), 20 * minutes)
    assert total / runs <= 1.5 * minutes


def test_a_stream_without_a_usual_wander_gets_the_least_margin() -> None:
    assert taught(60, 0.2, days=6).wander.margin == pytest.approx(MARGIN_LEAST, abs=0.005)


def test_a_share_that_strays_by_the_hour_widens_its_margin_within_bounds() -> None:
    rng, detector = random.Random(2), ShareDetector(60, 30)
    for i in range(8 * 1440):
        share = 0.5 if (i // 180) % 2 else 0.1
        detector.observe(Bucket(i * MINUTE, 30, binomial(rng, 30, share)))
    assert MARGIN_PRIOR < detector.wander.margin <= MARGIN_MOST


def test_waves_of_praise_do_not_make_it_tolerate_anger() -> None:
    rng, detector = random.Random(2), ShareDetector(60, 30)
    for i in range(8 * 1440):
        share = 0.02 if i % 1440 < 60 else 0.2
        detector.observe(Bucket(i * MINUTE, 30, binomial(rng, 30, share)))
    assert detector.wander.margin < 0.06


def test_the_end_of_a_wave_of_praise_is_no_rise() -> None:
    detector = taught(50, 0.2, days=6)
    rng = random.Random(3)
    for i in range(240):
        share = 0.03 if i < 120 else 0.2
        start = 10**7 + i * MINUTE
        assert not detector.observe(Bucket(start, 50, binomial(rng, 50, share))).alarm
        assert detector.recent() >= detector.usual


def test_a_few_mentions_leave_the_prior_margin() -> None:
    wander = Wander(3600, 21600)
    for hour in range(24):
        wander.learn(hour * 21600, 16, 2, 0.2)
    assert wander.margin == pytest.approx(MARGIN_PRIOR, abs=0.03)


def test_a_viral_post_widens_the_boundary_and_a_crisis_hardly_does() -> None:
    viral, crisis = taught(5, 0.2), taught(5, 0.2)
    before = viral.boundaries()[0]
    for i in range(15):
        viral.update(10**7 + i * MINUTE, 100, 20, 5.0, learn=False)
        crisis.update(10**7 + i * MINUTE, 100, 97, 5.0, learn=False)
    assert viral.boundaries()[0] > before + 0.07
    assert crisis.boundaries()[0] < before + 0.03


def test_repeats_within_a_minute_lower_the_number_of_mentions_that_count() -> None:
    rng, independent, repeating = random.Random(5), ShareDetector(), ShareDetector()
    for i in range(3000):
        independent.observe(Bucket(i * MINUTE, 100, binomial(rng, 100, 0.2)))
        repeating.observe(Bucket(i * MINUTE, 100, 20 * binomial(rng, 5, 0.2)))
    assert independent.temper > 200
    assert repeating.temper < 45


def test_evidence_is_limited_so_that_it_can_be_forgotten() -> None:
    detector = taught(5, 0.2)
    for i in range(600):
        detector.update(10**7 + i * MINUTE, 500, 450, 5.0, learn=False)
    assert detector.evidence <= EVIDENCE_LIMIT
    for i in range(600, 1200):
        detector.update(10**7 + i * MINUTE, 20, 2, 5.0, learn=False)
    assert detector.evidence < detector.threshold


def test_larger_rises_are_found_sooner() -> None:
    delays = []
    for share in (0.45, 0.6, 0.9):
        rng, detector, minute = random.Random(6), taught(2, 0.2), 0
        while not detector.observe(
            Bucket(10**7 + minute * MINUTE, 4, binomial(rng, 4, share))
        ).alarm:
            minute += 1
        delays.append(minute)
    assert all(later > sooner for later, sooner in pairwise(delays))


def test_what_if_agrees_with_what_was() -> None:
    detector = taught(5, 0.2)
    evidence = detector.update(10**7, 30, 22, 5.0, learn=False)
    assert detector.evidence_if(1.0) == pytest.approx(evidence)
    assert detector.evidence_if(0.1) < evidence


def test_the_positive_share_is_the_same_statistic_on_the_other_count() -> None:
    negative, positive = ShareDetector(), ShareDetector(direction="positive")
    rng = random.Random(7)
    for i in range(500):
        n = poisson(rng, 4)
        k = binomial(rng, n, 0.3)
        one = negative.observe(Bucket(i * MINUTE, n, k, 0))
        assert one == positive.observe(Bucket(i * MINUTE, n, 0, k))


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(ValueError, match="negative or positive"):
        ShareDetector(direction="sideways")


def test_bets_lie_inside() -> None:
    assert all(0 < bet < 1 for bet in BETS)
