"""Coombs' rule: what a brand has been through moves the cluster one step, for two years, and never by hearsay."""

import msgspec
import pytest

from sentinel.core.history import HISTORY_SECONDS, MAX_HISTORY, cluster_of, in_time
from sentinel.core.pipeline import Core
from sentinel.core.playbooks import Cluster, Playbook
from sentinel.core.shard import Settings
from sentinel.model import (
    Action,
    Brand,
    Command,
    EffectKind,
    Incident,
    PastCase,
    Severity,
)
from sentinel.playbook_files import load_playbooks
from tests.core.build import AURORA, NEGATIVE, NEUTRAL, T0, Player

BOOK = load_playbooks()
DAY = 86_400.0


def plan(playbook_id: str) -> Playbook:
    found = BOOK.get(playbook_id)
    assert found is not None
    return found


def past(number: int, at: float, kind: str = "boycott") -> PastCase:
    return PastCase(f"i{number}", kind, at, Severity.HIGH)


@pytest.mark.parametrize(
    ("playbook_id", "before", "after"),
    [
        ("fake-news", Cluster.VICTIM, Cluster.ACCIDENTAL),
        ("boycott", Cluster.ACCIDENTAL, Cluster.PREVENTABLE),
        ("executive-statement", Cluster.PREVENTABLE, Cluster.PREVENTABLE),
        ("opportunity-praise-wave", Cluster.NONE, Cluster.NONE),
    ],
)
def test_a_history_of_the_same_moves_the_cluster_one_step(
    playbook_id: str, before: Cluster, after: Cluster
) -> None:
    book = plan(playbook_id)
    assert cluster_of(book, ()) is before
    assert cluster_of(book, book.types) is after


def test_a_history_of_something_else_moves_nothing() -> None:
    assert cluster_of(plan("boycott"), ("data-breach",)) is Cluster.ACCIDENTAL
    assert cluster_of(plan("general"), ("boycott",)) is Cluster.ACCIDENTAL


def test_the_past_ends_after_two_years_and_is_bounded() -> None:
    cases = [past(n, T0 - n * DAY) for n in range(900)]
    known = in_time(cases + cases, T0)
    assert [one.incident for one in known[:2]] == ["i0", "i1"]
    assert len(known) == MAX_HISTORY
    assert in_time([past(1, T0 - HISTORY_SECONDS - 1)], T0) == ()
    assert in_time([past(1, T0 + 60)], T0) == ()


class Years(Player):
    """A brand with packaged playbooks, through storms that lie far apart."""

    def __init__(self, brand: Brand = AURORA, settings: Settings | None = None) -> None:
        super().__init__(Core((brand,), BOOK.playbooks, {"feed": 0.0}, settings))
        self.quiet(600)

    def crisis(self) -> Incident:
        """A storm and the ten days after it; the incident as it was opened."""
        before = len(self.effects)
        self.storm(20)
        opened = next(
            one.incident for one in self.effects[before:] if one.kind is EffectKind.OPENED
        )
        self.quiet(300)
        self.wait(10 * DAY)
        assert opened is not None
        return opened

    def wait(self, seconds: float) -> None:
        """Nothing is said for a while, then the usual again."""
        for _ in range(int(seconds // DAY)):
            self.now += DAY
            self.minute(((NEUTRAL, 1),))
        self.quiet(300)

    def say(self, action: Action, incident: Incident) -> None:
        command = Command(f"{action}-{incident.id}", self.now, action, incident.id, "anna", "Anna")
        self.effects += self.core.command(command)


def test_the_first_crisis_has_no_past_and_the_plan_keeps_its_cluster() -> None:
    first = Years().crisis()
    assert first.playbook.playbook == "boycott"
    assert (first.plan_cluster, first.cluster, first.past) == ("accidental", "accidental", ())


def test_the_second_crisis_of_a_kind_is_told_with_the_first_and_one_cluster_up() -> None:
    years = Years()
    first, second = years.crisis(), years.crisis()
    [known] = second.past
    assert (known.incident, known.kind) == (first.id, "boycott")
    assert (second.plan_cluster, second.cluster) == ("accidental", "preventable")
    assert any(reason.startswith("seen before: boycott") for reason in second.playbook.reasons)


def test_a_false_alarm_is_no_past_even_if_it_is_called_so_afterwards() -> None:
    years = Years()
    years.storm(20)
    first = next(one.incident for one in years.effects if one.kind is EffectKind.OPENED)
    assert first is not None
    years.quiet(300)
    years.say(Action.FALSE_ALARM, first)
    years.wait(10 * DAY)
    assert years.crisis().past == ()


def test_a_rehearsal_is_no_past() -> None:
    years = Years(settings=Settings(drill=True))
    years.crisis()
    assert years.crisis().past == ()


def test_a_history_that_the_configuration_tells_moves_the_cluster_too() -> None:
    told = msgspec.structs.replace(AURORA, seen_before=("boycott",))
    first = Years(told).crisis()
    assert (first.plan_cluster, first.cluster, first.past) == ("accidental", "preventable", ())


def test_choosing_another_plan_by_hand_changes_the_cluster_with_it() -> None:
    years = Years(msgspec.structs.replace(AURORA, seen_before=("fake-news",)))
    years.storm(20)
    first = next(one.incident for one in years.effects if one.kind is EffectKind.OPENED)
    assert first is not None
    assert first.cluster == "accidental"
    chosen = Command(
        "c1", years.now, Action.CHANGE_PLAYBOOK, first.id, "anna", "Anna", value="fake-news"
    )
    [effect] = years.core.command(chosen)
    assert effect.incident is not None
    assert (effect.incident.plan_cluster, effect.incident.cluster) == ("victim", "accidental")


def test_the_past_survives_a_snapshot() -> None:
    years = Years()
    years.crisis()
    again = Core((AURORA,), BOOK.playbooks, {"feed": 0.0})
    again.restore("aurora", years.core.snapshot("aurora"))
    again.restore("", years.core.snapshot(""))
    assert again.snapshot("aurora") == years.core.snapshot("aurora")
    assert len(again.shards["aurora"].state.history) == 1
    assert NEGATIVE.crisis_types[0][0] == again.shards["aurora"].state.history[0].kind
