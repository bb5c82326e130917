"""What to do, in rows: the plan and why, its checklist, statements, clocks and stand-down.

What lives here: the part of a message that comes from the playbook and the incident's checklist. What does not: ranking
playbooks (``core``), or the state of the incident itself (``changes``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import msgspec

from sentinel.core.playbooks import (
    COMMON_PLACEHOLDERS,
    Approval,
    Deadline,
    LegalClock,
    Localised,
    Playbook,
    Role,
    Statement,
    Step,
)
from sentinel.i18n import Translator
from sentinel.model import Direction, Incident, StepState
from sentinel.notify.alert import ChecklistRow, ClockLine, StatementText
from sentinel.notify.safe_text import clean
from sentinel.notify.story import brand_name, safe_url
from sentinel.notify.wording import STATEMENT_CHANNEL, playbook_reasons, role_words

SHOWN_REASONS = 4
_TEXT, _LINE, _STATEMENT = 600, 160, 3000
_MINUTE, _HOUR = 60, 3600
_BLANK = re.compile(r"\{([a-z][a-z0-9_]*)\}")

People = Mapping[Role, str]
"""Display name of who has each role now; a role that nobody has is missing or empty."""


def playbook_line(
    t: Translator, incident: Incident, playbook: Playbook | None, runner_up: Playbook | None
) -> str:
    """The plan, why, and what came second; or honestly that none matches."""
    match = incident.playbook
    name = _title(t, playbook, match.playbook)
    second = _title(t, runner_up, match.runner_up)
    if match.chosen_by and name:
        return t.gettext(
            "{plan}: chosen by {person}.", plan=name, person=clean(match.chosen_by, 60)
        )
    reasons = playbook_reasons(t, match.reasons)[:SHOWN_REASONS]
    if not match.matched or not name:
        return _no_match(t, name, second, reasons)
    parts = [f"{name}."]
    if reasons:
        parts.append(t.gettext("Why: {reasons}.", reasons="; ".join(reasons)))
    if second:
        parts.append(
            t.gettext(
                "Runner-up: {plan} ({second} against {first} points of 100).",
                plan=second,
                first=_points(t, match.score),
                second=_points(t, match.runner_up_score),
            )
        )
    else:
        parts.append(t.gettext("No other plan comes close."))
    return " ".join(parts)


def _no_match(t: Translator, name: str, nearest: str, reasons: tuple[str, ...]) -> str:
    parts = [t.gettext("No plan fits clearly.")]
    if name:
        parts.append(t.gettext("Start from: {plan}.", plan=name))
    if nearest and reasons:
        parts.append(
            t.gettext("Nearest: {plan} ({reasons}).", plan=nearest, reasons="; ".join(reasons))
        )
    elif nearest:
        parts.append(t.gettext("Nearest: {plan}.", plan=nearest))
    parts.append(t.gettext("Read the posts and choose the plan yourself."))
    return " ".join(parts)


def plan_in_short(t: Translator, incident: Incident, playbook: Playbook | None) -> str:
    """For the phone: "Piano: «…»" or that none fits."""
    name = _title(t, playbook, incident.playbook.playbook)
    if name and (incident.playbook.matched or incident.playbook.chosen_by):
        return t.gettext("Plan: {plan}", plan=name)
    return t.gettext("No plan fits clearly: choose one.")


def _title(t: Translator, playbook: Playbook | None, playbook_id: str) -> str:
    """The playbook's title in quotation marks; its id where the files no longer have it."""
    if not playbook_id:
        return ""
    title = playbook.title.text(t.language) if playbook is not None else playbook_id
    return t.gettext("“{title}”", title=clean(title, 80))


def _points(t: Translator, score: float) -> str:
    return t.number(round(100 * min(max(score, 0.0), 1.0)) if math.isfinite(score) else 0)


# --- the checklist -------------------------------------------------------------------------------


def checklist(
    t: Translator, incident: Incident, playbook: Playbook | None, people: People, now: float
) -> tuple[ChecklistRow, ...]:
    """Rows in the order in which they fall due."""
    rows = []
    for state in incident.checklist:
        row = _row(t, state, playbook.step(state.id) if playbook else None, people, now)
        if incident.open and not state.done_by and state.due_at < now:
            late = t.gettext("overdue: {when}", when=t.stamp(state.due_at, now))
            row = msgspec.structs.replace(row, overdue=True, due=late)
        rows.append(row)
    return tuple(sorted(rows, key=lambda row: row.due_at))


def _row(
    t: Translator, state: StepState, step: Step | None, people: People, now: float
) -> ChecklistRow:
    return ChecklistRow(
        id=state.id,
        title=_say(t, step.title, _LINE) if step else clean(state.id, _LINE),
        role=role_words(t, step.role) if step else "",
        person=_person(step.role, people) if step else "",
        due=t.by(state.due_at, now),
        due_at=state.due_at,
        phase=step.phase if step else 0,
        optional=step.optional if step else False,
        done_by=clean(state.done_by, 60) or ("?" if state.done_by else ""),
        done=_done(t, state, now),
        detail=_say(t, step.detail, _TEXT) if step and step.detail else "",
        approval=_approval(t, step.approval, people) if step and step.approval else "",
    )


def _done(t: Translator, state: StepState, now: float) -> str:
    if not state.done_by:
        return ""
    person = clean(state.done_by, 60)
    if state.done_at is None:
        return t.gettext("done by {person}", person=person)
    return t.gettext("done by {person} {when}", person=person, when=t.at(state.done_at, now))


def _approval(t: Translator, approval: Approval, people: People) -> str:
    return t.gettext(
        "Approval: {who} within {span}; no answer, then {backup}.",
        who=_who(t, approval.role, people),
        span=t.span(approval.within_minutes * _MINUTE),
        backup=_who(t, approval.backup, people),
    )


def _who(t: Translator, role: Role, people: People) -> str:
    person = _person(role, people)
    return f"{role_words(t, role)} ({person})" if person else role_words(t, role)


def _person(role: Role, people: People) -> str:
    return clean(people.get(role, ""), 60)


# --- statements, clocks, rules -------------------------------------------------------------------


def statements(
    t: Translator, incident: Incident, playbook: Playbook | None, people: People, now: float
) -> tuple[StatementText, ...]:
    """The plan's holding statements, each in both languages, with the brand's name filled in."""
    if playbook is None:
        return ()
    documented = COMMON_PLACEHOLDERS | playbook.placeholders
    return tuple(
        _statement(t, statement, brand_name(incident), documented, people=people, now=now)
        for statement in playbook.statements
    )


def _statement(
    t: Translator,
    statement: Statement,
    brand: str,
    documented: Mapping[str, Localised],
    *,
    people: People,
    now: float,
) -> StatementText:
    expired = statement.expires < t.local(now).date().isoformat()
    day = t.calendar_date(clean(statement.expires, 40))
    if expired:
        validity = t.gettext("Expired on {day}: do not use it without a new approval.", day=day)
    else:
        validity = t.gettext("Approved text, valid until {day}.", day=day)
    names = dict.fromkeys(_BLANK.findall(statement.text.text(t.language)))
    return StatementText(
        id=statement.id,
        channel=t.gettext(STATEMENT_CHANNEL[statement.channel]),
        it=_paragraphs(statement.text.it.replace("{brand}", brand)),
        en=_paragraphs(statement.text.en.replace("{brand}", brand)),
        blanks=tuple(
            f"{{{name}}}: {_say(t, documented[name], _LINE)}"
            if name in documented
            else f"{{{name}}}"
            for name in names
            if name != "brand"
        ),
        note=_say(t, statement.note, _TEXT) if statement.note else "",
        approval=_approval(t, statement.approval, people) if statement.approval else "",
        validity=validity,
        expired=expired,
    )


def _paragraphs(text: str) -> str:
    """The plan's own text keeps its paragraphs."""
    kept = (clean(line) for line in text.splitlines())
    return "\n".join(line for line in kept if line)[:_STATEMENT]


def clocks(
    t: Translator, incident: Incident, playbook: Playbook | None, now: float
) -> tuple[ClockLine, ...]:
    """Statutory deadlines that may apply; never said to apply."""
    return tuple(_clock(t, incident, clock, now) for clock in (playbook.clocks if playbook else ()))


def _clock(t: Translator, incident: Incident, clock: LegalClock, now: float) -> ClockLine:
    regime = clean(clock.regime, 80)
    return ClockLine(
        regime=regime,
        text=t.gettext(
            "{regime}, runs from: {starts}", regime=regime, starts=_say(t, clock.starts, _TEXT)
        ),
        deadlines=tuple(_deadline(t, incident, deadline, now) for deadline in clock.deadlines),
        confirm=t.gettext(
            "A person confirms whether it applies: {confirm}",
            confirm=_say(t, clock.confirm, _TEXT),
        ),
        source=safe_url(clock.source),
    )


def _deadline(t: Translator, incident: Incident, deadline: Deadline, now: float) -> str:
    what = _say(t, deadline.what, _TEXT)
    if deadline.hours <= 0:
        span = t.gettext("without undue delay")
    elif deadline.hours <= 72 or deadline.hours % 24:  # the law counts hours up to three days
        span = t.ngettext("{n} hour", "{n} hours", deadline.hours)
    else:
        span = t.span(deadline.hours * _HOUR)
    if deadline.after is not None:
        event = _say(t, deadline.after, _LINE)
        return t.gettext("{span} from {event}: {what}", span=span, event=event, what=what)
    if deadline.hours <= 0:
        return f"{span}: {what}"
    due = t.by(incident.detected_at + deadline.hours * _HOUR, now)
    return t.gettext(
        "{span}: {what} ({due}, if the clock began with this alert)", span=span, what=what, due=due
    )


def stand_down(t: Translator, incident: Incident, playbook: Playbook | None, now: float) -> str:
    """The numbers that say when it is over, worked out for this brand, and how far it is."""
    if playbook is None:
        return ""
    rule = playbook.stand_down
    span, ratio = t.span(rule.quiet_minutes * _MINUTE), t.number(rule.volume_ratio_below)
    if incident.direction is Direction.OPPORTUNITY:
        text = t.gettext(
            "Over when for {span} there are fewer than {ratio} times the usual mentions.",
            span=span,
            ratio=ratio,
        )
    else:
        share = incident.evidence.usual_negative_share + rule.negative_share_above_usual_below
        text = t.gettext(
            "Over when for {span} there are fewer than {ratio} times the usual mentions and less than {share} are read as negative.",
            span=span,
            ratio=ratio,
            share=t.percent(share),
        )
    if incident.stood_down_at is not None:
        return text + " " + t.gettext("Reached {when}.", when=t.at(incident.stood_down_at, now))
    if incident.calm_since is not None:
        due = max(now, incident.calm_since + rule.quiet_minutes * _MINUTE)
        since = t.since(incident.calm_since, now)
        return (
            text
            + " "
            + t.gettext(
                "Calm {since}; if it stays so, over {when}.", since=since, when=t.at(due, now)
            )
        )
    return text


def lines(t: Translator, texts: tuple[Localised, ...]) -> tuple[str, ...]:
    """Lists of the plan, such as what to pause and what never to do."""
    return tuple(_say(t, text, _TEXT) for text in texts)


def summary(t: Translator, playbook: Playbook | None) -> str:
    """What the plan is for, in a sentence."""
    return _say(t, playbook.summary, _TEXT) if playbook else ""


def _say(t: Translator, text: Localised, limit: int) -> str:
    return clean(text.text(t.language), limit)
