"""Plots of a study as SVG, written by hand: three simple charts are not worth a plotting library. No figure is computed here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.detection.methods import METHODS

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 62, 190, 44, 52  # margins in pixels; the legend stands at the right
FONT = "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"
# Okabe and Ito's colours, which colour-blind readers can tell apart; the marks differ too.
LOOKS = {
    "oracle": ("#000000", "line"),
    "sentinel": ("#0072B2", "circle"),
    "sentinel_own": ("#56B4E9", "ring"),
    "same_hour": ("#D55E00", "square"),
    "page_hinkley": ("#009E73", "triangle"),
    "adwin": ("#CC79A7", "diamond"),
    "gaussian": ("#8A6D00", "cross"),
    "trees": ("#777777", "down"),
}


class Chart:
    """A chart with logarithmic axes.

    Args:
        title: Shown above, and told to screen readers.
        x: Name, lowest and highest value and ticks of the x axis.
        y: The same of the y axis.
    """

    def __init__(
        self,
        title: str,
        x: tuple[str, float, float, Sequence[float]],
        y: tuple[str, float, float, Sequence[float]],
    ) -> None:
        self._x, self._y = x, y
        self._entries: list[tuple[str, str]] = []
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="{FONT}" font-size="12">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            _text(LEFT, 24, title, weight="bold", size=14),
        ]
        self._axes()

    def _axes(self) -> None:
        (x_name, _, _, x_ticks), (y_name, _, _, y_ticks) = self._x, self._y
        floor, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        for tick in y_ticks:
            at = self.at_y(tick)
            self._parts.append(_line(LEFT, at, right, at, "#ddd"))
            self._parts.append(_text(LEFT - 8, at + 4, f"{tick:g}", anchor="end"))
        for tick in x_ticks:
            at = self.at_x(tick)
            self._parts.append(_line(at, floor, at, floor + 5, "#333"))
            self._parts.append(_text(at, floor + 19, f"{tick:g}", anchor="middle"))
        self._parts.append(_line(LEFT, floor, right, floor, "#333"))
        self._parts.append(_text((LEFT + right) / 2, HEIGHT - 12, x_name, anchor="middle"))
        turn = f' transform="rotate(-90 16 {(TOP + floor) / 2:.0f})"'
        self._parts.append(_text(16, (TOP + floor) / 2, y_name, anchor="middle", more=turn))

    def at_x(self, value: float) -> float:
        """Pixels of a value; beyond the axis it is drawn at its end."""
        return LEFT + (WIDTH - RIGHT - LEFT) * _part(value, self._x[1], self._x[2])

    def at_y(self, value: float) -> float:
        """Pixels of a value; beyond the axis it is drawn at its end."""
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * _part(value, self._y[1], self._y[2])

    def level(self, value: float, words: str) -> None:
        """A dashed line across, named in the legend."""
        at = self.at_y(value)
        self._parts.append(_line(LEFT, at, WIDTH - RIGHT, at, "#000", dash="6 4"))
        self._entries.append(("oracle", words))

    def curve(self, look: str, words: str, points: Sequence[tuple[float, float]]) -> None:
        """Marks joined by a line; points with NaN are left out and break nothing."""
        places = [(self.at_x(x), self.at_y(y)) for x, y in points if not math.isnan(y)]
        colour = LOOKS[look][0]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
        )
        self._parts += [_mark(look, x, y) for x, y in places]
        self._entries.append((look, words))

    def whisker(self, look: str, x: float, shift: float, y: tuple[float, float, float]) -> None:
        """A mark with an interval: lowest, middle, highest; ``shift`` pixels beside ``x``."""
        at = self.at_x(x) + shift
        low, middle, high = (self.at_y(value) for value in y)
        self._parts.append(_line(at, low, at, high, LOOKS[look][0], width=2))
        self._parts.append(_mark(look, at, middle))

    def name(self, look: str, words: str) -> None:
        """A line of the legend."""
        self._entries.append((look, words))

    def svg(self) -> str:
        """The whole drawing."""
        parts = list(self._parts)
        for k, (look, words) in enumerate(self._entries):
            y = TOP + 12 + 22 * k
            x = WIDTH - RIGHT + 18
            if LOOKS[look][1] == "line":
                parts.append(_line(x - 7, y, x + 7, y, "#000", dash="4 3"))
            else:
                parts.append(_mark(look, x, y))
            parts.append(_text(x + 14, y + 4, words))
        return "\n".join([*parts, "</svg>"]) + "\n"


def _part(value: float, low: float, high: float) -> float:
    inside = min(high, max(low, value))
    return math.log(inside / low) / math.log(high / low)


def _text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    weight: str = "normal",
    size: int = 12,
    more: str = "",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" font-size="{size}" fill="#222"{more}>'
        f"{escape(words)}</text>"
    )


def _line(
    x1: float, y1: float, x2: float, y2: float, colour: str, *, dash: str = "", width: float = 1
) -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width:g}"{dashes}/>'


def _mark(look: str, x: float, y: float) -> str:
    colour, shape = LOOKS[look]
    if shape in ("circle", "ring"):
        fill = colour if shape == "circle" else "#fff"
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" stroke="{colour}" stroke-width="1.6"/>'
    outlines = {
        "square": "M-4 -4H4V4H-4Z",
        "triangle": "M0 -5L5 4H-5Z",
        "diamond": "M0 -6L5 0L0 6L-5 0Z",
        "down": "M0 5L5 -4H-5Z",
        "cross": "M-4 -4L4 4M4 -4L-4 4",
    }
    return f'<path transform="translate({x:.1f} {y:.1f})" d="{outlines[shape]}" fill="{colour}" stroke="{colour}" stroke-width="1.6"/>'


# ------------------------------------------------------------ the three charts
def delay_chart(study: dict[str, Any]) -> str:
    """Delay relative to the oracle by rate, every method at the same budget."""
    rates = [row["rate"] for row in study["rates"]]
    chart = Chart(
        "Delay after the onset, as a multiple of the oracle's, at the same budget",
        ("mentions a minute", rates[0] * 0.8, rates[-1] * 1.25, rates),
        ("median delay / oracle's median delay", 0.9, 100, (1, 1.5, 2, 3, 5, 10, 20, 50, 100)),
    )
    chart.level(1.0, "oracle")
    for entry in METHODS:
        cells = [(row["rate"], row["methods"][entry.name]["calibrated"]) for row in study["rates"]]
        points = [(rate, cell["ratio"]) for rate, cell in cells if cell["possible"]]
        if points:
            chart.curve(entry.name, entry.words, points)
    own = [(row["rate"], row["methods"]["sentinel"]["own"]["ratio"]) for row in study["rates"]]
    chart.curve("sentinel_own", "Sentinel, as shipped", own)
    return chart.svg()


def alarm_chart(study: dict[str, Any]) -> str:
    """False alarms at each method's own setting, with intervals."""
    rates = [row["rate"] for row in study["rates"]]
    budget = 30 / study["setup"]["budget_days"]
    chart = Chart(
        "False alarms at each method's own setting, with 95 % intervals",
        ("mentions a minute", rates[0] * 0.4, rates[-1] * 2.5, rates),
        ("false alarms a brand in 30 days", 0.03, 120, (0.03, 0.1, 0.3, 1, 3, 10, 30, 100)),
    )
    chart.level(budget, "budget")
    owners = [entry for entry in METHODS if entry.own_rung is not None]
    for k, entry in enumerate(owners):
        look = "sentinel" if entry.name == "sentinel" else entry.name
        chart.name(look, entry.words)
        for row in study["rates"]:
            alarms = row["methods"][entry.name]["own"]["false_alarms"]
            shift = 13 * (k - (len(owners) - 1) / 2)
            chart.whisker(look, row["rate"], shift, (alarms["low"], alarms["rate"], alarms["high"]))
    return chart.svg()


def trade_chart(study: dict[str, Any]) -> str:
    """What waiting for fewer false alarms costs, at the rate nearest to ten a minute."""
    row = min(study["rates"], key=lambda one: abs(math.log(one["rate"] / 10)))
    chart = Chart(
        f"Delay against false alarms, {row['rate']:g} mentions a minute",
        ("false alarms a brand in 30 days, measured", 0.1, 100, (0.1, 0.3, 1, 3, 10, 30, 100)),
        ("median delay / oracle's at one in 30 days", 0.45, 50, (0.5, 1, 1.5, 2, 3, 5, 10, 20, 50)),
    )
    chart.level(1.0, "oracle, one in 30 days")
    for entry in METHODS:
        points = [(cell["rate"], cell["ratio"]) for cell in row["methods"][entry.name]["curve"]]
        if points:
            chart.curve(entry.name, entry.words, sorted(set(points)))
    return chart.svg()


CHARTS = {
    "detection-delay.svg": delay_chart,
    "detection-false-alarms.svg": alarm_chart,
    "detection-trade.svg": trade_chart,
}
