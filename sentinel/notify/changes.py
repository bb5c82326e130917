"""What changed, and in whose hands it is: the status line and the replies in the thread.

What lives here: one sentence per kind of effect. What does not: the figures (``story``) or the plan (``plan``).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from sentinel.core.checklist import unfinished
from sentinel.core.oncall import Call
from sentinel.core.playbooks import Playbook
from sentinel.i18n import Translator
from sentinel.model import Direction, Effect, EffectKind, Incident, Phase, Severity
from sentinel.notify.plan import plan_in_short
from sentinel.notify.safe_text import clean
from sentinel.notify.story import sentence, totals, trend
from sentinel.notify.wording import role_words, severity_reasons, severity_words

SHOWN_REASONS = 4
SHOWN_WAITING = 3


def severity_why(t: Translator, incident: Incident) -> str:
    """Why this severity; empty where the core gave no reasons."""
    reasons = severity_reasons(t, incident)[:SHOWN_REASONS]
    text = "; ".join(reasons)
    return text[:1].upper() + text[1:] + "." if text else ""


def status_line(t: Translator, incident: Incident, call: Call, now: float) -> str:
    """In whose hands it is and in what state; the strongest fact first."""
    if incident.false_alarm_by:
        return t.gettext("False alarm, says {person}.", person=clean(incident.false_alarm_by, 60))
    if incident.phase is Phase.RESOLVED:
        return _resolved(t, incident, now)
    parts = [_hands(t, incident, call, now)]
    if incident.snoozed_until is not None and incident.snoozed_until > now:
        parts.append(t.gettext("Snoozed {until}.", until=t.until(incident.snoozed_until, now)))
    if incident.phase is Phase.DECAYING:
        parts.append(t.gettext("It is dying down."))
    return " ".join(parts)


def _hands(t: Translator, incident: Incident, call: Call, now: float) -> str:
    if incident.acknowledged_by:
        person = clean(incident.acknowledged_by, 60)
        if incident.acknowledged_at is None:
            return t.gettext("Taken by {person}.", person=person)
        when = t.at(incident.acknowledged_at, now)
        return t.gettext("Taken by {person} {when}.", person=person, when=when)
    if incident.escalation_level > 0:
        who = _called(t, call)
        return t.gettext("Nobody has taken it yet: now calling {who}.", who=who)
    if call.person is not None and (person := clean(call.person.name, 60)):
        return t.gettext("New: nobody has taken it yet. On duty: {person}.", person=person)
    return t.gettext("New: nobody has taken it yet.")


def _called(t: Translator, call: Call) -> str:
    """Role and person that the chain has reached, and who stands in for the one who did not answer."""
    person = clean(call.person.name, 60) if call.person else ""
    who = f"{role_words(t, call.role)} ({person})" if person else role_words(t, call.role)
    if call.stand_in is None:
        return who
    backup = clean(call.stand_in.name, 60)
    return t.gettext("{who} and {person} as a stand-in", who=who, person=backup)


def _resolved(t: Translator, incident: Incident, now: float) -> str:
    ended = incident.resolved_at if incident.resolved_at is not None else incident.updated_at
    text = t.gettext(
        "Over {when}, after {span}: {totals}.",
        when=t.at(ended, now),
        span=t.span(ended - incident.onset_at),
        totals=totals(t, incident),
    )
    if not incident.acknowledged_by:
        return text
    person = clean(incident.acknowledged_by, 60)
    return text + " " + t.gettext("Taken by {person}.", person=person)


# --- replies in the thread -----------------------------------------------------------------------


def thread_reply(t: Translator, effect: Effect, playbook: Playbook | None, call: Call) -> str:
    """What to say about this change; empty for the alert itself and for mere new figures."""
    if effect.incident is None or effect.kind not in _REPLIES:
        return ""
    return _REPLIES[effect.kind](t, effect, effect.incident, playbook, call)


_Reply = Callable[[Translator, Effect, Incident, Playbook | None, Call], str]


def _actor(t: Translator, effect: Effect) -> str:
    return clean(effect.actor, 60) or t.gettext("somebody")


def _escalated(
    t: Translator, effect: Effect, incident: Incident, _playbook: Playbook | None, _call: Call
) -> str:
    after = severity_words(t, incident.direction, incident.severity)
    before = next((level for level in Severity if level.slug == effect.note), None)
    praise = incident.direction is Direction.OPPORTUNITY
    if before is not None and before is not incident.severity:
        was = severity_words(t, incident.direction, before)
        if praise:
            text = t.gettext("Growing: from {before} to {after}.", before=was, after=after)
        else:
            text = t.gettext("Worse: from {before} to {after}.", before=was, after=after)
    elif praise:
        text = t.gettext("Growing: now {after}.", after=after)
    else:
        text = t.gettext("Worse: now {after}.", after=after)
    why = severity_why(t, incident)
    because = t.gettext("Why: {reasons}", reasons=why[:1].lower() + why[1:]) if why else ""
    return " ".join(part for part in (text, because, sentence(t, incident)) if part)


def _returned(
    t: Translator, _effect: Effect, incident: Incident, _playbook: Playbook | None, _call: Call
) -> str:
    text = t.gettext("The story is back: wave no. {wave}.", wave=t.number(incident.wave))
    return f"{text} {sentence(t, incident)}"


def _decaying(
    t: Translator, _effect: Effect, incident: Incident, _playbook: Playbook | None, _call: Call
) -> str:
    return t.gettext("It is dying down: {totals}.", totals=totals(t, incident))


def _over(
    t: Translator, effect: Effect, incident: Incident, _playbook: Playbook | None, _call: Call
) -> str:
    told = _resolved(t, incident, effect.at)
    if not effect.actor:
        return told
    return t.gettext("{person} has closed it.", person=_actor(t, effect)) + " " + told


def _taken(
    t: Translator, effect: Effect, incident: Incident, _playbook: Playbook | None, _call: Call
) -> str:
    person = clean(incident.acknowledged_by, 60) or _actor(t, effect)
    when = t.at(effect.at, effect.at)
    return t.gettext("{person} has taken it {when}.", person=person, when=when)


def _false_alarm(
    t: Translator, effect: Effect, incident: Incident, _playbook: Playbook | None, _call: Call
) -> str:
    person = clean(incident.false_alarm_by, 60) or _actor(t, effect)
    told = t.gettext(
        "{person} says it is a false alarm: closed, no more pages unless it gets worse.",
        person=person,
    )
    if incident.drill:
        return told
    return told + " " + t.gettext("It is charged to the false-alarm budget.")


def _snoozed(
    t: Translator, effect: Effect, incident: Incident, _playbook: Playbook | None, _call: Call
) -> str:
    if incident.snoozed_until is None:
        return t.gettext("{person} has snoozed it.", person=_actor(t, effect))
    return t.gettext(
        "{person} has snoozed it {until}: nobody is paged before.",
        person=_actor(t, effect),
        until=t.until(incident.snoozed_until, effect.at),
    )


def _unsnoozed(
    t: Translator, effect: Effect, incident: Incident, _playbook: Playbook | None, _call: Call
) -> str:
    if effect.actor:
        return t.gettext("{person} has ended the snooze.", person=_actor(t, effect))
    return t.gettext("The snooze is over.") + f" {trend(t, incident)}"


def _handed_up(
    t: Translator, effect: Effect, incident: Incident, _playbook: Playbook | None, call: Call
) -> str:
    if not effect.actor:
        return _hands(t, incident, call, effect.at)
    return t.gettext(
        "{person} has escalated it: now calling {who}.",
        person=_actor(t, effect),
        who=_called(t, call),
    )


def _playbook_changed(
    t: Translator, effect: Effect, incident: Incident, playbook: Playbook | None, _call: Call
) -> str:
    plan = plan_in_short(t, incident, playbook)
    if not effect.actor:
        return t.gettext("The plan has changed. {plan}", plan=plan)
    return t.gettext("{person} has changed the plan. {plan}", person=_actor(t, effect), plan=plan)


def _checklist_changed(
    t: Translator, effect: Effect, incident: Incident, playbook: Playbook | None, _call: Call
) -> str:
    step = playbook.step(effect.note) if playbook else None
    title = clean(step.title.text(t.language) if step else effect.note, 120)
    state = next((state for state in incident.checklist if state.id == effect.note), None)
    done = sum(1 for each in incident.checklist if each.done_by)
    count = t.gettext(
        "{done} of {total}", done=t.number(done), total=t.number(len(incident.checklist))
    )
    if state is None:
        return t.gettext("Checklist: {count}.", count=count)
    if state.done_by:
        person = clean(state.done_by, 60)
        return t.gettext(
            "{person}: done “{step}” ({count}).", person=person, step=title, count=count
        )
    person = _actor(t, effect)
    return t.gettext(
        "{person}: open again “{step}” ({count}).", person=person, step=title, count=count
    )


def _new_normal(
    t: Translator, _effect: Effect, incident: Incident, _playbook: Playbook | None, _call: Call
) -> str:
    expected = incident.evidence.expected
    level = max(1, round(expected)) if math.isfinite(expected) else 1
    return t.gettext(
        "The new level has lasted: from now on, about {usual} in {span} is the usual.",
        usual=t.ngettext("{n} mention", "{n} mentions", level),
        span=t.span(incident.evidence.window_seconds),
    )


def _stood_down(
    t: Translator, _effect: Effect, incident: Incident, playbook: Playbook | None, _call: Call
) -> str:
    if playbook is None:
        return t.gettext("The team may stand down.")
    span = t.span(playbook.stand_down.quiet_minutes * 60)
    text = t.gettext(
        "Calm for {span}, as the plan asks: the team may stand down once this is settled.",
        span=span,
    )
    waiting = [
        step for one in unfinished(playbook, incident.checklist) if (step := playbook.step(one))
    ]
    if not waiting:
        return t.gettext(
            "Calm for {span}, as the plan asks, and every step is done: the team may stand down.",
            span=span,
        )
    titles = [clean(step.title.text(t.language), 80) for step in waiting[:SHOWN_WAITING]]
    names = "; ".join(t.gettext("“{title}”", title=title) for title in titles)
    more = len(waiting) - len(titles)
    still = t.gettext("Still open: {steps}", steps=names)
    if more:
        still += " " + t.ngettext("and {n} more", "and {n} more", more)
    return f"{text} {still}."


_REPLIES: dict[EffectKind, _Reply] = {
    EffectKind.ESCALATED: _escalated,
    EffectKind.RETURNED: _returned,
    EffectKind.DECAYING: _decaying,
    EffectKind.RESOLVED: _over,
    EffectKind.STOOD_DOWN: _stood_down,
    EffectKind.ACKNOWLEDGED: _taken,
    EffectKind.FALSE_ALARM: _false_alarm,
    EffectKind.SNOOZED: _snoozed,
    EffectKind.UNSNOOZED: _unsnoozed,
    EffectKind.HANDED_UP: _handed_up,
    EffectKind.PLAYBOOK_CHANGED: _playbook_changed,
    EffectKind.CHECKLIST_CHANGED: _checklist_changed,
    EffectKind.NEW_NORMAL: _new_normal,
}
