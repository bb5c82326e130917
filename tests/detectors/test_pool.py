"""What a young brand borrows from others of its size, and how its own blocks come to outweigh it."""

from __future__ import annotations

import json
import math
import random
import statistics

import pytest

from detectors import BrandDetector
from detectors.calibration import BLOCK_SECONDS, BudgetThreshold, Prior, Tail
from detectors.pool import ALIKE_BLOCKS, ThresholdPool, rate_class
from tests.detectors.test_calibration import run

TYPICAL = Tail(6.0, 1.0, 0.1, 200)


def aged(blocks: int, scale: float = 1.0, seed: int = 1) -> BudgetThreshold:
    threshold = BudgetThreshold(60, 30.0, 3.0)
    run(threshold, blocks, scale, seed)
    return threshold


def pool_of(*tails: Tail) -> ThresholdPool:
    pool = ThresholdPool()
    for number, tail in enumerate(tails):
        pool.add(number, 0, tail)
    return pool


def test_a_stream_has_a_tail_after_a_week_and_not_before() -> None:
    assert aged(30).tail is None
    tail = aged(112).tail
    assert tail is not None
    assert tail.blocks >= 100
    assert tail.level(300.0) == pytest.approx(tail.level(30.0) + tail.scale * math.log(10))


def test_without_others_nothing_changes() -> None:
    threshold = aged(20)
    before = threshold.value
    threshold.borrow(pool_of(TYPICAL).prior(0, 0, 30.0))
    assert before == threshold.value


def test_a_young_brand_begins_near_what_others_of_its_class_needed() -> None:
    prior = pool_of(*[TYPICAL] * 20).prior("new", 0, 30.0)
    threshold = BudgetThreshold(60, 30.0, 3.0)
    theory = threshold.value
    threshold.borrow(prior)
    assert prior.level < threshold.value < prior.level + 0.2 * (theory - prior.level)


def test_more_others_weigh_more_and_never_more_than_a_class_can() -> None:
    weights = [pool_of(*[TYPICAL] * n).prior("new", 0, 30.0).blocks for n in (1, 3, 10, 100)]
    assert sorted(weights) == weights
    assert ALIKE_BLOCKS / 3 < weights[0] < weights[-1] < ALIKE_BLOCKS


def test_the_own_blocks_come_to_outweigh_what_was_borrowed() -> None:
    """A brand that needs more than the others: after four months it is hardly heard that they needed less."""
    own = aged(488, scale=2.0)
    needed = own.value
    own.borrow(Prior(6.5, ALIKE_BLOCKS))
    assert needed - own.value < 0.15 * (needed - 6.5)
    young = aged(44, scale=2.0)
    alone = young.value
    young.borrow(Prior(6.5, ALIKE_BLOCKS))
    assert alone - young.value > 0.4 * (alone - 6.5)


def test_one_brand_that_burns_does_not_deafen_the_others() -> None:
    calm = pool_of(*[TYPICAL] * 9).prior("new", 0, 30.0)
    burning = pool_of(*[TYPICAL] * 9, Tail(25.0, 3.0, 0.1, 480)).prior("new", 0, 30.0)
    assert calm.level == burning.level


def test_a_brand_does_not_borrow_from_itself() -> None:
    pool = pool_of(TYPICAL, Tail(20.0, 1.0, 0.1, 200))
    assert pool.prior(0, 0, 30.0).level == Tail(20.0, 1.0, 0.1, 200).level(30.0)
    assert pool.prior(1, 0, 30.0).level == TYPICAL.level(30.0)


def test_the_level_is_the_median_of_the_others() -> None:
    rng = random.Random(5)
    tails = [Tail(rng.choice((5.0, 6.0, 7.0)) + rng.random(), 1.0, 0.1, 200) for _ in range(9)]
    tails.append(tails[3])  # two that are alike
    pool = pool_of(*tails)
    for own in (*range(10), "new"):
        others = [tail.level(30.0) for number, tail in enumerate(tails) if number != own]
        assert pool.prior(own, 0, 30.0).level == pytest.approx(statistics.median(others))


def test_only_brands_of_the_same_rate_class_are_asked() -> None:
    pool = pool_of(TYPICAL)
    assert pool.prior("new", 1, 30.0).blocks == 0.0
    classes = [rate_class(rate) for rate in (0.0, 1e-5, 0.01, 1.0, 100.0, 1e9)]
    assert sorted(classes) == classes
    assert len(set(classes)) == 5


def test_the_order_in_which_brands_are_added_changes_nothing() -> None:
    rng = random.Random(3)
    tails = {n: Tail(5 + rng.random(), 0.5 + rng.random(), 0.1, 200) for n in range(12)}
    priors = set()
    for seed in range(5):
        names = sorted(tails)
        random.Random(seed).shuffle(names)
        pool = ThresholdPool()
        for name in names:
            pool.add(name, 0, tails[name])
        priors.add(pool.prior("new", 0, 14.0))
    assert len(priors) == 1


def test_the_prior_is_for_the_budget_of_the_brand_that_borrows() -> None:
    pool = pool_of(TYPICAL)
    easy, strict = pool.prior("new", 0, 10.0), pool.prior("new", 0, 100.0)
    assert strict.level == pytest.approx(easy.level + math.log(10))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_brands_that_borrow_keep_the_budget_while_they_are_young(seed: int) -> None:
    """Sixty brands whose tails differ, each borrowing from twenty grown ones; from the third day to the 28th."""
    rng = random.Random(seed)

    def scale() -> float:
        return math.exp(rng.gauss(0.0, 0.15))

    pool = ThresholdPool()
    for number in range(20):
        pool.add(number, 0, aged(300, scale(), seed * 1000 + number).tail)
    alarms, level, alone = 0, 0.0, 0.0
    for number in range(60):
        own = scale()
        young, lonely = BudgetThreshold(60, 30.0, 3.0), BudgetThreshold(60, 30.0, 3.0)
        young.borrow(pool.prior("new", 0, 30.0))
        draws = random.Random(seed * 7919 + number)
        for block in range(112):
            score = 5 + own * draws.expovariate(1.0)
            alarms += score >= young.value
            level += young.value
            alone += lonely.value
            for one in (young, lonely):
                one.observe(block * BLOCK_SECONDS, score)
    assert alarms / 60 / 28 * 30 < 1.5
    assert level < alone  # found sooner than without the others


def test_what_was_borrowed_survives_a_restart() -> None:
    brand = BrandDetector()
    brand.threat_budget.borrow(Prior(8.0, 40.0))
    brand.opportunity_budget.borrow(Prior(9.0, 20.0))
    twin = BrandDetector.restore(json.loads(json.dumps(brand.snapshot())))
    assert twin.snapshot() == brand.snapshot()
    assert (brand.threshold, brand.opportunity_threshold) == (
        twin.threshold,
        twin.opportunity_threshold,
    )
    assert brand.threshold < brand.opportunity_threshold < BrandDetector().threshold


@pytest.mark.parametrize(
    "prior", [Prior(math.nan, 1.0), Prior(8.0, -1.0), Prior(8.0, math.inf), Prior(math.inf, 1.0)]
)
def test_a_prior_that_cannot_be_is_refused_and_changes_nothing(prior: Prior) -> None:
    threshold = aged(60)
    before = threshold.snapshot()
    with pytest.raises(ValueError, match="impossible prior"):
        threshold.borrow(prior)
    assert before == threshold.snapshot()
