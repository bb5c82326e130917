"""Which detectors are run over labelled series, and what settings fitted to them would have given. The score itself is in ``nab``.

Sentinel's scorer of plain counts has settings chosen by reason (``detectors.counts``). Fitting three of them to the series shows how much of a
score is luck: "fitted" chooses on the very series, "fitted, leave one out" on the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from river import anomaly

import detectors.counts as counts_module
from benchmarks.detection.methods import WEEK_OF_BINS
from benchmarks.detection.nab import (
    PROFILES,
    Scores,
    Series,
    Sweep,
    is_causal,
    judge,
    leave_one_out,
    read,
)
from detectors.counts import CountScorer

ALERT = 0.5  # the scorer's own alert level
# The grid around the settings chosen by reason, which are in it.
GRID: dict[str, tuple[float, ...]] = {
    "SUPPRESS_SECONDS": (13 * 3600, 21 * 3600, 29 * 3600),
    "SUPPRESS_FACTOR": (1.1, 1.2, 1.4),
    "TAIL": (6, 10, 16),
}


def sentinel_scores(series: Series) -> Scores:
    """What ``sentinel score`` says: strictly online, the interval from the first two points."""
    times = series.times
    scorer = CountScorer(max(1, int(times[1] - times[0])) if len(times) > 1 else 300)
    out, last = [], float("-inf")
    for at, value in zip(times, series.values, strict=True):
        score = scorer.score(int(at), value)[0] if at > last else 0.0
        last = max(last, at)
        out.append(round(score, 8))
    return out


def gaussian_scores(series: Series) -> Scores:
    """river's GaussianScorer over a week, on the counts as they are."""
    make: Any = anomaly.GaussianScorer
    scorer = make(window_size=WEEK_OF_BINS)
    out = []
    for value in series.values:
        out.append(float(scorer.score_one(None, value)))
        scorer.learn_one(None, value)
    return out


def trees_scores(series: Series) -> Scores:
    """river's HalfSpaceTrees with its defaults; the count is squashed with the mean of the past, as its range is not known."""
    trees: Any = anomaly.HalfSpaceTrees(seed=1)
    out, mean = [], 0.0
    for k, value in enumerate(series.values, start=1):
        features = {"count": value / (value + 4 * mean + 1)}
        out.append(float(trees.score_one(features)))
        trees.learn_one(features)
        mean += (value - mean) / k
    return out


SCORERS = {
    "sentinel": ("Sentinel, settings by reason", sentinel_scores, ALERT),
    "gaussian": ("river GaussianScorer, a week", gaussian_scores, None),
    "trees": ("river HalfSpaceTrees", trees_scores, None),
}


@contextmanager
def settings(values: Mapping[str, float]) -> Iterator[None]:
    """The scorer's constants set otherwise for a while: they are no options of the service, on purpose."""
    before = {name: getattr(counts_module, name) for name in values}
    try:
        for name, value in values.items():
            setattr(counts_module, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(counts_module, name, value)


def _grid(series: Sequence[Series]) -> list[tuple[dict[str, float], dict[str, Scores]]]:
    out = []
    for row in itertools.product(*GRID.values()):
        values = dict(zip(GRID, row, strict=True))
        with settings(values):
            out.append((values, {one.name: sentinel_scores(one) for one in series}))
    return out


def fitted(series: Sequence[Series]) -> dict[str, Any]:
    """Standard scores with three settings and the threshold fitted: to the series themselves, and leaving one out."""
    profile, grid = PROFILES["standard"], _grid(series)

    def best(on: Sequence[Series]) -> tuple[float, int]:
        found = []
        for number, (_, scores) in enumerate(grid):
            sweep = Sweep(on, scores)
            found.append((sweep.score(sweep.best(profile), profile), -number))
        return max(found)

    top, number = best(series)
    return {
        "settings_tried": len(grid),
        "optimised": top,
        "settings": grid[-number][0],
        "leave_one_out": leave_one_out(series, lambda others: grid[-best(others)[1]][1], profile),
    }


def run(folder: Path) -> dict[str, Any]:
    """Every scorer over the series of a folder, and what fitting would have given.

    Raises:
        NabError: The folder is not what it should be.
    """
    series = read(folder)
    out: dict[str, Any] = {"series": [one.name for one in series], "scorers": {}}
    for key, (words, scorer, fixed) in SCORERS.items():
        scores = {one.name: scorer(one) for one in series}
        out["scorers"][key] = {
            "words": words,
            "causal": is_causal(series, scorer, scores),
            **judge(series, scores, fixed),
        }
    if len(series) > 1:
        out["fitted"] = fitted(series)
    return out
