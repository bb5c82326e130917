"""What a click becomes: Slack's ``block_actions`` payload, signed and sent to the app.

Through the open Socket Mode connection if there is one, else by HTTP to the configured address.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec

from sentinel.slack_sandbox.socket_mode import SocketHub
from sentinel.slack_sandbox.web_api import WebApi
from sentinel.slack_sandbox.workspace import APP_ID, TEAM_ID, Json, Message, User, Workspace

ANSWER_SECONDS = 3.0


class Answer(msgspec.Struct, frozen=True):
    """What the app made of an interaction.

    Attributes:
        status: HTTP status; 200 for an acknowledged envelope; 0 for no answer in time or nobody there.
        via: ``http``, ``socket`` or ``nobody``.
    """

    status: int
    via: str
    seconds: float = 0.0
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether Slack would be content."""
        return self.status == 200


def sign(secret: str, timestamp: str, body: str) -> str:
    """``X-Slack-Signature`` of a body, by https://docs.slack.dev/authentication/verifying-requests-from-slack ."""
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256)
    return f"v0={digest.hexdigest()}"


def elements(blocks: list[Json]) -> Iterable[tuple[str, Json]]:
    """Every interactive element with its block's id."""
    for block in blocks:
        found = block.get("elements", []) if block.get("type") == "actions" else []
        if "accessory" in block:
            found = [*found, block["accessory"]]
        for element in found:
            yield str(block.get("block_id", "")), element


class Interactions:
    """Turns clicks into requests to the app.

    Args:
        secret: The app's signing secret.
        url: Where interactions go by HTTP; empty for nowhere.
        now: Epoch seconds, for signatures and ``action_ts``.
        monotonic: Seconds, for measuring the answer.
        public_address: ``host:port`` of the sandbox, for ``response_url``.
    """

    def __init__(
        self,
        workspace: Workspace,
        api: WebApi,
        hub: SocketHub,
        *,
        secret: str,
        url: str,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        public_address: Callable[[], str],
    ) -> None:
        self.url = url
        self.sent: list[Json] = []
        self.response_urls: dict[str, tuple[str, str]] = {}
        self._workspace, self._api, self._hub = workspace, api, hub
        self._secret, self._now, self._monotonic = secret, now, monotonic
        self._address = public_address

    def payload(
        self,
        message: Message,
        action_id: str,
        user: User,
        *,
        block_id: str = "",
        selected: Iterable[str] = (),
        seen: list[Json] | None = None,
    ) -> Json:
        """The ``block_actions`` payload of a click.

        Args:
            message: What was clicked on.
            action_id: Which element.
            user: Who.
            block_id: Which block, where several have an element of that action id.
            selected: Values that are selected after the click (all of them, as a client sends them).
            seen: The blocks that this person's client showed; the message's present ones if not given.

        Raises:
            LookupError: There is no such element.
        """
        shown = message.blocks if seen is None else seen
        place, action = self._pressed(shown, action_id, block_id, tuple(selected))
        key = str(len(self.response_urls) + 1)
        self.response_urls[key] = (message.channel, user.id)
        channel = self._workspace.channels[message.channel]
        return {
            **self._by(user),
            "container": {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": message.channel,
                "is_ephemeral": bool(message.ephemeral_for),
            },
            "channel": {"id": channel.id, "name": channel.name},
            "message": message.to_slack(),
            "state": {"values": _state(message.blocks, place, action)},
            "response_url": f"http://{self._address()}/response/{key}",
            "actions": [action],
        }

    def view_payload(
        self,
        number: int,
        action_id: str,
        user: User,
        *,
        block_id: str = "",
        selected: Iterable[str] = (),
    ) -> Json:
        """The ``block_actions`` payload of a click in a dialog; it has no ``response_url``, as at Slack.

        Args:
            number: Which dialog, counted from 1.
            action_id: Which element.
            user: Who.
            block_id: Which block, where several have an element of that action id.
            selected: The value that is chosen.

        Raises:
            LookupError: There is no such dialog or element.
        """
        if not 0 < number <= len(self._api.views):
            raise LookupError(f"no view {number}")
        view = self._api.views[number - 1][1]
        _, action = self._pressed(view["blocks"], action_id, block_id, tuple(selected))
        view_id = f"V0{number}"
        return {
            **self._by(user),
            "container": {"type": "view", "view_id": view_id},
            "view": {"id": view_id, "team_id": TEAM_ID, **view},
            "actions": [action],
        }

    def _by(self, user: User) -> Json:
        return {
            "type": "block_actions",
            "user": {
                "id": user.id,
                "username": user.name,
                "name": user.name,
                "team_id": TEAM_ID,
            },
            "api_app_id": APP_ID,
            "token": "sandbox",
            "trigger_id": self._api.new_trigger(user.id),
            "team": {"id": TEAM_ID, "domain": "sandbox"},
            "enterprise": None,
            "is_enterprise_install": False,
        }

    def _pressed(
        self, blocks: list[Json], action_id: str, block_id: str, selected: tuple[str, ...]
    ) -> tuple[str, Json]:
        for place, element in elements(blocks):
            if element.get("action_id") == action_id and block_id in ("", place):
                return place, _action(element, place, selected, self._workspace.next_ts())
        raise LookupError(f"no element {action_id} {block_id}".rstrip())

    async def send(self, payload: Json) -> Answer:
        """Send it, signed; the app has three seconds, as at Slack."""
        self.sent.append(payload)
        began = self._monotonic()
        if self._hub.connected:
            frame = await self._hub.deliver(payload)
            status = 0 if frame is None else 200
            detail = "" if status else "no acknowledgement within 3 s"
            return Answer(status, "socket", self._monotonic() - began, detail)
        if not self.url:
            return Answer(0, "nobody", 0.0, "no interactivity URL and no open socket")
        body = urlencode({"payload": msgspec.json.encode(payload).decode()})
        timestamp = str(int(self._now()))
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": sign(self._secret, timestamp, body),
        }
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self.url, data=body, headers=headers) as response,
            ):
                detail = "" if response.status == 200 else (await response.text())[:200]
                return Answer(response.status, "http", self._monotonic() - began, detail)
        except (TimeoutError, aiohttp.ClientError) as error:
            return Answer(0, "http", self._monotonic() - began, type(error).__name__)


def _action(element: Json, place: str, selected: tuple[str, ...], ts: str) -> Json:
    kind = element["type"]
    action: Json = {"type": kind, "action_id": element["action_id"], "block_id": place}
    options = [o for o in element.get("options", []) if o.get("value") in selected]
    if kind == "button":
        action |= {"text": element["text"], "value": element.get("value", "")}
    elif kind == "checkboxes":
        action["selected_options"] = options
        if "initial_options" in element:
            action["initial_options"] = element["initial_options"]
    elif options:
        action["selected_option"] = options[0]
    else:
        raise LookupError(f"no option {selected} in {element['action_id']}")
    return action | {"action_ts": ts}


def _state(blocks: list[Json], place: str, action: Json) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for block_id, element in elements(blocks):
        if element["type"] != "checkboxes":
            continue
        chosen = element.get("initial_options", [])
        if block_id == place and element["action_id"] == action["action_id"]:
            chosen = action["selected_options"]
        values.setdefault(block_id, {})[element["action_id"]] = {
            "type": "checkboxes",
            "selected_options": chosen,
        }
    return values
