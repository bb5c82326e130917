"""The after-action review of one incident, in Markdown, from what was stored with it.

What lives here: which facts are told, in which order, and how strangers' text becomes Markdown that is only text. What does
not: their wording where an alert says the same (``message`` and its siblings), reading the store (``commands/report``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from sentinel.core.checklist import unfinished
from sentinel.core.oncall import Call
from sentinel.core.playbooks import Playbook
from sentinel.i18n import Translator, translator
from sentinel.model import Direction, Effect, EffectKind, Incident, StepState
from sentinel.notify import changes, story
from sentinel.notify.alert import AlertMessage
from sentinel.notify.message import build_message
from sentinel.notify.safe_text import clean

ALARMS = frozenset({EffectKind.OPENED, EffectKind.RETURNED, EffectKind.ESCALATED})
_ABSENT = "–"
_SPECIAL = re.compile(r"[\\`*_\[\]|~$]")
_TRAPS = (
    (re.compile(r"&"), "&amp;"),
    (re.compile(r"<"), "&lt;"),
    (re.compile(r">"), "&gt;"),
    (re.compile(r"@"), "&#64;"),
    (re.compile(r":(?=//)"), "&#58;"),
    (re.compile(r"(?i)(?<=www)\."), "&#46;"),
)
"""Besides HTML's own: what readers of Markdown make links and calls of, without being asked."""


class Source(msgspec.Struct, frozen=True):
    """What a review is made of.

    Attributes:
        timeline: Every effect of the incident, in order; the last one holds the incident as it ended.
        playbooks: Id to playbook; None for one that is gone.
        call: Who was called at a level of the escalation, at a time (epoch seconds).
    """

    timeline: Sequence[Effect]
    playbooks: Callable[[str], Playbook | None]
    call: Callable[[int, float], Call]


def text(value: str) -> str:
    r"""Text as Markdown that shows it and nothing else, on one line; not for the beginning of a line.

    >>> text("*Via* <script> @tutti www.evil.example|x")
    '\\*Via\\* &lt;script&gt; &#64;tutti www&#46;evil.example\\|x'
    """
    shown = clean(value)
    for trap, entity in _TRAPS:
        shown = trap.sub(entity, shown)
    return _SPECIAL.sub(lambda found: "\\" + found[0], shown)


def review(source: Source, *, language: str, timezone: str) -> str:
    """The review as a Markdown document.

    Args:
        source: What was stored.
        language: ``it`` or ``en``: the team's.
        timezone: IANA name of the team's wall clock.

    Raises:
        ValueError: There is no effect with an incident.
    """
    told = [one for one in source.timeline if one.incident is not None]
    if not told or told[-1].incident is None:
        raise ValueError("an incident without effects cannot be reviewed")
    incident = told[-1].incident
    playbook = source.playbooks(incident.playbook.playbook)
    t = translator(language, timezone)
    last = msgspec.structs.replace(told[-1], kind=EffectKind.UPDATED, at=incident.updated_at)
    message = build_message(
        last,
        playbook,
        language=language,
        timezone=timezone,
        runner_up=source.playbooks(incident.playbook.runner_up),
        call=source.call(incident.escalation_level, incident.updated_at),
    )
    blocks = [
        _title(t, incident, message),
        *_section(t.gettext("In short"), _in_short(t, incident, message)),
        *_section(t.gettext("How fast"), [_table(_pace(t, incident, told, playbook))]),
        *_section(t.gettext("What happened"), _history(t, source, told)),
        *_section(message.headings.checklist, _checklist(t, incident, message)),
        *_section(t.gettext("Why it was raised"), _alarms(t, told, message)),
        *_section(message.headings.posts, _posts(message)),
        *_section(t.gettext("To discuss"), _questions(t, playbook)),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


# --- parts ---------------------------------------------------------------------------------------


def _title(t: Translator, incident: Incident, message: AlertMessage) -> str:
    name = f"{story.brand_name(incident)} · {story.kind_words(t, incident)}"
    what = t.gettext("After-action review")
    title = f"# {text(what)}: {text(name)}"
    return f"{title}\n\n> **{text(message.drill)}**" if message.drill else title


def _in_short(t: Translator, incident: Incident, message: AlertMessage) -> list[str]:
    heads = message.headings
    rows = [
        (t.gettext("Case"), incident.id),
        (t.gettext("Level"), story.headline(t, incident)),
        (t.gettext("Waves"), t.number(incident.wave) if incident.wave > 1 else ""),
        (t.gettext("At its worst"), message.sentence),
        (t.gettext("In all"), f"{story.totals(t, incident)}."),
        (heads.where, message.where),
        (heads.who, message.who),
        (heads.terms, ", ".join(message.terms)),
        (heads.playbook, message.playbook_line),
        (heads.stand_down, message.stand_down),
        (heads.status, message.status_line),
    ]
    return ["\n".join(f"- **{text(head)}**: {text(said)}" for head, said in rows if said)]


def _pace(
    t: Translator, incident: Incident, told: Sequence[Effect], playbook: Playbook | None
) -> list[tuple[str, ...]]:
    """Moments of the first wave and of the end, each with its delay after the one that it answers to."""
    onset, alert = told[0].incident.onset_at if told[0].incident else incident.onset_at, told[0].at
    taken = _first(told, EffectKind.ACKNOWLEDGED)
    step = next((one for one in told if _ticks(one)), None)
    rows: list[tuple[str, ...]] = [
        (t.gettext("Step"), t.gettext("When"), t.gettext("Delay")),
        (t.gettext("The talk began"), _when(t, onset), ""),
        (
            t.gettext("Alert"),
            _when(t, alert),
            t.gettext("{span} after the beginning", span=t.span(max(0.0, alert - onset))),
        ),
        (
            t.gettext("Taken"),
            _named(t, taken),
            _after(t, alert, taken.at if taken else None),
        ),
        (
            t.gettext("First step done"),
            _named(t, step),
            _after(t, alert, step.at if step else None),
        ),
    ]
    finished = _finished(incident, playbook)
    ends = (
        (t.gettext("Every required step done"), finished),
        (t.gettext("Dying down"), _last(told, EffectKind.DECAYING)),
        (t.gettext("Over"), incident.resolved_at),
        (t.gettext("Stand-down"), incident.stood_down_at),
    )
    rows += [(name, _when(t, at), _after(t, alert, at)) for name, at in ends]
    return rows


def _history(t: Translator, source: Source, told: Sequence[Effect]) -> list[str]:
    lines = []
    for effect in told:
        incident = effect.incident
        if incident is None or effect.kind is EffectKind.UPDATED:
            continue
        call = source.call(incident.escalation_level, effect.at)
        playbook = source.playbooks(incident.playbook.playbook)
        said = changes.thread_reply(t, effect, playbook, call) or story.sentence(t, incident)
        head = t.gettext("Alert") + ": " if effect.kind is EffectKind.OPENED else ""
        lines.append(f"- **{_when(t, effect.at)}** {text(head + said)}")
    return ["\n".join(lines)]


def _checklist(t: Translator, incident: Incident, message: AlertMessage) -> list[str]:
    states = {state.id: state for state in incident.checklist}
    blocks = []
    for phase, heading in message.headings.phases.items():
        lines = [
            f"- [{'x' if row.done_by else ' '}] {text(row.title)} ({text(row.role)}): "
            f"{text(_outcome(t, states[row.id]))}"
            for row in message.checklist
            if row.phase == phase
        ]
        if lines:
            blocks.append(f"### {text(heading)}\n\n" + "\n".join(lines))
    return blocks


def _outcome(t: Translator, state: StepState) -> str:
    """Who did a step, and how late; or that nobody did."""
    due = _when(t, state.due_at)
    if state.done_at is None:
        return t.gettext("not done; it was due {due}", due=due)
    person, when = clean(state.done_by, 60), _when(t, state.done_at)
    late = state.done_at - state.due_at
    if late <= 0:
        return t.gettext("{person}, {when}, in time", person=person, when=when)
    return t.gettext("{person}, {when}, {span} late", person=person, when=when, span=t.span(late))


def _alarms(t: Translator, told: Sequence[Effect], message: AlertMessage) -> list[str]:
    """The figures of each alarm, and what could have been wrong with them."""
    heads = message.headings
    # What the model counted, and said so: a level needs posts that people judged.
    share = t.gettext("read as negative")
    if message.direction is Direction.OPPORTUNITY:
        share = t.gettext("read as positive")
    rows: list[tuple[str, ...]] = [
        (
            t.gettext("When"),
            heads.mentions,
            heads.expected,
            share,
            heads.expected,
            t.gettext("score"),
            t.gettext("threshold"),
        )
    ]
    for effect in told:
        if effect.kind not in ALARMS or effect.incident is None:
            continue
        of = effect.incident.evidence
        shares = (of.negative_share, of.usual_negative_share)
        if effect.incident.direction is Direction.OPPORTUNITY:
            shares = (of.positive_share, of.usual_positive_share)
        rows.append(
            (
                _when(t, effect.at),
                f"{t.number(of.mentions)} / {t.span(of.window_seconds)}",
                t.number(of.expected),
                *(t.percent(one) for one in shares),
                t.number(of.score),
                t.number(of.threshold),
            )
        )
    said = (message.severity_why, message.confidence, *message.caveats)
    again = t.gettext("The same figures, recomputed from what was stored:")
    lines = [f"- {text(line)}" for line in said if line]
    lines.append(f"- {text(again)} `sentinel explain {message.incident_id}`")
    return [_table(rows), "\n".join(lines)]


def _posts(message: AlertMessage) -> list[str]:
    return [
        f"> {text(message.quoted(quote.text))}\n> — {text(quote.byline)}"
        for quote in message.quotes
    ]


def _questions(t: Translator, playbook: Playbook | None) -> list[str]:
    asked = playbook.after_action if playbook else ()
    return ["\n".join(f"- [ ] {text(one.text(t.language))}" for one in asked)]


# --- pieces --------------------------------------------------------------------------------------


def _section(heading: str, blocks: Iterable[str]) -> Iterator[str]:
    found = [block for block in blocks if block]
    if found:
        yield f"## {text(heading)}"
        yield from found


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(text(cell) or " " for cell in row) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(rows[0]))
    return "\n".join(lines)


def _when(t: Translator, at: float | None) -> str:
    """A moment with its date: a review is read on another day."""
    return _ABSENT if at is None else t.stamp(at, now=0.0)


def _after(t: Translator, alert: float, at: float | None) -> str:
    if at is None:
        return ""
    return t.gettext("{span} after the alert", span=t.span(max(0.0, at - alert)))


def _named(t: Translator, effect: Effect | None) -> str:
    if effect is None:
        return _ABSENT
    return f"{_when(t, effect.at)}, {clean(effect.actor, 60)}".rstrip(", ")


def _first(told: Sequence[Effect], kind: EffectKind) -> Effect | None:
    return next((one for one in told if one.kind is kind), None)


def _last(told: Sequence[Effect], kind: EffectKind) -> float | None:
    return next((one.at for one in reversed(told) if one.kind is kind), None)


def _ticks(effect: Effect) -> bool:
    """Whether it tells of a step that was ticked, not opened again."""
    states = effect.incident.checklist if effect.incident else ()
    return effect.kind is EffectKind.CHECKLIST_CHANGED and any(
        state.id == effect.note and state.done_by for state in states
    )


def _finished(incident: Incident, playbook: Playbook | None) -> float | None:
    if playbook is None or not incident.checklist or unfinished(playbook, incident.checklist):
        return None
    return max((one.done_at for one in incident.checklist if one.done_at is not None), default=None)
