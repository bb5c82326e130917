"""A message's blocks: what people see, within Slack's limits by construction.

What lives here: the order of the parts and the budget. What must be seen (severity, figures, buttons, checklist) is always
there; the rest is admitted by importance until the text or the number of blocks would grow too large, because
Slack refuses a whole message that is too long (``msg_blocks_too_long``, seen from about 13,000 characters on).
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote as url_quote

import msgspec

from sentinel.core.playbooks import Playbook
from sentinel.i18n import Translator, translator
from sentinel.model import Effect, Incident, Phase
from sentinel.notify.alert import AlertMessage, QuoteLine
from sentinel.notify.slack import labels
from sentinel.notify.slack.chart import chart
from sentinel.notify.slack.checklist import checklist_blocks, closed_checklist
from sentinel.notify.slack.names import ActionId, block_id
from sentinel.notify.slack.rich import (
    OPTION,
    Json,
    bullets,
    button,
    confirm,
    context,
    header,
    link,
    member,
    option,
    plain,
    quote,
    rich,
    run,
    section,
    titled,
    weight,
)

MAX_BLOCKS, TEXT_BUDGET = 50, 12_000
SHOWN_PLAYBOOKS, PLAYBOOK_TITLE = 30, 50
STATEMENT_CHARACTERS, LIST_ITEMS = 700, 6


class Part(msgspec.Struct, frozen=True):
    """A piece of the message.

    Attributes:
        rank: 0 must be there; the higher, the sooner it is left out.
    """

    rank: int
    blocks: list[Json]


class Drawing(msgspec.Struct, frozen=True):
    """Everything that a message is drawn from.

    Attributes:
        playbooks: For "Change plan", in the order in which they are offered.
        base_url: Of Sentinel's pages; empty for no link.
        charts: Whether to add the native chart.
        called: Slack members who are called: a mention rings them when the message is posted.
    """

    message: AlertMessage
    effect: Effect
    playbooks: tuple[Playbook, ...] = ()
    base_url: str = ""
    charts: bool = True
    called: tuple[str, ...] = ()


def incident_blocks(drawing: Drawing, incident: Incident) -> list[Json]:
    """The root message of a storyline as it is now."""
    message = drawing.message
    t = translator(message.language, message.timezone)

    def place(part: str) -> str:
        return block_id(part, incident.id, incident.revision)

    parts = [
        Part(0, _drill(message, place)),
        Part(0, [header(message.header, place("header"))]),
        Part(0, [_summary(message, place("summary"))]),
        Part(0, _called(t, drawing, place("called"))),
        Part(0, _actions(t, drawing, incident, place)),
        Part(2, _chart(drawing, place("chart"))),
        Part(1, _talk(message, place("talk"))),
        Part(1, _quotes(t, message, incident, place)),
        Part(3, _people(message, place("people"))),
        Part(1, _plan(message, place("plan"))),
        Part(0, _checklist(t, message, incident)),
        Part(2, _statement(t, drawing, incident, place)),
        Part(4, _rules(message, place("rules"))),
        Part(3, _clocks(message, place("clocks"))),
        Part(2, _caution(message, place("caution"))),
        Part(1, _footer(t, drawing, incident, place("footer"))),
    ]
    return _admitted(parts)


def bare_blocks(drawing: Drawing, incident: Incident) -> list[Json]:
    """The least that is still an alert: for a Slack that refuses the rest."""
    message = drawing.message
    t = translator(message.language, message.timezone)

    def place(part: str) -> str:
        return block_id(part, incident.id, incident.revision)

    return [
        header(message.header, place("header")),
        rich([section([run(message.sentence, limit=1500)])], place("summary")),
        *_called(t, drawing, place("called")),
        *_actions(t, drawing, incident, place)[:1],
    ]


def reply_blocks(text: str, key: str, called: tuple[str, ...] = ()) -> list[Json]:
    """A reply in the thread, with mentions of members who are called."""
    runs = [piece for one in called for piece in (member(one), run(" "))]
    return [rich([section([*runs, run(text)])], f"reply:{key}"[:255])]


def operational_blocks(drawing: Drawing, key: str) -> list[Json]:
    """Word of silent or returned sources, for operations."""
    message = drawing.message
    place = key[:200]
    texts = [section([run(text)]) for text in (message.sentence, message.status_line) if text]
    blocks = [header(message.header, f"header:{place}")]
    if texts:
        blocks.append(rich(texts, f"text:{place}"))
    if message.checks:
        blocks.append(rich([bullets(message.checks[:LIST_ITEMS])], f"checks:{place}"))
    return blocks


def _admitted(parts: list[Part]) -> list[Json]:
    text = sum(weight(part.blocks) for part in parts if not part.rank)
    count = sum(len(part.blocks) for part in parts if not part.rank)
    chosen = {index for index, part in enumerate(parts) if not part.rank}
    for index in sorted(range(len(parts)), key=lambda i: parts[i].rank):
        if index in chosen:
            continue
        part = parts[index]
        if text + weight(part.blocks) <= TEXT_BUDGET and count + len(part.blocks) <= MAX_BLOCKS:
            text += weight(part.blocks)
            count += len(part.blocks)
            chosen.add(index)
    return [block for index, part in enumerate(parts) if index in chosen for block in part.blocks]


# --- parts ---------------------------------------------------------------------------------------


def _drill(message: AlertMessage, place: Callable[[str], str]) -> list[Json]:
    if not message.drill:
        return []
    return [rich([section([run(f"🟪 {message.drill}", bold=True, limit=300)])], place("drill"))]


def _summary(message: AlertMessage, place: str) -> Json:
    runs = [section([run(message.sentence, limit=900)])]
    runs += titled([(message.headings.trend, message.trend[:300])])
    runs += titled([(message.headings.status, message.status_line[:400])])
    return rich(runs, place)


def _called(t: Translator, drawing: Drawing, place: str) -> list[Json]:
    if not drawing.called:
        return []
    words = run(t.gettext(labels.PLEASE_TAKE_IT) + " ", bold=True)
    runs = [piece for one in drawing.called for piece in (member(one), run(" "))]
    return [rich([section([words, *runs])], place)]


def _actions(
    t: Translator, drawing: Drawing, incident: Incident, place: Callable[[str], str]
) -> list[Json]:
    if not incident.open or incident.false_alarm_by:
        return []

    def ask(words: tuple[str, str, str]) -> Json:
        title, text, yes = (t.gettext(word) for word in words)
        return confirm(title, text, yes, t.gettext(labels.CANCEL))

    def press(action: ActionId, label: str, **extra: object) -> Json:
        return button(action.value, t.gettext(label), incident.id, **extra)

    taken = bool(incident.acknowledged_by)
    snoozed = incident.snoozed_until is not None and incident.snoozed_until > drawing.effect.at
    buttons = [
        press(ActionId.TAKE, labels.TAKE, **({} if taken else {"style": "primary"})),
        press(
            ActionId.FALSE_ALARM,
            labels.FALSE_ALARM,
            style="danger",
            confirm=ask(labels.FALSE_ALARM_ASK),
        ),
        press(ActionId.UNSNOOZE, labels.UNSNOOZE)
        if snoozed
        else press(ActionId.SNOOZE, labels.SNOOZE),
        press(ActionId.ESCALATE, labels.ESCALATE, confirm=ask(labels.ESCALATE_ASK)),
    ]
    if taken or incident.phase is Phase.DECAYING:
        buttons.append(press(ActionId.RESOLVE, labels.RESOLVE, confirm=ask(labels.RESOLVE_ASK)))
    blocks = [{"type": "actions", "block_id": place("actions"), "elements": buttons}]
    chooser = _playbook_select(t, drawing, incident)
    if chooser:
        blocks.append({"type": "actions", "block_id": place("choose"), "elements": [chooser]})
    return blocks


def _playbook_select(t: Translator, drawing: Drawing, incident: Incident) -> Json | None:
    match = incident.playbook

    def distance(playbook: Playbook) -> tuple[bool, bool]:
        return (playbook.id != match.runner_up, playbook.direction is not incident.direction)

    others = [
        option(playbook.title.text(t.language)[:PLAYBOOK_TITLE], playbook.id)
        for playbook in sorted(drawing.playbooks, key=distance)
        if playbook.id != match.playbook and len(playbook.id) <= OPTION
    ]
    if not others:
        return None
    return {
        "type": "static_select",
        "action_id": ActionId.CHANGE_PLAYBOOK.value,
        "placeholder": plain(t.gettext(labels.CHANGE_PLAYBOOK), 150),
        "options": others[:SHOWN_PLAYBOOKS],
    }


def _chart(drawing: Drawing, place: str) -> list[Json]:
    drawn = chart(drawing.message, place) if drawing.charts else None
    return [drawn] if drawn else []


def _talk(message: AlertMessage, place: str) -> list[Json]:
    heads = message.headings
    told = titled([(heads.terms, ", ".join(message.terms)[:600])])
    if message.threads:
        told.append(section([run(heads.threads, bold=True)]))
        told += [section([run(line, limit=300)]) for line in message.threads]
    return [rich(told, place)] if told else []


def _people(message: AlertMessage, place: str) -> list[Json]:
    heads = message.headings
    told = titled(
        [
            (heads.where, message.where[:500]),
            (heads.who, message.who[:700]),
            (heads.path, message.path[:600]),
            (heads.kinds, "; ".join(message.kinds)[:700]),
        ]
    )
    return [rich(told, place)] if told else []


def _quotes(
    t: Translator, message: AlertMessage, incident: Incident, place: Callable[[str], str]
) -> list[Json]:
    if not message.quotes:
        return []
    elements = [section([run(message.headings.posts, bold=True)])]
    for line in message.quotes[:5]:
        elements += [quote(line.text[:320]), section(_byline(line))]
    ask = button(ActionId.JUDGE.value, t.gettext(labels.JUDGE), incident.id)
    return [
        rich(elements, place("quotes")),
        {"type": "actions", "block_id": place("judge"), "elements": [ask]},
    ]


def _byline(line: QuoteLine) -> list[Json]:
    words = run(line.byline or "–", italic=True, limit=250)
    return [words, run("  "), link(line.url, "→")] if line.url else [words]


def _plan(message: AlertMessage, place: str) -> list[Json]:
    heads = message.headings
    told = titled([(heads.playbook, message.playbook_line[:900]), (heads.past, message.past[:900])])
    return [rich(told, place)] if told else []


def _checklist(t: Translator, message: AlertMessage, incident: Incident) -> list[Json]:
    if incident.open and not incident.false_alarm_by:
        return checklist_blocks(t, message, incident.revision)
    return closed_checklist(message, incident.revision)


def _statement(
    t: Translator, drawing: Drawing, incident: Incident, place: Callable[[str], str]
) -> list[Json]:
    message, statement = drawing.message, drawing.message.statement
    if statement is None or not incident.open or incident.false_alarm_by:
        return []
    text = statement.en if message.language == "en" else statement.it
    warning = "⚠️ " if statement.expired else ""
    notes = " ".join(part for part in (statement.validity, statement.approval) if part)
    elements = [
        section([run(message.headings.statement, bold=True)]),
        quote(text[:STATEMENT_CHARACTERS]),
        section([run(f"{warning}{notes}", italic=True, limit=500)]),
    ]
    value = f"{incident.brand}|{message.playbook_id}"
    more = button(ActionId.STATEMENT.value, t.gettext(labels.FULL_TEXT), value)
    return [
        rich(elements, place("statement")),
        {"type": "actions", "block_id": place("full"), "elements": [more]},
    ]


def _rules(message: AlertMessage, place: str) -> list[Json]:
    heads = message.headings
    elements: list[Json] = []
    for heading, texts in ((heads.pause, message.pause), (heads.never, message.never)):
        if texts:
            elements.append(section([run(heading, bold=True)]))
            elements.append(bullets(text[:200] for text in texts[:LIST_ITEMS]))
    return [rich(elements, place)] if elements else []


def _clocks(message: AlertMessage, place: str) -> list[Json]:
    if not message.clocks:
        return []
    elements = [section([run(message.headings.clocks, bold=True)])]
    for clock in message.clocks[:4]:
        runs = [run(clock.text, limit=300)]
        if clock.source:
            runs += [run("  "), link(clock.source, "→")]
        elements.append(section(runs))
        details = [*clock.deadlines[:4], clock.confirm]
        elements.append(bullets(detail[:250] for detail in details if detail))
    return [rich(elements, place)]


def _caution(message: AlertMessage, place: str) -> list[Json]:
    heads = message.headings
    told = [
        (heads.confidence, message.confidence[:400]),
        (heads.caveats, " ".join(message.caveats)[:600]),
        (heads.severity, message.severity_why[:400]),
        (heads.stand_down, message.stand_down[:400]),
    ]
    texts = [f"{heading}: {text}" for heading, text in told if text]
    return [context(texts, place)] if texts else []


def _footer(t: Translator, drawing: Drawing, incident: Incident, place: str) -> list[Json]:
    if not drawing.base_url:
        return [context([incident.id[:200]], place)]
    url = f"{drawing.base_url}/incidents/{url_quote(incident.id, safe='')}"
    if len(url) > 3000:
        return []
    runs = [run(f"{incident.id[:200]}  "), link(url, t.gettext(labels.OPEN_PAGE))]
    return [rich([section(runs)], place)]
