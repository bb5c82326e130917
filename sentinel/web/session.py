"""Who is asking: bearer token, session cookie, CSRF token, and whether the request came from our own pages.

What lives here: decisions over request headers, without any page. What does not: signatures of webhooks (``security``)
and the login form (``pages``).

A session is a signed cookie that holds a name and a moment: there is one token for the team, so the name is what a
person says of themselves; it is shown beside what they do. Without a configured token everybody on loopback may act,
and the cookie only carries the name and the CSRF secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from sentinel.notify.safe_text import clean
from sentinel.runtime.clock import Clock
from sentinel.web.settings import LOOPBACK, WebConfig

COOKIE = "sentinel_session"
CSRF_FIELD, CSRF_HEADER = "csrf", "X-CSRF-Token"
SESSION_SECONDS = 7 * 86_400
NAME_CHARACTERS = 60


class Session(msgspec.Struct, frozen=True):
    """What a cookie says.

    Attributes:
        nonce: Random; the CSRF token is derived from it.
        name: What the person calls themselves; may be empty.
        issued_at: Epoch seconds.
    """

    nonce: str
    name: str
    issued_at: float


class Gate:
    """Decides over requests. One instance an application.

    Args:
        config: Token and addresses.
        clock: Ages sessions.
    """

    def __init__(self, config: WebConfig, clock: Clock) -> None:
        self._config, self._clock = config, clock
        seed = config.token.encode() if config.token else secrets.token_bytes(32)
        # Derived from the token, so that a restart keeps people logged in and a new token logs all out.
        self._key = hashlib.sha256(b"sentinel session key 1\0" + seed).digest()

    # --- sessions --------------------------------------------------------------------------------

    def session(self, request: web.Request) -> Session | None:
        """The valid session of the request's cookie."""
        blob, _, signature = request.cookies.get(COOKIE, "").partition(".")
        if not hmac.compare_digest(self._sign(blob).encode(), signature.encode()):
            return None
        try:
            raw = base64.urlsafe_b64decode(blob.encode() + b"=" * (-len(blob) % 4))
            session = msgspec.json.decode(raw, type=Session)
        except (ValueError, msgspec.MsgspecError):
            return None
        age = self._clock.now() - session.issued_at
        return session if age < SESSION_SECONDS else None

    def issue(self, name: str) -> Session:
        """A new session; only who may come in gets it as a cookie."""
        return Session(
            nonce=secrets.token_urlsafe(18),
            name=clean(name, NAME_CHARACTERS),
            issued_at=self._clock.now(),
        )

    def set_cookie(self, response: web.StreamResponse, session: Session) -> None:
        """Give the session to the browser, for our own pages only."""
        blob = base64.urlsafe_b64encode(msgspec.json.encode(session)).decode().rstrip("=")
        response.set_cookie(
            COOKIE,
            f"{blob}.{self._sign(blob)}",
            max_age=SESSION_SECONDS,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=self._config.secure,
        )

    def clear_cookie(self, response: web.StreamResponse) -> None:
        """Take the session from the browser."""
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")

    def csrf(self, session: Session) -> str:
        """The token that our own forms carry."""
        return self._sign(f"csrf {session.nonce}")

    def csrf_matches(self, session: Session, given: str) -> bool:
        """Whether a form came from a page of this session."""
        return hmac.compare_digest(self.csrf(session).encode(), given.encode())

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    # --- tokens ----------------------------------------------------------------------------------

    def token_matches(self, given: str) -> bool:
        """Whether it is the configured token; False where none is configured."""
        wanted = self._config.token
        return bool(wanted) and hmac.compare_digest(wanted.encode(), given.encode())

    def bearer(self, request: web.Request) -> bool:
        """Whether the request carries the configured token as a bearer token."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.token_matches(given.strip())

    def login(self, given: str) -> bool:
        """Whether somebody with this token may have a session.

        Wrong tokens lock nobody out: that would let a stranger keep the team out in the middle of a crisis. The
        token's length (``settings.MIN_TOKEN_CHARACTERS``) makes guessing over a network hopeless.
        """
        return not self._config.token or self.token_matches(given)

    # --- where a request comes from --------------------------------------------------------------

    def host_allowed(self, request: web.Request) -> bool:
        """Whether the Host header is one of ours.

        Without a token a foreign page could point its own name at loopback (DNS rebinding) and act through a
        visitor's browser; the Host header then names that page. With a token the cookie never goes to such a name.
        """
        if self._config.token:
            return True
        host = request.headers.get("Host", "").lower()
        if host == self._config.link_host and host:
            return True
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        return name in LOOPBACK

    def same_origin(self, request: web.Request) -> bool:
        """Whether a browser sent the request from our own pages; programs send no Origin and pass."""
        origin = request.headers.get("Origin")
        if origin is None:
            return request.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}
        netloc = urlsplit(origin).netloc.lower() if "://" in origin else ""
        return bool(netloc) and netloc in {
            request.headers.get("Host", "").lower(),
            self._config.link_host,
        }
