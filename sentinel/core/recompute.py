"""An alert recomputed from its bundle: the same figures, minute by minute, and what would have changed them.

What lives here: pure functions from a bundle to figures. What does not: recording (``evidence``), printing
(``sentinel/commands/explain.py``).
"""

from __future__ import annotations

import math

import msgspec

from detectors.combine import BrandReading
from detectors.crisis import Reading
from sentinel.core.evidence import Bundle, Input, evidence_of
from sentinel.core.flow import Counts
from sentinel.core.windows import BUCKET_SECONDS
from sentinel.errors import SnapshotError
from sentinel.model import Direction, Evidence


class Minute(msgspec.Struct, frozen=True):
    """One row of the table: a minute, what came, what was expected, and the running score in nats.

    Of empty minutes that were taken at once there is the last.
    """

    start: int
    mentions: int
    negative: int
    positive: int
    expected: float
    score: float
    threshold: float
    missing: bool = False


class Stream(msgspec.Struct, frozen=True):
    """What one channel (or all of them together, ``name`` empty) added in the last minute, in nats."""

    name: str
    expected: float
    usual_share: float
    share_evidence: float
    volume_evidence: float
    score: float


class Counterfactual(msgspec.Struct, frozen=True):
    """Of the negatives (or positives) since the onset, how few would still have raised the alarm.

    Attributes:
        had: How many there were.
        needed: With fewer than these the same minute would not have alarmed.
        score: The score with one fewer, in nats.
    """

    had: int
    needed: int
    score: float


class Recomputed(msgspec.Struct, frozen=True):
    """What a bundle gives.

    Attributes:
        rows: From a little before the onset to the alarm.
        streams: All channels together first, then the channels, the strongest first.
        timezone: The audience's, as the detector knew it.
        differences: Field, stored and recomputed figure, where they are not the same.
    """

    evidence: Evidence
    rows: tuple[Minute, ...]
    streams: tuple[Stream, ...]
    counterfactual: Counterfactual | None
    timezone: str
    differences: tuple[tuple[str, str, str], ...]


def recompute(bundle: Bundle, stored: Evidence) -> Recomputed:
    """Run the detector again over what it was told.

    Raises:
        SnapshotError: The bundle cannot be run: damaged, or recorded by another version of the detectors.
    """
    threat = bundle.direction is Direction.THREAT
    rows: list[Minute] = []
    detector = bundle.detector()
    try:
        for told in bundle.inputs:
            told.tell(detector)
            if told.kind not in {"minute", "idle", "skip"}:
                continue
            rows.append(
                Minute(
                    detector.start,
                    *_sums(told),
                    round(detector.pooled.last_expected, 3),
                    round(detector.score if threat else detector.opportunity_score, 4),
                    round(detector.threshold if threat else detector.opportunity_threshold, 4),
                    detector.pooled.last_missing,
                )
            )
        if not rows:
            raise SnapshotError("the evidence bundle holds no minute")
        whole = Counts(start=bundle.at - bundle.window_seconds)
        for row in bundle.rows:
            whole.include(row)
        evidence = evidence_of(
            detector, bundle.direction, bundle.at, (bundle.window_seconds, whole)
        )
        counterfactual = _counterfactual(bundle)
    except (ValueError, ArithmeticError, LookupError) as error:
        raise SnapshotError(f"the evidence bundle cannot be run: {error}") from error
    return Recomputed(
        evidence,
        tuple(rows),
        _streams(bundle, detector.last),
        counterfactual,
        detector.timezone,
        _differences(stored, evidence),
    )


def _sums(told: Input) -> tuple[int, int, int]:
    rows = [row for name, row in told.counts.items() if name not in told.missing]
    return sum(n[0] for n in rows), sum(n[1] for n in rows), sum(n[2] for n in rows)


def _streams(bundle: Bundle, reading: BrandReading) -> tuple[Stream, ...]:
    threat = bundle.direction is Direction.THREAT

    def one(name: str, of: Reading) -> Stream:
        score = of.score if threat else of.opportunity_score
        share = of.share_evidence if threat else of.opportunity_share_evidence
        return Stream(
            name,
            round(of.expected, 3),
            round(of.usual_negative_share if threat else of.usual_positive_share, 4),
            round(share, 4),
            round(score - share, 4),
            round(score, 4),
        )

    channels = [one(name, of) for name, of in reading.channels.items()]
    return (one("", reading.pooled), *sorted(channels, key=lambda row: (-row.score, row.name)))


def _counterfactual(bundle: Bundle) -> Counterfactual | None:
    """Take posts in the direction away since the onset, the latest last, until the alarm is gone.

    The others stay, and so does everything before the onset. The score never rises when a post is taken away, so
    that halving finds the number.
    """
    place = 1 if bundle.direction is Direction.THREAT else 2
    first = math.floor(bundle.onset / BUCKET_SECONDS) * BUCKET_SECONDS
    had = sum(
        row[place] for told in bundle.inputs if told.start >= first for row in told.counts.values()
    )
    fires, score = _fires(bundle, first, place, had)
    if not fires or not had:
        return None
    low, high = 0, had
    while low < high:
        middle = (low + high) // 2
        if _fires(bundle, first, place, middle)[0]:
            high = middle
        else:
            low = middle + 1
    if low > 0:
        score = _fires(bundle, first, place, low - 1)[1]
    return Counterfactual(had, low, round(score, 4))


def _fires(bundle: Bundle, first: int, place: int, keep: int) -> tuple[bool, float]:
    """Whether the last minute alarms when only the first ``keep`` posts in the direction since ``first`` were there."""
    detector = bundle.detector()
    left = keep
    for told in bundle.inputs:
        if told.start < first or told.kind != "minute":
            told.tell(detector)
            continue
        counts: dict[str, list[int]] = {}
        for name in sorted(told.counts):
            row = list(told.counts[name])
            gone = max(0, row[place] - left)
            left = max(0, left - row[place])
            row[0] -= gone
            row[place] -= gone
            counts[name] = row
        Input("minute", told.start, counts, told.missing).tell(detector)
    if bundle.direction is Direction.THREAT:
        return detector.score >= detector.threshold, detector.score
    return detector.opportunity_score >= detector.opportunity_threshold, detector.opportunity_score


def _differences(stored: Evidence, again: Evidence) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (name, _shown(getattr(stored, name)), _shown(getattr(again, name)))
        for name in Evidence.__struct_fields__
        if getattr(stored, name) != getattr(again, name)
    )


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
