"""The core as a whole: from sightings to effects."""

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.pipeline import GLOBAL, Core
from sentinel.errors import SnapshotError
from sentinel.model import (
    Action,
    Command,
    Direction,
    EffectKind,
    Phase,
    Retraction,
    SourceState,
    SourceStatus,
)
from tests.core.build import (
    AURORA,
    NEGATIVE,
    NEUTRAL,
    NORTHWIND,
    POSITIVE,
    T0,
    Player,
    core,
    sighting,
)


def burning(minutes: int = 20) -> Player:
    player = Player(core())
    player.quiet(600)
    player.storm(minutes)
    return player


def command(
    player: Player, action: Action, value: str = "", who: str = "Anna", number: int = 1
) -> Command:
    incident = next(one.incident for one in player.effects if one.incident is not None)
    return Command(
        id=f"c{number}{action}{who}",
        at=player.now,
        action=action,
        incident_id=incident.id,
        actor_id=who.lower(),
        actor_name=who,
        value=value,
    )


def test_a_storm_of_negatives_opens_exactly_one_incident() -> None:
    player = burning()
    assert player.kinds().count("opened") == 1
    opened = next(one for one in player.effects if one.kind is EffectKind.OPENED)
    assert opened.page
    assert opened.incident is not None
    assert Direction.THREAT is opened.incident.direction
    assert opened.at - (T0 + 600 * 60) <= 5 * 60


def test_an_alert_carries_what_a_person_needs() -> None:
    player = burning()
    incident = player.effects[-1].incident
    assert incident is not None
    assert incident.evidence.mentions > incident.evidence.expected
    assert incident.evidence.negative_share > incident.evidence.usual_negative_share
    assert incident.evidence.score >= incident.evidence.threshold
    assert len(incident.quotes) == 3
    assert incident.first_post is not None
    assert "vergogna" in [term.term for term in incident.terms]
    assert incident.series
    assert len(incident.series) <= 20
    assert incident.channels[0][0] == "social"


def test_quiet_talk_raises_nothing() -> None:
    player = Player(core())
    player.quiet(3000)
    assert player.effects == []


def test_a_wave_of_praise_is_an_opportunity_not_a_threat() -> None:
    player = Player(core())
    player.quiet(600)
    for _ in range(20):
        player.minute(((POSITIVE, 15), (NEUTRAL, 2)))
    opened = [one.incident for one in player.effects if one.kind is EffectKind.OPENED]
    assert [one.direction for one in opened if one] == [Direction.OPPORTUNITY]


def test_an_incident_ends_when_the_talk_is_normal_again() -> None:
    player = burning()
    player.quiet(400)
    assert "decaying" in player.kinds()
    assert player.kinds()[-1] == "resolved"
    assert player.core.open_incidents() == []


def test_a_second_wave_belongs_to_the_same_incident() -> None:
    player = burning()
    player.quiet(500)
    player.storm(20)
    assert player.kinds().count("opened") == 1
    assert player.kinds().count("returned") == 1
    assert player.core.open_incidents()[0].wave == 2


def test_another_brand_is_not_disturbed() -> None:
    player = Player(core(AURORA, NORTHWIND))
    player.quiet(300)
    player.quiet(300, brand="northwind")
    player.storm(15)
    assert {"aurora"} == {effect.brand for effect in player.effects}


def test_the_order_of_arrival_within_open_minutes_changes_nothing() -> None:
    def play(*, backwards: bool) -> list[bytes]:
        player = Player(core())
        player.quiet(300)
        for minute in range(12):
            made = [
                sighting(10_000 + minute * 20 + n, player.now + n, NEGATIVE if n % 4 else NEUTRAL)
                for n in range(16)
            ]
            player.core.feed(reversed(made) if backwards else made)
            player.now += 60
            player.tick()
        return [msgspec.msgpack.encode(effect) for effect in player.effects]

    assert play(backwards=False) == play(backwards=True)
    assert play(backwards=False)


def test_a_mention_fed_twice_counts_once() -> None:
    one = core()
    post = sighting(1, T0 + 5, NEGATIVE)
    one.feed([post, post])
    one.feed([post])
    counts = one.shards["aurora"].state.windows.open[int(T0)].counts
    assert counts == {"social": [1, 1, 0, 0]}


def test_a_mention_of_a_closed_minute_is_late() -> None:
    player = Player(core())
    player.quiet(10)
    fed = player.core.feed([sighting(999_999, player.now - 300, NEGATIVE)])
    assert len(fed.late) == 1
    assert fed.counted == ()


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(0, 45))
def test_restoring_at_any_point_is_invisible(cut: int) -> None:
    player = Player(core())
    player.quiet(120)
    twin: Core | None = None
    after: list[bytes] = []
    for minute in range(50):
        if minute == cut:
            twin = core()
            for brand in (GLOBAL, "aurora"):
                twin.restore(brand, player.core.snapshot(brand))
        before = len(player.effects)
        made = [
            sighting(50_000 + minute * 9 + n, player.now + n, NEGATIVE)
            for n in range(9 if 10 < minute < 30 else 1)
        ]
        player.core.feed(made)
        if twin is not None:
            twin.feed(made)
        player.now += 60
        tick = player.core.tick(player.now)
        player.tick()
        if twin is not None and tick is not None:
            after += [msgspec.msgpack.encode(one) for one in twin.advance(tick)]
            mine = [msgspec.msgpack.encode(one) for one in player.effects[before:]]
            assert mine == after[len(after) - len(mine) :]
    assert twin is not None
    assert twin.snapshot("aurora") == player.core.snapshot("aurora")


def test_an_unknown_snapshot_version_is_a_clear_error() -> None:
    one = core()
    blob = msgspec.msgpack.decode(one.snapshot("aurora"))
    blob["version"] = 99
    with pytest.raises(SnapshotError, match="version 99"):
        one.restore("aurora", msgspec.msgpack.encode(blob))


@pytest.mark.parametrize("damage", [b"", b"\x00\x01", b"{}"])
def test_a_damaged_snapshot_is_a_clear_error_and_changes_nothing(damage: bytes) -> None:
    one = core()
    before = one.snapshot("aurora")
    with pytest.raises(SnapshotError, match="aurora"):
        one.restore("aurora", damage)
    assert before == one.snapshot("aurora")


def test_a_source_that_is_down_makes_no_brand_alert_and_one_word_to_operations() -> None:
    player = Player(core())
    player.quiet(600)
    player.core.source(SourceStatus("feed", SourceState.DOWN, player.now))
    for _ in range(30):
        player.now += 60
        player.tick()
    assert player.kinds() == ["source_silent"]
    assert player.effects[0].at - (T0 + 600 * 60) <= 15 * 60
    player.effects += player.core.source(SourceStatus("feed", SourceState.ALIVE, player.now))
    assert player.kinds() == ["source_silent", "source_recovered"]
    player.quiet(60)
    assert len(player.effects) == 2


def test_taking_an_alert_stops_the_calling_up() -> None:
    player = Player(core())
    player.quiet(600)
    while "opened" not in player.kinds():
        player.storm(1)
    player.effects += player.core.command(command(player, Action.TAKE))
    player.storm(60)
    assert "acknowledged" in player.kinds()
    assert "handed_up" not in player.kinds()


def test_an_alert_nobody_takes_goes_up_the_chain_and_stops_at_its_end() -> None:
    player = burning(60)
    assert player.kinds().count("handed_up") == 2


def test_a_command_sent_twice_counts_once() -> None:
    player = burning()
    first = player.core.command(command(player, Action.TAKE))
    again = player.core.command(command(player, Action.TAKE))
    assert [one.kind for one in first] == [EffectKind.ACKNOWLEDGED]
    assert again == []


def test_a_false_alarm_ends_it_spends_the_budget_and_keeps_quiet() -> None:
    player = burning()
    player.effects += player.core.command(command(player, Action.FALSE_ALARM))
    before = len(player.effects)
    player.storm(20, negative=8)
    assert Phase.RESOLVED is player.effects[before - 1].incident.phase  # type: ignore[union-attr]
    assert player.core.shards["aurora"].budget_spent(player.now) == 1.0
    assert not {"opened", "returned"} & set(player.kinds()[before:])


def test_a_snooze_keeps_quiet_and_ends_by_itself() -> None:
    player = burning(60)
    player.effects += player.core.command(command(player, Action.SNOOZE, "600"))
    before = len(player.effects)
    player.storm(12)
    assert not any(one.page for one in player.effects[before:])
    assert "unsnoozed" in player.kinds()[before:]


def test_what_gets_worse_ends_the_snooze_and_says_from_where() -> None:
    player = Player(core())
    player.quiet(600, rate=3)
    player.storm(8, negative=5)
    player.effects += player.core.command(command(player, Action.SNOOZE, "3600"))
    before = len(player.effects)
    player.storm(20, negative=100)
    worse = next(one for one in player.effects[before:] if one.kind is EffectKind.ESCALATED)
    assert worse.page
    assert worse.incident is not None
    assert worse.incident.snoozed_until is None
    assert worse.note in {"low", "medium", "high"}


def test_a_command_for_an_unknown_incident_does_nothing() -> None:
    player = burning()
    stray = msgspec.structs.replace(command(player, Action.TAKE), incident_id="nobody-knows")
    assert player.core.command(stray) == []


def test_a_deleted_post_is_shown_no_more_but_stays_counted() -> None:
    player = burning()
    incident = player.core.open_incidents()[0]
    shown = incident.quotes[0]
    player.core.forget(Retraction(shown.source, mention_id=shown.mention_id))
    after = player.core.open_incidents()[0]
    assert shown.mention_id not in [quote.mention_id for quote in after.quotes]
    assert incident.mentions == after.mentions


def test_the_same_input_gives_the_same_effects_with_the_same_ids() -> None:
    assert burning().effects == burning().effects


def test_a_brand_seldom_spoken_of_is_alerted_at_the_third_voice_not_before() -> None:
    """Two angry posts in two hours may be evidence enough for the budget; nobody wants to be woken for them."""
    one, rng = core(), Random(2)
    one.source(SourceStatus("feed", SourceState.ALIVE, T0))

    def close(until: float) -> list[str]:
        tick = one.tick(until)
        return [effect.kind.value for effect in one.advance(tick)] if tick else []

    for number, at in enumerate(sorted(rng.uniform(0, 70 * 86_400) for _ in range(30))):
        close(T0 + at)
        one.feed([sighting(number, T0 + at)])
    begin = T0 + 71 * 86_400
    for hour in range(2):
        close(begin + hour * 3600)
        one.feed([sighting(1000 + hour, begin + hour * 3600, NEGATIVE)])
    detector = one.shards["aurora"].detector
    assert "opened" not in close(begin + 2 * 3600)
    assert detector.score > detector.threshold
    one.feed([sighting(1002, begin + 2 * 3600, NEGATIVE)])
    assert "opened" in close(begin + 3 * 3600)
