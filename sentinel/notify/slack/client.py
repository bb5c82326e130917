"""Slack's client library, set up the way this package needs it.

What lives here: making clients. No retry handler, because the library's own re-posts after a reset; own time-outs; no
proxy for a server on this very machine; and a logger that never writes what a message says.
"""

from __future__ import annotations

import ipaddress
import logging
from urllib.parse import urlsplit

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

log = structlog.get_logger(__name__)


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine, where no proxy belongs in between."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def new_session(timeout_seconds: float) -> aiohttp.ClientSession:
    """A session whose time-outs are ours; connections are not kept, because a stale one makes a post ambiguous."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True),
        timeout=aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=timeout_seconds / 2),
    )


def new_client(
    token: str | None,
    base_url: str,
    *,
    session: aiohttp.ClientSession | None = None,
    timeout_seconds: float = 10.0,
) -> AsyncWebClient:
    """A Web API client that leaves retrying to the outbox."""
    client = AsyncWebClient(
        token=token,
        base_url=base_url,
        session=session,
        timeout=max(1, round(timeout_seconds)),
        retry_handlers=[],
        logger=library_logger(),
    )
    if is_loopback(base_url):
        client.proxy = None
    return client


class _Forward(logging.Handler):
    """Tells that the library complained and with which exception; its texts may quote messages and tickets."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the kind of the complaint."""
        error = record.exc_info[1] if record.exc_info else None
        code = ""
        if isinstance(error, SlackApiError) and isinstance(error.response, AsyncSlackResponse):
            code = str(error.response.get("error") or "")
        log.warning(
            "slack_library_complained",
            library=record.name,
            level=record.levelname.lower(),
            error=type(error).__name__ if error else "",
            code=code,
        )


def library_logger(level: int = logging.ERROR) -> logging.Logger:
    """A logger for Slack's libraries that passes on what kind of thing went wrong, and no text."""
    logger = logging.Logger("slack", level=level)  # noqa: LOG001 - detached on purpose
    logger.addHandler(_Forward())
    return logger
