"""The canonical wire form of a mention: what webhook, MQTT and files have in common.

What lives here: bytes to JSON, JSON to ``Mention`` or ``Retraction``, and what is done with bad input. What does not:
envelopes (CloudEvents, Standard Webhooks), transport, limits of a body or a line.

Rules, kept by every function here:

- Bad input never raises: it becomes ``Dropped(reason, detail)``. A detail names a field, never its content.
- Unknown members are ignored; a wrong optional member counts as absent.
- The text stays as it was sent, but for NUL (removed), lone surrogates and undecodable bytes (U+FFFD), and its
  length (``MAX_TEXT`` characters).
- A time in the future becomes the time of receipt. A time that cannot be read, or lies before 1990, does too where
  mentions come live; files, where the receipt says nothing, drop the mention.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

import msgspec

from sentinel.model import Author, Dropped, DropReason, Engagement, Mention, Retraction
from sentinel.sources.field_map import FieldMap
from sentinel.sources.times import parse_time

MAX_TEXT = 20_000
"""Characters of a mention's text; more is cut. The longest posts of today's networks are about 25,000."""

MAX_ID = 500
MAX_NAME = 200
MAX_URL = 2_000
MAX_EXTRAS = 64
_COUNT_LIMIT = 2**53

_SURROGATE = re.compile("[\ud800-\udfff]")
_CHANNEL = re.compile(r"[^\w.-]+")
_PLAIN_NAME = re.compile(r"[\w .-]+")  # not the URI that CloudEvents have as their source
_LANGUAGE = re.compile(r"[a-z]{2,3}", re.ASCII)
_INVISIBLE = re.compile(
    r"[\s\x00-\x1f\x7f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]*"
)
_json = msgspec.json.Decoder()

_NO_ENGAGEMENT = Engagement()
_NO_AUTHOR = Author()

Decoded = Mention | Retraction | Dropped
"""What becomes of one item."""


class Repair(StrEnum):
    """What was put right in an item that was taken all the same."""

    TEXT_CUT = "text_cut"  # longer than MAX_TEXT
    CHARACTERS_REPLACED = "characters_replaced"  # NUL or lone surrogates
    TIME_IN_FUTURE = "time_in_future"  # clamped to the time of receipt
    TIME_UNREADABLE = "time_unreadable"  # missing or absurd; the time of receipt stands in


def parse_json(raw: bytes | str) -> object | Dropped:
    """Read one JSON value, tolerating a byte order mark, UTF-16/32, bad UTF-8 and lone surrogates.

    Returns:
        The value, or ``Dropped(MALFORMED)``; never raises.
    """
    try:
        decoded: object = _json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _parse_leniently(raw)
    return decoded


def _parse_leniently(raw: bytes | str) -> object | Dropped:
    """Lone surrogate escapes, byte order marks and other encodings: rare, so slower is fine."""
    try:
        text = raw if isinstance(raw, str) else raw.decode(json.detect_encoding(raw), "replace")
        value: object = json.loads(text.removeprefix("\ufeff"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        place = f" at {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        return Dropped(DropReason.MALFORMED, f"not JSON{place}")
    return value


def _no_constant(_: str) -> None:
    """NaN and Infinity are not JSON; they count as null."""


class Decoder:
    """Reads canonical mentions for one configured source.

    Args:
        source: The configured source's name; becomes ``Mention.source``.
        channel: Where people talk, for items that do not say.
        brand: The brand of items that do not say.
        field_map: How other shapes are read.
        accept_brand: Whether the sender's own ``brand`` is believed.
        live: Items arrive as they happen: the receipt stands in for an unreadable time.

    Attributes:
        repairs: How often what was put right; the caller reads and clears it.
    """

    def __init__(
        self,
        source: str,
        *,
        channel: str = "",
        brand: str = "",
        field_map: FieldMap | Mapping[str, str] | None = None,
        accept_brand: bool = True,
        live: bool = True,
    ) -> None:
        self.source = source
        self._channel = channel
        self._brand = brand
        self._map = field_map if isinstance(field_map, FieldMap) else FieldMap(field_map)
        self._accept_brand = accept_brand
        self._live = live
        self.repairs: Counter[Repair] = Counter()

    def decode(
        self, raw: bytes | str, received_at: float | None, *, fallback_id: str = ""
    ) -> Decoded:
        """Decode one JSON item; see ``read``."""
        value = parse_json(raw)
        if isinstance(value, Dropped):
            return value
        return self.read(value, received_at, fallback_id=fallback_id)

    def read(
        self,
        item: object,
        received_at: float | None,
        *,
        whole: object = None,
        fallback_id: str = "",
    ) -> Decoded:
        """Turn one decoded item into a mention, or into the deletion that it asks for.

        Args:
            item: What was inside the envelope.
            received_at: Epoch seconds; None in replays, where the event time stands for it.
            whole: The envelope with the item in it: what a field map's paths are resolved against.
            fallback_id: Identity of an item that has none of its own.
        """
        if not isinstance(item, dict):
            return Dropped(DropReason.MALFORMED, "not an object")
        if self._map:
            item = self._map.overlay(item if whole is None else whole, item)
        author = _author(item)
        wire_source = short_text(item.get("source"), MAX_NAME)
        mention_id = self._identity(item.get("id"), wire_source, fallback_id)
        if str(item.get("op") or "").lower() in ("delete", "deleted"):
            return self._retraction(mention_id, author)
        if not mention_id:
            return Dropped(DropReason.MALFORMED, "id is missing")
        text = self._text(item.get("text"))
        if isinstance(text, Dropped):
            return text
        times = self._times(item, received_at)
        if times is None:
            return Dropped(DropReason.MALFORMED, "published_at is missing or no time after 1990")
        channel = _channel(item.get("channel")) or self._channel
        if not channel and _PLAIN_NAME.fullmatch(wire_source):
            channel = _channel(wire_source)
        brand = short_text(item.get("brand"), MAX_NAME) if self._accept_brand else ""
        return Mention(
            id=mention_id,
            source=self.source,
            channel=channel or self.source,
            published_at=times[0],
            received_at=times[1],
            text=text,
            language=language_code(item.get("language") or item.get("lang")),
            author=author,
            url=web_link(item.get("url")),
            reply_to=self._reference(item.get("reply_to"), wire_source),
            repost_of=self._reference(item.get("repost_of"), wire_source),
            engagement=_engagement(item.get("engagement")),
            brand=brand or self._brand,
            mentions_of=_extras(item.get("mentions_of")),
        )

    def _retraction(self, mention_id: str, author: Author) -> Retraction | Dropped:
        if mention_id:
            return Retraction(self.source, mention_id=mention_id)
        if author.id:
            return Retraction(self.source, author_id=author.id)
        return Dropped(DropReason.MALFORMED, "delete without id or author.id")

    def _identity(self, value: object, wire_source: str, fallback: str) -> str:
        given = short_text(value, MAX_TEXT) or short_text(fallback, MAX_TEXT)
        if not given:
            return ""
        # Ids are unique at *their* source. Several may come through one configured source.
        if wire_source and wire_source != self.source:
            given = f"{wire_source}/{given}"
        return given if len(given) <= MAX_ID else "sha256:" + sha256(given.encode()).hexdigest()

    def _reference(self, value: object, wire_source: str) -> str:
        return self._identity(value, wire_source, "")

    def _text(self, value: object) -> str | Dropped:
        if value is None:
            return Dropped(DropReason.MALFORMED, "text is missing")
        if not isinstance(value, str):
            return Dropped(DropReason.MALFORMED, "text is not a string")
        text, repaired = clean_text(value)
        if repaired:
            self.repairs[Repair.CHARACTERS_REPLACED] += 1
        if len(text) > MAX_TEXT:
            text = text[:MAX_TEXT]
            self.repairs[Repair.TEXT_CUT] += 1
        if is_blank(text):
            return Dropped(DropReason.EMPTY, "nothing to read in text")
        return text

    def _times(
        self, item: Mapping[str, object], received_at: float | None
    ) -> tuple[float, float] | None:
        value = item.get("published_at")
        if value is None:
            value = item.get("ts")
        published = parse_time(value)
        if published is None:
            if not self._live or received_at is None:
                return None
            self.repairs[Repair.TIME_UNREADABLE] += 1
            return received_at, received_at
        if received_at is None:
            return published, published
        if published > received_at:
            self.repairs[Repair.TIME_IN_FUTURE] += 1
            return received_at, received_at
        return published, received_at


def clean_text(text: str) -> tuple[str, bool]:
    r"""Remove NUL and replace lone surrogates, which no store and no sink takes.

    >>> clean_text("a\x00b\ud800")
    ('ab�', True)
    """
    # isascii is O(1) and true of most short fields; U+FFFD tells that bytes were replaced earlier on.
    if text.isascii():  # O(1), and true of most short fields
        return (text.replace("\0", ""), True) if "\0" in text else (text, False)
    cleaned = _SURROGATE.sub("\ufffd", text.replace("\0", ""))
    return cleaned, cleaned != text


def is_blank(text: str) -> bool:
    r"""Whether nothing in it can be seen: white space, zero-width and direction characters.

    >>> is_blank(" \u200b\u202e "), is_blank("ok")
    (True, False)
    """
    return _INVISIBLE.fullmatch(text) is not None


def short_text(value: object, limit: int) -> str:
    """A short field (id, name, handle) as text; numbers are spelled out, anything else is empty."""
    if isinstance(value, str):
        clean = value if value.isascii() and "\0" not in value else clean_text(value)[0]
        return clean.strip()[:limit]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**30:
        return str(value)[:limit]
    return ""


def web_link(value: object) -> str:
    """A link that may be shown: http or https and not longer than 2,000 characters, else empty."""
    link = short_text(value, MAX_URL + 1)
    return (
        link
        if len(link) <= MAX_URL and link[:8].lower().startswith(("http://", "https://"))
        else ""
    )


def _author(item: Mapping[str, object]) -> Author:
    given = item.get("author")
    if isinstance(given, dict):
        return Author(
            id=short_text(given.get("id"), MAX_NAME),
            handle=short_text(given.get("handle"), MAX_NAME).removeprefix("@"),
            name=short_text(given.get("name"), MAX_NAME),
            followers=_count(given.get("followers")),
            created_at=parse_time(given.get("created_at")),
        )
    if given is not None:
        return Author(handle=short_text(given, MAX_NAME).removeprefix("@"))
    hashed = item.get("author_hash")
    return Author(id=short_text(hashed, MAX_NAME)) if hashed is not None else _NO_AUTHOR


def _engagement(given: object) -> Engagement:
    if not isinstance(given, dict):
        return _NO_ENGAGEMENT
    counts = {
        name: _count(given.get(name)) or 0 for name in ("likes", "reposts", "replies", "views")
    }
    return Engagement(**counts)


def _count(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 17:
        value = int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _COUNT_LIMIT:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _COUNT_LIMIT:
        return value
    return None


def language_code(value: object) -> str:
    """``it``, ``it-IT`` and ``IT`` are one language; what is no code is none.

    >>> language_code("pt-BR"), language_code("english, please")
    ('pt', '')
    """
    return _language_code(value) if isinstance(value, str) else ""


@lru_cache(maxsize=512)
def _language_code(value: str) -> str:
    code = value.strip()[:35].replace("_", "-").partition("-")[0].lower()
    return code if _LANGUAGE.fullmatch(code) else ""


def _channel(value: object) -> str:
    """Lower case, words joined by ``-``: it becomes the name of a stream."""
    return _channel_name(value[:64]) if isinstance(value, str) else ""


@lru_cache(maxsize=512)
def _channel_name(value: str) -> str:
    return _CHANNEL.sub("-", clean_text(value)[0].lower()).strip("-")


def _extras(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split()
    if not isinstance(value, list | tuple):
        return ()
    found = (short_text(one, MAX_URL) for one in value[:MAX_EXTRAS])
    return tuple(one for one in found if one)
