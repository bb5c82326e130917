"""What an MQTT message says by topic, properties and payload.

What lives here: pure decoding. The connection is in ``mqtt``.
"""

from __future__ import annotations

import msgspec

from sentinel.model import Dropped, DropReason, SourceState
from sentinel.sources.canonical import Decoded, Decoder, parse_json
from sentinel.sources.envelopes import Parcel, unpack

NO_BRAND = "_"
"""In the topic's place of the brand: the sender does not know; Sentinel matches."""


class Inbound(msgspec.Struct, frozen=True):
    """A received message, apart from any client library.

    Attributes:
        mid: Packet identifier, for its acknowledgement.
        content_type: MQTT 5 property; empty means JSON.
        user: MQTT 5 user properties.
    """

    topic: str
    payload: bytes
    mid: int = 0
    qos: int = 0
    content_type: str = ""
    user: tuple[tuple[str, str], ...] = ()


class Topics:
    """The layout of topics.

    >>> topics = Topics("sentinel/v1")
    >>> topics.parts("sentinel/v1/aurora/mentions/forum")
    ('aurora', 'mentions', 'forum')
    >>> topics.collector("sentinel/v1/status/collector-1")
    'collector-1'
    """

    def __init__(self, prefix: str, further: tuple[str, ...] = (), group: str = "") -> None:
        self._prefix = prefix.strip("/")
        self._further = further
        self._share = f"$share/{group}/" if group else ""

    def filters(self) -> list[str]:
        """Everything to subscribe to. Status is never shared: every replica must know."""
        shared = (
            f"{self._prefix}/+/mentions/#",
            f"{self._prefix}/+/deletes/#",
            *self._further,
        )
        return [*(self._share + topic for topic in shared), self.status("+")]

    def status(self, collector: str) -> str:
        """Where a collector says whether it is there."""
        return f"{self._prefix}/status/{collector}"

    def collector(self, topic: str) -> str | None:
        """Who speaks on a status topic; None for any other topic."""
        start = self.status("")
        return topic[len(start) :] if topic.startswith(start) else None

    def parts(self, topic: str) -> tuple[str, str, str]:
        """Brand, ``mentions`` or ``deletes``, and source; empty where the layout is another."""
        start = self._prefix + "/"
        pieces = topic[len(start) :].split("/", 2) if topic.startswith(start) else []
        if len(pieces) < 2 or pieces[1] not in ("mentions", "deletes"):
            return ("", "mentions", "")
        brand = "" if pieces[0] == NO_BRAND else pieces[0]
        return (brand, pieces[1], pieces[2] if len(pieces) == 3 else "")


def decode_message(
    message: Inbound, decoder: Decoder, topics: Topics, received_at: float, limit: int
) -> list[Decoded]:
    """Everything that is in one message; empty for one that clears a retained message. Never raises."""
    if not message.payload:
        return []
    if len(message.payload) > limit:
        return [Dropped(DropReason.TOO_LARGE, f"message is longer than {limit} bytes")]
    fallback = dict(message.user).get("event-id", "")
    parcels = unpack(
        message.content_type or "application/json", {}, message.payload, message_id=fallback
    )
    if parcels is None:
        # Publishers rarely set the property right; the payload itself decides.
        parcels = unpack("application/json", {}, message.payload, message_id=fallback) or []
    brand, kind, source = topics.parts(message.topic)
    defaults: dict[str, object] = {"brand": brand, "source": source}
    if kind == "deletes":
        defaults["op"] = "delete"
    decoded: list[Decoded] = []
    for parcel in parcels:
        if isinstance(parcel, Dropped):
            decoded.append(parcel)
            continue
        item = _with_defaults(parcel, defaults)
        whole = item if parcel.whole is None else parcel.whole
        decoded.append(decoder.read(item, received_at, whole=whole, fallback_id=parcel.fallback_id))
    return decoded


def _with_defaults(parcel: Parcel, defaults: dict[str, object]) -> object:
    if not isinstance(parcel.item, dict):
        return parcel.item
    missing = {name: value for name, value in defaults.items() if not parcel.item.get(name)}
    return {**parcel.item, **missing} if missing else parcel.item


def collector_state(payload: bytes) -> SourceState:
    """``{"state": "offline"}`` or the bare word is DOWN; anything else, and a cleared message, is no complaint."""
    word = parse_json(payload)
    if isinstance(word, Dropped):
        word = payload.decode("utf-8", "replace")
    state = word.get("state") if isinstance(word, dict) else word
    return SourceState.DOWN if str(state).strip().lower() == "offline" else SourceState.ALIVE
