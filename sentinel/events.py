"""Planned events and public holidays, from the configuration and from iCalendar, as a plain list of windows.

What lives here: reading and expanding (recurring rules, daylight saving, all-day events). What does not: what a window does to an
expectation (``detectors``), when it applies (``core``). The core is handed windows; each tick of the journal carries those that
applied, so that a calendar that changes later changes no replay.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import msgspec
import structlog

from sentinel.core.windows import Window
from sentinel.errors import ConfigError
from sentinel.model import Brand

log = structlog.get_logger(__name__)

MAX_WINDOWS = 2000
"""Of one calendar in one span; a rule that repeats every second must not fill the memory."""
MAX_CALENDAR_BYTES = 5_000_000
FETCH_SECONDS = 30.0
BEFORE_SECONDS, AHEAD_SECONDS = 2 * 86_400.0, 8 * 86_400.0
"""Span around now that is expanded. It is expanded anew long before its end."""
LONGEST_SECONDS = 31 * 86_400.0
LEAST, MOST = 0.05, 1000.0


class EventConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of ``[[events]]``: a time in which more (or less) talk than usual is expected.

    Attributes:
        start: With an offset, or local time in ``timezone``.
        end: Exclusive; or give ``minutes``.
        minutes: Duration in place of ``end``.
        rrule: Repetition as in iCalendar, such as ``FREQ=MONTHLY;BYDAY=1TU``.
        brands: Brand ids; empty for all.
        multiplier: Factor on the usual number of mentions.
        widening: Added to the overdispersion: how unsure that factor is.
        timezone: IANA name; empty for that of ``[sentinel]``.
    """

    start: dt.datetime
    end: dt.datetime | None = None
    minutes: float | None = None
    rrule: str = ""
    title: str = ""
    brands: tuple[str, ...] = ()
    multiplier: float = 3.0
    widening: float = 1.0
    timezone: str = ""


class CalendarConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[calendar]`` table.

    Attributes:
        file, url: An iCalendar. An event whose CATEGORIES name brand ids is theirs alone, else it is everybody's.
        country, subdivision: ISO 3166 codes whose public holidays are expected to be unlike other days.
        multiplier, widening: Of the calendar's events; see ``EventConfig``.
        holiday_multiplier, holiday_widening: Of public holidays.
        refresh_minutes: How often file and address are read again.
    """

    file: str = ""
    url: str = ""
    country: str = ""
    subdivision: str = ""
    multiplier: float = 3.0
    widening: float = 1.0
    holiday_multiplier: float = 1.0
    holiday_widening: float = 1.0
    refresh_minutes: float = 60.0


Planned = Callable[[float, float], tuple[Window, ...]]
"""Windows that touch a span of epoch seconds."""


class Planner:
    """Knows the planned windows.

    Args:
        events: ``[[events]]``.
        calendar: ``[calendar]``.
        brands: For whom.
        timezone: Of local times that name none, and of all-day events.
        folder: Where a relative file lies.
    """

    def __init__(
        self,
        events: Sequence[EventConfig],
        calendar: CalendarConfig,
        brands: Sequence[Brand],
        timezone: str,
        folder: Path,
    ) -> None:
        self._events, self._calendar, self._brands = events, calendar, brands
        self._zone, self._folder = timezone, folder
        self._file_text = self._url_text = ""

    @property
    def empty(self) -> bool:
        """Whether nothing is planned and nothing ever will be."""
        calendar = self._calendar
        return not (self._events or calendar.file or calendar.url or calendar.country)

    @property
    def refresh_seconds(self) -> float:
        """How often to refresh."""
        return max(60.0, self._calendar.refresh_minutes * 60)

    def read(self) -> None:
        """Read the calendar file.

        Raises:
            ConfigError: It cannot be read, or is no calendar.
        """
        if not self._calendar.file:
            return
        path = self._folder / self._calendar.file
        try:
            with path.open("rb") as file:
                text = file.read(MAX_CALENDAR_BYTES).decode("utf-8-sig", "replace")
            _parsed(text)
        except OSError as error:
            raise ConfigError(str(error), path=path, key="calendar.file") from error
        except ValueError as error:
            raise ConfigError(
                f"is no iCalendar: {error}", path=path, key="calendar.file"
            ) from error
        self._file_text = text

    async def refresh(self) -> None:
        """Read file and address again; what cannot be read stays as it was, and is logged."""
        try:
            self.read()
        except ConfigError as error:
            log.warning("calendar_unreadable", error=str(error))
        if self._calendar.url:
            try:
                text = await _fetch(self._calendar.url)
                _parsed(text)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                log.warning("calendar_unreachable", error=type(error).__name__)
            else:
                self._url_text = text

    def around(self, now: float) -> tuple[Window, ...]:
        """Windows of the days around ``now``."""
        return self.windows(now - BEFORE_SECONDS, now + AHEAD_SECONDS)

    def windows(self, since: float, until: float) -> tuple[Window, ...]:
        """Windows that touch ``[since, until)``, in order of their start."""
        calendar = self._calendar
        found: list[Window] = []
        for event in self._events:
            zone = event.timezone or self._zone
            window = Window(0.0, 0.0, event.multiplier, event.widening, event.brands, event.title)
            found += _expand(_as_ical(event, zone), window, zone, since=since, until=until)
        ids = {brand.id for brand in self._brands}
        window = Window(0.0, 0.0, calendar.multiplier, calendar.widening)
        for text in filter(None, (self._file_text, self._url_text)):
            found += _expand(
                _parsed(text), window, self._zone, since=since, until=until, brands=ids
            )
        found += self._holidays(since, until)
        return tuple(sorted(found, key=lambda one: (one.start, one.end, one.title)))

    def _holidays(self, since: float, until: float) -> Iterator[Window]:
        calendar = self._calendar
        if not calendar.country:
            return
        for zone in sorted({brand.timezone for brand in self._brands}):
            here = tuple(brand.id for brand in self._brands if brand.timezone == zone)
            place = ZoneInfo(zone)
            first, last = (dt.datetime.fromtimestamp(at, place).date() for at in (since, until))
            for day, title in _public_holidays(calendar, first, last):
                start, end = (_midnight(one, place) for one in (day, day + dt.timedelta(days=1)))
                if end > since and start < until:
                    yield Window(
                        start,
                        end,
                        calendar.holiday_multiplier,
                        calendar.holiday_widening,
                        here,
                        title,
                    )


def check_events(
    events: Sequence[EventConfig], calendar: CalendarConfig, brands: Iterable[str]
) -> None:
    """Refuse what could not work.

    Raises:
        ConfigError: Names the key.
    """
    known = set(brands)
    for number, event in enumerate(events):
        place = f"events[{number}]"
        if (event.end is None) == (event.minutes is None):
            raise ConfigError("needs either 'end' or 'minutes'", key=place)
        for brand in event.brands:
            if brand not in known:
                raise ConfigError(f"no brand has the id {brand!r}", key=f"{place}.brands")
        _check_factor(event.multiplier, event.widening, place)
        _check_zone(event.timezone, f"{place}.timezone")
        try:
            length = _length(event, event.timezone or "UTC").total_seconds()
            _as_ical(event, event.timezone or "UTC")
        except (ValueError, TypeError) as error:
            raise ConfigError(str(error), key=f"{place}.rrule") from error
        if not 0 < length <= LONGEST_SECONDS:
            raise ConfigError("must last more than nothing and at most 31 days", key=place)
    _check_factor(calendar.multiplier, calendar.widening, "calendar")
    _check_factor(calendar.holiday_multiplier, calendar.holiday_widening, "calendar.holiday")
    if calendar.url and not calendar.url.startswith(("https://", "http://")):
        raise ConfigError("must begin with https:// or http://", key="calendar.url")
    if calendar.country:
        try:
            list(_public_holidays(calendar, dt.date(2026, 1, 1), dt.date(2026, 1, 2)))
        except NotImplementedError as error:
            raise ConfigError(str(error), key="calendar.country") from error


def _check_factor(multiplier: float, widening: float, place: str) -> None:
    if not LEAST <= multiplier <= MOST:
        raise ConfigError(f"must be between {LEAST:g} and {MOST:g}", key=f"{place}.multiplier")
    if not 0 <= widening <= 100:
        raise ConfigError("must be between 0 and 100", key=f"{place}.widening")


def _check_zone(name: str, key: str) -> None:
    if name:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ConfigError(f"{name!r} is no time zone", key=key) from None


def _public_holidays(
    calendar: CalendarConfig, first: dt.date, last: dt.date
) -> Iterator[tuple[dt.date, str]]:
    import holidays  # noqa: PLC0415 - slow to load, and most do without

    days = holidays.country_holidays(
        calendar.country.upper(),
        subdiv=calendar.subdivision or None,
        years=range(first.year, last.year + 1),
    )
    for day in sorted(days):
        if first <= day <= last:
            yield day, str(days[day])


# --- iCalendar -----------------------------------------------------------------------------------


def _parsed(text: str) -> object:
    import icalendar  # noqa: PLC0415 - most do without

    return icalendar.Calendar.from_ical(text)


def _local(moment: dt.datetime, zone: str) -> dt.datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


def _length(event: EventConfig, zone: str) -> dt.timedelta:
    if event.minutes is not None:
        return dt.timedelta(minutes=event.minutes)
    if event.end is None:
        return dt.timedelta()
    start, end = (_local(one, zone).astimezone(dt.UTC) for one in (event.start, event.end))
    return end - start


def _as_ical(event: EventConfig, zone: str) -> object:
    """The same event as a calendar of one, so that there is one way to expand rules."""
    import icalendar  # noqa: PLC0415 - most do without

    entry = icalendar.Event()
    start = _local(event.start, zone)
    entry.add("uid", f"{event.title}-{start.isoformat()}")
    entry.add("dtstart", start)
    entry.add("duration", _length(event, zone))
    if event.rrule:
        rule = icalendar.vRecur.from_ical(event.rrule)
        if "FREQ" not in rule:
            raise ValueError(f"{event.rrule!r} has no FREQ")
        entry.add("rrule", rule)
    calendar = icalendar.Calendar()
    calendar.add_component(entry)
    return calendar


def _expand(
    calendar: object,
    template: Window,
    zone: str,
    *,
    since: float,
    until: float,
    brands: Iterable[str] = (),
) -> Iterator[Window]:
    """Every occurrence that touches the span. An all-day event is a local day, of 23 or 25 hours when clocks change."""
    import recurring_ical_events  # noqa: PLC0415 - most do without

    known = set(brands)
    place = ZoneInfo(zone)
    begin = dt.datetime.fromtimestamp(since, place)
    occurrences = recurring_ical_events.of(calendar, skip_bad_series=True).after(begin)
    for entry in islice(occurrences, MAX_WINDOWS):
        start = _epoch(entry.start, place)
        end = min(_epoch(entry.end, place), start + LONGEST_SECONDS)
        if start >= until:
            return
        if end <= since or end <= start:
            continue
        named = tuple(sorted(known.intersection(_categories(entry))))
        yield Window(
            start,
            end,
            template.multiplier,
            template.widening,
            named or template.brands,
            template.title or str(entry.get("summary", ""))[:80],
        )


def _categories(entry: object) -> list[str]:
    found = getattr(entry, "categories", None) or ()
    return [str(one) for one in found]


def _epoch(moment: dt.date, place: ZoneInfo) -> float:
    if not isinstance(moment, dt.datetime):
        return _midnight(moment, place)
    return (moment if moment.tzinfo else moment.replace(tzinfo=place)).timestamp()


def _midnight(day: dt.date, place: ZoneInfo) -> float:
    return dt.datetime(day.year, day.month, day.day, tzinfo=place).timestamp()


async def _fetch(url: str) -> str:
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session,
        session.get(url) as response,
    ):
        data = b""
        while len(data) < MAX_CALENDAR_BYTES and (more := await response.content.read(65_536)):
            data += more
    return data.decode("utf-8-sig", "replace")
