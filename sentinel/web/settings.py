"""The ``[web]`` table of the configuration, and what makes it safe or refused.

What lives here: ``WebConfig`` and ``check_web``. What does not: reading files (``sentinel.config``).
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from sentinel.errors import ConfigError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
MIN_TOKEN_CHARACTERS = 16
"""A session cookie lets its holder try tokens at home; a long one is out of reach."""


class WebConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the pages and the API listen, and who may see them.

    Attributes:
        host: Address to listen on. Beyond loopback only with a ``token``.
        port: 0 for any free one.
        token: What people type to log in, and what API clients and Prometheus send as a bearer token.
        base_url: Address at which people reach the pages, for links and behind a proxy; empty for none.
        language: ``it`` or ``en`` for the pages; empty for the team's default.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    token: str = ""
    base_url: str = ""
    language: Literal["", "it", "en"] = ""

    @property
    def link_host(self) -> str:
        """Host (and port, if any) of ``base_url``, lower case; empty if there is none."""
        return urlsplit(self.base_url).netloc.lower()

    @property
    def secure(self) -> bool:
        """Whether browsers reach the pages over TLS."""
        return urlsplit(self.base_url).scheme == "https"


def check_web(config: WebConfig) -> None:
    """Refuse what would expose the pages or could not work.

    Raises:
        ConfigError: Beyond loopback without a token, a short token, or a base URL that is none.
    """
    if not config.token and config.host not in LOOPBACK:
        raise ConfigError(
            f"host is {config.host}: set a token, or listen on 127.0.0.1; without a token"
            " everybody who reaches the port could act on incidents",
            key="web.token",
        )
    if config.token and len(config.token) < MIN_TOKEN_CHARACTERS:
        raise ConfigError(
            f"needs at least {MIN_TOKEN_CHARACTERS} characters; python -c 'import secrets;"
            " print(secrets.token_urlsafe(32))' makes one",
            key="web.token",
        )
    if config.token and not config.token.isascii():
        raise ConfigError("may have ASCII characters only: it travels in a header", key="web.token")
    if config.base_url:
        _check_base_url(config.base_url)


def _check_base_url(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username or parts.query or parts.fragment:
        raise ConfigError(
            "must be an address such as https://sentinel.example, without user, ? or #",
            key="web.base_url",
        )
    if parts.path not in {"", "/"}:
        raise ConfigError("may have no path: the pages live at the root", key="web.base_url")
