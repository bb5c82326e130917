"""Decoded items to deliveries, keeping the order of what people did.

What lives here: splitting and counting. What does not: when to deliver, positions (each source's own affair).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from sentinel.errors import SourceError
from sentinel.model import Dropped, DropReason, Mention, Retraction
from sentinel.sources.base import Delivery, Receipt
from sentinel.sources.canonical import Decoded

BATCH = 500
"""Items a delivery: large enough that a commit's fixed cost is spread, small enough for a short wait."""


class Receipts:
    """Remembers whether any delivery failed to commit.

    A source that resumes from a position must not go on behind a failed delivery: the next commit would move the
    position beyond what is missing.
    """

    def __init__(self) -> None:
        self._failed = False

    def watch(self, receipt: asyncio.Future[Receipt]) -> None:
        """Note the outcome whenever it comes."""
        receipt.add_done_callback(self._note)

    def check(self) -> None:
        """Raise if anything failed.

        Raises:
            SourceError: A delivery was not committed; start again from the committed position.
        """
        if self._failed:
            raise SourceError("commit failed", reason="error")

    def _note(self, receipt: asyncio.Future[Receipt]) -> None:
        self._failed |= receipt.cancelled() or receipt.exception() is not None


def runs(items: Iterable[Decoded], size: int = BATCH) -> Iterator[list[Decoded]]:
    """Split into lists of at most ``size`` in which no mention follows a retraction.

    A delivery's retractions are applied after its mentions. "Deleted, then posted again" must therefore be two
    deliveries.
    """
    run: list[Decoded] = []
    retracted = False
    for item in items:
        if len(run) >= size or (retracted and isinstance(item, Mention)):
            yield run
            run, retracted = [], False
        run.append(item)
        retracted = retracted or isinstance(item, Retraction)
    if run:
        yield run


def delivery_of(
    source: str,
    items: Iterable[Decoded],
    *,
    position: str = "",
    watermark: float = 0.0,
    drops: Mapping[DropReason, int] | None = None,
) -> Delivery:
    """One delivery with its mentions, retractions and counted drops (those among the items, and further ones)."""
    mentions: list[Mention] = []
    retractions: list[Retraction] = []
    counted = Counter(drops)
    for item in items:
        if isinstance(item, Mention):
            mentions.append(item)
        elif isinstance(item, Dropped):
            counted[item.reason] += 1
        else:
            retractions.append(item)
    return Delivery(
        source=source,
        mentions=tuple(mentions),
        retractions=tuple(retractions),
        position=position,
        watermark=watermark,
        dropped=tuple(counted.items()),
    )
