"""When a minute may be closed, and that each mention is counted once or is late."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.windows import BrandWindows, Tick, Watermarks, Window, planned
from sentinel.model import SourceState, SourceStatus
from tests.core.build import NEGATIVE, NEUTRAL, POSITIVE, T0, sighting


def marks(**lateness: float) -> Watermarks:
    made = Watermarks.of(lateness)
    for name in lateness:
        made.report(SourceStatus(name, SourceState.ALIVE, T0))
    return made


def until(tick: Tick | None) -> float | None:
    return None if tick is None else tick.until - T0


def test_without_sources_minutes_close_as_the_clock_passes_them() -> None:
    one = Watermarks.of({})
    assert until(one.tick(T0 + 59)) == 0
    assert until(one.tick(T0 + 60)) == 60


def test_a_live_source_without_a_watermark_holds_a_minute_for_its_lateness() -> None:
    one = marks(feed=30.0)
    one.closed = T0
    assert one.tick(T0 + 89) is None
    assert one.tick(T0 + 90) == Tick(now=T0 + 90, until=T0 + 60)


def test_a_watermark_closes_at_once_what_it_covers_but_never_the_future() -> None:
    one = marks(feed=600.0)
    one.advanced("feed", T0 + 130)
    assert until(one.tick(T0 + 125)) == 120
    one.advanced("feed", T0 + 99_999)
    assert until(one.tick(T0 + 125)) == 120
    one.advanced("feed", T0 + 5)  # a watermark never falls
    assert until(one.tick(T0 + 190)) == 180


def test_the_slowest_source_decides_until_it_lags_too_much() -> None:
    one = marks(quick=0.0, slow=0.0)
    one.advanced("slow", T0 + 60)
    assert until(one.tick(T0 + 600)) == 60
    assert until(one.tick(T0 + 960)) == 60
    assert until(one.tick(T0 + 1020)) == 120  # max_wait_seconds are over


@pytest.mark.parametrize("state", [SourceState.DOWN, SourceState.STARTING])
def test_a_source_that_is_not_alive_holds_minutes_a_while_and_is_named(state: SourceState) -> None:
    one = marks(feed=0.0, other=0.0)
    one.closed = T0
    one.report(SourceStatus("feed", state, T0 + 60))
    assert one.tick(T0 + 179) is None
    tick = one.tick(T0 + 180)
    assert tick == Tick(now=T0 + 180, until=T0 + 60, down=("feed",))


def test_an_unknown_source_is_watched_from_its_first_word() -> None:
    one = marks()
    assert one.report(SourceStatus("new", SourceState.ALIVE, T0))
    assert not one.report(SourceStatus("new", SourceState.ALIVE, T0 + 9))
    assert one.sources["new"].since == T0
    one.advanced("nobody", T0)
    assert set(one.sources) == {"new"}


def test_nothing_is_closed_twice() -> None:
    one = marks(feed=0.0)
    one.closed = T0 + 60
    assert one.tick(T0 + 119) is None
    assert one.tick(T0 - 3600) is None


def test_counts_are_by_channel_and_label() -> None:
    windows = BrandWindows()
    for number, (verdict, channel) in enumerate(
        [(NEGATIVE, "forum"), (NEUTRAL, "forum"), (POSITIVE, "news"), (NEGATIVE, "news")]
    ):
        assert windows.add(sighting(number, T0 + number, verdict, channel=channel))
    assert windows.open[int(T0)].counts == {"forum": [2, 1, 0, 0], "news": [2, 1, 1, 0]}


def test_the_edges_of_a_minute_belong_to_it_and_to_the_next() -> None:
    windows = BrandWindows()
    for number, at in enumerate((T0, T0 + 59.999, T0 + 60)):
        windows.add(sighting(number, at))
    assert [len(one.sightings) for one in windows.open.values()] == [2, 1]


def test_beyond_the_sightings_that_are_kept_counts_stay_exact() -> None:
    windows = BrandWindows()
    for number in range(1000):
        windows.add(sighting(number, T0))
    bucket = windows.open[int(T0)]
    assert (bucket.counts["social"][0], len(bucket.sightings)) == (1000, 400)


def test_a_channel_is_missing_only_when_all_its_sources_are_down() -> None:
    windows = BrandWindows()
    windows.add(sighting(1, T0, channel="forum", source="a"))
    windows.add(sighting(2, T0, channel="forum", source="b"))  # in the same minute
    windows.add(sighting(3, T0, channel="news", source="a"))
    assert windows.missing(()) == frozenset()
    assert windows.missing(("a",)) == {"news"}
    assert windows.missing(("a", "b")) == {"forum", "news"}


def test_counts_without_posts_are_added_to_theirs() -> None:
    windows = BrandWindows(closed=T0)
    assert windows.count(int(T0), "forum", "a", (5, 2, 1))
    assert windows.count(int(T0), "forum", "b", (1, 1, 0))
    assert not windows.count(int(T0) - 60, "forum", "a", (5, 2, 1))
    assert windows.open[int(T0)].counts == {"forum": [6, 3, 1, 0]}
    assert windows.channel_sources == {"forum": ["a", "b"]}


@given(
    posts=st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 299), st.sampled_from(["a", "b"])), max_size=60
    ),
    closed=st.integers(0, 5),
)
def test_every_mention_is_counted_once_or_is_late(
    posts: list[tuple[int, int, str]], closed: int
) -> None:
    windows = BrandWindows(closed=T0 + 60 * closed)
    when = {(number, source): at for number, at, source in reversed(posts)}
    counted, late = set(), set()
    for number, _, source in posts:
        at = when[number, source]  # the same post always has the same time
        taken = windows.add(sighting(number, T0 + at, source=source))
        (counted if taken else late).add((number, source))
    assert not counted & late
    assert counted | late == set(when)
    assert sum(row[0] for one in windows.open.values() for row in one.counts.values()) == len(
        counted
    )
    assert all(when[one] >= 60 * closed for one in counted)


@given(
    order=st.permutations(range(12)),
    verdicts=st.lists(st.sampled_from([NEGATIVE, NEUTRAL, POSITIVE]), min_size=12, max_size=12),
)
def test_the_order_of_arrival_changes_no_count_and_no_liveness(
    order: list[int], verdicts: list[object]
) -> None:
    def windows(numbers: list[int]) -> BrandWindows:
        made = BrandWindows()
        for n in numbers:
            made.add(
                sighting(
                    n,
                    T0 + 17 * n,
                    verdicts[n],  # type: ignore[arg-type]  # sampled above
                    channel="forum" if n % 3 else "news",
                    source=f"s{n % 4}",
                )
            )
        return made

    straight, shuffled = windows(list(range(12))), windows(order)
    assert {at: one.counts for at, one in straight.open.items()} == {
        at: one.counts for at, one in shuffled.open.items()
    }
    for down in (("s0",), ("s0", "s1"), ("s0", "s1", "s2", "s3")):
        assert straight.missing(down) == shuffled.missing(down)


def test_of_planned_events_that_overlap_the_strongest_holds() -> None:
    windows = (
        Window(T0, T0 + 600, 2.0, 0.5),
        Window(T0, T0 + 300, 4.0, 0.1, brands=("aurora",)),
        Window(T0, T0 + 600, 0.1, 0.0, brands=("northwind",)),
    )
    assert planned(windows, T0, "aurora") == (4.0, 0.5)
    assert planned(windows, T0 + 300, "aurora") == (2.0, 0.5)
    assert planned(windows, T0, "northwind") == (0.1, 0.5)
    assert planned(windows, T0 + 600, "aurora") == (1.0, 0.0)
    assert planned((), T0, "aurora") == (1.0, 0.0)
