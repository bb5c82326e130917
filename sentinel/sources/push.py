"""A source that others push into over HTTP: its configuration, its decoder and its liveness.

What lives here: what the supervisor runs. The requests themselves are taken by ``web/ingest``.
"""

from __future__ import annotations

import asyncio

import msgspec

from sentinel.errors import ConfigError
from sentinel.model import SourceState
from sentinel.sources.base import Intake, SourceConfig, SourceContext
from sentinel.sources.canonical import Decoder
from sentinel.sources.field_map import FieldMap

MEBIBYTE = 1 << 20


class HttpIngestConfig(SourceConfig, tag="http", kw_only=True, frozen=True):
    """``[[sources]]`` with ``type = "http"``: one sender of ``POST /v1/mentions``.

    Attributes:
        tokens: Bearer tokens; two while one is being replaced. Each belongs to one source only.
        webhook_secrets: Standard Webhooks secrets (``whsec_...``); two while one is being replaced.
        field_map: Target field to source path; the envelope's members can be reached too.
        channel: For items that do not say.
        brand: For items that do not say.
        accept_brand: Whether the sender's own ``brand`` is believed.
        allowed_origins: Who may register by the CloudEvents handshake; ``*`` for anybody.
        max_body_bytes: Of a body after unpacking.
        silent_after_seconds: Report the source as down when nothing, not even an empty batch, came for so long; 0 never.
    """

    tokens: tuple[str, ...] = ()
    webhook_secrets: tuple[str, ...] = ()
    field_map: dict[str, str] = msgspec.field(default_factory=dict)
    channel: str = ""
    brand: str = ""
    accept_brand: bool = True
    allowed_origins: tuple[str, ...] = ()
    max_body_bytes: int = 5 * MEBIBYTE
    silent_after_seconds: float = 0.0


class PushSource:
    """Takes what is pushed; its ``run`` only watches whether anything is.

    Raises:
        ConfigError: Neither tokens nor secrets are configured, or the field map is wrong.
    """

    def __init__(self, config: HttpIngestConfig, context: SourceContext) -> None:
        if not any((*config.tokens, *config.webhook_secrets)):
            raise ConfigError(
                "needs tokens or webhook_secrets: nobody may post unsigned",
                key=f"sources.{config.name}",
            )
        self.name = config.name
        self.lateness_seconds = config.lateness_seconds
        self.config = config
        self._clock = context.clock
        self._seen = context.clock.monotonic()
        self.decoder = Decoder(
            config.name,
            channel=config.channel,
            brand=config.brand,
            field_map=FieldMap(config.field_map, key=f"sources.{config.name}.field_map"),
            accept_brand=config.accept_brand,
        )

    def seen(self) -> None:
        """Note an authenticated request: the sender lives."""
        self._seen = self._clock.monotonic()

    async def run(self, intake: Intake) -> None:
        """Report liveness until cancelled."""
        await intake.report(self.name, SourceState.ALIVE, detail="listening")
        limit = self.config.silent_after_seconds
        if limit <= 0:
            await asyncio.Event().wait()
        self.seen()
        while True:
            await self._clock.sleep(min(limit / 4, 15.0))
            if self._clock.monotonic() - self._seen > limit:
                detail = f"nothing came for {limit:g} s"
                await intake.report(self.name, SourceState.DOWN, detail=detail)
            else:
                await intake.report(self.name, SourceState.ALIVE, detail="listening")
