"""Far fewer mentions than usual: evidence, never an alert on the brand, and after a day the new usual."""

from __future__ import annotations

import copy
import json
import random
from functools import cache

import pytest

from detectors import BrandDetector, CrisisDetector
from detectors.volume import COLLAPSE_NATS, EVIDENCE_LIMIT, Collapse
from tests.detectors.streams import DAY, MINUTE, MONDAY, binomial, poisson, quiet

WARM = 9
END = MONDAY + WARM * DAY


@cache
def grown(rate: float = 5.0) -> CrisisDetector:
    detector = CrisisDetector(60, 30.0, "Europe/Rome")
    for bucket in quiet(WARM * 1440, seed=11, rate=rate):
        detector.step(bucket.start, bucket.mentions, bucket.negative, bucket.positive)
    return detector


def play(detector: CrisisDetector, minutes: int, rate: float, start: int = END) -> list[float]:
    """The usual talk at another rate; the evidence of a collapse after each minute."""
    found = []
    for bucket in quiet(minutes, seed=4, rate=rate, start=start):
        detector.step(bucket.start, bucket.mentions, bucket.negative, bucket.positive)
        found.append(detector.last.collapse_evidence)
    return found


def test_a_collapse_of_a_living_stream_is_evidence_with_an_onset_and_no_alarm() -> None:
    detector = copy.deepcopy(grown())
    alarms = False
    for bucket in quiet(180, seed=4, rate=0.5, start=END):
        detector.step(bucket.start, bucket.mentions, bucket.negative, bucket.positive)
        alarms |= detector.last.alarm or detector.last.opportunity
    reading = detector.last
    assert reading.collapse_evidence > COLLAPSE_NATS
    assert reading.collapse_onset is not None
    assert abs(reading.collapse_onset - END) < 30 * MINUTE
    assert not alarms


def test_ordinary_days_and_two_thirds_of_the_usual_are_no_collapse() -> None:
    ordinary = play(copy.deepcopy(grown()), 2 * 1440, 5.0)
    less = play(copy.deepcopy(grown()), 600, 3.3)
    assert sum(nats > COLLAPSE_NATS for nats in ordinary) == 0
    assert max(less) < COLLAPSE_NATS
    assert 0.0 in ordinary


@pytest.mark.parametrize("rate", [0.3, 5.0, 60.0])
def test_a_lasting_collapse_is_the_new_usual_after_a_day_once(rate: float) -> None:
    detector = copy.deepcopy(grown(rate))
    usual = detector.profile.expect(END)
    said = []
    for bucket in quiet(3 * 1440, seed=8, rate=rate / 10, start=END):
        detector.step(bucket.start, bucket.mentions, bucket.negative, bucket.positive)
        if detector.last.new_normal:
            said.append((bucket.start - END) / 3600)
    assert len(said) == 1
    assert 24 <= said[0] < 24 + 14 / (rate * 0.8) / 60 + 6
    assert detector.last.collapse_evidence < COLLAPSE_NATS
    assert detector.profile.expect(END + 3 * DAY) < 0.35 * usual


@pytest.mark.parametrize("rate", [0.3, 1.0, 5.0])
def test_a_day_without_a_collector_is_no_new_usual(rate: float) -> None:
    detector = copy.deepcopy(grown(rate))
    usual = detector.profile.expect(END)
    for i in range(30 * 60):
        detector.step(END + i * MINUTE, 0, 0, 0)
    back = END + 30 * 60 * MINUTE
    for bucket in quiet(1440, seed=9, rate=rate, start=back):
        detector.step(bucket.start, bucket.mentions, bucket.negative, bucket.positive)
        assert not detector.last.new_normal
    assert detector.profile.expect(back + DAY) > 0.6 * usual


def test_a_collapse_that_ends_is_forgotten() -> None:
    detector = copy.deepcopy(grown())
    assert play(detector, 300, 0.4)[-1] > COLLAPSE_NATS
    assert play(detector, 60, 5.0, END + 300 * MINUTE)[-1] == 0.0
    assert detector.last.collapse_onset is None


def test_in_the_first_week_nothing_is_accepted_since_the_weekend_is_not_known() -> None:
    detector = CrisisDetector(60, 30.0, "UTC")
    for place, rate in enumerate((5.0, 5.0, 0.3, 0.3, 0.3)):
        for bucket in quiet(1440, seed=place, rate=rate, start=MONDAY + place * DAY):
            detector.step(bucket.start, bucket.mentions, bucket.negative, bucket.positive)
            assert not detector.last.new_normal


def test_an_event_that_does_not_take_place_is_no_collapse() -> None:
    planned = copy.deepcopy(grown())
    planned.expect(10.0, 0.0)
    assert max(play(planned, 300, 5.0)) < COLLAPSE_NATS


def test_a_holiday_that_was_planned_is_no_collapse() -> None:
    holiday = copy.deepcopy(grown())
    holiday.expect(0.1, 0.2)
    assert max(play(holiday, 600, 0.6)) < COLLAPSE_NATS


def test_a_silence_too_long_to_be_believed_is_said_and_is_held() -> None:
    detector = copy.deepcopy(grown())
    before = detector.threshold
    doubted: list[bool] = []
    held = detector.score
    for i in range(120):
        score = detector.step(END + i * MINUTE, 0, 0, 0)
        doubted.append(detector.last.doubted)
        if doubted[-2:] == [True, True]:
            assert score == held
        held = score
    assert doubted == sorted(doubted)
    assert doubted[-1]
    assert detector.last.collapse_evidence == EVIDENCE_LIMIT
    assert detector.threshold == before
    detector.step(END + 120 * MINUTE, 3, 1, 1)
    assert not detector.last.doubted
    detector.skip(END + 121 * MINUTE)
    assert (
        not detector.last.doubted
    )  # a source that says it is down is missing, which is something else


def test_a_silence_that_is_believed_in_the_end_is_doubted_no_longer() -> None:
    detector = copy.deepcopy(grown())
    doubted = []
    for i in range(4 * 1440):
        detector.step(END + i * MINUTE, 0, 0, 0)
        doubted.append(detector.last.doubted)
        assert not (doubted[-1] and detector.last.new_normal)
    assert 3 * 1440 - 20 < sum(doubted) <= 3 * 1440
    assert not any(doubted[3 * 1440 :])


def test_a_brand_names_its_channels_that_are_doubted() -> None:
    brand, rng = BrandDetector(), random.Random(3)
    for i in range(2 * 1440):
        n, m = poisson(rng, 3.0), poisson(rng, 3.0)
        brand.advance(
            MONDAY + i * MINUTE,
            {"news": (n, binomial(rng, n, 0.2), 0), "forum": (m, binomial(rng, m, 0.2), 0)},
        )
    assert brand.last.doubted == ()
    for i in range(2 * 1440, 2 * 1440 + 40):
        n = poisson(rng, 3.0)
        brand.advance(MONDAY + i * MINUTE, {"news": (n, binomial(rng, n, 0.2), 0)})
    assert brand.last.doubted == ("forum",)
    assert brand.last.channels["forum"].doubted


def test_idle_minutes_leave_what_stepping_them_leaves() -> None:
    for minutes in (1, 7, 300):
        one, other = Collapse(), Collapse()
        means = [0.05 + 0.001 * (place % 60) for place in range(minutes)]
        for place, mean in enumerate(means):
            one.update(MONDAY + place * MINUTE, 0, mean, 0.2)
        other.idle(MONDAY, means, 0.2)
        assert other.evidence == pytest.approx(one.evidence)
        assert (other.onset, other.lasting) == (one.onset, one.lasting)


def test_evidence_is_limited_and_survives_a_restart() -> None:
    collapse = Collapse()
    for i in range(500):
        collapse.update(i * MINUTE, 0, 50.0, 0.2)
    assert collapse.evidence == EVIDENCE_LIMIT
    collapse.update(500 * MINUTE, 1, 50.0, 0.2)  # somebody is there after all: the clock starts
    assert collapse.lasting == 500 * MINUTE
    twin = Collapse.restore(json.loads(json.dumps(collapse.snapshot())))
    assert twin.snapshot() == collapse.snapshot()
    assert twin.update(501 * MINUTE, 20, 50.0, 0.2) == collapse.update(501 * MINUTE, 20, 50.0, 0.2)
