"""``sentinel language corrections``: what people said that posts are, and what came of it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from sentinel.language.corrections import Layer, Layers, Outcome
from sentinel.language.labels import UNRELATED, Label, tally
from sentinel.store import Store

MEANING = {
    Outcome.IN_SERVICE: "in use",
    Outcome.TOO_FEW: "not yet: too few labels, in all or of a class",
    Outcome.ONE_SIDED: "not yet: only errors were told",
    Outcome.NO_SIGNAL: "refused: no better than a guess",
    Outcome.LOG_LOSS: "refused: log-loss not clearly better",
    Outcome.MACRO_F1: "refused: macro-F1 worse",
}


def corrections(config_path: Path, database: str = "", *, as_json: bool = False) -> int:
    """Print the labels in force, counted, and what was learnt from them; works beside a running service.

    Args:
        config_path: Says where the database is; not needed when ``database`` is given.
        database: A database file in place of the configured one.
        as_json: One label a line instead of tables.

    Raises:
        ConfigError: The configuration is wrong.
        StoreError: The database cannot be read.
    """
    if not database:
        from sentinel.config import database_of  # noqa: PLC0415 - knows every vendor's settings: slow

        database = database_of(config_path)
    labels = asyncio.run(_labels(database))
    if as_json:
        for label in labels:
            sys.stdout.buffer.write(msgspec.json.encode(label) + b"\n")
        return 0
    if not labels:
        Console(stderr=True).print("Nobody has judged a post yet.")
        return 0
    Console().print(_counted(labels))
    Console().print(_learnt(list(Layers(labels))))
    return 0


async def _labels(database: str) -> list[Label]:
    store = await Store.look(database)
    try:
        return await store.labels()
    finally:
        await store.close()


def _counted(labels: list[Label]) -> Table:
    columns = ("brand", "language", "labels", "drawn", "confirmed", "corrected", "not about us")
    table = Table(*columns, title="What people said")
    for (brand, language), counts in sorted(tally(labels).items()):
        drawn = sum(one.drawn for one in labels if (one.brand, one.language) == (brand, language))
        right = sum(number for (said, truth), number in counts.items() if said == truth)
        other = sum(number for (_, truth), number in counts.items() if truth == UNRELATED)
        total = counts.total()
        row = (total, drawn, right, total - right - other, other)
        table.add_row(brand, language, *map(str, row))
    return table


def _learnt(layers: list[Layer]) -> Table:
    columns = ("scorer", "brand", "language", "labels", "log-loss", "macro-F1", "version", "state")
    table = Table(
        *columns, title="What was learnt, alone → with it, on labels before it learnt them"
    )
    for layer in layers:
        judged = bool(layer.judges)
        table.add_row(
            layer.group.model_id,
            layer.group.brand,
            layer.group.language,
            str(layer.labels),
            "{:.3f} → {:.3f}".format(*layer.log_loss) if judged else "",
            "{:.3f} → {:.3f}".format(*layer.macro_f1) if judged else "",
            layer.version,
            MEANING[layer.outcome],
        )
    return table
