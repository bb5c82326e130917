"""The contract between sources and the rest: what a source must do, and what it hands over.

A source turns one vendor's format into ``Mention`` values and hands them to the ``Intake`` in ``Delivery``
batches. It never matches, scores or stores. Delivery is at least once: the store removes duplicates by
``(source, id)``. A source saves no position itself: it puts it on the delivery, and the position is committed
in the same transaction as the mentions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

import msgspec

from sentinel.errors import SentinelError
from sentinel.model import DropReason, Mention, Retraction, SourceState
from sentinel.runtime.clock import Clock
from sentinel.runtime.metrics import Metrics

Wants = Callable[[str, tuple[str, ...]], bool]
"""``wants(text, mentions_of)``: whether any configured brand may be concerned. May err towards yes."""

Prefilter = Callable[[bytes | str], bool]
"""The same on a raw frame, before it is decoded: cheaper, and must err towards yes."""


class SourceConfig(
    msgspec.Struct,
    tag_field="type",
    forbid_unknown_fields=True,
    kw_only=True,
    frozen=True,
):
    """What every ``[[sources]]`` table has; each source adds its own keys.

    Attributes:
        name: Unique, a metric label and part of every mention's identity: never rename it lightly.
        enabled: False keeps the table and does not start the source.
        lateness_seconds: How long after a minute's end its mentions may still come.
    """

    name: str
    enabled: bool = True
    lateness_seconds: float = 120.0

    def __repr__(self) -> str:
        """Name and kind alone: other keys may be secrets, and a repr ends up in logs."""
        return f"{type(self).__name__}(name={self.name!r})"


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What the app hands to every source's factory.

    Attributes:
        clock: The only source of time.
        metrics: For what only the source can see; the intake counts mentions, lag and liveness.
        rng: Jitter; seeded in tests.
        wants: Cheap test of a text against all brands, for sources that see a whole network.
        prefilter: The same on raw frames; None to decode everything.
    """

    clock: Clock
    metrics: Metrics
    rng: Random
    wants: Wants | None = None
    prefilter: Prefilter | None = None


class IntakeBusyError(SentinelError):
    """The intake queue is full: come back after ``retry_after`` seconds.

    Attributes:
        retry_after: Seconds.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"intake is full; retry after {retry_after:g} s")
        self.retry_after = retry_after


class Delivery(msgspec.Struct, frozen=True):
    """What a source hands over at once; committed whole or not at all.

    Attributes:
        position: Opaque resume point after this delivery; empty to leave the stored one.
        watermark: Event time up to which the source has now delivered everything; 0 if unknown.
        dropped: What the source had to throw away, counted by reason.
    """

    source: str
    mentions: tuple[Mention, ...] = ()
    retractions: tuple[Retraction, ...] = ()
    position: str = ""
    watermark: float = 0.0
    dropped: tuple[tuple[DropReason, int], ...] = ()


class Receipt(msgspec.Struct, frozen=True):
    """What became of a delivery, told once it is durably committed.

    Attributes:
        accepted: New and concerning a brand.
        duplicates: ``(source, id)`` was known with the same text.
        unmatched: No brand's term.
        dropped: Not used for another reason; ``Delivery.dropped`` is not counted again here.
    """

    accepted: int = 0
    duplicates: int = 0
    unmatched: int = 0
    dropped: int = 0


class Intake(Protocol):
    """Where sources put what they have. The app implements it."""

    async def put(self, delivery: Delivery) -> asyncio.Future[Receipt]:
        """Queue a delivery, waiting for room. The future resolves after the commit."""
        ...

    def try_put(self, delivery: Delivery) -> asyncio.Future[Receipt]:
        """Queue a delivery or refuse at once.

        Raises:
            IntakeBusyError: The queue is full.
        """
        ...

    async def report(self, source: str, state: SourceState, *, detail: str = "") -> None:
        """Tell that a source came alive or went down; repeated reports are cheap."""
        ...

    def position(self, source: str) -> str:
        """The last committed position of a source, or an empty string."""
        ...


class Source(Protocol):
    """One configured source."""

    name: str
    """From the configuration; a metric label."""

    lateness_seconds: float
    """How long after a minute's end its mentions may still come, where no watermark is known."""

    async def run(self, intake: Intake) -> None:
        """Deliver until cancelled, or return when there is nothing more to come.

        Raises:
            SourceError: The connection or the format failed; the supervisor starts the source again.
        """
        ...
