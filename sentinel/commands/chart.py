"""A small chart of a brand's mentions with its alerts marked, in characters.

What lives here: bars, marks and dates as lines of text. What does not: colours, printing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from babel import Locale
from babel.dates import format_datetime

EIGHTHS = " ▁▂▃▄▅▆▇█"
HOUR = 3600


class Mark(msgspec.Struct, frozen=True):
    """An alert on the chart."""

    at: float
    threat: bool = True


def chart(
    hours: Mapping[int, Sequence[int]],
    marks: Sequence[Mark],
    *,
    width: int,
    height: int = 6,
    timezone: str = "UTC",
    locale: Locale | str = "en_GB",
) -> list[str]:
    """Lines of a chart: the busiest hour of each interval, alerts below it, then the dates.

    Args:
        hours: Start of the hour in epoch seconds to (mentions, negative).
        marks: Alerts.
        width: Columns that may be used.
        height: Lines of the bars.
        timezone: In which the dates are written.
        locale: In whose language.
    """
    if not hours:
        return []
    first, last = min(hours), max(hours) + HOUR
    top = max(row[0] for row in hours.values())
    left = len(str(top)) + 1
    columns = max(10, min(width - left - 1, (last - first) // HOUR))
    step = (last - first) / columns
    bars = [0] * columns
    for start, row in hours.items():
        column = min(columns - 1, int((start - first) / step))
        bars[column] = max(bars[column], row[0])
    lines = []
    for level in range(height, 0, -1):
        label = str(top) if level == height else "0" if level == 1 else ""
        body = "".join(_cell(bar / top if top else 0.0, level, height) for bar in bars)
        lines.append(f"{label:>{left}}│{body}")
    below = [" "] * columns
    for mark in marks:
        column = max(0, min(columns - 1, int((mark.at - first) / step)))
        below[column] = "▲" if mark.threat else "△"
    lines.append(" " * left + "│" + "".join(below))
    lines.append(" " * (left + 1) + _dates(first, step, columns, ZoneInfo(timezone), locale))
    return lines


def _cell(share: float, level: int, height: int) -> str:
    """One character of a bar that fills ``share`` of the height.

    >>> _cell(1.0, 6, 6), _cell(0.0, 1, 6), _cell(0.5, 6, 6)
    ('█', ' ', ' ')
    """
    filled = share * height - (level - 1)
    eighths = max(0, min(8, round(filled * 8)))
    if level == 1 and share > 0:
        eighths = max(1, eighths)
    return EIGHTHS[eighths]


def _dates(first: int, step: float, columns: int, zone: ZoneInfo, locale: Locale | str) -> str:
    line = ""
    while len(line) < columns - 8:
        moment = datetime.fromtimestamp(first + len(line) * step, zone)
        line += format_datetime(moment, "d MMM", locale=locale).ljust(12)
    return line[:columns].rstrip()
