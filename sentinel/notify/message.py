"""Build the message of an effect: what a press officer reads at 22:40.

What lives here: ``build_message``, which puts the parts together, and the short forms (subject, phone). What does not:
the parts' wording (``story``, ``plan``, ``changes``, ``operations``, ``wording``), vendors' mark-up, delivery.

Pure: the same effect, playbook and people give the same message. It never raises, whatever a mention's text holds: an
alert that cannot be worded is an alert that nobody gets.
"""

from __future__ import annotations

from collections.abc import Mapping

from sentinel.core.oncall import Call, role_called
from sentinel.core.playbooks import Playbook, Role
from sentinel.i18n import N_, Translator, translator
from sentinel.model import OPERATIONAL, Direction, Effect, EffectKind, Incident, Phase
from sentinel.notify import changes, operations, plan, story, talk
from sentinel.notify.alert import (
    AlertMessage,
    ChecklistRow,
    ClockLine,
    Headings,
    QuoteLine,
    StatementText,
)
from sentinel.notify.safe_text import clean
from sentinel.notify.wording import FALSE_ALARM_MARK, RESOLVED_MARK, caveat_words

__all__ = [
    "AlertMessage",
    "ChecklistRow",
    "ClockLine",
    "Headings",
    "QuoteLine",
    "StatementText",
    "build_message",
]

FALLBACK_CHARACTERS, SUBJECT_CHARACTERS = 300, 120
_FALLBACK_ROOM = FALLBACK_CHARACTERS - len("[ESERCITAZIONE] ")
_CHANGE: Mapping[EffectKind, str] = {
    EffectKind.ESCALATED: N_("Worse"),
    EffectKind.RETURNED: N_("Back again"),
    EffectKind.HANDED_UP: N_("Not taken yet"),
}


def build_message(
    effect: Effect,
    playbook: Playbook | None,
    *,
    language: str,
    timezone: str,
    runner_up: Playbook | None = None,
    people: Mapping[Role, str] = {},
    call: Call | None = None,
) -> AlertMessage:
    """Word an effect for people.

    Args:
        effect: Its ``at`` is the reader's "now": times of that day are said without the date.
        playbook: The one that ``effect.incident.playbook`` names; None where there is none of that id.
        language: ``it`` or ``en``.
        timezone: IANA name of the reader's wall clock.
        runner_up: The playbook that came second.
        people: Display names by role, as the rota has them now.
        call: Whom the escalation has reached; without it the role alone is named.

    Returns:
        A message about the incident; about the sources where the effect is operational.
    """
    t = translator(language, timezone)
    incident = effect.incident
    if effect.kind in OPERATIONAL or incident is None:
        return operations.build(t, effect, timezone, headings(t))
    now = effect.at
    call = call or role_called(incident.escalation_level)
    drill = (
        t.gettext("DRILL: this is an exercise, nothing of it is real.") if incident.drill else ""
    )
    header = _header(t, incident, now)
    sentence = story.sentence(t, incident)
    in_short = plan.plan_in_short(t, incident, playbook)
    change = _change(t, effect.kind, incident)
    return AlertMessage(
        header=_marked(t, incident, header),
        sentence=sentence,
        subject=clean(_marked(t, incident, _subject(t, incident, change)), SUBJECT_CHARACTERS),
        fallback=_marked(t, incident, _fallback(t, incident, now, change, in_short)),
        headings=headings(t),
        language=t.language,
        timezone=timezone,
        incident_id=incident.id,
        brand=story.brand_name(incident),
        direction=incident.direction,
        severity=incident.severity,
        drill=drill,
        trend=story.trend(t, incident),
        where=story.where(t, incident),
        who=story.who(t, incident, now),
        quotes=story.quotes(t, incident, now),
        terms=story.terms(t, incident.terms),
        threads=talk.threads(t, incident),
        kinds=talk.kinds(t, incident),
        path=talk.path(t, incident, now),
        past=talk.past(t, incident, playbook, now),
        severity_why=changes.severity_why(t, incident),
        confidence=story.confidence(t, incident),
        caveats=caveat_words(t, incident),
        playbook_id=playbook.id if playbook else "",
        playbook_line=plan.playbook_line(t, incident, playbook, runner_up),
        playbook_summary=plan.summary(t, playbook),
        pause=plan.lines(t, playbook.pause) if playbook else (),
        never=plan.lines(t, playbook.never) if playbook else (),
        statements=plan.statements(t, incident, playbook, people, now),
        checklist=plan.checklist(t, incident, playbook, people, now),
        clocks=plan.clocks(t, incident, playbook, now),
        stand_down=plan.stand_down(t, incident, playbook, now),
        status_line=changes.status_line(t, incident, call, now),
        thread_reply=_marked(t, incident, changes.thread_reply(t, effect, playbook, call)),
        series=incident.series,
        labels=tuple(t.time(point.start) for point in incident.series),
    )


def headings(t: Translator) -> Headings:
    """The words over each part."""
    return Headings(
        trend=t.gettext("Trend"),
        where=t.gettext("Where"),
        who=t.gettext("Who"),
        posts=t.gettext("Posts"),
        terms=t.gettext("Words that rise"),
        threads=t.gettext("What people talk about"),
        kinds=t.gettext("What kind it is"),
        path=t.gettext("How it spread"),
        past=t.gettext("Seen before"),
        confidence=t.gettext("Confidence"),
        caveats=t.gettext("What could be wrong"),
        severity=t.gettext("Why this level"),
        playbook=t.gettext("Plan"),
        pause=t.gettext("Pause at once"),
        never=t.gettext("Never"),
        statement=t.gettext("Holding statement"),
        checklist=t.gettext("Checklist"),
        clocks=t.gettext("Legal deadlines to check"),
        stand_down=t.gettext("When it is over"),
        status=t.gettext("Status"),
        checks=t.gettext("Check"),
        drill=t.gettext("DRILL"),
        blanks=t.gettext("To fill in"),
        phases={
            15: t.gettext("first 15 minutes"),
            60: t.gettext("within the hour"),
            180: t.gettext("within 3 hours"),
            0: t.gettext("other steps"),
        },
        mentions=t.gettext("mentions"),
        negative=t.gettext("negative mentions"),
        expected=t.gettext("usual"),
    )


def _change(t: Translator, kind: EffectKind, incident: Incident) -> str:
    """Why the phone buzzes again; said before the header."""
    if kind is EffectKind.ESCALATED and incident.direction is Direction.OPPORTUNITY:
        return t.gettext("Growing") + ": "
    return t.gettext(_CHANGE[kind]) + ": " if kind in _CHANGE else ""


def _header(t: Translator, incident: Incident, now: float) -> str:
    header = story.header(t, incident, now)
    if incident.false_alarm_by:
        state = t.gettext("False alarm")
        return f"{FALSE_ALARM_MARK} {state} · {_unmarked(header)}"
    if incident.phase is Phase.RESOLVED:
        state = t.gettext("Over")
        return f"{RESOLVED_MARK} {state} · {_unmarked(header)}"
    return header


def _unmarked(header: str) -> str:
    """Without its emoji: one is enough."""
    return header.split(" ", 1)[1]


def _marked(t: Translator, incident: Incident, text: str) -> str:
    return "[" + t.gettext("DRILL") + f"] {text}" if incident.drill and text else text


def _subject(t: Translator, incident: Incident, change: str) -> str:
    return change + " · ".join(
        (story.brand_name(incident), story.headline(t, incident), story.kind_words(t, incident))
    )


def _fallback(t: Translator, incident: Incident, now: float, change: str, in_short: str) -> str:
    """The phone's text; the figures give way before the header, and the plan is never cut."""
    tail, figures = clean(in_short, 90), story.sentence(t, incident)
    head = clean(change + _header(t, incident, now), 150)
    if incident.false_alarm_by or not incident.open:
        tail, figures = "", changes.status_line(t, incident, role_called(0), now)
    room = _FALLBACK_ROOM - len(head) - len(tail) - 3
    return f"{head}. {clean(figures, room)} {tail}".rstrip()
