"""From a false-alarm budget to a threshold: theory first, then what the stream itself shows.

Theory holds only when its assumptions do, and on real series every nominal rate breaks. So the
threshold starts at ln(buckets in the budget) plus a surcharge, and then follows the largest score
of past six-hour blocks. The block maxima of a sequential statistic have a nearly exponential
tail, so the threshold is read off an exponential fitted to the largest of them: the empirical
conformal quantile needs more blocks than the budget has, the fit does not. Blocks with an open
incident are left out and one block can count for only so much, or one crisis would blind the
detector to the next.

A brand with little history borrows from others (``pool``): the level that brands of its rate class
have needed is one more voice, with a weight in blocks, that its own blocks come to outweigh.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from detectors.base import check_version

BLOCK_SECONDS = 6 * 3600
KEEP_BLOCKS = 480  # 120 days
KEEP_TOP = 24
FIRST_BLOCKS = 8  # two days in which nothing is settled
READY_BLOCKS = 28  # a week
THEORY_BLOCKS = 7.0  # weight of the theory against the fit, in blocks
TAIL_SCALE = 1.0  # nats; prior scale of the tail: that of a likelihood ratio
TAIL_WEIGHT = 3.0  # its weight, in block maxima
SURPRISE_LIMIT = 3.0  # a block counts at most for this much above the threshold
SAFETY = 0.8  # share of the budget that is spent by design
FLOOR = 6.0  # nats; no threshold lies below
CEILING = 30.0


class Tail(NamedTuple):
    """The large block maxima of one stream: an exponential fitted to them.

    Attributes:
        start: Nats from which it holds.
        scale: Nats in which it falls by a factor e.
        rarity: Share of blocks beyond ``start``.
        blocks: How many blocks it rests on.
    """

    start: float
    scale: float
    rarity: float
    blocks: int

    def level(self, budget_days: float) -> float:
        """The score that is exceeded once in a little more than the budget, in nats.

        >>> round(Tail(6.0, 1.0, 0.05, 112).level(30), 2), round(Tail(6.0, 1.0, 0.05, 112).level(300), 2)
        (8.01, 10.32)
        """
        per_budget = budget_days * 86400 / BLOCK_SECONDS
        return self.start + self.scale * math.log(max(1.0, self.rarity * per_budget / SAFETY))


class Prior(NamedTuple):
    """What streams like this one have needed: a level in nats, worth so many of its own blocks."""

    level: float
    blocks: float


NO_PRIOR = Prior(0.0, 0.0)


class BudgetThreshold:
    """The moving threshold of one score.

    >>> threshold = BudgetThreshold(60, budget_days=30, surcharge=3)
    >>> round(threshold.value, 2)
    13.67
    >>> for minute in range(28 * 1440):
    ...     threshold.observe(minute * 60, 2.0)
    >>> threshold.value < 8
    True
    """

    VERSION = 2
    __slots__ = (
        "block_end",
        "block_max",
        "blocks",
        "bucket_seconds",
        "budget_days",
        "excluded",
        "fitted_blocks",
        "prior",
        "scale",
        "tail_count",
        "tail_start",
        "theory",
        "top",
        "value",
    )

    def __init__(self, bucket_seconds: int, budget_days: float, surcharge: float = 0.0) -> None:
        if not budget_days > 0:
            raise ValueError(f"budget_days must be above 0, not {budget_days}")
        self.bucket_seconds = bucket_seconds
        self.budget_days = budget_days
        self.theory = math.log(budget_days * 86400 / bucket_seconds) + surcharge
        self.value = self.theory
        self.top: list[tuple[float, int]] = []  # largest block maxima and the block's end
        self.blocks = 0
        self.block_end = 0
        self.block_max = 0.0
        self.excluded = False
        self.scale = TAIL_SCALE
        self.tail_start = 0.0
        self.tail_count = 0
        self.fitted_blocks = 0  # how many the last fit rests on
        self.prior = NO_PRIOR

    def __deepcopy__(self, memo: dict[int, Any]) -> BudgetThreshold:
        twin = BudgetThreshold.__new__(BudgetThreshold)
        for name in BudgetThreshold.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.top = self.top[:]
        return twin

    def observe(self, start: int, score: float, *, exclude: bool = False) -> None:
        """Note the score of a bucket; ``exclude`` leaves its whole block out."""
        if start >= self.block_end:
            self._close(start)
        self.block_max = max(self.block_max, score)
        if exclude:
            self.excluded = True

    def _close(self, start: int) -> None:
        if self.block_end and not self.excluded:
            self.blocks += 1
            if self.blocks > FIRST_BLOCKS:
                self._record(min(self.block_max, self.value + SURPRISE_LIMIT))
        self.block_end = start - start % BLOCK_SECONDS + BLOCK_SECONDS
        self.block_max = 0.0
        self.excluded = False

    def _record(self, value: float) -> None:
        oldest = self.block_end - KEEP_BLOCKS * BLOCK_SECONDS
        self.top = [row for row in self.top if row[1] > oldest]
        self.top.append((value, self.block_end))
        self.top.sort(reverse=True)
        del self.top[KEEP_TOP:]
        blocks = min(KEEP_BLOCKS, self.blocks - FIRST_BLOCKS)
        if (blocks >= READY_BLOCKS and blocks % 4 == 0) or blocks == KEEP_BLOCKS:
            self._fit(blocks)

    def _fit(self, blocks: int) -> None:
        count = min(len(self.top) - 1, max(5, blocks // 8))
        self.tail_start = self.top[count][0]
        self.tail_count = count
        excess = sum(row[0] for row in self.top[:count]) - count * self.tail_start
        self.scale = (excess + TAIL_WEIGHT * TAIL_SCALE) / (count + TAIL_WEIGHT)
        self.fitted_blocks = blocks
        self._settle()

    @property
    def tail(self) -> Tail | None:
        """What the own blocks say; None in the first week."""
        if not self.fitted_blocks:
            return None
        rarity = self.tail_count / (self.fitted_blocks + 1)
        return Tail(self.tail_start, self.scale, rarity, self.fitted_blocks)

    def borrow(self, prior: Prior) -> None:
        """Take what other streams have needed into account, from now on until told otherwise.

        Raises:
            ValueError: Not finite, or a negative weight.
        """
        if not (math.isfinite(prior.level) and 0 <= prior.blocks < math.inf):
            raise ValueError(f"impossible prior: {prior.level} nats for {prior.blocks} blocks")
        self.prior = prior
        self._settle()

    def _settle(self) -> None:
        """The threshold: own fit, other streams and theory, each with the weight of its blocks."""
        weight, value = THEORY_BLOCKS, THEORY_BLOCKS * self.theory
        tail = self.tail
        if tail is not None:
            weight += tail.blocks
            value += tail.blocks * tail.level(self.budget_days)
        weight += self.prior.blocks
        value += self.prior.blocks * self.prior.level
        self.value = max(FLOOR, min(CEILING, value / weight))

    def chance_days(self, score: float) -> float | None:
        """By chance such a score comes about once in this many days; None when not known.

        Not known while there is less than a week of blocks, or for a score that is common.
        """
        blocks = min(KEEP_BLOCKS, self.blocks - FIRST_BLOCKS)
        if blocks < READY_BLOCKS or not self.tail_count or score <= self.tail_start:
            return None
        exponent = min(50.0, (score - self.tail_start) / self.scale)
        rarity = self.tail_count / (blocks + 1) * math.exp(-exponent)
        return BLOCK_SECONDS / 86400 / rarity

    def snapshot(self) -> dict[str, Any]:
        """The whole state as primitives."""
        state = {name: getattr(self, name) for name in BudgetThreshold.__slots__}
        state["top"] = [list(row) for row in self.top]
        state["prior"] = list(self.prior)
        return {"kind": "budget threshold", "version": self.VERSION, "state": list(state.values())}

    @classmethod
    def restore(cls, data: dict[str, Any]) -> BudgetThreshold:
        """A threshold in the state of a snapshot."""
        check_version(data, "budget threshold", cls.VERSION)
        threshold = cls.__new__(cls)
        for name, value in zip(BudgetThreshold.__slots__, data["state"], strict=True):
            setattr(threshold, name, value)
        threshold.top = [(float(value), int(end)) for value, end in threshold.top]
        threshold.prior = Prior(*threshold.prior)
        return threshold
