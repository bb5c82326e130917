"""The recent counts of a brand: windows for sentences, growth, a chart, and how warm a storyline still is.

What lives here: bounded series of closed minutes. Whether they are unusual is the detectors' word.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from sentinel.core.windows import BUCKET_SECONDS
from sentinel.model import Direction, SeriesPoint

MINUTES = 180
HOURS = 48
HOUR = 3600.0
WINDOWS = (900, 3600, 10_800)
ENOUGH = 10


class Counts(msgspec.Struct, array_like=True):
    """Counts of an interval that began at ``start`` (epoch seconds); ``expected`` mentions were usual.

    Attributes:
        expected_negative, expected_positive: What the usual shares make of ``expected``.
        unread: Mentions that no model read.
        groups: Of the read ones, by language: (language, posts, sum of negative, sum of positive probabilities), the
            sums in millionths.
    """

    start: float
    mentions: int = 0
    negative: int = 0
    positive: int = 0
    expected: float = 0.0
    expected_negative: float = 0.0
    expected_positive: float = 0.0
    unread: int = 0
    groups: tuple[tuple[str, int, int, int], ...] = ()

    def toward(self, direction: Direction) -> int:
        """Count in a direction."""
        return self.negative if direction is Direction.THREAT else self.positive

    def usual(self, direction: Direction) -> float:
        """Usual count in a direction."""
        return self.expected_negative if direction is Direction.THREAT else self.expected_positive

    def include(self, other: Counts) -> None:
        """Add another interval's counts."""
        self.mentions += other.mentions
        self.negative += other.negative
        self.positive += other.positive
        self.expected += other.expected
        self.expected_negative += other.expected_negative
        self.expected_positive += other.expected_positive
        self.unread += other.unread
        if other.groups:
            self.groups = _merged(self.groups, other.groups) if self.groups else other.groups


def _merged(
    one: tuple[tuple[str, int, int, int], ...], other: tuple[tuple[str, int, int, int], ...]
) -> tuple[tuple[str, int, int, int], ...]:
    sums = {language: (posts, bad, good) for language, posts, bad, good in one}
    for language, posts, bad, good in other:
        known = sums.get(language, (0, 0, 0))
        sums[language] = (known[0] + posts, known[1] + bad, known[2] + good)
    return tuple((language, *sums[language]) for language in sorted(sums))


class Flow(msgspec.Struct):
    """Closed minutes of the last three hours and hours of the last two days.

    Attributes:
        span_minutes: Memory of the heat: an hour for a busy brand, up to a day for one that is seldom
            spoken of (the time in which three mentions are usual).
        heat: Exponentially weighted rate per minute of negatives and of positives.
    """

    minutes: list[Counts] = []
    hours: list[Counts] = []
    span_minutes: float = 60.0
    heat_negative: float = 0.0
    heat_positive: float = 0.0

    def push(self, counts: Counts) -> None:
        """Take a closed minute in; minutes come in order."""
        if counts.mentions or self.minutes:
            self.minutes.append(counts)
            if len(self.minutes) > MINUTES:
                del self.minutes[0]
        hour = math.floor(counts.start / HOUR) * HOUR
        if self.hours and self.hours[-1].start == hour:
            self.hours[-1].include(counts)
        else:
            fresh = Counts(start=hour)
            fresh.include(counts)
            self.hours.append(fresh)
            if len(self.hours) > HOURS:
                del self.hours[0]
            rate = max(1e-9, sum(one.expected for one in self.hours) / (60 * len(self.hours)))
            self.span_minutes = min(1440.0, max(60.0, 3.0 / rate))
        keep = 1.0 - 1.0 / self.span_minutes
        self.heat_negative = self.heat_negative * keep + counts.negative / self.span_minutes
        self.heat_positive = self.heat_positive * keep + counts.positive / self.span_minutes

    def push_idle(
        self, start: float, expected: Sequence[float], negative: float, positive: float
    ) -> None:
        """``push`` for empty minutes in a row within the hour that the last one began or was in.

        Args:
            start: Epoch seconds of the first.
            expected: Usual mentions of each.
            negative: Usual share of negatives among them.
            positive: Usual share of positives among them.
        """
        if self.minutes:
            self.minutes += [
                Counts(
                    float(start) + place * BUCKET_SECONDS,
                    expected=mentions,
                    expected_negative=mentions * negative,
                    expected_positive=mentions * positive,
                )
                for place, mentions in enumerate(expected)
            ]
            del self.minutes[:-MINUTES]
        hour, whole = self.hours[-1], sum(expected)
        hour.expected += whole
        hour.expected_negative += whole * negative
        hour.expected_positive += whole * positive
        keep = (1.0 - 1.0 / self.span_minutes) ** len(expected)
        self.heat_negative *= keep
        self.heat_positive *= keep

    def heat(self, direction: Direction) -> float:
        """Mentions in a direction during about one span, recent ones weighing more."""
        rate = self.heat_negative if direction is Direction.THREAT else self.heat_positive
        return rate * self.span_minutes

    def usual(self, direction: Direction) -> float:
        """What the heat usually is: from the hour's expectation and the usual share."""
        if not self.hours:
            return 0.0
        last = self.hours[-12:] if self.span_minutes > 120 else self.hours[-1:]
        minutes = sum(one.expected for one in last)
        share = sum(one.usual(direction) for one in last) / minutes if minutes > 0 else 0.0
        covered = sum(60.0 for _ in last[:-1]) + self._minutes_of_hour()
        return share * minutes / max(1.0, covered) * self.span_minutes

    def _minutes_of_hour(self) -> float:
        if not self.minutes:
            return 60.0
        return (self.minutes[-1].start - self.hours[-1].start) / BUCKET_SECONDS + 1

    def window(self, at: float, direction: Direction) -> tuple[int, Counts]:
        """The shortest of 15 minutes, 1 hour, 3 hours and 24 hours before ``at`` with enough in a direction to speak of.

        Returns:
            Its length in seconds and its counts.
        """
        for seconds in WINDOWS:
            counts = _sum(at - seconds, self.minutes)
            if counts.toward(direction) >= ENOUGH:
                return seconds, counts
        return 86_400, _sum(at - 86_400, self.hours)

    def last(self, at: float, seconds: float) -> Counts:
        """Counts of the whole hours in the ``seconds`` before ``at``, and of the one that is not over; two days at most."""
        return _sum(at - seconds, self.hours)

    def rows(self, at: float, seconds: int) -> list[Counts]:
        """The intervals that ``window`` summed up for a window of that length."""
        source = self.minutes if seconds in WINDOWS else self.hours
        return [one for one in source if one.start >= at - seconds]

    def rate(self, at: float, direction: Direction, *, minutes: int = 15, before: int = 0) -> float:
        """Mentions a minute in a direction, over ``minutes`` that ended ``before`` minutes ago."""
        end = at - before * BUCKET_SECONDS
        begin = end - minutes * BUCKET_SECONDS
        total = sum(one.toward(direction) for one in self.minutes if begin <= one.start < end)
        return total / minutes

    def doubling_minutes(self, at: float, direction: Direction) -> float | None:
        """Doubling time of the count in a direction from two adjacent windows of 15 minutes; None if not growing."""
        now = self.rate(at, direction) * 15
        then = self.rate(at, direction, before=15) * 15
        if now < 4 or now <= then:
            return None
        growth = math.log2((now + 0.5) / (then + 0.5))
        return 15.0 / growth if growth > 0.05 else None

    def series(
        self, at: float, since: float, direction: Direction, points: int = 20
    ) -> tuple[SeriesPoint, ...]:
        """At most ``points`` equal intervals from a little before ``since`` up to ``at``, for a chart."""
        coarse = at - since > MINUTES * BUCKET_SECONDS
        source = self.hours if coarse else self.minutes
        unit = HOUR if coarse else float(BUCKET_SECONDS)
        begin = max(since - 5 * unit, source[0].start if source else since)
        step = max(1, math.ceil((at - begin) / unit / points)) * unit
        rows: list[SeriesPoint] = []
        start = at - math.ceil((at - begin) / step) * step
        while start < at and len(rows) < points:
            total = Counts(start=start)
            for one in source:
                if start <= one.start < start + step:
                    total.include(one)
            rows.append(
                SeriesPoint(
                    start, total.mentions, total.toward(direction), round(total.expected, 2)
                )
            )
            start += step
        return tuple(rows)


def _sum(since: float, rows: list[Counts]) -> Counts:
    total = Counts(start=since)
    for one in rows:
        if one.start >= since:
            total.include(one)
    return total
