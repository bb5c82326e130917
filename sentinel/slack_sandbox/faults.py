"""Misbehaviour on request: which call goes wrong, how, and how often.

What lives here: the plan only. Carrying a fault out (resetting a connection, answering late) is the server's.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class FaultKind(StrEnum):
    """The ways in which Slack, or the road to it, fails."""

    ERROR = "error"  # 200 with ok:false and an error code; nothing is stored
    RATE_LIMITED = "rate_limited"  # 429 with Retry-After; nothing is stored
    ACCEPT_THEN_RESET = "accept_then_reset"  # done and stored, then the connection is reset
    RESET = "reset"  # the connection is reset before anything is done
    SLOW = "slow"  # done and stored, answered only after ``seconds``
    BAD_JSON = "bad_json"  # 500 that claims to be JSON and is not; nothing is stored
    UNAVAILABLE = "unavailable"  # 503 with an HTML page; nothing is stored


class Fault(msgspec.Struct, frozen=True):
    """One kind of failure for one method.

    Attributes:
        method: Web API method such as ``chat.postMessage``, or ``*`` for every one.
        times: How many calls it hits; 0 for every call until it is cleared.
        error: Error code for ``ERROR``.
        retry_after: Seconds for ``RATE_LIMITED``.
        seconds: Delay for ``SLOW``.
    """

    kind: FaultKind
    method: str = "*"
    times: int = 1
    error: str = "internal_error"
    retry_after: int = 1
    seconds: float = 60.0


class FaultPlan:
    """Faults that wait for their call, in the order in which they were added."""

    def __init__(self) -> None:
        self._armed: list[tuple[Fault, int]] = []

    def add(self, fault: Fault) -> None:
        """Arm a fault."""
        self._armed.append((fault, fault.times))

    def clear(self) -> None:
        """Disarm everything."""
        self._armed.clear()

    def take(self, method: str) -> Fault | None:
        """The first fault that concerns this call, used up by one."""
        for index, (fault, left) in enumerate(self._armed):
            if fault.method not in ("*", method):
                continue
            if fault.times and left <= 1:
                del self._armed[index]
            elif fault.times:
                self._armed[index] = (fault, left - 1)
            return fault
        return None

    @property
    def armed(self) -> tuple[tuple[Fault, int], ...]:
        """Faults that still wait, each with the number of calls it has left (0: no end)."""
        return tuple(self._armed)
