"""CountScorer: how unusual is each value of a plain series of counts? For files, strictly online.

For ``sentinel score FILE`` when a file has counts and nothing else; brands with a sentiment are
watched by ``crisis``. The values are variance-stabilised by a square root, compared with an
hour-of-day profile, and averaged over 5, 15 and 60 minutes. How rare a surprise is, is read off a
Pareto tail through the ten largest distinct surprises so far, because z-scores of counts on the
web lie. An anomaly is said once: for most of a day only a clearly larger one is said again.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import Any, Self

from detectors.base import check_version

WINDOWS_SECONDS = (300, 900, 3600)
LEVEL_DAYS = 3.0
SPREAD_DAYS = 14.0
PROFILE_DAYS = 5.0
PROFILE_PSEUDO = 2.0
WINSOR = 4.0  # standard deviations that a value may teach at most
TAIL = 10  # largest surprises that the tail is fitted to
TAIL_GAP_SECONDS = 3600  # surprises closer than this are one
TAIL_SHAPE_PRIOR = (3.0, 2.0)  # exponent and weight
LEARNING_SECONDS = 86400
SUPPRESS_SECONDS = 21 * 3600
SUPPRESS_FACTOR = 1.2
ALERT_DAYS = 7.0  # alert when such a surprise comes by chance at most once in so many days


class CountScorer:
    """Scores one regular series of counts.

    Args:
        bucket_seconds: Distance of two values.
        alert_days: An alert is a surprise that comes by chance once in so many days or less.

    >>> scorer = CountScorer(300)
    >>> for i in range(14 * 288):
    ...     score, alert = scorer.score(i * 300, 20 + i * i % 7)
    >>> alert
    False
    >>> scorer.score(14 * 288 * 300, 900)[1]
    True
    """

    VERSION = 1
    __slots__ = (
        "alert_days",
        "bucket_seconds",
        "cells",
        "emitted",
        "last_start",
        "level",
        "level_count",
        "ring",
        "seen",
        "tail",
        "variances",
        "visits",
    )

    def __init__(self, bucket_seconds: int = 300, alert_days: float = ALERT_DAYS) -> None:
        if bucket_seconds <= 0:
            raise ValueError(f"bucket_seconds must be above 0, not {bucket_seconds}")
        self.bucket_seconds = bucket_seconds
        self.alert_days = alert_days
        self.level = 0.0
        self.level_count = 0
        self.cells = [0.0] * 24
        self.visits = [0.0] * 24
        self.ring: deque[float] = deque(maxlen=max(self._lengths()))
        self.variances = [1.0] * len(WINDOWS_SECONDS)
        self.tail: list[tuple[float, int]] = []  # heap of (surprise, start)
        self.emitted: deque[tuple[int, float]] = deque(maxlen=256)
        self.seen = 0
        self.last_start: int | None = None

    def _lengths(self) -> list[int]:
        return [max(1, round(seconds / self.bucket_seconds)) for seconds in WINDOWS_SECONDS]

    def score(self, start: int, value: float) -> tuple[float, bool]:
        """Score of a value in [0, 1], and whether it is worth an alert; then learns from it.

        Args:
            start: Epoch seconds of the value; after the one before.
            value: The count, at least 0.

        Raises:
            ValueError: The value is no count, or ``start`` is not after the last one.
        """
        if not 0 <= value < math.inf:
            raise ValueError(f"not a count: {value}")
        if self.last_start is not None and start <= self.last_start:
            raise ValueError(f"value at {start} does not come after {self.last_start}")
        self.last_start = start
        root = math.sqrt(value)
        hour = start // 3600 % 24
        cell = self.cells[hour] * self.visits[hour] / (self.visits[hour] + PROFILE_PSEUDO)
        residual = root - self.level - cell if self.level_count else 0.0
        self.ring.append(residual)
        surprise = self._surprise()
        self._learn(hour, root, residual)
        days: float = self._return_days(surprise)
        self._note(start, surprise)
        self.seen += 1
        if self.seen * self.bucket_seconds < LEARNING_SECONDS:
            return 0.0, False
        return self._emit(start, surprise, days)

    def _surprise(self) -> float:
        """Mean of the standardised means over the windows; negative when there are too few."""
        values = list(self.ring)
        total = 0.0
        for k, length in enumerate(self._lengths()):
            part = values[-length:]
            mean = sum(part) / len(part)
            total += mean / math.sqrt(self.variances[k])
            rate = self.bucket_seconds / (SPREAD_DAYS * 86400)
            gain = max(rate, 1 / (self.seen + 2))
            limit = WINSOR * WINSOR * self.variances[k]
            self.variances[k] += gain * (min(mean * mean, limit) - self.variances[k])
            self.variances[k] = max(self.variances[k], 1e-4)
        return total / len(WINDOWS_SECONDS)

    def _learn(self, hour: int, root: float, residual: float) -> None:
        limit = WINSOR * math.sqrt(self.variances[0])
        if self.level_count:
            residual = max(-limit, min(limit, residual))
        else:
            self.level = root
        self.level_count += 1
        gain = max(self.bucket_seconds / (LEVEL_DAYS * 86400), 1 / self.level_count)
        self.level += gain * residual
        per_hour = 3600 / self.bucket_seconds
        self.visits[hour] = min(PROFILE_DAYS, self.visits[hour] + 1 / per_hour)
        self.cells[hour] += residual / (per_hour * max(1.0, self.visits[hour]))

    def _return_days(self, surprise: float) -> float:
        """By chance such a surprise comes once in this many days, by a Pareto tail."""
        tail = sorted((row[0] for row in self.tail), reverse=True)
        observed = self.seen * self.bucket_seconds / 86400
        if len(tail) < 3 or surprise <= 0 or observed <= 0:
            return 0.0
        base = tail[-1]
        if surprise <= base:
            return observed / len(tail) * math.pow(surprise / base, 2)
        shape, weight = TAIL_SHAPE_PRIOR
        logs = sum(math.log(value / base) for value in tail)
        exponent: float = (len(tail) - 1 + weight) / (logs + weight / shape)
        return observed / len(tail) * math.pow(surprise / base, exponent)

    def _note(self, start: int, surprise: float) -> None:
        """Keep the ten largest surprises, one for each hour of excitement."""
        if surprise <= 0:
            return
        for k, (value, when) in enumerate(self.tail):
            if start - when < TAIL_GAP_SECONDS:
                if surprise > value:
                    self.tail[k] = (surprise, start)
                    heapq.heapify(self.tail)
                return
        if len(self.tail) < TAIL:
            heapq.heappush(self.tail, (surprise, start))
        elif surprise > self.tail[0][0]:
            heapq.heapreplace(self.tail, (surprise, start))

    def _emit(self, start: int, surprise: float, days: float) -> tuple[float, bool]:
        while self.emitted and start - self.emitted[0][0] > SUPPRESS_SECONDS:
            self.emitted.popleft()
        before = max((value for _, value in self.emitted), default=0.0)
        if surprise <= 0 or days <= 0 or surprise <= SUPPRESS_FACTOR * before:
            return 0.0, False
        score = days / (days + self.alert_days)
        alert = score >= 0.5
        if alert:
            self.emitted.append((start, surprise))
        return score, alert

    def snapshot(self) -> dict[str, Any]:
        """The whole state as primitives."""
        state = {name: getattr(self, name) for name in CountScorer.__slots__}
        for name in ("cells", "visits", "variances", "ring"):
            state[name] = list(state[name])
        for name in ("tail", "emitted"):
            state[name] = [list(row) for row in state[name]]
        return {"kind": "counts", "version": self.VERSION, "state": state}

    @classmethod
    def restore(cls, data: dict[str, Any]) -> Self:
        """A scorer in the state of a snapshot."""
        check_version(data, "counts", cls.VERSION)
        state = data["state"]
        scorer = cls(state["bucket_seconds"], state["alert_days"])
        for name in CountScorer.__slots__:
            setattr(scorer, name, state[name])
        for name in ("cells", "visits", "variances"):
            setattr(scorer, name, list(state[name]))
        scorer.ring = deque(state["ring"], maxlen=max(scorer._lengths()))
        scorer.tail = [(value, start) for value, start in state["tail"]]
        scorer.emitted = deque([(start, value) for start, value in state["emitted"]], maxlen=256)
        return scorer
