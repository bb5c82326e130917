"""``sentinel score``: anomaly scores of a series of counts, strictly online."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from detectors.counts import CountScorer
from detectors.crisis import CrisisDetector
from sentinel.commands.progress import progress_bar
from sentinel.errors import ConfigError
from sentinel.sources.times import parse_time

Row = tuple[str, float, float, bool]
"""Timestamp as given, value, anomaly score in [0, 1], alert."""


def score(file: Path, output: Path, *, timezone: str = "UTC") -> int:
    """Score ``file`` (``timestamp,value`` or ``timestamp,mentions,negative[,positive]``) into ``output``.

    Raises:
        ConfigError: The file is not of that form; names the line.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as source:
            rows = list(csv.DictReader(source))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(str(error), path=file) from error
    columns = set(rows[0]) if rows else {"timestamp", "value"}
    if {"timestamp", "value"} <= columns:
        scored = _plain(rows, file)
    elif {"timestamp", "mentions", "negative"} <= columns:
        scored = _signed(rows, file, timezone)
    else:
        raise ConfigError(
            "needs the columns timestamp,value or timestamp,mentions,negative[,positive]",
            path=file,
            key="line 1",
        )
    try:
        target = output.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise ConfigError(error.strerror or str(error), path=output) from error
    with target, progress_bar("score") as step:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(("timestamp", "value", "anomaly_score", "alert"))
        for number, (stamp, value, anomaly, alert) in enumerate(scored, start=1):
            writer.writerow((stamp, f"{value:g}", f"{anomaly:.8f}", int(alert)))
            step(number, len(rows))
    return 0


def _plain(rows: list[dict[str, str]], file: Path) -> Iterator[Row]:
    times = [_time(row, number, file) for number, row in enumerate(rows, start=2)]
    scorer = CountScorer(bucket_seconds=_interval(times[:3]))
    last = -math.inf
    for number, (row, at) in enumerate(zip(rows, times, strict=True), start=2):
        value = _number(row, "value", number, file)
        if at <= last:  # a clock set back repeats an hour: its values are passed on unscored
            yield row["timestamp"], value, 0.0, False
            continue
        last = at
        anomaly, alert = scorer.score(int(at), value)
        yield row["timestamp"], value, anomaly, alert


def _signed(rows: list[dict[str, str]], file: Path, timezone: str) -> Iterator[Row]:
    times = [_time(row, number, file) for number, row in enumerate(rows, start=2)]
    detector = CrisisDetector(_interval(times[:3]), timezone=timezone)
    last = -math.inf
    for number, (row, at) in enumerate(zip(rows, times, strict=True), start=2):
        mentions = _number(row, "mentions", number, file)
        negative = _number(row, "negative", number, file)
        positive = _number(row, "positive", number, file) if row.get("positive") else 0.0
        if at <= last:
            raise ConfigError("is not after the line before it", path=file, key=f"line {number}")
        last = at
        try:
            nats = detector.step(int(at), int(mentions), negative, positive)
        except ValueError as error:
            raise ConfigError(str(error), path=file, key=f"line {number}") from error
        # Half at the threshold: a fixed, monotone map of nats onto [0, 1].
        yield (
            row["timestamp"],
            mentions,
            nats / (nats + detector.threshold) if nats > 0 else 0.0,
            nats >= detector.threshold,
        )


def _interval(times: Iterable[float]) -> int:
    """Distance of the first two values: all that may be known without looking ahead."""
    first = list(times)
    return max(1, int(first[1] - first[0])) if len(first) > 1 else 300


def _time(row: dict[str, str], number: int, file: Path) -> float:
    text = (row.get("timestamp") or "").strip()
    at = parse_time(text)
    if at is None:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ConfigError(
                f"{text[:40]!r} is no time", path=file, key=f"line {number}"
            ) from None
        at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return at


def _number(row: dict[str, str], column: str, number: int, file: Path) -> float:
    try:
        value = float(row[column])
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ConfigError(f"{column} is no count", path=file, key=f"line {number}")
    return value
