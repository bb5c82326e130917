"""The written contract of ``detectors.base``, checked for every detector in the registry."""

from __future__ import annotations

import copy
import json
import math
import random
import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import DETECTORS, Bucket, Detector, SnapshotVersionError
from tests.detectors.streams import MINUTE, MONDAY, quiet

WARM = 8 * 1440
END = MONDAY + WARM * MINUTE
HORIZON_DAYS = 5  # within which every detector forgives a lasting change


def negatives(start: int, minutes: int) -> Iterator[Bucket]:
    return (Bucket(start + i * MINUTE, 40, 36, 1) for i in range(minutes))


def zeros(start: int, minutes: int) -> Iterator[Bucket]:
    return (Bucket(start + i * MINUTE, 0) for i in range(minutes))


# what each detector is there to see
ANOMALY: dict[str, Callable[[int, int], Iterator[Bucket]]] = {"silence": zeros}

every_detector = pytest.mark.parametrize("name", sorted(DETECTORS))


def feed(detector: Any, buckets: Iterator[Bucket]) -> list[float]:
    return [detector.observe(bucket).value for bucket in buckets]


@cache
def warm(name: str) -> Any:
    detector = DETECTORS[name](60, 30.0, "Europe/Rome")
    feed(detector, quiet(WARM))
    return detector


def warmed(name: str) -> Any:
    return copy.deepcopy(warm(name))


@every_detector
def test_a_detector_has_the_methods_of_the_contract(name: str) -> None:
    assert isinstance(DETECTORS[name](60, 30.0, "UTC"), Detector)


@every_detector
def test_ordinary_days_raise_no_alarm_and_only_finite_scores(name: str) -> None:
    detector = DETECTORS[name](60, 30.0, "Europe/Rome")
    for bucket in quiet(WARM, seed=5):
        score = detector.observe(bucket)
        assert math.isfinite(score.value)
        assert not score.alarm


@every_detector
def test_a_stream_of_zeros_is_quiet(name: str) -> None:
    detector = DETECTORS[name](60, 30.0, "UTC")
    assert not any(detector.observe(bucket).alarm for bucket in zeros(MONDAY, 9 * 1440))


@every_detector
def test_a_constant_stream_is_quiet(name: str) -> None:
    detector = DETECTORS[name](60, 30.0, "UTC")
    buckets = (Bucket(MONDAY + i * MINUTE, 10, 2, 3) for i in range(9 * 1440))
    assert not any(detector.observe(bucket).alarm for bucket in buckets)


@every_detector
def test_what_it_is_there_for_fires_after_the_warm_up(name: str) -> None:
    detector = warmed(name)
    anomaly = ANOMALY.get(name, negatives)(END, 30)
    assert any(detector.observe(bucket).alarm for bucket in anomaly)


@every_detector
def test_a_lasting_change_is_forgiven_within_the_horizon(name: str) -> None:
    detector = warmed(name)
    changed = quiet(HORIZON_DAYS * 1440, seed=3, rate=9.0, negative=0.45, start=END)
    alarms = [detector.observe(bucket).alarm for bucket in changed]
    assert not any(alarms[-720:])


@every_detector
def test_it_says_that_it_is_not_ready_at_first_and_ready_after_a_week(name: str) -> None:
    fresh = DETECTORS[name](60, 30.0, "UTC")
    assert not fresh.observe(Bucket(MONDAY, 1)).ready
    assert warmed(name).observe(Bucket(END, 3)).ready


@every_detector
@pytest.mark.parametrize(
    "counts",
    [
        (float("nan"), 0, 0),
        (3, float("nan"), 0),
        (3, 0, float("nan")),
        (float("inf"), 0, 0),
        (3, float("inf"), 0),
        (-1, 0, 0),
        (3, -1, 0),
        (3, 0, -1),
        (3, 2, 2),
        (0, 1, 0),
    ],
)
def test_impossible_counts_are_refused_and_change_nothing(
    name: str, counts: tuple[float, float, float]
) -> None:
    detector = warmed(name)
    before = detector.snapshot()
    with pytest.raises(ValueError, match="impossible counts"):
        detector.observe(Bucket(END, *counts))  # type: ignore[arg-type]  # that is the point
    assert before == detector.snapshot()


@every_detector
def test_scoring_changes_nothing_and_agrees_with_observing(name: str) -> None:
    detector = warmed(name)
    for bucket in [*quiet(20, seed=9, start=END), *negatives(END + 20 * MINUTE, 5)]:
        before = detector.snapshot()
        said = detector.score_one(bucket)
        assert before == detector.snapshot()
        assert said == detector.observe(bucket)


@every_detector
def test_learning_is_observing_without_an_answer(name: str) -> None:
    one, other = warmed(name), warmed(name)
    for bucket in quiet(50, seed=2, start=END):
        one.observe(bucket)
        other.learn_one(bucket)
    assert one.snapshot() == other.snapshot()


@every_detector
def test_the_same_input_gives_the_same_scores(name: str) -> None:
    first = feed(warmed(name), quiet(500, seed=4, start=END))
    assert first == feed(warmed(name), quiet(500, seed=4, start=END))


@every_detector
def test_a_missing_bucket_moves_no_score(name: str) -> None:
    detector = warmed(name)
    for bucket in negatives(END, 2):
        score = detector.observe(bucket)
    for i in range(2, 60):
        held = detector.observe(Bucket(END + i * MINUTE, 0, missing=True))
        assert (score.value, score.threshold) == (held.value, held.threshold)


@every_detector
def test_a_copy_lives_its_own_life(name: str) -> None:
    detector = warmed(name)
    before = detector.snapshot()
    feed(copy.deepcopy(detector), negatives(END, 90))
    assert before == detector.snapshot()


def mixed(seed: int, minutes: int) -> Iterator[Bucket]:
    """Anything may come: background, gaps, missing buckets, bursts, silences."""
    rng = random.Random(seed)
    when = MONDAY + rng.randrange(0, 400) * 3600
    for _ in range(minutes):
        when += MINUTE * (rng.randrange(2, 300) if rng.random() < 0.01 else 1)
        mentions = rng.choice([0, 0, 1, 2, 3, 5, 8, rng.randrange(0, 3000)])
        negative = mentions * rng.random() ** 2
        positive = (mentions - negative) * rng.random() ** 2
        yield Bucket(when, mentions, negative, positive, rng.random() < 0.05)


@every_detector
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 400), tail=st.integers(1, 200))
def test_a_restart_at_any_point_is_invisible(name: str, seed: int, cut: int, tail: int) -> None:
    buckets = list(mixed(seed, cut + tail))
    detector = DETECTORS[name](60, 30.0, "Europe/Rome")
    feed(detector, iter(buckets[:cut]))
    data = json.loads(json.dumps(detector.snapshot()))
    twin = type(detector).restore(data)
    assert feed(detector, iter(buckets[cut:])) == feed(twin, iter(buckets[cut:]))
    assert detector.snapshot() == twin.snapshot()


@every_detector
def test_a_restart_during_a_crisis_is_invisible(name: str) -> None:
    detector = warmed(name)
    feed(detector, negatives(END, 10))
    twin = type(detector).restore(json.loads(json.dumps(detector.snapshot())))
    later = [*negatives(END + 10 * MINUTE, 30), *quiet(2000, seed=8, start=END + 40 * MINUTE)]
    assert feed(detector, iter(later)) == feed(twin, iter(later))


@every_detector
def test_a_snapshot_of_an_unknown_version_is_a_clear_error(name: str) -> None:
    data = warmed(name).snapshot()
    with pytest.raises(SnapshotVersionError, match="version 999"):
        type(warm(name)).restore({**data, "version": 999})


@every_detector
@settings(max_examples=25, deadline=None)
@given(
    counts=st.lists(
        st.tuples(
            st.integers(0, 10**9),
            st.floats(0, 1),
            st.floats(0, 1),
            st.integers(1, 10**6),
        ),
        max_size=60,
    )
)
def test_no_input_makes_a_score_infinite_or_not_a_number(
    name: str, counts: list[tuple[int, float, float, int]]
) -> None:
    detector = DETECTORS[name](60, 30.0, "America/New_York")
    when = MONDAY
    for mentions, negative_share, positive_share, minutes in counts:
        when += minutes * MINUTE
        negative = mentions * negative_share
        positive = (mentions - negative) * positive_share
        score = detector.observe(Bucket(when, mentions, negative, positive))
        assert math.isfinite(score.value)
        assert math.isfinite(score.threshold)


def size(value: Any) -> int:
    """Bytes of a structure of primitives, with its containers."""
    total = sys.getsizeof(value)
    if isinstance(value, dict):
        total += sum(size(key) + size(item) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        total += sum(size(item) for item in value)
    return total


@every_detector
def test_memory_does_not_grow_with_time_or_counts(name: str) -> None:
    detector = warmed(name)
    before = len(json.dumps(detector.snapshot()))
    feed(detector, quiet(WARM, seed=6, rate=20.0, start=END))
    assert len(json.dumps(detector.snapshot())) < 1.5 * before + 2000


@pytest.mark.parametrize("name", sorted(set(DETECTORS) - {"brand"}))
def test_a_stream_fits_in_64_kib_and_its_snapshot_in_16(name: str) -> None:
    data = warmed(name).snapshot()
    assert size(data) < 64 * 1024
    assert len(json.dumps(data)) < 16 * 1024  # text is larger than msgpack


def test_importing_the_package_is_light() -> None:
    heavy = {"numpy", "scipy", "river", "pandas", "asyncio", "sentinel"}
    code = (
        "import sys, detectors, detectors.crisis, detectors.counts;"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    import subprocess  # noqa: PLC0415 - only this test starts a process

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
