"""From the budget to the threshold."""

from __future__ import annotations

import math
import random

import pytest

from detectors.calibration import BLOCK_SECONDS, CEILING, FLOOR, BudgetThreshold


def run(threshold: BudgetThreshold, blocks: int, scale: float = 1.0, seed: int = 1) -> int:
    """Block maxima with an exponential tail; gives how often they reached the threshold."""
    rng, alarms = random.Random(seed), 0
    first = threshold.block_end
    for i in range(blocks):
        score = 5 + scale * rng.expovariate(1.0)
        alarms += score >= threshold.value
        threshold.observe(first + i * BLOCK_SECONDS, score)
    return alarms


def test_it_starts_from_theory() -> None:
    assert BudgetThreshold(60, 30, 3.0).value == pytest.approx(math.log(43_200) + 3)


def test_ten_times_the_budget_costs_a_logarithm() -> None:
    difference = BudgetThreshold(60, 300).value - BudgetThreshold(60, 30).value
    assert difference == pytest.approx(math.log(10))


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("budget_days", [10.0, 30.0])
def test_the_budget_is_kept_on_average(scale: float, budget_days: float) -> None:
    alarms, days = 0, 0.0
    for seed in range(60):
        threshold = BudgetThreshold(60, budget_days, 3.0)
        run(threshold, 112, scale, seed)
        alarms += run(threshold, 240, scale, seed + 1000)
        days += 60
    assert 0.3 < alarms / days * budget_days < 1.5


def test_a_larger_budget_of_days_never_lowers_the_threshold() -> None:
    values = []
    for budget_days in (5, 15, 30, 90):
        threshold = BudgetThreshold(60, budget_days, 3.0)
        run(threshold, 200)
        values.append(threshold.value)
    assert sorted(values) == values


def test_blocks_with_an_open_incident_are_left_out() -> None:
    calm, troubled = BudgetThreshold(60, 30), BudgetThreshold(60, 30)
    run(calm, 120)
    run(troubled, 120)
    for i in range(12):
        troubled.observe(troubled.block_end + i * BLOCK_SECONDS, 40.0, exclude=True)
    run(calm, 40, seed=2)
    run(troubled, 40, seed=2)
    assert troubled.value == pytest.approx(calm.value, abs=0.3)


def test_one_crisis_that_nobody_reported_does_not_blind_it() -> None:
    threshold = BudgetThreshold(60, 30, 3.0)
    run(threshold, 120)
    before = threshold.value
    threshold.observe(threshold.block_end, 40.0)
    run(threshold, 20, seed=3)
    assert threshold.value < before + 1.0


def test_it_stays_between_floor_and_ceiling() -> None:
    low, high = BudgetThreshold(60, 30), BudgetThreshold(60, 30)
    for i in range(400):
        low.observe(i * BLOCK_SECONDS, 0.0)
        high.observe(i * BLOCK_SECONDS, 1000.0)
    assert FLOOR == low.value
    assert low.value < high.value <= CEILING


def test_chance_is_unknown_in_the_first_week_and_for_common_scores() -> None:
    threshold = BudgetThreshold(60, 30)
    run(threshold, 20)
    assert threshold.chance_days(30.0) is None
    run(threshold, 100)
    assert threshold.chance_days(5.0) is None


def test_a_score_at_the_threshold_comes_about_once_in_the_budget() -> None:
    threshold = BudgetThreshold(60, 30)
    run(threshold, 480)
    at = threshold.chance_days(threshold.value)
    assert at is not None
    assert 20 < at < 90
    rarer = threshold.chance_days(threshold.value + 2)
    assert rarer is not None
    assert rarer > 3 * at


@pytest.mark.parametrize("budget_days", [0.0, -3.0, math.nan])
def test_a_budget_that_is_none_is_refused(budget_days: float) -> None:
    with pytest.raises(ValueError, match="budget_days"):
        BudgetThreshold(60, budget_days)
