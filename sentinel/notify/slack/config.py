"""Settings of Slack. What lives here: the struct. Secrets are resolved (``env:NAME``) before it is made."""

from __future__ import annotations

from typing import Annotated

import msgspec

Seconds = Annotated[float, msgspec.Meta(gt=0)]


class SlackConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="slack"
):
    """Settings of ``[[notifiers]] type = "slack"``.

    Attributes:
        bot_token: ``xoxb-...``, from the app's page "OAuth & Permissions".
        channel: Where alerts go unless the brand names its own channel: an id such as ``C0123ABCD``, or ``#name``.
        name: A metric label. Anything but ``slack`` is also part of the addresses for interactions:
            ``/slack/NAME/interactivity``; so several workspaces can be served.
        ops_channel: Where word of silent sources goes; empty for ``channel``.
        signing_secret: From "Basic Information"; needed for interactions by HTTP, not for Socket Mode.
        app_token: ``xapp-...`` with ``connections:write``: turns Socket Mode on.
        base_url: Slack's Web API, or the local sandbox's.
        charts: Whether to send native chart blocks; they are dropped by themselves where Slack refuses them.
        timeout_seconds: For one call, from connecting to the last byte.
        socket_dead_seconds: A Socket Mode connection lost for this long is built anew from the beginning.
    """

    bot_token: Annotated[str, msgspec.Meta(min_length=1)]
    channel: Annotated[str, msgspec.Meta(min_length=1)]
    name: Annotated[str, msgspec.Meta(min_length=1)] = "slack"
    ops_channel: str = ""
    signing_secret: str = ""
    app_token: str = ""
    base_url: str = "https://slack.com/api/"
    charts: bool = True
    timeout_seconds: Seconds = 10.0
    socket_dead_seconds: Seconds = 60.0

    @property
    def socket_mode(self) -> bool:
        """Whether interactions come through a WebSocket rather than by HTTP."""
        return bool(self.app_token)
