"""CrisisDetector: watches one stream and says, bucket by bucket, how much evidence there is.

Threat = evidence that the negative share has risen + at most 3 nats of evidence that there are
more mentions than expected, and what of that evidence goes beyond the stream's own harmless virality. Opportunity is the same with the positive share. The parts are in ``share``, ``volume``,
``profile``, ``silence`` and ``calibration``; how a bucket passes through them is here. Incidents,
severities and words for people are not: those belong to the service.
"""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from detectors.base import Bucket, PureScoring, Score, check_counts, check_version
from detectors.calibration import BudgetThreshold
from detectors.profile import HOUR, Profile
from detectors.share import LEARNING_MENTIONS, Part, Rates, ShareDetector
from detectors.silence import FORGIVE_SECONDS, HOLD_NATS, silence_nats
from detectors.volume import LEVEL_SD, Collapse, GrowthBank, Level

VOLUME_CAP = 3.0  # nats: what harmless virality leaves of the evidence in a count
VIRALITY_LEAST = 8.0  # nats: no stream's harmless virality is taken for less
VIRALITY_BLOCKS = 112  # four weeks of blocks, before a stream's virality is taken for known
MAJORITY = 0.5  # harmless virality is not mostly negative, which is what unknown virality goes by
MAJORITY_SDS = 1.645  # beyond what comes of chance
KINDS = NEGATIVE, POSITIVE = 1, 2  # places in ``recent``
WINDOW = 15  # buckets in the window that people read
LEARNING_DAYS = 7
HOLD_SECONDS = 24 * 3600  # learning is frozen at most this long, then the level is absorbed
RECENT_BUCKETS = 720.0  # memory of the counts that an absorbed level is taken from
GAP_BUCKETS = 10_080  # a longer gap counts as this long


class Reading(NamedTuple):
    """What a detector saw in the last bucket, in figures that a sentence can be made of.

    Shares are fractions, evidence and scores are nats, times are epoch seconds (UTC). The window
    is the last 15 buckets that were not missing.
    """

    start: int
    mentions: int
    negative: float
    positive: float
    expected: float  # mentions per bucket
    window_mentions: float
    window_expected: float
    window_negative: float
    window_positive: float
    usual_negative_share: float
    usual_positive_share: float
    share_evidence: float
    volume_evidence: float  # uncapped
    score: float
    threshold: float
    opportunity_share_evidence: float
    opportunity_score: float
    opportunity_threshold: float
    learning: bool  # fewer than 7 days or 300 mentions
    onset: int | None  # where the winning statistic last left zero: the change-point estimate
    opportunity_onset: int | None
    silence_evidence: float
    chance_days: float | None  # by chance about once in this many days
    opportunity_chance_days: float | None
    missing: bool
    doubted: bool  # zeros for too long to be believed: scores and what is usual are held
    collapse_evidence: float  # that far fewer mentions come than is usual
    collapse_onset: int | None
    new_normal: bool  # in this bucket a lasting change was accepted as the new usual

    @property
    def alarm(self) -> bool:
        """Whether the threat score reaches its threshold."""
        return not self.missing and self.score >= self.threshold

    @property
    def opportunity(self) -> bool:
        """Whether the opportunity score reaches its threshold."""
        return not self.missing and self.opportunity_score >= self.opportunity_threshold


class CrisisDetector(PureScoring):
    """Threats and opportunities in one stream of counts, at a false-alarm budget.

    Args:
        bucket_seconds: Length of a bucket; the settings are meant for 60.
        budget_days: At most one false alarm in about this many days.
        timezone: The audience's time zone (IANA name), for the hour of the week.
        negative_prior: Pseudo-counts (negative, other) that the usual share starts from.
        positive_prior: The same for the positive share.

    >>> detector = CrisisDetector(60, 30, "Europe/Rome")
    >>> for minute in range(3 * 1440):
    ...     score = detector.step(minute * 60, 5, minute % 5 == 0, 1)
    >>> score < detector.threshold
    True
    >>> for minute in range(3 * 1440, 3 * 1440 + 15):
    ...     score = detector.step(minute * 60, 10, 8, 1)
    >>> score > detector.threshold
    True
    >>> (detector.last.onset - 3 * 86400) // 60
    0
    """

    VERSION = 5
    __slots__ = (
        "_hold_exhausted",
        "_new_normal",
        "above_since",
        "after_gap",
        "bucket_seconds",
        "collapse",
        "counts",
        "first_start",
        "gap_expected",
        "held",
        "held_since",
        "hour",
        "last_expected",
        "last_missing",
        "last_start",
        "level",
        "negative",
        "opportunity_budget",
        "opportunity_score",
        "positive",
        "profile",
        "recent",
        "score",
        "seen",
        "silence",
        "silence_missed",
        "silence_since",
        "threat_budget",
        "unread",
        "virality",
        "volume",
        "widening",
        "window",
    )

    def __init__(
        self,
        bucket_seconds: int = 60,
        budget_days: float = 30.0,
        timezone: str = "Europe/Rome",
        *,
        negative_prior: tuple[float, float] = (2.0, 8.0),
        positive_prior: tuple[float, float] = (2.0, 8.0),
    ) -> None:
        self.bucket_seconds = bucket_seconds
        self.profile = Profile(bucket_seconds, timezone)
        self.level = Level(bucket_seconds)
        self.volume = GrowthBank()
        self.collapse = Collapse()
        self.negative = ShareDetector(
            bucket_seconds, budget_days, direction="negative", prior=negative_prior
        )
        self.positive = ShareDetector(
            bucket_seconds, budget_days, direction="positive", prior=positive_prior
        )
        self.threat_budget = BudgetThreshold(bucket_seconds, budget_days, VOLUME_CAP)
        self.opportunity_budget = BudgetThreshold(bucket_seconds, budget_days, VOLUME_CAP)
        self.virality = BudgetThreshold(bucket_seconds, budget_days, VOLUME_CAP)
        self.score = 0.0
        self.opportunity_score = 0.0
        self.silence = 0.0  # nats
        self.silence_missed = 0.0  # expected mentions since the last one
        self.silence_since = 0
        self.after_gap = False  # volume evidence that began with a gap's backlog has not gone yet
        self.gap_expected = 0.0  # expected mentions in missing buckets just before this one
        self.hour = -1
        self.first_start = -1
        self.last_start = -1
        self.last_missing = True
        self.last_expected = 0.0
        self.counts = (0, 0.0, 0.0)
        self.unread = 0  # mentions of the last bucket whose sentiment nobody knows
        self.seen = 0.0  # mentions ever, up to LEARNING_MENTIONS
        self.window: list[tuple[float, float, float, float]] = []
        # mentions, negative, positive, expected, unread; decayed
        self.recent = (0.0, 0.0, 0.0, 0.0, 0.0)
        self.held = False
        self.held_since = -1
        self._hold_exhausted = False
        self.above_since = -1
        self.widening = 0.0
        self._new_normal = False

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = type(self).__new__(type(self))
        for name in CrisisDetector.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.profile = self.profile.__deepcopy__(memo)
        twin.level = copy.copy(self.level)
        twin.volume = self.volume.__deepcopy__(memo)
        twin.collapse = copy.copy(self.collapse)
        twin.negative = self.negative.__deepcopy__(memo)
        twin.positive = self.positive.__deepcopy__(memo)
        twin.threat_budget = self.threat_budget.__deepcopy__(memo)
        twin.opportunity_budget = self.opportunity_budget.__deepcopy__(memo)
        twin.virality = self.virality.__deepcopy__(memo)
        twin.window = self.window[:]
        return twin

    # ------------------------------------------------------------ the settings of the moment
    @property
    def threshold(self) -> float:
        """Threat scores from here on are alarms; moves slowly."""
        return self.threat_budget.value

    @property
    def opportunity_threshold(self) -> float:
        """Opportunity scores from here on are opportunities; moves slowly."""
        return self.opportunity_budget.value

    @property
    def new_normal(self) -> bool:
        """True for the one bucket in which a lasting change was accepted as usual."""
        return self._new_normal

    @property
    def learning(self) -> bool:
        """Fewer than 7 days or 300 mentions of history."""
        young = self.last_start - self.first_start < LEARNING_DAYS * 86400
        return self.first_start < 0 or young or self.seen < LEARNING_MENTIONS

    def hold_learning(self, on: bool) -> None:
        """Freeze what is usual while an incident is open.

        The detector itself limits that to 24 hours: then it accepts the level it has seen
        lately as the new usual one, says ``new_normal`` for one bucket and learns again.
        """
        if on and not self.held and not self._hold_exhausted:
            self.held = True
            self.held_since = self.last_start
        elif not on:
            self.held = False
            self._hold_exhausted = False

    def rearm(self) -> None:
        """An incident is over: forget its evidence, keep what is usual."""
        self.negative.clear()
        self.positive.clear()
        self.volume.clear()
        self.score = self.opportunity_score = 0.0
        self.above_since = -1

    def expect(self, multiplier: float = 1.0, widening: float = 0.0) -> None:
        """A planned event or a holiday, from the next bucket on until changed.

        Args:
            multiplier: Factor on the expected mentions; 1 is neutral. The share evidence stays
                as it is, so negatives that break during the event still alarm.
            widening: Added to the overdispersion of the count; 0 is neutral.

        Raises:
            ValueError: Not finite, a multiplier not above 0 or a negative widening.
        """
        if not (0 < multiplier < math.inf and 0 <= widening < math.inf):
            raise ValueError(f"impossible expectation: x{multiplier} widened by {widening}")
        self.profile.multiplier = multiplier
        self.widening = widening

    def read_with(self, negative: Rates, positive: Rates) -> None:
        """How well the classifier tells negatives and positives, from the next bucket on; see ``ShareDetector``."""
        self.negative.read_with(negative)
        self.positive.read_with(positive)

    # ------------------------------------------------------------ one bucket
    def step(
        self,
        start: int,
        mentions: int,
        negative: float,
        positive: float,
        unread: int = 0,
        *,
        rougher: Sequence[Part] = (),
        kinder: Sequence[Part] = (),
    ) -> float:
        """Score a closed bucket, then learn from it; gives the threat score in nats.

        Args:
            start: Epoch seconds (UTC) of the bucket.
            mentions: All mentions in it.
            negative: How many of them are negative.
            positive: How many of them are positive.
            unread: How many of them are of unknown sentiment: they count in the volume and in no share.
            rougher: Of the mentions whose sentiment is known, those of parts that are usually more negative than the
                stream, how many of them are negative, and by how much their usual share is higher.
            kinder: The same for parts that are usually more positive.

        Raises:
            ValueError: Impossible counts, or a bucket that is not after the last one.
        """
        if not (
            negative >= 0
            and positive >= 0
            and unread >= 0
            and negative + positive <= (mentions - unread) * (1 + 1e-9) + 1e-6
            and mentions < math.inf
        ):
            check_counts(mentions, negative, positive, unread)
        season = self._begin(start)
        profile, level = self.profile, self.level
        expected = season * math.exp(level.level)
        self.last_expected = expected
        self.last_missing = False
        self.counts = (mentions, negative, positive)
        self.unread = unread
        to_read = expected * self.read_share  # judged from earlier buckets only
        self._remember(mentions, negative, positive, season, expected)
        if self._holds_for_silence(start, mentions, expected):
            profile.doubt()
            self._watch_collapse(start, mentions, season)
            return self.score  # missing is not zero: everything is held
        learn = not self.held
        volume = self._volume(start, mentions, expected)
        if volume == 0.0 and level.backlog == 0.0:
            self.after_gap = False
        self.virality.observe(start, volume, exclude=self.held)
        read = mentions - unread
        threat = self.negative.update(start, read, negative, to_read, learn=learn, rougher=rougher)
        threat += self._counted(volume, NEGATIVE)
        chance = self.positive.update(start, read, positive, to_read, learn=learn, rougher=kinder)
        chance += self._counted(volume, POSITIVE)
        self.score, self.opportunity_score = threat, chance
        if learn:
            profile.learn(mentions)
        self.threat_budget.observe(start, threat, exclude=self.held)
        self.opportunity_budget.observe(start, chance, exclude=self.held)
        self._watch_collapse(start, mentions, season)
        if not self.held and self._collapse_is_lasting(start):
            self._accept_level()
        if threat < self.threat_budget.value and chance < self.opportunity_budget.value:
            self.above_since = -1
        elif self.above_since < 0:
            self.above_since = start
        elif start - self.above_since >= HOLD_SECONDS:
            self.absorb()
        return threat

    def _watch_collapse(self, start: int, mentions: int, season: float) -> None:
        if self.profile.knows_the_day:
            # Against the season, since the level would follow it. What was planned and fails to come is no collapse.
            usual = min(season, self.profile.current)
            self.collapse.update(start, mentions, usual, self._collapse_phi)

    def _collapse_is_lasting(self, at: int) -> bool:
        """Whether it has gone on for a day, in a stream whose week is known."""
        young = at - self.first_start < LEARNING_DAYS * 86400
        return 0 <= self.collapse.lasting <= at - HOLD_SECONDS and not young

    @property
    def _collapse_phi(self) -> float:
        return self.level.phi + LEVEL_SD**2 + self.widening

    def _counted(self, evidence: float, kind: int, without: float = 0.0) -> float:
        """What of the volume's evidence counts towards a score, in nats.

        Up to the cap always. Beyond it only what exceeds this stream's own harmless virality, once four weeks of it
        were seen, and only while the share of that kind is not below its usual one: attention alone is no threat.
        Before that, only what exceeds the least virality, and only for threats while most of what is said is negative.
        Nor right after a gap: more may come back than was owed, until the evidence has once been gone.
        ``without`` so many mentions of that kind, for "what if".
        """
        counted = min(VOLUME_CAP, evidence)
        if evidence <= VIRALITY_LEAST or self.after_gap:
            return counted
        if not self._virality_known:
            if kind == NEGATIVE and self._mostly_negative(without):
                counted += max(0.0, evidence - VIRALITY_LEAST)
            return counted
        usual = (self.negative if kind == NEGATIVE else self.positive).usual
        if self.recent[kind] - without >= usual * (self.recent[0] - without):
            counted += max(0.0, evidence - max(VIRALITY_LEAST, self.virality.value))
        return counted

    @property
    def _virality_known(self) -> bool:
        return self.virality.blocks >= VIRALITY_BLOCKS

    def _mostly_negative(self, without: float) -> bool:
        """Whether most of what was said in the window is negative, and not less than usual, leaving out so many negatives."""
        mentions = sum(row[0] for row in self.window) - without
        negative = sum(row[1] for row in self.window) - without
        chance = MAJORITY_SDS * math.sqrt(MAJORITY * (1 - MAJORITY) * max(0.0, mentions))
        return negative >= max(MAJORITY * mentions + chance, self.negative.usual * mentions)

    def idle(self, start: int, most: int) -> int:
        """How many empty buckets from ``start`` on ``pass_idle`` may take at once; 0: ``step`` the next.

        They lie in the running hour and block, nothing is held or owed, no score can reach a threshold, and no
        silence is doubted on the way.
        """
        profile, level = self.profile, self.level
        left = (profile.hour_start + HOUR - start) // self.bucket_seconds
        buckets = min(most, left)
        if (
            buckets < 1
            or start - self.last_start != self.bucket_seconds
            or profile.hour_start != self.hour
            or start >= self.threat_budget.block_end
            or start >= self.opportunity_budget.block_end
            or start >= self.virality.block_end
            or self.held
            or self.last_missing
            or profile.multiplier != 1.0
            or level.backlog > 0
            # what is mostly said depends on the window, which an empty minute changes
            or (self.volume.evidence > VIRALITY_LEAST and not self._virality_known)
            or self._collapse_is_lasting(start + HOUR)
            or self.threat_after(buckets) >= self.threat_budget.value
            or self.opportunity_after(buckets) >= self.opportunity_budget.value
        ):
            return 0
        if self.silence_missed > 0 and start - self.silence_since >= FORGIVE_SECONDS:
            return buckets
        busiest = max(profile.previous_cell, profile.this_cell, profile.next_cell)
        # The level only falls, or returns to its mean, while nothing comes.
        missed = self.silence_missed + buckets * busiest * math.exp(max(0.0, level.level))
        return buckets if silence_nats(missed, level.phi) <= HOLD_NATS else 0

    def threat_after(self, idle: int) -> float:
        """What no threat score exceeds in so many further empty buckets: share evidence grows, volume falls."""
        return self.negative.evidence_after(idle) + self._counted(self.volume.evidence, NEGATIVE)

    def opportunity_after(self, idle: int) -> float:
        """The same for opportunity scores."""
        return self.positive.evidence_after(idle) + self._counted(self.volume.evidence, POSITIVE)

    def pass_idle(
        self, start: int, buckets: int, *, every: bool = True
    ) -> tuple[list[float], list[float], list[float]]:
        """``step`` for so many empty buckets in a row, as far as ``idle`` allows, much cheaper.

        Returns:
            Expected mentions of each bucket; its threat scores and its opportunity scores, or the last one alone
            when not ``every`` score is asked for (which is right only while there is no volume evidence).
            Everything is as if each bucket had been stepped, up to the rounding of floating point.
        """
        profile, level = self.profile, self.level
        season = profile.learn_idle(start, buckets)
        if profile.knows_the_day:
            expected = level.idle(season)
            volume = self.volume.idle(expected, level.phi + self.widening)
            self.collapse.idle(start, season, self._collapse_phi)
        else:
            factor = math.exp(level.level)
            expected = [mean * factor for mean in season]
            volume = [0.0] * buckets
        if volume[-1] == 0.0:
            self.after_gap = False
        if self.silence_missed == 0.0:
            self.silence_since = start
        self.silence_missed += sum(expected)
        self.silence = silence_nats(self.silence_missed, level.phi)
        share = self.read_share
        to_read = expected if share == 1.0 else [mean * share for mean in expected]
        self.virality.observe(start, max(volume))
        if not every:
            del volume[:-1]
        threat = self.negative.idle(to_read, every=every)
        chance = self.positive.idle(to_read, every=every)
        if volume[0] > 0:
            bad, good = ([self._counted(nats, kind) for nats in volume] for kind in KINDS)
            threat = list(map(operator.add, threat, bad))
            chance = list(map(operator.add, chance, good))
        self.score, self.opportunity_score = threat[-1], chance[-1]
        self.threat_budget.observe(start, max(threat))
        self.opportunity_budget.observe(start, max(chance))
        keep = 1 - 1 / RECENT_BUCKETS
        kept = keep**buckets
        usual = self.recent[3]
        for mean in season:
            usual = usual * keep + mean
        mentions, negative, positive, _, unread = self.recent
        self.recent = (mentions * kept, negative * kept, positive * kept, usual, unread * kept)
        self.window += [(0, 0.0, 0.0, mean) for mean in expected[-WINDOW:]]
        del self.window[:-WINDOW]
        self.last_start = start + (buckets - 1) * self.bucket_seconds
        self.last_expected = expected[-1]
        self.counts = (0, 0.0, 0.0)
        self.unread = 0
        self.above_since = -1
        self._new_normal = False
        return expected, threat, chance

    def _volume(self, start: int, mentions: float, expected: float) -> float:
        """Evidence that there are more mentions than expected, in nats."""
        if not self.profile.knows_the_day:
            return 0.0
        level = self.level
        if level.backlog > 0:
            mentions = level.forgive(mentions, expected)
        evidence = self.volume.update(start, mentions, expected, level.phi + self.widening)
        if not self.held:
            level.learn(mentions, expected)
        return evidence

    def _remember(
        self, mentions: int, negative: float, positive: float, season: float, expected: float
    ) -> None:
        """Keep the counts for the window that people read and for the level of late."""
        recent = self.recent
        keep = 1 - 1 / RECENT_BUCKETS
        self.recent = (
            recent[0] * keep + mentions,
            recent[1] * keep + negative,
            recent[2] * keep + positive,
            recent[3] * keep + season,
            recent[4] * keep + self.unread,
        )
        window = self.window
        window.append((mentions, negative, positive, expected))
        if len(window) > WINDOW:
            del window[0]

    def _holds_for_silence(self, start: int, mentions: int, expected: float) -> bool:
        """Whether zeros have gone on for too long to be believed."""
        if mentions > 0:
            owed = self.gap_expected
            if self.silence > HOLD_NATS:
                owed += self.silence_missed
            if owed:
                # a source that was silent returns: its heap of old mentions is no news
                self.level.owe(owed)
                self.after_gap = True
                self.gap_expected = 0.0
            self.silence = self.silence_missed = 0.0
            if self.seen < LEARNING_MENTIONS:
                self.seen += mentions
            return False
        if self.silence_missed == 0.0:
            self.silence_since = start
        self.silence_missed += expected
        self.silence = silence_nats(self.silence_missed, self.level.phi)
        return self.silence > HOLD_NATS and start - self.silence_since < FORGIVE_SECONDS

    def skip(self, start: int) -> None:
        """The source was down in this bucket: statistics held, nothing learnt or scored."""
        season = self._begin(start)
        self.last_missing = True
        self.last_expected = season * math.exp(self.level.level)
        self.counts = (0, 0.0, 0.0)
        self.unread = 0
        self._owe_gap(season)

    def _begin(self, start: int) -> float:
        """Turn the clock; gives the seasonal expectation of the bucket."""
        self._new_normal = False
        last = self.last_start
        if last < 0:
            self.first_start = start
        elif start <= last:
            raise ValueError(f"bucket {start} does not come after bucket {last}")
        else:
            buckets = (start - last) // self.bucket_seconds - 1
            if buckets > 0:
                self._owe_gap(self.last_expected * min(buckets, GAP_BUCKETS))
        season = self.profile.expect(start)
        self.last_start = start
        if self.profile.hour_start != self.hour:
            self.hour = self.profile.hour_start
            self.level.retune(season)
        if self.held:
            if self.held_since < 0:
                self.held_since = start
            elif start - self.held_since >= HOLD_SECONDS:
                self.absorb()
        return season

    def _owe_gap(self, expected: float) -> None:
        self.gap_expected += expected

    def absorb(self) -> None:
        """Accept the level of late as the usual one and start the statistics afresh."""
        if self.held:
            self.held = False
            self._hold_exhausted = True
        mentions, negative, positive, _, unread = self.recent
        self.negative.absorb(negative, mentions - unread)
        self.positive.absorb(positive, mentions - unread)
        self._accept_level()
        self.above_since = -1

    def _accept_level(self) -> None:
        """The number of mentions of late is the usual one from now on."""
        mentions, expected = self.recent[0], self.recent[3]
        self.profile.shift(math.log((mentions + 5) / (expected + 5)))
        self.level.level = 0.0
        self.volume.clear()
        self.collapse.clear()
        self._new_normal = True

    # ------------------------------------------------------------ what it says
    @property
    def doubted(self) -> bool:
        """Whether zeros have gone on for too long to be believed, so that everything is held."""
        if self.silence <= HOLD_NATS or self.last_missing:
            return False
        return self.last_start - self.silence_since < FORGIVE_SECONDS

    @property
    def read_share(self) -> float:
        """The part of the mentions of late whose sentiment is known; 1 before there are any."""
        mentions, unread = self.recent[0], self.recent[4]
        return (mentions - unread + 1.0) / (mentions + 1.0)

    @property
    def last(self) -> Reading:
        """The reading of the last bucket."""
        window = self.window
        threat = self.threat_budget
        chance = self.opportunity_budget
        mentions, negative, positive = self.counts
        return Reading(
            start=self.last_start,
            mentions=mentions,
            negative=negative,
            positive=positive,
            expected=self.last_expected,
            window_mentions=sum(row[0] for row in window),
            window_expected=sum(row[3] for row in window),
            window_negative=sum(row[1] for row in window),
            window_positive=sum(row[2] for row in window),
            usual_negative_share=self.negative.usual,
            usual_positive_share=self.positive.usual,
            share_evidence=self.negative.evidence,
            volume_evidence=self.volume.evidence,
            score=self.score,
            threshold=threat.value,
            opportunity_share_evidence=self.positive.evidence,
            opportunity_score=self.opportunity_score,
            opportunity_threshold=chance.value,
            learning=self.learning,
            onset=_onset(self.negative, self.volume),
            opportunity_onset=_onset(self.positive, self.volume),
            silence_evidence=self.silence,
            chance_days=threat.chance_days(self.score),
            opportunity_chance_days=chance.chance_days(self.opportunity_score),
            missing=self.last_missing,
            doubted=self.doubted,
            collapse_evidence=self.collapse.evidence,
            collapse_onset=self.collapse.onset if self.collapse.evidence > 0 else None,
            new_normal=self._new_normal,
        )

    def counterfactual_mentions(self) -> int | None:
        """The fewest mentions in the last bucket that would still have raised the alarm.

        "Would not have fired below 37": negatives are taken away, the other mentions of the
        bucket stay. None when the last bucket did not alarm.
        """
        mentions, negative, _ = self.counts
        if self.last_missing or self.score < self.threshold:
            return None
        low, high = 0, math.ceil(negative)
        while low < high:
            middle = (low + high) // 2
            if self.score_if(middle / negative) >= self.threshold:
                high = middle
            else:
                low = middle + 1
        return math.ceil(mentions - negative + low)

    def score_if(self, keep: float) -> float:
        """The threat score, had the last bucket held only this part (0..1) of its negatives."""
        if self.last_missing or self.silence > HOLD_NATS:
            return self.score
        mentions, negative, _ = self.counts
        left = mentions - negative + negative * keep
        volume = self.volume.evidence_if(left) if self.volume.evidence else 0.0
        counted = self._counted(volume, NEGATIVE, negative * (1 - keep))
        return self.negative.evidence_if(keep) + counted

    def observe(self, bucket: Bucket) -> Score:
        """Score a bucket, then learn from it: ``step`` or ``skip`` under the common contract."""
        if bucket.missing:
            self.skip(bucket.start)
        else:
            self.step(bucket.start, bucket.mentions, bucket.negative, bucket.positive)
        return Score(self.score, self.threshold, not self.learning)

    # ------------------------------------------------------------ its state
    def snapshot(self) -> dict[str, Any]:
        """The whole state as primitives."""
        data: dict[str, Any] = {"kind": "crisis", "version": self.VERSION}
        for name in CrisisDetector.__slots__:
            value = getattr(self, name)
            if hasattr(value, "snapshot"):
                value = value.snapshot()
            elif name == "window":
                value = [list(row) for row in value]
            elif isinstance(value, tuple):
                value = list(value)
            data[name] = value
        return data

    @classmethod
    def restore(cls, data: dict[str, Any]) -> Self:
        """A detector in the state of a snapshot."""
        check_version(data, "crisis", cls.VERSION)
        detector = cls.__new__(cls)
        for name in CrisisDetector.__slots__:
            value = data[name]
            if name in PARTS:
                value = PARTS[name].restore(value)
            elif name == "window":
                value = [tuple(row) for row in value]
            elif isinstance(value, list):
                value = tuple(value)
            setattr(detector, name, value)
        return detector


PARTS: dict[str, Any] = {
    "profile": Profile,
    "level": Level,
    "volume": GrowthBank,
    "collapse": Collapse,
    "negative": ShareDetector,
    "positive": ShareDetector,
    "threat_budget": BudgetThreshold,
    "opportunity_budget": BudgetThreshold,
    "virality": BudgetThreshold,
}


def _onset(share: ShareDetector, bank: GrowthBank) -> int | None:
    """The change point of whichever statistic contributes more; None when neither does."""
    share_onset = share.onset
    if share_onset and share.evidence >= min(VOLUME_CAP, bank.evidence):
        return share_onset
    return bank.onset or share_onset or None
