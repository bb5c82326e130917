"""Who is on call: roles, people and a weekly rotation, on the team's wall clock.

What lives here: pure look-ups over the configured rota. Reading and checking the configuration is ``sentinel/config.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from sentinel.core.playbooks import Role

_EPOCH_MONDAY = date(1970, 1, 5)
CHAIN = (Role.DUTY_OFFICER, Role.INCIDENT_LEAD, Role.EXECUTIVE_SPONSOR)
"""Who is called in turn while nobody takes an alert; by ``Incident.escalation_level``."""


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who can be called.

    Attributes:
        slack: Slack member id, for a mention that buzzes; empty if there is none.
        email: Where e-mail notifiers write when this person is called; empty for nowhere.
    """

    id: str
    name: str
    slack: str = ""
    email: str = ""


class Duty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who holds roles.

    Attributes:
        roles: Roles that go together: in a small firm one table holds them all.
        people: Ids in the order of the rotation; one id means always that person.
        backup: Id of who stands in: called when the one on call does not take an alert in time.
        handover: Hour of Monday (0-23) at which the week changes hands.
        brands: Brand ids for which it holds.
        segments: Segments for whose brands it holds. Without brands and segments it holds for all.
    """

    roles: tuple[Role, ...]
    people: tuple[str, ...]
    backup: str = ""
    handover: int = 9
    brands: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()


class Call(msgspec.Struct, frozen=True):
    """Who is called about an alert that nobody has taken.

    Attributes:
        person: Who has the role; None if nobody does.
        stand_in: Backup of the one who did not answer before; None where there is none, or it is the same person.
    """

    role: Role
    person: Person | None = None
    stand_in: Person | None = None

    @property
    def people(self) -> tuple[Person, ...]:
        """Both, as far as there are any."""
        return tuple(one for one in (self.person, self.stand_in) if one is not None)


def role_called(level: int) -> Call:
    """The role that a level of the escalation calls, where nothing is known of people."""
    return Call(CHAIN[min(max(level, 0), len(CHAIN) - 1)])


class Rota(msgspec.Struct, frozen=True):
    """All duties.

    Attributes:
        segments: Brand id to the brand's segment, where it has one.
    """

    people: tuple[Person, ...] = ()
    duties: tuple[Duty, ...] = ()
    timezone: str = "Europe/Rome"
    segments: Mapping[str, str] = {}

    def on_call(self, role: Role, brand: str, at: float) -> Person | None:
        """Who holds ``role`` for ``brand`` at epoch second ``at``; None if nobody does."""
        duty = self._duty(role, brand)
        if duty is None or not duty.people:
            return None
        local = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(self.timezone))
        week = ((local - timedelta(hours=duty.handover)).date() - _EPOCH_MONDAY).days // 7
        return self._person(duty.people[week % len(duty.people)])

    def call(self, brand: str, level: int, at: float) -> Call:
        """Who is called at a level of the escalation.

        At level 0 that is the duty officer. Each level above calls the next role of ``CHAIN``, and with it the backup of
        the role that did not answer; above the last role, its own backup.
        """
        role = role_called(level).role
        person = self.on_call(role, brand, at)
        if level <= 0:
            return Call(role, person)
        silent = role_called(level - 1).role
        duty = self._duty(silent, brand)
        stand_in = self._person(duty.backup) if duty is not None else None
        known = (person, self.on_call(silent, brand, at))
        return Call(role, person, None if stand_in in known else stand_in)

    def holders(self, role: Role, brand: str) -> tuple[Person, ...]:
        """Everybody who has ``role`` for ``brand`` in turn, and then who stands in."""
        duty = self._duty(role, brand)
        ids = dict.fromkeys((*duty.people, duty.backup)) if duty is not None else ()
        return tuple(person for one in ids if (person := self._person(one)) is not None)

    def _duty(self, role: Role, brand: str) -> Duty | None:
        """The duty that holds: one that names the brand, else one that names its segment, else one for all."""
        mine = [duty for duty in self.duties if role in duty.roles]
        segment = self.segments.get(brand, "")
        for holds in (
            [duty for duty in mine if brand in duty.brands],
            [duty for duty in mine if segment and segment in duty.segments],
            [duty for duty in mine if not duty.brands and not duty.segments],
        ):
            if holds:
                return holds[0]
        return None

    def _person(self, person_id: str) -> Person | None:
        return next((person for person in self.people if person.id == person_id), None)
