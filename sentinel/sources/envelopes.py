"""What a pushed body may be wrapped in: JSON, arrays, NDJSON, CloudEvents 1.0, Standard Webhooks.

What lives here: from body and headers to single items. What does not: who may send (``web/security``), HTTP
(``web/ingest``), the item's own meaning (``canonical``).

References: https://github.com/cloudevents/spec (JSON format, HTTP protocol binding),
https://github.com/standard-webhooks/standard-webhooks (payload structure).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

import msgspec

from sentinel.model import Dropped, DropReason
from sentinel.sources.canonical import parse_json

_JSON = {"application/json", "text/json"}
_LINES = {
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/jsonlines",
}
_OPERATIONS = {
    "delete": "delete",
    "deleted": "delete",
    "removed": "delete",
    "update": "update",
    "updated": "update",
    "edited": "update",
}


class Parcel(msgspec.Struct, frozen=True):
    """One item out of its envelope.

    Attributes:
        item: The canonical mention, or what the field map makes one.
        whole: The envelope with the item inside; None if there was none.
        fallback_id: Identity from the envelope.
    """

    item: object
    whole: object = None
    fallback_id: str = ""


def unpack(
    content_type: str, headers: Mapping[str, str], raw: bytes, *, message_id: str = ""
) -> list[Parcel | Dropped] | None:
    """Take a body apart.

    Args:
        content_type: The header, with parameters.
        headers: Request headers, case-insensitive.
        raw: The body, unpacked.
        message_id: ``webhook-id`` of a signed delivery.

    Returns:
        Items in order, a ``Dropped`` in the place of each that is none; None for a media type that is not known.
    """
    mime, _, parameters = content_type.partition(";")
    mime = mime.strip().lower()
    body = _text(raw, parameters)
    if body is None:
        return None
    if mime.startswith("application/cloudevents") or "ce-specversion" in headers:
        return _cloud_events(mime, headers, body)
    values: list[object]
    if mime in _LINES:
        lines = body.split(b"\n") if isinstance(body, bytes) else body.split("\n")
        values = [parse_json(line) for line in lines if line.strip()]
    elif _is_json(mime):
        value = parse_json(body)
        values = value if isinstance(value, list) else [value]
    else:
        return None
    return [parcel for value in values for parcel in _one(value, message_id)]


def _is_json(mime: str) -> bool:
    return mime in _JSON or (mime.startswith("application/") and mime.endswith("+json"))


def _cloud_events(
    mime: str, headers: Mapping[str, str], body: bytes | str
) -> list[Parcel | Dropped] | None:
    if mime == "application/cloudevents+json":
        return list(_cloud_event(parse_json(body)))
    if mime == "application/cloudevents-batch+json":
        return _each(parse_json(body))
    return (
        None if mime.startswith("application/cloudevents") else _binary_event(mime, headers, body)
    )


def _text(raw: bytes, parameters: str) -> bytes | str | None:
    """The body as the sender's charset says; UTF-8 stays bytes. None for an unknown charset."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        charset = value.strip().strip('"').lower()
        if name.strip().lower() == "charset" and charset not in ("utf-8", "utf8"):
            try:
                return raw.decode(charset, "replace")
            except LookupError:
                return None
    return raw


def _each(value: object) -> list[Parcel | Dropped]:
    if isinstance(value, Dropped):
        return [value]
    if not isinstance(value, list):
        return [Dropped(DropReason.MALFORMED, "a CloudEvents batch is an array")]
    return [parcel for one in value for parcel in _cloud_event(one)]


def _one(value: object, message_id: str) -> Iterator[Parcel | Dropped]:
    if isinstance(value, Dropped):
        yield value
    elif isinstance(value, dict) and "specversion" in value:
        yield from _cloud_event(value)
    elif (
        isinstance(value, dict)
        and isinstance(value.get("type"), str)
        and isinstance(value.get("data"), dict | list)
        and "text" not in value
    ):
        yield from _inner(
            value["data"],
            value,
            kind=value["type"],
            time=value.get("timestamp"),
            source="",
            fallback_id=message_id,
        )
    else:
        yield Parcel(value, fallback_id=message_id)


def _inner(
    data: object, whole: object, *, kind: str, time: object, source: str, fallback_id: str
) -> Iterator[Parcel | Dropped]:
    """Items in an envelope inherit its time, source, operation and id where they have none."""
    several = data if isinstance(data, list) else [data]
    operation = _OPERATIONS.get(kind.rpartition(".")[2].lower())
    for index, one in enumerate(several):
        if not isinstance(one, dict):
            yield Dropped(DropReason.MALFORMED, "data is not an object")
            continue
        item: dict[str, object] = dict(one)
        if item.get("published_at") is None and item.get("ts") is None:
            item["published_at"] = time
        if source and not item.get("source"):
            item["source"] = source
        if operation and not item.get("op"):
            item["op"] = operation
        own = f"{fallback_id}:{index}" if len(several) > 1 and fallback_id else fallback_id
        yield Parcel(item, whole if len(several) == 1 else {**_members(whole), "data": one}, own)


def _members(whole: object) -> dict[str, object]:
    return whole if isinstance(whole, dict) else {}


def _cloud_event(event: object) -> Iterator[Parcel | Dropped]:
    if isinstance(event, Dropped):
        yield event
        return
    if not isinstance(event, dict):
        yield Dropped(DropReason.MALFORMED, "a CloudEvent is an object")
        return
    attributes = {name: value for name, value in event.items() if value is not None}
    if not str(attributes.get("specversion", "")).startswith("1."):
        yield Dropped(DropReason.MALFORMED, "specversion is not 1.x")
        return
    for name in ("id", "source", "type"):
        value = attributes.get(name)
        if not isinstance(value, str) or not value:
            yield Dropped(DropReason.MALFORMED, f"CloudEvent without {name}")
            return
    data = _event_data(attributes)
    if isinstance(data, Dropped):
        yield data
        return
    yield from _inner(
        data,
        {**attributes, "data": data},
        kind=str(attributes["type"]),
        time=attributes.get("time"),
        source=str(attributes["source"]),
        fallback_id=str(attributes["id"]),
    )


def _event_data(attributes: Mapping[str, object]) -> object | Dropped:
    data = attributes.get("data")
    encoded = attributes.get("data_base64")
    if data is None and isinstance(encoded, str):
        try:
            content = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return Dropped(DropReason.MALFORMED, "data_base64 is not base64")
        kind = str(attributes.get("datacontenttype") or "application/json")
        data = (
            content.decode("utf-8", "replace") if kind.startswith("text/") else parse_json(content)
        )
    if isinstance(data, str):
        return {"text": data}
    return {} if data is None else data


def _binary_event(
    mime: str, headers: Mapping[str, str], body: bytes | str
) -> list[Parcel | Dropped] | None:
    event: dict[str, object] = {
        name[3:].lower(): unquote(value)
        for name, value in headers.items()
        if name.lower().startswith("ce-")
    }
    if _is_json(mime):
        event["data"] = parse_json(body) if body.strip() else None
        if isinstance(event["data"], Dropped):
            return [event["data"]]
    elif mime.startswith("text/"):
        event["data"] = body if isinstance(body, str) else body.decode("utf-8", "replace")
    elif body.strip():
        return None
    return list(_cloud_event(event))
