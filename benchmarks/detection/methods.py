"""What is compared: Sentinel's detector, the rule of commercial suites, and river's own detectors. No thresholds are chosen here.

Each gets the same closed minutes in order and says a score, or ``-inf`` in a minute in which it does not look. A method may be run at its own
setting (what its documentation gives) or at a threshold calibrated to the budget. Detectors of river that answer yes or no are run as a
ladder of settings side by side, so that calibration can choose a rung with their public interface only.

river gets what a careful user would feed it: five-minute buckets, counts stabilised by Anscombe's square root, set against the mean of
the same local hour of day, one-sided. ADWIN gets the
negative share. One input and one set of settings each; none was tuned.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from river import anomaly, drift, stats

from detectors.crisis import CrisisDetector

SILENT = -math.inf
BIN = 5  # minutes in which river's detectors look
WEEK_OF_BINS = 7 * 288
TAUGHT = 4.0  # standard deviations that a value may teach the mean of its hour at most


class Method(Protocol):
    """Something that scores closed minutes."""

    def step(self, start: int, total: int, negative: int, positive: int) -> tuple[float, ...]:
        """Scores of the minute that began at ``start`` (epoch seconds), one a rung; learns from it."""
        ...


class Sentinel:
    """``detectors.crisis.CrisisDetector`` with nothing set but the budget. Rungs: score, score minus its own threshold."""

    def __init__(self, timezone: str, budget_days: float) -> None:
        self._detector = CrisisDetector(60, budget_days, timezone)

    def step(self, start: int, total: int, negative: int, positive: int) -> tuple[float, ...]:
        score = self._detector.step(start, total, negative, positive)
        return score, score - self._detector.threshold


class SameHour:
    """An hour against the same hour of the past seven days, looked at once an hour: mean and standard deviations.

    Mentions and negatives are both looked at and the larger score counts. The deviation is at least the square root of the mean, and one.
    """

    def __init__(self, timezone: str, budget_days: float) -> None:
        del timezone, budget_days  # a rule of whole hours and days needs neither
        self._hours: deque[tuple[int, int]] = deque(maxlen=168)
        self._sum = (0, 0)
        self._minutes = 0

    def step(self, start: int, total: int, negative: int, positive: int) -> tuple[float, ...]:
        del start, positive
        self._sum = (self._sum[0] + total, self._sum[1] + negative)
        self._minutes += 1
        if self._minutes % 60:
            return (SILENT,)
        now, self._sum = self._sum, (0, 0)
        past = list(self._hours)[::24] if len(self._hours) == 168 else []
        self._hours.append(now)
        if not past:
            return (SILENT,)
        return (max(self._z(now[k], [hour[k] for hour in past]) for k in (0, 1)),)

    @staticmethod
    def _z(value: int, past: list[int]) -> float:
        mean = sum(past) / len(past)
        variance = sum((one - mean) ** 2 for one in past) / (len(past) - 1)
        return (value - mean) / math.sqrt(max(variance, mean, 1.0))


class Surplus:
    """Counts of five minutes as standardised surplus over the usual of their local hour: the input of river's detectors."""

    def __init__(self) -> None:
        self._usual = [stats.EWMean(1 / (7 * 12)) for _ in range(24)]  # a week of bins in each hour
        self._spread = stats.EWMean(1 / WEEK_OF_BINS)
        self._seen = 0

    def update(self, hour: int, count: int) -> float:
        root = 2 * math.sqrt(count + 0.375)
        usual = self._usual[hour].get() if self._seen >= 288 else root
        residual = root - usual
        spread = math.sqrt(max(self._spread.get(), 0.05)) if self._seen else 1.0
        taught = max(-TAUGHT * spread, min(TAUGHT * spread, residual))
        self._usual[hour].update(usual + taught)
        self._spread.update(taught * taught)
        self._seen += 1
        return residual / spread


class Binned:
    """Collects five minutes for a detector of river; ``_look`` scores a bin."""

    rungs = 1

    def __init__(self, timezone: str, budget_days: float) -> None:
        del budget_days  # river's detectors have no budget
        self._zone = ZoneInfo(timezone)
        self._bin = [0, 0, 0]
        self._minutes = 0
        self._negatives, self._totals = Surplus(), Surplus()
        self._quiet = (SILENT,) * self.rungs

    def step(self, start: int, total: int, negative: int, positive: int) -> tuple[float, ...]:
        for k, count in enumerate((total, negative, positive)):
            self._bin[k] += count
        self._minutes += 1
        if self._minutes % BIN:
            return self._quiet
        counts, self._bin = self._bin, [0, 0, 0]
        hour = datetime.fromtimestamp(start, self._zone).hour
        return self._look(counts[0], counts[1], hour)

    def _look(self, total: int, negative: int, hour: int) -> tuple[float, ...]:
        raise NotImplementedError


class RiverPageHinkley(Binned):
    """Page-Hinkley test on the surplus of negatives, upward; rungs are thresholds, the default of 50 among them."""

    thresholds = (5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0, 250.0, 500.0, 1000.0)
    rungs = len(thresholds)

    def __init__(self, timezone: str, budget_days: float) -> None:
        super().__init__(timezone, budget_days)
        self._tests = [drift.PageHinkley(threshold=value, mode="up") for value in self.thresholds]

    def _look(self, total: int, negative: int, hour: int) -> tuple[float, ...]:
        del total
        return _fired(self._tests, self._negatives.update(hour, negative))


class RiverAdwin(Binned):
    """ADWIN on the negative share of five minutes, upward changes only; rungs are deltas, the default of 0.002 among them.

    Its clock is set to 1 (look at each value; the default of 32 would look every 160 minutes).
    """

    deltas = (0.1, 0.02, 0.002, 2e-4, 1e-5, 1e-7, 1e-9, 1e-12, 1e-16, 1e-24, 1e-40)
    rungs = len(deltas)

    def __init__(self, timezone: str, budget_days: float) -> None:
        super().__init__(timezone, budget_days)
        make: Any = drift.ADWIN
        self._tests = [make(delta=delta, clock=1) for delta in self.deltas]

    def _look(self, total: int, negative: int, hour: int) -> tuple[float, ...]:
        del hour
        if total == 0:
            return self._quiet
        out = []
        for test in self._tests:
            before = test.estimation
            test.update(negative / total)
            out.append(1.0 if test.drift_detected and test.estimation > before else SILENT)
        return tuple(out)


class RiverGaussian(Binned):
    """GaussianScorer over a week of the surplus of negatives; values below the mean score 0."""

    def __init__(self, timezone: str, budget_days: float) -> None:
        super().__init__(timezone, budget_days)
        make: Any = anomaly.GaussianScorer
        self._scorer = make(window_size=WEEK_OF_BINS, grace_period=288)

    def _look(self, total: int, negative: int, hour: int) -> tuple[float, ...]:
        del total
        value = self._negatives.update(hour, negative)
        score = self._scorer.score_one(None, value) if value > 0 else 0.0
        self._scorer.learn_one(None, value)
        return (float(score),)


class RiverHalfSpaceTrees(Binned):
    """HalfSpaceTrees on three features (surplus of negatives, of mentions, negative share), squashed into [0, 1]; a week's window."""

    def __init__(self, timezone: str, budget_days: float) -> None:
        super().__init__(timezone, budget_days)
        self._trees: Any = anomaly.HalfSpaceTrees(window_size=WEEK_OF_BINS, seed=1)

    def _look(self, total: int, negative: int, hour: int) -> tuple[float, ...]:
        features = {
            "negative": _squash(self._negatives.update(hour, negative)),
            "total": _squash(self._totals.update(hour, total)),
            "share": (negative + 1) / (total + 5),
        }
        score = self._trees.score_one(features) if features["negative"] > 0.5 else 0.0
        self._trees.learn_one(features)
        return (float(score),)


def _squash(value: float) -> float:
    return 0.5 + 0.5 * value / (4 + abs(value))


def _fired(tests: list[Any], value: float) -> tuple[float, ...]:
    out = []
    for test in tests:
        test.update(value)
        out.append(1.0 if test.drift_detected else SILENT)
    return tuple(out)


class Entry:
    """A method in the comparison.

    Attributes:
        name: Key in the results.
        words: Name in tables and plots.
        build: Makes it, from the time zone and the budget in days.
        every: Minutes between two looks.
        ladder: Its rungs are settings from touchy to dull, and it answers yes or no.
        own_rung: The rung of its own setting; None if it documents none.
        own_threshold: The threshold of its own setting on that rung.
    """

    def __init__(
        self,
        name: str,
        words: str,
        build: Callable[[str, float], Method],
        *,
        every: int = BIN,
        ladder: bool = False,
        own: tuple[int, float] | None = None,
    ) -> None:
        self.name, self.words, self.build = name, words, build
        self.every, self.ladder = every, ladder
        self.own_rung = own[0] if own else None
        self.own_threshold = own[1] if own else math.inf


METHODS = (
    Entry("sentinel", "Sentinel", Sentinel, every=1, own=(1, 0.0)),
    Entry("same_hour", "same hour of 7 days", SameHour, every=60, own=(0, 3.0)),
    Entry(
        "page_hinkley",
        "river PageHinkley",
        RiverPageHinkley,
        ladder=True,
        own=(RiverPageHinkley.thresholds.index(50.0), 1.0),
    ),
    Entry(
        "adwin",
        "river ADWIN",
        RiverAdwin,
        ladder=True,
        own=(RiverAdwin.deltas.index(0.002), 1.0),
    ),
    Entry("gaussian", "river GaussianScorer", RiverGaussian, own=(0, 0.9973)),
    Entry("trees", "river HalfSpaceTrees", RiverHalfSpaceTrees),
)
