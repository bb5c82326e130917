"""Evidence bundles: what is stored with an alarm gives its figures again."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.evidence import Bundle, Input, Recording
from sentinel.core.pipeline import GLOBAL
from sentinel.core.recompute import Recomputed, recompute
from sentinel.errors import SnapshotError
from sentinel.model import Action, Command, Effect, EffectKind, Incident
from tests.core.build import AURORA, NEGATIVE, NEUTRAL, POSITIVE, Player, core


def alarms(player: Player) -> list[tuple[Effect, Incident]]:
    return [(one, one.incident) for one in player.effects if one.bundle and one.incident]


def again(told: tuple[Effect, Incident]) -> Recomputed:
    effect, incident = told
    return recompute(Bundle.unpack(effect.bundle), incident.evidence)


def mixed(player: Player, minutes: int) -> None:
    """Quiet talk on three channels."""
    for number in range(minutes):
        player.quiet(1, channel=("social", "forum", "news")[number % 3])


def test_every_alarm_can_be_recomputed_to_the_same_figures() -> None:
    player = Player(core())
    mixed(player, 900)
    player.storm(6, channel="forum")
    player.storm(20, negative=40, channel="social")
    player.quiet(400)
    player.storm(15)
    told = alarms(player)
    assert {"opened", "escalated", "returned"} <= {effect.kind.value for effect, _ in told}
    assert [()] * len(told) == [again(one).differences for one in told]


def test_an_opportunity_is_recomputed_too() -> None:
    player = Player(core())
    player.quiet(600)
    for _ in range(15):
        player.minute(((POSITIVE, 15), (NEUTRAL, 2)))
    (told,) = [one for one in alarms(player) if one[0].kind is EffectKind.OPENED]
    result = again(told)
    assert () == result.differences
    assert result.counterfactual is not None
    assert result.counterfactual.needed <= result.counterfactual.had


def test_only_alarms_carry_a_bundle() -> None:
    player = Player(core())
    player.quiet(600)
    player.storm(40)
    player.quiet(300)
    silent = {one.kind for one in player.effects if not one.bundle}
    assert EffectKind.OPENED not in silent
    assert EffectKind.DECAYING in silent
    assert all(one.kind in {"opened", "escalated", "returned"} for one, _ in alarms(player))


def test_a_changed_figure_is_named() -> None:
    player = Player(core())
    player.quiet(600)
    player.storm(10)
    effect, incident = alarms(player)[0]
    forged = msgspec.structs.replace(incident.evidence, score=99.0, mentions=1)
    names = [name for name, _, _ in again((effect, _with(incident, forged))).differences]
    assert ["mentions", "score"] == names


def _with(incident: Incident, evidence: object) -> Incident:
    return msgspec.structs.replace(incident, evidence=evidence)


def test_the_counterfactual_is_the_edge_of_the_alarm() -> None:
    player = Player(core())
    mixed(player, 700)
    player.storm(10, negative=6, neutral=2)
    told = alarms(player)[0]
    result = again(told)
    fewer = result.counterfactual
    assert fewer is not None
    assert 0 < fewer.needed <= fewer.had
    assert fewer.score < result.evidence.threshold <= result.evidence.score


def test_the_table_ends_with_the_minute_that_raised_the_alarm() -> None:
    player = Player(core())
    player.quiet(600)
    player.storm(10)
    effect, incident = alarms(player)[0]
    rows = again((effect, incident)).rows
    assert effect.at == rows[-1].start + 60
    assert rows[0].start <= incident.onset_at - 300
    assert incident.evidence.score == rows[-1].score
    assert all(row.score < row.threshold for row in rows[:-1])


def test_what_people_and_sources_did_meanwhile_is_part_of_the_bundle() -> None:
    player = Player(core())
    player.quiet(600)
    player.storm(10)
    first = alarms(player)[0][1]
    command = Command("c1", player.now, Action.FALSE_ALARM, first.id, "anna", "Anna")
    player.effects += player.core.command(command)
    player.core.shards[AURORA.id].expect(3.0, 1.0)
    player.quiet(20)
    player.core.shards[AURORA.id].expect(1.0, 0.0)
    player.storm(20, negative=60)
    told = alarms(player)
    assert len(told) > 1
    assert [()] * len(told) == [again(one).differences for one in told]


def test_a_restore_in_the_middle_leaves_no_trace_in_the_bundle() -> None:
    one, other = Player(core()), Player(core())
    for player in (one, other):
        player.quiet(631)
    fresh = core()
    for part in (GLOBAL, AURORA.id):
        fresh.restore(part, other.core.snapshot(part))
    other.core = fresh
    for player in (one, other):
        player.storm(8)
    assert EffectKind.OPENED in {effect.kind for effect in one.effects}
    assert one.effects == other.effects


def test_a_bundle_stays_small_for_a_busy_brand_on_many_channels() -> None:
    player = Player(core())
    for number in range(1500):
        plan = ((NEGATIVE, number % 2), (NEUTRAL, 3), (POSITIVE, 1))
        player.minute(plan, channel=f"channel-{number % 11}")
    player.storm(10, negative=60, channel="channel-3")
    sizes = [len(effect.bundle) for effect, _ in alarms(player)]
    assert sizes
    assert max(sizes) <= 64 * 1024


def test_no_word_of_a_post_is_in_a_bundle() -> None:
    player = Player(core())
    player.quiet(300)
    for _ in range(10):
        player.minute(((NEGATIVE, 12),), text="parola segretissima")
    effect, _ = alarms(player)[0]
    bundle = Bundle.unpack(effect.bundle)
    assert b"segretissima" not in msgspec.msgpack.encode(bundle)
    assert b"utente" not in msgspec.msgpack.encode(bundle)


@given(st.binary(max_size=300))
@settings(max_examples=60)
def test_a_damaged_bundle_is_refused_with_a_word(data: bytes) -> None:
    with pytest.raises(SnapshotError):
        Bundle.unpack(data)


def test_a_bundle_of_another_version_of_the_detectors_is_refused_with_a_word() -> None:
    player = Player(core())
    player.quiet(600)
    player.storm(10)
    effect, incident = alarms(player)[0]
    bundle = Bundle.unpack(effect.bundle)
    bundle.state = b"another"
    with pytest.raises(SnapshotError):
        recompute(bundle, incident.evidence)


def test_a_recording_reaches_back_one_to_two_hours_and_no_further() -> None:
    recording = Recording(offset=7)
    detector = core().shards[AURORA.id].detector
    for minute in range(1000):
        recording.tell(detector, Input("minute", minute * 60, {"social": [1, 0, 0, 0]}))
        kept = sum(one.steps for one in recording.segments)
        assert min(minute + 1, 60) <= kept <= 127


def test_the_fewest_mentions_are_those_of_the_window_that_people_read() -> None:
    player = Player(core())
    player.quiet(600)
    player.storm(10, negative=30)
    for _, incident in alarms(player):
        evidence = incident.evidence
        assert evidence.would_not_fire_below is not None
        last = again((_, incident)).rows[-1]
        assert evidence.mentions - last.negative <= evidence.would_not_fire_below
        assert evidence.would_not_fire_below <= evidence.mentions
