"""Socket Mode as Slack's side of it: tickets, hello, envelopes, acknowledgements, disconnects.

What lives here: the WebSocket end only. What an envelope carries is in ``interactions``.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from sentinel.slack_sandbox.workspace import APP_ID, Json

ACK_SECONDS = 3.0


class SocketHub:
    """All open Socket Mode connections of the app.

    Attributes:
        issued: Tickets given out by ``apps.connections.open`` so far.
        refusing: While set, the handshake of every *already issued* ticket is answered 403; only a ticket issued
            after it has been unset works again. This is the dead address that clients must not retry for ever.
        handshakes: Handshakes tried, with any outcome.
        acknowledged: Envelope ids that the app acknowledged.
    """

    def __init__(self) -> None:
        self.issued = 0
        self.handshakes = 0
        self.refusing = False
        self.acknowledged: list[str] = []
        self._dead: set[str] = set()
        self._open: list[web.WebSocketResponse] = []
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._envelopes = 0

    def issue(self, address: str) -> str:
        """A new address for one connection; ``address`` is ``host:port``."""
        self.issued += 1
        ticket = str(self.issued)
        if self.refusing:
            self._dead.add(ticket)
        return f"ws://{address}/link/?ticket={ticket}&app_id={APP_ID}"

    @property
    def connected(self) -> bool:
        """Whether the app has a live connection."""
        return any(not socket.closed for socket in self._open)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The WebSocket endpoint."""
        self.handshakes += 1
        ticket = request.query.get("ticket", "")
        known = ticket.isdigit() and 1 <= int(ticket) <= self.issued
        if not known or ticket in self._dead:
            return web.Response(status=403, text="ticket refused")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._open.append(socket)
        try:
            await socket.send_json(
                {
                    "type": "hello",
                    "num_connections": len(self._open),
                    "debug_info": {"host": "sandbox", "approximate_connection_time": 18060},
                    "connection_info": {"app_id": APP_ID},
                }
            )
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    self._acknowledge(frame.data)
        finally:
            self._open.remove(socket)
        return socket

    def _acknowledge(self, data: str) -> None:
        try:
            frame = msgspec.json.decode(data, type=dict[str, Any])
        except msgspec.DecodeError:
            return
        envelope = str(frame.get("envelope_id", ""))
        waiting = self._waiting.get(envelope)
        if waiting is not None and not waiting.done():
            self.acknowledged.append(envelope)
            waiting.set_result(frame)

    async def deliver(self, payload: Json, *, envelope: str = "") -> Json | None:
        """Send an interaction through the newest connection; its acknowledgement, or None after three seconds.

        Args:
            payload: What happened.
            envelope: An envelope id used before, to deliver the same thing again.
        """
        socket = next(s for s in reversed(self._open) if not s.closed)
        self._envelopes += 1
        name = envelope or f"sandbox-{self._envelopes}"
        waiting: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[name] = waiting
        try:
            await socket.send_json(
                {
                    "envelope_id": name,
                    "payload": payload,
                    "type": "interactive",
                    "accepts_response_payload": False,
                }
            )
            return await asyncio.wait_for(waiting, ACK_SECONDS)
        except (TimeoutError, ConnectionError):
            return None
        finally:
            del self._waiting[name]

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Tell every connection to go, as Slack does at a refresh."""
        for socket in tuple(self._open):
            with contextlib.suppress(ConnectionError):
                await socket.send_json({"type": "disconnect", "reason": reason})

    async def drop(self) -> None:
        """Close every connection without a word; with ``refusing`` set, its next address is dead too."""
        for socket in tuple(self._open):
            await socket.close()
