"""What pages show of incidents, effects, commands and mentions: values for templates.

What lives here: the steps from the core's values to lines of text in one language. What does not: the wording of alerts
(``notify.message``), mark-up (``templates/``).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sentinel.core.playbooks import Cluster, Role, StatementChannel, Strategy
from sentinel.language.corrections import Outcome
from sentinel.model import (
    CRISIS_TYPES,
    Command,
    Effect,
    EffectKind,
    Incident,
    Sighting,
    SourceState,
    Verdict,
)
from sentinel.notify import changes, story
from sentinel.notify.alert import AlertMessage
from sentinel.notify.message import build_message
from sentinel.notify.safe_text import clean
from sentinel.notify.wording import (
    STATEMENT_CHANNEL,
    channel_words,
    crisis_type_words,
    judgement_words,
    label_words,
    role_words,
)
from sentinel.web.backend import Backend
from sentinel.web.texts import ACTION, CLUSTER, EFFECT, OUTCOME, SOURCE_STATE, STRATEGY, Texts

FOUND_CHARACTERS = 1000


class Card(msgspec.Struct, frozen=True):
    """An incident and its alert, worded for now.

    Attributes:
        tone: ``opportunity``, or the severity's slug: a class of the style sheet.
        overdue: Steps that are late.
    """

    incident: Incident
    message: AlertMessage
    tone: str
    done: int
    overdue: int


class Moment(msgspec.Struct, frozen=True):
    """One line of an incident's history.

    Attributes:
        count: How many effects it stands for: mere new figures are told together.
    """

    at: float
    kind: str
    title: str
    text: str
    page: bool = False
    count: int = 1


class CommandRow(msgspec.Struct, frozen=True):
    """What somebody did, and from where."""

    at: float
    who: str
    what: str
    value: str
    via: str


class Found(msgspec.Struct, frozen=True):
    """A mention of the archive, cleaned.

    Attributes:
        label: How it was read, or that it was not.
        languages: Of a post in two languages, or of one that was not read; empty otherwise.
    """

    text: str
    author: str
    channel: str
    source: str
    at: float
    label: str
    tone: str
    url: str
    brands: tuple[str, ...]
    languages: str = ""


class Words:
    """Words for closed sets, as templates ask for them."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def state(self, state: SourceState) -> str:
        """State of a source."""
        return self._texts.gettext(SOURCE_STATE[state])

    def role(self, role: Role) -> str:
        """A role."""
        return role_words(self._texts.t, role)

    def kind(self, slug: str) -> str:
        """A crisis type."""
        known = slug in CRISIS_TYPES or slug == "unknown"
        return crisis_type_words(self._texts.t, slug) if known else clean(slug, 60)

    def effect(self, kind: EffectKind) -> str:
        """A kind of effect."""
        return self._texts.gettext(EFFECT[kind])

    def judgement(self, word: str) -> str:
        """What a person calls a post."""
        return judgement_words(self._texts.t, word)

    def outcome(self, outcome: Outcome) -> str:
        """What the gate says of what was learnt."""
        return self._texts.gettext(OUTCOME[outcome])

    def cluster(self, cluster: Cluster) -> str:
        """Who the public holds responsible."""
        return self._texts.gettext(CLUSTER[cluster])

    def channel(self, channel: StatementChannel) -> str:
        """Where a statement is meant to be read."""
        return self._texts.t.gettext(STATEMENT_CHANNEL[channel])

    def strategy(self, strategy: Strategy) -> str:
        """A seed of the response."""
        return self._texts.gettext(STRATEGY[strategy])


def people(backend: Backend, brand_id: str) -> dict[Role, str]:
    """Who has each role for the brand now."""
    now = backend.clock.now()
    return {role: backend.person(role, brand_id, now) for role in Role}


def card(backend: Backend, incident: Incident, language: str) -> Card:
    """An incident as the pages show it, in the reader's language and the brand's time zone."""
    now = backend.clock.now()
    brand = backend.brand(incident.brand)
    effect = Effect(
        id="page", kind=EffectKind.UPDATED, at=now, brand=incident.brand, incident=incident
    )
    message = build_message(
        effect,
        backend.playbook(incident.playbook.playbook),
        language=language,
        timezone=brand.timezone if brand else backend.default_timezone,
        runner_up=backend.playbook(incident.playbook.runner_up),
        people=people(backend, incident.brand),
        call=backend.call(incident.brand, incident.escalation_level, now),
    )
    return Card(
        incident=incident,
        message=message,
        tone="opportunity" if incident.direction == "opportunity" else incident.severity.slug,
        done=sum(1 for row in message.checklist if row.done_by),
        overdue=sum(1 for row in message.checklist if row.overdue) if incident.open else 0,
    )


def timeline(
    backend: Backend, effects: Iterable[Effect], language: str, timezone: str
) -> list[Moment]:
    """An incident's history, newest first; runs of mere new figures are one line."""
    texts = Texts(language, timezone)
    moments: list[Moment] = []
    for effect in effects:
        last = moments[-1] if moments else None
        if effect.kind is EffectKind.UPDATED and last is not None and last.kind == "updated":
            moments[-1] = _moment(backend, texts, effect, last.count + 1)
        else:
            moments.append(_moment(backend, texts, effect, 1))
    return moments[::-1]


def _moment(backend: Backend, texts: Texts, effect: Effect, count: int) -> Moment:
    title = texts.gettext(EFFECT[effect.kind])
    text = ""
    if effect.incident is not None:
        playbook = backend.playbook(effect.incident.playbook.playbook)
        call = backend.call(effect.incident.brand, effect.incident.escalation_level, effect.at)
        text = changes.thread_reply(texts.t, effect, playbook, call)
        text = text or story.sentence(texts.t, effect.incident)
    return Moment(
        at=effect.at,
        kind=effect.kind.value,
        title=title,
        text=text,
        page=effect.page,
        count=count,
    )


def command_rows(commands: Iterable[Command], language: str, timezone: str) -> list[CommandRow]:
    """Who did what, newest first."""
    texts = Texts(language, timezone)
    rows = []
    for command in commands:
        value = command.value
        if command.action == "snooze" and value.isascii() and value.isdigit():
            value = texts.t.span(float(value[:12]))
        rows.append(
            CommandRow(
                at=command.at,
                who=clean(command.actor_name, 60),
                what=texts.gettext(ACTION[command.action]),
                value=clean(value, 80),
                via=clean(command.via, 20),
            )
        )
    return rows[::-1]


def found(backend: Backend, sighting: Sighting, language: str, timezone: str) -> Found:
    """A mention as the search page shows it."""
    texts = Texts(language, timezone)
    mention, verdict = sighting.mention, sighting.verdict
    names = []
    for brand_id in dict.fromkeys(match.brand for match in sighting.matches):
        brand = backend.brand(brand_id)
        names.append(brand.name if brand else brand_id)
    return Found(
        text=clean(mention.text, FOUND_CHARACTERS),
        author=clean(mention.author.handle or mention.author.name, 60),
        channel=channel_words(texts.t, mention.channel),
        source=clean(mention.source, 40),
        at=mention.published_at,
        label=label_words(texts.t, verdict.label) if verdict.scored else texts.gettext("not read"),
        tone=verdict.label if verdict.label in {"negative", "positive"} else "neutral",
        url=story.safe_url(mention.url),
        brands=tuple(names),
        languages=_languages(texts, verdict),
    )


def _languages(texts: Texts, verdict: Verdict) -> str:
    codes = [verdict.language, verdict.second_language]
    if verdict.scored and not verdict.second_language:
        return ""
    names = [texts.t.language_name(code) for code in codes if code not in {"", "und"}]
    return clean(" + ".join(names), 60)
