"""What a brand with little history borrows from brands that are spoken of about as much.

The scores of quiet brands of one rate class have similar tails, and a brand's own tail is known only
after weeks. So once a day each brand is told the median of the levels that the *others* of its class
have needed under its budget, and what that is worth in blocks of its own. The median, because one
brand that burns, or is configured badly, must not deafen the others.

The weight follows from a random-effects model. A level fitted to n own blocks has a variance of
s^2 / n, levels differ between brands with a variance of t^2, so the median of k others that rest on N
blocks predicts a further brand with a variance of about t^2 (1 + 1/k) + s^2 / N, which is worth
1 / ((1 + 1/k) t^2/s^2 + 1/N) blocks.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Hashable

from detectors.calibration import NO_PRIOR, Prior, Tail

LEAST_CLASS, MOST_CLASS = -3, 3
ALIKE_BLOCKS = 60.0  # s^2 / t^2: own blocks that say as much as perfect knowledge of the class
NO_RATE = 1e-9


def rate_class(mentions_per_minute: float) -> int:
    """Streams within a factor of about three of a power of ten are alike.

    >>> [rate_class(rate) for rate in (0.0, 0.1, 0.5, 2.0, 40.0, 1e6)]
    [-3, -1, 0, 0, 2, 3]
    """
    power = math.log10(max(NO_RATE, mentions_per_minute))
    return max(LEAST_CLASS, min(MOST_CLASS, round(power)))


class ThresholdPool:
    """Tails of many brands, by rate class; made afresh for each day.

    >>> pool = ThresholdPool()
    >>> for number in range(9):
    ...     pool.add(f"brand {number}", 0, Tail(5.0 + number / 10, 1.0, 0.1, 200))
    >>> prior = pool.prior("a new brand", 0, 30.0)
    >>> round(prior.level, 2), round(prior.blocks)
    (8.11, 52)
    >>> pool.prior("a new brand", 2, 30.0).blocks
    0.0
    """

    def __init__(self) -> None:
        self._classes: dict[int, dict[Hashable, Tail]] = {}
        self._blocks: dict[int, int] = {}
        self._levels: dict[tuple[int, float], list[float]] = {}  # sorted; made when first asked for

    def add(self, name: Hashable, rate_class: int, tail: Tail | None) -> None:
        """Take a brand's tail in, if it has one; each brand once."""
        if tail is not None:
            self._classes.setdefault(rate_class, {})[name] = tail
            self._blocks[rate_class] = self._blocks.get(rate_class, 0) + tail.blocks
            self._levels.clear()

    def prior(self, name: Hashable, rate_class: int, budget_days: float) -> Prior:
        """What the others of a class say to this brand; of no weight where there are none."""
        tails = self._classes.get(rate_class, {})
        own = tails.get(name)
        others = len(tails) - (own is not None)
        if not others:
            return NO_PRIOR
        levels = self._levels.get((rate_class, budget_days))
        if levels is None:
            levels = sorted(tail.level(budget_days) for tail in tails.values())
            self._levels[rate_class, budget_days] = levels
        skip = len(levels) if own is None else bisect_left(levels, own.level(budget_days))
        low, high = ((others - 1) // 2, others // 2)  # the middle of those without the own one
        level = (levels[low + (low >= skip)] + levels[high + (high >= skip)]) / 2
        blocks = self._blocks[rate_class] - (own.blocks if own else 0)
        return Prior(level, 1 / ((1 + 1 / others) / ALIKE_BLOCKS + 1 / blocks))
