"""Finding what was posted before: by the metadata that every message of ours carries.

What lives here: reading history. It is asked where an earlier attempt may have got through without our knowing, and where
the note of a message was lost. Needs the scopes ``channels:history`` and ``channels:read``.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from sentinel.notify.slack.errors import SlackError
from sentinel.notify.slack.rich import Json

EVENT_TYPE = "sentinel_incident"
PAGE, MAX_PAGES = 200, 5
_CHANNEL_ID = re.compile(r"^[CGD][A-Z0-9]{5,}$")

Call = Callable[..., Any]


def metadata(**payload: str | int) -> Json:
    """What a message of ours says about itself, out of sight of its readers."""
    return {"event_type": EVENT_TYPE, "event_payload": payload}


def payload_of(message: Json) -> Json:
    """The payload of a message's metadata; empty if it is none of ours."""
    found = message.get("metadata")
    if not isinstance(found, dict) or found.get("event_type") != EVENT_TYPE:
        return {}
    payload = found.get("event_payload")
    return payload if isinstance(payload, dict) else {}


class Lookup:
    """Reads a channel's history.

    Args:
        call: Runs a bound method of the client and translates its errors.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._channels: dict[str, str] = {}

    async def channel_id(self, client: AsyncWebClient, channel: str) -> str:
        """The channel's id; history takes no names.

        Raises:
            SlackError: There is no such channel, or it could not be asked for.
        """
        if _CHANNEL_ID.match(channel):
            return channel
        name = channel.removeprefix("#")
        if name not in self._channels:
            cursor = ""
            while True:
                answer = await self._call(
                    client.conversations_list, limit=PAGE, cursor=cursor, exclude_archived=True
                )
                self._channels |= {c["name"]: c["id"] for c in answer["channels"]}
                cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
                if name in self._channels or not cursor:
                    break
        if name not in self._channels:
            raise SlackError(
                "no such channel", code="channel_not_found", reason="misconfigured", permanent=True
            )
        return self._channels[name]

    async def root(
        self, client: AsyncWebClient, channel: str, *, oldest: float, **wanted: str
    ) -> Json | None:
        """The newest message in the channel whose metadata says all of ``wanted``; None if there is none.

        The answer has ``channel`` (the id) and ``ts`` and the metadata's payload beside them.
        """
        channel_id = await self.channel_id(client, channel)
        pages = self._pages(
            client.conversations_history, channel=channel_id, oldest=f"{max(oldest, 0):.6f}"
        )
        async for message in pages:
            payload = payload_of(message)
            if all(payload.get(key) == value for key, value in wanted.items()):
                return {**payload, "channel": channel_id, "ts": message["ts"]}
        return None

    async def replied(self, client: AsyncWebClient, channel: str, ts: str, key: str) -> bool:
        """Whether the thread has a reply with that idempotency key."""
        async for message in self._pages(client.conversations_replies, channel=channel, ts=ts):
            if payload_of(message).get("idempotency_key") == key:
                return True
        return False

    async def _pages(self, method: Call, **args: str) -> AsyncIterator[Json]:
        cursor = ""
        for _ in range(MAX_PAGES):
            answer = await self._call(
                method, include_all_metadata=True, limit=PAGE, cursor=cursor, **args
            )
            for message in answer["messages"]:
                yield message
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return
