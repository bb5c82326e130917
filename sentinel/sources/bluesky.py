"""Every public post of Bluesky through Jetstream: no key, no account.

What lives here: connection, resume, gap detection, rotation of hosts, batching. What does not: decoding
(``bluesky_decode``, ``bluesky_v2``), reconnecting after a failure (``runtime/supervise``).

The server cannot filter by text, so every post of the network comes. ``SourceContext.wants`` decides in the source
which go on; the others are only counted, as ``Delivery.dropped`` with reason ``unmatched``.

How nothing is lost: the position is the server's time of the last event, committed with the mentions. Every
connection asks again from a few seconds before it, and the store removes what comes twice. Where the server
no longer has what we ask for it says nothing and begins later: that is noticed and reported as a gap.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Literal

import aiohttp
import structlog
from yarl import URL

from sentinel.errors import ConfigError, SourceError
from sentinel.model import Dropped, DropReason, Retraction, SourceState
from sentinel.sources.base import Intake, SourceConfig, SourceContext
from sentinel.sources.batching import BATCH, Receipts, delivery_of, runs
from sentinel.sources.bluesky_decode import (
    POST,
    Event,
    Kind,
    decode_v1,
    frame_time,
    mention_of,
    read_post,
)
from sentinel.sources.bluesky_v2 import decode_v2
from sentinel.sources.canonical import Decoded

log = structlog.get_logger(__name__)

PUBLIC_HOSTS = (
    "wss://jetstream1.us-east.bsky.network",
    "wss://jetstream2.us-east.bsky.network",
    "wss://jetstream1.us-west.bsky.network",
    "wss://jetstream2.us-west.bsky.network",
)
"""https://github.com/bluesky-social/jetstream"""

MAX_FRAME = 32 << 20
"""Bytes. Real posts are below 100 kB; a frame beyond this would come again after every reconnect."""

_EARLIEST_CURSOR = 10**15
"""Smaller cursors would be sequence numbers, which mean something on one host only."""


class BlueskyConfig(SourceConfig, tag="bluesky", kw_only=True, frozen=True):
    """``[[sources]]`` with ``type = "bluesky"``.

    Attributes:
        hosts: Jetstream servers; the next one is tried after each failure.
        api: ``v1`` (``/subscribe``) or ``v2`` (``subscribeEvents``).
        rewind_seconds: How far before the position a connection begins again.
        gap_seconds: Beginning this much later than the position is a gap.
        ping_seconds: A ping that is not answered within half of this finds a half-open connection.
        silent_seconds: A connection without any event for so long is given up; 0 never.
        flush_seconds: Mentions wait at most this long for company.
        heartbeat_seconds: How often position and watermark are delivered when nothing matches.
    """

    hosts: tuple[str, ...] = PUBLIC_HOSTS
    api: Literal["v1", "v2"] = "v1"
    rewind_seconds: float = 5.0
    gap_seconds: float = 10.0
    ping_seconds: float = 20.0
    silent_seconds: float = 60.0
    flush_seconds: float = 0.25
    heartbeat_seconds: float = 5.0


class BlueskySource:
    """One Jetstream subscription at a time.

    Raises:
        ConfigError: A host is not an address.
    """

    def __init__(self, config: BlueskyConfig, context: SourceContext) -> None:
        self.name = config.name
        self.lateness_seconds = config.lateness_seconds
        self._config, self._context = config, context
        self._next_host = 0
        if not config.hosts or not all(URL(host).host for host in config.hosts):
            raise ConfigError("needs addresses like wss://host", key=f"sources.{config.name}.hosts")

    async def run(self, intake: Intake) -> None:
        """Hold one connection until it ends; the next call takes the next host.

        Raises:
            SourceError: It could not be made, fell silent, or ended.
        """
        host = self._config.hosts[self._next_host % len(self._config.hosts)]
        self._next_host += 1
        committed = intake.position(self.name)
        position = int(committed) if committed.isdecimal() else 0
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            socket = await self._connect(session, self._url(host, position))
            async with socket:
                log.info("source_connected", source=self.name, host=URL(host).host)
                await intake.report(self.name, SourceState.ALIVE, detail=f"connected to {host}")
                stream = _Stream(self._config, self._context, intake, socket, position)
                await stream.run()

    def _url(self, host: str, position: int) -> URL:
        cursor = position - round(self._config.rewind_seconds * 1e6)
        query: list[tuple[str, str]] = []
        if self._config.api == "v1":
            path = "subscribe"
            query += [("wantedCollections", POST)]
        else:
            path = "xrpc/network.bsky.jetstream.subscribeEvents"
            query += [("kinds", "commit"), ("kinds", "account"), ("collections", POST)]
        if cursor >= _EARLIEST_CURSOR:
            query.append(("cursor", str(cursor)))
        return (URL(host) / path).with_query(query)

    async def _connect(
        self, session: aiohttp.ClientSession, url: URL
    ) -> aiohttp.ClientWebSocketResponse:
        try:
            # aiohttp answers the server's own pings.
            return await session.ws_connect(
                url, heartbeat=self._config.ping_seconds, max_msg_size=MAX_FRAME
            )
        except aiohttp.WSServerHandshakeError as error:
            reason = {429: "rate_limited", 503: "refused"}.get(error.status, "protocol")
            asked = error.headers.get("Retry-After", "") if error.headers else ""
            raise SourceError(
                f"{url.host}: HTTP {error.status}",
                reason=reason,
                retry_after=float(asked) if asked.isdecimal() else None,
            ) from error
        except TimeoutError as error:
            raise SourceError(f"{url.host}: no answer", reason="timeout") from error
        except aiohttp.ClientError as error:
            raise SourceError(f"{url.host}: {error}", reason="refused") from error


class _Stream:
    """One connection's events on their way to the intake."""

    def __init__(
        self,
        config: BlueskyConfig,
        context: SourceContext,
        intake: Intake,
        socket: aiohttp.ClientWebSocketResponse,
        position: int,
    ) -> None:
        self._config, self._context = config, context
        self._intake, self._socket = intake, socket
        self._clock = context.clock
        self._decode = decode_v1 if config.api == "v1" else decode_v2
        self._prefilter = context.prefilter if config.api == "v1" else None
        self._resumed_at = position
        self._latest = position
        self._first_us = 0
        self._compared = False
        self._gap_seconds = config.gap_seconds
        self._items: list[Decoded] = []
        self._drops: Counter[DropReason] = Counter()
        self._last_event = self._last_delivery = self._clock.monotonic()
        self._flushing = asyncio.Lock()
        self._receipts = Receipts()

    async def run(self) -> None:
        tasks = {asyncio.create_task(self._read()), asyncio.create_task(self._flush_regularly())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        socket = self._socket
        while True:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT or message.type is aiohttp.WSMsgType.BINARY:
                self._take(message.data)
                if not self._compared and self._first_us:
                    await self._look_for_gap()
                if len(self._items) >= BATCH:
                    await self._flush()
            else:
                await self._flush()
                raise SourceError(
                    f"connection ended ({message.type.name}, code {socket.close_code})",
                    reason="timeout" if isinstance(message.data, TimeoutError) else "disconnected",
                )

    def _take(self, frame: str | bytes) -> None:
        """Sort one frame. Everything here runs for each post of the network: 10 to 25 microseconds."""
        self._last_event = self._clock.monotonic()
        if self._prefilter is not None and not self._prefilter(frame) and _is_creation(frame):
            self._drops[DropReason.UNMATCHED] += 1
            self._advance(frame_time(frame))
            return
        event = self._decode(frame)
        if isinstance(event, Dropped):
            self._drops[event.reason] += 1
            return
        self._advance(event.time_us)
        match event.kind:
            case Kind.CREATE | Kind.UPDATE:
                self._take_post(event)
            case Kind.DELETE:
                self._items.append(Retraction(self._config.name, mention_id=event.uri))
            case Kind.PURGE:
                self._items.append(Retraction(self._config.name, author_id=event.did))
            case Kind.OUTDATED:
                self._gap_seconds = 0.0
            case Kind.OTHER:
                pass

    def _take_post(self, event: Event) -> None:
        post = read_post(event.record)
        if isinstance(post, Dropped):
            reason = post.reason
        elif self._context.wants is None or self._context.wants(post.text, post.extras):
            now = self._clock.now()
            self._items.append(mention_of(event, post, self._config.name, now))
            return
        else:
            reason = DropReason.UNMATCHED
        self._drops[reason] += 1
        if event.kind is Kind.UPDATE:
            # We may hold its former text, which its author has taken back.
            self._items.append(Retraction(self._config.name, mention_id=event.uri))

    def _advance(self, time_us: int) -> None:
        """Never beyond our own clock: a server in the future must not close minutes that have not been."""
        self._first_us = self._first_us or time_us
        if self._latest < time_us:
            self._latest = min(time_us, max(self._latest, round(self._clock.now() * 1e6)))

    async def _look_for_gap(self) -> None:
        """Compare the first event with the position: a cursor that is too old is clamped in silence."""
        self._compared = True
        missing = (self._first_us - self._resumed_at) / 1e6
        if self._resumed_at and missing > self._gap_seconds:
            self._context.metrics.source_reconnects.labels(self._config.name, "gap").inc()
            log.warning("source_gap_found", source=self._config.name, seconds=round(missing))
            await self._intake.report(
                self._config.name, SourceState.ALIVE, detail=f"gap: {missing:.0f} s are missing"
            )

    async def _flush_regularly(self) -> None:
        config = self._config
        while True:
            await self._clock.sleep(config.flush_seconds)
            self._receipts.check()
            now = self._clock.monotonic()
            if config.silent_seconds and now - self._last_event > config.silent_seconds:
                raise SourceError(f"no event for {config.silent_seconds:g} s", reason="timeout")
            if self._items or now - self._last_delivery >= config.heartbeat_seconds:
                await self._flush()

    async def _flush(self) -> None:
        """Deliver what there is, waiting for room; position and watermark go with the last part."""
        async with self._flushing:
            items, self._items = self._items, []
            drops, self._drops = self._drops, Counter()
            latest = self._latest
            self._last_delivery = self._clock.monotonic()
            parts = list(runs(items)) or [[]]
            deliveries = [delivery_of(self._config.name, part) for part in parts[:-1]]
            deliveries.append(
                delivery_of(
                    self._config.name,
                    parts[-1],
                    position=str(latest) if latest else "",
                    watermark=latest / 1e6,
                    drops=drops,
                )
            )
            for delivery in deliveries:
                self._receipts.check()
                self._receipts.watch(await self._intake.put(delivery))


def _is_creation(frame: str | bytes) -> bool:
    """Deletions, updates and account events must be decoded whatever the prefilter says."""
    if isinstance(frame, str):
        return '"operation":"create"' in frame
    return b'"operation":"create"' in frame
