"""A playbook as Markdown that a person reads or prints, in Italian or English.

What lives here: words and layout for the command line and documents. What does not: Slack's
blocks and the web pages, which have renderers of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sentinel.core.playbook_lint import PHASES
from sentinel.core.playbook_wording import placeholders
from sentinel.core.playbooks import (
    COMMON_PLACEHOLDERS,
    SCCT_SOURCE,
    Approval,
    Cluster,
    LegalClock,
    Localised,
    Playbook,
    Role,
    Statement,
    StatementChannel,
    Step,
    Strategy,
)


def _both(it: str, en: str) -> Localised:
    return Localised(it=it, en=en)


ROLE_NAMES: dict[Role, Localised] = {
    Role.DUTY_OFFICER: _both("Reperibile comunicazione", "Duty officer"),
    Role.INCIDENT_LEAD: _both("Responsabile della crisi", "Incident lead"),
    Role.SPOKESPERSON: _both("Portavoce", "Spokesperson"),
    Role.LEGAL: _both("Ufficio legale", "Legal"),
    Role.HR: _both("Risorse umane", "HR"),
    Role.CUSTOMER_CARE: _both("Servizio clienti", "Customer care"),
    Role.SALES: _both("Commerciale", "Sales"),
    Role.IT: _both("Sistemi informativi", "IT"),
    Role.EXECUTIVE_SPONSOR: _both("Sponsor di direzione", "Executive sponsor"),
}

CHANNEL_NAMES: dict[StatementChannel, Localised] = {
    StatementChannel.SOCIAL: _both("Social", "Social"),
    StatementChannel.PRESS: _both("Stampa", "Press"),
    StatementChannel.SITE: _both("Sito", "Website"),
    StatementChannel.CUSTOMERS: _both("Clienti", "Customers"),
    StatementChannel.INTERNAL: _both("Interno", "Internal"),
}

CLUSTER_NAMES: dict[Cluster, Localised] = {
    Cluster.VICTIM: _both("vittima", "victim"),
    Cluster.ACCIDENTAL: _both("accidentale", "accidental"),
    Cluster.PREVENTABLE: _both("evitabile", "preventable"),
    Cluster.NONE: _both("nessuno", "none"),
}

STRATEGY_NAMES: dict[Strategy, Localised] = {
    Strategy.ACKNOWLEDGE: _both("riconoscere", "acknowledge"),
    Strategy.ACT: _both("agire", "act"),
    Strategy.AMPLIFY: _both("amplificare", "amplify"),
    Strategy.APOLOGISE: _both("scusarsi", "apologise"),
    Strategy.CHANGE: _both("cambiare", "change"),
    Strategy.COMPENSATE: _both("risarcire", "compensate"),
    Strategy.DENY_WITH_PROOF: _both("smentire con prove", "deny with proof"),
    Strategy.DOCUMENT: _both("documentare", "document"),
    Strategy.DO_NOT_AMPLIFY: _both("non amplificare", "do not amplify"),
    Strategy.EXPLAIN: _both("spiegare", "explain"),
    Strategy.FIX: _both("rimediare", "fix"),
    Strategy.HOLD: _both("attendere", "hold"),
    Strategy.INFORM: _both("informare", "inform"),
    Strategy.INSTRUCT: _both("dare istruzioni", "instruct"),
    Strategy.LIMITED_COMMENT: _both("commento limitato", "limited comment"),
    Strategy.LISTEN: _both("ascoltare", "listen"),
    Strategy.REBUILD: _both("ricostruire la fiducia", "rebuild"),
    Strategy.RECALL: _both("richiamare", "recall"),
    Strategy.REPORT: _both("segnalare", "report"),
    Strategy.SUPPORT: _both("assistere", "support"),
    Strategy.THANK: _both("ringraziare", "thank"),
}

_WORDS: dict[str, Localised] = {
    "activation": _both("Quando si attiva", "When to activate"),
    "posture": _both("Impostazione", "Posture"),
    "cluster": _both("Cluster SCCT", "SCCT cluster"),
    "confirm": _both(
        "valore predefinito, da confermare a cura di una persona",
        "a default that a person confirms",
    ),
    "strategy": _both("Strategia", "Strategy"),
    "seen_before": _both("È già successo?", "Seen before?"),
    "roles": _both("Ruoli", "Roles"),
    "first": _both("Primi {minutes} minuti", "First {minutes} minutes"),
    "by": _both("entro {minutes} min", "by minute {minutes}"),
    "approval": _both(
        "approva {role} entro {minutes} min, altrimenti {backup}",
        "approval by {role} within {minutes} min, otherwise {backup}",
    ),
    "optional": _both("facoltativo", "optional"),
    "statements": _both("Dichiarazioni pronte", "Holding statements"),
    "expires": _both("valida fino al {date}", "valid until {date}"),
    "placeholders": _both("Campi da compilare", "Placeholders"),
    "stakeholders": _both("Chi informare", "Stakeholders"),
    "pause": _both("Da sospendere", "Pause"),
    "never": _both("Che cosa non fare mai", "Never"),
    "updates": _both("Aggiornamenti ed escalation", "Updates and escalation"),
    "rhythm": _both(
        "Un aggiornamento ogni {minutes} minuti.", "An update every {minutes} minutes."
    ),
    "stand_down": _both("Quando è finita", "Stand-down"),
    "stand_down_rule": _both(
        "Per {minutes} minuti di fila: menzioni sotto {ratio} volte il consueto e quota di "
        "negativi meno di {points} punti sopra il consueto.",
        "For {minutes} minutes in a row: mentions below {ratio} times the usual, and the negative "
        "share less than {points} points above the usual.",
    ),
    "clocks": _both("Termini di legge", "Legal clocks"),
    "clock_note": _both(
        "Possono applicarsi: lo conferma una persona. Non è consulenza legale.",
        "They may apply: a person confirms. This is not legal advice.",
    ),
    "starts": _both("Decorrenza", "Starts"),
    "check": _both("Da confermare", "To confirm"),
    "source": _both("Fonte", "Source"),
    "hours": _both("{hours} ore", "{hours} h"),
    "at_once": _both("senza ritardo", "without delay"),
    "from": _both("da: {event}", "from: {event}"),
    "after_action": _both("Dopo", "After action"),
    "reviewed": _both(
        "Versione {version}, rivista il {date}.", "Version {version}, reviewed {date}."
    ),
}


def render(playbook: Playbook, language: str) -> str:
    """One playbook as Markdown; Italian where ``language`` is not ``en``."""
    return "\n".join(_lines(playbook, language)) + "\n"


def _lines(playbook: Playbook, language: str) -> Iterator[str]:
    def word(key: str, **values: object) -> str:
        return _WORDS[key].text(language).format(**values)

    yield f"# {playbook.title.text(language)} (`{playbook.id}`)"
    yield ""
    yield playbook.summary.text(language).strip()
    yield ""
    yield word("reviewed", version=playbook.version, date=playbook.reviewed)
    yield from _section(word("activation"), [playbook.activation.text(language)])
    yield from _section(word("posture"), _posture(playbook, language))
    roles = ", ".join(ROLE_NAMES[role].text(language) for role in playbook.roles)
    yield from _section(word("roles"), [roles])
    for phase in PHASES:
        steps = (step for step in playbook.steps if step.phase == phase)
        lines = (line for step in steps for line in _step(step, language))
        yield from _section(word("first", minutes=phase), lines)
    if playbook.clocks:
        clocks = (line for clock in playbook.clocks for line in _clock(clock, language))
        yield from _section(word("clocks"), [word("clock_note"), "", *clocks])
    yield from ("", f"## {word('statements')}")
    for statement in playbook.statements:
        yield ""
        yield from _statement(statement, language)
    yield from _section(word("placeholders"), _placeholder_lines(playbook, language))
    for name in ("stakeholders", "pause", "never"):
        yield from _section(word(name), _bullets(getattr(playbook, name), language))
    rhythm = word("rhythm", minutes=playbook.update_every_minutes)
    yield from _section(word("updates"), [f"{rhythm} {playbook.escalation.text(language).strip()}"])
    over = playbook.stand_down
    rule = word(
        "stand_down_rule",
        minutes=over.quiet_minutes,
        ratio=_number(over.volume_ratio_below, language),
        points=_number(over.negative_share_above_usual_below * 100, language),
    )
    yield from _section(word("stand_down"), [rule])
    yield from _section(word("after_action"), _bullets(playbook.after_action, language))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield from (line.rstrip() for line in lines)


def _posture(playbook: Playbook, language: str) -> Iterator[str]:
    cluster = CLUSTER_NAMES[playbook.cluster].text(language)
    confirm = _WORDS["confirm"].text(language)
    yield f"- {_WORDS['cluster'].text(language)}: **{cluster}** ({confirm}; {SCCT_SOURCE})"
    yield f"  {playbook.cluster_note.text(language).strip()}"
    names = ", ".join(STRATEGY_NAMES[strategy].text(language) for strategy in playbook.strategy)
    yield f"- {_WORDS['strategy'].text(language)}: {names}"
    seen = playbook.seen_before.text(language).strip()
    yield f"- {_WORDS['seen_before'].text(language)} {seen}"


def _step(step: Step, language: str) -> Iterator[str]:
    due = _WORDS["by"].text(language).format(minutes=step.due_minutes)
    role = ROLE_NAMES[step.role].text(language)
    marks = [f"{role}, {due}"]
    if step.approval is not None:
        marks.append(_approval(step.approval, language))
    if step.optional:
        marks.append(_WORDS["optional"].text(language))
    yield f"- [ ] **{step.title.text(language)}** ({'; '.join(marks)})"
    if step.detail is not None:
        yield f"  {step.detail.text(language).strip()}"


def _approval(approval: Approval, language: str) -> str:
    return (
        _WORDS["approval"]
        .text(language)
        .format(
            role=ROLE_NAMES[approval.role].text(language),
            minutes=approval.within_minutes,
            backup=ROLE_NAMES[approval.backup].text(language),
        )
    )


def _clock(clock: LegalClock, language: str) -> Iterator[str]:
    yield f"- **{clock.regime}**"
    yield f"  - {_WORDS['starts'].text(language)}: {clock.starts.text(language).strip()}"
    for deadline in clock.deadlines:
        time = (
            _WORDS["hours"].text(language).format(hours=_number(deadline.hours, language))
            if deadline.hours
            else _WORDS["at_once"].text(language)
        )
        if deadline.after is not None:
            event = deadline.after.text(language).strip()
            time += ", " + _WORDS["from"].text(language).format(event=event)
        yield f"  - **{time}**: {deadline.what.text(language).strip()}"
    yield f"  - {_WORDS['check'].text(language)}: {clock.confirm.text(language).strip()}"
    yield f"  - {_WORDS['source'].text(language)}: {clock.source}"


def _statement(statement: Statement, language: str) -> Iterator[str]:
    marks = [_WORDS["expires"].text(language).format(date=statement.expires)]
    if statement.approval is not None:
        marks.append(_approval(statement.approval, language))
    channel = CHANNEL_NAMES[statement.channel].text(language)
    yield f"### {channel} (`{statement.id}`; {'; '.join(marks)})"
    yield ""
    if statement.note is not None:
        yield f"*{statement.note.text(language).strip()}*"
        yield ""
    yield from (f"> {line}" for line in statement.text.text(language).strip().splitlines())


def _placeholder_lines(playbook: Playbook, language: str) -> Iterator[str]:
    used = {
        name
        for statement in playbook.statements
        for name in placeholders(statement.text.text(language))
    }
    documented = COMMON_PLACEHOLDERS | playbook.placeholders
    for name in sorted(used & set(documented)):
        yield f"- `{{{name}}}`: {documented[name].text(language).strip()}"


def _bullets(texts: Iterable[Localised], language: str) -> Iterator[str]:
    return (f"- {text.text(language).strip()}" for text in texts)


def _number(value: float, language: str) -> str:
    text = f"{value:g}"
    return text if language == "en" else text.replace(".", ",")
