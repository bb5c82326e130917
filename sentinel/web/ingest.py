"""``POST /v1/mentions``: mentions pushed over HTTP, answered once they are committed.

What lives here: requests, answers and back-pressure. What does not: envelopes (``sources/envelopes``), the mention
itself (``sources/canonical``), keys and limits (``web/security``).

The promise to senders: 200 means committed. 429 and 503 carry ``Retry-After`` and mean "send the same again"; ids
make that harmless. Of a batch, good items are taken and bad ones are listed with their index; only a request without
any good item is refused (422).
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import sha256

import structlog
from aiohttp import web

from sentinel.errors import SentinelError
from sentinel.model import Dropped, Mention, Retraction
from sentinel.runtime.clock import Clock
from sentinel.runtime.metrics import Metrics
from sentinel.sources.base import Intake, IntakeBusyError, Receipt
from sentinel.sources.batching import delivery_of, runs
from sentinel.sources.canonical import Decoded
from sentinel.sources.envelopes import Parcel, unpack
from sentinel.sources.push import HttpIngestConfig, PushSource
from sentinel.web.security import (
    BearerTokens,
    BodyTooLargeError,
    BodyUnreadableError,
    SignatureCheck,
    check_webhook,
    read_body,
    webhook_key,
)

__all__ = ["HttpIngestConfig", "PushSource", "routes"]

log = structlog.get_logger(__name__)

LISTED_REJECTIONS = 100
"""Rejected items that an answer lists; it counts all."""

REMEMBERED_DELIVERIES = 20_000
REMEMBERED_SECONDS = 600.0
"""A committed webhook is answered from memory for so long: twice the signature's window."""

_UNREADABLE = "the body cannot be read"
_ENCODINGS = {"", "identity", "gzip", "deflate"}


class _RefusedError(Exception):
    """A request that is not taken, with all that its answer needs.

    Attributes:
        reason: A member of ``INGEST_REJECTIONS``.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        *,
        retry_after: float | None = None,
        rejected: Sequence[Mapping[str, object]] = (),
    ) -> None:
        super().__init__(detail)
        self.status, self.reason, self.detail = status, reason, detail
        self.retry_after, self.rejected = retry_after, rejected

    def response(self) -> web.Response:
        body: dict[str, object] = {"error": self.reason, "detail": self.detail}
        if self.rejected:
            body["rejected"] = self.rejected
        headers = {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        if self.status == web.HTTPUnauthorized.status_code:
            headers["WWW-Authenticate"] = 'Bearer realm="sentinel"'
        return web.json_response(body, status=self.status, headers=headers)


def routes(
    sources: Sequence[PushSource],
    intake: Intake,
    *,
    clock: Clock,
    metrics: Metrics,
    commit_timeout_seconds: float = 10.0,
) -> list[web.RouteDef]:
    """The routes of the ingest.

    Args:
        sources: All configured sources of type ``http``.
        intake: Where deliveries go.
        clock: Time of receipt and of signature checks.
        metrics: For ``ingest_rejected``; the intake counts mentions.
        commit_timeout_seconds: How long a sender waits for the commit before 503.

    Raises:
        ConfigError: A token or secret is too weak, malformed or used twice.
    """
    ingest = _Ingest(sources, intake, clock, metrics, commit_timeout_seconds)
    return [
        web.post("/v1/mentions", ingest.post),
        web.post("/v1/mentions/{source}", ingest.post),
        web.options("/v1/mentions", ingest.options),
        web.options("/v1/mentions/{source}", ingest.options),
    ]


def check_secrets(
    sources: Sequence[PushSource],
) -> tuple[BearerTokens, dict[str, list[bytes]]]:
    """The tokens of all sources, and each source's webhook keys.

    Raises:
        ConfigError: A token or secret is too weak, malformed or used twice.
    """
    tokens = BearerTokens(
        (token, source.name) for source in sources for token in source.config.tokens
    )
    keys = {
        source.name: [
            webhook_key(secret, key=f"sources.{source.name}.webhook_secrets")
            for secret in source.config.webhook_secrets
        ]
        for source in sources
        if source.config.webhook_secrets
    }
    return tokens, keys


class _Ingest:
    def __init__(
        self,
        sources: Sequence[PushSource],
        intake: Intake,
        clock: Clock,
        metrics: Metrics,
        commit_timeout_seconds: float,
    ) -> None:
        self._sources = {source.name: source for source in sources}
        self._intake, self._clock, self._metrics = intake, clock, metrics
        self._commit_timeout = commit_timeout_seconds
        self._tokens, self._keys = check_secrets(sources)
        self._answered: OrderedDict[tuple[str, str, bytes], float] = OrderedDict()

    async def options(self, request: web.Request) -> web.Response:
        """The CloudEvents handshake: whether an origin may send to us at all."""
        headers = {"Allow": "POST, OPTIONS"}
        origin = request.headers.get("WebHook-Request-Origin", "")
        name = request.match_info.get("source")
        allowed = {
            one
            for source in self._sources.values()
            if name in (None, source.name)
            for one in source.config.allowed_origins
        }
        if origin and (origin in allowed or "*" in allowed):
            headers["WebHook-Allowed-Origin"] = "*" if "*" in allowed else origin
            headers["WebHook-Allowed-Rate"] = "*"
        return web.Response(status=204, headers=headers)

    async def post(self, request: web.Request) -> web.Response:
        """Take a request, or say why not."""
        try:
            return await self._post(request)
        except _RefusedError as refused:
            self._metrics.ingest_rejected.labels(refused.reason).inc()
            response = refused.response()
            if refused.detail == _UNREADABLE:
                response.force_close()  # where the next request would begin is not known
            return response

    async def _post(self, request: web.Request) -> web.Response:
        if request.headers.get("Content-Encoding", "").strip().lower() not in _ENCODINGS:
            raise _RefusedError(415, "unsupported", "Content-Encoding must be gzip or deflate")
        source, body = await self._authenticated(request)
        source.seen()
        message_id = request.headers.get("webhook-id", "")
        remembered = (source.name, message_id, sha256(body).digest() if message_id else b"")
        if message_id and self._is_answered(remembered):
            return web.json_response({"accepted": 0, "repeated": True})
        parcels = unpack(
            request.headers.get("Content-Type", ""), request.headers, body, message_id=message_id
        )
        if parcels is None:
            raise _RefusedError(
                415, "unsupported", "send application/json, application/x-ndjson or CloudEvents"
            )
        response = await self._take(source, parcels)
        if message_id:
            self._answered[remembered] = self._clock.now()
        return response

    # --- who ---

    async def _authenticated(self, request: web.Request) -> tuple[PushSource, bytes]:
        """Find out who sends, and read the body; a bearer is checked before anything is read."""
        named = request.match_info.get("source")
        authorization = request.headers.get("Authorization", "")
        if authorization:
            owner = self._tokens.owner(authorization)
            if owner is None or named not in (None, owner):
                raise _RefusedError(401, "unauthorised", "unknown token")
            source = self._sources[owner]
            return source, await self._body(request, source.config.max_body_bytes)
        candidates = [name for name in self._keys if named in (None, name)]
        if "webhook-signature" not in request.headers or not candidates:
            raise _RefusedError(401, "unauthorised", "send a bearer token or a webhook signature")
        limits = {name: self._sources[name].config.max_body_bytes for name in candidates}
        body = await self._body(request, max(limits.values()))
        outcomes = {name: self._check(name, request, body) for name in candidates}
        for name, outcome in outcomes.items():
            if outcome is SignatureCheck.VALID:
                if len(body) > limits[name]:
                    raise _RefusedError(413, "too_large", f"at most {limits[name]} bytes")
                return self._sources[name], body
        if SignatureCheck.STALE in outcomes.values():
            raise _RefusedError(401, "replayed", "webhook-timestamp is too far from now")
        raise _RefusedError(401, "unauthorised", "no webhook signature fits")

    def _check(self, name: str, request: web.Request, body: bytes) -> SignatureCheck:
        return check_webhook(
            self._keys[name],
            message_id=request.headers.get("webhook-id", ""),
            timestamp=request.headers.get("webhook-timestamp", ""),
            signatures=request.headers.get("webhook-signature", ""),
            body=body,
            now=self._clock.now(),
        )

    async def _body(self, request: web.Request, limit: int) -> bytes:
        try:
            return await read_body(request, limit)
        except BodyTooLargeError:
            raise _RefusedError(413, "too_large", f"at most {limit} bytes, unpacked") from None
        except BodyUnreadableError:
            raise _RefusedError(422, "malformed", _UNREADABLE) from None

    def _is_answered(self, remembered: tuple[str, str, bytes]) -> bool:
        """Whether the very same webhook was committed a short while ago."""
        now = self._clock.now()
        while self._answered:
            oldest, at = next(iter(self._answered.items()))
            if now - at <= REMEMBERED_SECONDS and len(self._answered) <= REMEMBERED_DELIVERIES:
                break
            del self._answered[oldest]
        return remembered in self._answered

    # --- what ---

    async def _take(self, source: PushSource, parcels: Sequence[Parcel | Dropped]) -> web.Response:
        received_at = self._clock.now()
        items: list[Decoded] = [
            parcel
            if isinstance(parcel, Dropped)
            else source.decoder.read(
                parcel.item, received_at, whole=parcel.whole, fallback_id=parcel.fallback_id
            )
            for parcel in parcels
        ]
        repaired = {str(repair): count for repair, count in source.decoder.repairs.items()}
        source.decoder.repairs.clear()
        rejected: list[dict[str, object]] = [
            {"index": index, "reason": str(item.reason), "detail": item.detail}
            for index, item in enumerate(items)
            if isinstance(item, Dropped)
        ]
        receipts = await self._commit(source.name, items)
        if rejected and not any(isinstance(item, Mention | Retraction) for item in items):
            raise _RefusedError(
                422, "malformed", "no usable item", rejected=rejected[:LISTED_REJECTIONS]
            )
        answer: dict[str, object] = {
            "accepted": sum(receipt.accepted for receipt in receipts),
            "duplicates": sum(receipt.duplicates for receipt in receipts),
            "unmatched": sum(receipt.unmatched for receipt in receipts),
            "dropped": len(rejected) + sum(receipt.dropped for receipt in receipts),
            "retractions": sum(isinstance(item, Retraction) for item in items),
        }
        if rejected:
            answer["rejected"] = rejected[:LISTED_REJECTIONS]
        if repaired:
            answer["repaired"] = repaired
        return web.json_response(answer)

    async def _commit(self, source: str, items: Sequence[Decoded]) -> list[Receipt]:
        """Hand over and wait for the commit.

        The first delivery is refused at once when the intake is full. What follows of the same request waits for
        room: its beginning is already queued, and refusing would have the sender repeat it.
        """
        try:
            async with asyncio.timeout(self._commit_timeout):
                futures: list[asyncio.Future[Receipt]] = []
                for run in runs(items):
                    delivery = delivery_of(source, run)
                    if futures:
                        futures.append(await self._intake.put(delivery))
                    else:
                        futures.append(self._intake.try_put(delivery))
                return list(await asyncio.shield(asyncio.gather(*futures)))
        except IntakeBusyError as busy:
            detail = "more is waiting than can be taken"
            raise _RefusedError(429, "busy", detail, retry_after=busy.retry_after) from busy
        except TimeoutError as error:
            detail = "not committed in time; send the same again"
            raise _RefusedError(503, "busy", detail, retry_after=5) from error
        except SentinelError as error:
            log.warning("ingest_commit_failed", source=source, error=type(error).__name__)
            detail = "could not be committed; send the same again"
            raise _RefusedError(503, "busy", detail, retry_after=15) from error
