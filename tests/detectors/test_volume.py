"""The growth bank and the level filter."""

from __future__ import annotations

import math
import random

import pytest

from detectors.volume import EVIDENCE_LIMIT, GrowthBank, Level
from tests.detectors.streams import MINUTE, poisson


def fill(bank: GrowthBank, counts: list[float], mean: float, start: int = 0) -> list[float]:
    return [bank.update(start + i * MINUTE, n, mean, 0.1) for i, n in enumerate(counts)]


@pytest.mark.parametrize("factor", [2, 4, 10, 40])
def test_a_step_is_found_and_a_larger_one_sooner(factor: int) -> None:
    evidence = fill(GrowthBank(), [10 * factor] * 40, 10)
    assert max(evidence) > 10
    assert fill(GrowthBank(), [20 * factor] * 5, 10)[-1] >= evidence[4]


def test_a_growing_crisis_is_found() -> None:
    counts = [10 * (1 + 0.2 * 2 ** (minute / 12)) for minute in range(40)]
    assert fill(GrowthBank(), counts, 10)[-1] > 8


def test_background_gives_little_and_the_evidence_returns_to_zero() -> None:
    rng, bank = random.Random(1), GrowthBank()
    fill(bank, [100.0] * 10, 10)
    quiet = fill(bank, [poisson(rng, 10) for _ in range(3000)], 10, 10**6)
    assert quiet.count(0.0) > 500
    assert sorted(quiet)[-300] < 4


def test_a_quiet_day_saves_up_nothing_against_a_later_rise() -> None:
    rng, bank = random.Random(4), GrowthBank()
    fill(bank, [poisson(rng, 10) for _ in range(500)], 10)
    assert min(bank.cusum) >= 0


def test_fewer_than_expected_is_no_evidence_of_growth() -> None:
    assert [0.0] * 50 == fill(GrowthBank(), [3.0] * 50, 10)


def test_evidence_is_limited() -> None:
    bank = GrowthBank()
    assert max(fill(bank, [10.0**7] * 50, 1)) == EVIDENCE_LIMIT


def test_overdispersion_makes_the_same_count_say_less() -> None:
    tame, wild = GrowthBank(), GrowthBank()
    assert wild.update(0, 40, 10, 1.0) < tame.update(0, 40, 10, 0.05)


def test_the_onset_is_where_the_winning_hypothesis_left_zero() -> None:
    bank = GrowthBank()
    fill(bank, [5.0] * 20, 10)
    assert 0 == bank.onset
    fill(bank, [60.0] * 5, 10, start=20 * MINUTE)
    assert 20 * MINUTE == bank.onset


def test_what_if_agrees_with_what_was() -> None:
    bank = GrowthBank()
    evidence = fill(bank, [20.0, 25.0, 30.0], 10)[-1]
    assert bank.evidence_if(30.0) == pytest.approx(evidence)
    assert bank.evidence_if(20.0) < evidence


def test_the_level_follows_slowly_and_comes_back() -> None:
    level = Level(60)
    level.retune(100.0)
    for _ in range(30):
        level.learn(150.0, 100.0 * math.exp(level.level))
    assert 0.05 < level.level < 0.41
    high = level.level
    for _ in range(300):
        level.learn(100.0, 100.0 * math.exp(level.level))
    assert level.level < high / 4


def test_one_absurd_count_moves_the_level_little() -> None:
    level = Level(60)
    level.retune(100.0)
    level.learn(10.0**9, 100.0)
    assert level.level < 0.1


def test_a_backlog_is_set_against_what_was_owed() -> None:
    level = Level(60)
    level.owe(500.0)
    assert 10.0 == level.forgive(400.0, 10.0)
    assert level.forgive(400.0, 10.0) > 250


def test_overdispersion_is_measured() -> None:
    rng, level = random.Random(2), Level(60)
    for i in range(20_000):
        level.learn(poisson(rng, 20 * rng.gammavariate(2.0, 0.5)), 20.0)
        if i % 60 == 0:
            level.retune(20.0)
    assert level.phi == pytest.approx(0.5, abs=0.2)
