"""The conversation as a picture: an inline SVG of mentions, negative ones and what is usual.

What lives here: one function from points to mark-up; colours are the style sheet's (``.chart``), so that it follows
light and dark. What does not: anything from a mention: only numbers and our own labels come in here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from sentinel.model import SeriesPoint

WIDTH, HEIGHT = 640, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 6, 8, 22
_SHOWN_LABELS = 6


def chart(
    points: Sequence[SeriesPoint], labels: Sequence[str], title: str, *, compact: bool = False
) -> Markup:
    """Bars of mentions with their negative part, and the usual level as a line.

    Args:
        points: Oldest first; none gives an empty string.
        labels: Wall clock of each point, as long as ``points``.
        title: What a screen reader says.
        compact: Without axes, for a list of incidents.

    Returns:
        Safe mark-up: every text in it is escaped.
    """
    if not points:
        return Markup("")
    width, height = (160, 40) if compact else (WIDTH, HEIGHT)
    left, right, top, bottom = (0, 0, 2, 1) if compact else (_LEFT, _RIGHT, _TOP, _BOTTOM)
    tallest = max(max(point.mentions, _finite(point.expected)) for point in points)
    ceiling = tallest if compact else _round_up(tallest)
    ceiling = max(ceiling, 1.0)
    step = (width - left - right) / len(points)
    base = height - bottom

    def y(value: float) -> float:
        return base - (base - top) * min(value / ceiling, 1.0)

    parts = [
        Markup(
            '<svg class="chart" viewBox="0 0 {} {}" preserveAspectRatio="{}" role="img" aria-label="{}">'
        ).format(width, height, "none" if compact else "xMidYMid", title)
    ]
    if not compact:
        parts += [
            _grid(left, width - right, y(share * ceiling), share * ceiling) for share in (0.5, 1)
        ]
        parts.append(_line("axis", left, base, width - right, base))
    for i, point in enumerate(points):
        x, w = left + i * step + step * 0.1, step * 0.8
        parts.append(_bar("all", x, y(point.mentions), w, base))
        parts.append(_bar("negative", x, y(min(point.negative, point.mentions)), w, base))
    usual = " ".join(
        f"{left + (i + 0.5) * step:.1f},{y(_finite(point.expected)):.1f}"
        for i, point in enumerate(points)
    )
    parts.append(Markup('<polyline class="usual" points="{}"/>').format(usual))
    if not compact:
        every = max(1, math.ceil(len(points) / _SHOWN_LABELS))
        parts += [
            _text("middle", left + (i + 0.5) * step, height - 6, labels[i])
            for i in range(0, min(len(points), len(labels)), every)
        ]
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _finite(value: float) -> float:
    return max(value, 0.0) if math.isfinite(value) else 0.0


def _round_up(value: float) -> float:
    """The next of 2, 4, 10, 20, 40, 100 ...: halves of it are whole numbers."""
    if value <= 2:
        return 2.0
    scale = 10.0 ** math.floor(math.log10(value))
    return next(scale * lead for lead in (1.0, 2.0, 4.0, 6.0, 8.0, 10.0) if value <= scale * lead)


def _bar(kind: str, x: float, y: float, width: float, base: float) -> Markup:
    height = base - y
    if height <= 0:
        return Markup("")
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        kind, x, y, width, height
    )


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
        kind, x1, y1, x2, y2
    )


def _text(anchor: str, x: float, y: float, text: str) -> Markup:
    return Markup('<text text-anchor="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(
        anchor, x, y, text
    )


def _grid(left: float, right: float, y: float, value: float) -> Markup:
    return _line("grid", left, y, right, y) + _text("end", left - 5, y + 4, f"{value:g}")
