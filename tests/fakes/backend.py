"""An application behind the pages: everything in memory, everything recorded, time injected."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import msgspec

from sentinel.core.oncall import Call, Duty, Person, Rota
from sentinel.core.playbooks import Playbook, Role
from sentinel.errors import StoreError
from sentinel.language.corrections import Layer
from sentinel.language.labels import Label, Word
from sentinel.model import (
    Action,
    Brand,
    Caveat,
    Command,
    Direction,
    Effect,
    EffectKind,
    Evidence,
    Incident,
    Match,
    Mention,
    Phase,
    PlaybookMatch,
    Quote,
    SeriesPoint,
    Severity,
    Sighting,
    SourceState,
    Spread,
    StepState,
    TermCount,
    Verdict,
)
from sentinel.playbook_files import load_playbooks
from sentinel.runtime.clock import Clock, ReplayClock
from sentinel.store.unit import LabelRow, OutboxEntry, OutboxState
from sentinel.web.backend import BudgetView, IncidentQuery, SearchQuery, SourceView

NOW = 1_795_383_600.0  # Sunday 22 November 2026, 22:40 in Rome
AURORA = Brand(id="aurora", name="Pastificio Aurora", terms=("Pastificio Aurora",))
NORTHWIND = Brand(
    id="northwind", name="Northwind Coffee", terms=("Northwind Coffee",), language="en"
)


@cache
def plans() -> tuple[Playbook, ...]:
    """The packaged playbooks, read once."""
    return load_playbooks().playbooks


def a_quote(text: str, url: str = "", author: str = "@passante", mention_id: str = "q") -> Quote:
    """A post by a stranger."""
    return Quote(
        source="bluesky",
        mention_id=mention_id,
        text=text,
        channel="bluesky",
        published_at=NOW - 900,
        author=author,
        followers=1200,
        url=url,
        language="it",
        label="negative",
        spread=12,
    )


def an_incident(**changes: object) -> Incident:
    """An evening wave against a fictional brand, half an hour old."""
    wave = (2, 3, 2, 4, 3, 6, 9, 14, 22, 31, 44, 58, 63, 70, 81)
    playbook = plans()[0]
    incident = Incident(
        id="aurora-1",
        brand="aurora",
        brand_name="Pastificio Aurora",
        direction=Direction.THREAT,
        severity=Severity.HIGH,
        phase=Phase.ESCALATING,
        onset_at=NOW - 1900,
        opened_at=NOW - 1200,
        detected_at=NOW - 1200,
        updated_at=NOW - 60,
        revision=3,
        evidence=Evidence(
            at=NOW - 60,
            window_seconds=900,
            mentions=412,
            expected=38.0,
            negative_share=0.71,
            usual_negative_share=0.22,
            positive_share=0.08,
            usual_positive_share=0.3,
            score=21.0,
            threshold=12.0,
            chance_days=90.0,
            would_not_fire_below=37,
        ),
        playbook=PlaybookMatch(
            playbook=playbook.id,
            score=0.82,
            reasons=("type executive-statement 0.81",),
        ),
        kind="executive-statement",
        crisis_types=(("executive-statement", 0.81), ("boycott", 0.4)),
        doubling_minutes=17.0,
        mentions=412,
        negative=293,
        positive=33,
        peak_per_minute=81.0,
        channels=(("bluesky", 301), ("news", 111)),
        languages=(("it", 350), ("en", 62)),
        spread=Spread(
            authors=280, repost_share=0.44, new_account_share=0.06, top_author="@cronaca"
        ),
        first_post=a_quote("Ho sentito bene quello che ha detto alla radio?", mention_id="first"),
        quotes=(a_quote("Da oggi compro altro.", "https://posts.example/1", mention_id="second"),),
        terms=(TermCount("#boicotta", 120, 900.0), TermCount("radio", 80, 12.0)),
        series=tuple(
            SeriesPoint(NOW - 60 * (len(wave) - i), n, int(n * 0.7), 2.5)
            for i, n in enumerate(wave)
        ),
        caveats=(Caveat.SHORT_HISTORY,),
        checklist=tuple(
            StepState(id=step.id, due_at=NOW - 1200 + 60 * step.due_minutes)
            for step in playbook.steps
        ),
    )
    return msgspec.structs.replace(incident, **changes)


class FakeBackend:
    """Implements ``sentinel.web.backend.Backend``; commands change the incident as the core would, roughly."""

    def __init__(self, *, base_url: str = "") -> None:
        self._clock = ReplayClock(NOW)
        self._base_url = base_url
        self._playbooks = plans()
        self.configured = (AURORA, NORTHWIND)
        self.known: dict[str, Incident] = {}
        self.effects: list[Effect] = []
        self.submitted: list[Command] = []
        self.mentions: list[Sighting] = []
        self.notices: list[OutboxEntry] = []
        self.revived: list[str] = []
        self.searched: list[SearchQuery] = []
        self.said: list[LabelRow] = []
        self.learnt: tuple[Layer, ...] = ()
        self.store_down = False
        self.source_views = (
            SourceView("bluesky", "bluesky", SourceState.ALIVE, NOW - 9000, NOW - 2, 123_456),
        )
        self.budget_views = (
            BudgetView("aurora", "Pastificio Aurora", 30.0, 2, 1),
            BudgetView("northwind", "Northwind Coffee", 30.0, 0, 0, learning=True),
        )

    # --- NotifyContext ---

    @property
    def base_url(self) -> str:
        return self._base_url

    @property
    def default_language(self) -> str:
        return "it"

    @property
    def default_timezone(self) -> str:
        return "Europe/Rome"

    def brand(self, brand_id: str) -> Brand | None:
        return next((brand for brand in self.brands() if brand.id == brand_id), None)

    def playbook(self, playbook_id: str) -> Playbook | None:
        return next((book for book in self._playbooks if book.id == playbook_id), None)

    def playbooks(self) -> tuple[Playbook, ...]:
        return self._playbooks

    def person(self, role: Role, brand_id: str, at: float) -> str:  # noqa: ARG002 - as the protocol
        return {Role.DUTY_OFFICER: "Anna Prova", Role.LEGAL: "Luca Esempio"}.get(role, "")

    def call(self, brand_id: str, level: int, at: float) -> Call:
        people = (Person("anna", "Anna Prova"),)
        return Rota(people, (Duty((Role.DUTY_OFFICER,), ("anna",)),)).call(brand_id, level, at)

    # --- Backend ---

    @property
    def clock(self) -> Clock:
        return self._clock

    def brands(self) -> tuple[Brand, ...]:
        return self.configured

    async def incidents(self, query: IncidentQuery) -> tuple[Incident, ...]:
        self._check()
        found = [
            incident
            for incident in self.known.values()
            if query.open in {None, incident.open}
            and query.brand in {"", incident.brand}
            and (query.before is None or incident.opened_at < query.before)
        ]
        return tuple(sorted(found, key=lambda one: -one.opened_at)[: query.limit])

    async def incident(self, incident_id: str) -> Incident | None:
        self._check()
        return self.known.get(incident_id)

    async def timeline(self, incident_id: str) -> tuple[Effect, ...]:
        return tuple(
            effect
            for effect in self.effects
            if effect.incident is not None and effect.incident.id == incident_id
        )

    async def commands(self, incident_id: str) -> tuple[Command, ...]:
        return tuple(command for command in self.submitted if command.incident_id == incident_id)

    async def submit(self, command: Command) -> Incident | None:
        self._check()
        incident = self.known.get(command.incident_id)
        if incident is None or any(one.id == command.id for one in self.submitted):
            return incident
        self.submitted.append(command)
        after = self._after(incident, command)
        self.known[incident.id] = after
        return after

    def _after(self, incident: Incident, command: Command) -> Incident:
        name, replace = command.actor_name, msgspec.structs.replace
        if command.action is Action.TAKE:
            return replace(incident, acknowledged_by=name, acknowledged_at=command.at)
        if command.action is Action.TICK:
            steps = tuple(
                replace(step, done_by=name, done_at=command.at)
                if step.id == command.value
                else step
                for step in incident.checklist
            )
            return replace(incident, checklist=steps)
        return incident

    def sources(self) -> tuple[SourceView, ...]:
        return self.source_views

    async def budgets(self) -> tuple[BudgetView, ...]:
        return self.budget_views

    async def search(self, query: SearchQuery) -> tuple[Sighting, ...]:
        self._check()
        self.searched.append(query)
        return tuple(self.mentions[: query.limit])

    async def outbox_list(self, state: OutboxState, limit: int) -> tuple[OutboxEntry, ...]:
        self._check()
        return tuple(notice for notice in self.notices if notice.state is state)[:limit]

    async def outbox_revive(self, entry_id: str) -> bool:
        for i, notice in enumerate(self.notices):
            if notice.id == entry_id and notice.state is OutboxState.DEAD:
                self.notices[i] = msgspec.structs.replace(notice, state=OutboxState.PENDING)
                self.revived.append(entry_id)
                return True
        return False

    async def judge(self, word: Word) -> Label | None:
        """Keeps words on every post that an incident shows and on the archive's."""
        self._check()
        shown = {
            (quote.source, quote.mention_id)
            for incident in self.known.values()
            for quote in (*incident.quotes, *([incident.first_post] if incident.first_post else ()))
        }
        key = (word.source, word.mention_id)
        if key not in shown | {one.mention.key for one in self.mentions}:
            return None
        label = Label(
            id=word.id,
            brand=word.brand,
            source=word.source,
            mention_id=word.mention_id,
            language="it",
            probabilities=(0.2, 0.7, 0.1),
            base=(0.2, 0.7, 0.1),
            model_id="default-1",
            corrected=word.corrected,
            by=word.by,
            via=word.via,
            at=self._clock.now(),
            drawn=word.drawn,
        )
        if all(row.label.id != label.id for row in self.said):
            self.said.append(LabelRow(label))
        return label

    async def withdraw(self, label_id: str, by: str) -> bool:
        for i, row in enumerate(self.said):
            if row.label.id == label_id and row.withdrawn_at is None:
                self.said[i] = LabelRow(row.label, by, self._clock.now())
                return True
        return False

    async def labels(self, brand: str) -> tuple[Label, ...]:
        newest = {
            (row.label.brand, row.label.source, row.label.mention_id): row.label
            for row in self.said
            if row.withdrawn_at is None and brand in {"", row.label.brand}
        }
        return tuple(newest.values())

    async def labels_on(
        self, brand: str, mentions: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Label]:
        found = {(one.source, one.mention_id): one for one in await self.labels(brand)}
        return {key: found[key] for key in mentions if key in found}

    async def label_history(self, brand: str, limit: int) -> tuple[LabelRow, ...]:
        return tuple(row for row in self.said[::-1] if brand in {"", row.label.brand})[:limit]

    async def draw(self, brand: str, number: int) -> tuple[Sighting, ...]:  # noqa: ARG002 - as the protocol
        return tuple(self.mentions[:number])

    def layers(self) -> tuple[Layer, ...]:
        return self.learnt

    def _check(self) -> None:
        if self.store_down:
            raise StoreError("disk full")

    # --- stage setting ---

    async def move_to(self, moment: float) -> None:
        """Set event time."""
        await self._clock.move_to(moment)

    def stage(self) -> Incident:
        """One open incident with a history."""
        incident = an_incident()
        self.known[incident.id] = incident
        kinds = (
            EffectKind.OPENED,
            EffectKind.UPDATED,
            EffectKind.UPDATED,
            EffectKind.ESCALATED,
            EffectKind.UPDATED,
        )
        self.effects = [
            Effect(
                id=f"{incident.id}:{i}:{kind.value}",
                kind=kind,
                at=NOW - 1200 + 120 * i,
                brand=incident.brand,
                incident=incident,
                page=kind is not EffectKind.UPDATED,
                note="medium" if kind is EffectKind.ESCALATED else "",
            )
            for i, kind in enumerate(kinds)
        ]
        return incident

    def dead_notice(self) -> OutboxEntry:
        """A notice that was given up."""
        entry = OutboxEntry(
            id="aurora-1:1:opened@slack",
            notifier="slack",
            lane="C1/aurora-1",
            effect=Effect(
                id="aurora-1:1:opened",
                kind=EffectKind.OPENED,
                at=NOW - 1200,
                brand="aurora",
                incident=an_incident(),
            ),
            created_at=NOW - 1200,
            not_before=NOW,
            attempts=8,
            state=OutboxState.DEAD,
            last_error="channel_not_found",
        )
        self.notices.append(entry)
        return entry

    def archive(self, text: str, *, url: str = "", published_at: float = NOW - 60) -> None:
        """One mention in the archive."""
        mention = Mention(
            id=f"m{len(self.mentions)}",
            source="bluesky",
            channel="bluesky",
            published_at=published_at,
            received_at=NOW,
            text=text,
            url=url,
        )
        verdict = Verdict(
            language="it", negative=0.8, neutral=0.15, positive=0.05, label="negative"
        )
        self.mentions.append(Sighting(mention, (Match("aurora", "Aurora"),), verdict))


class FakeStatus:
    """Implements ``sentinel.web.health.Status``; tests say what is wrong."""

    def __init__(self) -> None:
        self.wrong_with_life: list[str] = []
        self.wrong_with_work: list[str] = []

    def alive(self) -> tuple[bool, list[str]]:
        return (not self.wrong_with_life, self.wrong_with_life)

    def ready(self) -> tuple[bool, list[str]]:
        return (not self.wrong_with_work, self.wrong_with_work)
