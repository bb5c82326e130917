"""Slack's failures in Sentinel's words.

What lives here: one function from whatever the client library raises to a ``NotifyError`` with a closed reason. The
library's exceptions are odd: a time-out is a bare ``TimeoutError``, a 500 with broken JSON carries an aiohttp response
instead of its own, and a 503 page has no error code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from sentinel.errors import NotifyError

BLOCKS_REFUSED = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})
"""Codes after which the same message may still go through with fewer blocks."""

MESSAGE_GONE = frozenset({"message_not_found", "thread_not_found", "cannot_reply_to_message"})
"""Codes that say that somebody deleted the message."""

MESSAGE_FIXED = frozenset({"cant_update_message", "edit_window_closed", "is_inactive"})
"""Codes that say that the message stands but cannot be edited any more."""

_MISCONFIGURED = frozenset(
    {
        "access_denied",
        "account_inactive",
        "channel_not_found",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "invalid_auth",
        "is_archived",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "not_in_channel",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
        "unknown_method",
    }
)
_REJECTED = (
    BLOCKS_REFUSED
    | MESSAGE_GONE
    | MESSAGE_FIXED
    | frozenset(
        {
            "block_mismatch",
            "invalid_arguments",
            "invalid_metadata_format",
            "invalid_metadata_schema",
            "metadata_too_large",
            "msg_too_long",
            "no_text",
            "too_many_attachments",
        }
    )
)
_RATE_LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})


class SlackError(NotifyError):
    """A ``NotifyError`` that knows Slack's own code.

    Attributes:
        code: Slack's ``error``; empty where it said none.
    """

    def __init__(self, message: str, *, code: str = "", **details: Any) -> None:
        super().__init__(message, **details)
        self.code = code


def translate(error: Exception, *, posting: bool) -> SlackError:
    """The failure in Sentinel's words.

    Args:
        error: What the client library raised.
        posting: Whether the call creates a message: then a failure after sending is ambiguous, because Slack may
            have stored it.
    """
    lost = "ambiguous" if posting else "timeout"
    if isinstance(error, TimeoutError):
        return SlackError("no answer from Slack in time", reason=lost)
    if isinstance(error, SlackApiError):
        return _refused(error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return SlackError("cannot connect to Slack", reason="unreachable")
    if isinstance(error, aiohttp.ClientError | OSError):
        reason = "ambiguous" if posting else "unreachable"
        return SlackError(f"connection to Slack lost: {type(error).__name__}", reason=reason)
    return SlackError(f"Slack's client failed: {type(error).__name__}", reason="server_error")


EXPECTED = (TimeoutError, SlackClientError, aiohttp.ClientError, OSError)
"""What a call of the client library may raise for reasons outside this program."""


def _refused(error: SlackApiError) -> SlackError:
    response = error.response
    status = getattr(response, "status_code", None) or getattr(response, "status", 0)
    headers: Mapping[str, str] = getattr(response, "headers", None) or {}
    data = getattr(response, "data", None)
    code = str(data.get("error") or "") if isinstance(data, dict) else ""
    if status == 429 or code in _RATE_LIMITED:
        return SlackError(
            "Slack asks to wait",
            code=code,
            reason="rate_limited",
            retry_after=_retry_after(headers),
        )
    if code in _MISCONFIGURED or code.startswith("restricted_action"):
        return SlackError(f"Slack says {code}", code=code, reason="misconfigured", permanent=True)
    if code in _REJECTED:
        return SlackError(f"Slack says {code}", code=code, reason="rejected", permanent=True)
    said = code or f"HTTP {status}"
    return SlackError(f"Slack says {said}", code=code, reason="server_error")


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait; Slack sends whole seconds, and 30 is what it asks for most."""
    try:
        return max(0.0, float(headers.get("Retry-After", "")))
    except ValueError:
        return 30.0
