"""The Numenta Anomaly Benchmark's score for detectors of counts, written from its published definition; and what a user would get.

Definition: Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms - the Numenta Anomaly Benchmark" (2015), arXiv 1510.03336, and the
scoring of version 1.1 at github.com/numenta/NAB. Data is not here: give a checkout, or any folder with ``data/**/*.csv`` (timestamp, value)
and ``labels/combined_windows.json`` ({"folder/file.csv": [[first, last], ...]}); ``labels/combined_labels.json`` (times of events) is
needed only for the service measure.

In short: the first detection inside a window earns up to 1, more the earlier it is; a window without one costs; each detected point outside
costs, little just after a window and fully far from any. The first 15 % of a series (750 points at most) are not scored. 0 is a silent
detector, 100 a perfect one. NAB chooses the threshold on what it scores; ``leave_one_out`` does not, and ``fixed`` is what a user gets.
"""

from __future__ import annotations

import csv
import json
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

PROBATION_SHARE, PROBATION_POINTS = 0.15, 750
BUDGETS = (0.1, 0.25, 0.5, 1.0)  # false alerts a series and week
WEEK_SECONDS = 7 * 86400
GAP_SECONDS = 3600  # detections closer than this are one alert
EARLY_SECONDS, LATE_SECONDS = 1800, 3600  # an alert so near to an event has caught it
CUTS = (0.3, 0.6, 0.9)  # where the causal check cuts a series


class NabError(Exception):
    """The folder does not hold what it should; says which file."""


class Profile(NamedTuple):
    """Costs of an application profile: a missed window, a detected point outside; a hit earns 1."""

    miss: float
    false: float


PROFILES = {
    "standard": Profile(1.0, 0.11),
    "low_FP": Profile(1.0, 0.22),
    "low_FN": Profile(2.0, 0.11),
}


def sigmoid(position: float) -> float:
    """NAB's value of a detection at a position in window widths: near 1 long before the end of a window, 0 at it, -1 far after."""
    return -1.0 if position > 3 else 2 / (1 + math.exp(5 * position)) - 1


FIRST_POINT = sigmoid(-1.0)  # earned at a window's first point; the unit of a hit


@dataclass(frozen=True)
class Series:
    """One labelled series.

    Attributes:
        name: Its path under ``data``.
        times: Epoch seconds of the points, ascending but for a clock set back.
        values: The counts.
        windows: First and last point of each labelled window, in order.
        events: Epoch seconds of the labelled events; empty without labels of events.
    """

    name: str
    times: tuple[float, ...]
    values: tuple[float, ...]
    windows: tuple[tuple[int, int], ...]
    events: tuple[float, ...] = ()

    @property
    def probation(self) -> int:
        """Points at the beginning that are not scored."""
        return min(math.floor(PROBATION_SHARE * len(self.values)), PROBATION_POINTS)

    @cached_property
    def worth(self) -> list[tuple[float, int]]:
        """For each point, what a detection there is worth (before a profile's costs) and its window's number, -1 outside."""
        out: list[tuple[float, int]] = []
        number, windows = 0, self.windows
        for point in range(len(self.values)):
            while number < len(windows) and point > windows[number][1]:
                number += 1
            if number < len(windows) and point >= windows[number][0]:
                first, last = windows[number]
                width = last - first + 1
                out.append((sigmoid((point - last - 1) / width) / FIRST_POINT, number))
            elif number == 0:
                out.append((-1.0, -1))
            else:
                first, last = windows[number - 1]
                out.append((sigmoid((point - last) / max(1, last - first)), -1))
        return out


Scores = Sequence[float]
Scorer = Callable[[Series], Scores]


class Operating(NamedTuple):
    """What a threshold gives: earnings of hits, hits, and the (negative) sum of what points outside are worth."""

    threshold: float
    earned: float
    hits: int
    outside: float


class Sweep:
    """A set of series at every threshold.

    Args:
        series: The series.
        scores: Anomaly scores of each, a point each, under its name.
    """

    def __init__(self, series: Iterable[Series], scores: Mapping[str, Scores]) -> None:
        points: list[tuple[float, float, tuple[str, int] | None]] = []
        self.windows = 0
        scorable: set[tuple[str, int]] = set()
        for one in series:
            self.windows += len(one.windows)
            rows = zip(scores[one.name], one.worth, strict=True)
            for score, (value, number) in list(rows)[one.probation :]:
                window = (one.name, number) if number >= 0 else None
                points.append((score, value, window))
                if window:
                    scorable.add(window)
        self.scorable = len(scorable)  # a window within the probation cannot be missed
        self.table = self._walk(sorted(points, key=lambda point: -point[0]))

    @staticmethod
    def _walk(points: list[tuple[float, float, tuple[str, int] | None]]) -> list[Operating]:
        table = [Operating(math.inf, 0.0, 0, 0.0)]
        best: dict[tuple[str, int], float] = {}
        earned = outside = 0.0
        for k, (score, value, window) in enumerate(points):
            if window is None:
                outside += value
            elif value > best.get(
                window, -math.inf
            ):  # the earliest detection has the highest value
                earned += value - best.get(window, 0.0)
                best[window] = value
            if k + 1 == len(points) or points[k + 1][0] < score:
                table.append(Operating(score, earned, len(best), outside))
        return table

    def raw(self, at: Operating, profile: Profile) -> float:
        return at.earned - profile.miss * (self.scorable - at.hits) + profile.false * at.outside

    def best(self, profile: Profile) -> Operating:
        """The threshold with the highest score."""
        return max(self.table, key=lambda at: self.raw(at, profile))

    def at(self, threshold: float) -> Operating:
        """Points with a score of at least the threshold are detections."""
        k = bisect_left([-row.threshold for row in self.table], -threshold)
        exact = k < len(self.table) and self.table[k].threshold == threshold
        return self.table[k if exact else k - 1]

    def score(self, at: Operating, profile: Profile) -> float:
        """On NAB's scale; NaN without windows."""
        return normalised(self.raw(at, profile), self.scorable, self.windows, profile)


def normalised(raw: float, scorable: int, windows: int, profile: Profile) -> float:
    """0 for a silent detector, 100 for a perfect one; NaN without windows."""
    if not windows:
        return math.nan
    silent = -profile.miss * scorable
    return 100 * (raw - silent) / (windows - silent)


def leave_one_out(
    series: Sequence[Series],
    pick: Callable[[Sequence[Series]], Mapping[str, Scores]],
    profile: Profile,
) -> float:
    """Score when each series is judged at a threshold (and with scores) chosen on the others.

    Args:
        series: At least two.
        pick: Scores of all series, given those on which settings may be chosen.
        profile: The costs.
    """
    raw, scorable, windows = 0.0, 0, 0
    for one in series:
        others = [other for other in series if other is not one]
        scores = pick(others)
        threshold = Sweep(others, scores).best(profile).threshold
        alone = Sweep([one], scores)
        raw += alone.raw(alone.at(threshold), profile)
        scorable += alone.scorable
        windows += alone.windows
    return normalised(raw, scorable, windows, profile)


# ------------------------------------------------------------ the service measure
class Service(NamedTuple):
    """What a team would live through at a threshold."""

    threshold: float
    caught: int
    events: int
    false_per_week: float


def service(series: Sequence[Series], scores: Mapping[str, Scores], threshold: float) -> Service:
    """Events with an alert from half an hour before to an hour after, and alerts outside every window a series and week."""
    caught = false = 0
    seconds = 0.0
    for one in series:
        alerts = _alerts(one, scores[one.name], threshold)
        inside = [any(first <= k <= last for first, last in one.windows) for k in alerts]
        false += inside.count(False)
        times = [one.times[k] for k in alerts]
        caught += sum(
            any(event - EARLY_SECONDS <= at <= event + LATE_SECONDS for at in times)
            for event in one.events
        )
        seconds += one.times[-1] - one.times[one.probation]
    events = sum(len(one.events) for one in series)
    return Service(threshold, caught, events, false * WEEK_SECONDS / seconds)


def _alerts(one: Series, scores: Scores, threshold: float) -> list[int]:
    """Points at which somebody is told: detections more than an hour after the last one told."""
    out: list[int] = []
    for k in np.flatnonzero(np.asarray(scores) >= threshold).tolist():
        told = out and one.times[k] - one.times[out[-1]] <= GAP_SECONDS
        if k >= one.probation and not told:
            out.append(k)
    return out


def service_at_budgets(
    series: Sequence[Series], scores: Mapping[str, Scores]
) -> dict[str, Service | None]:
    """The most events caught within each budget of false alerts, thresholds chosen on the same series; None if none fits."""
    values = sorted(s for one in series for s in scores[one.name][one.probation :] if s > 0)
    # Few points reach a threshold that matters, so the ranks are close together at the top.
    ranks = np.geomspace(1, len(values), 400).astype(int).tolist() if values else []
    rows = [service(series, scores, value) for value in sorted({values[-k] for k in ranks})]
    out: dict[str, Service | None] = {}
    for budget in BUDGETS:
        fits = [row for row in rows if row.false_per_week <= budget]
        out[f"{budget:g}"] = (
            max(fits, key=lambda row: (row.caught, -row.false_per_week)) if fits else None
        )
    return out


# ------------------------------------------------------------ data
def read(folder: Path, part: str = "realTweets") -> list[Series]:
    """The labelled series of a folder.

    Args:
        folder: A checkout of NAB, or another folder of the same layout.
        part: Only series below this folder of ``data``, if it has any; otherwise all.

    Raises:
        NabError: A file is missing or not of the expected form.
    """
    windows = _labels(folder, "combined_windows.json")
    events = _labels(folder, "combined_labels.json", needed=False)
    names = sorted(windows)
    chosen = [name for name in names if name.startswith(part + "/")] or names
    return [_series(folder, name, windows[name], events.get(name, [])) for name in chosen]


def _labels(folder: Path, name: str, *, needed: bool = True) -> dict[str, Any]:
    path = folder / "labels" / name
    if not needed and not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NabError(f"{path}: {error}") from error
    if not isinstance(found, dict):
        raise NabError(f"{path}: not an object of file names")
    return found


def _series(folder: Path, name: str, windows: Any, events: Any) -> Series:
    path = folder / "data" / name
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = [
                (_epoch(row["timestamp"]), float(row["value"])) for row in csv.DictReader(handle)
            ]
        index = {at: k for k, (at, _) in enumerate(rows)}
        edges = tuple((index[_epoch(first)], index[_epoch(last)]) for first, last in windows)
        moments = tuple(_epoch(event) for event in events)
    except (OSError, ValueError, TypeError) as error:
        raise NabError(f"{path}: {error}") from error
    except KeyError as error:
        raise NabError(f"{path}: no column or no point {error}") from error
    times, values = zip(*rows, strict=True) if rows else ((), ())
    return Series(name, times, values, edges, moments)


def _epoch(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


# ------------------------------------------------------------ judging
def is_causal(series: Sequence[Series], scorer: Scorer, scores: Mapping[str, Scores]) -> bool:
    """Whether series that are cut short give the same scores up to the cut."""
    for one in series:
        for cut in CUTS:
            upto = int(len(one.values) * cut)
            short = Series(one.name, one.times[:upto], one.values[:upto], ())
            if list(scorer(short)) != list(scores[one.name][:upto]):
                return False
    return True


def judge(
    series: Sequence[Series], scores: Mapping[str, Scores], fixed: float | None
) -> dict[str, Any]:
    """All figures of one detector.

    Args:
        series: What to judge on.
        scores: Of each series.
        fixed: The detector's own threshold, if it has one.
    """
    sweep = Sweep(series, scores)
    out: dict[str, Any] = {"profiles": {}}
    for name, profile in PROFILES.items():
        best = sweep.best(profile)
        cell: dict[str, Any] = {"optimised": sweep.score(best, profile), "hits": best.hits}
        if len(series) > 1:
            cell["leave_one_out"] = leave_one_out(series, lambda _: scores, profile)
        if fixed is not None:
            cell["fixed"] = sweep.score(sweep.at(fixed), profile)
        out["profiles"][name] = cell
    out["windows"] = sweep.windows
    if any(one.events for one in series):
        curve = service_at_budgets(series, scores)
        out["service"] = {key: row and row._asdict() for key, row in curve.items()}
        if fixed is not None:
            out["service_fixed"] = service(series, scores, fixed)._asdict()
    return out
