"""Mentions from NDJSON and CSV files (plain or gzip) and from standard input.

What lives here: ``read_mentions``, the plain iterator behind ``sentinel backtest``, and ``FileSource``, which
delivers a file through the live path. What does not: parsing of lines (``records``) and of mentions (``canonical``).
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from zlib import crc32

import msgspec
import structlog

from sentinel.errors import SourceError
from sentinel.model import Dropped, Mention, SourceState
from sentinel.sources.base import Intake, Receipt, SourceConfig, SourceContext
from sentinel.sources.batching import BATCH, Receipts, delivery_of, runs
from sentinel.sources.canonical import Decoded, Decoder
from sentinel.sources.field_map import FieldMap
from sentinel.sources.records import Format, Progress, open_records, read_records

log = structlog.get_logger(__name__)


class FileConfig(SourceConfig, tag="file", kw_only=True, frozen=True):
    """``[[sources]]`` with ``type = "file"``.

    Attributes:
        path: A file, or ``-`` for standard input.
        format: ``ndjson`` or ``csv``; empty to tell by name or content.
        field_map: Target field to source path, see ``docs/sources.md``.
        channel: For lines that do not say.
        brand: For lines that do not say.
        ordered: Lines come in the order of their times, so that the last one tells how far the file is.
    """

    path: str
    format: Format = ""
    field_map: dict[str, str] = msgspec.field(default_factory=dict)
    channel: str = ""
    brand: str = ""
    ordered: bool = False


def read_mentions(
    path: Path | str,
    field_map: FieldMap | Mapping[str, str] | None = None,
    *,
    source: str,
    channel: str = "",
    brand: str = "",
    form: Format = "",
    progress: Progress | None = None,
) -> Iterator[Decoded]:
    """Read past mentions one by one, in the order of the file and in bounded memory.

    The time of receipt is the event time, as if each had come at once. An item without an id gets one from its
    line number and content.

    Args:
        path: NDJSON or CSV, plain or gzip; ``-`` is standard input.
        field_map: Target field to source path.
        source: Becomes ``Mention.source``.
        channel: For items that do not say.
        brand: For items that do not say.
        form: ``ndjson`` or ``csv``; empty to tell by name or content.
        progress: Called with bytes read and total (0 if not known).

    Raises:
        SourceError: The file cannot be opened, or its gzip stream is broken; names file and line.
        ConfigError: The field map is wrong.
    """
    decoder = Decoder(
        source, channel=channel, brand=brand, field_map=_checked(field_map), live=False
    )
    for _, item in _decoded(path, decoder, None, form=form, progress=progress):
        yield item


def _checked(field_map: FieldMap | Mapping[str, str] | None) -> FieldMap:
    return field_map if isinstance(field_map, FieldMap) else FieldMap(field_map)


def _decoded(
    path: Path | str,
    decoder: Decoder,
    received_at: float | None,
    *,
    form: Format,
    progress: Progress | None = None,
    skip: int = 0,
) -> Iterator[tuple[int, Decoded]]:
    with open_records(path, progress) as stream:
        for number, record in read_records(stream, str(path), form):
            if number <= skip:
                continue
            if isinstance(record, Dropped):
                yield number, record
                continue
            fallback = ""
            if isinstance(record, dict) and record.get("id") in (None, ""):
                fallback = f"line:{number}:{crc32(repr(record).encode(errors='replace')):08x}"
            yield number, decoder.read(record, received_at, fallback_id=fallback)


_Item = tuple[int, Decoded] | BaseException | None


class _Reader(threading.Thread):
    """Reads in a thread of its own: standard input blocks, and must hold up neither the loop nor the exit."""

    def __init__(self, items: Iterator[tuple[int, Decoded]], ready: asyncio.Event) -> None:
        super().__init__(name="file-reader", daemon=True)
        self._items, self._ready = items, ready
        self._loop = asyncio.get_running_loop()
        self._queue: queue.Queue[_Item] = queue.Queue(BATCH)
        self._stopped = threading.Event()

    def run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
            self._put(None)
        except Exception as error:  # noqa: BLE001 - carried to the loop and raised there
            self._put(error)

    def stop(self) -> None:
        self._stopped.set()

    def take(self) -> list[_Item]:
        """Everything that has been read by now."""
        items: list[_Item] = []
        with contextlib.suppress(queue.Empty):
            while len(items) < BATCH:
                items.append(self._queue.get_nowait())
        return items

    def _put(self, item: _Item) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._ready.set)
            return True
        return False


class FileSource:
    """Delivers a file once through the live path; returns when all of it is committed.

    The position is ``line:checksum of the file's beginning``: another file under the same name starts anew.
    """

    def __init__(self, config: FileConfig, context: SourceContext) -> None:
        self.name = config.name
        self.lateness_seconds = config.lateness_seconds
        self._config, self._clock = config, context.clock
        self._map = FieldMap(config.field_map, key=f"sources.{config.name}.field_map")

    async def run(self, intake: Intake) -> None:
        """Deliver all lines after the committed position.

        Raises:
            SourceError: The file cannot be opened, its gzip stream is broken, or a commit failed.
        """
        config = self._config
        mark = _fingerprint(config.path)
        line, _, known = intake.position(self.name).partition(":")
        skip = int(line) if mark and known == mark and line.isdecimal() else 0
        decoder = Decoder(
            self.name, channel=config.channel, brand=config.brand, field_map=self._map
        )
        ready = asyncio.Event()
        received_at = self._clock.now()
        reader = _Reader(
            _decoded(config.path, decoder, received_at, form=config.format, skip=skip), ready
        )
        await intake.report(self.name, SourceState.ALIVE, detail="reading")
        reader.start()
        try:
            await self._deliver(intake, reader, ready, mark)
        finally:
            reader.stop()
        if decoder.repairs:
            log.info("items_repaired", source=self.name, **dict(decoder.repairs))

    async def _deliver(
        self, intake: Intake, reader: _Reader, ready: asyncio.Event, mark: str
    ) -> None:
        receipt: asyncio.Future[Receipt] | None = None
        receipts = Receipts()
        watermark = 0.0
        while True:
            await ready.wait()
            ready.clear()
            while items := reader.take():
                found = [item for item in items if isinstance(item, tuple)]
                done = 0
                for run in runs(item for _, item in found):
                    receipts.check()
                    done += len(run)
                    position = f"{found[done - 1][0]}:{mark}" if mark else ""
                    if self._config.ordered:
                        times = (one.published_at for one in run if isinstance(one, Mention))
                        watermark = max(times, default=watermark)
                    receipt = await intake.put(
                        delivery_of(self.name, run, position=position, watermark=watermark)
                    )
                    receipts.watch(receipt)
                last = items[-1]
                if isinstance(last, BaseException):
                    raise last
                if last is None:
                    if receipt is not None:
                        await asyncio.wait({receipt})
                    receipts.check()
                    return


def _fingerprint(path: str) -> str:
    if path == "-":
        return ""
    try:
        with Path(path).open("rb") as file:
            return f"{crc32(file.read(1024)):08x}"
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}", reason="refused") from error
