"""Block Kit's pieces, within Slack's limits by construction and safe for text from strangers.

What lives here: constructors. Nothing here is ever mrkdwn: text stands in ``plain_text`` and ``rich_text`` elements, which
Slack shows as they are, so that no mention can ring a channel, forge a link or restyle the alert. As a second fence, what
would be mark-up in mrkdwn (``<!channel>``) loses its bracket, because exports and e-mail digests flatten rich text.

Limits: https://docs.slack.dev/reference/block-kit (see ``docs/slack.md``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

HEADER, BUTTON, OPTION, BUTTON_VALUE, CONTEXT = 150, 75, 75, 2000, 2000
RICH_TEXT = 2900
CONFIRM_TITLE, CONFIRM_TEXT, CONFIRM_BUTTON = 100, 300, 30

_MARKUP = re.compile(r"<(?=[!@#]|https?:|mailto:)", re.IGNORECASE)
_ELLIPSIS = "…"


def safe(text: str, limit: int) -> str:
    """Text for a plain or rich element, never empty, at most ``limit`` characters."""
    whole = _MARKUP.sub("‹", text).strip()
    if len(whole) > limit:
        whole = whole[: limit - 1].rstrip() + _ELLIPSIS
    return whole or "–"


def escape(text: str) -> str:
    """Text for a message's ``text`` argument, which Slack reads as mrkdwn: its three control characters escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def capitalised(text: str) -> str:
    """With a capital first letter, for headings."""
    return text[:1].upper() + text[1:]


def plain(text: str, limit: int) -> Json:
    """A ``plain_text`` object; ``:emoji:`` names stay as they are written."""
    return {"type": "plain_text", "text": safe(text, limit), "emoji": False}


def header(text: str, block_id: str) -> Json:
    """A header block."""
    return {"type": "header", "block_id": block_id, "text": plain(text, HEADER)}


def context(texts: Iterable[str], block_id: str) -> Json:
    """Small grey print."""
    elements = [plain(text, CONTEXT) for text in texts if text][:10]
    return {"type": "context", "block_id": block_id, "elements": elements}


def run(text: str, *, bold: bool = False, italic: bool = False, limit: int = RICH_TEXT) -> Json:
    """A run of text within rich text."""
    value: Json = {"type": "text", "text": _spaced(text, limit)}
    style = {name: True for name, on in (("bold", bold), ("italic", italic)) if on}
    return {**value, "style": style} if style else value


def _spaced(text: str, limit: int) -> str:
    """Like ``safe``, with line breaks and blanks at its ends left alone: runs stand side by side."""
    whole = _MARKUP.sub("‹", text)
    return (whole if len(whole) <= limit else whole[: limit - 1] + _ELLIPSIS) or " "


def link(url: str, text: str) -> Json:
    """A link; ``url`` must be http or https and at most 3,000 characters."""
    return {"type": "link", "url": url, "text": safe(text, 200)}


def member(user_id: str) -> Json:
    """A mention of a person of the workspace, which rings when it is posted; only ever an id of the configuration."""
    return {"type": "user", "user_id": user_id}


def section(runs: list[Json]) -> Json:
    """A paragraph."""
    return {"type": "rich_text_section", "elements": runs}


def quote(text: str) -> Json:
    """A quotation."""
    return {"type": "rich_text_quote", "elements": [run(text)]}


def preformatted(text: str) -> Json:
    """Text to copy as it stands."""
    return {"type": "rich_text_preformatted", "elements": [run(text)]}


def bullets(texts: Iterable[str]) -> Json:
    """A list."""
    rows = [section([run(text, limit=600)]) for text in texts]
    return {"type": "rich_text_list", "style": "bullet", "elements": rows}


def rich(elements: list[Json], block_id: str) -> Json:
    """A rich text block."""
    return {"type": "rich_text", "block_id": block_id, "elements": elements}


def titled(pairs: Iterable[tuple[str, str]]) -> list[Json]:
    """Paragraphs with a bold heading each; pairs without text are left out."""
    return [
        section([run(f"{heading}  ", bold=True, limit=100), run(text)])
        for heading, text in pairs
        if text
    ]


def button(action_id: str, text: str, value: str, **extra: Any) -> Json:
    """A button."""
    return {
        "type": "button",
        "action_id": action_id,
        "text": plain(text, BUTTON),
        "value": value[:BUTTON_VALUE],
        **extra,
    }


def confirm(title: str, text: str, yes: str, no: str) -> Json:
    """A question before a click counts."""
    return {
        "title": plain(title, CONFIRM_TITLE),
        "text": plain(text, CONFIRM_TEXT),
        "confirm": plain(yes, CONFIRM_BUTTON),
        "deny": plain(no, CONFIRM_BUTTON),
    }


def option(text: str, value: str, description: str = "") -> Json:
    """An option of checkboxes or a select; ``value`` must be at most 75 characters."""
    made: Json = {"text": plain(text, OPTION), "value": value}
    return {**made, "description": plain(description, OPTION)} if description else made


def weight(value: Any) -> int:
    """Characters of every text in it: the measure of Slack's ``msg_blocks_too_long``."""
    if isinstance(value, dict):
        own = value.get("text")
        return (len(own) if isinstance(own, str) else 0) + sum(
            weight(child) for child in value.values() if isinstance(child, dict | list)
        )
    return sum(weight(child) for child in value) if isinstance(value, list) else 0
