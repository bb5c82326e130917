"""The life of an incident, step by step, and that there is at most one open a fingerprint."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.flow import Counts, Flow
from sentinel.core.incidents import (
    NORMAL_MINUTES,
    RETURN_SECONDS,
    Case,
    follow,
    kind_of,
    same_story,
    weigh,
)
from sentinel.core.pipeline import GLOBAL, Core
from sentinel.core.storyline import Storyline
from sentinel.model import (
    Action,
    Command,
    Direction,
    Effect,
    EffectKind,
    Evidence,
    Phase,
    PlaybookMatch,
    Severity,
    Sighting,
    SourceState,
    SourceStatus,
    Verdict,
)
from sentinel.playbook_files import load_playbooks
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

START = T0 - T0 % 3600


def case(**changes: object) -> Case:
    values: dict[str, object] = {
        "id": "aurora-1",
        "direction": Direction.THREAT,
        "opened_at": START,
        "detected_at": START,
        "onset_at": START,
        "updated_at": START,
        "wave_at": START,
        "evidence": Evidence(START, 900, 40, 5.0, 0.7, 0.2, 0.05, 0.2, 12.0, 9.0),
        "storyline": Storyline(),
        "playbook": PlaybookMatch("", 0.0, matched=False),
    }
    return Case(**(values | changes))  # type: ignore[arg-type]  # spelled out above


class Life:
    """A case and the flow that moves it."""

    def __init__(self) -> None:
        self.case, self.flow, self.at = case(), Flow(), START
        self.phases: list[Phase] = []

    def minutes(self, number: int, negative: int, *, growth: float = 1.0) -> None:
        rate = float(negative)
        for _ in range(number):
            count = round(rate)
            self.flow.push(Counts(self.at, count + 1, count, 0, 1.0, 0.2, 0.1))
            self.at += 60
            if self.case.open:
                follow(self.case, self.flow, self.at)
            if not self.phases or self.phases[-1] is not self.case.phase:
                self.phases.append(self.case.phase)
            rate *= growth


def test_a_life_goes_from_onset_over_peak_and_decay_to_its_end() -> None:
    life = Life()
    life.minutes(25, 4, growth=1.12)
    life.minutes(20, 60)
    life.minutes(30, 5)
    life.minutes(400, 0)
    assert life.phases[-2:] == [Phase.DECAYING, Phase.RESOLVED]
    assert Phase.ESCALATING in life.phases
    assert life.phases.index(Phase.ESCALATING) < life.phases.index(Phase.PEAK)


def test_the_end_needs_a_whole_hour_near_the_usual() -> None:
    life = Life()
    life.minutes(20, 10)
    life.minutes(10 * 60, 0)
    resolved_after = next(n for n in range(1, 600) if _phase_after(n) is Phase.RESOLVED)
    assert resolved_after > NORMAL_MINUTES
    assert _phase_after(resolved_after - 1) is not Phase.RESOLVED


def _phase_after(quiet: int) -> Phase:
    life = Life()
    life.minutes(20, 10)
    life.minutes(quiet, 0)
    return life.case.phase


def test_it_does_not_flap_between_peak_and_decay() -> None:
    life = Life()
    life.minutes(30, 40)
    life.minutes(30, 15)
    assert life.case.phase is Phase.DECAYING
    life.minutes(20, 25)  # more than half of the peak, less than four fifths
    assert life.case.phase is Phase.DECAYING
    life.minutes(20, 60)
    assert life.case.phase in {Phase.PEAK, Phase.ESCALATING}


def test_severity_rises_and_never_falls_while_it_is_open() -> None:
    life = Life()
    life.minutes(10, 5)
    assert weigh(life.case, life.flow)
    levels = [life.case.severity]
    for negative in (10, 40, 200, 40, 5, 0):
        life.minutes(30, negative)
        weigh(life.case, life.flow)
        levels.append(life.case.severity)
    assert levels == sorted(levels)
    assert levels[-1] is Severity.CRITICAL


def told(*terms: str) -> Storyline:
    made = Storyline()
    for number in range(6):
        made.add(sighting(number, START, Verdict("it", 0.9, 0.1, 0.0, "negative", (), terms)))
    return made


@pytest.mark.parametrize(
    ("hours", "terms", "same"),
    [
        (1, ("altro",), True),  # so soon it is the same whatever is said
        (24, ("altro",), True),
        (25, ("altro",), False),
        (25, ("boicotta", "altro"), True),
        (168, ("boicotta",), True),
        (169, ("boicotta",), False),
        (30, ("aurora",), False),  # everybody says the brand's name
        (30, (), False),
    ],
)
def test_a_flare_up_is_the_same_story_by_time_and_words(
    hours: int, terms: tuple[str, ...], same: bool
) -> None:
    old = case(resolved_at=START, storyline=told("boicotta", "presidente", "aurora"))
    assert same is same_story(old, told(*terms), START + hours * 3600, {"aurora"})
    assert RETURN_SECONDS == 168 * 3600


def test_the_kind_is_the_matched_playbooks_else_the_best_types_else_unknown() -> None:
    types = (("boycott", 0.6), ("data-breach", 0.1))
    threat, praise = Direction.THREAT, Direction.OPPORTUNITY
    matched = PlaybookMatch("data-breach", 0.9)
    unmatched = PlaybookMatch("general", 0.1, matched=False)
    assert kind_of(matched, types, threat) == "data-breach"
    assert kind_of(unmatched, types, threat) == "boycott"
    assert kind_of(unmatched, (("boycott", 0.2),), threat) == "unknown"
    assert kind_of(unmatched, (), threat) == "unknown"
    assert kind_of(matched, types, praise) == "opportunity"


# --- the core as a whole, under whatever comes ---------------------------------------------------

MINUTE = st.tuples(
    st.integers(0, 12),
    st.integers(0, 6),
    st.integers(0, 10),
    st.sampled_from(["aurora", "northwind"]),
)
COMMANDS = st.dictionaries(st.integers(0, 60), st.sampled_from(list(Action)), max_size=6)


class Play:
    """Feeds arbitrary minutes and commands, and keeps every effect."""

    def __init__(self, plan: list[tuple[int, int, int, str]], orders: dict[int, Action]) -> None:
        self.plan, self.orders = plan, orders
        self.now = T0
        self.core = core(AURORA, NORTHWIND)
        self.effects: list[Effect] = []
        self.core.source(SourceStatus("feed", SourceState.ALIVE, T0))

    def _posts(self, minute: int) -> list[Sighting]:
        negative, neutral, positive, brand = self.plan[minute]
        verdicts = [NEGATIVE] * negative + [NEUTRAL] * neutral + [POSITIVE] * positive
        return [
            sighting(minute * 100 + n, self.now + n, verdict, brand=brand)
            for n, verdict in enumerate(verdicts)
        ]

    def minute(self, number: int, *, restored: bool, backwards: bool) -> None:
        if restored:
            fresh = core(AURORA, NORTHWIND)
            for name in (GLOBAL, "aurora", "northwind"):
                fresh.restore(name, self.core.snapshot(name))
            self.core = fresh
        posts = self._posts(number)
        self.core.feed(posts[::-1] if backwards else posts)
        self.now += 60
        tick = self.core.tick(self.now)
        if tick is not None:
            self.effects += self.core.advance(tick)
        if number in self.orders:
            self.effects += self._order(number)

    def _order(self, number: int) -> list[Effect]:
        known = [one.incident for one in self.effects if one.incident is not None]
        if not known:
            return []
        action = self.orders[number]
        return self.core.command(
            Command(f"c{number}", self.now, action, known[-1].id, "u1", "Anna", value="600")
        )


def played(
    plan: list[tuple[int, int, int, str]],
    orders: dict[int, Action],
    *,
    restored: frozenset[int] = frozenset(),
    backwards: bool = False,
) -> Play:
    play = Play(plan, orders)
    for _ in range(60):  # an hour of calm before
        play.plan = [(0, 1, 0, "aurora"), *play.plan]
    play.orders = {60 + number: action for number, action in orders.items()}
    for number in range(len(play.plan)):
        play.minute(number, restored=number in restored, backwards=backwards)
        _check_open(play.core)
    return play


def _check_open(one: Core) -> None:
    fingerprints = Counter((each.brand, each.direction) for each in one.open_incidents())
    assert all(number == 1 for number in fingerprints.values())


@settings(max_examples=20, deadline=None)
@given(
    plan=st.lists(MINUTE, min_size=20, max_size=60),
    orders=COMMANDS,
    cuts=st.frozensets(st.integers(0, 119)),
)
def test_one_open_incident_a_fingerprint_and_restores_and_order_are_invisible(
    plan: list[tuple[int, int, int, str]], orders: dict[int, Action], cuts: frozenset[int]
) -> None:
    plain = played(plan, orders)
    disturbed = played(plan, orders, restored=cuts, backwards=True)
    assert plain.effects == disturbed.effects
    for name in ("aurora", "northwind"):
        assert msgspec.msgpack.decode(plain.core.snapshot(name)) == msgspec.msgpack.decode(
            disturbed.core.snapshot(name)
        )
    ids = [one.id for one in plain.effects]
    assert len(ids) == len(set(ids))
    for effect in plain.effects:
        if effect.incident is not None:
            assert effect.id == f"{effect.incident.id}:{effect.incident.revision}:{effect.kind}"


def test_a_command_that_comes_twice_under_one_id_counts_once_and_under_two_twice() -> None:
    play = Play([(12, 0, 0, "aurora")] * 30, {})
    play.plan = [(0, 1, 0, "aurora")] * 60 + play.plan
    for number in range(len(play.plan)):
        play.minute(number, restored=False, backwards=False)
    [incident] = play.core.open_incidents()

    def escalate(command_id: str) -> list[Effect]:
        return play.core.command(
            Command(command_id, play.now, Action.ESCALATE, incident.id, "u1", "Anna")
        )

    assert [len(escalate(name)) for name in ("c1", "c1", "c2", "c1")] == [1, 0, 1, 0]
    assert play.core.open_incidents()[0].escalation_level == incident.escalation_level + 2


# --- stand-down ----------------------------------------------------------------------------------


def after_the_storm(quiet_minutes: int = 180) -> Player:
    """A storm that has calmed down by itself; the plan in force wants ``quiet_minutes`` of calm."""
    plan = next(one for one in load_playbooks().playbooks if one.general)
    rule = msgspec.structs.replace(plan.stand_down, quiet_minutes=quiet_minutes)
    plan = msgspec.structs.replace(plan, stand_down=rule)
    player = Player(Core([AURORA], (plan,), {"feed": 0.0}))
    player.quiet(600)
    player.storm(20)
    while "resolved" not in player.kinds():
        player.quiet(10)
    return player


def told_of(player: Player, kind: EffectKind) -> list[Effect]:
    return [effect for effect in player.effects if effect.kind is kind]


def test_calm_as_long_as_the_plan_asks_is_told_once() -> None:
    player = after_the_storm()
    (resolved,) = told_of(player, EffectKind.RESOLVED)
    assert resolved.incident is not None
    calm_since = resolved.incident.calm_since
    assert calm_since == resolved.at - 60 * NORMAL_MINUTES
    player.quiet(100)
    assert [] == told_of(player, EffectKind.STOOD_DOWN)
    player.quiet(300)
    (told,) = told_of(player, EffectKind.STOOD_DOWN)
    assert told.incident is not None
    assert told.at >= calm_since + 180 * 60
    assert (told.page, told.incident.stood_down_at) == (False, told.at)


def test_a_return_begins_the_calm_anew() -> None:
    player = after_the_storm()
    player.quiet(300)
    player.storm(20)
    assert [] != told_of(player, EffectKind.RETURNED)
    back = player.effects[-1].incident
    assert back is not None
    assert (back.calm_since, back.stood_down_at) == (None, None)
    while player.kinds().count("resolved") < 2:
        player.quiet(10)
    player.quiet(300)
    assert 2 == len(told_of(player, EffectKind.STOOD_DOWN))


def test_what_nobody_could_watch_is_not_calm() -> None:
    player = after_the_storm()
    player.core.source(SourceStatus("feed", SourceState.DOWN, player.now))
    for _ in range(200):
        player.now += 60
        player.tick()
    player.core.source(SourceStatus("feed", SourceState.ALIVE, player.now))
    back = player.now
    player.quiet(170)
    assert [] == told_of(player, EffectKind.STOOD_DOWN)
    player.quiet(60)
    (told,) = told_of(player, EffectKind.STOOD_DOWN)
    assert told.at - back >= 170 * 60


def test_a_false_alarm_needs_no_standing_down() -> None:
    player = after_the_storm()
    (opened,) = told_of(player, EffectKind.OPENED)
    assert opened.incident is not None
    command = Command("1", player.now, Action.FALSE_ALARM, opened.incident.id, "1", "Carla")
    player.effects += player.core.command(command)
    player.quiet(300)
    assert [] == told_of(player, EffectKind.STOOD_DOWN)
