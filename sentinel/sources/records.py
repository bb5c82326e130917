"""Streaming reading of NDJSON and CSV, plain or gzipped, from a path or standard input.

What lives here: bytes to lines to records, in bounded memory, with a progress callback. What does not: what a
record means (``canonical``), delivery (``files``).
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from sentinel.errors import SourceError
from sentinel.model import Dropped, DropReason
from sentinel.sources.canonical import parse_json
from sentinel.sources.field_map import TARGETS

MAX_LINE = 1 << 20
"""Bytes of one line; a longer one is dropped and reading goes on behind it."""

Format = Literal["", "ndjson", "csv"]
Progress = Callable[[int, int], None]
"""``progress(bytes_read, bytes_total)``; the total is 0 where it is not known. Counts compressed bytes."""

_JSON_SUFFIXES = {".ndjson", ".jsonl", ".json"}
_CSV_SUFFIXES = {".csv", ".tsv"}
_CHUNK = 1 << 16


class _Counted(io.RawIOBase):
    """Counts what is read from the file itself, so that progress is right for gzip too."""

    def __init__(self, raw: IO[bytes], total: int, progress: Progress | None) -> None:
        self._raw, self._total, self._progress = raw, total, progress
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the buffer is always a memoryview
        # read1 returns what is there: a live pipe must not wait for a full buffer.
        data = self._raw.read1(len(buffer)) if isinstance(self._raw, io.BufferedReader) else b""
        buffer[: len(data)] = data
        self._read += len(data)
        if self._progress is not None and data:
            self._progress(self._read, self._total)
        return len(data)


@contextmanager
def open_records(path: Path | str, progress: Progress | None = None) -> Iterator[io.BufferedReader]:
    """Open a file or standard input (``-``), unpacking gzip by its magic bytes.

    Raises:
        SourceError: It cannot be opened.
    """
    if str(path) == "-":
        yield _unpacked(_Counted(sys.stdin.buffer, 0, progress))
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed by the with below; only opening is guarded
        total = Path(path).stat().st_size
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}", reason="refused") from error
    with file:
        yield _unpacked(_Counted(file, total, progress))


def _unpacked(raw: _Counted) -> io.BufferedReader:
    buffered: io.BufferedReader = io.BufferedReader(raw, _CHUNK)
    if buffered.peek(2)[:2] != b"\x1f\x8b":
        return buffered
    return io.BufferedReader(gzip.GzipFile(fileobj=buffered), _CHUNK)


def read_records(
    stream: io.BufferedReader, name: str, form: Format = ""
) -> Iterator[tuple[int, object | Dropped]]:
    """Yield ``(line number, record)``; a record is a JSON value, a dict of a CSV row, or ``Dropped``.

    Blank lines are skipped. The first line of CSV is its header; ``,``, ``;`` and tabs are told apart by it.

    Raises:
        SourceError: The gzip stream is broken or cut short (names the line), or it is a JSON array.
    """
    form = form or _form(stream, name)
    if form == "csv":
        yield from _csv_rows(_lines(stream, name))
        return
    for number, line in _lines(stream, name):
        if isinstance(line, Dropped):
            yield number, line
        elif number == 1 and line.lstrip().startswith(b"["):
            message = f"{name}: a JSON array; write one object a line (NDJSON)"
            raise SourceError(message, reason="protocol")
        elif line.strip():
            yield number, parse_json(line)


def _form(stream: io.BufferedReader, name: str) -> Format:
    suffixes = {suffix.lower() for suffix in Path(name).suffixes[-2:]}
    if suffixes & _CSV_SUFFIXES:
        return "csv"
    if suffixes & _JSON_SUFFIXES:
        return "ndjson"
    try:
        start = stream.peek(1).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{name}: line 1: broken gzip ({error})", reason="protocol") from error
    return "ndjson" if start in (b"{", b"[", b"") else "csv"


def _lines(stream: io.BufferedReader, name: str) -> Iterator[tuple[int, bytes | Dropped]]:
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(MAX_LINE + 1)
            too_long = len(line) > MAX_LINE
            rest = line
            while too_long and rest and not rest.endswith(b"\n"):
                rest = stream.readline(_CHUNK)
        except (OSError, EOFError, zlib.error) as error:
            message = f"{name}: line {number}: broken gzip ({error})"
            raise SourceError(message, reason="protocol") from error
        if not line:
            return
        if too_long:
            yield number, Dropped(DropReason.TOO_LARGE, f"line is longer than {MAX_LINE} bytes")
        else:
            yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def _csv_rows(
    lines: Iterator[tuple[int, bytes | Dropped]],
) -> Iterator[tuple[int, object | Dropped]]:
    at = 0
    aside: list[tuple[int, Dropped]] = []

    def texts() -> Iterator[str]:
        nonlocal at
        for number, line in lines:
            at = number
            if isinstance(line, Dropped):
                aside.append((number, line))
            else:
                yield line.decode("utf-8", "replace")

    feed = texts()
    first = next(feed, "")
    delimiter = max(",;\t", key=first.count)
    header = [_column(name) for name in next(csv.reader([first], delimiter=delimiter), [])]
    rows = csv.reader(feed, delimiter=delimiter)
    while True:
        result: object | Dropped | None
        try:
            row = next(rows)
        except StopIteration:
            yield from aside
            return
        except csv.Error:
            # The module's own limit of 131,072 characters a field, most often after a quote that never closes.
            result = Dropped(DropReason.TOO_LARGE, "field is too long; is a quote left open?")
        else:
            result = {k: v for k, v in zip(header, row, strict=False) if v} if any(row) else None
        yield from aside
        aside.clear()
        if result is not None:
            yield at, _nested(result) if isinstance(result, dict) else result


def _column(name: str) -> str:
    """Canonical names are recognised in any case; others stay as they are, for the field map."""
    plain = name.strip()
    return plain.lower() if plain.lower() in TARGETS | {"lang", "ts"} else plain


def _nested(row: dict[str, str]) -> dict[str, object]:
    """Columns such as ``author.id`` become members of an object, and stay reachable by their own name."""
    result: dict[str, object] = dict(row)
    for column, value in row.items():
        if column in TARGETS and "." in column:
            outer, _, inner = column.partition(".")
            group = result.get(outer)
            result[outer] = {**(group if isinstance(group, dict) else {}), inner: value}
    return result
