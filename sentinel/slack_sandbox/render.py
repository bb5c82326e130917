"""Posted messages as HTML, roughly as a Slack client draws them.

What lives here: pure functions from blocks to ``Markup``; all text goes through ``mrkdwn`` or is escaped. No inline
style and no script: the page's content security policy forbids both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup, escape

from sentinel.slack_sandbox.charts import chart
from sentinel.slack_sandbox.mrkdwn import link, mrkdwn, plain
from sentinel.slack_sandbox.workspace import Json


def blocks_html(blocks: list[Json], text: str = "") -> Markup:
    """A message's blocks; its fallback text where it has none."""
    if not blocks:
        return Markup('<div class="section">{}</div>').format(mrkdwn(text))
    return Markup("").join(_block(block) for block in blocks)


def _block(block: Json) -> Markup:
    draw = _BLOCKS.get(str(block.get("type")))
    if draw is None:
        return Markup('<div class="context">[{}]</div>').format(block.get("type"))
    return draw(block)


def _text(value: Json) -> Markup:
    draw = mrkdwn if value.get("type") == "mrkdwn" else plain
    return draw(str(value.get("text", "")))


def _header(block: Json) -> Markup:
    return Markup('<h3 class="header">{}</h3>').format(_text(block["text"]))


def _divider(_block: Json) -> Markup:
    return Markup("<hr>")


def _section(block: Json) -> Markup:
    out = Markup()
    if "text" in block:
        out += Markup('<div class="text">{}</div>').format(_text(block["text"]))
    if "fields" in block:
        fields = (Markup("<div>{}</div>").format(_text(field)) for field in block["fields"])
        out += Markup('<div class="fields">{}</div>').format(Markup("").join(fields))
    if "accessory" in block:
        side = _element(block["accessory"], str(block.get("block_id", "")))
        out += Markup('<div class="accessory">{}</div>').format(side)
    return Markup('<div class="section">{}</div>').format(out)


def _context(block: Json) -> Markup:
    spans = (Markup("<span>{}</span>").format(_text(item)) for item in block["elements"])
    return Markup('<div class="context">{}</div>').format(Markup("").join(spans))


def _actions(block: Json) -> Markup:
    place = str(block.get("block_id", ""))
    inner = Markup("").join(_element(element, place) for element in block["elements"])
    return Markup('<div class="actions">{}</div>').format(inner)


def _element(element: Json, block_id: str) -> Markup:
    head = Markup(' data-action="{}" data-block="{}"{}').format(
        element["action_id"], block_id, _confirm(element)
    )
    draw = _ELEMENTS.get(str(element["type"]))
    return draw(element, head) if draw else escape(f"[{element['type']}]")


def _confirm(element: Json) -> Markup:
    asked = element.get("confirm")
    if not asked:
        return Markup()
    question = f"{asked['title']['text']}\n\n{asked['text']['text']}"
    return Markup(' data-confirm="{}"').format(question)


def _button(element: Json, head: Markup) -> Markup:
    return Markup('<button type="button" class="button {}"{}>{}</button>').format(
        element.get("style", "plain"), head, _text(element["text"])
    )


def _checkboxes(element: Json, head: Markup) -> Markup:
    ticked = element.get("initial_options", [])
    rows = Markup("").join(
        Markup(
            '<label class="{}"><input type="checkbox" value="{}"{}><span>{}{}</span></label>'
        ).format(
            "done" if option in ticked else "open",
            option["value"],
            Markup(" checked") if option in ticked else "",
            _text(option["text"]),
            _description(option),
        )
        for option in element["options"]
    )
    return Markup('<fieldset class="checkboxes"{}>{}</fieldset>').format(head, rows)


def _description(option: Json) -> Markup:
    if "description" not in option:
        return Markup()
    return Markup("<small>{}</small>").format(_text(option["description"]))


def _select(element: Json, head: Markup) -> Markup:
    hint = element.get("placeholder", {}).get("text", "⋯")
    options = Markup("").join(
        Markup('<option value="{}"{}>{}</option>').format(
            option["value"],
            Markup(" selected") if option == element.get("initial_option") else "",
            option["text"]["text"],
        )
        for option in element["options"]
    )
    return Markup(
        '<select class="button"{} aria-label="{}"><option value="">{}</option>{}</select>'
    ).format(head, hint, hint, options)


def _rich_text(block: Json) -> Markup:
    inner = Markup("").join(_rich(element) for element in block["elements"])
    return Markup('<div class="rich">{}</div>').format(inner)


def _rich(element: Json) -> Markup:
    inner = Markup("").join(_rich_inline(child) for child in element["elements"])
    match element["type"]:
        case "rich_text_quote":
            return Markup("<blockquote>{}</blockquote>").format(inner)
        case "rich_text_preformatted":
            return Markup("<pre>{}</pre>").format(inner)
        case "rich_text_list":
            items = (Markup("<li>{}</li>").format(_rich(child)) for child in element["elements"])
            return Markup("<ul>{}</ul>").format(Markup("").join(items))
        case _:
            return Markup("<div>{}</div>").format(inner)


def _rich_inline(child: Json) -> Markup:
    if child.get("type") == "link":
        out = link(str(child["url"]), str(child.get("text", "")))
    elif child.get("type") == "user":
        out = Markup('<mark class="ping">@{}</mark>').format(child.get("user_id"))
    elif child.get("type") == "broadcast":
        out = Markup('<mark class="ping">@{}</mark>').format(child.get("range"))
    elif child.get("type") == "text":
        out = Markup("<br>").join(escape(line) for line in str(child["text"]).split("\n"))
    else:
        return Markup()
    style: dict[str, Any] = child.get("style") or {}
    for name, wrap in _STYLES.items():
        if style.get(name):
            out = wrap.format(out)
    return out


_STYLES = {
    "bold": Markup("<b>{}</b>"),
    "italic": Markup("<i>{}</i>"),
    "strike": Markup("<s>{}</s>"),
    "code": Markup("<code>{}</code>"),
}

_ELEMENTS: dict[str, Callable[[Json, Markup], Markup]] = {
    "button": _button,
    "checkboxes": _checkboxes,
    "overflow": _select,
    "static_select": _select,
}

_BLOCKS: dict[str, Callable[[Json], Markup]] = {
    "header": _header,
    "divider": _divider,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "rich_text": _rich_text,
    "data_visualization": chart,
}
