"""The figures of an alert, and the bundle from which anybody can recompute them later.

What lives here: ``Evidence`` made from a detector, the recording of what a brand's detector was told of late, and its
replay. What does not: when an alert is raised (``shard``), printing (``sentinel/commands/explain.py``).

A bundle is the detector's state from before the onset and everything it was told since, minute by minute. It holds counts
and no word of any post, so that it outlives the retention of texts and a person's right to be forgotten.
"""

from __future__ import annotations

import zlib
from typing import Literal

import msgspec

from detectors.calibration import Prior
from detectors.combine import BrandDetector
from sentinel.core.flow import Counts
from sentinel.core.windows import MILLION
from sentinel.errors import SnapshotError
from sentinel.model import Direction, Evidence, Group

SEGMENT_STEPS = 60
"""A fresh state is kept this often. Of two, the older one is 60 to 120 minutes old, and more where minutes were idle."""
LEAD_SECONDS = 300.0
"""A bundle begins at least this long before the onset, where the recording reaches back so far."""
BUNDLE_VERSION = 2
MAX_BUNDLE_BYTES = 4_000_000
"""Unpacked size beyond which a stored bundle is taken for damaged."""

Kind = Literal[
    "minute", "idle", "skip", "hold", "rearm", "expect", "threat prior", "opportunity prior"
]


class Input(msgspec.Struct, array_like=True):
    """One thing that a detector was told.

    Attributes:
        start: Epoch seconds of the minute, for ``minute``, ``idle`` and ``skip``.
        counts: Channel to [mentions, negative, positive, unread].
        missing: Channels whose sources were down.
        first, second: For ``hold`` whether (1 or 0), for ``expect`` the multiplier and the widening, for ``idle``
            how many empty minutes were taken at once, for the priors the level in nats and its weight in blocks.
    """

    kind: Kind
    start: int = 0
    counts: dict[str, list[int]] = {}
    missing: list[str] = []
    first: float = 0.0
    second: float = 0.0

    def tell(self, detector: BrandDetector) -> None:
        """Tell it to a detector."""
        match self.kind:
            case "minute":
                detector.advance(
                    self.start,
                    {name: (n[0], n[1], n[2], n[3]) for name, n in self.counts.items()},
                    frozenset(self.missing),
                )
            case "idle":
                self._tell_idle(detector)
            case "skip":
                detector.skip(self.start)
            case "hold":
                detector.hold_learning(bool(self.first))
            case "rearm":
                detector.rearm()
            case "expect":
                detector.expect(self.first, self.second)
            case "threat prior":
                detector.threat_budget.borrow(Prior(self.first, self.second))
            case "opportunity prior":
                detector.opportunity_budget.borrow(Prior(self.first, self.second))

    def _tell_idle(self, detector: BrandDetector) -> None:
        """Minute by minute where the detector does not take them at once: it may have been told something else before."""
        start, end = self.start, self.start + int(self.first) * detector.bucket_seconds
        while start < end:
            taken = len(detector.pass_idle(start, (end - start) // detector.bucket_seconds))
            if not taken:
                detector.advance(start, {})
            start += (taken or 1) * detector.bucket_seconds


class Segment(msgspec.Struct, array_like=True):
    """The detector's packed state at ``start``, and what it was told from then on."""

    start: int
    state: bytes
    inputs: list[Input] = []
    steps: int = 0


class Recording(msgspec.Struct):
    """The last one to two hours of what a detector was told.

    Attributes:
        offset: Added once to the length of the first segment, so that a thousand brands that begin together do not
            all pack their states in the same minute.
    """

    offset: int = 0
    segments: list[Segment] = []

    def tell(self, detector: BrandDetector, told: Input) -> None:
        """Record what comes next, then tell it to the detector."""
        if told.kind in {"minute", "skip"}:
            self._begin(told.start, detector)
        self._note(told)
        told.tell(detector)

    def pass_idle(self, detector: BrandDetector, start: int, most: int) -> list[float]:
        """Record and take empty minutes at once: ``BrandDetector.pass_idle``."""
        before = self.segments[:]
        self._begin(start, detector)
        expected = detector.pass_idle(start, most)
        if expected:
            self._note(Input("idle", start, first=float(len(expected))))
        else:
            self.segments = before
        return expected

    def _begin(self, start: int, detector: BrandDetector) -> None:
        """Keep a fresh state where it is time for one."""
        segments = self.segments
        due = SEGMENT_STEPS + (self.offset if len(segments) == 1 else 0)
        if not segments or segments[-1].steps >= due:
            segments.append(Segment(start, _pack(detector)))
            del segments[:-2]

    def _note(self, told: Input) -> None:
        if self.segments:
            self.segments[-1].inputs.append(told)
            self.segments[-1].steps += told.kind in {"minute", "idle", "skip"}

    def since(self, onset: float) -> tuple[bytes, list[Input]]:
        """State and inputs from a little before ``onset``, or from as far back as is known."""
        if not self.segments:
            return b"", []
        place = max(
            (n for n, one in enumerate(self.segments) if one.start <= onset - LEAD_SECONDS),
            default=0,
        )
        inputs = [told for one in self.segments[place:] for told in one.inputs]
        return self.segments[place].state, inputs


class Bundle(msgspec.Struct):
    """Everything that an alert's figures follow from.

    Attributes:
        at: Close of the minute that raised it.
        state: Packed state of the detector before the first input.
        rows: The closed intervals of the window that the alert's sentence speaks of.
    """

    version: int
    direction: Direction
    at: float
    onset: float
    window_seconds: int
    state: bytes
    inputs: list[Input]
    rows: list[Counts]

    def pack(self) -> bytes:
        """As stored with the alert."""
        return zlib.compress(msgspec.msgpack.encode(self), 6)

    @classmethod
    def unpack(cls, data: bytes) -> Bundle:
        """From the stored form.

        Raises:
            SnapshotError: Damaged, or of a version that this Sentinel does not read.
        """
        try:
            raw = zlib.decompressobj().decompress(data, MAX_BUNDLE_BYTES)
            bundle = msgspec.msgpack.decode(raw, type=Bundle)
        except (zlib.error, msgspec.MsgspecError) as error:
            raise SnapshotError(f"evidence bundle is damaged: {error}") from error
        if bundle.version != BUNDLE_VERSION:
            raise SnapshotError(
                f"evidence bundle has version {bundle.version}; this Sentinel reads {BUNDLE_VERSION}"
            )
        return bundle

    def detector(self) -> BrandDetector:
        """The detector as it was before the first input.

        Raises:
            SnapshotError: The state is damaged or was written by another version of the detectors.
        """
        return _unpack(self.state)


def evidence_of(
    detector: BrandDetector, direction: Direction, at: float, window: tuple[int, Counts]
) -> Evidence:
    """The figures of an alert.

    Args:
        detector: After the minute that ended at ``at``.
        direction: Threat or opportunity.
        at: Epoch seconds.
        window: Length in seconds and counts of the window that the sentence speaks of.
    """
    reading = detector.last
    seconds, counts = window
    pooled, threat = reading.pooled, direction is Direction.THREAT
    read = max(1, counts.mentions - counts.unread)
    share = pooled.share_evidence if threat else pooled.opportunity_share_evidence
    return Evidence(
        at=at,
        window_seconds=seconds,
        mentions=counts.mentions,
        expected=round(counts.expected, 3),
        negative_share=round(counts.negative / read, 4),
        usual_negative_share=round(pooled.usual_negative_share, 4),
        positive_share=round(counts.positive / read, 4),
        usual_positive_share=round(pooled.usual_positive_share, 4),
        score=round(reading.score if threat else reading.opportunity_score, 4),
        threshold=round(reading.threshold if threat else reading.opportunity_threshold, 4),
        share_evidence=round(share, 4),
        volume_evidence=round(pooled.volume_evidence, 4),
        channel=(reading.leading if threat else reading.opportunity_leading) or "",
        chance_days=reading.chance_days if threat else reading.opportunity_chance_days,
        would_not_fire_below=_least(detector, counts.mentions) if threat else None,
        learning=reading.learning,
        polarised=reading.polarised,
        unread=counts.unread,
        groups=tuple(
            Group(
                language,
                posts,
                round(negative / posts / MILLION, 4),
                round(positive / posts / MILLION, 4),
            )
            for language, posts, negative, positive in counts.groups
        ),
    )


def _least(detector: BrandDetector, mentions: int) -> int | None:
    """Mentions in the window under which the last minute would not have raised the alarm; None if it did without that minute."""
    needed = detector.counterfactual_mentions()
    if not needed:
        return None
    return max(1, mentions - detector.last.pooled.mentions + needed)


def _pack(detector: BrandDetector) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(detector.snapshot()), 1)


def _unpack(state: bytes) -> BrandDetector:
    try:
        raw = zlib.decompressobj().decompress(state, MAX_BUNDLE_BYTES)
        return BrandDetector.restore(msgspec.msgpack.decode(raw))
    except (zlib.error, msgspec.MsgspecError, ValueError, KeyError, TypeError, IndexError) as error:
        raise SnapshotError(f"the detector's recorded state cannot be read: {error}") from error
