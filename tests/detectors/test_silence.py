"""SilenceDetector: zeros that go on for too long."""

from __future__ import annotations

import random

import pytest

from detectors.base import Bucket
from detectors.silence import ALARM_NATS, FORGIVE_SECONDS, SilenceDetector, silence_nats
from tests.detectors.streams import MINUTE, MONDAY, poisson, quiet

WARM = 8 * 1440
END = MONDAY + WARM * MINUTE


def warmed(rate: float) -> SilenceDetector:
    detector = SilenceDetector(60, 30, "UTC")
    for bucket in quiet(WARM, rate=rate):
        detector.observe(bucket)
    return detector


def minutes_to_alarm(rate: float) -> int:
    detector, minute = warmed(rate), 0
    while not detector.observe(Bucket(END + minute * MINUTE, 0)).alarm:
        minute += 1
    return minute


def test_the_busier_the_stream_the_sooner_silence_is_noticed() -> None:
    assert minutes_to_alarm(10) <= 3
    assert 5 < minutes_to_alarm(1) < 60


def test_one_mention_ends_the_silence() -> None:
    detector = warmed(3)
    for i in range(30):
        detector.observe(Bucket(END + i * MINUTE, 0))
    assert 0.0 == detector.observe(Bucket(END + 30 * MINUTE, 1)).value


def test_a_silence_of_days_is_believed_in_the_end() -> None:
    detector = warmed(3)
    minutes = FORGIVE_SECONDS // MINUTE + 5
    scores = [detector.observe(Bucket(END + i * MINUTE, 0)) for i in range(minutes)]
    assert scores[100].alarm
    assert not scores[-1].alarm


def sleeper(days: int) -> list[Bucket]:
    """Nobody speaks from one to six; the mornings and evenings are gradual."""
    rng = random.Random(3)
    rates = [0.4, 0, 0, 0, 0, 0, 0.4, 1, 2, *[4] * 12, 3, 2, 1]
    return [
        Bucket(MONDAY + i * MINUTE, poisson(rng, rates[i // 60 % 24])) for i in range(days * 1440)
    ]


def test_a_brand_that_sleeps_at_night_is_learnt() -> None:
    detector = SilenceDetector(60, 30, "UTC")
    alarms = [detector.observe(bucket).alarm for bucket in sleeper(21)]
    assert not any(alarms[14 * 1440 :])


def test_one_dead_night_teaches_nothing() -> None:
    detector = warmed(3)
    cells = detector.profile.cells[:]
    for i in range(1440):
        detector.observe(Bucket(END + i * MINUTE, 0))
    assert cells == pytest.approx(detector.profile.cells, rel=0.2)


@pytest.mark.parametrize(("expected", "phi"), [(1.0, 0.1), (50.0, 0.1), (50.0, 1.0)])
def test_overdispersion_makes_silence_say_less(expected: float, phi: float) -> None:
    assert 0 < silence_nats(expected, phi) < expected
    assert silence_nats(expected, 2 * phi) < silence_nats(expected, phi)


def test_the_documented_alarm_level_is_the_theory_of_thirty_days() -> None:
    assert pytest.approx(SilenceDetector(60, 30).threshold, abs=0.5) == ALARM_NATS
