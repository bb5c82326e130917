"""Jetstream's v2 frames (``network.bsky.jetstream.subscribeEvents``), decoded to the same events as v1.

What lives here: the v2 envelope alone; records and commits are ``bluesky_decode``'s.

Reference: https://github.com/bluesky-social/jetstream (lexicons/network/bsky/jetstream/subscribeEvents.json).
"""

from __future__ import annotations

from sentinel.errors import SourceError
from sentinel.model import Dropped, DropReason
from sentinel.sources.bluesky_decode import Event, Kind, account_event, commit_event
from sentinel.sources.canonical import parse_json, short_text
from sentinel.sources.times import parse_time

_LEXICON = "network.bsky.jetstream.subscribeEvents#"


def decode_v2(frame: str | bytes) -> Event | Dropped:
    """Decode a v2 frame.

    Raises:
        SourceError: It is an error frame, after which the server hangs up.
    """
    value = parse_json(frame)
    if isinstance(value, Dropped):
        return value
    if isinstance(value, dict) and value.get("$type") == "error":
        name = short_text(value.get("error"), 40)
        raise SourceError(f"jetstream: {name}", reason="disconnected")
    payload = value.get("payload") if isinstance(value, dict) else None
    if not isinstance(payload, dict):
        return Dropped(DropReason.MALFORMED, "frame without payload")
    kind = str(payload.get("$type")).removeprefix(_LEXICON)
    if kind == "info":
        return Event(Kind.OUTDATED if payload.get("name") == "OutdatedCursor" else Kind.OTHER)
    return _message(kind, payload)


def _message(kind: str, payload: dict[str, object]) -> Event | Dropped:
    did, time = payload.get("did"), parse_time(payload.get("time"))
    if not isinstance(did, str) or not did or time is None:
        return Dropped(DropReason.MALFORMED, "frame without did or time")
    time_us = round(time * 1e6)
    if kind == "commit":
        return commit_event(payload, did, time_us)
    return account_event(payload.get("account"), did, time_us)
