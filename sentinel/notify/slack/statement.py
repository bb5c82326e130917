"""The holding statements in a dialog, in both languages, ready to be copied.

What lives here: the view. Opening it is ``inbound``'s.
"""

from __future__ import annotations

from sentinel.core.playbooks import Role
from sentinel.i18n import translator
from sentinel.model import Direction, Evidence, Incident, Phase, PlaybookMatch, Severity
from sentinel.notify.alert import StatementText
from sentinel.notify.base import NotifyContext
from sentinel.notify.plan import statements
from sentinel.notify.slack import labels
from sentinel.notify.slack.rich import (
    Json,
    bullets,
    capitalised,
    context,
    header,
    plain,
    preformatted,
    rich,
    run,
    section,
)

TITLE, SHOWN = 24, 8


def statement_view(context_: NotifyContext, value: str, now: float) -> Json:
    """A modal with the statements that a button's value (``brand|playbook``) names.

    Args:
        context_: Brands, playbooks and the rota.
        value: As it came back from Slack; unknown names give an honest empty dialog.
        now: Epoch seconds, for what has expired.
    """
    brand_id, _, playbook_id = value.partition("|")
    brand, playbook = context_.brand(brand_id), context_.playbook(playbook_id)
    language = brand.language if brand else context_.default_language
    t = translator(language, brand.timezone if brand else context_.default_timezone)
    people = {role: context_.person(role, brand_id, now) for role in Role}
    about = _about(brand_id, brand.name if brand else brand_id)
    found = statements(t, about, playbook, people, now)[:SHOWN]
    blocks: list[Json] = []
    for number, statement in enumerate(found):
        blocks += _blocks(statement, number, (t.language_name("it"), t.language_name("en")))
    if not blocks:
        nothing = t.gettext(labels.NO_STATEMENT)
        blocks = [rich([section([run(nothing)])], "nothing")]
    return {
        "type": "modal",
        "title": plain(t.gettext("Holding statement"), TITLE),
        "close": plain(t.gettext(labels.CLOSE), TITLE),
        "blocks": blocks,
    }


def _about(brand_id: str, brand_name: str) -> Incident:
    """An incident with nothing but the brand's name in it, which is all that a statement takes from one."""
    return Incident(
        id="",
        brand=brand_id,
        brand_name=brand_name,
        direction=Direction.THREAT,
        severity=Severity.LOW,
        phase=Phase.ONSET,
        onset_at=0.0,
        opened_at=0.0,
        detected_at=0.0,
        updated_at=0.0,
        revision=0,
        evidence=Evidence(
            at=0.0,
            window_seconds=0,
            mentions=0,
            expected=0.0,
            negative_share=0.0,
            usual_negative_share=0.0,
            positive_share=0.0,
            usual_positive_share=0.0,
            score=0.0,
            threshold=0.0,
        ),
        playbook=PlaybookMatch(playbook="", score=0.0),
    )


def _blocks(statement: StatementText, number: int, languages: tuple[str, str]) -> list[Json]:
    notes = [statement.validity, statement.approval, statement.note]
    texts: list[Json] = []
    for language, text in zip(languages, (statement.it, statement.en), strict=True):
        texts += [section([run(capitalised(language), bold=True)]), preformatted(text)]
    if statement.blanks:
        texts.append(bullets(statement.blanks[:12]))
    return [
        header(capitalised(statement.channel or statement.id), f"title:{number}"),
        rich(texts, f"text:{number}"),
        context([note for note in notes if note] or ["–"], f"notes:{number}"),
    ]
