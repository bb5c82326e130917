"""Mentions from an MQTT broker, acknowledged only after they are committed.

What lives here: the connection, subscriptions, acknowledgements and what collectors say about themselves. What does
not: the messages' content (``mqtt_messages``), reconnecting (``runtime/supervise``).

How at-least-once is kept with aiomqtt 2.5, which acknowledges by itself as soon as a message is queued: paho-mqtt
beneath it is switched to manual acknowledgement. A PUBACK goes out when the delivery with the message is
committed, in the order of arrival, as the MQTT specification asks. Until then the broker keeps the message in our
persistent session and sends it again after any kind of death. ``ReceiveMaximum`` bounds what the broker sends ahead,
so a slow commit slows the broker and neither memory nor queue can overflow.

Deliberate, though it looks like a mistake: a new ``Client`` for every connection. A reused one returns from
``__aenter__`` before CONNACK after an unexpected drop, and hides a refusal.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
import ssl
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import aiomqtt
import msgspec
import structlog
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import ConnectFlags
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from sentinel.errors import ConfigError, SourceError
from sentinel.model import SourceState
from sentinel.sources.base import Intake, Receipt, SourceConfig, SourceContext
from sentinel.sources.batching import delivery_of, runs
from sentinel.sources.canonical import Decoded, Decoder
from sentinel.sources.field_map import FieldMap
from sentinel.sources.mqtt_messages import Inbound, Topics, collector_state, decode_message

log = structlog.get_logger(__name__)

WATCH_SECONDS = 0.5
HAD_SESSION = "session"
"""Position of this source: the broker keeps the real one. It tells that a session existed before."""


class MqttConfig(SourceConfig, tag="mqtt", kw_only=True, frozen=True):
    """``[[sources]]`` with ``type = "mqtt"``.

    Attributes:
        host: Of the broker.
        port: 1883, or 8883 with TLS.
        username: Empty for none.
        password: Empty for none.
        client_id: Unique per replica, or the broker throws the other one out; empty for ``sentinel-<name>``.
        tls: Whether to encrypt; the certificate is always checked.
        ca_file: Own certificate authority; empty for the system's.
        cert_file: Client certificate, if the broker asks for one.
        key_file: Its key.
        prefix: Topics are ``<prefix>/<brand>/mentions/<source>``, ``.../deletes/...`` and ``<prefix>/status/<who>``.
        topics: Further filters whose messages are mentions, for publishers with topics of their own.
        shared_group: Name of a shared subscription: replicas split the load, and order between them is lost.
        session_expiry_seconds: How long the broker keeps what comes while we are away.
        keepalive_seconds: A dead connection is noticed after one and a half times this.
        max_in_flight: Messages that the broker sends before it waits for acknowledgements.
        max_message_bytes: A larger message is dropped (and acknowledged).
        field_map: Target field to source path.
        channel: For messages that do not say.
        brand: For messages that do not say; ``<brand>`` in the topic comes before it, unless it is ``_``.
        accept_brand: Whether the brand in message and topic is believed.
    """

    host: str
    port: int = 1883
    username: str = ""
    password: str = ""
    client_id: str = ""
    tls: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    prefix: str = "sentinel/v1"
    topics: tuple[str, ...] = ()
    shared_group: str = ""
    session_expiry_seconds: int = 7 * 86_400
    keepalive_seconds: int = 30
    max_in_flight: int = 500
    max_message_bytes: int = 1 << 20
    field_map: dict[str, str] = msgspec.field(default_factory=dict)
    channel: str = ""
    brand: str = ""
    accept_brand: bool = True


class MqttSource:
    """One persistent session at one broker.

    Raises:
        ConfigError: The TLS files cannot be read, ``max_in_flight`` is out of 1-65,535, or the field map is wrong.
    """

    def __init__(self, config: MqttConfig, context: SourceContext) -> None:
        self.name = config.name
        self.lateness_seconds = config.lateness_seconds
        self.client_id = config.client_id or f"sentinel-{config.name}"
        self._config, self._context = config, context
        self._topics = Topics(config.prefix, config.topics, config.shared_group)
        self._tls = _tls(config)
        if not 1 <= config.max_in_flight <= 65_535:
            raise ConfigError("1 to 65535", key=f"sources.{config.name}.max_in_flight")
        self._decoder = Decoder(
            config.name,
            channel=config.channel,
            brand=config.brand,
            field_map=FieldMap(config.field_map, key=f"sources.{config.name}.field_map"),
            accept_brand=config.accept_brand,
        )
        self._connected_before = False
        self._offline: set[str] = set()

    async def run(self, intake: Intake) -> None:
        """Hold one connection until it ends.

        Raises:
            SourceError: It could not be made, was refused, or broke.
        """
        client = self._client()
        sessions = _watch_session(client)
        self._offline.clear()
        try:
            async with client:
                await self._subscribe(client)
                await self._announce(client, "online")
                await self._report(intake, self._session_detail(intake, sessions))
                await self._exchange(client, intake)
        except MqttConnectError as error:
            raise SourceError(f"broker refused: {error}", reason="refused") from error
        except aiomqtt.MqttError as error:
            raise SourceError(f"broker: {error}", reason=_reason(error)) from error
        finally:
            ended = client._disconnected  # noqa: SLF001 - or asyncio logs that nobody asked how it ended
            if ended.done() and not ended.cancelled():
                ended.exception()

    # --- connection ---

    def _client(self) -> aiomqtt.Client:
        config = self._config
        connect = _properties(PacketTypes.CONNECT)
        connect.SessionExpiryInterval = config.session_expiry_seconds
        connect.ReceiveMaximum = config.max_in_flight
        will = _properties(PacketTypes.WILLMESSAGE)
        will.WillDelayInterval = 5  # a quick reconnect is no outage
        client = aiomqtt.Client(
            config.host,
            config.port,
            username=config.username or None,
            password=config.password or None,
            identifier=self.client_id,
            protocol=aiomqtt.ProtocolVersion.V5,  # the default would be 3.1.1
            clean_start=False,  # the default forgets the session at every start of the process
            properties=connect,
            keepalive=config.keepalive_seconds,
            tls_context=self._tls,
            will=aiomqtt.Will(
                self._topics.status(self.client_id),
                json.dumps({"state": "offline", "reason": "lwt"}),
                qos=1,
                retain=True,
                properties=will,
            ),
        )
        client._client.manual_ack_set(True)  # noqa: SLF001 - aiomqtt 2 has no public way; the version is pinned
        return client

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        for topic in self._topics.filters():
            for code in await client.subscribe(topic, qos=1):
                # aiomqtt does not raise on a refusal.
                if not isinstance(code, int) and code.is_failure:
                    raise SourceError(f"subscription to {topic} refused: {code}", reason="refused")

    async def _announce(self, client: aiomqtt.Client, state: str) -> None:
        at = datetime.fromtimestamp(self._context.clock.now(), UTC).isoformat()
        word = {"state": state, "since": at}
        await client.publish(
            self._topics.status(self.client_id), json.dumps(word), qos=1, retain=True, timeout=3
        )

    def _session_detail(self, intake: Intake, sessions: Sequence[bool]) -> str:
        """Whether the broker still knew us; if not, what came in between is gone."""
        known = self._connected_before or intake.position(self.name) == HAD_SESSION
        self._connected_before = True
        if not known or any(sessions):
            return "connected"
        self._context.metrics.source_reconnects.labels(self.name, "gap").inc()
        log.warning("mqtt_session_lost", source=self.name)
        return "gap: the broker had forgotten our session"

    # --- messages ---

    async def _exchange(self, client: aiomqtt.Client, intake: Intake) -> None:
        """Receive and acknowledge side by side, until either fails."""
        pending: asyncio.Queue[_Pending] = asyncio.Queue()
        tasks = {
            asyncio.create_task(self._receive(client, intake, pending)),
            asyncio.create_task(self._acknowledge(client, pending)),
            asyncio.create_task(_until_broken(client)),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except asyncio.CancelledError:
            with contextlib.suppress(aiomqtt.MqttError):
                await self._announce(client, "offline")
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(
        self, client: aiomqtt.Client, intake: Intake, pending: asyncio.Queue[_Pending]
    ) -> None:
        inbox = client.messages
        batch: list[Inbound] = []
        async for message in inbox:
            collector = self._topics.collector(message.topic.value)
            inbound = Inbound(
                message.topic.value,
                message.payload,
                mid=message.mid,
                qos=message.qos,
                content_type=str(getattr(message.properties, "ContentType", "")),
                user=tuple(getattr(message.properties, "UserProperty", ())),
            )
            if collector is None:
                batch.append(inbound)
            if batch and (
                collector is not None or len(inbox) == 0 or len(batch) >= self._config.max_in_flight
            ):
                await self._deliver(intake, batch, pending)
                batch = []
            if collector is not None:
                await self._collector(intake, collector, inbound.payload)
                pending.put_nowait(_Pending(None, (inbound,)))

    async def _deliver(
        self, intake: Intake, batch: Sequence[Inbound], pending: asyncio.Queue[_Pending]
    ) -> None:
        received_at = self._context.clock.now()
        items: list[Decoded] = []
        ends: list[int] = []  # how many items there are up to and with each message
        for inbound in batch:
            items += decode_message(
                inbound, self._decoder, self._topics, received_at, self._config.max_message_bytes
            )
            ends.append(len(items))
        self._decoder.repairs.clear()
        delivered = acknowledged = 0
        for run in runs(items):
            delivered += len(run)
            future = await intake.put(delivery_of(self.name, run, position=HAD_SESSION))
            # A message that is in two deliveries is acknowledged with the second.
            complete = bisect_right(ends, delivered)
            pending.put_nowait(_Pending(future, tuple(batch[acknowledged:complete])))
            acknowledged = complete
        pending.put_nowait(_Pending(None, tuple(batch[acknowledged:])))

    async def _acknowledge(self, client: aiomqtt.Client, pending: asyncio.Queue[_Pending]) -> None:
        while True:
            entry = await pending.get()
            if entry.receipt is not None:
                try:
                    await asyncio.shield(entry.receipt)
                except Exception as error:
                    # Not committed. Leaving without acknowledgement makes the broker send it again.
                    raise SourceError("commit failed", reason="error") from error
            if _is_broken(client):
                raise SourceError("connection reset", reason="disconnected")
            for message in entry.messages:
                if message.qos:
                    client._client.ack(message.mid, message.qos)  # noqa: SLF001 - see _client

    # --- liveness ---

    async def _collector(self, intake: Intake, collector: str, payload: bytes) -> None:
        """A collector's birth or last will. An empty retained message means that it was retired."""
        if collector == self.client_id:
            return
        if collector_state(payload) is SourceState.DOWN:
            self._offline.add(collector)
        else:
            self._offline.discard(collector)
        await self._report(intake, "connected")

    async def _report(self, intake: Intake, detail: str) -> None:
        if self._offline:
            who = ", ".join(sorted(self._offline)[:5])
            await intake.report(self.name, SourceState.DOWN, detail=f"collector offline: {who}")
        else:
            await intake.report(self.name, SourceState.ALIVE, detail=detail)


class _Pending(msgspec.Struct, frozen=True):
    """Messages to acknowledge once the receipt is there; at once where there is none to wait for."""

    receipt: asyncio.Future[Receipt] | None
    messages: tuple[Inbound, ...]


async def _until_broken(client: aiomqtt.Client) -> None:
    """Raise once the connection is reset.

    uvloop (libuv) closes its handle of a socket that has an error, without a word to who reads from it: aiomqtt would learn of it
    by the keepalive only, most of a minute later.
    """
    while not _is_broken(client):  # noqa: ASYNC110 - nothing announces it, that is the point
        await asyncio.sleep(WATCH_SECONDS)  # noqa: TID251 - the network lives in real time
    raise SourceError("connection reset", reason="disconnected")


def _is_broken(client: aiomqtt.Client) -> bool:
    """Whether the system holds an error for the socket; one that is closed is aiomqtt's to tell."""
    sock = client._client.socket()  # noqa: SLF001 - aiomqtt 2 has no public way; the version is pinned
    if sock is None or sock.fileno() < 0:
        return False
    poller = select.poll()
    poller.register(sock.fileno(), 0)  # errors are told unasked
    return bool(poller.poll(0))


def _watch_session(client: aiomqtt.Client) -> list[bool]:
    """Note CONNACK's "session present", which aiomqtt does not hand on."""
    present: list[bool] = []
    paho = client._client  # noqa: SLF001 - aiomqtt 2 has no public way; the version is pinned
    handled: Any = paho.on_connect

    def on_connect(
        inner: Any, userdata: Any, flags: ConnectFlags, reason: Any, properties: Any
    ) -> None:
        present.append(bool(flags.session_present))
        handled(inner, userdata, flags, reason, properties)

    paho.on_connect = on_connect
    return present


def _properties(packet: int) -> Any:
    return Properties(packet)  # type: ignore[no-untyped-call]  # untyped in paho-mqtt


def _tls(config: MqttConfig) -> ssl.SSLContext | None:
    if not config.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=config.ca_file or None)
        if config.cert_file:
            context.load_cert_chain(config.cert_file, config.key_file or None)
    except OSError as error:
        raise ConfigError(
            f"TLS files cannot be used: {error.strerror or error}", key=f"sources.{config.name}"
        ) from error
    return context


def _reason(error: aiomqtt.MqttError) -> str:
    text = str(error).lower()
    if "timed out" in text:
        return "timeout"
    return "refused" if "refused" in text else "disconnected"
