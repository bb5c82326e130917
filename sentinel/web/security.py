"""What guards the ways in for machines: bearer tokens, webhook signatures, body limits.

What lives here: checks that know no route. What does not: people's logins and response headers (``server``).
No error here repeats what was sent, and none names a secret.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Sequence
from enum import Enum
from hashlib import sha256

import aiohttp
from aiohttp import web

from sentinel.errors import ConfigError

SIGNATURE_WINDOW_SECONDS = 300
"""How far a signed timestamp may be from our clock, either way (Standard Webhooks' libraries use the same)."""

MAX_SIGNATURES = 16
"""Signatures looked at in one header; a rotation needs two."""


class BearerTokens:
    """Who a bearer token belongs to, found in a time that does not depend on the token.

    Args:
        owners: Pairs of token and owner.

    Raises:
        ConfigError: A token is shorter than 16 characters, or two owners have the same.
    """

    def __init__(self, owners: Iterable[tuple[str, str]]) -> None:
        self._digests: dict[bytes, str] = {}
        for token, owner in owners:
            if len(token) < 16:  # 16 random characters are beyond guessing
                raise ConfigError(
                    "a token needs 16 characters or more", key=f"sources.{owner}.tokens"
                )
            digest = sha256(token.encode()).digest()
            if self._digests.setdefault(digest, owner) != owner:
                raise ConfigError(
                    "a token belongs to one source only", key=f"sources.{owner}.tokens"
                )

    def owner(self, authorization: str) -> str | None:
        """The owner of an ``Authorization: Bearer`` header, or None."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        digest = sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        found: str | None = None
        for known, owner in self._digests.items():  # no early way out: the time tells nothing
            if hmac.compare_digest(known, digest):
                found = owner
        return found


class SignatureCheck(Enum):
    """Outcome of checking a Standard Webhooks signature."""

    VALID = "valid"
    STALE = "stale"  # correctly signed, but its time is outside the window: replayed, or a clock is wrong
    INVALID = "invalid"


def webhook_key(secret: str, *, key: str = "webhook_secrets") -> bytes:
    """Decode a ``whsec_`` secret.

    Raises:
        ConfigError: It is not base64 of 24 to 64 bytes; the message does not contain it.
    """
    try:
        decoded = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if not 24 <= len(decoded) <= 64:  # bounds of the Standard Webhooks specification
        raise ConfigError("a secret is whsec_ and base64 of 24 to 64 bytes", key=key)
    return decoded


def webhook_signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The ``v1`` signature of a Standard Webhooks message, as it stands in the header."""
    signed = f"{message_id}.{timestamp}.".encode("utf-8", "surrogateescape") + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()


def check_webhook(
    keys: Sequence[bytes],
    *,
    message_id: str,
    timestamp: str,
    signatures: str,
    body: bytes,
    now: float,
) -> SignatureCheck:
    """Check the three Standard Webhooks headers against every key; any good signature is enough.

    The signature is checked before the time, so that ``STALE`` is only said of what was really signed.
    """
    stamp = timestamp.strip()
    if not message_id or not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 16):
        return SignatureCheck.INVALID
    offered = [
        token.encode("utf-8", "surrogateescape")
        for token in signatures.split()[:MAX_SIGNATURES]
        if token.startswith("v1,")
    ]
    good = False
    for key in keys:
        expected = webhook_signature(key, message_id, int(stamp), body).encode()
        for token in offered:
            good |= hmac.compare_digest(expected, token)
    if not good:
        return SignatureCheck.INVALID
    fresh = abs(now - int(stamp)) <= SIGNATURE_WINDOW_SECONDS
    return SignatureCheck.VALID if fresh else SignatureCheck.STALE


class BodyTooLargeError(Exception):
    """A body is longer than allowed, before or after unpacking."""


class BodyUnreadableError(Exception):
    """A body broke off, or its compression is broken."""


async def read_body(request: web.Request, limit: int) -> bytes:
    """Read a body piece by piece and stop as soon as it is too long.

    aiohttp unpacks gzip and deflate in pieces as they are read, so that a bomb costs one piece, not its full size.

    Raises:
        BodyTooLargeError: More than ``limit`` bytes, announced, sent or unpacked.
        BodyUnreadableError: The connection or the compression broke.
    """
    if request.content_length is not None and request.content_length > limit:
        raise BodyTooLargeError
    body = bytearray()
    try:
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > limit:
                raise BodyTooLargeError
    except (
        aiohttp.ClientPayloadError,
        aiohttp.http_exceptions.BadHttpMessage,
        web.RequestPayloadError,
    ) as error:
        request.content.feed_eof()  # or aiohttp reads on after our answer and logs a traceback
        raise BodyUnreadableError from error
    return bytes(body)
