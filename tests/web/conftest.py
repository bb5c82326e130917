from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sentinel.runtime.clock import ReplayClock
from sentinel.runtime.metrics import Metrics
from sentinel.web.server import build_web_app
from sentinel.web.settings import WebConfig
from tests.fakes.backend import NOW, FakeBackend, FakeStatus

Client = TestClient[web.Request, web.Application]
Open = Callable[..., Awaitable[Client]]


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def status() -> FakeStatus:
    return FakeStatus()


@pytest.fixture
def wall_clock() -> ReplayClock:
    return ReplayClock(NOW)


@pytest.fixture
async def visit(
    backend: FakeBackend, status: FakeStatus, wall_clock: ReplayClock
) -> AsyncIterator[Open]:
    """A browser-like client of the whole application on loopback, with a cookie jar of its own."""
    async with AsyncExitStack() as stack:

        async def client(
            config: WebConfig | None = None, extra_routes: tuple[web.RouteDef, ...] = ()
        ) -> Client:
            app = build_web_app(
                backend,
                config or WebConfig(),
                Metrics(["bluesky"], ["slack"]),
                status,
                extra_routes,
                wall_clock=wall_clock,
            )
            jar = aiohttp.CookieJar(unsafe=True)
            return await stack.enter_async_context(TestClient(TestServer(app), cookie_jar=jar))

        yield client
