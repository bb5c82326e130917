"""PagerDuty's Events API v2 on loopback, with its de-duplication: https://developer.pagerduty.com/docs/events-api-v2/overview/"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

KEY = "K" * 32


class FakePagerDuty:
    """``alerts`` holds the state of each alert by its key; ``answers`` are given first, one a request."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.alerts: dict[str, list[str]] = {}
        self.answers: list[web.Response | str] = []
        self.base_url = ""

    async def enqueue(self, request: web.Request) -> web.StreamResponse:
        answer = self.answers.pop(0) if self.answers else None
        if answer == "hang":
            await asyncio.sleep(30)
        if answer == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if isinstance(answer, web.Response):
            return answer
        event = await request.json()
        if len(event.get("routing_key", "")) != 32 or request.content_type != "application/json":
            return web.json_response(
                {
                    "status": "invalid event",
                    "message": "Event object is invalid",
                    "errors": ["Length of 'routing_key' is incorrect (should be 32 characters)"],
                },
                status=400,
            )
        self.events.append(event)
        self._apply(event["event_action"], event["dedup_key"])
        body = {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}
        return web.json_response(body, status=202)

    def _apply(self, action: str, key: str) -> None:
        alerts = self.alerts.setdefault(key, [])
        is_open = bool(alerts) and alerts[-1] != "resolved"
        if action == "trigger" and not is_open:
            alerts.append("triggered")
        elif action == "acknowledge" and is_open:
            alerts[-1] = "acknowledged"
        elif action == "resolve" and is_open:
            alerts[-1] = "resolved"


@asynccontextmanager
async def pagerduty_server() -> AsyncIterator[FakePagerDuty]:
    fake = FakePagerDuty()
    app = web.Application()
    app.router.add_post("/v2/enqueue", fake.enqueue)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    fake.base_url = str(server.make_url(""))
    try:
        yield fake
    finally:
        await server.close()
