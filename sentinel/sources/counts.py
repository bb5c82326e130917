"""Past counts instead of mentions: ``timestamp,brand,mentions,negative[,positive][,channel]`` as CSV, plain or gzip.

What lives here: reading and checking. What does not: mentions (``files``), what is done with counts (``backtest``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from sentinel.errors import SourceError
from sentinel.model import CountRow, Dropped
from sentinel.sources.records import Progress, open_records, read_records
from sentinel.sources.times import parse_time

NEEDED = frozenset({"timestamp", "mentions", "negative"})
LARGEST = 1_000_000_000


def holds_counts(path: Path | str) -> bool:
    """Whether a file's first line names the columns of counts; standard input never does.

    Raises:
        SourceError: It cannot be opened.
    """
    if str(path) == "-":
        return False
    with open_records(path) as stream:
        try:
            first = stream.readline(4096)
        except (OSError, EOFError):
            return False
    header = first.decode("utf-8-sig", "replace").replace(";", ",").replace("\t", ",").split(",")
    return {name.strip().lower() for name in header} >= NEEDED


def read_counts(path: Path | str, progress: Progress | None = None) -> Iterator[CountRow]:
    """Read counts one row at a time.

    Raises:
        SourceError: The file cannot be opened, or a row is no count; names file and line.
    """
    with open_records(path, progress) as stream:
        for number, record in read_records(stream, str(path), "csv"):
            if isinstance(record, Dropped) or not isinstance(record, dict):
                raise SourceError(f"{path}: line {number}: cannot be read", reason="protocol")
            row = {str(name).strip().lower(): value for name, value in record.items()}
            try:
                yield _row(row)
            except ValueError as error:
                raise SourceError(f"{path}: line {number}: {error}", reason="protocol") from None


def _row(row: Mapping[str, object]) -> CountRow:
    at = parse_time(row.get("timestamp"))
    if at is None:
        raise ValueError(f"timestamp {str(row.get('timestamp'))[:40]!r} is no time")
    mentions, negative = _count(row, "mentions"), _count(row, "negative")
    positive = _count(row, "positive")
    if negative + positive > mentions:
        raise ValueError("more negative and positive mentions than mentions")
    brand, channel = str(row.get("brand", "")), str(row.get("channel", "all"))
    return CountRow(at, mentions, negative, positive, brand.strip()[:60], channel.strip()[:60])


def _count(row: Mapping[str, object], column: str) -> int:
    text = str(row.get(column, "0"))
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (0 <= value <= LARGEST and value == int(value)):
        raise ValueError(f"{column} is no count")
    return int(value)
