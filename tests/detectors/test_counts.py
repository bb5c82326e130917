"""CountScorer: plain series, strictly online."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import SnapshotVersionError
from detectors.counts import SUPPRESS_SECONDS, CountScorer
from tests.detectors.streams import poisson

STEP = 300


def series(days: int, seed: int = 1, rate: float = 20.0) -> list[int]:
    rng = random.Random(seed)
    return [
        poisson(rng, rate * (1 + 0.6 * math.sin(2 * math.pi * i / 288))) for i in range(days * 288)
    ]


def scores(values: list[int], scorer: CountScorer | None = None) -> list[tuple[float, bool]]:
    scorer = scorer or CountScorer(STEP)
    start = 0 if scorer.last_start is None else scorer.last_start + STEP
    return [scorer.score(start + i * STEP, value) for i, value in enumerate(values)]


def test_an_ordinary_month_alerts_about_as_rarely_as_promised() -> None:
    alerts = sum(alert for _, alert in scores(series(42))[7 * 288 :])
    assert alerts <= 12


def test_a_spike_is_alerted_at_once_and_scored_near_one() -> None:
    scorer = CountScorer(STEP)
    scores(series(14), scorer)
    score, alert = scores([400], scorer)[0]
    assert alert
    assert score > 0.95


def test_the_same_excitement_is_not_alerted_twice_in_a_day_and_a_larger_one_is() -> None:
    scorer = CountScorer(STEP)
    scores(series(14), scorer)
    first = scores([400] * 6 + series(1)[:60] + [400] * 6, scorer)
    assert 1 <= sum(alert for _, alert in first) <= 4
    assert not any(alert for _, alert in first[66:])
    assert scores([4000], scorer)[0][1]
    assert SUPPRESS_SECONDS > 66 * STEP


def test_nothing_is_said_on_the_first_day() -> None:
    assert {(0.0, False)} == set(scores([0] * 200 + [10**6] * 80))


def test_a_constant_and_an_empty_series_are_quiet() -> None:
    for value in (0, 7):
        assert not any(alert for _, alert in scores([value] * 2000))


@settings(max_examples=8, deadline=None)
@given(cut=st.integers(0, 500), seed=st.integers(0, 1000))
def test_a_score_depends_on_the_past_only_and_a_restart_is_invisible(cut: int, seed: int) -> None:
    values = series(2, seed)
    whole = scores(values)
    scorer = CountScorer(STEP)
    assert whole[:cut] == scores(values[:cut], scorer)
    restored = CountScorer.restore(json.loads(json.dumps(scorer.snapshot())))
    assert whole[cut:] == scores(values[cut:], restored)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1e12), max_size=500))
def test_every_score_lies_between_zero_and_one(values: list[float]) -> None:
    scorer = CountScorer(3600)
    for i, value in enumerate(values):
        score, _ = scorer.score(i * 3600, value)
        assert 0 <= score <= 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_what_is_no_count_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not a count"):
        CountScorer().score(0, value)


def test_values_out_of_order_are_refused() -> None:
    scorer = CountScorer()
    scorer.score(300, 1)
    with pytest.raises(ValueError, match="does not come after"):
        scorer.score(300, 1)


def test_a_snapshot_of_something_else_is_a_clear_error() -> None:
    with pytest.raises(SnapshotVersionError):
        CountScorer.restore({"kind": "counts", "version": 2})


def test_memory_does_not_grow() -> None:
    scorer = CountScorer(STEP)
    scores(series(10), scorer)
    before = len(json.dumps(scorer.snapshot()))
    scores(series(30, 2, 200.0), scorer)
    assert len(json.dumps(scorer.snapshot())) < 1.5 * before + 2000
