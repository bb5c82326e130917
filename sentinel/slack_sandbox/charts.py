"""A ``data_visualization`` block as a simple SVG picture: lines, areas or bars over categories."""

from __future__ import annotations

from markupsafe import Markup

from sentinel.slack_sandbox.workspace import Json

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 26


def chart(block: Json) -> Markup:
    """The block as a figure with a legend; a pie as a list."""
    value = block["chart"]
    body = _pie(value) if value["type"] == "pie" else _plot(value) + _legend(value)
    return Markup('<figure class="chart"><figcaption>{}</figcaption>{}</figure>').format(
        block["title"], body
    )


def _pie(value: Json) -> Markup:
    rows = (
        Markup("<li>{}: {}</li>").format(segment.get("label"), segment.get("value"))
        for segment in value["segments"]
    )
    return Markup("<ul>{}</ul>").format(Markup("").join(rows))


def _legend(value: Json) -> Markup:
    items = (
        Markup('<li class="s{}">{}</li>').format(index, series["name"])
        for index, series in enumerate(value["series"])
    )
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))


def _plot(value: Json) -> Markup:
    categories = value["axis_config"]["categories"]
    top = _nice(max((p["value"] for s in value["series"] for p in s["data"]), default=1))
    step = (WIDTH - LEFT - RIGHT) / max(len(categories) - (value["type"] != "bar"), 1)
    shapes = [_grid(top), _categories(categories, step)]
    for index, series in enumerate(value["series"]):
        points = [
            (LEFT + step * position, _height(point["value"], top))
            for position, point in enumerate(series["data"])
        ]
        if value["type"] == "bar":
            shapes.append(_bars(points, index, len(value["series"]), step))
        else:
            shapes.append(_line(points, index, area=value["type"] == "area"))
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, value["axis_config"].get("y_label", ""), Markup("").join(shapes)
    )


def _height(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)


def _nice(value: float) -> float:
    """The next round number above, for the axis."""
    magnitude = 1.0
    while value > magnitude * 10:
        magnitude *= 10
    return next((m * magnitude for m in (1, 2, 4, 5, 8, 10) if m * magnitude >= value), 1.0)


def _grid(top: float) -> Markup:
    lines = []
    for quarter in range(5):
        y = _height(top * quarter / 4, top)
        lines.append(
            Markup(
                '<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/>'
                '<text class="tick" x="{}" y="{}" text-anchor="end">{:g}</text>'
            ).format(
                LEFT, WIDTH - RIGHT, LEFT - 6, round(y + 4, 1), top * quarter / 4, y=round(y, 1)
            )
        )
    return Markup("").join(lines)


def _categories(categories: list[str], step: float) -> Markup:
    every = max(1, -(-len(categories) // 7))
    return Markup("").join(
        Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            round(LEFT + step * position, 1), HEIGHT - 8, category
        )
        for position, category in enumerate(categories)
        if position % every == 0
    )


def _line(points: list[tuple[float, float]], index: int, *, area: bool) -> Markup:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    line = Markup('<polyline class="line s{}" points="{}"/>').format(index, path)
    if not area or not points:
        return line
    floor = HEIGHT - BOTTOM
    ring = f"{points[0][0]:.1f},{floor} {path} {points[-1][0]:.1f},{floor}"
    return Markup('<polygon class="area s{}" points="{}"/>').format(index, ring) + line


def _bars(points: list[tuple[float, float]], index: int, of: int, step: float) -> Markup:
    width = step * 0.8 / of
    return Markup("").join(
        Markup('<rect class="bar s{}" x="{}" y="{}" width="{}" height="{}"/>').format(
            index,
            round(x + index * width, 1),
            round(y, 1),
            round(width, 1),
            round(HEIGHT - BOTTOM - y, 1),
        )
        for x, y in points
    )
