"""Who is called: rotation by the week on the team's wall clock, brands before everybody, stand-ins."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sentinel.core.oncall import Duty, Person, Rota
from sentinel.core.playbooks import Role

ROME = ZoneInfo("Europe/Rome")
PEOPLE = tuple(Person(one, f"Reperibile {one}") for one in ("a", "b", "c"))


def at(text: str, zone: ZoneInfo = ROME) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def rota(*duties: Duty, zone: str = "Europe/Rome") -> Rota:
    return Rota(PEOPLE, duties, zone)


def name(found: Person | None) -> str:
    return found.id if found is not None else ""


OFFICER = Duty((Role.DUTY_OFFICER, Role.LEGAL), ("a", "b", "c"), backup="c")


def test_a_week_changes_hands_on_monday_at_the_hour_of_the_handover() -> None:
    one = rota(OFFICER)
    before = name(one.on_call(Role.DUTY_OFFICER, "aurora", at("2026-09-14T08:59:59")))
    after = name(one.on_call(Role.DUTY_OFFICER, "aurora", at("2026-09-14T09:00:00")))
    assert before != after
    for day in range(7):
        moment = at("2026-09-14T09:00:00") + day * 86_400
        assert after == name(one.on_call(Role.DUTY_OFFICER, "aurora", moment))


def test_everybody_has_their_turn_in_order() -> None:
    one = rota(OFFICER)
    first = datetime(2026, 1, 5, 12, tzinfo=ROME)
    turns = [
        name(one.on_call(Role.LEGAL, "", (first + timedelta(weeks=week)).timestamp()))
        for week in range(104)
    ]
    begin = "abc".index(turns[0])
    assert turns == ["abc"[(begin + week) % 3] for week in range(104)]


@pytest.mark.parametrize("week", ["2026-03-30", "2026-10-26"])
def test_the_change_of_clocks_moves_no_handover(week: str) -> None:
    one = rota(OFFICER)
    before = name(one.on_call(Role.LEGAL, "", at(f"{week}T08:59:00")))
    after = name(one.on_call(Role.LEGAL, "", at(f"{week}T09:01:00")))
    assert before != after


def test_the_wall_clock_is_the_teams() -> None:
    moment = at("2026-09-14T08:30:00")
    east, west = rota(OFFICER, zone="Asia/Tokyo"), rota(OFFICER, zone="America/New_York")
    assert name(east.on_call(Role.LEGAL, "", moment)) != name(west.on_call(Role.LEGAL, "", moment))


def test_a_duty_for_a_brand_comes_before_the_one_for_all() -> None:
    one = rota(
        Duty((Role.LEGAL,), ("a",)),
        Duty((Role.LEGAL,), ("b",), brands=("aurora",), backup="c"),
        Duty((Role.HR,), ("c",), brands=("northwind",)),
    )
    assert name(one.on_call(Role.LEGAL, "aurora", 0.0)) == "b"
    assert name(one.on_call(Role.LEGAL, "northwind", 0.0)) == "a"
    assert name(one.on_call(Role.HR, "northwind", 0.0)) == "c"
    assert name(one.on_call(Role.HR, "aurora", 0.0)) == ""


def test_a_role_that_nobody_holds_has_nobody() -> None:
    assert rota(OFFICER).on_call(Role.IT, "aurora", 0.0) is None
    assert rota(Duty((Role.IT,), ())).on_call(Role.IT, "aurora", 0.0) is None
    assert Rota().on_call(Role.IT, "", 0.0) is None
    assert Rota().call("", 0, 0.0).people == ()
    assert Rota().call("", 5, 0.0).people == ()


def called(one: Rota, level: int, brand: str = "aurora") -> tuple[str, str, str]:
    call = one.call(brand, level, 0.0)
    return call.role.value, name(call.person), name(call.stand_in)


CHAIN = (
    Duty((Role.DUTY_OFFICER,), ("a",), backup="b"),
    Duty((Role.INCIDENT_LEAD,), ("c",)),
    Duty((Role.EXECUTIVE_SPONSOR,), ("a",), backup="c"),
)


def test_each_level_calls_the_next_role_and_the_backup_of_the_one_that_was_silent() -> None:
    one = rota(*CHAIN)
    assert ("duty-officer", "a", "") == called(one, 0)
    assert ("incident-lead", "c", "b") == called(one, 1)
    assert ("executive-sponsor", "a", "") == called(one, 2)  # the lead has no backup
    assert ("executive-sponsor", "a", "c") == called(one, 3)
    assert ("executive-sponsor", "a", "c") == called(one, 9)


def test_a_backup_is_called_also_where_nobody_holds_the_next_role() -> None:
    one = rota(CHAIN[0])
    assert ("incident-lead", "", "b") == called(one, 1)
    assert [person.id for person in one.call("aurora", 1, 0.0).people] == ["b"]


def test_nobody_is_called_twice_at_once() -> None:
    alone = rota(Duty(tuple(Role), ("a",), backup="a"))
    assert [("a", ""), ("a", "")] == [called(alone, level)[1:] for level in (1, 2)]
    lead = rota(CHAIN[0], Duty((Role.INCIDENT_LEAD,), ("b",)))
    assert ("incident-lead", "b", "") == called(lead, 1)


def test_a_duty_for_a_segment_stands_between_one_for_the_brand_and_one_for_all() -> None:
    duties = (
        Duty((Role.LEGAL,), ("a",)),
        Duty((Role.LEGAL,), ("b",), segments=("food",)),
        Duty((Role.LEGAL,), ("c",), brands=("aurora",)),
    )
    segments = {"aurora": "food", "borea": "food", "northwind": "coffee"}
    one = Rota(PEOPLE, duties, "Europe/Rome", segments)
    found = {
        brand: name(one.on_call(Role.LEGAL, brand, 0.0)) for brand in (*segments, "without", "")
    }
    assert {"aurora": "c", "borea": "b", "northwind": "a", "without": "a", "": "a"} == found
