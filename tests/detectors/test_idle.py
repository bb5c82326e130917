"""Runs of empty buckets: taken at once they leave what stepping them one by one leaves."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest

from detectors import BrandDetector
from tests.detectors.streams import DAY, MINUTE, MONDAY

Row = dict[str, tuple[int, float, float]]


def sparse(days: int, a_day: float, seed: int, channels: tuple[str, ...]) -> Iterator[Row]:
    """Minutes of a brand that is seldom spoken of; empty where nothing came."""
    rng = random.Random(seed)
    for _ in range(days * 1440):
        row: Row = {}
        if rng.random() < a_day / 1440:
            n = 1 + (rng.random() < 0.2)
            bad = sum(rng.random() < 0.3 for _ in range(n))
            row[rng.choice(channels)] = (n, bad, (n - bad) * 0.5)
        yield row


def differing(one: Any, other: Any, place: str = "") -> Iterator[str]:
    """Places at which two snapshots differ by more than rounding."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            yield from differing(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for n, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differing(left, right, f"{place}[{n}]")
    elif isinstance(one, float) and isinstance(other, float):
        if not math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9):
            yield f"{place}: {one} {other}"
    elif one != other:
        yield f"{place}: {one} {other}"


def run_idle(brand: BrandDetector, start: int, rows: list[Row]) -> int:
    """Feed rows, runs of empty ones at once where the brand lets that be; how many were taken so."""
    taken, place = 0, 0
    while place < len(rows):
        most = next((n for n, row in enumerate(rows[place:]) if row), len(rows) - place)
        idle = len(brand.pass_idle(start + place * MINUTE, most)) if most else 0
        if not idle:
            brand.advance(start + place * MINUTE, rows[place])
        taken += idle
        place += idle or 1
    return taken


@pytest.mark.parametrize(
    ("a_day", "channels"),
    [(0.3, ("news",)), (5.0, ("news",)), (40.0, ("news", "forum")), (400.0, ("news", "forum"))],
)
def test_idle_runs_leave_the_state_that_stepping_leaves(
    a_day: float, channels: tuple[str, ...]
) -> None:
    rows = list(sparse(40, a_day, 7, channels))
    stepped, idled = BrandDetector(), BrandDetector()
    for place, row in enumerate(rows):
        stepped.advance(MONDAY + place * MINUTE, row)
    taken = run_idle(idled, MONDAY, rows)
    assert taken > 0.5 * sum(not row for row in rows)
    assert list(differing(stepped.snapshot(), idled.snapshot())) == []


def test_a_silence_is_doubted_and_later_believed_as_when_stepped() -> None:
    rows = list(sparse(12, 60.0, 3, ("news",)))
    rows += [{} for _ in range(6 * 1440)]
    rows += list(sparse(2, 60.0, 4, ("news",)))
    stepped, idled = BrandDetector(), BrandDetector()
    for place, row in enumerate(rows):
        stepped.advance(MONDAY + place * MINUTE, row)
    run_idle(idled, MONDAY, rows)
    assert list(differing(stepped.snapshot(), idled.snapshot())) == []


def test_a_run_ends_with_the_hour_and_begins_after_its_first_bucket() -> None:
    brand = BrandDetector()
    brand.advance(MONDAY, {"news": (1, 0, 0)})
    assert len(brand.pass_idle(MONDAY + MINUTE, 500)) == 59
    assert brand.pass_idle(MONDAY + 60 * MINUTE, 500) == []


def test_nothing_is_passed_over_that_could_alarm_or_is_held() -> None:
    brand = BrandDetector()
    for place, row in enumerate(sparse(8, 300.0, 5, ("news",))):
        brand.advance(MONDAY + place * MINUTE, row)
    end = MONDAY + 8 * DAY
    for place in range(3):
        brand.advance(end + place * MINUTE, {"news": (12, 11, 0)})
    nervous = copy.deepcopy(brand)
    assert nervous.score > nervous.threshold
    assert nervous.pass_idle(end + 3 * MINUTE, 20) == []
    brand.rearm()
    brand.hold_learning(True)
    assert brand.pass_idle(end + 3 * MINUTE, 20) == []
    brand.hold_learning(False)
    assert len(brand.pass_idle(end + 3 * MINUTE, 10)) == 10


def test_a_gap_or_a_planned_event_is_stepped() -> None:
    brand = BrandDetector()
    brand.advance(MONDAY, {"news": (1, 0, 0)})
    assert brand.pass_idle(MONDAY + 5 * MINUTE, 10) == []
    brand.expect(3.0, 1.0)
    assert brand.pass_idle(MONDAY + MINUTE, 10) == []
    brand.expect(1.0, 0.0)
    brand.skip(MONDAY + MINUTE)
    assert brand.pass_idle(MONDAY + 2 * MINUTE, 10) == []
