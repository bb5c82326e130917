"""The expected number of mentions: hour of the week on the audience's wall clock.

168 cells, shrunk towards "this hour on weekdays / at the weekend", which is shrunk towards a
generic waking day at the brand's mean rate. People live by the local clock, so the cells follow
daylight saving; between the middles of two hours the expectation is interpolated.

A slow trend follows shifts of level over days. The fast wander of the level over minutes and
hours is not here but in ``volume``; the planned-event multiplier is applied on top of the
expectation and nothing is learnt while it is not 1.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from detectors.base import check_version

HOUR = 3600
DAY = 86_400
CELLS = 168
WEEKS = 8  # a cell forgets with this many weeks, once it has seen them
PSEUDO_WEEKS = 2.0  # weight of the pooled hour against the cell's own weeks
PSEUDO_MENTIONS = 20.0  # weight of the prior at low counts
TREND_HOURS = 36.0  # time constant of the slow trend
TREND_STEP = 0.7  # one hour moves the trend by at most this much of a log unit, over TREND_HOURS
TREND_LIMIT = 5.0
TOTAL_DAYS = 14.0  # time constant of the mean rate
WINSOR = 5.0  # a bucket teaches at most this multiple of the mean (plus 5 mentions)
HOUR_WINSOR = 3.0  # and an hour at most this multiple of its expectation
DOUBT_DAYS = 2
LEAST = 1e-6  # expected mentions per bucket never fall below this


def _waking_day() -> tuple[float, ...]:
    """Relative rate by hour of a generic day: low before dawn, high from noon to evening."""
    raw = [math.exp(0.55 * math.cos(2 * math.pi * (h + 0.5 - 16.5) / 24)) for h in range(24)]
    mean = sum(raw) / 24
    return tuple(value / mean for value in raw)


WAKING_DAY = _waking_day()


class Profile:
    """Expected mentions per bucket, learnt online.

    >>> profile = Profile(60, "Europe/Rome")
    >>> for minute in range(3 * 1440):
    ...     _ = profile.expect(minute * 60)
    ...     profile.learn(7)
    >>> round(profile.expect(3 * 86400), 1)
    7.0
    """

    VERSION = 1
    __slots__ = (
        "_zone",
        "bucket_seconds",
        "cells",
        "current",
        "doubted_days",
        "expected",
        "hour",
        "hour_buckets",
        "hour_doubted",
        "hour_expected",
        "hour_start",
        "hour_sum",
        "multiplier",
        "next_cell",
        "previous_cell",
        "this_cell",
        "timezone",
        "total",
        "total_buckets",
        "trend",
        "weeks",
        "winsor_limit",
    )

    def __init__(self, bucket_seconds: int, timezone: str) -> None:
        self.bucket_seconds = bucket_seconds
        self.timezone = timezone
        self._zone = ZoneInfo(timezone)
        self.cells = [0.0] * CELLS  # mean mentions per bucket
        self.weeks = [0] * CELLS
        self.total = 0.0  # mean mentions per bucket over all hours
        self.total_buckets = 0
        self.trend = 0.0  # log
        self.multiplier = 1.0  # a planned event, set from outside
        self.hour_start = 0
        self.hour = -1  # cell of the running hour
        self.hour_sum = 0.0
        self.hour_expected = 0.0
        self.hour_buckets = 0
        self.hour_doubted = 0
        self.doubted_days = [0] * 24  # by hour of day: days in a row with a silence too long
        self.previous_cell = self.this_cell = self.next_cell = LEAST
        self.current = LEAST  # expectation of the bucket last asked for, without multiplier
        self.expected = LEAST  # the same with multiplier
        self.winsor_limit = 5.0

    def __deepcopy__(self, memo: dict[int, Any]) -> Profile:
        twin = Profile.__new__(Profile)
        for name in Profile.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.cells = self.cells[:]
        twin.weeks = self.weeks[:]
        twin.doubted_days = self.doubted_days[:]
        return twin

    def expect(self, start: int) -> float:
        """Expected mentions of the bucket that begins at ``start``; call once a bucket, in order."""
        offset = start - self.hour_start
        if not 0 <= offset < HOUR or self.hour < 0:
            self._turn_hour(start)
            offset = start - self.hour_start
        self.current = self._between((offset + 0.5 * self.bucket_seconds) / HOUR)
        self.expected = self.current * self.multiplier
        return self.expected

    def _between(self, position: float) -> float:
        """The expectation at a place (0..1) in the running hour, between the middles of two hours."""
        if position < 0.5:
            return self.previous_cell + (self.this_cell - self.previous_cell) * (position + 0.5)
        return self.this_cell + (self.next_cell - self.this_cell) * (position - 0.5)

    def learn_idle(self, start: int, buckets: int) -> list[float]:
        """Expect and learn empty buckets in a row, all in the running hour; their expectations.

        Only where no event is planned.
        """
        begin, length = start - self.hour_start + 0.5 * self.bucket_seconds, self.bucket_seconds
        season = [self._between((begin + length * place) / HOUR) for place in range(buckets)]
        self.current = self.expected = season[-1]
        self.hour_expected += sum(season)
        self.hour_buckets += buckets
        return season

    def learn(self, mentions: float) -> None:
        """Learn the count of the bucket last asked for; leave out what is missing or held."""
        if self.multiplier != 1.0:
            return  # a planned event says nothing about ordinary weeks
        # a burst must not teach the baseline too much
        self.hour_sum += min(mentions, self.winsor_limit)
        self.hour_expected += self.current
        self.hour_buckets += 1

    def doubt(self) -> None:
        """Note a bucket of a silence too long to be believed, instead of learning it.

        A dead source must not teach zeros; a brand that sleeps at night must. So an hour of the
        day that was silent like that for more than ``DOUBT_DAYS`` days in a row is believed.
        """
        self.hour_doubted += 1

    @property
    def knows_the_day(self) -> bool:
        """Whether a whole day was seen; before that, a surprise may be the time of day."""
        return self.total_buckets * self.bucket_seconds >= DAY

    def shift(self, log_ratio: float) -> None:
        """Accept a new level at once (after a long incident: the new normal)."""
        self.trend = max(-TREND_LIMIT, min(TREND_LIMIT, self.trend + log_ratio))
        self._refresh()

    def _turn_hour(self, start: int) -> None:
        if self.hour >= 0:
            self._close_hour()
        self.hour_start = start - start % HOUR
        self.hour = self._cell(self.hour_start)
        self.hour_sum = self.hour_expected = 0.0
        self.hour_buckets = self.hour_doubted = 0
        self._refresh()

    def _close_hour(self) -> None:
        """Teach the finished hour, if at least half of it was observed."""
        buckets = self.hour_buckets
        if self.hour_doubted:
            day = self.hour % 24
            if self.hour_doubted * self.bucket_seconds * 2 >= HOUR:
                self.doubted_days[day] = min(DOUBT_DAYS, self.doubted_days[day]) + 1
            if self.doubted_days[day] > DOUBT_DAYS:
                buckets += self.hour_doubted
                self.hour_expected += self.hour_doubted * self.current
        elif self.hour_sum > 0:
            self.doubted_days[self.hour % 24] = 0
        if buckets * self.bucket_seconds * 2 < HOUR:
            return
        seen, expected = self.hour_sum, self.hour_expected
        rate = seen / buckets
        self.total_buckets += buckets
        horizon = TOTAL_DAYS * DAY / self.bucket_seconds
        self.total += (rate - self.total) * buckets / min(self.total_buckets, horizon)
        self.winsor_limit = WINSOR * max(self.total, expected / buckets) + 5
        if self.knows_the_day:
            limit = HOUR_WINSOR * expected + 3 * math.sqrt(expected) + 3
            rate = min(seen, limit) / buckets
            ratio = math.log((seen + 2) / (expected + 2))
            gain = max(-TREND_STEP, min(TREND_STEP, ratio)) / TREND_HOURS
            self.trend = max(-TREND_LIMIT, min(TREND_LIMIT, self.trend + gain))
        h = self.hour
        self.weeks[h] = weeks = min(WEEKS, self.weeks[h] + 1)
        # cells hold the rate without the trend, so that the two do not count a shift twice
        self.cells[h] += (rate * math.exp(-self.trend) - self.cells[h]) / weeks

    def _refresh(self) -> None:
        level = math.exp(self.trend)
        start = self.hour_start
        self.previous_cell = max(LEAST, self._estimate(self._cell(start - HOUR)) * level)
        self.this_cell = max(LEAST, self._estimate(self.hour) * level)
        self.next_cell = max(LEAST, self._estimate(self._cell(start + HOUR)) * level)

    def _cell(self, start: int) -> int:
        local = datetime.fromtimestamp(start, self._zone)
        return local.weekday() * 24 + local.hour

    def _estimate(self, cell: int) -> float:
        """Posterior mean of a cell: own weeks, then the pooled hour, then the generic day."""
        day, hour = divmod(cell, 24)
        per_hour = HOUR / self.bucket_seconds
        # one mention an hour before the start: a stream without history is not a stream of zeros
        total = (self.total * self.total_buckets + 1) / (self.total_buckets + per_hour)
        prior = total * math.exp(-self.trend) * WAKING_DAY[hour]
        mentions, buckets = PSEUDO_MENTIONS, PSEUDO_MENTIONS / prior
        for d in range(5) if day < 5 else (5, 6):
            weeks = self.weeks[d * 24 + hour]
            mentions += self.cells[d * 24 + hour] * weeks * per_hour
            buckets += weeks * per_hour
        pooled = mentions / buckets
        weight = PSEUDO_WEEKS * per_hour + PSEUDO_MENTIONS / pooled
        own = self.weeks[cell] * per_hour
        return (self.cells[cell] * own + pooled * weight) / (own + weight)

    def snapshot(self) -> dict[str, Any]:
        """The whole state as primitives."""
        return {
            "kind": "profile",
            "version": self.VERSION,
            "bucket_seconds": self.bucket_seconds,
            "timezone": self.timezone,
            "cells": self.cells[:],
            "weeks": self.weeks[:],
            "doubted_days": self.doubted_days[:],
            "state": [
                self.total,
                self.total_buckets,
                self.trend,
                self.multiplier,
                self.hour_start,
                self.hour,
                self.hour_sum,
                self.hour_expected,
                self.hour_buckets,
                self.hour_doubted,
                self.previous_cell,
                self.this_cell,
                self.next_cell,
                self.current,
                self.expected,
                self.winsor_limit,
            ],
        }

    @classmethod
    def restore(cls, data: dict[str, Any]) -> Profile:
        """A profile in the state of a snapshot."""
        check_version(data, "profile", cls.VERSION)
        profile = cls(data["bucket_seconds"], data["timezone"])
        profile.cells = list(data["cells"])
        profile.weeks = list(data["weeks"])
        profile.doubted_days = list(data["doubted_days"])
        (
            profile.total,
            profile.total_buckets,
            profile.trend,
            profile.multiplier,
            profile.hour_start,
            profile.hour,
            profile.hour_sum,
            profile.hour_expected,
            profile.hour_buckets,
            profile.hour_doubted,
            profile.previous_cell,
            profile.this_cell,
            profile.next_cell,
            profile.current,
            profile.expected,
            profile.winsor_limit,
        ) = data["state"]
        return profile
