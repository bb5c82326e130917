"""Keeping one task alive without letting it take others down.

What lives here: the restart loop with jittered exponential back-off. What a source does inside is its own affair.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import structlog

from sentinel.errors import SourceError
from sentinel.runtime.clock import Clock

log = structlog.get_logger(__name__)


class Backoff:
    """Jittered exponential delays: ``first``, doubling to ``ceiling`` seconds, each scaled by U(0.5, 1).

    Args:
        rng: Source of jitter; inject a seeded one in tests.
    """

    def __init__(self, *, first: float = 1.0, ceiling: float = 60.0, rng: Random) -> None:
        self._first, self._ceiling, self._rng = first, ceiling, rng
        self._attempt = 0

    def reset(self) -> None:
        """Begin again at ``first``: call when things have gone well for a while."""
        self._attempt = 0

    def next(self, retry_after: float | None = None) -> float:
        """Return the next delay in seconds; what the other side asked for is a floor."""
        raw = min(self._ceiling, self._first * 2.0 ** min(self._attempt, 16))
        self._attempt += 1
        delay = raw * self._rng.uniform(0.5, 1.0)
        return max(delay, retry_after) if retry_after is not None else delay


async def supervise(
    name: str,
    run: Callable[[], Awaitable[None]],
    *,
    clock: Clock,
    backoff: Backoff,
    on_failure: Callable[[str], Awaitable[None]],
    healthy_seconds: float = 60.0,
) -> None:
    """Run ``run`` until it returns; start it again whenever it fails.

    A run that lasted ``healthy_seconds`` resets the back-off. Cancellation passes through.

    Args:
        name: Name for the log.
        run: What is kept alive.
        clock: Measures runs and waits between them.
        backoff: Delays between runs.
        on_failure: Told the reason (a closed word) before each wait.
        healthy_seconds: A run this long counts as recovered.
    """
    while True:
        began = clock.monotonic()
        try:
            await run()
        except SourceError as error:
            reason, retry_after = error.reason, error.retry_after
            log.warning("source_failed", source=name, reason=reason, error=str(error))
        except Exception:
            # One source's defect must never stop another; this is the one place that catches all.
            reason, retry_after = "crashed", None
            log.exception("source_crashed", source=name)
        else:
            return
        if clock.monotonic() - began >= healthy_seconds:
            backoff.reset()
        await on_failure(reason)
        await clock.sleep(backoff.next(retry_after))
