"""The example of these tests: a Sunday evening at a fictional pasta maker."""

from datetime import UTC, datetime

import msgspec
import pytest

from sentinel.core.oncall import Call, Duty, Person, Rota
from sentinel.core.playbooks import (
    Approval,
    Cluster,
    Deadline,
    LegalClock,
    Localised,
    Playbook,
    Role,
    StandDown,
    Statement,
    StatementChannel,
    Step,
    Strategy,
)
from sentinel.i18n import LANGUAGES
from sentinel.model import (
    Brand,
    Caveat,
    Direction,
    Effect,
    EffectKind,
    Evidence,
    Incident,
    Phase,
    PlaybookMatch,
    Quote,
    SeriesPoint,
    Severity,
    Spread,
    StepState,
    TermCount,
)
from sentinel.notify.alert import AlertMessage
from sentinel.notify.message import build_message

SUNDAY_2240 = datetime(2026, 11, 22, 21, 40, tzinfo=UTC).timestamp()
ROTA = Rota((Person("anna", "Anna Bianchi"),), (Duty((Role.DUTY_OFFICER,), ("anna",)),))
CALLABLE = Rota(
    (
        Person("anna", "Anna Bianchi", slack="U0ANNA", email="anna@example.org"),
        Person("ugo", "Ugo Neri", slack="U0UGO", email="ugo@example.org"),
        Person("eva", "Eva Verdi"),
    ),
    (
        Duty((Role.DUTY_OFFICER,), ("anna",), backup="ugo"),
        Duty((Role.INCIDENT_LEAD,), ("eva",)),
    ),
)
"""A duty officer who can be reached and has a backup; an incident lead who can not."""
MINUTE, HOUR = 60.0, 3600.0
PEOPLE = {Role.DUTY_OFFICER: "Anna Bianchi", Role.LEGAL: "Ugo Neri"}
change = msgspec.structs.replace


def both(it: str, en: str) -> Localised:
    return Localised(it=it, en=en)


PLAYBOOK = Playbook(
    id="executive-statement",
    version=1,
    reviewed="2026-11-01",
    direction=Direction.THREAT,
    types=("executive-statement",),
    title=both("Parole di un vertice", "Words of a leader"),
    summary=both("Chi guida ha detto qualcosa.", "Whoever leads has said something."),
    cluster=Cluster.PREVENTABLE,
    cluster_note=both("Di solito.", "Usually."),
    seen_before=both("Scuse subito.", "Apologise at once."),
    strategy=(Strategy.APOLOGISE,),
    activation=both("Subito.", "At once."),
    roles=(Role.DUTY_OFFICER, Role.LEGAL),
    steps=(
        Step("verify", 10, Role.DUTY_OFFICER, both("Trovare l'audio", "Find the audio")),
        Step(
            "statement",
            45,
            Role.SPOKESPERSON,
            both("Pubblicare la nota", "Publish the note"),
            detail=both("Sugli stessi canali.", "On the same channels."),
            approval=Approval(Role.EXECUTIVE_SPONSOR, 20, Role.LEGAL),
        ),
        Step("partners", 120, Role.SALES, both("Chiamare i partner", "Call partners")),
    ),
    statements=(
        Statement(
            "old",
            StatementChannel.SOCIAL,
            both("Testo vecchio di {brand}", "Old text of {brand}"),
            "2026-11-21",
        ),
        Statement(
            "first",
            StatementChannel.SOCIAL,
            both("{brand} si scusa per {leader}.", "{brand} apologises for {leader}."),
            "2027-06-30",
            approval=Approval(Role.EXECUTIVE_SPONSOR, 20, Role.LEGAL),
            note=both("Se confermata.", "If confirmed."),
        ),
    ),
    stakeholders=(both("Dipendenti", "Employees"),),
    pause=(both("Post programmati", "Scheduled posts"),),
    never=(both("Cancellare le critiche", "Delete criticism"),),
    escalation=both("Alla direzione.", "To the board."),
    update_every_minutes=60,
    stand_down=StandDown(60, 1.5, 0.1),
    after_action=(both("Quanto tempo?", "How long?"),),
    placeholders={"leader": both("Nome di chi ha parlato", "Name of who spoke")},
    clocks=(
        LegalClock(
            regime="GDPR art. 33",
            deadlines=(
                Deadline(72, both("Notificare al Garante", "Notify the authority")),
                Deadline(0, both("Avvisare gli interessati", "Tell those concerned")),
                Deadline(
                    24, both("Relazione", "Report"), after=both("la notifica", "the notification")
                ),
            ),
            starts=both("la conoscenza del fatto", "becoming aware"),
            confirm=both("Ci sono dati personali?", "Are there personal data?"),
            source="https://eur-lex.europa.eu/eli/reg/2016/679/oj",
        ),
    ),
)
RUNNER_UP = change(
    PLAYBOOK, id="boycott", title=both("Boicottaggio di un marchio", "Boycott of a brand")
)


def quote(number: int, text: str, **more: object) -> Quote:
    known = {
        "source": "jetstream",
        "mention_id": str(number),
        "channel": "bluesky",
        "published_at": SUNDAY_2240 - number * MINUTE,
        "label": "negative",
    }
    return Quote(text=text, **(known | more))


INCIDENT = Incident(
    id="aurora-1",
    brand="aurora",
    brand_name="Pastificio Aurora",
    direction=Direction.THREAT,
    severity=Severity.HIGH,
    phase=Phase.ESCALATING,
    onset_at=SUNDAY_2240 - 9 * MINUTE,
    opened_at=SUNDAY_2240,
    detected_at=SUNDAY_2240,
    updated_at=SUNDAY_2240,
    revision=1,
    kind="executive-statement",
    evidence=Evidence(
        at=SUNDAY_2240,
        window_seconds=900,
        mentions=1412,
        expected=38.2,
        negative_share=0.712,
        usual_negative_share=0.22,
        positive_share=0.081,
        usual_positive_share=0.3,
        score=22.0,
        threshold=13.7,
        channel="bluesky",
        chance_days=90.0,
        would_not_fire_below=171,
    ),
    playbook=PlaybookMatch(
        "executive-statement",
        0.62,
        reasons=("type executive-statement 0.42", "term «boicott*» in 35 of 60 posts"),
        runner_up="boycott",
        runner_up_score=0.41,
    ),
    doubling_minutes=17.0,
    mentions=1412,
    negative=1005,
    positive=114,
    peak_per_minute=148.0,
    channels=(("bluesky", 851), ("news", 561)),
    languages=(("it", 988), ("en", 424)),
    spread=Spread(
        authors=918,
        repost_share=0.62,
        new_account_share=0.09,
        top_author="@voce.example",
        top_author_spread=340,
        reach=120_400,
    ),
    first_post=quote(
        9,
        "Sentito in radio il presidente?",
        author="@radio.example",
        followers=1204,
        url="https://example.com/1",
    ),
    quotes=(
        quote(5, "Da domani altra pasta", author="@voce.example", spread=340),
        quote(3, "Did they really say that?", author="@jo.example"),
    ),
    terms=(TermCount("#boicottaaurora", 212, 4000.0), TermCount("famiglia", 130, 41.3)),
    series=(SeriesPoint(SUNDAY_2240 - 120, 90, 60, 2.5), SeriesPoint(SUNDAY_2240, 140, 99, 2.5)),
    caveats=(Caveat.MANY_REPOSTS,),
    severity_reasons=("excess 985 over 8.4", "doubling 17 min"),
    checklist=tuple(
        StepState(step.id, SUNDAY_2240 + step.due_minutes * MINUTE) for step in PLAYBOOK.steps
    ),
)


def effect(
    kind: EffectKind = EffectKind.OPENED,
    *,
    incident: Incident = INCIDENT,
    at: float = SUNDAY_2240,
    actor: str = "",
    note: str = "",
) -> Effect:
    return Effect(
        id=f"{incident.id}:{incident.revision}:{kind}:{at}",
        kind=kind,
        at=at,
        brand=incident.brand,
        incident=incident,
        page=True,
        actor=actor,
        note=note,
    )


def said(told: Effect | None = None, *, language: str = "it", **more: object) -> AlertMessage:
    """The message in one language, with everything the shell knows."""
    told = told or effect()
    incident = told.incident
    known = {
        "playbook": PLAYBOOK,
        "runner_up": RUNNER_UP,
        "people": PEOPLE,
        "call": ROTA.call("aurora", incident.escalation_level if incident else 0, SUNDAY_2240),
        "timezone": "Europe/Rome",
    } | more
    return build_message(told, language=language, **known)


def of(incident: Incident, language: str = "it", at: float = SUNDAY_2240) -> AlertMessage:
    """The message of an incident that has just opened."""
    return said(effect(incident=incident, at=at), language=language)


def with_evidence(**figures: object) -> Incident:
    return change(INCIDENT, evidence=change(INCIDENT.evidence, **figures))


both_languages = pytest.mark.parametrize("language", LANGUAGES)
OPPORTUNITY = change(INCIDENT, direction=Direction.OPPORTUNITY, kind="opportunity")


class Context:
    """A configuration with one brand, two playbooks and two people."""

    base_url = "http://127.0.0.1:8080"
    default_language = "en"
    default_timezone = "Europe/Rome"

    def __init__(self, language: str = "it", rota: Rota = ROTA) -> None:
        self._rota = rota
        self._brand = Brand("aurora", "Pastificio Aurora", language=language)

    def brand(self, brand_id: str) -> Brand | None:
        return self._brand if brand_id == self._brand.id else None

    def playbook(self, playbook_id: str) -> Playbook | None:
        return {each.id: each for each in self.playbooks()}.get(playbook_id)

    def playbooks(self) -> tuple[Playbook, ...]:
        return (PLAYBOOK, RUNNER_UP)

    def person(self, role: Role, brand_id: str, at: float) -> str:  # noqa: ARG002 - one rota
        return PEOPLE.get(role, "")

    def call(self, brand_id: str, level: int, at: float) -> Call:
        return self._rota.call(brand_id, level, at)
