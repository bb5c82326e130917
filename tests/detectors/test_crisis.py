"""CrisisDetector: what it promises beyond the common contract."""

from __future__ import annotations

import copy
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Bucket, CrisisDetector
from detectors.crisis import PARTS
from tests.detectors.streams import MINUTE, MONDAY, binomial, poisson, quiet

WARM = 8 * 1440
END = MONDAY + WARM * MINUTE


def run(detector: CrisisDetector, buckets: list[Bucket]) -> list[bool]:
    alarms = []
    for bucket in buckets:
        detector.step(bucket.start, bucket.mentions, bucket.negative, bucket.positive)
        alarms.append(detector.last.alarm)
    return alarms


def make() -> CrisisDetector:
    detector = CrisisDetector(60, 30.0, "Europe/Rome")
    for bucket in quiet(WARM, seed=11, rate=5.0):
        detector.step(bucket.start, bucket.mentions, bucket.negative, bucket.positive)
    return detector


WARMED = make()


def warmed() -> CrisisDetector:
    return copy.deepcopy(WARMED)


def flood(
    minutes: int, mentions: int, negative: float, positive: float = 0.0, start: int = END
) -> list[Bucket]:
    return [
        Bucket(start + i * MINUTE, mentions, mentions * negative, mentions * positive)
        for i in range(minutes)
    ]


def first(alarms: list[bool]) -> int:
    return alarms.index(True)


def test_a_threat_is_found_in_minutes_and_is_no_opportunity() -> None:
    detector = warmed()
    assert first(run(detector, flood(30, 12, 0.75, 0.05))) < 10
    assert not detector.last.opportunity


def test_a_praise_wave_is_an_opportunity_and_no_threat() -> None:
    detector = warmed()
    assert not any(run(detector, flood(30, 12, 0.05, 0.8)))
    assert detector.last.opportunity


def test_a_viral_post_with_the_usual_tone_is_neither() -> None:
    detector = warmed()
    assert not any(run(detector, flood(60, 80, 0.2, 0.25)))
    assert not detector.last.opportunity
    assert detector.last.volume_evidence > 3.0


def test_more_negatives_at_the_same_volume_are_found() -> None:
    assert first(run(warmed(), flood(60, 5, 0.8, 0.1))) < 20


def test_the_onset_is_dated_to_the_beginning_of_the_change() -> None:
    detector = warmed()
    run(detector, flood(12, 12, 0.75, 0.05))
    onset = detector.last.onset
    assert onset is not None
    assert abs(onset - END) <= 6 * MINUTE


def test_a_reading_carries_the_figures_of_the_sentence() -> None:
    detector = warmed()
    run(detector, flood(15, 20, 0.75, 0.05))
    reading = detector.last
    assert reading.window_mentions == 300
    assert reading.window_negative == pytest.approx(225)
    assert 30 < reading.window_expected < 150
    assert reading.usual_negative_share == pytest.approx(0.2, abs=0.05)
    assert reading.usual_positive_share == pytest.approx(0.25, abs=0.05)
    assert not reading.learning
    assert reading.start == END + 14 * MINUTE


def test_chance_is_rarer_than_the_budget_at_an_alarm_once_a_week_of_blocks_is_known() -> None:
    detector = CrisisDetector(60, 30.0, "UTC")
    for bucket in quiet(12 * 1440, seed=3):
        detector.step(bucket.start, bucket.mentions, bucket.negative, bucket.positive)
    assert detector.last.chance_days is None or detector.last.chance_days < 5
    run(detector, flood(30, 20, 0.9, start=MONDAY + 12 * 86400))
    assert detector.last.chance_days is not None
    assert detector.last.chance_days > 30


@settings(max_examples=40, deadline=None)
@given(
    others=st.integers(0, 200),
    negative=st.integers(0, 200),
    added=st.integers(1, 50),
    before=st.integers(0, 12),
)
def test_adding_negatives_to_a_bucket_never_lowers_its_score(
    others: int, negative: int, added: int, before: int
) -> None:
    detector = warmed()
    run(detector, flood(before, 8, 0.5))
    start = END + before * MINUTE
    less = Bucket(start, others + negative, negative)
    more = Bucket(start, others + negative + added, negative + added)
    assert detector.score_one(less).value <= detector.score_one(more).value + 1e-9


def test_the_counterfactual_is_the_least_that_would_have_fired() -> None:
    base = warmed()
    run(base, flood(1, 8, 0.5))
    start = END + MINUTE
    total, bad = 90, 70
    alarmed = copy.deepcopy(base)
    assert run(alarmed, [Bucket(start, total, bad)]) == [True]
    least = alarmed.counterfactual_mentions()
    assert least is not None
    assert total - bad < least < total
    at = Bucket(start, least, least - (total - bad))
    below = Bucket(start, least - 1, least - 1 - (total - bad))
    assert base.score_one(at).alarm
    assert not base.score_one(below).alarm


def test_without_an_alarm_there_is_no_counterfactual() -> None:
    assert warmed().counterfactual_mentions() is None


# ---------------------------------------------------------------- missing data
def test_a_dead_collector_raises_no_alarm_and_its_backlog_neither() -> None:
    for silence in (130, 1440):
        detector = warmed()
        alarms = run(detector, flood(silence, 0, 0))
        back = END + silence * MINUTE
        alarms += run(detector, [Bucket(back, 5 * silence, silence, silence)])
        later = quiet(300, seed=21, rate=5.0, start=back + MINUTE)
        alarms += run(detector, list(later))
        assert not any(alarms)


def test_a_backlog_gives_less_volume_evidence_than_the_same_count_out_of_the_blue() -> None:
    late, sudden = warmed(), warmed()
    for i in range(130):
        late.skip(END + i * MINUTE)
    run(late, [Bucket(END + 130 * MINUTE, 450, 90, 110)])
    run(sudden, [Bucket(END, 450, 90, 110)])
    assert sudden.last.volume_evidence > 10
    assert late.last.volume_evidence < 3


def test_an_implausible_silence_is_evidence_and_freezes_what_is_usual() -> None:
    detector = warmed()
    run(detector, flood(60, 0, 0))
    usual = detector.last.usual_negative_share
    expected = detector.profile.total
    run(detector, flood(600, 0, 0, start=END + 3600))
    assert detector.last.silence_evidence > 11
    assert usual == detector.last.usual_negative_share
    assert expected == pytest.approx(detector.profile.total, rel=0.02)


def test_after_three_days_a_silence_is_believed() -> None:
    detector = warmed()
    run(detector, flood(20 * 1440, 0, 0))
    assert detector.last.expected < 0.5 * WARMED.profile.total


def test_a_gap_without_steps_is_like_skipped_buckets() -> None:
    gap, skipped = warmed(), warmed()
    for i in range(200):
        skipped.skip(END + i * MINUTE)
    back = Bucket(END + 200 * MINUTE, 900, 180, 225)
    run(gap, [back])
    run(skipped, [back])
    assert not gap.last.alarm
    assert not skipped.last.alarm
    assert gap.score == pytest.approx(skipped.score, abs=0.5)


def test_a_skipped_bucket_holds_score_and_learning() -> None:
    detector = warmed()
    run(detector, flood(3, 10, 0.8))
    before = detector.last
    for i in range(3, 300):
        detector.skip(END + i * MINUTE)
    after = detector.last
    assert after.missing
    assert before.score == after.score
    assert before.usual_negative_share == after.usual_negative_share


def test_buckets_out_of_order_are_refused() -> None:
    detector = warmed()
    with pytest.raises(ValueError, match="does not come after"):
        detector.step(END - MINUTE, 1, 0, 0)


# ---------------------------------------------------------------- incidents and what is normal
def test_learning_is_frozen_during_an_incident_and_absorbed_after_a_day_once() -> None:
    detector = warmed()
    run(detector, flood(10, 20, 0.7))
    detector.hold_learning(True)
    usual = detector.last.usual_negative_share
    said = []
    for bucket in flood(2 * 1440, 20, 0.7, start=END + 10 * MINUTE):
        run(detector, [bucket])
        if detector.last.new_normal:
            said.append((bucket.start - END) // 3600)
        elif not said:
            assert usual == detector.last.usual_negative_share
    assert said == [24]
    assert detector.last.usual_negative_share > 0.5
    assert not detector.last.alarm


def test_the_same_hold_does_not_freeze_a_second_day() -> None:
    detector = warmed()
    detector.hold_learning(True)
    run(detector, flood(1450, 20, 0.7))
    detector.hold_learning(True)
    assert not detector.held
    detector.hold_learning(False)
    detector.hold_learning(True)
    assert detector.held


def test_a_short_incident_teaches_nothing() -> None:
    held, calm = warmed(), warmed()
    held.hold_learning(True)
    run(held, flood(120, 50, 0.9))
    held.hold_learning(False)
    for i in range(120):
        calm.skip(END + i * MINUTE)
    assert calm.last.usual_negative_share == held.last.usual_negative_share
    assert calm.threshold == held.threshold


# ---------------------------------------------------------------- planned events
def test_a_planned_event_takes_away_volume_evidence_only() -> None:
    plain, planned = warmed(), warmed()
    planned.expect(10.0, 0.5)
    run(plain, flood(10, 50, 0.2, 0.25))
    run(planned, flood(10, 50, 0.2, 0.25))
    assert plain.last.volume_evidence > 3
    assert planned.last.volume_evidence < 1
    assert any(run(planned, flood(20, 50, 0.8, 0.1, start=END + 10 * MINUTE)))


def test_a_planned_event_teaches_the_ordinary_weeks_nothing() -> None:
    detector = warmed()
    detector.expect(10.0, 0.5)
    run(detector, flood(3 * 60, 50, 0.2, 0.25))
    detector.expect()
    run(detector, flood(60, 5, 0.2, 0.2, start=END + 3 * 3600))
    assert detector.profile.total == pytest.approx(WARMED.profile.total, rel=0.01)


@pytest.mark.parametrize(
    ("multiplier", "widening"), [(0, 0), (-1, 0), (math.nan, 0), (math.inf, 0), (1, -1)]
)
def test_an_impossible_expectation_is_refused(multiplier: float, widening: float) -> None:
    with pytest.raises(ValueError, match="impossible expectation"):
        warmed().expect(multiplier, widening)


# ---------------------------------------------------------------- sparse and busy streams
def test_five_mentions_a_day_are_watched_without_false_alarms_and_seven_angry_ones_seen() -> None:
    detector = CrisisDetector(60, 30.0, "Europe/Rome")
    for bucket in quiet(40 * 1440, seed=7, rate=5 / 1440):
        detector.step(bucket.start, bucket.mentions, bucket.negative, bucket.positive)
        assert not detector.last.alarm
    start = MONDAY + 40 * 86400
    hours = range(12)
    buckets = [
        Bucket(start + m * MINUTE, *((1, 1.0) if m % 60 == 0 else (0, 0.0)))
        for m in range(len(hours) * 60)
    ]
    alarms = run(detector, buckets)
    assert first(alarms) <= 7 * 60


def test_parts_with_a_snapshot_are_all_restored() -> None:
    nested = {
        name for name in CrisisDetector.__slots__ if hasattr(getattr(WARMED, name), "snapshot")
    }
    assert nested == set(PARTS)


def test_a_surge_beyond_a_calm_streams_own_virality_counts_although_the_share_is_usual() -> None:
    """A brand that never had a burst: fifty times its mentions, hardly more negative than usual, is an alarm.

    For one that has such bursts every other day it is none.
    """
    calm, lively = CrisisDetector(60, 30.0, "Europe/Rome"), CrisisDetector(60, 30.0, "Europe/Rome")
    rng = random.Random(4)
    days = 35
    for minute in range(days * 1440):
        start = MONDAY + minute * MINUTE
        n = poisson(rng, 0.2)
        bad = binomial(rng, n, 0.3)
        calm.step(start, n, bad, 0)
        if minute % 2880 > 2820:
            n = poisson(rng, 10.0)
            bad = binomial(rng, n, 0.3)
        lively.step(start, n, bad, 0)
    alarms = [False, False]
    for minute in range(days * 1440, days * 1440 + 45):
        n = poisson(rng, 10.0)
        bad = binomial(rng, n, 0.4)
        for place, one in enumerate((calm, lively)):
            alarms[place] |= one.step(MONDAY + minute * MINUTE, n, bad, 0) >= one.threshold
    assert alarms == [True, False]


@pytest.mark.parametrize(
    ("bad", "good", "alarm", "chance"),
    [(0.65, 0.3, True, False), (0.4, 0.1, False, False), (0.1, 0.85, False, None)],
    ids=["mostly negative", "mixed", "praise"],
)
def test_a_surge_in_the_first_weeks_is_a_threat_where_most_of_it_is_negative(
    bad: float, good: float, alarm: bool, chance: bool | None
) -> None:
    """Two posts a day, half of them negative, then fourteen a minute: nothing is known of the brand's virality yet."""
    rng, detector = random.Random(4), CrisisDetector(60, 30.0, "UTC")
    days = 7
    for minute in range(days * 1440):
        n = poisson(rng, 2 / 1440)
        detector.step(MONDAY + minute * MINUTE, n, binomial(rng, n, 0.5), 0)
    alarms = chances = False
    for minute in range(days * 1440, days * 1440 + 60):
        n = poisson(rng, 14.0)
        negative = binomial(rng, n, bad)
        positive = binomial(rng, n - negative, good / (1 - bad))
        score = detector.step(MONDAY + minute * MINUTE, n, negative, positive)
        alarms |= score >= detector.threshold
        chances |= detector.last.opportunity
    assert alarms is alarm
    assert chance is None or chances is chance


@pytest.mark.parametrize("declared", [True, False])
def test_a_backlog_larger_than_what_was_owed_is_no_surge(declared: bool) -> None:
    """A brand that never had a burst, so that the same heap out of the blue is an alarm."""
    rng, detector = random.Random(4), CrisisDetector(60, 30.0, "Europe/Rome")
    days = 35
    for minute in range(days * 1440):
        n = poisson(rng, 1.0)
        detector.step(MONDAY + minute * MINUTE, n, binomial(rng, n, 0.3), 0)
    back, sudden = copy.deepcopy(detector), detector
    start = MONDAY + days * 1440 * MINUTE
    for minute in range(130):
        if declared:
            back.skip(start + minute * MINUTE)
        else:
            back.step(start + minute * MINUTE, 0, 0, 0)
    alarms = []
    for one, begin in ((back, start + 130 * MINUTE), (sudden, start)):
        draws, found = random.Random(8), False
        for minute in range(20):
            n = 100 if minute < 3 else poisson(draws, 1.0)  # twice what was owed
            found |= one.step(begin + minute * MINUTE, n, 0.36 * n, 0) >= one.threshold
        alarms.append(found)
    assert alarms == [False, True]
