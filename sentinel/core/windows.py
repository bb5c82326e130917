"""Event time: when a minute may be closed, and what lies in the open minutes of a brand.

What lives here: watermarks of the sources (global) and open one-minute buckets (per brand). Scores are in ``streams``.

A minute is closed when every source that is alive has said that it delivered everything up to its end: by its watermark,
or by its configured lateness where it has none. A source that is down or starting holds the minute open for
``hold_seconds``, a lagging one for ``max_wait_seconds``; then the minute is closed without it, and the streams learn which
sources were missing. What comes after that is late: archived, not counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

from sentinel.model import Sighting, SourceState, SourceStatus, Verdict

BUCKET_SECONDS = 60
MILLION = 1_000_000
KEEP_PER_BUCKET = 400
"""Sightings kept per open minute and brand for explanation; counts are exact beyond it."""


class Window(msgspec.Struct, frozen=True):
    """A planned event: from ``start`` to before ``end`` the usual number of mentions is another.

    Attributes:
        multiplier: Factor on the expectation.
        widening: Added to its overdispersion: how unsure the factor is.
        brands: Brand ids; empty for all.
    """

    start: float
    end: float
    multiplier: float = 3.0
    widening: float = 1.0
    brands: tuple[str, ...] = ()
    title: str = ""

    def holds(self, start: float, brand: str) -> bool:
        """Whether it applies to a brand's minute that begins at ``start``."""
        return self.start <= start < self.end and (not self.brands or brand in self.brands)


def planned(windows: Iterable[Window], start: float, brand: str) -> tuple[float, float]:
    """Multiplier and widening of a brand's minute; (1, 0) when nothing is planned.

    Where windows overlap, the strongest multiplier and the largest widening hold: two calendars that know the same
    event must not square it.
    """
    multiplier, widening = 1.0, 0.0
    for window in windows:
        if window.holds(start, brand):
            if abs(math.log(window.multiplier)) > abs(math.log(multiplier)):
                multiplier = window.multiplier
            widening = max(widening, window.widening)
    return multiplier, widening


class Priors(msgspec.Struct, frozen=True, array_like=True):
    """What brands like this one have needed, in nats, and what that is worth in blocks of its own."""

    threat: float
    threat_blocks: float
    opportunity: float
    opportunity_blocks: float


class Tick(msgspec.Struct, frozen=True):
    """One step of the core's clock, complete enough to be replayed by a shard alone.

    Attributes:
        now: The shell's clock, epoch seconds.
        until: All minutes that end at or before this moment are closed.
        down: Sources that delivered nothing for certain in the minutes that this tick closes.
        planned: Events that touch these minutes. They are part of the journal, so that a calendar that changes
            afterwards changes no replay.
        priors: Brand to what its thresholds borrow from brands like it (``borrowing``). On the first tick of a day only.
    """

    now: float
    until: float
    down: tuple[str, ...] = ()
    planned: tuple[Window, ...] = ()
    priors: dict[str, Priors] = {}


class SourceWatch(msgspec.Struct):
    """What is known of one source."""

    lateness: float
    state: SourceState = SourceState.STARTING
    since: float = 0.0
    watermark: float = 0.0
    announced_silent: bool = False


class Watermarks(msgspec.Struct):
    """The state of all sources, and the moment up to which minutes may be closed.

    Attributes:
        hold_seconds: How long a source that is down or starting keeps a minute open.
        max_wait_seconds: How long a lagging one does.
    """

    sources: dict[str, SourceWatch]
    hold_seconds: float = 120.0
    max_wait_seconds: float = 900.0
    closed: float = 0.0

    @classmethod
    def of(cls, lateness: Mapping[str, float], **limits: float) -> Watermarks:
        """Begin with every source starting."""
        return cls({name: SourceWatch(seconds) for name, seconds in lateness.items()}, **limits)

    def report(self, status: SourceStatus) -> bool:
        """Take a source's word about itself; returns whether its state changed."""
        watch = self.sources.get(status.source)
        if watch is None:
            watch = self.sources[status.source] = SourceWatch(lateness=30.0)
        changed = watch.state is not status.state
        if changed:
            watch.state, watch.since = status.state, status.at
        watch.watermark = max(watch.watermark, status.watermark)
        return changed

    def advanced(self, source: str, watermark: float) -> None:
        """A delivery said that everything up to ``watermark`` has come."""
        watch = self.sources.get(source)
        if watch is not None and watermark > watch.watermark:
            watch.watermark = watermark

    def tick(self, now: float) -> Tick | None:
        """The next step of the clock, or None while no further minute may be closed."""
        until = min([now, *(self._ready(watch, now) for watch in self.sources.values())])
        until = math.floor(until / BUCKET_SECONDS) * BUCKET_SECONDS
        if until <= self.closed:
            return None
        down = tuple(
            sorted(
                name for name, watch in self.sources.items() if watch.state is not SourceState.ALIVE
            )
        )
        return Tick(now=now, until=float(until), down=down)

    def _ready(self, watch: SourceWatch, now: float) -> float:
        if watch.state is SourceState.ALIVE:
            mark = watch.watermark or now - watch.lateness
            return max(mark, now - max(self.max_wait_seconds, watch.lateness))
        return max(watch.watermark, now - self.hold_seconds)


class OpenBucket(msgspec.Struct):
    """One open minute of a brand.

    Attributes:
        counts: Channel to [mentions, negative, positive, unread]; unread ones have no sentiment, which is not a neutral one.
        groups: Language to [posts, sum of negative, sum of positive probabilities] of the read ones, the sums in
            millionths: whole numbers add up to the same in any order.
        keys: Identities seen in this minute: a repeat is a duplicate. (A dict, for an order that snapshots keep.)
    """

    counts: dict[str, list[int]] = {}
    groups: dict[str, list[int]] = {}
    keys: dict[str, bool] = {}
    sightings: list[Sighting] = []


class BrandWindows(msgspec.Struct):
    """The open minutes of one brand.

    Attributes:
        closed: Minutes that end at or before this moment are closed; 0 before the first tick.
        channel_sources: Which sources have ever fed a channel.
    """

    closed: float = 0.0
    open: dict[int, OpenBucket] = {}
    channel_sources: dict[str, list[str]] = {}

    def add(self, sighting: Sighting) -> bool:
        """Count a sighting in its minute. Returns False if the minute is closed: it is late.

        A repeated identity within an open minute counts once (and is not late).
        """
        mention = sighting.mention
        start = int(mention.published_at // BUCKET_SECONDS) * BUCKET_SECONDS
        if start < self.closed:
            return False
        bucket = self.open.get(start)
        if bucket is None:
            bucket = self.open[start] = OpenBucket()
        key = f"{mention.source}\0{mention.id}"
        if key in bucket.keys:
            return True
        bucket.keys[key] = True
        counts = bucket.counts.get(mention.channel)
        if counts is None:
            counts = bucket.counts[mention.channel] = [0, 0, 0, 0]
        feeding = self.channel_sources.get(mention.channel)
        if feeding is None:
            self.channel_sources[mention.channel] = [mention.source]
        elif mention.source not in feeding:
            feeding.append(mention.source)
        counts[0] += 1
        _judge(bucket, counts, sighting.verdict)
        if len(bucket.sightings) < KEEP_PER_BUCKET:
            bucket.sightings.append(sighting)
        return True

    def count(self, start: int, channel: str, source: str, counts: tuple[int, int, int]) -> bool:
        """Count (mentions, negative, positive) of which no post is known. Returns False if the minute is closed."""
        if start < self.closed:
            return False
        bucket = self.open.get(start)
        if bucket is None:
            bucket = self.open[start] = OpenBucket()
        row = bucket.counts.setdefault(channel, [0, 0, 0, 0])
        for place, number in enumerate(counts):
            row[place] += number
        feeding = self.channel_sources.setdefault(channel, [])
        if source not in feeding:
            feeding.append(source)
        return True

    def missing(self, down: tuple[str, ...]) -> frozenset[str]:
        """Channels all of whose sources are down."""
        if not down:
            return frozenset()
        gone = set(down)
        return frozenset(
            name for name, feeding in self.channel_sources.items() if gone.issuperset(feeding)
        )


def _judge(bucket: OpenBucket, counts: list[int], verdict: Verdict) -> None:
    """Count what the scorer alone said of a post, if it read it."""
    if not verdict.scored:
        counts[3] += 1
        return
    measured = verdict.measured
    if measured == "negative":
        counts[1] += 1
    elif measured == "positive":
        counts[2] += 1
    group = bucket.groups.get(verdict.language)
    if group is None:
        group = bucket.groups[verdict.language] = [0, 0, 0]
    negative, _, positive = verdict.base or (verdict.negative, 0.0, verdict.positive)
    group[0] += 1
    group[1] += round(negative * MILLION)
    group[2] += round(positive * MILLION)
