"""Block Kit's limits, checked as Slack's server checks them: a list of problems, each with a JSON pointer.

What lives here: pure functions. The limits are those of https://docs.slack.dev/reference/block-kit and, for the whole
message, what senders observed (``msg_blocks_too_long`` near 13,000 characters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
TOTAL_TEXT = 13_000

Json = dict[str, Any]


def problems(blocks: Any, *, charts: bool = True, limit: int = MESSAGE_BLOCKS) -> list[str]:
    """What Slack would refuse in these blocks; empty if it would take them.

    Args:
        blocks: The decoded ``blocks`` argument, whatever it is.
        charts: Whether this workspace knows ``data_visualization``.
        limit: 50 for messages, 100 for views.
    """
    if not isinstance(blocks, list):
        return ["must be an array [json-pointer:/blocks]"]
    found = list(_size(blocks, limit, "/blocks"))
    seen: set[str] = set()
    figures = 0
    for index, block in enumerate(blocks):
        place = f"/blocks/{index}"
        if not isinstance(block, dict):
            found.append(f"must be an object [json-pointer:{place}]")
            continue
        kind = block.get("type")
        check = _BLOCKS.get(str(kind))
        if check is None or (kind == "data_visualization" and not charts):
            found.append(f"unsupported type: {kind} [json-pointer:{place}/type]")
            continue
        figures += kind == "data_visualization"
        found.extend(_block_id(block, seen, place))
        found.extend(check(block, place))
    if figures > 2:
        found.append("no more than 2 data_visualization blocks allowed [json-pointer:/blocks]")
    return found


def total_text(blocks: list[Json]) -> int:
    """Characters of all texts in the blocks, the measure of ``msg_blocks_too_long``."""
    return sum(len(text) for block in blocks for text in texts(block))


def texts(value: Any) -> Iterator[str]:
    """Every text that a reader could see in a block, in order."""
    if isinstance(value, dict):
        text = value.get("text")
        if isinstance(text, str):
            yield text
        for key, child in value.items():
            if key != "initial_options":  # repeats of options
                yield from texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from texts(child)


def _size(items: Any, most: int, place: str, least: int = 0) -> Iterator[str]:
    if not isinstance(items, list):
        yield f"must be an array [json-pointer:{place}]"
        return
    if len(items) > most:
        yield f"no more than {most} items allowed [json-pointer:{place}]"
    if len(items) < least:
        yield f"no less than {least} items allowed [json-pointer:{place}]"


def _string(value: Any, most: int, place: str, least: int = 1) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"must be a string [json-pointer:{place}]"
    elif len(value) > most:
        yield f"must be less than {most + 1} characters [json-pointer:{place}]"
    elif len(value) < least:
        yield f"must be more than {least - 1} characters [json-pointer:{place}]"


def _text(value: Any, most: int, place: str, *, plain: bool = False) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"must be an object [json-pointer:{place}]"
        return
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    if value.get("type") not in kinds:
        yield f"unsupported type: {value.get('type')} [json-pointer:{place}/type]"
    if value.get("type") == "mrkdwn" and "emoji" in value:
        yield f"invalid additional property: emoji [json-pointer:{place}]"
    yield from _string(value.get("text"), most, f"{place}/text")


def _block_id(block: Json, seen: set[str], place: str) -> Iterator[str]:
    if "block_id" not in block:
        return
    value = block["block_id"]
    yield from _string(value, 255, f"{place}/block_id")
    if value in seen:
        yield f"`block_id` {value} already exists [json-pointer:{place}/block_id]"
    seen.add(str(value))


def _header(block: Json, place: str) -> Iterator[str]:
    yield from _text(block.get("text"), 150, f"{place}/text", plain=True)


def _section(block: Json, place: str) -> Iterator[str]:
    if "text" not in block and "fields" not in block:
        yield f"missing required field: text or fields [json-pointer:{place}]"
    if "text" in block:
        yield from _text(block["text"], 3000, f"{place}/text")
    if "fields" in block:
        yield from _size(block["fields"], 10, f"{place}/fields", 1)
        for index, field in enumerate(block["fields"]):
            yield from _text(field, 2000, f"{place}/fields/{index}")
    if "accessory" in block:
        yield from _element(block["accessory"], f"{place}/accessory")


def _context(block: Json, place: str) -> Iterator[str]:
    elements = block.get("elements")
    yield from _size(elements, 10, f"{place}/elements", 1)
    for index, element in enumerate(elements or []):
        if isinstance(element, dict) and element.get("type") == "image":
            yield from _string(element.get("alt_text"), 2000, f"{place}/elements/{index}/alt_text")
        else:
            yield from _text(element, 3000, f"{place}/elements/{index}")


def _actions(block: Json, place: str) -> Iterator[str]:
    elements = block.get("elements")
    yield from _size(elements, 25, f"{place}/elements", 1)
    seen: set[str] = set()
    for index, element in enumerate(elements or []):
        yield from _element(element, f"{place}/elements/{index}")
        action_id = element.get("action_id") if isinstance(element, dict) else None
        if action_id in seen:
            yield f"`action_id` {action_id} already exists [json-pointer:{place}/elements/{index}]"
        seen.add(str(action_id))


def _element(element: Any, place: str) -> Iterator[str]:
    if not isinstance(element, dict):
        yield f"must be an object [json-pointer:{place}]"
        return
    kind = element.get("type")
    if kind not in ("button", "checkboxes", "overflow", "static_select"):
        yield f"unsupported type: {kind} [json-pointer:{place}/type]"
        return
    yield from _string(element.get("action_id"), 255, f"{place}/action_id")
    if "confirm" in element:
        yield from _confirm(element["confirm"], f"{place}/confirm")
    if kind == "button":
        yield from _text(element.get("text"), 75, f"{place}/text", plain=True)
        if "value" in element:
            yield from _string(element["value"], 2000, f"{place}/value", 0)
        if "url" in element:
            yield from _string(element["url"], 3000, f"{place}/url")
        if element.get("style", "primary") not in ("primary", "danger"):
            yield f"invalid style [json-pointer:{place}/style]"
        return
    if kind == "static_select" and "placeholder" in element:
        yield from _text(element["placeholder"], 150, f"{place}/placeholder", plain=True)
    most = {"checkboxes": 10, "overflow": 5, "static_select": 100}[kind]
    yield from _options(element, most, place)


def _options(element: Json, most: int, place: str) -> Iterator[str]:
    options = element.get("options")
    yield from _size(options, most, f"{place}/options", 1)
    plain = element["type"] != "checkboxes"
    values: set[str] = set()
    for index, option in enumerate(options or []):
        where = f"{place}/options/{index}"
        yield from _text(option.get("text"), 75, f"{where}/text", plain=plain)
        yield from _string(option.get("value"), 75, f"{where}/value")
        if "description" in option:
            yield from _text(option["description"], 75, f"{where}/description", plain=plain)
        if option.get("value") in values:
            yield f"duplicate option value [json-pointer:{where}/value]"
        values.add(str(option.get("value")))
    for key in ("initial_options", "initial_option"):
        if key not in element:
            continue
        chosen = element[key] if key == "initial_options" else [element[key]]
        yield from _size(chosen, most, f"{place}/{key}", 1)
        if any(option not in (options or []) for option in chosen):
            yield f"initial options must match options [json-pointer:{place}/{key}]"


def _confirm(confirm: Any, place: str) -> Iterator[str]:
    if not isinstance(confirm, dict):
        yield f"must be an object [json-pointer:{place}]"
        return
    yield from _text(confirm.get("title"), 100, f"{place}/title", plain=True)
    yield from _text(confirm.get("text"), 300, f"{place}/text")
    yield from _text(confirm.get("confirm"), 30, f"{place}/confirm", plain=True)
    yield from _text(confirm.get("deny"), 30, f"{place}/deny", plain=True)


def _rich_text(block: Json, place: str) -> Iterator[str]:
    yield from _size(block.get("elements"), 1000, f"{place}/elements", 1)
    for index, element in enumerate(block.get("elements") or []):
        yield from _rich_element(element, f"{place}/elements/{index}")


def _rich_element(element: Any, place: str) -> Iterator[str]:
    kind = element.get("type") if isinstance(element, dict) else None
    if kind == "rich_text_list":
        if element.get("style") not in ("bullet", "ordered"):
            yield f"invalid style [json-pointer:{place}/style]"
        for index, child in enumerate(element.get("elements") or []):
            yield from _rich_element(child, f"{place}/elements/{index}")
        return
    if kind not in ("rich_text_section", "rich_text_quote", "rich_text_preformatted"):
        yield f"unsupported type: {kind} [json-pointer:{place}/type]"
        return
    yield from _size(element.get("elements"), 1000, f"{place}/elements", 1)
    for index, child in enumerate(element.get("elements") or []):
        where = f"{place}/elements/{index}"
        if child.get("type") == "text":
            yield from _string(child.get("text"), 12_000, f"{where}/text")
        elif child.get("type") == "link":
            yield from _string(child.get("url"), 3000, f"{where}/url")
        elif child.get("type") == "user":
            yield from _string(child.get("user_id"), 30, f"{where}/user_id")
        elif child.get("type") not in ("emoji", "channel", "date", "broadcast"):
            yield f"unsupported type: {child.get('type')} [json-pointer:{where}/type]"


def _chart(block: Json, place: str) -> Iterator[str]:
    # https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block
    yield from _string(block.get("title"), 50, f"{place}/title")
    chart = block.get("chart")
    if not isinstance(chart, dict) or chart.get("type") not in ("bar", "line", "area", "pie"):
        yield f"unsupported type [json-pointer:{place}/chart/type]"
        return
    if chart["type"] == "pie":
        yield from _size(chart.get("segments"), 6, f"{place}/chart/segments", 1)
        return
    axis = chart.get("axis_config")
    if not isinstance(axis, dict):
        yield f"must be an object [json-pointer:{place}/chart/axis_config]"
        return
    yield from _axis(axis, f"{place}/chart/axis_config")
    yield from _size(chart.get("series"), 6, f"{place}/chart/series", 1)
    yield from _series(chart.get("series") or [], axis.get("categories"), f"{place}/chart/series")


def _axis(axis: Json, place: str) -> Iterator[str]:
    categories = axis.get("categories") or []
    yield from _size(categories, 20, f"{place}/categories", 1)
    for index, category in enumerate(categories):
        yield from _string(category, 20, f"{place}/categories/{index}")
    if len(set(categories)) != len(categories):
        yield f"categories must be unique [json-pointer:{place}/categories]"
    for key in ("x_label", "y_label"):
        if key in axis:
            yield from _string(axis[key], 50, f"{place}/{key}")


def _series(all_series: list[Json], categories: Any, place: str) -> Iterator[str]:
    names = [series.get("name") for series in all_series]
    if len(set(names)) != len(names):
        yield f"series names must be unique [json-pointer:{place}]"
    for index, series in enumerate(all_series):
        where = f"{place}/{index}"
        yield from _string(series.get("name"), 20, f"{where}/name")
        yield from _size(series.get("data"), 20, f"{where}/data", 1)
        data = series.get("data") or []
        if [point.get("label") for point in data] != categories:
            yield f"labels must match the categories [json-pointer:{where}/data]"
        if any(not isinstance(point.get("value"), int | float) for point in data):
            yield f"must be a number [json-pointer:{where}/data]"


def _divider(_block: Json, _place: str) -> Iterator[str]:
    return iter(())


_BLOCKS: dict[str, Callable[[Json, str], Iterator[str]]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "rich_text": _rich_text,
    "divider": _divider,
    "data_visualization": _chart,
}
