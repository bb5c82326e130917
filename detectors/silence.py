"""Is a run of zeros too long to be quiet? Evidence that a source is dead; no alarm on a brand.

With E mentions expected since the last one, a gamma-Poisson stream of overdispersion phi stays
silent with probability (1 + phi E)^(-1/phi), so the evidence is ln(1 + phi E) / phi nats. A brand
alert is never raised from it: ``crisis`` holds its statistics while a silence is implausible, and
the shell raises an alert for operations when several brands or sources fall silent.
"""

from __future__ import annotations

import math
from typing import Any, Self

from detectors.base import Bucket, PureScoring, Score, check_counts, check_version
from detectors.profile import Profile

ALARM_NATS = 11.0  # about one false alarm in 30 days of one-minute buckets
HOLD_NATS = 5.0  # statistics are held from here on
FORGIVE_SECONDS = 72 * 3600  # after which the silence is believed and learnt
PHI = 0.10


def silence_nats(expected: float, phi: float = PHI) -> float:
    """Nats against "alive but quiet" when ``expected`` mentions did not come.

    >>> round(silence_nats(17.6, 0.08), 1)
    11.0
    >>> silence_nats(0.0)
    0.0
    """
    return math.log1p(phi * expected) / phi


class SilenceDetector(PureScoring):
    """Silence of one stream against its own profile.

    >>> detector = SilenceDetector(60, 30, "UTC")
    >>> for minute in range(8 * 1440):
    ...     score = detector.observe(Bucket(minute * 60, 3))
    >>> score.alarm
    False
    >>> for minute in range(8 * 1440, 8 * 1440 + 15):
    ...     score = detector.observe(Bucket(minute * 60, 0))
    >>> score.alarm
    True
    """

    VERSION = 1
    READY_DAYS = 7

    def __init__(
        self,
        bucket_seconds: int = 60,
        budget_days: float = 30.0,
        timezone: str = "UTC",
    ) -> None:
        self.budget_days = budget_days
        self.profile = Profile(bucket_seconds, timezone)
        self.missed = 0.0  # expected mentions since the last one
        self.since = 0  # start of the first bucket of the silence

    @property
    def threshold(self) -> float:
        """Nats of one false alarm per budget."""
        return math.log(self.budget_days * 86400 / self.profile.bucket_seconds)

    def observe(self, bucket: Bucket) -> Score:
        """Score a bucket, then learn from it."""
        check_counts(bucket.mentions, bucket.negative, bucket.positive)
        profile = self.profile
        expected = profile.expect(bucket.start)
        ready = profile.total_buckets >= self.READY_DAYS * 86400 // profile.bucket_seconds
        if not bucket.missing:
            if bucket.mentions > 0:
                self.missed = 0.0
            else:
                if self.missed == 0.0:
                    self.since = bucket.start
                self.missed += expected
            held = silence_nats(self.missed) > HOLD_NATS
            if not held or bucket.start - self.since > FORGIVE_SECONDS:
                profile.learn(bucket.mentions)
            else:
                profile.doubt()
            if bucket.start - self.since > FORGIVE_SECONDS:
                self.missed = min(self.missed, expected)
        value = silence_nats(self.missed) if ready else 0.0
        return Score(value, self.threshold, ready)

    def snapshot(self) -> dict[str, Any]:
        """The whole state as primitives."""
        return {
            "kind": "silence",
            "version": self.VERSION,
            "budget_days": self.budget_days,
            "missed": self.missed,
            "since": self.since,
            "profile": self.profile.snapshot(),
        }

    @classmethod
    def restore(cls, data: dict[str, Any]) -> Self:
        """A detector in the state of a snapshot."""
        check_version(data, "silence", cls.VERSION)
        detector = cls.__new__(cls)
        detector.budget_days = data["budget_days"]
        detector.missed = data["missed"]
        detector.since = data["since"]
        detector.profile = Profile.restore(data["profile"])
        return detector
