"""Bluesky's records and Jetstream's v1 frames, decoded: pure functions, no connection.

What lives here: one frame to one ``Event``, one ``app.bsky.feed.post`` record to its text and links. What does not:
v2 frames (``bluesky_v2``), the client (``bluesky``).

References: https://github.com/bluesky-social/jetstream (frames),
https://github.com/bluesky-social/atproto (lexicons ``app.bsky.feed.post``, ``app.bsky.embed.*``).
Records are written by strangers' software: every member may be missing or of another type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

import msgspec

from sentinel.model import Author, Dropped, DropReason, Mention
from sentinel.sources.canonical import (
    MAX_EXTRAS,
    MAX_TEXT,
    MAX_URL,
    clean_text,
    is_blank,
    language_code,
    parse_json,
    short_text,
)

POST = "app.bsky.feed.post"
GONE = frozenset({"deleted", "takendown"})
"""Account states after which its posts must be forgotten; the other inactive states may end again."""

_TIME = re.compile(r'"time_us":\s*(\d{1,18})')
_TIME_BYTES = re.compile(rb'"time_us":\s*(\d{1,18})')


class Kind(Enum):
    """What an event asks for."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    PURGE = "purge"  # everything of this account
    OUTDATED = "outdated"  # v2: our cursor was too old, something was skipped
    OTHER = "other"  # identities, other collections, kinds that do not exist yet


class Event(msgspec.Struct, frozen=True):
    """One event of the stream.

    Attributes:
        time_us: The server's time, microseconds since the epoch; 0 where it has none.
        record: The post, for CREATE and UPDATE.
    """

    kind: Kind
    time_us: int = 0
    did: str = ""
    rkey: str = ""
    record: object = None

    @property
    def uri(self) -> str:
        """The post's identity, ``at://...``."""
        return f"at://{self.did}/{POST}/{self.rkey}"


class Post(msgspec.Struct, frozen=True):
    """What can be read in a record.

    Attributes:
        text: The post, its link card and its pictures' descriptions, each on a line of its own.
        extras: Links, mentioned accounts' DIDs, ``#tags`` and the quoted post's URI.
        said: Whether the author wrote anything.
    """

    text: str
    extras: tuple[str, ...]
    quoted: str
    said: bool


_OPERATIONS = {"create": Kind.CREATE, "update": Kind.UPDATE, "delete": Kind.DELETE}


def frame_time(frame: str | bytes) -> int:
    """``time_us`` of a v1 frame without decoding it; 0 if there is none."""
    found = _TIME.search(frame) if isinstance(frame, str) else _TIME_BYTES.search(frame)
    return int(found[1]) if found else 0


def decode_v1(frame: str | bytes) -> Event | Dropped:
    """Decode a frame of ``/subscribe``; never raises."""
    value = parse_json(frame)
    if isinstance(value, Dropped):
        return value
    if not isinstance(value, dict):
        return Dropped(DropReason.MALFORMED, "frame is not an object")
    did, time_us = value.get("did"), value.get("time_us")
    if not isinstance(did, str) or not did or not isinstance(time_us, int) or time_us <= 0:
        return Dropped(DropReason.MALFORMED, "frame without did or time_us")
    commit = value.get("commit")
    if isinstance(commit, dict):
        return commit_event(commit, did, time_us)
    return account_event(value.get("account"), did, time_us)


def commit_event(commit: dict[str, object], did: str, time_us: int) -> Event | Dropped:
    """The event of a commit's members, which v1 and v2 spell alike."""
    kind = _OPERATIONS.get(str(commit.get("operation")), Kind.OTHER)
    if commit.get("collection") != POST or kind is Kind.OTHER:
        return Event(Kind.OTHER, time_us, did)
    rkey = short_text(commit.get("rkey"), 512)
    record = commit.get("record")
    if not rkey or (kind is not Kind.DELETE and not isinstance(record, dict)):
        return Dropped(DropReason.MALFORMED, "commit without rkey or record")
    return Event(kind, time_us, did, rkey, record)


def account_event(account: object, did: str, time_us: int) -> Event:
    """PURGE when an account was deleted or taken down."""
    gone = (
        isinstance(account, dict)
        and account.get("active") is False
        and account.get("status") in GONE
    )
    return Event(Kind.PURGE if gone else Kind.OTHER, time_us, did)


def read_post(record: object) -> Post | Dropped:
    """Text and links of a post record; never raises."""
    if not isinstance(record, dict):
        return Dropped(DropReason.MALFORMED, "record is not an object")
    written = record.get("text")
    said = written if isinstance(written, str) else ""
    facets, tags, embed = record.get("facets"), record.get("tags"), record.get("embed")
    if embed is None and not facets and not tags:  # most posts
        text = said
        extras: tuple[str, ...] = ()
        quoted = ""
    else:
        texts, links, quoted = _embedded(embed, 0)
        text = "\n".join([said, *texts] if said.strip() else texts)
        extras = _extras([*_facets(facets), *_tags(tags), *links])
    text = clean_text(text)[0][:MAX_TEXT]
    if is_blank(text):
        text = " ".join(link for link in extras if link.startswith("http"))[:MAX_TEXT]
        if not text:
            return Dropped(DropReason.EMPTY, "nothing to read")
    return Post(text, extras, quoted, not is_blank(said))


def mention_of(event: Event, post: Post, source: str, received_at: float) -> Mention:
    """The mention of a post. Event time is the server's: authors write what they like into ``createdAt``."""
    record = event.record if isinstance(event.record, dict) else {}
    reply = record.get("reply")
    parent = reply.get("parent") if isinstance(reply, dict) else None
    langs = record.get("langs")
    return Mention(
        id=event.uri,
        source=source,
        channel="bluesky",
        published_at=min(event.time_us / 1e6, received_at),
        received_at=received_at,
        text=post.text,
        language=language_code(langs[0]) if isinstance(langs, list) and langs else "",
        author=Author(id=event.did),
        url=f"https://bsky.app/profile/{event.did}/post/{event.rkey}",
        reply_to=short_text(parent.get("uri"), MAX_URL) if isinstance(parent, dict) else "",
        repost_of="" if post.said else post.quoted,
        mentions_of=post.extras,
    )


def _extras(found: list[object]) -> tuple[str, ...]:
    texts = (short_text(one, MAX_URL) for one in found)
    return tuple(dict.fromkeys(one for one in texts if one))[:MAX_EXTRAS]


def _facets(facets: object) -> Iterator[object]:
    """Links in full (the visible text is shortened), mentioned DIDs, tags."""
    for facet in _dicts(facets):
        for feature in _dicts(facet.get("features")):
            yield feature.get("uri")
            yield feature.get("did")
            yield from _tags([feature.get("tag")])


def _tags(tags: object) -> Iterator[object]:
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, str) and tag:
            yield f"#{tag.removeprefix('#')}"


def _dicts(value: object) -> Iterator[dict[str, object]]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            yield one


def _embedded(embed: object, depth: int) -> tuple[list[str], list[object], str]:
    """Texts, links and quoted post of an embed. Unknown kinds are searched for the members they share."""
    if not isinstance(embed, dict) or depth > 2:
        return [], [], ""
    texts: list[object] = [embed.get("alt")]
    links: list[object] = []
    quoted = ""
    external = embed.get("external")
    if isinstance(external, dict):
        texts += [external.get("title"), external.get("description")]
        links.append(external.get("uri"))
    for group in ("images", "items"):
        texts += [image.get("alt") for image in _dicts(embed.get(group))]
    record = embed.get("record")
    if isinstance(record, dict):
        inner = record.get("record")
        reference = inner if isinstance(inner, dict) else record
        quoted = short_text(reference.get("uri"), MAX_URL)
        links.append(quoted)
    found = [text for text in texts if isinstance(text, str) and text.strip()]
    more, further, _ = _embedded(embed.get("media"), depth + 1)
    return found + more, links + further, quoted
