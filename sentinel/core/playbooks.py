"""What a playbook is: the values that the YAML files under ``playbooks/`` are validated into.

What lives here: structs and pure look-ups. Ranking playbooks for an incident is in ``playbook_match``; reading files
is the shell's (``sentinel/playbook_files.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from sentinel.model import Direction, Severity

Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Minutes = Annotated[int, msgspec.Meta(ge=0, le=60 * 24 * 30)]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of playbook values: an unknown key is an error that names its path."""


class Localised(Strict, frozen=True):
    """The same text in both languages of the house; neither may be empty."""

    it: Annotated[str, msgspec.Meta(min_length=1)]
    en: Annotated[str, msgspec.Meta(min_length=1)]

    def text(self, language: str) -> str:
        """The text in ``language``; Italian where the language is neither."""
        return self.en if language == "en" else self.it


class Role(StrEnum):
    """Who acts. One name and one backup each, from the rota in the configuration."""

    DUTY_OFFICER = "duty-officer"
    INCIDENT_LEAD = "incident-lead"
    SPOKESPERSON = "spokesperson"
    LEGAL = "legal"
    HR = "hr"
    CUSTOMER_CARE = "customer-care"
    SALES = "sales"
    IT = "it"
    EXECUTIVE_SPONSOR = "executive-sponsor"


class Cluster(StrEnum):
    """Who the public holds responsible, after Coombs' SCCT; a default that a person confirms."""

    VICTIM = "victim"
    ACCIDENTAL = "accidental"
    PREVENTABLE = "preventable"
    NONE = "none"


SCCT_SOURCE = "https://doi.org/10.1057/palgrave.crr.1550049"
"""Coombs (2007), where clusters, strategies and the rule of the bad history come from."""


class Strategy(StrEnum):
    """The seeds of a response, in the words of the crisis table."""

    ACKNOWLEDGE = "acknowledge"
    ACT = "act"
    AMPLIFY = "amplify"
    APOLOGISE = "apologise"
    CHANGE = "change"
    COMPENSATE = "compensate"
    DENY_WITH_PROOF = "deny-with-proof"
    DOCUMENT = "document"
    DO_NOT_AMPLIFY = "do-not-amplify"
    EXPLAIN = "explain"
    FIX = "fix"
    HOLD = "hold"
    INFORM = "inform"
    INSTRUCT = "instruct"
    LIMITED_COMMENT = "limited-comment"
    LISTEN = "listen"
    REBUILD = "rebuild"
    RECALL = "recall"
    REPORT = "report"
    SUPPORT = "support"
    THANK = "thank"


class Approval(Strict, frozen=True):
    """Who must agree, how long they have, and who agrees if they do not answer in time."""

    role: Role
    within_minutes: Minutes
    backup: Role


class Step(Strict, frozen=True):
    """One tick of the checklist.

    Attributes:
        id: Unique in its playbook.
        due_minutes: After the alert: at most 15, 60 or 180 by phase.
        title: At most 75 characters in each language (a Slack option's limit).
        optional: Need not be ticked for stand-down.
    """

    id: Slug
    due_minutes: Minutes
    role: Role
    title: Localised
    detail: Localised | None = None
    approval: Approval | None = None
    optional: bool = False

    @property
    def phase(self) -> int:
        """15, 60 or 180: the block of the checklist it belongs to, in minutes."""
        return 15 if self.due_minutes <= 15 else 60 if self.due_minutes <= 60 else 180


class StatementChannel(StrEnum):
    """Where a statement is meant to be read."""

    SOCIAL = "social"
    PRESS = "press"
    SITE = "site"
    CUSTOMERS = "customers"
    INTERNAL = "internal"


COMMON_PLACEHOLDERS: dict[str, Localised] = {
    "brand": Localised(it="Nome del marchio o della società", en="Name of the brand or company"),
    "date": Localised(it="Data del fatto o della nota", en="Date of the fact or of the note"),
    "time": Localised(
        it="Ora dell'ultimo dato verificato, con fuso orario",
        en="Time of the last verified fact, with time zone",
    ),
    "next_update": Localised(
        it="Ora del prossimo aggiornamento: prometterla solo se la si mantiene",
        en="Time of the next update: promise it only if you keep it",
    ),
    "link": Localised(
        it="Pagina unica degli aggiornamenti, già pubblicata",
        en="The one page with updates, already published",
    ),
    "care_contact": Localised(
        it="Contatto presidiato del servizio clienti (numero, e-mail, orari)",
        en="Staffed customer care contact (number, e-mail, hours)",
    ),
    "press_contact": Localised(
        it="Nome e recapito dell'ufficio stampa", en="Name and contact of the press office"
    ),
    "spokesperson": Localised(
        it="Nome e carica di chi firma o parla", en="Name and title of who signs or speaks"
    ),
}
"""Placeholders that every statement may use without documenting them again."""


class Statement(Strict, frozen=True):
    """A holding statement: approved beforehand, posted while facts are checked.

    Attributes:
        text: With placeholders in braces: common ones, or documented in the playbook.
        expires: ISO date after which the lint refuses it: a stale statement is worse than none.
        note: When to use it and when not.
    """

    id: Slug
    channel: StatementChannel
    text: Localised
    expires: str
    approval: Approval | None = None
    note: Localised | None = None


class Deadline(Strict, frozen=True):
    """One deadline of a legal clock.

    Attributes:
        hours: Hours allowed; 0 for "without undue delay". A month is 672: the shortest one.
        what: What must be done, and towards whom.
        after: What the hours are counted from where it is not the clock's start; such a deadline
            has no date until a person says when that happened.
    """

    hours: Annotated[float, msgspec.Meta(ge=0)]
    what: Localised
    after: Localised | None = None


class LegalClock(Strict, frozen=True):
    """A statutory deadline that may apply; a person confirms that it does.

    Attributes:
        regime: Short name, such as ``GDPR art. 33``.
        starts: The event that starts the clock.
        confirm: The question a person answers to confirm that it applies.
        source: Address of the legal text (EUR-Lex, Normattiva).
    """

    regime: str
    deadlines: tuple[Deadline, ...]
    starts: Localised
    confirm: Localised
    source: Annotated[str, msgspec.Meta(pattern="^https://")]

    @property
    def hours(self) -> tuple[float, ...]:
        """Hours of the deadlines that run from the clock's start."""
        return tuple(deadline.hours for deadline in self.deadlines if deadline.after is None)


class StandDown(Strict, frozen=True):
    """Numbers that say when it is over; computable from the streams.

    Attributes:
        quiet_minutes: How long all must hold.
        volume_ratio_below: Mentions over the usual.
        negative_share_above_usual_below: Points of negative share above the usual, 0-1.
    """

    quiet_minutes: Minutes
    volume_ratio_below: float
    negative_share_above_usual_below: float


class Trigger(Strict, frozen=True):
    """What makes this playbook the right one, beside its type.

    Attributes:
        terms: Words and phrases per language that speak for it; matched folded, as whole words.
            A word ending in ``*`` matches every word that begins with it (``boicott*``).
        hints: Words that support it but also occur elsewhere (``ceo``, ``down``): they count little.
        against: Words that speak against it, in the same form.
    """

    terms: dict[str, tuple[str, ...]] = {}
    hints: dict[str, tuple[str, ...]] = {}
    against: dict[str, tuple[str, ...]] = {}


class PlaybookTest(Strict, frozen=True):
    """A test that the file carries with it.

    Attributes:
        expect: Playbook id that must win, or ``none`` for no match.
    """

    name: str
    language: Literal["it", "en"]
    texts: tuple[str, ...]
    expect: str
    direction: Direction = Direction.THREAT
    crisis_types: dict[str, float] = {}


class Playbook(Strict, frozen=True):
    """A contingency plan for one crisis type.

    Attributes:
        id: Begins with its type.
        types: Crisis type slugs it serves; empty only for the general one.
        severities: Severities it covers, by name.
        cluster: SCCT cluster: a default that a person confirms.
        cluster_note: When another cluster is the right one, and what that changes.
        seen_before: What a history of the same (Coombs: one cluster up) changes in the response.
        placeholders: Placeholders of its statements beyond ``COMMON_PLACEHOLDERS``, documented.
        update_every_minutes: Rhythm of updates to stakeholders.
    """

    id: Slug
    version: int
    reviewed: str
    direction: Direction
    types: tuple[str, ...]
    title: Localised
    summary: Localised
    cluster: Cluster
    cluster_note: Localised
    seen_before: Localised
    strategy: tuple[Strategy, ...]
    activation: Localised
    roles: tuple[Role, ...]
    steps: tuple[Step, ...]
    statements: tuple[Statement, ...]
    stakeholders: tuple[Localised, ...]
    pause: tuple[Localised, ...]
    never: tuple[Localised, ...]
    escalation: Localised
    update_every_minutes: Minutes
    stand_down: StandDown
    after_action: tuple[Localised, ...]
    trigger: Trigger = Trigger()
    placeholders: dict[str, Localised] = {}
    clocks: tuple[LegalClock, ...] = ()
    severities: tuple[str, ...] = tuple(severity.slug for severity in Severity)
    general: bool = False
    tests: tuple[PlaybookTest, ...] = ()

    def step(self, step_id: str) -> Step | None:
        """The step of that id."""
        return next((step for step in self.steps if step.id == step_id), None)


class PlaybookBook(msgspec.Struct, frozen=True):
    """All playbooks that are in force.

    Attributes:
        playbooks: Ordered by id.
        files: Playbook id to the name of its file, for messages.
    """

    playbooks: tuple[Playbook, ...]
    files: dict[str, str] = {}

    def __iter__(self) -> Iterator[Playbook]:
        """The playbooks, by id."""
        return iter(self.playbooks)

    def __len__(self) -> int:
        return len(self.playbooks)

    def get(self, playbook_id: str) -> Playbook | None:
        """The playbook of that id."""
        return next((book for book in self.playbooks if book.id == playbook_id), None)

    @property
    def general(self) -> Playbook | None:
        """The playbook for the honest "no match"."""
        return next((book for book in self.playbooks if book.general), None)
