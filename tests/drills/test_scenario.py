"""Scenarios: what a seed makes is always the same, and the verdict on a reaction is right."""

from itertools import islice, pairwise

import msgspec
import pytest

from sentinel.drills.demo import verdict
from sentinel.drills.scenario import Conversation, Moment, Scenario, load_scenario, scenario_names
from sentinel.errors import PlaybookError
from sentinel.model import Direction, Evidence, Incident, Mention, Phase, PlaybookMatch, Severity

SCENARIO = load_scenario("executive-remark")
CRISIS = SCENARIO.moment(Moment(16, "19:40"))


def conversation(scenario: Scenario = SCENARIO) -> dict[float, list[Mention]]:
    return dict(Conversation(scenario, "drill").minutes())


@pytest.fixture(scope="module")
def minutes() -> dict[float, list[Mention]]:
    return conversation()


def test_every_packaged_scenario_loads_and_talks() -> None:
    assert "executive-remark" in scenario_names()
    for name in scenario_names():
        first = list(islice(Conversation(load_scenario(name), "drill").minutes(), 600))
        assert sum(len(made) for _, made in first) > 0


def test_the_same_seed_makes_the_same_conversation_and_another_another(
    minutes: dict[float, list[Mention]],
) -> None:
    again = list(islice(Conversation(SCENARIO, "drill").minutes(), 2000))
    assert again == [(at, minutes[at]) for at in list(minutes)[:2000]]
    other = msgspec.structs.replace(SCENARIO, seed=1)
    assert again != list(islice(Conversation(other, "drill").minutes(), 2000))


def test_minutes_follow_each_other_without_gaps_and_hold_their_own_mentions(
    minutes: dict[float, list[Mention]],
) -> None:
    starts = list(minutes)
    assert starts[0] == SCENARIO.starts_at()
    assert all(later - earlier == 60 for earlier, later in pairwise(starts))
    assert starts[-1] + 60 >= SCENARIO.ends_at()
    for start, made in minutes.items():
        times = [one.published_at for one in made]
        assert times == sorted(times)
        assert all(start <= at < start + 60 for at in times)
    ids = [one.id for made in minutes.values() for one in made]
    assert len(ids) == len(set(ids))


def test_the_crisis_is_louder_than_the_weeks_before_it(
    minutes: dict[float, list[Mention]],
) -> None:
    before = [len(made) for start, made in minutes.items() if start < CRISIS]
    during = [len(made) for start, made in minutes.items() if CRISIS <= start < CRISIS + 7200]
    assert sum(during) / len(during) > 5 * sum(before) / len(before)


def test_no_slot_of_a_text_stays_open(minutes: dict[float, list[Mention]]) -> None:
    assert not [one.text for made in minutes.values() for one in made if "{" in one.text]


def test_times_of_day_are_local_also_across_the_change_of_clocks() -> None:
    spring = msgspec.structs.replace(SCENARIO, start="2026-03-28T00:00:00")
    assert spring.moment(Moment(1, "12:00")) - spring.moment(Moment(0, "12:00")) == 23 * 3600


def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(PlaybookError, match="no scenario 'nonsense'"):
        load_scenario("nonsense")


def incident(number: int = 1, **changes: object) -> Incident:
    at = CRISIS + 600.0
    values: dict[str, object] = {
        "id": f"aurora-{number}",
        "brand": "aurora",
        "brand_name": "Pastificio Aurora",
        "direction": Direction.THREAT,
        "severity": Severity.HIGH,
        "phase": Phase.PEAK,
        "onset_at": at,
        "opened_at": at,
        "detected_at": at,
        "updated_at": at,
        "revision": 1,
        "evidence": Evidence(at, 900, 40, 5.0, 0.7, 0.2, 0.05, 0.2, 12.0, 9.0),
        "playbook": PlaybookMatch("executive-statement", 0.9),
    }
    return Incident(**(values | changes))  # type: ignore[arg-type]  # spelled out above


def test_the_right_reaction_is_right() -> None:
    assert verdict(SCENARIO, [incident()]) == []


@pytest.mark.parametrize(
    ("incidents", "word"),
    [
        ([], "was not alerted"),
        ([incident(1), incident(2)], "alerted 2 times"),
        ([incident(detected_at=CRISIS + 86_400)], "too late"),
        ([incident(playbook=PlaybookMatch("general", 0.2))], "matched general"),
        ([incident(), incident(2, brand="northwind")], "northwind: was alerted"),
        ([incident(direction=Direction.OPPORTUNITY)], "was not alerted"),
    ],
)
def test_every_wrong_reaction_is_named(incidents: list[Incident], word: str) -> None:
    [problem] = verdict(SCENARIO, incidents)
    assert word in problem
