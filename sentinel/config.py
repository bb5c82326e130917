"""``sentinel.toml`` to checked values; every error names the file and the key.

What lives here: reading, secrets from the environment (``env:NAME``), the whole that no single room can check, and the
commented file that ``sentinel init`` writes. What does not: each source's, notifier's and room's own settings, which
are structs in their own files.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from sentinel.core.oncall import Duty, Person, Rota
from sentinel.errors import ConfigError
from sentinel.events import CalendarConfig, EventConfig, Planner, check_events
from sentinel.model import CRISIS_TYPES, Brand
from sentinel.notify import CONFIGS as NOTIFIER_CONFIGS
from sentinel.notify import NotifierConfig
from sentinel.notify.email import is_address
from sentinel.sources import REGISTRY as SOURCES
from sentinel.sources.base import SourceConfig
from sentinel.web.settings import WebConfig, check_web

SLUG = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")
_SLACK_MEMBER = re.compile(r"[UW][A-Z0-9]{2,20}")
DEFAULT_PATH = Path("sentinel.toml")


class General(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[sentinel]`` table.

    Attributes:
        database: A path (SQLite) or a database URL.
        language: Of alerts that concern no single brand, and of the pages: ``it`` or ``en``.
        timezone: Of the rota and of operational messages.
        retention_days: How long the text of mentions is kept.
        snapshot_minutes: How often every brand's state is written; a restart replays at most this much.
        queue_mentions: How many mentions may wait; beyond it sources wait and HTTP answers 429.
    """

    database: str = "sentinel.db"
    language: Literal["it", "en"] = "it"
    timezone: str = "Europe/Rome"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    retention_days: float = 90.0
    snapshot_minutes: float = 5.0
    queue_mentions: int = 20_000


class LanguageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[language]`` table.

    Attributes:
        languages: To tell apart; the most usual first.
        scorer: Which scorer.
        model: A model made by ``sentinel language train``; empty for the shipped one.
        second_opinion_share: Of one core's time, how much may go into judging posts again with the embedding scorer; 0 for none.
        threads: Processor threads of an encoder.
    """

    languages: tuple[str, ...] = ("it", "en")
    scorer: str = "default"
    model: str = ""
    second_opinion_share: float = 0.2
    threads: int = 1


class PlaybookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[playbooks]`` table: a directory of one's own files, over the packaged ones."""

    directory: str = ""


class EscalationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[escalation]`` table: when an alert that nobody takes goes up the chain, and through which notifiers.

    Attributes:
        after_minutes: Delays, one for each step up.
        fallback: Notifiers that are used when the others do not take an alert in time.
        fallback_after_seconds: What "in time" is.
    """

    after_minutes: tuple[float, ...] = (10.0, 20.0)
    fallback: tuple[str, ...] = ()
    fallback_after_seconds: float = 120.0


class Config(msgspec.Struct, frozen=True):
    """Everything that ``sentinel.toml`` says."""

    path: Path
    general: General
    web: WebConfig
    brands: tuple[Brand, ...]
    sources: tuple[SourceConfig, ...]
    notifiers: tuple[NotifierConfig, ...]
    language: LanguageSettings
    playbooks: PlaybookSettings
    escalation: EscalationSettings
    rota: Rota
    events: tuple[EventConfig, ...] = ()
    calendar: CalendarConfig = CalendarConfig()

    def planner(self) -> Planner:
        """What knows the planned events."""
        return Planner(
            self.events, self.calendar, self.brands, self.general.timezone, self.path.parent
        )

    def database_url(self) -> str:
        """The database; a relative path is relative to the configuration file."""
        return (
            self.general.database
            if "://" in self.general.database
            else str(self.beside(self.general.database))
        )

    def beside(self, path: str) -> Path:
        """A path as the configuration file means it."""
        return self.path.parent / path

    def enabled_sources(self) -> tuple[SourceConfig, ...]:
        """Sources that are to run."""
        return tuple(source for source in self.sources if source.enabled)


_TABLES: Mapping[str, type] = {
    "sentinel": General,
    "web": WebConfig,
    "language": LanguageSettings,
    "playbooks": PlaybookSettings,
    "escalation": EscalationSettings,
    "calendar": CalendarConfig,
}
_LISTS = ("brands", "sources", "notifiers", "people", "duties", "events")


class Outline(msgspec.Struct, frozen=True):
    """What commands need that only read the database: no source, no notifier, no secret.

    Attributes:
        playbooks: The directory of one's own, or None.
    """

    database: str = ""
    language: str = "it"
    brands: tuple[Brand, ...] = ()
    playbooks: Path | None = None
    rota: Rota = Rota()

    def language_of(self, brand_id: str) -> str:
        """Of the team that is alerted about a brand."""
        brand = next((one for one in self.brands if one.id == brand_id), None)
        return brand.language if brand is not None else self.language


def outline_of(path: Path, *, needed: bool = True) -> Outline:
    """Read the parts of a configuration that name its database, brands and people; secrets are left alone.

    Args:
        path: The TOML file.
        needed: Whether it must be there; else a missing one is all defaults.

    Raises:
        ConfigError: Names the file and the key.
    """
    if not needed and not path.exists():
        return Outline(language="en")  # no team to speak for: as the command line itself
    raw = _read(path)
    try:
        general: General = _convert(raw.get("sentinel", {}), General, "sentinel")
        own: PlaybookSettings = _convert(raw.get("playbooks", {}), PlaybookSettings, "playbooks")
        brands, people, duties = (
            _rows(raw, key, kind, lambda row, _place: row)
            for key, kind in (("brands", Brand), ("people", Person), ("duties", Duty))
        )
    except ConfigError as error:
        message = str(error).removeprefix(f"{error.key}: ")
        raise ConfigError(message, path=path, key=error.key) from error
    return Outline(
        general.database if "://" in general.database else str(path.parent / general.database),
        general.language,
        tuple(brands),
        path.parent / own.directory if own.directory else None,
        _rota(brands, people, duties, general.timezone),
    )


def database_of(path: Path) -> str:
    """Where the database of a configuration is; see ``outline_of``."""
    return outline_of(path).database


def _rota(
    brands: Sequence[Brand], people: Sequence[Person], duties: Sequence[Duty], timezone: str
) -> Rota:
    segments = {brand.id: brand.segment for brand in brands if brand.segment}
    return Rota(tuple(people), tuple(duties), timezone, segments)


def load_config(path: Path = DEFAULT_PATH, environ: Mapping[str, str] = os.environ) -> Config:
    """Read and check a configuration file.

    Args:
        path: The TOML file.
        environ: Where ``env:NAME`` values come from.

    Raises:
        ConfigError: Names the file and the key.
    """
    raw = _read(path)
    try:
        return build_config(raw, path, environ)
    except ConfigError as error:
        if error.path is not None:
            raise
        message = str(error).removeprefix(f"{error.key}: ")
        raise ConfigError(message, path=path, key=error.key) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("no such file; 'sentinel init' writes one", path=path) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(str(error), path=path) from error


def build_config(raw: dict[str, Any], path: Path, environ: Mapping[str, str]) -> Config:
    """Check what a file holds; see ``load_config``."""
    for key in raw:
        if key not in _TABLES and key not in _LISTS:
            raise ConfigError(
                f"unknown table; there are: {', '.join((*_TABLES, *_LISTS))}", key=key
            )
    tables = {
        name: _convert(_resolved(raw.get(name, {}), name, environ), kind, name)
        for name, kind in _TABLES.items()
    }
    brands = _list(raw, "brands", Brand, environ)
    people = _list(raw, "people", Person, environ)
    duties = _list(raw, "duties", Duty, environ)
    general: General = tables["sentinel"]
    config = Config(
        path=path,
        general=general,
        web=tables["web"],
        brands=tuple(brands),
        sources=tuple(
            _tagged(raw, "sources", {tag: kind for tag, (kind, _) in SOURCES.items()}, environ)
        ),
        notifiers=tuple(_tagged(raw, "notifiers", NOTIFIER_CONFIGS, environ)),
        language=tables["language"],
        playbooks=tables["playbooks"],
        escalation=tables["escalation"],
        rota=_rota(brands, people, duties, general.timezone),
        events=tuple(_list(raw, "events", EventConfig, environ)),
        calendar=tables["calendar"],
    )
    _check(config)
    return config


def _list(raw: dict[str, Any], key: str, kind: type, environ: Mapping[str, str]) -> list[Any]:
    return _rows(raw, key, kind, lambda row, place: _resolved(row, place, environ))


def _rows(
    raw: dict[str, Any], key: str, kind: type, resolved: Callable[[Any, str], Any]
) -> list[Any]:
    rows = raw.get(key, [])
    if not isinstance(rows, list):
        raise ConfigError(f"must be a list: write [[{key}]]", key=key)
    places = [f"{key}[{number}]" for number in range(len(rows))]
    return [
        _convert(resolved(row, place), kind, place) for row, place in zip(rows, places, strict=True)
    ]


def _tagged(
    raw: dict[str, Any], key: str, kinds: Mapping[str, type], environ: Mapping[str, str]
) -> list[Any]:
    rows = raw.get(key, [])
    if not isinstance(rows, list):
        raise ConfigError(f"must be a list: write [[{key}]]", key=key)
    found = []
    for number, row in enumerate(rows):
        place = f"{key}[{number}]"
        tag = str(row.get("type", "")) if isinstance(row, dict) else ""
        if tag not in kinds:
            raise ConfigError(f"must be one of: {', '.join(sorted(kinds))}", key=f"{place}.type")
        found.append(_convert(_resolved(row, place, environ), kinds[tag], place))
    return found


def _resolved(value: Any, place: str, environ: Mapping[str, str]) -> Any:
    """The value with every ``env:NAME`` string replaced from the environment."""
    if isinstance(value, dict):
        return {key: _resolved(item, f"{place}.{key}", environ) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, f"{place}[{number}]", environ) for number, item in enumerate(value)]
    if isinstance(value, str) and value.startswith("env:"):
        name = value.removeprefix("env:")
        if not environ.get(name):
            raise ConfigError(f"environment variable {name} is not set", key=place)
        return environ[name]
    return value


_AT = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"unknown field `(?P<field>[^`]*)`")
_MISSING = re.compile(r"missing required field `(?P<field>[^`]*)`")


def _convert(value: Any, kind: type, place: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        where = _AT.search(text)
        key = place + (where["path"] if where else "")
        message = _AT.sub("", text)
        if unknown := _UNKNOWN.search(message):
            names = ", ".join(field.encode_name for field in msgspec.structs.fields(kind))
            raise ConfigError(
                f"unknown key; there are: {names}", key=f"{key}.{unknown['field']}"
            ) from None
        if missing := _MISSING.search(message):
            raise ConfigError("is required", key=f"{key}.{missing['field']}") from None
        raise ConfigError(message, key=key) from None
    except ConfigError as error:
        raise ConfigError(str(error), key=place) from error


# --- what only the whole shows -------------------------------------------------------------------


def _check(config: Config) -> None:
    check_web(config.web)
    _check_zone(config.general.timezone, "sentinel.timezone")
    _unique("brands", "id", (brand.id for brand in config.brands))
    _unique("sources", "name", (source.name for source in config.sources))
    _unique("notifiers", "name", (notifier.name for notifier in config.notifiers))
    _unique("people", "id", (person.id for person in config.rota.people))
    for number, brand in enumerate(config.brands):
        _check_brand(brand, f"brands[{number}]")
    _check_people(config)
    _check_rota(config)
    check_events(config.events, config.calendar, (brand.id for brand in config.brands))
    if not 0 <= config.language.second_opinion_share <= 1:
        raise ConfigError("must be between 0 and 1", key="language.second_opinion_share")
    if not 1 <= config.language.threads <= 256:
        raise ConfigError("must be between 1 and 256", key="language.threads")
    names = {notifier.name for notifier in config.notifiers}
    for name in config.escalation.fallback:
        if name not in names:
            raise ConfigError(f"no notifier is called {name!r}", key="escalation.fallback")


def _check_brand(brand: Brand, place: str) -> None:
    if not SLUG.fullmatch(brand.id):
        raise ConfigError(
            "may have lower-case letters, digits and single hyphens only", key=f"{place}.id"
        )
    _check_zone(brand.timezone, f"{place}.timezone")
    if brand.language not in {"it", "en"}:
        raise ConfigError("must be it or en", key=f"{place}.language")
    if not 1 <= brand.budget_days <= 3650:
        raise ConfigError("must be between 1 and 3650 days", key=f"{place}.budget_days")
    for slug in brand.seen_before:
        if slug not in CRISIS_TYPES:
            raise ConfigError(f"{slug!r} is no crisis type", key=f"{place}.seen_before")
    for number, term in enumerate(brand.terms):
        if len(term.strip()) < 2:
            raise ConfigError(
                "a term needs at least two characters", key=f"{place}.terms[{number}]"
            )


def _check_people(config: Config) -> None:
    for number, one in enumerate(config.rota.people):
        if one.slack and not _SLACK_MEMBER.fullmatch(one.slack):
            raise ConfigError(
                "is no Slack member id; it looks like U0123ABCD (profile, more, copy member ID)",
                key=f"people[{number}].slack",
            )
        if one.email and not is_address(one.email):
            raise ConfigError("is no e-mail address", key=f"people[{number}].email")


def _check_rota(config: Config) -> None:
    people = {person.id for person in config.rota.people}
    brands = {brand.id for brand in config.brands}
    segments = {brand.segment for brand in config.brands if brand.segment}
    for number, duty in enumerate(config.rota.duties):
        place = f"duties[{number}]"
        for person in (*duty.people, *((duty.backup,) if duty.backup else ())):
            if person not in people:
                raise ConfigError(f"nobody has the id {person!r}", key=place)
        for brand in duty.brands:
            if brand not in brands:
                raise ConfigError(f"no brand has the id {brand!r}", key=f"{place}.brands")
        for segment in duty.segments:
            if segment not in segments:
                raise ConfigError(f"no brand has the segment {segment!r}", key=f"{place}.segments")


def _check_zone(name: str, key: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"{name!r} is no time zone; write one such as Europe/Rome", key=key
        ) from None


def _unique(table: str, key: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for number, value in enumerate(values):
        if value in seen:
            raise ConfigError(f"{value!r} is there twice", key=f"{table}[{number}].{key}")
        seen.add(value)


def advice(config: Config) -> list[str]:
    """What is allowed and probably not meant; for ``sentinel check``."""
    found = []
    if not config.brands:
        found.append("brands: none is configured: nothing can match")
    if not config.enabled_sources():
        found.append("sources: none is enabled: nothing will come in")
    if not config.notifiers:
        found.append("notifiers: none is configured: alerts go to the console only")
    if not config.rota.duties:
        found.append("duties: nobody is duty-officer: alerts name no person")
    found += [
        f"brands[{number}].terms: {term!r} is short: add 'require' words or expect strangers"
        for number, brand in enumerate(config.brands)
        for term in (brand.terms or (brand.name,))
        if len(term) <= 4 and not brand.require
    ]
    return found


def sample() -> str:
    """The commented configuration that ``sentinel init`` writes."""
    return resources.files("sentinel").joinpath("sample.toml").read_text(encoding="utf-8")
