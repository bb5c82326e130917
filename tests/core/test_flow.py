"""Windows of counts, growth, warmth, and the chart's series."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.flow import HOURS, MINUTES, Counts, Flow
from sentinel.model import Direction
from tests.core.build import T0

HOUR_START = T0 - T0 % 3600


def played(counts: list[int], *, expected: float = 2.0, begin: float = HOUR_START) -> Flow:
    """One minute each: so many mentions, half of them negative, a fifth positive."""
    flow = Flow()
    for number, mentions in enumerate(counts):
        flow.push(
            Counts(
                begin + 60 * number,
                mentions,
                mentions // 2,
                mentions // 5,
                expected,
                expected * 0.2,
                expected * 0.1,
            )
        )
    return flow


def end(flow: Flow) -> float:
    return flow.minutes[-1].start + 60


def test_the_window_is_the_shortest_with_enough_to_speak_of() -> None:
    busy = played([40] * 20)
    assert busy.window(end(busy), Direction.THREAT)[0] == 900
    slow = played([2] * 60)  # one negative a minute: fifteen in a quarter of an hour
    seconds, counts = slow.window(end(slow), Direction.THREAT)
    assert (seconds, counts.negative) == (900, 15)
    rare = played([2 if n % 5 == 0 else 0 for n in range(170)])
    assert rare.window(end(rare), Direction.THREAT)[0] == 3600
    seldom = played([2 if n % 60 == 0 else 0 for n in range(1400)])
    seconds, counts = seldom.window(HOUR_START + 1400 * 60, Direction.THREAT)
    assert seconds == 86_400
    assert counts.negative == 24


def test_a_window_has_the_rows_that_it_sums_up() -> None:
    flow = played([4] * 200)
    at = HOUR_START + 200 * 60
    for seconds in (900, 3600, 10_800):
        assert len(flow.rows(at, seconds)) == min(seconds // 60, MINUTES)
    assert sum(one.mentions for one in flow.rows(at, 86_400)) == 800


def test_memory_is_bounded_whatever_the_length() -> None:
    flow = played([1] * (60 * (HOURS + 6)))
    assert (len(flow.minutes), len(flow.hours)) == (MINUTES, HOURS)


def test_quiet_minutes_at_the_beginning_are_not_kept() -> None:
    flow = played([0] * 50 + [1])
    assert len(flow.minutes) == 1
    assert sum(one.expected for one in flow.hours) == 51 * 2.0


def test_growth_is_told_as_a_doubling_time_and_decline_is_none() -> None:
    doubled = played([8] * 15 + [16] * 15)
    time = doubled.doubling_minutes(end(doubled), Direction.THREAT)
    assert time is not None
    assert 14.5 < time < 16
    faster = played([8] * 15 + [32] * 15)
    assert (faster.doubling_minutes(end(faster), Direction.THREAT) or 99) < time
    for counts in ([16] * 30, [16] * 15 + [8] * 15, [0] * 28 + [2] * 2):
        flow = played(counts)
        assert flow.doubling_minutes(HOUR_START + 1800, Direction.THREAT) is None


def test_heat_rises_with_talk_and_cools_with_the_span() -> None:
    flow = played([0] * 60 + [20] * 60, expected=2.0)
    warm = flow.heat(Direction.THREAT)
    assert 10 * 60 * 0.5 < warm < 10 * 60
    for number in range(60):
        flow.push(Counts(HOUR_START + 60 * (120 + number), 0, 0, 0, 2.0, 0.4, 0.2))
    assert math.isclose(flow.heat(Direction.THREAT), warm / math.e, rel_tol=0.03)
    assert flow.heat(Direction.OPPORTUNITY) < flow.heat(Direction.THREAT)


def test_a_brand_that_is_seldom_spoken_of_remembers_longer() -> None:
    assert played([0] * 200, expected=2.0).span_minutes == 60.0
    assert 240 < played([0] * 240, expected=0.01).span_minutes < 480
    assert played([0] * 200, expected=0.0).span_minutes == 1440.0


def test_what_is_usual_is_the_usual_share_of_what_is_expected() -> None:
    flow = played([3] * 90, expected=2.0)
    assert math.isclose(flow.usual(Direction.THREAT), 2.0 * 0.2 * 60)
    assert math.isclose(flow.usual(Direction.OPPORTUNITY), 2.0 * 0.1 * 60)
    assert Flow().usual(Direction.THREAT) == 0.0


@pytest.mark.parametrize("minutes", [1, 7, 30, 170, 400, 2500])
def test_the_series_is_short_even_and_loses_nothing_that_it_covers(minutes: int) -> None:
    flow = played([3] * minutes)
    at = HOUR_START + 60 * minutes
    rows = flow.series(at, at - 60 * min(minutes, 160), Direction.THREAT)
    assert 1 <= len(rows) <= 20
    steps = {later.start - earlier.start for earlier, later in pairwise(rows)}
    assert len(steps) <= 1
    assert rows[-1].start < at
    covered = [one for one in flow.minutes if one.start >= rows[0].start]
    assert sum(one.mentions for one in rows) == sum(one.mentions for one in covered)


@given(st.lists(st.integers(0, 500), min_size=1, max_size=200))
def test_no_figure_is_ever_negative_or_beyond_what_came(counts: list[int]) -> None:
    flow = played(counts)
    at = HOUR_START + 60 * len(counts)
    for direction in Direction:
        seconds, found = flow.window(at, direction)
        assert seconds in {900, 3600, 10_800, 86_400}
        assert 0 <= found.mentions <= sum(counts)
        assert 0 <= flow.rate(at, direction) <= max(counts)
        assert flow.heat(direction) >= 0
        doubling = flow.doubling_minutes(at, direction)
        assert doubling is None or doubling > 0
