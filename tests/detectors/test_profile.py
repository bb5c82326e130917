"""The expected count follows the audience's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from detectors.profile import Profile

ROME = ZoneInfo("Europe/Rome")


def teach(profile: Profile, begin: datetime, days: int) -> int:
    """Forty a minute from 20:00 to 21:00 Roman time, four otherwise; gives the end."""
    start = int(begin.timestamp())
    for minute in range(days * 1440):
        when = start + minute * 60
        profile.expect(when)
        hour = datetime.fromtimestamp(when, ROME).hour
        profile.learn(40 if hour == 20 else 4)
    return start + days * 86400


def expected_at(profile: Profile, moment: datetime) -> float:
    return profile.expect(int(moment.timestamp()))


def test_the_evening_hour_stays_at_eight_when_the_clocks_change() -> None:
    profile = Profile(60, "Europe/Rome")
    teach(profile, datetime(2024, 3, 4, tzinfo=ROME), 26)  # up to the Saturday before the change
    before = Profile.restore(profile.snapshot())
    after = Profile.restore(profile.snapshot())
    saturday = datetime(2024, 3, 30, 20, 30, tzinfo=ROME)
    monday = datetime(2024, 4, 1, 20, 30, tzinfo=ROME)
    assert timedelta(hours=47) == monday.astimezone(UTC) - saturday.astimezone(UTC)
    assert expected_at(before, saturday) > 10
    assert expected_at(after, monday) > 20
    assert expected_at(after, monday + timedelta(hours=2)) < 10


def test_two_zones_with_the_same_offset_learn_the_same() -> None:
    one, other = Profile(60, "Europe/Rome"), Profile(60, "Europe/Berlin")
    begin = datetime(2024, 1, 1, tzinfo=ROME)
    teach(one, begin, 8)
    teach(other, begin, 8)
    assert one.cells == other.cells


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(KeyError):
        Profile(60, "Europe/Atlantis")


def test_one_viral_hour_hardly_moves_the_expectation() -> None:
    profile = Profile(60, "UTC")
    for minute in range(14 * 1440):
        profile.expect(minute * 60)
        profile.learn(400 if minute // 60 == 13 * 24 + 12 else 4)
    assert profile.expect(20 * 86400 + 12 * 3600) < 8


def test_a_doubled_level_is_learnt_within_days() -> None:
    profile = Profile(60, "UTC")
    for minute in range(14 * 1440):
        profile.expect(minute * 60)
        profile.learn(4)
    for minute in range(14 * 1440, 18 * 1440):
        profile.expect(minute * 60)
        profile.learn(8)
    assert profile.expect(18 * 86400) == pytest.approx(8, rel=0.15)


def test_a_few_mentions_a_day_do_not_make_a_profile_of_spikes() -> None:
    profile = Profile(60, "UTC")
    for minute in range(14 * 1440):
        profile.expect(minute * 60)
        profile.learn(1 if minute % 480 == 0 else 0)
    rates = [profile.expect((14 * 24 + hour) * 3600) * 1440 for hour in range(24)]
    assert max(rates) < 4 * min(rates)
    assert sum(rates) / 24 == pytest.approx(3, rel=0.3)


def test_a_new_stream_expects_little_and_never_zero() -> None:
    assert 0 < Profile(60, "UTC").expect(0) < 0.1


def test_the_whole_scale_of_counts_scales_the_expectation() -> None:
    ratios = []
    for scale in (10, 100):
        profile = Profile(60, "UTC")
        for minute in range(10 * 1440):
            profile.expect(minute * 60)
            profile.learn(scale * (2 if minute % 1440 < 720 else 1))
        ratios.append(profile.expect(10 * 86400 + 6 * 3600) / scale)
    assert ratios[0] == pytest.approx(ratios[1], rel=0.02)
