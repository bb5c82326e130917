import base64
import json

import pytest
from multidict import CIMultiDict

from sentinel.model import Dropped
from sentinel.sources.envelopes import Parcel, unpack

ITEM = {"text": "vetro nei biscotti", "url": "https://forum.example/t/1"}
EVENT = {
    "specversion": "1.0",
    "id": "evt-1",
    "source": "https://listener.example/aurora",
    "type": "com.example.mention.created",
    "time": "2026-11-22T07:01:00Z",
    "data": ITEM,
}
UNWRAPPED = ITEM | {
    "published_at": "2026-11-22T07:01:00Z",
    "source": "https://listener.example/aurora",
}


def parcels(
    content_type: str, body: object, headers: dict[str, str] | None = None, **keys: str
) -> list[Parcel]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = unpack(content_type, CIMultiDict(headers or {}), raw, **keys)
    assert found is not None
    assert all(isinstance(one, Parcel) for one in found), found
    return [one for one in found if isinstance(one, Parcel)]


def drops(content_type: str, body: object, headers: dict[str, str] | None = None) -> list[str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = unpack(content_type, CIMultiDict(headers or {}), raw)
    assert found is not None
    return [one.detail for one in found if isinstance(one, Dropped)]


def test_single_array_and_lines_give_plain_items() -> None:
    lines = b'{"id":"1"}\r\n\n{"id":"2"}'
    assert [one.item for one in parcels("application/json", {"id": "1"})] == [{"id": "1"}]
    assert [one.item for one in parcels("application/json; charset=utf-8", [{"id": "1"}])] == [
        {"id": "1"}
    ]
    assert [one.item for one in parcels("Application/X-NDJSON", lines)] == [
        {"id": "1"},
        {"id": "2"},
    ]
    assert parcels("application/json", []) == []


@pytest.mark.parametrize(
    "mime", ["application/cloudevents+json; charset=utf-8", "application/json"]
)
def test_a_structured_cloudevent_lends_its_source_id_and_time(mime: str) -> None:
    (one,) = parcels(mime, EVENT)
    assert one == Parcel(UNWRAPPED, EVENT, "evt-1")


def test_a_batch_of_cloudevents_keeps_order_and_reports_the_bad_one_in_its_place() -> None:
    body = json.dumps([EVENT, EVENT | {"id": None}, 5, EVENT | {"id": "evt-2"}]).encode()
    found = unpack("application/cloudevents-batch+json", {}, body)
    assert found is not None
    assert [one.detail if isinstance(one, Dropped) else one.fallback_id for one in found] == [
        "evt-1",
        "CloudEvent without id",
        "a CloudEvent is an object",
        "evt-2",
    ]


def test_a_binary_cloudevent_has_its_attributes_in_headers_percent_encoded() -> None:
    headers = {
        "ce-specversion": "1.0",
        "CE-Id": "evt%201",
        "ce-source": "https://listener.example/aurora",
        "ce-type": "com.example.mention.created",
        "ce-time": "2026-11-22T07:01:00Z",
    }
    (one,) = parcels("application/json", ITEM, headers)
    assert (one.item, one.fallback_id) == (UNWRAPPED, "evt 1")
    (one,) = parcels("text/plain", b"testo semplice", headers)
    assert isinstance(one.item, dict)
    assert one.item["text"] == "testo semplice"
    assert unpack("image/png", CIMultiDict(headers), b"\x89PNG") is None


@pytest.mark.parametrize(
    ("kind", "op"),
    [("a.mention.deleted", "delete"), ("mention.updated", "update"), ("mention.created", None)],
)
def test_the_type_of_an_event_says_what_is_done(kind: str, op: str | None) -> None:
    (one,) = parcels("application/cloudevents+json", EVENT | {"type": kind})
    assert isinstance(one.item, dict)
    assert one.item.get("op") == op


def test_base64_and_string_data_are_read() -> None:
    packed = base64.b64encode(json.dumps(ITEM).encode()).decode()
    event = {name: value for name, value in EVENT.items() if name != "data"}
    for extra in ({"data_base64": packed}, {"data": "solo testo", "datacontenttype": "text/plain"}):
        (one,) = parcels("application/cloudevents+json", event | extra)
        assert isinstance(one.item, dict)
        assert one.item["text"] in ("vetro nei biscotti", "solo testo")


def test_a_standard_webhook_lends_its_id_and_timestamp_to_its_data() -> None:
    body = {"type": "mention.created", "timestamp": "2026-11-22T07:01:03Z", "data": ITEM}
    (one,) = parcels("application/json", body, message_id="msg_1")
    assert one == Parcel(ITEM | {"published_at": "2026-11-22T07:01:03Z"}, body, "msg_1")


def test_a_standard_webhook_with_several_items_gives_each_its_own_id() -> None:
    body = {"type": "mention.created", "timestamp": "2026-11-22T07:01:03Z", "data": [ITEM, ITEM]}
    assert [one.fallback_id for one in parcels("application/json", body, message_id="msg_1")] == [
        "msg_1:0",
        "msg_1:1",
    ]


@pytest.mark.parametrize(
    ("mime", "body", "detail"),
    [
        ("application/json", b"{", "not JSON at 1"),
        ("application/cloudevents+json", b"[]", "a CloudEvent is an object"),
        ("application/cloudevents+json", EVENT | {"specversion": "0.3"}, "specversion is not 1.x"),
        ("application/cloudevents+json", EVENT | {"data": [1]}, "data is not an object"),
        ("application/cloudevents-batch+json", EVENT, "a CloudEvents batch is an array"),
        (
            "application/cloudevents+json",
            {k: v for k, v in EVENT.items() if k != "data"} | {"data_base64": "§"},
            "data_base64 is not base64",
        ),
    ],
)
def test_broken_envelopes_are_dropped_with_a_reason(mime: str, body: object, detail: str) -> None:
    (said,) = drops(mime, body)
    assert said.startswith(detail.partition(" at ")[0])


def test_the_senders_charset_is_respected_and_an_unknown_one_is_unsupported() -> None:
    raw = '{"text": "perché"}'.encode("latin-1")
    assert parcels("application/json; charset=ISO-8859-1", raw)[0].item == {"text": "perché"}
    assert unpack("application/json; charset=klingon", {}, raw) is None
    assert unpack("application/json; charset=hex", {}, raw) is None


@pytest.mark.parametrize(
    "mime", ["", "text/html", "application/xml", "application/cloudevents+xml"]
)
def test_other_media_types_are_unsupported(mime: str) -> None:
    assert unpack(mime, {}, b"{}") is None
