"""Mentions of unknown sentiment (another language, a link alone): in the volume, and in no share."""

from __future__ import annotations

import random

import pytest

from detectors import BrandDetector, CrisisDetector
from tests.detectors.streams import MINUTE, MONDAY, binomial, poisson

DAY = 1440


def days(number: int, unread_rate: float) -> tuple[CrisisDetector, CrisisDetector]:
    """The same readable posts for two detectors; the second one is told of unreadable ones as well."""
    rng = random.Random(3)
    alone, beside = CrisisDetector(), CrisisDetector()
    for minute in range(number * DAY):
        mentions = poisson(rng, 2.0)
        bad = binomial(rng, mentions, 0.2)
        good = binomial(rng, mentions - bad, 0.3)
        unread = poisson(rng, unread_rate)
        start = MONDAY + minute * MINUTE
        alone.step(start, mentions, bad, good)
        beside.step(start, mentions + unread, bad, good, unread)
    return alone, beside


def test_they_do_not_lower_what_is_usual() -> None:
    alone, beside = days(4, 4.0)

    assert alone.negative.usual == pytest.approx(beside.negative.usual, abs=1e-3)
    assert alone.positive.usual == pytest.approx(beside.positive.usual, abs=1e-3)
    assert beside.read_share == pytest.approx(1 / 3, abs=0.05)
    assert alone.read_share == 1.0


def test_a_crisis_among_the_readable_ones_is_found_as_fast() -> None:
    alone, beside = days(4, 4.0)
    found = {}
    for name, detector, unread in (("alone", alone, 0), ("beside", beside, 4)):
        for minute in range(60):
            start = MONDAY + (4 * DAY + minute) * MINUTE
            detector.step(start, 5 + unread, 3, 1, unread)
            if detector.score >= detector.threshold:
                found[name] = minute
                break

    assert abs(found["alone"] - found["beside"]) <= 1


def test_a_flood_of_them_is_volume_and_no_share() -> None:
    _, beside = days(4, 0.2)
    before = beside.negative.evidence
    for minute in range(30):
        start = MONDAY + (4 * DAY + minute) * MINUTE
        beside.step(start, 42, 0, 1, 40)

    assert beside.volume.evidence > 1.0
    assert beside.negative.evidence <= before + 0.1
    assert beside.score < beside.threshold


def test_a_brand_adds_them_up_over_channels_and_restores_them() -> None:
    brand = BrandDetector(max_channels=2)
    for minute in range(20):
        counts = {"forum": (3, 1, 0), "news": (4, 0, 0, 4), "radio": (2, 1, 0, 1)}
        brand.step(MONDAY + minute * MINUTE, counts)
    again = BrandDetector.restore(brand.snapshot())

    assert (9, 2, 0) == brand.pooled.counts
    assert 5 == brand.pooled.unread == again.pooled.unread
    assert brand.pooled.read_share == again.pooled.read_share < 0.5


@pytest.mark.parametrize("row", [(3, 2, 1, 1), (3, 0, 0, 4), (3, 0, 0, -1)])
def test_more_opinions_than_readable_posts_are_refused(row: tuple[int, int, int, int]) -> None:
    brand = BrandDetector()
    with pytest.raises(ValueError, match="impossible counts"):
        brand.step(MONDAY, {"forum": row})
    with pytest.raises(ValueError, match="impossible counts"):
        CrisisDetector().step(MONDAY, *row)


def test_the_counterfactual_takes_readable_posts_away() -> None:
    _, beside = days(8, 4.0)
    start = MONDAY + 8 * DAY * MINUTE
    beside.step(start, 44, 38, 0, 4)
    needed = beside.counterfactual_mentions()

    assert beside.score >= beside.threshold
    assert needed is not None
    assert 6 < needed < 44
