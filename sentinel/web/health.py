"""Whether the process lives and whether it can do its work: ``/healthz``, ``/readyz``, ``/metrics``.

What lives here: three small handlers over the ``Status`` that the app implements. What does not: how the app finds out.
These routes tell no secret and need no login, but for ``/metrics`` (``server``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from aiohttp import web
from prometheus_client.aiohttp import make_aiohttp_handler

from sentinel.runtime.metrics import Metrics

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Status(Protocol):
    """What the app knows about itself. Problems are short English phrases without secrets or addresses."""

    def alive(self) -> tuple[bool, list[str]]:
        """Whether the event loop and the pipeline still beat; if not, a restart is the cure."""
        ...

    def ready(self) -> tuple[bool, list[str]]:
        """Whether work can be done: store writable, recovery finished, configuration valid."""
        ...


def health_routes(status: Status, metrics: Metrics) -> list[web.RouteDef]:
    """Routes for probes and for Prometheus."""
    return [
        web.get("/healthz", _probe(status.alive)),
        web.get("/readyz", _probe(status.ready)),
        web.get("/metrics", make_aiohttp_handler(metrics.registry)),
    ]


def _probe(ask: Callable[[], tuple[bool, list[str]]]) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        well, problems = ask()
        body = {"status": "ok" if well else "failing", "problems": problems}
        return web.Response(
            status=200 if well else 503,
            body=msgspec.json.encode(body),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    return answer
