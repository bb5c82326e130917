"""Reading other people's times: RFC 3339, epoch numbers of any unit, and what feeds write.

What lives here: parsing alone. Clamping to the time of receipt is ``canonical``'s affair.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

EARLIEST = 631_152_000.0
"""1990-01-01: no post is older than the web; an earlier time is a broken clock or an unset field."""

LATEST = 253_402_300_800.0
"""The year 10000."""

_NUMBER = re.compile(r"[+-]?\d{9,20}(\.\d+)?", re.ASCII)
_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))
"""Below the first figure, divide by the second: seconds, milli-, micro-, nanoseconds (until the year 5138)."""


def parse_time(value: object) -> float | None:
    """Read a time as epoch seconds; None when it is not one, or before 1990, or beyond the year 9999.

    Strings: RFC 3339 / ISO 8601 (without an offset: UTC), digits as epoch, RFC 2822. Numbers: epoch seconds,
    milli-, micro- or nanoseconds by magnitude. Never raises.

    >>> parse_time("2026-11-22T07:01:04Z") == parse_time(1795330864000) == 1795330864.0
    True
    >>> parse_time("yesterday") is None
    True
    """
    if isinstance(value, str):
        moment = _from_text(value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        moment = _from_number(value)
    else:
        return None
    if moment is None or not EARLIEST <= moment < LATEST:
        return None
    return moment


def _from_number(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number):
        return None
    for bound, unit in _UNITS:
        if abs(number) < bound:
            return number / unit
    return None


def _from_text(text: str) -> float | None:
    if len(text) > 64:
        return None
    if _NUMBER.fullmatch(text):
        return _from_number(float(text))
    try:
        return _seconds(datetime.fromisoformat(text.replace(":60", ":59", 1)))  # leap second
    except (ValueError, OverflowError):
        pass
    try:
        return _seconds(parsedate_to_datetime(text))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
