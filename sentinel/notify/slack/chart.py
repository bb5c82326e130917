"""The native chart block: mentions, negative ones and what is usual, over time.

What lives here: one function, so that a change of Slack's shape has one place.
https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block (since June 2026): a title of at most 50
characters, at most 20 points a series, names and labels of at most 20 characters, labels and names unique.
"""

from __future__ import annotations

import math

from sentinel.notify.alert import AlertMessage
from sentinel.notify.slack.rich import Json, capitalised, safe

MAX_POINTS, MAX_LABEL, MAX_TITLE = 20, 20, 50


def chart(message: AlertMessage, block_id: str) -> Json | None:
    """A line chart of the alert's series; None where there is nothing to draw.

    More than 20 points are summed in equal groups, so that no mention is left out of the picture.
    """
    if len(message.series) < 2 or len(message.labels) != len(message.series):
        return None
    size = -(-len(message.series) // MAX_POINTS)
    groups = [message.series[i : i + size] for i in range(0, len(message.series), size)]
    labels = _unique([message.labels[i] for i in range(0, len(message.series), size)])
    heads = message.headings
    names = _unique([heads.mentions, heads.negative, heads.expected])
    values = (
        [_number(sum(point.mentions for point in group)) for group in groups],
        [_number(sum(point.negative for point in group)) for group in groups],
        [_number(sum(point.expected for point in group)) for group in groups],
    )
    return {
        "type": "data_visualization",
        "block_id": block_id,
        "title": safe(capitalised(heads.mentions), MAX_TITLE),
        "chart": {
            "type": "line",
            "series": [
                {
                    "name": name,
                    "data": [
                        {"label": label, "value": value}
                        for label, value in zip(labels, row, strict=True)
                    ],
                }
                for name, row in zip(names, values, strict=True)
            ],
            "axis_config": {"categories": labels},
        },
    }


def _unique(texts: list[str]) -> list[str]:
    """Texts within the limit, told apart where they repeat (a day's clock times come round)."""
    made: list[str] = []
    seen: dict[str, int] = {}
    for text in texts:
        label = safe(text, MAX_LABEL)
        seen[label] = seen.get(label, 0) + 1
        if seen[label] > 1:
            label = f"{safe(text, MAX_LABEL - 5)} ({seen[label]})"
        made.append(label)
    return made


def _number(value: float) -> float:
    return round(value, 1) if math.isfinite(value) else 0.0
