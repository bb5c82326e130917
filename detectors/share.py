"""Has the share of negative (or positive) mentions risen? A tempered e-detector; no volume here.

The null is not "the share is p" but "the share is at most a boundary", so the tolerance stands in
the null and not in a looser filter. There are two boundaries, because a share wanders over hours:

* usual: the share of the last two days plus ``WANDER_SDS`` deviations of what this brand's share
  usually does around it. It sees a slow change.
* recent: the share of the last hour (shrunk to the usual one, and not below it) plus as many
  deviations of what the share usually does around that, which is much less on a busy stream. It
  sees a fast change.

Both deviations are measured on past blocks beyond binomial noise. Both boundaries hold when
nothing happens, so the mean of e-detectors against either is an e-detector. To each comes

* while learning, up to 0.05 more until 300 mentions have been seen;
* in a burst, up to 0.10 more, in proportion to how far the *other* mentions exceed their
  expectation, judged from earlier buckets only: a viral post may be somewhat more negative than
  usual, but in a crisis it is the negatives that grow, so a crisis hardly widens its own margin.

Against each boundary run Shiryaev-Roberts statistics for five bets on the new share; their mean is
an e-detector (Shin, Ramdas, Rinaldo 2024): with threshold ln(A) the mean time to a false alarm is
at least A buckets, whatever the volume does. Mentions within a bucket are not independent, so
their evidence is tempered: a bucket counts as at most ``1/rho`` mentions, rho being the measured
within-bucket correlation (prior 1/60). A likelihood ratio to a power below one stays valid.

The counts are a classifier's. A share of s looks like ``fpr + s (sensitivity - fpr)``: all is learnt and
tested as it looks, so errors cost delay and no validity. Where the rates are known, the bets go no higher
than a stream of nothing but negatives would look, and the tolerances shrink as the differences do.

In a stream that is made of several, some are rougher than others. When the kind ones fall silent the share
rises and nobody has become angrier. So the mentions of a rougher part can be tested against boundaries that
lie higher by its offset: given how many come from where, the null is the same, and so is the guarantee.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Self

from detectors.base import Bucket, PureScoring, Score, check_counts, check_version

BETS = (0.05, 0.15, 0.30, 0.45, 0.60)  # new share as a fraction of the way from the boundary to 1
LOG_REST = tuple(math.log1p(-bet) for bet in BETS)
N_BETS = len(BETS)
N = 2 * N_BETS  # statistics: against the usual share, then against the recent one
Rates = tuple[float, float]  # sensitivity and false-positive rate of the classifier
PERFECT = (1.0, 0.0)
Part = tuple[float, float, float]  # mentions and hits of a rougher part, and its offset
TOP_ROOM = 0.65  # so that the largest bet lies nine tenths of the way to how a share of 1 looks
LEAST_ROOM = 0.2  # of the way to 1, for bets where the rates leave less: they may be wrong
SHARE_DAYS = 2.0  # time constant of the usual share
SHARE_MENTIONS = 300.0  # but at low counts at least about this many mentions
RECENT_SECONDS = 3600.0  # time constant of the recent share
WINSOR = 5.0  # a bucket teaches at most this multiple of the usual count (plus 5)
BOUNDARY_LIMIT = 0.9
MARGIN_PRIOR = 0.10
MARGIN_LEAST = 0.03
MARGIN_MOST = 0.25
WANDER_SDS = 3.0
WANDER_HOURS = 6.0  # how long a stray lasts
LEARNING_MARGIN = 0.05
LEARNING_MENTIONS = 300.0
BURST_MARGIN = 0.10
BURST_KEEP = 0.9  # about ten buckets of memory
BURST_PSEUDO = 3.0
TEMPER_PRIOR = 60.0
TEMPER_LEAST = 30.0
TEMPER_MOST = 400.0
TEMPER_PRIOR_WEIGHT = 20_000.0  # in mentions of informative buckets
EVIDENCE_LIMIT = 40.0  # nats; far above any threshold, so that a long crisis can be forgiven
STATISTIC_LIMIT = math.exp(EVIDENCE_LIMIT)


class Wander:
    """How far the share strays from a prediction, beyond binomial noise: the margin it needs."""

    VERSION = 1
    DAYS = 14.0  # memory
    PRIOR = (MARGIN_PRIOR / WANDER_SDS) ** 2
    PRIOR_BLOCKS = 8.0
    BLOCK_MENTIONS = 60.0  # a block closes at this many mentions
    LEAST_MENTIONS = 15.0  # and counts with at least so many

    __slots__ = (
        "blocks",
        "expected",
        "hits",
        "least_seconds",
        "margin",
        "mentions",
        "most_seconds",
        "start",
        "variance",
    )

    def __init__(self, least_seconds: int, most_seconds: int) -> None:
        self.least_seconds = least_seconds  # a block is at least so long
        self.most_seconds = most_seconds  # and closes then, however few mentions it has
        self.variance = self.PRIOR
        self.margin = MARGIN_PRIOR
        self.blocks = 0.0
        self.start = -1
        self.hits = self.mentions = self.expected = 0.0

    def learn(self, start: int, mentions: float, hits: float, predicted: float) -> None:
        """Add a bucket whose share was predicted before it came."""
        elapsed = start - self.start
        if self.start < 0:
            self.start = start
        elif elapsed >= self.least_seconds and (
            self.mentions >= self.BLOCK_MENTIONS or elapsed >= self.most_seconds
        ):
            self._close(max(elapsed, self.least_seconds))
            self.start = start
            self.hits = self.mentions = self.expected = 0.0
        self.hits += hits
        self.mentions += mentions
        self.expected += mentions * predicted

    def _close(self, seconds: float) -> None:
        n = self.mentions
        if n < self.LEAST_MENTIONS:
            return
        p = min(0.98, max(0.02, self.expected / n))
        noise = p * (1 - p) / n
        # Only the upward side counts: a wave of praise is no reason to tolerate more anger.
        upward = max(0.0, self.hits - self.expected) / n
        stray = 2 * min(upward * upward, 9 * (noise + max(0.0, self.variance))) - noise
        # A block of few mentions says little about the wander: weight by its precision.
        weight = (self.PRIOR / (self.PRIOR + noise)) ** 2
        self.blocks = min(weight * self.DAYS * 86400 / seconds, self.blocks) + weight
        self.variance += (stray - self.variance) * weight / (self.blocks + self.PRIOR_BLOCKS)
        deviation = math.sqrt(max(0.0, self.variance))
        self.margin = max(MARGIN_LEAST, min(MARGIN_MOST, WANDER_SDS * deviation))

    def snapshot(self) -> list[float]:
        """The whole state as primitives."""
        return [getattr(self, name) for name in Wander.__slots__]

    @classmethod
    def restore(cls, data: list[float]) -> Wander:
        """In the state of a snapshot."""
        wander = cls.__new__(cls)
        for name, value in zip(Wander.__slots__, data, strict=True):
            setattr(wander, name, value)
        return wander


class ShareDetector(PureScoring):
    """E-detector on one share; ``direction`` says which count of a bucket it reads.

    >>> detector = ShareDetector(60, 30)
    >>> for minute in range(2000):
    ...     score = detector.observe(Bucket(minute * 60, 5, minute % 5 == 0))
    >>> score.alarm
    False
    >>> for minute in range(2000, 2010):
    ...     score = detector.observe(Bucket(minute * 60, 5, 4))
    >>> score.alarm
    True
    """

    VERSION = 3
    __slots__ = (
        "before",
        "before_parts",
        "before_temper",
        "bucket_seconds",
        "budget_days",
        "burst_expected",
        "burst_rest",
        "cusum",
        "direction",
        "evidence",
        "fast_hits",
        "fast_mentions",
        "hits",
        "mentions",
        "onsets",
        "rates",
        "recent_hits",
        "recent_mentions",
        "recent_wander",
        "seen",
        "statistics",
        "temper",
        "temper_excess",
        "temper_weight",
        "wander",
    )

    def __init__(
        self,
        bucket_seconds: int = 60,
        budget_days: float = 30.0,
        timezone: str = "UTC",  # noqa: ARG002 - one constructor shape for every detector
        direction: str = "negative",
        prior: tuple[float, float] = (2.0, 8.0),
    ) -> None:
        if direction not in ("negative", "positive"):
            raise ValueError(f"direction is negative or positive, not {direction!r}")
        self.bucket_seconds = bucket_seconds
        self.budget_days = budget_days
        self.direction = direction
        self.hits, self.mentions = prior[0], sum(prior)  # slowly forgotten sums, prior included
        self.seen = 0.0  # mentions ever, up to LEARNING_MENTIONS
        self.statistics = [0.0] * N
        self.cusum = [0.0] * N
        self.onsets = [0] * N
        self.evidence = 0.0
        # what the last bucket was scored with, so that "what if it had been smaller" has an answer
        self.before = [0.0] * N
        # mentions, hits, and the boundary against the usual and against the recent share, of each part
        self.before_parts: list[tuple[float, float, float, float]] = []
        self.before_temper = TEMPER_PRIOR
        self.wander = Wander(3600, 6 * 3600)
        self.recent_hits = self.recent_mentions = 0.0
        self.recent_wander = Wander(900, 3 * 3600)
        self.burst_rest = self.burst_expected = 0.0
        self.fast_hits = self.fast_mentions = 0.0
        self.temper = TEMPER_PRIOR
        self.temper_excess = self.temper_weight = 0.0
        self.rates = PERFECT

    def read_with(self, rates: Rates) -> None:
        """How well the classifier tells hits from the rest, from the next bucket on until changed.

        Args:
            rates: Sensitivity (the part of true hits that is counted as hits) and false-positive rate (the part of
                the others that is).

        Raises:
            ValueError: Not 0 <= false-positive rate < sensitivity <= 1.
        """
        sensitivity, false_positive_rate = rates
        if not 0 <= false_positive_rate < sensitivity <= 1:
            raise ValueError(f"impossible rates: {sensitivity} and {false_positive_rate}")
        self.rates = (sensitivity, false_positive_rate)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = type(self).__new__(type(self))
        for name in ShareDetector.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.statistics = self.statistics[:]
        twin.cusum = self.cusum[:]
        twin.onsets = self.onsets[:]
        twin.before = self.before[:]
        twin.before_parts = self.before_parts[:]
        twin.wander = copy.copy(self.wander)
        twin.recent_wander = copy.copy(self.recent_wander)
        return twin

    @property
    def usual(self) -> float:
        """The usual share of this brand."""
        return self.hits / self.mentions

    @property
    def threshold(self) -> float:
        """Nats at which the mean time to a false alarm is at least the budget, by theory."""
        return math.log(self.budget_days * 86400 / self.bucket_seconds)

    @property
    def ready(self) -> bool:
        """Whether the usual share rests on enough mentions."""
        return self.seen >= LEARNING_MENTIONS

    @property
    def onset(self) -> int:
        """Epoch seconds since which the winning bet has been ahead; 0 when none is."""
        best = max(range(N), key=self.statistics.__getitem__)
        return self.onsets[best] if self.cusum[best] > 0 else 0

    def recent(self, offset: float = 0.0) -> float:
        """The share of the last hour, shrunk to the usual one by how little that can say."""
        p = self.hits / self.mentions
        # A wander of variance v is worth p (1 - p) / v mentions (Kalman's gain, steady state).
        weight = max(0.02, p * (1 - p)) / max(4e-4, self.wander.variance)
        recent = (self.recent_hits + weight * p) / (self.recent_mentions + weight)
        # Not below the usual share: when a wave of praise ends, the share only comes back.
        return max(p + offset, recent)

    def boundaries(self, offset: float = 0.0) -> tuple[float, float]:
        """The largest shares of a part that are still taken for usual and for recent, at this moment."""
        slack = LEARNING_MARGIN * (1 - self.seen / LEARNING_MENTIONS)
        expected = self.burst_expected + BURST_PSEUDO
        excess = self.burst_rest + BURST_PSEUDO - expected
        if excess > 0:
            slack += BURST_MARGIN * excess / (excess + expected)
        slack *= self.rates[0] - self.rates[1]  # as a difference looks through the classifier
        p = self.hits / self.mentions
        recent = self.recent(offset) + self._needed(self.recent_wander.margin, p) + slack
        usual = p + offset + self._needed(self.wander.margin, p) + slack
        return min(BOUNDARY_LIMIT, usual), min(BOUNDARY_LIMIT, recent)

    def _needed(self, margin: float, p: float) -> float:
        """The part of a margin that a stream needs which is no busier than this one.

        A stray of d that lasts for some hours with n mentions gives n d^2 / (2 p (1 - p)) nats.
        What gives less than one nat does no harm and needs no tolerance, except for at least
        half of the margin and for the standard error of the usual share itself.
        """
        variance = p * (1 - p)
        n = self.mentions * WANDER_HOURS / (SHARE_DAYS * 24)
        needed = max(margin / 2, margin - math.sqrt(2 * variance / n))
        return min(margin, needed + math.sqrt(variance / self.mentions))

    def update(
        self,
        start: int,
        mentions: float,
        hits: float,
        expected: float,
        *,
        learn: bool = True,
        rougher: Sequence[Part] = (),
    ) -> float:
        """Score the counts of a bucket, then learn from them.

        Args:
            start: Epoch seconds of the bucket.
            mentions: All mentions in it.
            hits: Those of this direction.
            expected: Mentions expected in it.
            learn: False while an incident is open: the usual share stays as it is.
            rougher: Of these mentions and hits, those of parts whose usual share is higher, and by how much.

        Returns:
            The evidence in nats that the share has risen, at least 0.
        """
        statistics = self.statistics
        self.before = statistics[:]
        if mentions <= 0:
            # Shiryaev-Roberts without data: one more moment at which the change may have been.
            self.before_parts = []
            total = 0.0
            for k, value in enumerate(statistics):
                statistics[k] = value + 1.0
                total += value + 1.0
            self.burst_rest *= BURST_KEEP
            self.burst_expected = self.burst_expected * BURST_KEEP + expected * (
                1 - self.hits / self.mentions
            )
            self.evidence = math.log(total / N)
            if learn:
                keep = 1 - self.bucket_seconds / RECENT_SECONDS
                self.recent_hits *= keep
                self.recent_mentions *= keep
                self._forget()
            return self.evidence
        self.before_parts = parts = self._parts(mentions, hits, rougher)
        self.before_temper = self.temper
        weight = 1.0 if mentions <= self.temper else self.temper / mentions
        gains = _gains(parts[0], weight, self.rates[0])
        for part in parts[1:]:
            more = _gains(part, weight, self.rates[0])
            gains = [one + other for one, other in zip(gains, more, strict=True)]
        cusum = self.cusum
        e_limit = STATISTIC_LIMIT
        exp = math.exp
        total = 0.0
        for k, gain in enumerate(gains):
            value = (1.0 + statistics[k]) * (exp(gain) if gain < EVIDENCE_LIMIT else e_limit)
            statistics[k] = value
            total += value
            ahead = cusum[k] + gain
            if ahead <= 0:
                cusum[k] = 0.0
            else:
                if cusum[k] == 0.0:
                    self.onsets[k] = start
                cusum[k] = ahead
        if total > STATISTIC_LIMIT:
            statistics[:] = [min(STATISTIC_LIMIT, value) for value in statistics]
            cusum[:] = [min(EVIDENCE_LIMIT, value) for value in cusum]
            total = sum(statistics)
        mean = total / N
        self.evidence = math.log(mean) if mean > 1.0 else 0.0
        self.burst_rest = self.burst_rest * BURST_KEEP + (mentions - hits)
        self.burst_expected = self.burst_expected * BURST_KEEP + expected * (
            1 - self.hits / self.mentions
        )
        if learn:
            self._learn(start, mentions, hits, expected, rougher)
        return self.evidence

    def _parts(
        self, mentions: float, hits: float, rougher: Sequence[Part]
    ) -> list[tuple[float, float, float, float]]:
        """Mentions, hits and boundaries of the rougher parts, and of the rest first."""
        if not rougher:
            return [(mentions, hits, *self.boundaries())]
        mentions -= sum(part[0] for part in rougher)
        hits -= sum(part[1] for part in rougher)
        return [
            (n, k, *self.boundaries(offset)) for n, k, offset in ((mentions, hits, 0.0), *rougher)
        ]

    def idle(self, expected: Sequence[float], *, every: bool = True) -> list[float]:
        """As ``update`` for empty buckets in a row with ``expected`` mentions.

        Returns:
            The evidence in nats after each bucket, or after the last one alone.
        """
        n = len(expected)
        mean = sum(self.statistics) / N
        self.before = [value + (n - 1) for value in self.statistics]
        self.before_parts = []
        self.statistics[:] = [value + n for value in self.statistics]
        usual = self.hits / self.mentions
        owed, keep, mentions = self.burst_expected, BURST_KEEP, self.mentions
        rate = self.bucket_seconds / (SHARE_DAYS * 86400)
        per_mention = rate / SHARE_MENTIONS
        rest = 1 - usual
        for count in expected:
            owed = owed * keep + count * rest
        if mentions < SHARE_MENTIONS:
            for _ in expected:
                mentions -= per_mention * mentions * mentions
        else:
            for _ in expected:
                mentions -= mentions * min(rate, per_mention * mentions)
        self.burst_expected = owed
        self.burst_rest *= keep**n
        self.hits, self.mentions = usual * mentions, mentions
        kept = (1 - self.bucket_seconds / RECENT_SECONDS) ** n
        self.recent_hits *= kept
        self.recent_mentions *= kept
        evidence = [math.log(mean + place) for place in range(1 if every else n, n + 1)]
        self.evidence = evidence[-1]
        return evidence

    def evidence_after(self, idle: int) -> float:
        """The evidence after so many further empty buckets, in nats."""
        return math.log(max(1.0, sum(self.statistics) / N + idle))

    def evidence_if(self, keep: float) -> float:
        """The evidence, had the last bucket held only this part (0..1) of its hits."""
        left = [
            (n - k + k * keep, k * keep, usual, recent) for n, k, usual, recent in self.before_parts
        ]
        mentions = sum(part[0] for part in left)
        weight = min(1.0, self.before_temper / mentions) if mentions > 0 else 1.0
        total = 0.0
        gains = [_gains(part, weight, self.rates[0]) for part in left]
        for before, *parts in zip(self.before, *gains, strict=True):
            value = (1.0 + before) * math.exp(min(EVIDENCE_LIMIT, sum(parts)))
            total += min(value, STATISTIC_LIMIT)
        return math.log(max(1.0, total / N))

    def absorb(self, hits: float, mentions: float) -> None:
        """Accept a recent share as the new usual one and start the statistics afresh."""
        if mentions > 0:
            keep = self.mentions
            self.hits = keep * (hits + self.usual * 10) / (mentions + 10)
        self.recent_hits = self.recent_mentions = 0.0
        self.clear()

    def clear(self) -> None:
        """Start the statistics afresh."""
        self.statistics = [0.0] * N
        self.cusum = [0.0] * N
        self.evidence = 0.0

    def _forget(self) -> None:
        # At low counts two days hold too few mentions: forget more slowly, the fewer there are.
        rate = self.bucket_seconds / (SHARE_DAYS * 86400)
        if self.mentions < SHARE_MENTIONS:
            rate *= self.mentions / SHARE_MENTIONS
        self.hits -= self.hits * rate
        self.mentions -= self.mentions * rate

    def _learn(
        self, start: int, mentions: float, hits: float, expected: float, rougher: Sequence[Part]
    ) -> None:
        offset = sum(part[0] * part[2] for part in rougher) / mentions if rougher else 0.0
        usual_count = WINSOR * expected + 5
        if mentions > usual_count:
            hits *= usual_count / mentions
            mentions = usual_count
        if self.seen < LEARNING_MENTIONS:
            self.seen = min(LEARNING_MENTIONS, self.seen + mentions)
        self._learn_temper(mentions, hits)
        if self.seen >= LEARNING_MENTIONS:
            self.wander.learn(start, mentions, hits, self.hits / self.mentions + offset)
            self.recent_wander.learn(start, mentions, hits, self.recent(offset))
        keep = 1 - self.bucket_seconds / RECENT_SECONDS
        self.recent_hits = self.recent_hits * keep + hits
        self.recent_mentions = self.recent_mentions * keep + mentions
        self._forget()
        self.hits += hits
        self.mentions += mentions

    def _learn_temper(self, mentions: float, hits: float) -> None:
        """Measure the correlation of mentions within a bucket against the last half hour."""
        fast = self.fast_mentions
        if mentions >= 10 and fast >= 10 * mentions:
            p = self.fast_hits / fast
            variance = mentions * max(0.02, p * (1 - p)) * (1 + mentions / fast)
            surprise = (hits - mentions * p) ** 2 / variance
            self.temper_excess += min(surprise, 25.0) - 1
            self.temper_weight += mentions - 1
            rho = max(0.0, self.temper_excess + TEMPER_PRIOR_WEIGHT / TEMPER_PRIOR) / (
                self.temper_weight + TEMPER_PRIOR_WEIGHT
            )
            self.temper = TEMPER_MOST if rho * TEMPER_MOST <= 1 else max(TEMPER_LEAST, 1 / rho)
            if self.temper_weight > 50 * TEMPER_PRIOR_WEIGHT:
                self.temper_weight /= 2
                self.temper_excess /= 2
        self.fast_hits += hits - self.fast_hits / 30
        self.fast_mentions += mentions - self.fast_mentions / 30

    def observe(self, bucket: Bucket) -> Score:
        """Score a bucket, then learn from it; its own mean count is the expectation."""
        check_counts(bucket.mentions, bucket.negative, bucket.positive)
        if not bucket.missing:
            hits = bucket.negative if self.direction == "negative" else bucket.positive
            horizon = SHARE_DAYS * 86400 / self.bucket_seconds
            expected = max(bucket.mentions / WINSOR if self.seen == 0 else 0.0, self.mentions)
            self.update(bucket.start, bucket.mentions, hits, expected / horizon)
        return Score(self.evidence, self.threshold, self.ready)

    def snapshot(self) -> dict[str, Any]:
        """The whole state as primitives."""
        state = [_primitive(getattr(self, name)) for name in ShareDetector.__slots__]
        return {"kind": "share", "version": self.VERSION, "state": state}

    @classmethod
    def restore(cls, data: dict[str, Any]) -> Self:
        """A detector in the state of a snapshot."""
        check_version(data, "share", cls.VERSION)
        detector = cls.__new__(cls)
        for name, value in zip(ShareDetector.__slots__, data["state"], strict=True):
            restored = value[:] if isinstance(value, list) else value
            setattr(detector, name, Wander.restore(value) if "wander" in name else restored)
        detector.before_parts = [(n, k, u, r) for n, k, u, r in detector.before_parts]
        detector.rates = (detector.rates[0], detector.rates[1])
        return detector


def _gains(part: tuple[float, float, float, float], weight: float, top: float) -> list[float]:
    """What the mentions of a part add to the logarithm of each statistic, in nats; bets lie below ``top``."""
    mentions, hits, *boundaries = part
    hits_weight = weight * hits
    rest_weight = weight * (mentions - hits)
    log = math.log
    if top < 1:
        rooms = [
            (one, min(1 - one, max((top - one) / TOP_ROOM, LEAST_ROOM * (1 - one))))
            for one in boundaries
        ]
        return [
            hits_weight * log(1 + room / one * bet) + rest_weight * log(1 - room / (1 - one) * bet)
            for one, room in rooms
            for bet in BETS
        ]
    rests = [rest_weight * log_rest for log_rest in LOG_REST]
    return [
        hits_weight * log(1 + (1 - boundary) / boundary * bet) + rest
        for boundary in boundaries
        for bet, rest in zip(BETS, rests, strict=True)
    ]


def _primitive(value: Any) -> Any:
    if isinstance(value, Wander):
        return value.snapshot()
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, list):
        return [list(row) if isinstance(row, tuple) else row for row in value]
    return value
