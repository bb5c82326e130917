"""Slack's mrkdwn and plain text as HTML: the subset that clients draw, everything else escaped.

What lives here: pure functions from Slack's text to ``Markup``. Nothing a stranger wrote can become a tag, an attribute
or a script: text is escaped first and only what the grammar below knows is wrapped.
"""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

from markupsafe import Markup, escape

_ANGLE = re.compile(r"<([^<>\n]+)>")
_SPANS = (
    ("b", re.compile(r"(?<![\w*])\*(?!\s)([^*\n]+?)(?<!\s)\*(?![\w*])")),
    ("i", re.compile(r"(?<![\w_])_(?!\s)([^_\n]+?)(?<!\s)_(?![\w_])")),
    ("s", re.compile(r"(?<![\w~])~(?!\s)([^~\n]+?)(?<!\s)~(?![\w~])")),
)
_CODE = re.compile(r"```(.+?)```|`([^`\n]+)`", re.DOTALL)


def safe_url(url: str) -> str:
    """The address if it is one that a page may link to, else an empty string."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https", "mailto") else ""


def link(url: str, label: str) -> Markup:
    """A link that tells its target nothing; mere text if the address is not fit for one."""
    good = safe_url(url)
    if not good:
        return escape(label or url)
    return Markup('<a href="{}" rel="noopener noreferrer nofollow" target="_blank">{}</a>').format(
        good, label or url
    )


def plain(text: str) -> Markup:
    """Plain text with its line breaks."""
    return Markup("<br>").join(escape(html.unescape(line)) for line in text.split("\n"))


def mrkdwn(text: str) -> Markup:
    """Slack's mark-up with links, mentions, bold, italic, strike, code and quotes."""
    out = Markup()
    at = 0
    for match in _CODE.finditer(text):
        out += _lines(text[at : match.start()])
        block, inline = match.group(1), match.group(2)
        if block is not None:
            out += Markup("<pre>{}</pre>").format(html.unescape(block))
        else:
            out += Markup("<code>{}</code>").format(html.unescape(inline))
        at = match.end()
    return out + _lines(text[at:])


def _lines(text: str) -> Markup:
    out: list[Markup] = []
    quoted: list[Markup] = []

    def close_quote() -> None:
        if quoted:
            body = Markup("<br>").join(quoted)
            out.append(Markup("<blockquote>{}</blockquote>").format(body))
            quoted.clear()

    for line in text.split("\n"):
        if line.startswith(("&gt; ", ">")):
            quoted.append(_inline(line.removeprefix("&gt; ").removeprefix(">")))
            continue
        close_quote()
        out.append(_inline(line))
    close_quote()
    joined = Markup()
    for index, piece in enumerate(out):
        breaks = index and not piece.startswith("<blockquote") and not joined.endswith("quote>")
        joined += Markup("<br>") + piece if breaks else piece
    return joined


def _inline(text: str) -> Markup:
    out = Markup()
    at = 0
    for match in _ANGLE.finditer(text):
        out += _spans(text[at : match.start()]) + _angle(match.group(1))
        at = match.end()
    return out + _spans(text[at:])


def _angle(inner: str) -> Markup:
    target, _, label = inner.partition("|")
    target, label = html.unescape(target), html.unescape(label)
    if target.startswith("!date^"):
        return escape(label)
    if target.startswith("!"):
        word = target[1:].split("^")[0]
        return Markup('<mark class="ping">@{}</mark>').format(word)
    if target.startswith(("@", "#")):
        return Markup('<mark class="mention">{}</mark>').format(label or target)
    return link(target, label)


def _spans(text: str) -> Markup:
    safe = str(escape(html.unescape(text)))
    for tag, pattern in _SPANS:
        safe = pattern.sub(rf"<{tag}>\1</{tag}>", safe)
    return Markup(safe)  # noqa: S704 - escaped two lines above; only b, i and s were put in
