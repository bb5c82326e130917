"""A dialog in which people say what the posts of an alert are.

What lives here: the view, and what a click in it says. What does not: opening it (``inbound``), keeping what was said
(``notify.base.Judging``).

The dialog names posts by short names and its incident in ``private_metadata``: what a click brings back is looked up again, never believed.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sentinel.i18n import Translator, translator
from sentinel.language.labels import WORDS, Label
from sentinel.model import Incident, Quote
from sentinel.notify.base import NotifyContext
from sentinel.notify.judging import posts
from sentinel.notify.slack import labels
from sentinel.notify.slack.actions import Payload
from sentinel.notify.slack.names import ActionId
from sentinel.notify.slack.rich import Json, context, option, plain, quote, rich, run, section
from sentinel.notify.wording import judgement_words, label_words

TITLE = 24
QUOTE_CHARACTERS = 600
METADATA_CHARACTERS = 3000
TAKE_BACK = "take_back"
"""Value of the option that takes back what was said."""

Said = Mapping[tuple[str, str], Label]


class Choice(msgspec.Struct, frozen=True):
    """A click in the dialog.

    Attributes:
        post: Short name of the post.
        value: One of ``WORDS``, or `TAKE_BACK`.
        click: Unique to the click: the same one twice has the same.
    """

    incident_id: str
    view_id: str
    post: str
    value: str
    click: str


def read_choice(payload: Payload) -> Choice | None:
    """What a click in the dialog says; None if it is none of ours."""
    view = payload.view
    if view is None or not payload.actions:
        return None
    action = payload.actions[0]
    part, _, rest = action.block_id.partition(":")
    value = action.selected_option.value if action.selected_option else ""
    if part != "post" or value not in {*WORDS, TAKE_BACK}:
        return None
    click = f"slack:{view.id}:{action.action_ts}:{payload.user.id}"
    return Choice(view.private_metadata, view.id, rest.partition(":")[0], value, click)


def judging_view(
    context_: NotifyContext, incident: Incident | None, said: Said, note: str = ""
) -> Json:
    """The dialog as it is now.

    Args:
        context_: The brand's language.
        incident: Whose posts; None for one that is not there, which gives an honest empty dialog.
        said: What is in force, by (source, id).
        note: Untranslated; shown first, for what went wrong.
    """
    brand = context_.brand(incident.brand) if incident else None
    language = brand.language if brand else context_.default_language
    t = translator(language, brand.timezone if brand else context_.default_timezone)
    blocks: list[Json] = []
    if note:
        blocks.append(rich([section([run(t.gettext(note), bold=True)])], "note"))
    shown = posts(incident) if incident else {}
    for key, post in shown.items():
        blocks += _post(t, key, post, said.get((post.source, post.mention_id)))
    if not blocks:
        blocks.append(rich([section([run(t.gettext(labels.NO_POSTS))])], "nothing"))
    return {
        "type": "modal",
        "title": plain(t.gettext(labels.JUDGE_TITLE), TITLE),
        "close": plain(t.gettext(labels.CLOSE), TITLE),
        "private_metadata": incident.id[:METADATA_CHARACTERS] if incident else "",
        "blocks": blocks,
    }


def _post(t: Translator, key: str, post: Quote, said: Label | None) -> list[Json]:
    read = label_words(t, post.label)
    lines = [t.gettext(labels.SENTINEL_SAID, word=read)] if read else []
    if said is not None:
        word = judgement_words(t, said.corrected)
        lines.append(t.gettext(labels.PERSON_SAID, who=said.by, word=word))
    options = [option(judgement_words(t, word), word) for word in WORDS]
    chooser: Json = {
        "type": "static_select",
        "action_id": ActionId.WORD.value,
        "placeholder": plain(t.gettext(labels.WHAT_IS_IT), 150),
        "options": options,
    }
    if said is not None:
        chooser["initial_option"] = options[WORDS.index(said.corrected)]
        chooser["options"] = [*options, option(t.gettext(labels.TAKE_BACK), TAKE_BACK)]
    # A new word is a new block: clients keep what they have selected in a block that they know.
    state = said.corrected if said is not None else "open"
    return [
        rich([quote(post.text[:QUOTE_CHARACTERS])], f"text:{key}"),
        context(lines or ["–"], f"said:{key}"),
        {"type": "actions", "block_id": f"post:{key}:{state}", "elements": [chooser]},
    ]
