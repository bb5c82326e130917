"""A Jetstream server on loopback: replays what it has from a cursor, then sends live; it can misbehave on request.

It keeps the stream's promises as documented: cursors are inclusive, a cursor that is too old is clamped in silence, one in
the future is the live tip, frames of one server are in the order of ``time_us``.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

from aiohttp import WSCloseCode, web


def post(number: int, time_us: int, text: str = "", **changes: object) -> dict[str, Any]:
    """A v1 frame that creates (or with ``operation`` changes) post ``number``."""
    operation = str(changes.pop("operation", "create"))
    did = str(changes.pop("did", "did:plc:fictional"))
    commit: dict[str, Any] = {
        "rev": "1",
        "operation": operation,
        "collection": "app.bsky.feed.post",
        "rkey": f"k{number}",
    }
    if operation != "delete":
        commit["record"] = {
            "$type": "app.bsky.feed.post",
            "createdAt": "2019-01-01T00:00:00Z",
            "text": text or f"post {number} about aurora",
            **changes,
        }
        commit["cid"] = "bafyfictional"
    return {"did": did, "time_us": time_us, "kind": "commit", "commit": commit}


def account(time_us: int, status: str, did: str = "did:plc:fictional") -> dict[str, Any]:
    inner = {"active": False, "did": did, "seq": 1, "status": status, "time": "x"}
    return {"did": did, "time_us": time_us, "kind": "account", "account": inner}


class Jetstream:
    """Use as an async context manager.

    Attributes:
        floor_us: What is older is no longer kept.
        refusals: HTTP statuses to answer the next connections with.
        close_after: Frames after which a connection is closed (once for each number in the list).
        deaf: Take no notice of pings: a half-open connection.
        queries: The query of each connection that was accepted.
    """

    def __init__(self) -> None:
        self.frames: list[str | bytes] = []
        self.floor_us = 0
        self.refusals: list[tuple[int, dict[str, str]]] = []
        self.close_after: list[int] = []
        self.deaf = False
        self.paths: list[str] = []
        self.queries: list[list[tuple[str, str]]] = []
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._sockets: set[web.WebSocketResponse] = set()
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/subscribe", self._subscribe)
        app.router.add_get("/xrpc/network.bsky.jetstream.subscribeEvents", self._subscribe)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"ws://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"server shutting down")
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def connections(self) -> int:
        return len(self.queries)

    def cursor(self, connection: int = -1) -> int:
        """The cursor that a connection asked for; 0 for none."""
        return int(dict(self.queries[connection]).get("cursor", "0"))

    async def send(self, *frames: object) -> None:
        """Append to the stream; everybody connected gets it."""
        for frame in frames:
            self.frames.append(
                frame
                if isinstance(frame, str | bytes)
                else json.dumps(frame, separators=(",", ":"))
            )
        async with self._changed:
            self._changed.notify_all()

    async def _subscribe(self, request: web.Request) -> web.StreamResponse:
        if self.refusals:
            status, headers = self.refusals.pop(0)
            return web.Response(status=status, text="not now", headers=headers)
        self.paths.append(request.path)
        self.queries.append(list(request.query.items()))
        cursor = int(request.query.get("cursor", "0"))
        socket = web.WebSocketResponse(autoping=not self.deaf)
        await socket.prepare(request)
        self._sockets.add(socket)
        limit = self.close_after.pop(0) if self.close_after else -1
        sending = asyncio.create_task(self._feed(socket, cursor, limit))
        try:
            if self.deaf:
                await asyncio.Event().wait()
            async for _ in socket:
                pass
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            self._sockets.discard(socket)
        return socket

    async def _feed(self, socket: web.WebSocketResponse, cursor: int, limit: int) -> None:
        place = 0 if cursor else len(self.frames)  # without a cursor: the live tip
        sent = 0
        while True:
            while place < len(self.frames):
                frame = self.frames[place]
                place += 1
                if _time_of(frame) < max(cursor, self.floor_us):
                    continue
                if sent == limit:
                    await socket.close(code=WSCloseCode.GOING_AWAY, message=b"bye")
                    return
                if isinstance(frame, str):
                    await socket.send_str(frame)
                else:
                    await socket.send_bytes(frame)
                sent += 1
            async with self._changed:
                await self._changed.wait()


def _time_of(frame: str | bytes) -> int:
    """Frames that are not JSON are always sent."""
    try:
        value = json.loads(frame)
        return int(value.get("time_us", 2**62)) if isinstance(value, dict) else 2**62
    except ValueError:
        return 2**62
