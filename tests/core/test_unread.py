"""Posts that no model read, from the minute to the alert: counted, shown, and in no figure of sentiment."""

from random import Random

import msgspec

from sentinel.core.evidence import Bundle
from sentinel.core.flow import Counts
from sentinel.core.recompute import recompute
from sentinel.core.windows import BrandWindows
from sentinel.model import UNSCORED, EffectKind, Group, Verdict
from tests.core.build import NEGATIVE, NEUTRAL, POSITIVE, T0, Player, core, sighting

THIRD = 1 / 3
GREEK = Verdict("el", THIRD, THIRD, THIRD, "", (), ("ντροπή",), UNSCORED)
ENGLISH = Verdict("en", 0.7, 0.2, 0.1, "negative", (), ("shame",), "test")


def test_a_minute_knows_what_was_read_and_sums_probabilities_by_language() -> None:
    windows = BrandWindows()
    for number, verdict in enumerate((NEGATIVE, GREEK, ENGLISH, NEUTRAL, GREEK)):
        windows.add(sighting(number, T0 + number, verdict))
    bucket = windows.open[int(T0)]

    assert {"social": [5, 2, 0, 2]} == bucket.counts
    assert {"it": [2, 1_000_000, 120_000], "en": [1, 700_000, 100_000]} == bucket.groups


def test_what_was_learnt_from_people_is_not_in_the_sums() -> None:
    taught = msgspec.structs.replace(NEUTRAL, label="negative", negative=0.9, base=(0.1, 0.8, 0.1))
    windows = BrandWindows()
    windows.add(sighting(1, T0, taught))

    assert {"it": [1, 100_000, 100_000]} == windows.open[int(T0)].groups


def test_sums_do_not_depend_on_the_order_of_posts() -> None:
    rng = Random(4)
    verdicts = [
        Verdict("it", p, 1 - p - q, q, "neutral", model_id="test")
        for p, q in ((rng.random() / 2, rng.random() / 2) for _ in range(200))
    ]
    found = []
    for _ in range(2):
        rng.shuffle(verdicts)
        windows = BrandWindows()
        for number, verdict in enumerate(verdicts):
            windows.add(sighting(number, T0, verdict))
        found.append(windows.open[int(T0)].groups)

    assert found[0] == found[1]


def test_intervals_add_up_by_language() -> None:
    one = Counts(0.0, 3, unread=1, groups=(("it", 2, 10, 20),))
    one.include(Counts(60.0, 4, unread=2, groups=(("en", 1, 1, 2), ("it", 1, 5, 5))))

    assert (7, 3, (("en", 1, 1, 2), ("it", 3, 15, 25))) == (one.mentions, one.unread, one.groups)


def alarm(player: Player, foreign: int) -> tuple[int, int]:
    """Minutes until an incident is told, with so many Greek posts beside it, and its mentions in the window."""
    for minute in range(40):
        player.minute(((NEGATIVE, 4), (NEUTRAL, 2), (GREEK, foreign)))
        for effect in player.effects:
            if effect.kind is EffectKind.OPENED and effect.incident:
                return minute, effect.incident.evidence.mentions
    raise AssertionError("no alarm")


def test_they_neither_hide_a_crisis_nor_water_its_share_down() -> None:
    alone, beside = Player(core()), Player(core())
    for player in (alone, beside):
        player.quiet(900)
    without, _ = alarm(alone, 0)
    after, mentions = alarm(beside, 6)
    (told,) = [one for one in beside.effects if one.kind is EffectKind.OPENED]
    assert told.incident is not None
    evidence = told.incident.evidence

    assert after <= without + 1
    assert evidence.unread >= 6
    assert evidence.mentions == mentions > evidence.unread
    assert (
        evidence.negative_share > 0.5
    )  # of those that were read: four in six, and quiet minutes before
    assert [one.language for one in evidence.groups] == ["it"]
    assert () == recompute(Bundle.unpack(told.bundle), evidence).differences


def test_a_flood_of_them_is_no_crisis_and_teaches_no_calm() -> None:
    player = Player(core())
    player.quiet(900, negative=0.3)
    usual = player.core.shards["aurora"].detector.pooled.negative.usual
    for _ in range(60):
        player.minute(((GREEK, 8),))
    after = player.core.shards["aurora"].detector.pooled.negative.usual

    assert EffectKind.OPENED not in {one.kind for one in player.effects}
    assert abs(after - usual) < 0.01


def test_the_alarm_carries_the_means_of_its_window() -> None:
    player = Player(core())
    player.quiet(600)
    for _ in range(10):
        player.minute(((NEGATIVE, 8), (ENGLISH, 8), (POSITIVE, 1)))
    (told,) = [one for one in player.effects if one.kind is EffectKind.OPENED]
    assert told.incident is not None
    groups = {one.language: one for one in told.incident.evidence.groups}

    assert {"it", "en"} == set(groups)
    assert groups["en"] == Group("en", groups["en"].posts, 0.7, 0.1)
    assert sum(one.posts for one in groups.values()) == told.incident.evidence.mentions
