"""Backtests of mentions and of counts."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.backtest import Backtest, _part
from sentinel.commands.scoring import ScoringPool
from sentinel.language import Post
from sentinel.model import Author, Brand, CountRow, Mention, Verdict

START = 1_790_000_000 // 60 * 60


class Words:
    """A scorer that knows two words."""

    model_id = "words"

    def score(self, posts: list[Post]) -> list[Verdict]:
        return [
            Verdict("it", 0.9, 0.05, 0.05, "negative", (("boycott", 0.6),))
            if "vergogna" in post.text
            else Verdict("it", 0.1, 0.8, 0.1, "neutral")
            for post in posts
        ]


def past(
    days: float = 0.8, rate: float = 1.0, storm_at: float = 0.6, storm: int = 12
) -> Iterator[Mention]:
    """Quiet talk with one storm of twenty minutes."""
    rng, number = Random(4), 0
    for minute in range(int(days * 1440)):
        on = 0 <= minute - storm_at * 1440 < 20
        texts = ["ciao pasta"] * sum(rng.random() < rate / 3 for _ in range(3))
        texts += ["che vergogna"] * (storm if on else rng.random() < 0.1)
        for second in sorted(rng.uniform(0, 59) for _ in texts):
            number += 1
            yield Mention(
                f"m{number}",
                "file",
                ("news", "forum")[number % 2],
                START + minute * 60 + second,
                START + minute * 60 + second,
                texts.pop(),
                brand="aurora",
                author=Author(id=f"a{number}"),
            )


def counted(mentions: Iterator[Mention]) -> list[CountRow]:
    """The same past as counts a minute."""
    rows: dict[tuple[int, str], list[int]] = {}
    for one in mentions:
        row = rows.setdefault((int(one.published_at // 60) * 60, one.channel), [0, 0])
        row[0] += 1
        row[1] += "vergogna" in one.text
    return [
        CountRow(float(start), row[0], row[1], brand="aurora", channel=channel)
        for (start, channel), row in rows.items()
    ]


def test_a_storm_in_the_past_is_one_alert_with_its_delay() -> None:
    test = Backtest((), (), Words())
    (alert,) = test.run(past())
    assert ("aurora", "threat") == (alert.brand, alert.direction)
    assert 0 < alert.delay_minutes <= 6
    assert alert.pages >= 1
    assert 30.0 == alert.budget_days
    assert pytest.approx(0.8, abs=0.01) == test.summary.days


def test_two_budgets_in_one_pass_give_what_each_gives_alone() -> None:
    both = Backtest((), (), Words(), budgets=(30.0, 3.0))
    both.run(past(storm=4))
    alone = [Backtest((), (), Words(), budgets=(days,)) for days in (30.0, 3.0)]
    assert [one.run(past(storm=4)) for one in alone] == [trial.alerts() for trial in both.trials]


def test_a_smaller_budget_in_days_alarms_no_later() -> None:
    test = Backtest((), (), Words(), budgets=(300.0, 3.0))
    test.run(past(storm=4))
    (strict,), (loose,) = (trial.alerts() for trial in test.trials)
    assert loose.detected_at <= strict.detected_at


def test_counts_raise_the_alert_that_the_mentions_raise() -> None:
    (from_mentions,) = Backtest((), (), Words()).run(past())
    (from_counts,) = Backtest((), ()).run_counts(counted(past()))
    same = ("brand", "direction", "opened_at", "detected_at", "observed", "expected")
    assert [getattr(from_mentions, name) for name in same] == [
        getattr(from_counts, name) for name in same
    ]


def test_counts_of_longer_intervals_are_spread_over_their_minutes() -> None:
    test = Backtest((), ())
    rows = [CountRow(START + n * 300.0, 10 + n % 3, 2, 1, brand="aurora") for n in range(100)]
    test.run_counts(rows)
    assert sum(row.mentions for row in rows) == test.summary.matched
    shard = test.core.shards["aurora"]
    assert 0 == test.summary.late
    assert {2, 3} >= {one.mentions for one in shard.state.flow.minutes if one.mentions}


@given(st.integers(0, 10**4), st.integers(0, 10**4), st.integers(0, 10**4), st.integers(1, 1440))
def test_parts_of_counts_are_possible_and_add_up(
    other: int, negative: int, positive: int, minutes: int
) -> None:
    row = CountRow(0.0, other + negative + positive, negative, positive)
    parts = [_part(row, minute, minutes) for minute in range(minutes)]
    assert [row.mentions, negative, positive] == [sum(part[n] for part in parts) for n in range(3)]
    assert all(part[1] + part[2] <= part[0] and min(part) >= 0 for part in parts)


def test_counts_of_a_brand_that_is_not_configured_are_dropped_and_said() -> None:
    test = Backtest([Brand(id="aurora", name="Pastificio Aurora")], ())
    test.run_counts([CountRow(float(START), 3, 1, brand="other"), CountRow(START + 60.0, 1, 0)])
    assert {"unknown_brand": 2} == test.summary.dropped


def test_a_repeated_mention_counts_once() -> None:
    mentions = list(past(days=0.2, storm_at=9))
    test = Backtest((), (), Words())
    test.run(one for pair in zip(mentions, mentions, strict=True) for one in pair)
    assert (len(mentions), len(mentions)) == (test.summary.duplicates, test.summary.matched)


def test_the_chart_knows_every_hour() -> None:
    test = Backtest((), (), Words())
    test.run(past(days=1))
    assert 24 <= len(test.hours["aurora"]) <= 25
    assert test.summary.matched == sum(row[0] for row in test.hours["aurora"].values())


def test_other_processes_give_the_same_verdicts_in_the_same_order() -> None:
    batches = [[Post(f"post {n} {m}: che vergogna, mai più")] * 2 for n in range(6) for m in (1, 2)]
    settings = (("it", "en"), "default", None)
    with ScoringPool(settings, processes=2, small=3) as pool:
        spread = list(pool(iter(batches)))
    with ScoringPool(settings, processes=1) as pool:
        assert list(pool(iter(batches))) == spread
    assert len(batches) == len(spread)
