"""The figures that tell how good verdicts are."""

import math

import numpy as np
import pytest

from sentinel.language.measures import (
    Measure,
    interval,
    rate,
    sentiment_report,
    share_measures,
    type_measures,
)
from sentinel.language.train import calibrate_types


def verdicts(truth: list[int], sure: float) -> tuple[np.ndarray, np.ndarray]:
    right = np.array(truth, dtype=np.int64)
    table = np.full((len(right), 3), (1 - sure) / 2)
    table[np.arange(len(right)), right] = sure
    return right, table


def test_a_perfect_scorer_gets_the_best_figures():
    report = sentiment_report("m", "it", *verdicts([0, 1, 2] * 100, 1.0), posts=300)

    assert Measure(1.0, 1.0, 1.0) == report.macro_f1 == report.auc_negative == report.share_auc
    assert (1.0, 1.0, 1.0) == tuple(one.value for one in report.f1)
    assert Measure(0.0, 0.0, 0.0) == report.ece == report.share_counted == report.share_corrected


def test_doubt_spoils_the_mean_as_a_level_and_labels_mend_it():
    shares = share_measures(*verdicts([0, 1, 2] * 100, 0.5))

    assert shares.counted == 0.0
    assert shares.error > 0.1
    assert shares.corrected == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("truth", [[0, 0, 0], [1], [0, 2, 2], []])
def test_a_missing_class_leaves_figures_unknown_and_warns_of_nothing(truth):
    report = sentiment_report("m", "it", *verdicts(truth, 0.9), posts=len(truth))

    assert math.isnan(report.share_auc.value)
    assert math.isnan(report.share_auc.low)
    assert math.isnan(report.auc_negative.value) == (len(set(truth)) < 2)
    assert math.isnan(report.macro_f1.value) == (not truth)


def test_an_interval_holds_its_figure_and_narrows_with_more_posts():
    few, many = (interval(n, lambda pick: float((pick % 2).mean())) for n in (40, 4000))

    assert few.low < few.value < few.high
    assert many.high - many.low < (few.high - few.low) / 5


def test_types_are_counted_apart_from_posts_without_one():
    first, among, none = type_measures(
        ["boycott", "boycott", "none", "none"],
        [
            [("boycott", 0.3)],
            [("fake-news", 0.5), ("boycott", 0.2)],
            [("boycott", 0.3)],  # a hint, and "none" is likelier
            [("boycott", 0.6)],
        ],
        "none",
    )

    assert [0.5, 1.0, 0.5] == [one.value for one in (first, among, none) if one]
    assert rate([]) is None


def test_none_of_these_becomes_as_likely_as_it_is():
    """Scores that take both types and none for equally likely, where three posts of four are none."""
    truth = np.array([2, 2, 2, 0, 2, 2, 2, 1] * 50)
    divisor, addition = calibrate_types(np.zeros((400, 3)), truth, np.ones(400))
    powers = np.exp(np.array([0.0, 0.0, addition]))

    assert divisor > 0
    assert 0.75 == pytest.approx(powers[2] / powers.sum(), abs=0.01)


@pytest.mark.parametrize("only", [0, 2])
def test_where_every_post_has_a_type_or_none_has_nothing_is_moved(only):
    assert (1.0, 0.0) == calibrate_types(np.zeros((5, 3)), np.full(5, only), np.ones(5))
