"""Are there more mentions than expected? CUSUMs over growth hypotheses; no shares here.

The count of a bucket is negative binomial around profile x level. The level is a fast wander in
the logarithm (about two hours) that a filter with a clipped innovation follows slowly, so that a
crisis is not explained away while it grows. Against it run eight hypotheses: four sudden steps
and four exponential growths. The evidence is the largest of their CUSUMs.

Volume alone cannot be calibrated to one false alarm in a month: harmless virality owns the tail.
So ``crisis`` caps this evidence; here it is given uncapped up to ``EVIDENCE_LIMIT``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

from detectors.base import Bucket, PureScoring, Score, check_counts, check_version
from detectors.profile import Profile

STEPS = (0.5, 1.5, 5.0, 15.0)  # sudden, in multiples of the expected rate
DOUBLINGS = (5.0, 12.0, 30.0, 60.0)  # growing, minutes
GROWTH_START, GROWTH_TOP = 0.2, 20.0
COLLAPSED_TO = 0.2  # of the expected rate
LOG_COLLAPSED = math.log(COLLAPSED_TO)
COLLAPSE_NATS = 11.0  # one false alarm in 30 days of one-minute buckets, by theory
EVIDENCE_LIMIT = 20.0  # forgotten soon, and well above what is ever used
PHI_PRIOR = 0.10
PHI_LEAST, PHI_MOST = 0.03, 2.0
PHI_PRIOR_WEIGHT = 300.0  # squared expected mentions
PHI_DAYS = 7.0
LEVEL_SD = 0.3
LEVEL_MINUTES = 120.0
LEVEL_GAIN_MOST = 1 / 30  # slower than the best filter: a growing crisis must not be followed
CLIP = 2.5
BACKLOG_KEEP = 0.95  # what a source still owes after a gap is forgotten within the hour


def _growth_table(doubling: float) -> tuple[tuple[float, float], ...]:
    """(excess, log of 1 + excess) for each minute of age."""
    rows = []
    age = 0
    while True:
        excess = min(GROWTH_TOP, GROWTH_START * 2 ** (age / doubling))
        rows.append((excess, math.log1p(excess)))
        if excess >= GROWTH_TOP:
            return tuple(rows)
        age += 1


HYPOTHESES = (
    *(((step, math.log1p(step)),) for step in STEPS),
    *(_growth_table(doubling) for doubling in DOUBLINGS),
)
N = len(HYPOTHESES)


class GrowthBank:
    """CUSUMs over the growth hypotheses for one kind of mention."""

    VERSION = 1
    __slots__ = (
        "ages",
        "before",
        "before_ages",
        "before_k",
        "before_mean",
        "cusum",
        "evidence",
        "onsets",
    )

    def __init__(self) -> None:
        self.cusum = [0.0] * N
        self.ages = [0] * N
        self.onsets = [0] * N
        self.evidence = 0.0
        # what the last bucket was scored with, so that "what if it had been smaller" has an answer
        self.before = self.cusum[:]
        self.before_ages = self.ages[:]
        self.before_mean = self.before_k = 1.0

    def __deepcopy__(self, memo: dict[int, Any]) -> GrowthBank:
        twin = GrowthBank.__new__(GrowthBank)
        for name in GrowthBank.__slots__:
            value = getattr(self, name)
            setattr(twin, name, value[:] if isinstance(value, list) else value)
        return twin

    @property
    def onset(self) -> int:
        """Epoch seconds since which the winning hypothesis has been ahead; 0 when none is."""
        best = max(range(N), key=self.cusum.__getitem__)
        return self.onsets[best] if self.cusum[best] > 0 else 0

    def update(self, start: int, count: float, mean: float, phi: float) -> float:
        """Add a count to the CUSUMs, negative binomial around ``mean``; gives nats."""
        cusum = self.cusum
        self.before_mean = mean
        self.before_k = k = 1 / phi
        if self.evidence == 0.0:
            if self.before != cusum:
                self.before = cusum[:]
                self.before_ages = self.ages[:]
            if count <= mean:
                return 0.0  # no hypothesis of growth gains from a count below the mean
        else:
            self.before = cusum[:]
            self.before_ages = self.ages[:]
        n = count + k
        log = math.log
        best = 0.0
        ratio = mean / (k + mean)
        ages = self.ages
        for j, table in enumerate(HYPOTHESES):
            age = ages[j]
            excess, log_excess = table[age]
            value = cusum[j] + count * log_excess - n * log(1 + excess * ratio)
            if value <= 0:
                cusum[j] = 0.0
                ages[j] = 0
                continue
            if cusum[j] == 0.0:
                self.onsets[j] = start
            cusum[j] = value
            if age + 1 < len(table):
                ages[j] = age + 1
            best = max(best, value)
        if best > EVIDENCE_LIMIT:
            best = EVIDENCE_LIMIT
            cusum[:] = [min(EVIDENCE_LIMIT, value) for value in cusum]
        self.evidence = best
        return best

    def idle(self, means: Sequence[float], phi: float) -> list[float]:
        """As ``update`` for empty buckets in a row, around ``means``; the evidence after each, in nats."""
        k = 1 / phi
        evidence = [0.0] * len(means)
        if self.evidence == 0.0:
            self.before, self.before_ages = self.cusum[:], self.ages[:]
            self.before_mean, self.before_k = means[-1], k
            return evidence
        ratios = [mean / (k + mean) for mean in means]
        last = len(means) - 1
        self.before, self.before_ages = self.cusum[:], self.ages[:]
        self.before_mean, self.before_k = means[-1], k
        for j, table in enumerate(HYPOTHESES):
            value, age = self.cusum[j], self.ages[j]
            if value == 0.0:
                continue
            top = len(table) - 1
            for place, ratio in enumerate(ratios):
                if place == last:
                    self.before[j], self.before_ages[j] = value, age
                value -= k * math.log(1 + table[age][0] * ratio)
                if value <= 0:
                    value, age = 0.0, 0
                    if place < last:
                        self.before[j], self.before_ages[j] = value, age
                    break
                age = min(age + 1, top)
                evidence[place] = max(evidence[place], value)
            self.cusum[j], self.ages[j] = value, age
        self.evidence = evidence[-1]
        return evidence

    def evidence_if(self, count: float) -> float:
        """The evidence, had the last scored bucket held this count instead."""
        k, mean = self.before_k, self.before_mean
        ratio = mean / (k + mean)
        excesses = [table[age][0] for table, age in zip(HYPOTHESES, self.before_ages, strict=True)]
        gains = (
            value + count * math.log1p(a) - (count + k) * math.log1p(a * ratio)
            for value, a in zip(self.before, excesses, strict=True)
        )
        return max(0.0, *gains)

    def clear(self) -> None:
        """Start the CUSUMs afresh."""
        self.cusum = [0.0] * N
        self.ages = [0] * N
        self.evidence = 0.0

    def snapshot(self) -> dict[str, Any]:
        """The whole state as primitives."""
        state = [getattr(self, name) for name in GrowthBank.__slots__]
        state = [value[:] if isinstance(value, list) else value for value in state]
        return {"kind": "growth bank", "version": self.VERSION, "state": state}

    @classmethod
    def restore(cls, data: dict[str, Any]) -> GrowthBank:
        """A bank in the state of a snapshot."""
        check_version(data, "growth bank", cls.VERSION)
        bank = cls.__new__(cls)
        for name, value in zip(GrowthBank.__slots__, data["state"], strict=True):
            setattr(bank, name, value[:] if isinstance(value, list) else value)
        return bank


class Collapse:
    """CUSUM for a count that has fallen to a fifth of what is usual, and has not ceased.

    Below two fifths of the mean (half of it at low counts) the evidence grows, above it falls. It is no alarm on a brand: people who
    speak less do no harm, and a collector that is half dead belongs to operations.

    >>> collapse = Collapse()
    >>> for minute in range(30):
    ...     nats = collapse.update(minute * 60, 1, 10.0, 0.2)
    >>> nats > COLLAPSE_NATS, collapse.onset, collapse.lasting > 0
    (True, 0, True)
    >>> for minute in range(30, 60):
    ...     nats = collapse.update(minute * 60, 10, 10.0, 0.2)
    >>> nats, collapse.lasting
    (0.0, -1)
    """

    VERSION = 1
    __slots__ = ("evidence", "lasting", "onset")

    def __init__(self) -> None:
        self.evidence = 0.0  # nats
        self.onset = -1  # start of the bucket in which the evidence last left zero
        # Since when it has been beyond doubt without interruption, from a mention on: a dead collector is no collapse.
        self.lasting = -1

    def update(self, start: int, count: float, mean: float, phi: float) -> float:
        """Add a count, negative binomial around ``mean``; gives nats."""
        k = 1 / phi
        gain = -(count + k) * math.log((k + COLLAPSED_TO * mean) / (k + mean))
        value = min(EVIDENCE_LIMIT, self.evidence + gain + count * LOG_COLLAPSED)
        if value <= 0:
            self.clear()
            return 0.0
        if self.evidence == 0.0:
            self.onset = start
        self.evidence = value
        if value < COLLAPSE_NATS:
            self.lasting = -1
        elif self.lasting < 0 and count > 0:
            self.lasting = start
        return value

    def idle(self, start: int, means: Sequence[float], phi: float) -> None:
        """As ``update`` for empty buckets in a row."""
        k = 1 / phi
        log = math.log
        gains = [k * log((k + mean) / (k + COLLAPSED_TO * mean)) for mean in means]
        if self.evidence == 0.0:
            self.onset = start
        self.evidence = min(EVIDENCE_LIMIT, self.evidence + sum(gains))

    def clear(self) -> None:
        """Start afresh."""
        self.evidence = 0.0
        self.onset = self.lasting = -1

    def snapshot(self) -> dict[str, Any]:
        """The whole state as primitives."""
        state = [getattr(self, name) for name in Collapse.__slots__]
        return {"kind": "collapse", "version": self.VERSION, "state": state}

    @classmethod
    def restore(cls, data: dict[str, Any]) -> Collapse:
        """In the state of a snapshot."""
        check_version(data, "collapse", cls.VERSION)
        collapse = cls()
        collapse.evidence, collapse.lasting, collapse.onset = data["state"]
        return collapse


class Level:
    """The fast wander of the count around its season, and the overdispersion about both."""

    VERSION = 1
    __slots__ = ("backlog", "level", "minutes", "phi", "phi_excess", "phi_weight", "variance")

    def __init__(self, bucket_seconds: int) -> None:
        self.minutes = bucket_seconds / 60
        self.level = 0.0  # log
        self.phi = PHI_PRIOR  # overdispersion: variance = mean + phi mean^2
        self.phi_excess = PHI_PRIOR * PHI_PRIOR_WEIGHT
        self.phi_weight = PHI_PRIOR_WEIGHT
        self.variance = 0.0  # of the level filter, steady state
        self.backlog = 0.0  # mentions that a silent source still owes

    def owe(self, expected: float) -> None:
        """After a gap: this many mentions may yet arrive in a heap and are no news."""
        self.backlog = expected

    def forgive(self, mentions: float, mean: float) -> float:
        """The mentions of a bucket without what was owed."""
        excess = mentions - mean
        if excess > 0:
            used = min(self.backlog, excess)
            self.backlog -= used
            mentions -= used
        self.backlog = self.backlog * BACKLOG_KEEP if self.backlog > 0.1 else 0.0
        return mentions

    def learn(self, mentions: float, mean: float) -> None:
        """Follow the level, slowly and with a clipped step, and measure the surprise."""
        phi = self.phi
        limit = CLIP * math.sqrt(mean * (1 + mean * phi)) + 1
        error = max(-limit, min(limit, mentions - mean))
        step = error * self.variance / (1 + mean * (phi + self.variance))
        self.level = (self.level + step) * (1 - self.minutes / LEVEL_MINUTES)
        self.phi_excess += error * error - mean
        self.phi_weight += mean * mean

    def idle(self, seasons: Sequence[float]) -> list[float]:
        """``learn`` from empty buckets in a row; the mean of each, given its season."""
        level, phi, variance = self.level, self.phi, self.variance
        keep = 1 - self.minutes / LEVEL_MINUTES
        excess, weight = self.phi_excess, self.phi_weight
        means = []
        for season in seasons:
            mean = season * math.exp(level)
            error = mean
            if mean > 1:  # below, the clip is out of reach
                error = min(mean, CLIP * math.sqrt(mean * (1 + mean * phi)) + 1)
            level = (level - error * variance / (1 + mean * (phi + variance))) * keep
            excess += error * error - mean
            weight += mean * mean
            means.append(mean)
        self.level, self.phi_excess, self.phi_weight = level, excess, weight
        return means

    def retune(self, season: float) -> None:
        """Once an hour: overdispersion from past surprises, gain of the level filter."""
        self.phi = max(PHI_LEAST, min(PHI_MOST, self.phi_excess / self.phi_weight))
        keep = 1 - 1 / (PHI_DAYS * 24)
        self.phi_excess = PHI_PRIOR * PHI_PRIOR_WEIGHT * (1 - keep) + self.phi_excess * keep
        self.phi_weight = PHI_PRIOR_WEIGHT * (1 - keep) + self.phi_weight * keep
        # Steady state of a Kalman filter for a wander of LEVEL_SD over LEVEL_MINUTES.
        drift = 2 * LEVEL_SD**2 * self.minutes / LEVEL_MINUTES
        noise = self.phi + 1 / season
        steady = (drift + math.sqrt(drift * drift + 4 * drift * noise)) / 2
        variance = min(LEVEL_SD**2, steady)
        gain = variance / (variance + noise)
        if gain > LEVEL_GAIN_MOST:
            variance = noise * LEVEL_GAIN_MOST / (1 - LEVEL_GAIN_MOST)
        self.variance = variance

    def snapshot(self) -> dict[str, Any]:
        """The whole state as primitives."""
        state = [getattr(self, name) for name in Level.__slots__]
        return {"kind": "level", "version": self.VERSION, "state": state}

    @classmethod
    def restore(cls, data: dict[str, Any]) -> Level:
        """A level in the state of a snapshot."""
        check_version(data, "level", cls.VERSION)
        level = cls.__new__(cls)
        for name, value in zip(Level.__slots__, data["state"], strict=True):
            setattr(level, name, value)
        return level


class VolumeDetector(PureScoring):
    """A growth bank with its own profile and level: the detector that stands alone.

    >>> detector = VolumeDetector(60, 30, "UTC")
    >>> for minute in range(2 * 1440):
    ...     score = detector.observe(Bucket(minute * 60, 4))
    >>> score.alarm
    False
    >>> detector.score_one(Bucket(2 * 86400, 400)).alarm
    True
    """

    VERSION = 1
    READY_DAYS = 7

    def __init__(
        self, bucket_seconds: int = 60, budget_days: float = 30.0, timezone: str = "UTC"
    ) -> None:
        self.budget_days = budget_days
        self.profile = Profile(bucket_seconds, timezone)
        self.level = Level(bucket_seconds)
        self.bank = GrowthBank()
        self.hour = -1

    @property
    def threshold(self) -> float:
        """Nats by theory, plus the price of eight hypotheses; bursts will break it."""
        return math.log(self.budget_days * 86400 / self.profile.bucket_seconds * N)

    def observe(self, bucket: Bucket) -> Score:
        """Score a bucket, then learn from it."""
        check_counts(bucket.mentions, bucket.negative, bucket.positive)
        profile, level = self.profile, self.level
        season = profile.expect(bucket.start)
        if profile.hour_start != self.hour:
            self.hour = profile.hour_start
            level.retune(season)
        if not bucket.missing:
            if profile.knows_the_day:
                mean = season * math.exp(level.level)
                self.bank.update(bucket.start, bucket.mentions, mean, level.phi)
                level.learn(bucket.mentions, mean)
            profile.learn(bucket.mentions)
        buckets_a_day = 86400 // profile.bucket_seconds
        ready = profile.total_buckets >= self.READY_DAYS * buckets_a_day
        return Score(self.bank.evidence, self.threshold, ready)

    def snapshot(self) -> dict[str, Any]:
        """The whole state as primitives."""
        return {
            "kind": "volume",
            "version": self.VERSION,
            "budget_days": self.budget_days,
            "hour": self.hour,
            "profile": self.profile.snapshot(),
            "level": self.level.snapshot(),
            "bank": self.bank.snapshot(),
        }

    @classmethod
    def restore(cls, data: dict[str, Any]) -> Self:
        """A detector in the state of a snapshot."""
        check_version(data, "volume", cls.VERSION)
        detector = cls.__new__(cls)
        detector.budget_days = data["budget_days"]
        detector.hour = data["hour"]
        detector.profile = Profile.restore(data["profile"])
        detector.level = Level.restore(data["level"])
        detector.bank = GrowthBank.restore(data["bank"])
        return detector
