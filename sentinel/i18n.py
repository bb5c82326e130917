"""The team's language: texts, numbers, percentages, times and spans as a reader of it expects them.

What lives here: the catalogues under ``locales/`` (gettext ``.po`` files, read once at first use, so that nothing has
to be compiled) and ``Translator``. What does not: the texts themselves (they stand where they are said, in English,
and are translated in the catalogues) and anything about incidents.

The English of the house is British in its dates (22 November, 22:40): most English readers of an Italian brand are
Europeans. A text that a catalogue does not have is said in English rather than not at all; a test keeps both complete.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.dates import format_datetime
from babel.lists import format_list
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

from sentinel.errors import ConfigError

LANGUAGES: tuple[str, ...] = ("it", "en")
"""Languages a team can be alerted in."""

_LOCALES = {"it": "it_IT", "en": "en_GB"}
_EARLIEST, _LATEST = 0.0, 4_102_444_800.0  # 1970 to 2100: beyond it a time is a mistake
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_LARGEST = 10**15  # beyond it a count is a mistake, and decimals lose their precision
_WEEKDAY_ENOUGH = 36 * _HOUR


def check_language(language: str) -> None:
    """Refuse a ``--language`` that is none of ours; empty is "not given".

    Raises:
        ConfigError: Names what there is.
    """
    if language and language not in LANGUAGES:
        raise ConfigError(f"must be one of: {', '.join(LANGUAGES)}", key="--language")


def N_(message: str) -> str:  # noqa: N802 - gettext's own name, which extractors look for
    """Mark a text for the catalogues where it is written; it is translated where it is said."""
    return message


class Translator:
    """Says texts, numbers and times in one language and one time zone.

    Args:
        language: ``it`` or ``en``; anything else is taken as Italian, the house's first language.
        timezone: IANA name of the reader's wall clock; an unknown one is taken as UTC.

    >>> t = Translator("it", "Europe/Rome")
    >>> t.number(12345), t.percent(0.714), t.span(17 * 60)
    ('12.345', '71%', '17 minuti')
    >>> t.at(1795383600, now=1795383600)
    'alle 22:40'
    """

    def __init__(self, language: str, timezone: str) -> None:
        self.language = "en" if language == "en" else "it"
        self.locale = Locale.parse(_LOCALES[self.language])
        self._zone = _zone(timezone)
        self._catalog = _catalog(self.language)

    # --- texts -----------------------------------------------------------------------------------

    def gettext(self, message: str, **values: object) -> str:
        """The text in the reader's language, its ``{placeholders}`` filled in."""
        found = self._catalog.get(message)
        text = found.string if found is not None and isinstance(found.string, str) else ""
        return (text or message).format(**values)

    def ngettext(self, singular: str, plural: str, n: float, **values: object) -> str:
        """The text in the form that ``n`` things need; ``{n}`` is filled in as a number of the locale."""
        count = math.ceil(abs(n)) if math.isfinite(n) else 0
        found = self._catalog.get((singular, plural))
        text = singular if count == 1 else plural
        if found is not None and isinstance(found.string, (tuple, list)):
            text = found.string[0 if count == 1 else 1] or text
        return text.format(n=self.number(n), **values)

    def join(self, items: list[str] | tuple[str, ...]) -> str:
        """Enumerate: "a, b e c"."""
        text: str = format_list(list(items), locale=self.locale)
        return text

    def language_name(self, code: str) -> str:
        """Name of a language by its ISO 639-1 code; the code where it has none."""
        return str(self.locale.languages.get(code, code))

    # --- numbers ---------------------------------------------------------------------------------

    def number(self, value: float) -> str:
        """A count or rate: whole from ten upwards, one decimal below where it has any."""
        if not math.isfinite(value):
            return "?"
        value = min(max(value, -_LARGEST), _LARGEST)
        digits = 0 if abs(value) >= 10 or value == round(value, 1) == round(value) else 1
        rounded = round(value, digits) + 0.0  # no minus zero
        return format_decimal(rounded, format="#,##0.#" if digits else "#,##0", locale=self.locale)

    def exact(self, value: float, digits: int = 2) -> str:
        """A figure to be compared with another: always so many decimals."""
        pattern = "#,##0." + "0" * digits
        return format_decimal(value, format=pattern, locale=self.locale)

    def percent(self, share: float) -> str:
        """A share of 0 to 1 as a whole percentage."""
        if not math.isfinite(share):
            return "?"
        text: str = format_percent(min(max(share, 0.0), 1.0), format="#,##0%", locale=self.locale)
        return text

    # --- times -----------------------------------------------------------------------------------

    def local(self, epoch: float) -> datetime:
        """The reader's wall clock at that moment; absurd times are clamped."""
        known = epoch if math.isfinite(epoch) else _EARLIEST
        clamped = min(max(known, _EARLIEST), _LATEST)
        return datetime.fromtimestamp(clamped, UTC).astimezone(self._zone)

    def time(self, epoch: float) -> str:
        """Wall clock: "22:40"."""
        return self.local(epoch).strftime("%H:%M")

    def day(self, epoch: float, now: float) -> str:
        """The day in words: "lunedì" within a day and a half, else "mercoledì 25 novembre", with a foreign year."""
        moment, here = self.local(epoch), self.local(now)
        if abs((moment - here).total_seconds()) < _WEEKDAY_ENOUGH:
            pattern = "EEEE"
        else:
            pattern = "EEEE d MMMM" if moment.year == here.year else "EEEE d MMMM y"
        return format_datetime(moment, pattern, locale=self.locale)

    def stamp(self, epoch: float, now: float) -> str:
        """Short moment for a table or a quote: "22:40", or "dom 22 nov, 22:40" on another day."""
        moment = self.local(epoch)
        if self._same_day(epoch, now):
            return self.time(epoch)
        pattern = "EEE d MMM, HH:mm" if moment.year == self.local(now).year else "d MMM y, HH:mm"
        return format_datetime(moment, pattern, locale=self.locale)

    def calendar_date(self, iso: str) -> str:
        """An ISO date in words: "31 dicembre 2026"; as it is where it is no date."""
        try:
            moment = datetime.combine(date.fromisoformat(iso), datetime.min.time())
        except ValueError:
            return iso
        return format_datetime(moment, "d MMMM y", locale=self.locale)

    def at(self, epoch: float, now: float) -> str:
        """When something happened: "alle 22:40", "alle 22:40 di domenica"."""
        if self._same_day(epoch, now):
            return self.gettext("at {time}", time=self.time(epoch))
        day = self.day(epoch, now)
        return self.gettext("at {time} on {day}", day=day, time=self.time(epoch))

    def since(self, epoch: float, now: float) -> str:
        """From when on: "dalle 22:31", "dalle 22:31 di domenica"."""
        if self._same_day(epoch, now):
            return self.gettext("since {time}", time=self.time(epoch))
        day = self.day(epoch, now)
        return self.gettext("since {time} on {day}", day=day, time=self.time(epoch))

    def by(self, epoch: float, now: float) -> str:
        """A deadline: "entro le 22:55", "entro le 00:10 di lunedì"."""
        if self._same_day(epoch, now):
            return self.gettext("by {time}", time=self.time(epoch))
        day = self.day(epoch, now)
        return self.gettext("by {time} on {day}", day=day, time=self.time(epoch))

    def until(self, epoch: float, now: float) -> str:
        """To when: "fino alle 23:40", "fino alle 08:00 di lunedì"."""
        if self._same_day(epoch, now):
            return self.gettext("until {time}", time=self.time(epoch))
        day = self.day(epoch, now)
        return self.gettext("until {time} on {day}", day=day, time=self.time(epoch))

    def span(self, seconds: float) -> str:
        """A span in at most two units: "17 minuti", "1 ora e 35 minuti", "3 giorni"."""
        total = round(min(max(seconds, 0.0), _LATEST)) if math.isfinite(seconds) else 0
        if total < _MINUTE:
            return self.ngettext("{n} second", "{n} seconds", total)
        minutes = round(total / _MINUTE)
        if minutes < 60:
            return self.ngettext("{n} minute", "{n} minutes", minutes)
        if total < 2 * _DAY:
            return self._pair(
                self.ngettext("{n} hour", "{n} hours", minutes // 60),
                self.ngettext("{n} minute", "{n} minutes", minutes % 60) if minutes % 60 else "",
            )
        hours = round(total / _HOUR)
        return self._pair(
            self.ngettext("{n} day", "{n} days", hours // 24),
            self.ngettext("{n} hour", "{n} hours", hours % 24) if hours % 24 else "",
        )

    def _pair(self, large: str, small: str) -> str:
        return self.join([large, small]) if small else large

    def _same_day(self, epoch: float, now: float) -> bool:
        return self.local(epoch).date() == self.local(now).date()


@cache
def translator(language: str, timezone: str) -> Translator:
    """A shared ``Translator``: catalogues are read once for the life of the process."""
    return Translator(language, timezone)


@cache
def _catalog(language: str) -> Catalog:
    path = resources.files("sentinel").joinpath("locales", language, "LC_MESSAGES", "sentinel.po")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
