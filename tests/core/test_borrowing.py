"""Brands learn from each other what threshold their size needs; a replay is told what was told then."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec
import pytest

from detectors.calibration import BLOCK_SECONDS
from sentinel.core.borrowing import priors
from sentinel.core.evidence import Bundle
from sentinel.core.pipeline import GLOBAL, Core
from sentinel.core.recompute import recompute
from sentinel.core.shard import BrandShard
from sentinel.core.windows import Tick
from sentinel.model import Brand, SourceState, SourceStatus
from tests.core.build import T0, Player, core

BRANDS = tuple(Brand(id=f"b{n}", name=f"Northwind {n}") for n in range(4))
DAY = 86_400


def grown(shard: BrandShard, seed: int, blocks: int = 120) -> None:
    """As if its thresholds had seen so many quiet blocks, before the play begins."""
    rng = Random(seed)
    budgets = (shard.detector.threat_budget, shard.detector.opportunity_budget)
    for block in range(blocks):
        for budget in budgets:
            start = int(T0) // BLOCK_SECONDS * BLOCK_SECONDS - (blocks - block) * BLOCK_SECONDS
            budget.observe(start, 4.0 + rng.expovariate(1.0))
    for budget in budgets:
        budget.observe(int(T0), 0.0)


def built() -> Core:
    made = core(*BRANDS)
    for number in range(3):
        grown(made.shards[f"b{number}"], number)
    return made


def ticks(count: int, step: float) -> Iterator[float]:
    return (T0 + place * step for place in range(1, count + 1))


def live(made: Core, count: int = 30, step: float = 7200.0) -> list[tuple[Tick, bytes]]:
    """Play ticks; each with the state that it left in the last brand."""
    made.source(SourceStatus("feed", SourceState.ALIVE, T0))
    told = []
    for at in ticks(count, step):
        tick = made.tick(at)
        assert tick is not None
        made.advance(tick)
        told.append((tick, made.snapshot("b3")))
    return told


def test_the_first_tick_of_a_day_tells_each_brand_what_the_others_needed() -> None:
    made = built()
    alone = made.shards["b3"].detector.threshold
    told = live(made)
    days = [tick.until // DAY for tick, _ in told]
    expected = [place == 0 or day > days[place - 1] for place, day in enumerate(days)]
    assert expected == [bool(tick.priors) for tick, _ in told]
    assert sum(expected) == 4
    assert made.shards["b3"].detector.threshold < alone


def test_a_brand_alone_borrows_nothing() -> None:
    made = core()
    grown(made.shards["aurora"], 1)
    assert priors(made.shards.values()) == {}


def test_a_brand_is_told_when_nobody_is_left_to_borrow_from() -> None:
    made = built()
    live(made, 2)
    (left,) = priors([made.shards["b3"]]).values()
    assert (left.threat_blocks, left.opportunity_blocks) == (0.0, 0.0)


@pytest.mark.parametrize("cut", [0, 5, 17, 29])
def test_a_brand_replayed_alone_comes_to_the_same_state(cut: int) -> None:
    """Restored from its own snapshot, with nobody else in memory, and told the journal's ticks."""
    told = live(built())
    alone = core(BRANDS[3])
    alone.source(SourceStatus("feed", SourceState.ALIVE, T0))
    alone.restore("b3", told[cut][1])
    for place in range(cut + 1, len(told)):
        tick = msgspec.msgpack.decode(msgspec.msgpack.encode(told[place][0]), type=Tick)
        alone.advance(tick, only=frozenset({"b3"}))
    assert alone.snapshot("b3") == told[-1][1]


def test_a_core_restored_part_by_part_makes_the_same_ticks() -> None:
    straight, broken = built(), built()
    expected = live(straight)
    first = live(broken, 13)
    again = core(*BRANDS)
    again.source(SourceStatus("feed", SourceState.ALIVE, T0))
    for name in (*broken.shards, GLOBAL):
        again.restore(name, broken.snapshot(name))
    assert expected[:13] == first
    for place, at in enumerate(ticks(30, 7200.0)):
        if place >= 13:
            tick = again.tick(at)
            assert tick == expected[place][0]
            assert tick is not None
            again.advance(tick)
            assert again.snapshot("b3") == expected[place][1]


def test_an_alarm_after_borrowing_is_recomputed_to_the_same_figures() -> None:
    player = Player(built(), start=T0 // DAY * DAY + DAY - 3600)
    player.quiet(90, brand="b3")  # over midnight
    assert player.core.shards["b3"].detector.threat_budget.prior.blocks > 0
    player.storm(12, brand="b3")
    effect = next(one for one in player.effects if one.bundle)
    assert effect.incident is not None
    bundle = Bundle.unpack(effect.bundle)
    assert "threat prior" in {told.kind for told in bundle.inputs}
    assert recompute(bundle, effect.incident.evidence).differences == ()
