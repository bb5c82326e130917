"""BrandDetector: the channels of a brand and its pooled stream, under one false-alarm budget.

Every channel has a detector and so has the sum of all channels; a brand with a single channel needs
no second one. Their scores are dependent, so the evidence is averaged (half the weight on the pooled
stream, the rest shared by the channels) and never multiplied: a weighted mean of e-detectors is an e-detector. A crisis that lives in one
channel costs ln(2 x channels) nats against watching that channel alone; one spread thinly over
all of them is found in the pooled stream. Channels differ in tone: when the kind ones fall silent, or a
rough one is busy, the pooled share rises and nobody has become angrier. So in the pooled stream the
mentions of a rougher channel are tested against a boundary that lies higher by as much. One threshold, calibrated on the combined score, keeps
the brand's budget.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from detectors.base import Bucket, PureScoring, Score, check_counts, check_version
from detectors.calibration import BudgetThreshold
from detectors.crisis import HOLD_SECONDS, VOLUME_CAP, CrisisDetector, Reading
from detectors.share import Part, Rates

POOLED_WEIGHT = 0.5
OTHER = "other"  # the channel that further ones fold into
SUBSTANTIAL = 0.25  # the pooled stream is missing when channels with this share of it are
POLARISED_NATS = 7.0  # per direction: alone about twice a day by chance, together hardly ever
PRIOR_MENTIONS = 20.0  # a new channel starts from the brand's usual shares with this weight


Row = tuple[int, float, float] | tuple[int, float, float, int]
"""(mentions, negative, positive) of a channel's bucket, and how many mentions are of unknown sentiment, if any."""


class BrandReading(NamedTuple):
    """What a brand's detector saw in the last bucket; scores are nats, times epoch seconds."""

    start: int
    score: float
    threshold: float
    alarm: bool
    opportunity_score: float
    opportunity_threshold: float
    opportunity: bool
    polarised: bool  # the negative and the positive share have both risen
    learning: bool
    onset: int | None
    opportunity_onset: int | None
    chance_days: float | None
    opportunity_chance_days: float | None
    new_normal: bool
    leading: str | None  # the channel with the highest threat score
    opportunity_leading: str | None
    doubted: tuple[str, ...]  # channels whose zeros have gone on for too long to be believed
    pooled: Reading
    channels: dict[str, Reading]


class BrandDetector(PureScoring):
    """Threats and opportunities of one brand over channels that appear as they come.

    >>> brand = BrandDetector(timezone="Europe/Rome")
    >>> for minute in range(3 * 1440):
    ...     reading = brand.step(minute * 60, {"news": (1, 0, 0), "forum": (4, 1, 1)})
    >>> reading.alarm
    False
    >>> for minute in range(3 * 1440, 3 * 1440 + 20):
    ...     reading = brand.step(minute * 60, {"news": (1, 0, 0), "forum": (9, 7, 1)})
    >>> reading.alarm, reading.leading
    (True, 'forum')
    """

    VERSION = 1

    def __init__(
        self,
        bucket_seconds: int = 60,
        budget_days: float = 30.0,
        timezone: str = "Europe/Rome",
        max_channels: int = 12,
    ) -> None:
        if max_channels < 1:
            raise ValueError(f"max_channels must be at least 1, not {max_channels}")
        self.bucket_seconds = bucket_seconds
        self.budget_days = budget_days
        self.timezone = timezone
        self.max_channels = max_channels
        self.pooled = CrisisDetector(bucket_seconds, budget_days, timezone)
        self.channels: dict[str, CrisisDetector] = {}
        self.threat_budget = BudgetThreshold(bucket_seconds, budget_days, VOLUME_CAP)
        self.opportunity_budget = BudgetThreshold(bucket_seconds, budget_days, VOLUME_CAP)
        self.score = 0.0
        self.opportunity_score = 0.0
        self.start = -1
        self.above_since = -1
        self.held = False
        self.multiplier, self.widening = 1.0, 0.0

    @property
    def threshold(self) -> float:
        """Combined threat scores from here on are alarms."""
        return self.threat_budget.value

    @property
    def opportunity_threshold(self) -> float:
        """Combined opportunity scores from here on are opportunities."""
        return self.opportunity_budget.value

    def step(
        self,
        start: int,
        counts: Mapping[str, Row],
        missing: frozenset[str] = frozenset(),
    ) -> BrandReading:
        """Score a closed bucket of all channels, then learn from it; see ``advance``."""
        everything_down = self.advance(start, counts, missing)
        return self._read(everything_down)

    def advance(
        self,
        start: int,
        counts: Mapping[str, Row],
        missing: frozenset[str] = frozenset(),
    ) -> bool:
        """``step`` without putting the reading together, which costs more than a quiet bucket itself.

        Args:
            start: Epoch seconds (UTC) of the bucket.
            counts: By channel; a channel that is not named had no mentions.
            missing: Channels whose source was down; their counts are ignored.

        Returns:
            Whether every channel was missing.

        Raises:
            ValueError: Impossible counts, or a bucket that is not after the last one; nothing
                has changed then.
        """
        for row in counts.values():
            check_counts(*row)
        if start <= self.start:
            raise ValueError(f"bucket {start} does not come after bucket {self.start}")
        sums, down = self._sort(counts, missing)
        lost = sum(self.channels[name].last_expected for name in down)
        usual = sum(channel.last_expected for channel in self.channels.values())
        blind = bool(missing) and (lost >= SUBSTANTIAL * usual if usual > 0 else not sums)
        self.start = start
        for name, channel in self.channels.items():
            if channel is self.pooled:
                continue  # it takes the sum below
            if name in down:
                channel.skip(start)
            else:
                channel.step(start, *sums.get(name, (0, 0.0, 0.0)))
        if blind:
            self.pooled.skip(start)
        else:
            self.pooled.step(
                start,
                sum(row[0] for row in sums.values()),
                sum(row[1] for row in sums.values()),
                sum(row[2] for row in sums.values()),
                sum(_unread(row) for row in sums.values()),
                rougher=self._beyond(sums, 1),
                kinder=self._beyond(sums, 2),
            )
        everything_down = blind and len(down) == len(self.channels)
        if not everything_down:
            self._combine(start)
        return everything_down

    def pass_idle(self, start: int, most: int) -> list[float]:
        """Take a run of empty buckets at once, as far as that changes nothing but the cost.

        A quiet brand has hours in which nothing is said; this is much cheaper than ``advance`` for each of
        their buckets.

        Args:
            start: Epoch seconds (UTC) of the first bucket.
            most: How many empty buckets follow each other. No source may be missing in them.

        Returns:
            The expected mentions of each bucket taken, at most to the end of the hour. Empty when the next
            bucket must be advanced on its own: it begins an hour, or something is going on.
        """
        parts = self._parts
        buckets = min([part.idle(start, most) for part in parts])
        if (
            buckets == 0
            or start - self.start != self.bucket_seconds
            or start >= self.threat_budget.block_end
            or start >= self.opportunity_budget.block_end
        ):
            return []
        threat, *threats = (part.threat_after(buckets) for part in parts)
        chance, *chances = (part.opportunity_after(buckets) for part in parts)
        if (
            _mean_score(threat, threats) >= self.threat_budget.value
            or _mean_score(chance, chances) >= self.opportunity_budget.value
        ):
            return []
        # Where no volume evidence falls, every score rises, and the last is the largest.
        falling = any(part.volume.evidence > 0 for part in parts)
        taken = [part.pass_idle(start, buckets, every=falling) for part in parts]
        threats_then = _mean_scores([scores for _, scores, _ in taken])
        chances_then = _mean_scores([scores for _, _, scores in taken])
        self.score, self.opportunity_score = threats_then[-1], chances_then[-1]
        self.threat_budget.observe(start, max(threats_then))
        self.opportunity_budget.observe(start, max(chances_then))
        self.start = start + (buckets - 1) * self.bucket_seconds
        self.above_since = -1
        return taken[0][0]

    def skip(self, start: int) -> BrandReading:
        """Every source was down in this bucket."""
        return self.step(start, {}, frozenset(self.channels) or frozenset({OTHER}))

    def _sort(
        self, counts: Mapping[str, Row], missing: frozenset[str]
    ) -> tuple[dict[str, Row], set[str]]:
        """Counts by channel that has a detector, and which of those channels are down."""
        channels = self.channels
        sums: dict[str, Row] = {}
        down = {name for name in missing if name in channels}
        for name in sorted(counts):
            if name in missing:
                continue
            row = counts[name]
            if name not in channels and row[0] > 0 and len(channels) < self.max_channels - 1:
                self._open(name)
            place = name if name in channels else OTHER
            if place == OTHER and OTHER not in channels:
                if row[0] == 0:
                    continue
                self._open(OTHER)
            old = sums.get(place)
            sums[place] = row if old is None else _sum(old, row)
        folded = any(name not in channels for name in missing)
        if folded and OTHER in channels and OTHER not in sums:
            down.add(OTHER)
        return sums, down

    def _open(self, name: str) -> None:
        """Begin to watch a channel, with the brand's usual shares as its prior.

        The first channel is the whole brand: the pooled stream speaks for it until there is a second one.
        """
        if not self.channels:
            self.channels[name] = self.pooled
            return
        for first, channel in self.channels.items():
            if channel is self.pooled:
                self.channels[first] = copy.deepcopy(self.pooled)
        p, q = self.pooled.negative.usual, self.pooled.positive.usual
        n = PRIOR_MENTIONS
        channel = CrisisDetector(
            self.bucket_seconds,
            self.budget_days,
            self.timezone,
            negative_prior=(n * p, n * (1 - p)),
            positive_prior=(n * q, n * (1 - q)),
        )
        channel.expect(self.multiplier, self.widening)
        channel.hold_learning(self.held)
        channel.read_with(self.pooled.negative.rates, self.pooled.positive.rates)
        self.channels[name] = channel

    def _beyond(self, sums: Mapping[str, Row], place: int) -> list[Part]:
        """Mentions of known sentiment, hits and offset of the channels whose usual share is above the brand's."""
        pooled = self.pooled
        brand = pooled.negative.usual if place == 1 else pooled.positive.usual
        found: list[Part] = []
        for name, row in sums.items():
            channel = self.channels[name]
            if channel is pooled or not row[0]:
                continue
            offset = (channel.negative.usual if place == 1 else channel.positive.usual) - brand
            if offset > 0:
                found.append((row[0] - _unread(row), row[place], offset))
        return found

    @property
    def _parts(self) -> tuple[CrisisDetector, ...]:
        """Every detector once, the pooled one first."""
        pooled = self.pooled
        return (pooled, *(part for part in self.channels.values() if part is not pooled))

    def _combine(self, start: int) -> None:
        pooled, *parts = self._parts
        self.score = _mean_score(pooled.score, [part.score for part in parts])
        self.opportunity_score = _mean_score(
            pooled.opportunity_score, [part.opportunity_score for part in parts]
        )
        held = pooled.held
        self.threat_budget.observe(start, self.score, exclude=held)
        self.opportunity_budget.observe(start, self.opportunity_score, exclude=held)
        above = (
            self.score >= self.threat_budget.value
            or self.opportunity_score >= self.opportunity_budget.value
        )
        if not above:
            self.above_since = -1
        elif self.above_since < 0:
            self.above_since = start
        elif start - self.above_since >= HOLD_SECONDS:
            self.absorb()

    def absorb(self) -> None:
        """Accept the level of late as the usual one in every stream."""
        for part in self._parts:
            part.absorb()
        self.above_since = -1

    def rearm(self) -> None:
        """An incident is over: forget its evidence, so that the next alarm rests on new mentions."""
        for part in self._parts:
            part.rearm()
        self.score = self.opportunity_score = 0.0
        self.above_since = -1

    def hold_learning(self, on: bool) -> None:
        """Freeze what is usual while an incident is open, for at most 24 hours."""
        self.held = on
        for part in self._parts:
            part.hold_learning(on)

    @property
    def mentions_per_minute(self) -> float:
        """What is usual over all hours and channels, for the rate class of ``pool``."""
        return self.pooled.profile.total * 60 / self.bucket_seconds

    def expect(self, multiplier: float = 1.0, widening: float = 0.0) -> None:
        """A planned event or a holiday, from the next bucket on until changed."""
        self.multiplier, self.widening = multiplier, widening
        for part in self._parts:
            part.expect(multiplier, widening)

    def read_with(self, negative: Rates, positive: Rates) -> None:
        """How well the classifier tells negatives and positives of this brand, where that was measured."""
        for part in self._parts:
            part.read_with(negative, positive)

    @property
    def last(self) -> BrandReading:
        """The reading of the last bucket."""
        return self._read(self.pooled.last_missing)

    def _read(self, missing: bool) -> BrandReading:
        pooled = self.pooled.last
        channels = {name: channel.last for name, channel in self.channels.items()}
        leading = max(channels, key=lambda name: channels[name].score, default=None)
        applauding = max(channels, key=lambda name: channels[name].opportunity_score, default=None)
        first = channels[leading] if leading else pooled
        cheer = channels[applauding] if applauding else pooled
        threat, chance = self.threat_budget, self.opportunity_budget
        return BrandReading(
            start=self.start,
            score=self.score,
            threshold=threat.value,
            alarm=not missing and self.score >= threat.value,
            opportunity_score=self.opportunity_score,
            opportunity_threshold=chance.value,
            opportunity=not missing and self.opportunity_score >= chance.value,
            polarised=pooled.share_evidence >= POLARISED_NATS
            and pooled.opportunity_share_evidence >= POLARISED_NATS,
            learning=pooled.learning,
            onset=pooled.onset if pooled.score >= first.score else first.onset,
            opportunity_onset=pooled.opportunity_onset
            if pooled.opportunity_score >= cheer.opportunity_score
            else cheer.opportunity_onset,
            chance_days=threat.chance_days(self.score),
            opportunity_chance_days=chance.chance_days(self.opportunity_score),
            new_normal=pooled.new_normal,
            leading=leading,
            opportunity_leading=applauding,
            doubted=tuple(sorted(name for name, one in channels.items() if one.doubted)),
            pooled=pooled,
            channels=channels,
        )

    def counterfactual_mentions(self) -> int | None:
        """Fewest mentions in the last bucket, all channels together, that would still alarm.

        Negatives are taken away from every channel in proportion. None without an alarm.
        """
        parts = self._parts
        if self.score < self.threshold or self.pooled.last_missing:
            return None
        mentions, negative, _ = self.pooled.counts
        low, high = 0, math.ceil(negative)
        while low < high:
            middle = (low + high) // 2
            keep = middle / negative
            scores = [part.score_if(keep) for part in parts]
            if _mean_score(scores[0], scores[1:]) >= self.threshold:
                high = middle
            else:
                low = middle + 1
        return math.ceil(mentions - negative + low)

    def observe(self, bucket: Bucket) -> Score:
        """A bucket of a brand with a single channel, under the common contract."""
        if bucket.missing:
            reading = self.skip(bucket.start)
        else:
            row = (bucket.mentions, bucket.negative, bucket.positive)
            reading = self.step(bucket.start, {OTHER: row})
        return Score(reading.score, reading.threshold, not reading.learning)

    def snapshot(self) -> dict[str, Any]:
        """The whole state as primitives."""
        return {
            "kind": "brand",
            "version": self.VERSION,
            "settings": [self.bucket_seconds, self.budget_days, self.timezone, self.max_channels],
            "state": [
                self.score,
                self.opportunity_score,
                self.start,
                self.above_since,
                self.held,
                self.multiplier,
                self.widening,
            ],
            "threat_budget": self.threat_budget.snapshot(),
            "opportunity_budget": self.opportunity_budget.snapshot(),
            "pooled": self.pooled.snapshot(),
            "channels": {
                name: None if channel is self.pooled else channel.snapshot()
                for name, channel in self.channels.items()
            },
        }

    @classmethod
    def restore(cls, data: dict[str, Any]) -> Self:
        """A detector in the state of a snapshot."""
        check_version(data, "brand", cls.VERSION)
        brand = cls(*data["settings"])
        (
            brand.score,
            brand.opportunity_score,
            brand.start,
            brand.above_since,
            brand.held,
            brand.multiplier,
            brand.widening,
        ) = data["state"]
        brand.threat_budget = BudgetThreshold.restore(data["threat_budget"])
        brand.opportunity_budget = BudgetThreshold.restore(data["opportunity_budget"])
        brand.pooled = CrisisDetector.restore(data["pooled"])
        brand.channels = {
            name: CrisisDetector.restore(channel) if channel else brand.pooled
            for name, channel in data["channels"].items()
        }
        return brand


def _mean_scores(streams: list[list[float]]) -> list[float]:
    """``_mean_score`` of each bucket; the pooled stream first."""
    if len(streams) == 1:
        return streams[0]
    return [_mean_score(pooled, channels) for pooled, *channels in zip(*streams, strict=True)]


def _unread(row: Row) -> int:
    return row[3] if len(row) == 4 else 0


def _sum(one: Row, other: Row) -> Row:
    unread = _unread(one) + _unread(other)
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], unread)


def _mean_score(pooled: float, channels: list[float]) -> float:
    """Log of the weighted mean of e^score: half the pooled stream, half the channels.

    >>> round(_mean_score(10.0, []), 6)
    10.0
    >>> round(_mean_score(10.0, [10.0, 10.0]), 6)
    10.0
    """
    if not channels:
        return pooled
    top = max(pooled, *channels)
    rest = sum(math.exp(score - top) for score in channels) / len(channels)
    mean = POOLED_WEIGHT * math.exp(pooled - top) + (1 - POOLED_WEIGHT) * rest
    return top + math.log(mean)
