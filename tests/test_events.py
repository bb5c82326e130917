"""Planned events and holidays: from calendars to windows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sentinel.config import build_config
from sentinel.core.windows import Window
from sentinel.errors import ConfigError
from sentinel.events import CalendarConfig, EventConfig, Planner, check_events
from sentinel.model import Brand

ROME = ZoneInfo("Europe/Rome")
AURORA = Brand(id="aurora", name="Pastificio Aurora")
NORTHWIND = Brand(id="northwind", name="Northwind Coffee", timezone="America/New_York")

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:1
SUMMARY:Live with the head of the kitchen
DTSTART;TZID=Europe/Rome:20260324T180000
DTEND;TZID=Europe/Rome:20260324T200000
RRULE:FREQ=WEEKLY;COUNT=3
CATEGORIES:aurora,internal
END:VEVENT
BEGIN:VEVENT
UID:2
SUMMARY:Factory open day
DTSTART;VALUE=DATE:20260329
DTEND;VALUE=DATE:20260330
END:VEVENT
END:VCALENDAR
"""


def at(text: str, zone: ZoneInfo = ROME) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def planner(
    *events: EventConfig, calendar: CalendarConfig | None = None, folder: Path | None = None
) -> Planner:
    return Planner(
        events,
        calendar or CalendarConfig(),
        (AURORA, NORTHWIND),
        "Europe/Rome",
        folder or Path(),
    )


def weekly(**more: object) -> EventConfig:
    start = dt.datetime(2026, 3, 24, 18)  # noqa: DTZ001 - local on purpose
    return EventConfig(start, minutes=120, rrule="FREQ=WEEKLY", title="Q&A", **more)  # type: ignore[arg-type]  # keyword values of several types


def test_a_weekly_event_keeps_its_local_hour_when_the_clocks_change() -> None:
    found = planner(weekly()).windows(at("2026-03-20"), at("2026-04-08"))
    assert [
        (at("2026-03-24T18:00"), at("2026-03-24T20:00")),
        (at("2026-03-31T18:00"), at("2026-03-31T20:00")),
        (at("2026-04-07T18:00"), at("2026-04-07T20:00")),
    ] == [(one.start, one.end) for one in found]
    assert 7 * 86_400 - 3600 == found[1].start - found[0].start


def test_an_event_in_another_zone_follows_that_zones_clock() -> None:
    found = planner(weekly(timezone="America/New_York")).windows(at("2026-03-24"), at("2026-03-26"))
    assert [at("2026-03-24T18:00", ZoneInfo("America/New_York"))] == [one.start for one in found]


def test_only_what_touches_the_span_is_given() -> None:
    event = weekly()
    inside = planner(event).windows(at("2026-03-24T19:00"), at("2026-03-24T19:01"))
    assert [at("2026-03-24T18:00")] == [one.start for one in inside]
    assert () == planner(event).windows(at("2026-03-24T20:00"), at("2026-03-25"))


def test_a_calendar_file_gives_its_occurrences_for_the_brands_it_names(tmp_path: Path) -> None:
    (tmp_path / "events.ics").write_text(CALENDAR, encoding="utf-8")
    plan = planner(calendar=CalendarConfig(file="events.ics", multiplier=5.0), folder=tmp_path)
    plan.read()
    found = plan.windows(at("2026-03-20"), at("2026-05-01"))
    live = [one for one in found if one.title.startswith("Live")]
    assert [("aurora",)] * 3 == [one.brands for one in live]
    assert [5.0] * 3 == [one.multiplier for one in live]
    (day,) = [one for one in found if one.title == "Factory open day"]
    assert ((), 23 * 3600) == (day.brands, day.end - day.start)  # the clocks change that night


def test_public_holidays_are_local_days_of_each_audience() -> None:
    plan = planner(calendar=CalendarConfig(country="IT", holiday_widening=0.7))
    (rome, new_york) = plan.windows(at("2026-04-25T12:00"), at("2026-04-25T13:00"))
    assert (("aurora",), at("2026-04-25"), at("2026-04-26")) == (rome.brands, rome.start, rome.end)
    assert at("2026-04-25", ZoneInfo("America/New_York")) == new_york.start
    assert (1.0, 0.7) == (rome.multiplier, rome.widening)


def test_a_rule_that_repeats_every_second_is_cut_not_followed() -> None:
    start = dt.datetime(2026, 3, 24, tzinfo=dt.UTC)
    event = EventConfig(start, minutes=1, rrule="FREQ=SECONDLY")
    assert len(planner(event).windows(start.timestamp(), start.timestamp() + 86_400)) <= 2000


async def test_an_address_is_read_and_a_failure_keeps_what_was_known() -> None:
    answers = [web.Response(text=CALENDAR), web.Response(status=500), web.Response(text="nonsense")]

    async def answer(_: web.Request) -> web.Response:
        return answers.pop(0)

    app = web.Application()
    app.router.add_get("/events.ics", answer)
    async with TestServer(app) as server:
        plan = planner(calendar=CalendarConfig(url=str(server.make_url("/events.ics"))))
        known = []
        for _ in range(3):
            await plan.refresh()
            known.append(plan.windows(at("2026-03-20"), at("2026-05-01")))
    assert not answers
    assert 4 == len(known[0])
    assert [known[0]] * 3 == known


def test_a_file_that_is_no_calendar_is_named(tmp_path: Path) -> None:
    (tmp_path / "events.ics").write_text("nonsense")
    plan = planner(calendar=CalendarConfig(file="events.ics"), folder=tmp_path)
    with pytest.raises(ConfigError, match=r"calendar\.file"):
        plan.read()
    with pytest.raises(ConfigError, match=r"calendar\.file"):
        planner(calendar=CalendarConfig(file="none.ics"), folder=tmp_path).read()


@pytest.mark.parametrize(
    ("event", "key"),
    [
        ({}, r"events\[0\]"),
        ({"minutes": 0}, r"events\[0\]"),
        ({"minutes": 60, "rrule": "nonsense"}, r"events\[0\]\.rrule"),
        ({"minutes": 60, "multiplier": 0}, r"events\[0\]\.multiplier"),
        ({"minutes": 60, "widening": -1}, r"events\[0\]\.widening"),
        ({"minutes": 60, "brands": ("nobody",)}, r"events\[0\]\.brands"),
        ({"minutes": 60, "timezone": "Mars"}, r"events\[0\]\.timezone"),
    ],
)
def test_an_impossible_event_is_refused_by_its_key(event: dict[str, object], key: str) -> None:
    made = EventConfig(dt.datetime(2026, 3, 24, tzinfo=dt.UTC), **event)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ConfigError, match=key):
        check_events([made], CalendarConfig(), ["aurora"])


def test_an_unknown_country_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"calendar\.country"):
        check_events([], CalendarConfig(country="XX"), [])


def test_the_configuration_takes_events_and_a_calendar() -> None:
    raw = {
        "brands": [{"id": "aurora", "name": "Pastificio Aurora"}],
        "events": [
            {
                "title": "Launch",
                "start": dt.datetime(2026, 5, 1, 10),  # noqa: DTZ001 - as TOML gives a local time
                "minutes": 90,
                "brands": ["aurora"],
            }
        ],
        "calendar": {"country": "IT"},
    }
    config = build_config(raw, Path("sentinel.toml"), {})
    found = config.planner().windows(at("2026-05-01T09:00"), at("2026-05-01T12:00"))
    assert (
        Window(at("2026-05-01T10:00"), at("2026-05-01T11:30"), brands=("aurora",), title="Launch")
        in found
    )
    assert 2 == len(found)  # the first of May is a holiday
