"""Socket Mode with a watchdog.

What lives here: keeping one WebSocket to Slack. The client library reconnects by itself, but retries an address that Slack
has handed out and then refuses for ever, and never asks for a new one (seen in slack_sdk 3.47). So a connection lost for
``socket_dead_seconds`` is thrown away, and a new client begins from the beginning.
"""

from __future__ import annotations

import asyncio

import structlog
from prometheus_client import Gauge
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp

from sentinel.notify.slack.client import is_loopback, library_logger, new_client
from sentinel.notify.slack.config import SlackConfig
from sentinel.runtime.clock import Clock

log = structlog.get_logger(__name__)

PING_SECONDS = 10.0
CHECK_SECONDS = 2.0


class SocketRunner:
    """Keeps Socket Mode connected.

    Args:
        app: What interactions are given to.
        config: App token, address, and how long a lost connection is left to the library.
        clock: Real time, or a test's.
        connected: Gauge: 1 while connected.
        ping_seconds: Between the library's pings; also its delay between attempts.
        check_seconds: Between looks at the connection.
    """

    def __init__(
        self,
        app: AsyncApp,
        config: SlackConfig,
        clock: Clock,
        *,
        connected: Gauge | None = None,
        ping_seconds: float = PING_SECONDS,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        self._app, self._config, self._clock = app, config, clock
        self._gauge = connected
        self._ping_seconds, self._check_seconds = ping_seconds, check_seconds
        self.rebuilt = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._one_client()
            self.rebuilt += 1
            log.warning("slack_socket_rebuilt", times=self.rebuilt)

    async def _one_client(self) -> None:
        """Connect, and return when the connection has been lost for too long."""
        handler = self._handler()
        connecting = asyncio.create_task(
            handler.connect_async()  # type: ignore[no-untyped-call]  # untyped in slack-bolt
        )
        was_connected = False
        last_seen = self._clock.monotonic()
        try:
            while self._clock.monotonic() - last_seen < self._config.socket_dead_seconds:
                connected = await handler.client.is_connected()
                if connected:
                    last_seen = self._clock.monotonic()
                if connected != was_connected:
                    log.info("slack_socket_connected" if connected else "slack_socket_lost")
                was_connected = connected
                self._say(connected)
                await self._clock.sleep(self._check_seconds)
        finally:
            self._say(connected=False)
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
            await handler.close_async()  # type: ignore[no-untyped-call]  # untyped in slack-bolt

    def _handler(self) -> AsyncSocketModeHandler:
        config = self._config
        handler = AsyncSocketModeHandler(
            self._app,
            config.app_token,
            logger=library_logger(),
            web_client=new_client(
                config.app_token, config.base_url, timeout_seconds=config.timeout_seconds
            ),
            ping_interval=self._ping_seconds,
        )
        if is_loopback(config.base_url):
            handler.client.proxy = None
        return handler

    def _say(self, connected: bool) -> None:
        if self._gauge is not None:
            self._gauge.set(1 if connected else 0)
