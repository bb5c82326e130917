"""Streams of buckets for the tests of the detectors: seeded, made here, no numpy."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from detectors.base import Bucket

MINUTE = 60
DAY = 86400
MONDAY = 1704067200  # 2024-01-01 00:00 UTC


def poisson(rng: random.Random, mean: float) -> int:
    """A Poisson number; by its normal approximation above 50."""
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def binomial(rng: random.Random, n: int, p: float) -> int:
    return sum(rng.random() < p for _ in range(n))


def quiet(
    minutes: int,
    *,
    seed: int = 1,
    rate: float = 3.0,
    negative: float = 0.2,
    positive: float = 0.25,
    start: int = MONDAY,
) -> Iterator[Bucket]:
    """Background: a daily rhythm, a usual share of negative and positive mentions."""
    rng = random.Random(seed)
    for minute in range(minutes):
        when = start + minute * MINUTE
        rhythm = 1 + 0.5 * math.sin(2 * math.pi * (when % DAY) / DAY)
        mentions = poisson(rng, rate * rhythm)
        bad = binomial(rng, mentions, negative)
        good = binomial(rng, mentions - bad, positive / (1 - negative))
        yield Bucket(when, mentions, bad, good)
