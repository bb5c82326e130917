"""What is counted: alarms, thresholds at a budget, false alarms with their interval, delays. No detector and no simulator here.

An alarm is followed by six hours in which nothing counts as another one: one episode.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.detection.brands import DAY, HORIZON, Floats

EPISODE = 360  # minutes
NEVER = 2 * HORIZON  # what a median that is never reached counts as, in ratios


def episodes(scores: Floats, threshold: float) -> int:
    """Alarms (scores of at least the threshold) with at most one in six hours."""
    count, last = 0, -EPISODE
    for minute in np.flatnonzero(scores >= threshold).tolist():
        if minute - last >= EPISODE:
            count, last = count + 1, minute
    return count


def calibrate(quiet: Sequence[Floats], budget_days: float) -> float:
    """The lowest threshold at which quiet streams spend no more than one alarm in ``budget_days``; infinite if there is none.

    There is none for a score that saturates: its highest value comes in too many episodes, and nothing lies above it.

    >>> calibrate([np.array([0.0] * 1440 + [3.0] + [0.0] * 1440 + [2.0])], 1.0)
    2.0
    """
    allowed = sum(len(scores) for scores in quiet) / DAY / budget_days
    values = np.concatenate(quiet)
    values = np.unique(values[np.isfinite(values)])

    def too_many(threshold: float) -> bool:
        return sum(episodes(scores, threshold) for scores in quiet) > allowed

    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if too_many(values[middle]):
            low = middle + 1
        else:
            high = middle
    if low < len(values):
        return float(values[low])
    lone = sum(episodes(scores, values[-1]) for scores in quiet) == 1
    return float(np.nextafter(values[-1], np.inf)) if lone else math.inf


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval (Garwood 1936) for the mean of a Poisson variable that was seen once.

    >>> [round(edge, 2) for edge in poisson_interval(10)]
    [4.8, 18.39]
    """
    tail = (1 - level) / 2

    def below(mean: float, upto: int) -> float:
        term = total = math.exp(-mean)
        for k in range(1, upto + 1):
            term *= mean / k
            total += term
        return total

    def solve(upto: int, goal: float) -> float:
        low, high = 0.0, 10.0 + 3 * count
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if below(middle, upto) > goal else (low, middle)
        return low

    return (solve(count - 1, 1 - tail) if count else 0.0), solve(count, tail)


def false_alarms(quiet: Sequence[Floats], threshold: float) -> dict[str, float]:
    """False alarms a brand and 30 days, with a 95 % interval that takes alarms for independent."""
    count = sum(episodes(scores, threshold) for scores in quiet)
    months = sum(len(scores) for scores in quiet) / (30 * DAY)
    low, high = poisson_interval(count)
    return {"count": count, "rate": count / months, "low": low / months, "high": high / months}


def delay(before: float, after: Floats, threshold: float) -> float:
    """Minutes from the onset to the end of the first minute at the threshold; infinite: never, NaN: it was above already."""
    if before >= threshold:
        return math.nan
    over = np.flatnonzero(after >= threshold)
    return float(over[0] + 1) if len(over) else math.inf


def median_delay(delays: Sequence[float]) -> float:
    """The median over crises that did not begin inside an alarm, "never" being the longest; NaN without any."""
    known = sorted(value for value in delays if not math.isnan(value))
    return known[(len(known) - 1) // 2] if known else math.nan


def ratio(own: float, best: float) -> float:
    """Median delay / the oracle's; "never" counts as twice the horizon; NaN where the oracle too is mostly blind."""
    if math.isnan(own) or not math.isfinite(best):
        return math.nan
    return min(own, float(NEVER)) / best


def middle(values: Sequence[float]) -> float:
    """Median of the values that are numbers; NaN without any.

    >>> middle([1.0, math.nan, 4.0])
    2.5
    """
    known = [value for value in values if not math.isnan(value)]
    return float(np.median(known)) if known else math.nan
