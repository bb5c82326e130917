"""The sandbox's memory: channels, people, messages, threads. No network here.

Timestamps are Slack's: strings of epoch seconds and microseconds, unique and growing, a message's identity within its
channel.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

Json = dict[str, Any]

TEAM_ID = "T0SANDBOX"
BOT_USER_ID = "U0SENTINEL"
BOT_ID = "B0SENTINEL"
APP_ID = "A0SENTINEL"

BROADCAST = re.compile(r"<!(?:channel|here|everyone|subteam\^[^>]*)(?:\|[^>]*)?>")


class User(msgspec.Struct, frozen=True):
    """Somebody who can press buttons; plainly fictional."""

    id: str
    name: str


DEFAULT_USERS = (User("U0REPERIBILE1", "Reperibile 1"), User("U0REPERIBILE2", "Reperibile 2"))


class Channel(msgspec.Struct, frozen=True):
    """A conversation; ``name`` is without ``#``."""

    id: str
    name: str


class Message(msgspec.Struct):
    """A posted message.

    Attributes:
        thread_ts: Root of its thread; empty for a root.
        broadcast: A reply that is shown in the channel as well.
        edits: How often it was updated.
        ephemeral_for: The one person who sees it; empty for everybody.
    """

    channel: str
    ts: str
    text: str
    blocks: list[Json]
    metadata: Json
    thread_ts: str = ""
    broadcast: bool = False
    edits: int = 0
    edited_ts: str = ""
    ephemeral_for: str = ""

    @property
    def root(self) -> bool:
        """Whether it stands in the channel by itself and everybody sees it."""
        return not self.thread_ts and not self.ephemeral_for

    @property
    def pings(self) -> int:
        """How many times it would ring everybody: ``<!channel>`` and the like where Slack reads mark-up."""
        return len(BROADCAST.findall(self.text)) + _pings(self.blocks)

    def to_slack(self, *, metadata: bool = True) -> Json:
        """The message as Slack's API gives it."""
        value: Json = {
            "user": BOT_USER_ID,
            "type": "message",
            "ts": self.ts,
            "bot_id": BOT_ID,
            "app_id": APP_ID,
            "text": self.text,
            "team": TEAM_ID,
            "blocks": self.blocks,
        }
        if self.thread_ts:
            value["thread_ts"] = self.thread_ts
        if self.broadcast:
            value["subtype"] = "thread_broadcast"
        if self.edits:
            value["edited"] = {"user": BOT_USER_ID, "ts": self.edited_ts}
        if metadata and self.metadata:
            value["metadata"] = self.metadata
        return value


def _pings(value: Any) -> int:
    if isinstance(value, list):
        return sum(_pings(child) for child in value)
    if not isinstance(value, dict):
        return 0
    own = 0
    if value.get("type") == "mrkdwn":
        own = len(BROADCAST.findall(str(value.get("text"))))
    elif value.get("type") == "broadcast":
        own = 1
    return own + sum(_pings(child) for child in value.values())


class Workspace:
    """Channels and what was said in them.

    Args:
        channels: Names, with or without ``#``.
        users: Who can be chosen on the page.
        now: Epoch seconds for new timestamps.
    """

    def __init__(
        self, channels: Iterable[str], users: tuple[User, ...], now: Callable[[], float]
    ) -> None:
        self.users = users
        self.channels: dict[str, Channel] = {}
        self.messages: list[Message] = []
        self._now = now
        self._last_micros = 0
        for name in channels:
            self.add_channel(name)

    def add_channel(self, name: str) -> Channel:
        """Create a channel; its id follows from its name."""
        bare = name.removeprefix("#")
        channel = Channel("C0" + re.sub(r"[^A-Z0-9]", "", bare.upper()), bare)
        self.channels[channel.id] = channel
        return channel

    def channel(self, reference: str, *, by_name: bool = True) -> Channel | None:
        """A channel by id, or by name where the method takes names."""
        if reference in self.channels:
            return self.channels[reference]
        bare = reference.removeprefix("#")
        matches = (c for c in self.channels.values() if by_name and c.name == bare)
        return next(matches, None)

    def user(self, user_id: str) -> User | None:
        """A person by id."""
        return next((user for user in self.users if user.id == user_id), None)

    def next_ts(self) -> str:
        """A timestamp that nobody had before."""
        self._last_micros = max(int(self._now() * 1_000_000), self._last_micros + 100)
        return f"{self._last_micros // 1_000_000}.{self._last_micros % 1_000_000:06d}"

    def find(self, channel: str, ts: str) -> Message | None:
        """The message of that identity."""
        return next((m for m in self.messages if m.channel == channel and m.ts == ts), None)

    def delete(self, channel: str, ts: str) -> None:
        """Remove a message and its thread, as a workspace's administrator may."""
        self.messages = [
            m for m in self.messages if m.channel != channel or ts not in (m.ts, m.thread_ts)
        ]

    def visible(self, channel: str) -> list[Message]:
        """What ``conversations.history`` tells of: roots and broadcast replies, oldest first."""
        return [
            m
            for m in self.messages
            if m.channel == channel and not m.ephemeral_for and (m.root or m.broadcast)
        ]

    def thread(self, channel: str, ts: str) -> list[Message]:
        """The root and its replies, oldest first; empty if there is no such root."""
        return [
            m
            for m in self.messages
            if m.channel == channel and not m.ephemeral_for and ts in (m.ts, m.thread_ts)
        ]


def micros(ts: str) -> int:
    """A timestamp as a whole number of microseconds, for comparing; 0 if it is none."""
    seconds, _, fraction = ts.partition(".")
    if not seconds.isdigit() or (fraction and not fraction.isdigit()):
        return 0
    return int(seconds) * 1_000_000 + int((fraction + "000000")[:6])


def page_of(messages: list[Message], args: Json) -> tuple[list[Message], str]:
    """One page of a listing and the cursor to the next, by Slack's ``limit`` and ``cursor``.

    Raises:
        ValueError: The cursor is none of ours.
    """
    limit = min(max(int(args.get("limit") or 100), 1), 999)
    start = 0
    if args.get("cursor"):
        try:
            start = int(base64.b64decode(str(args["cursor"])).decode().removeprefix("at:"))
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError("invalid cursor") from error
    end = start + limit
    cursor = base64.b64encode(f"at:{end}".encode()).decode() if end < len(messages) else ""
    return messages[start:end], cursor
