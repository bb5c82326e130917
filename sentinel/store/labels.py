"""What people said that posts are, with who and when.

What lives here: statements on ``labels``, each inside the caller's transaction. What does not: what follows from labels (``language``).

Nothing is ever changed but the mark of withdrawal. Of several words on one mention the newest that was not withdrawn is in force, so that
withdrawing it brings the one before back.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sentinel.language.labels import Label, Probabilities
from sentinel.store import codec
from sentinel.store.dialect import Dialect
from sentinel.store.schema import labels
from sentinel.store.unit import LabelRow


class _Blob(msgspec.Struct, frozen=True, array_like=True):
    """What of a label has no column. New fields go to the end, with a default."""

    probabilities: Probabilities
    base: Probabilities


_decode_blob = msgspec.msgpack.Decoder(_Blob).decode


async def add(connection: AsyncConnection, dialect: Dialect, label: Label) -> None:
    """Append a label; one whose id is taken is already there."""
    await connection.execute(
        dialect.upsert(labels).on_conflict_do_nothing(index_elements=["id"]),
        [
            {
                "id": codec.clean(label.id),
                "brand": codec.clean(label.brand),
                "source": codec.clean(label.source),
                "mention_id": codec.clean(label.mention_id),
                "language": label.language,
                "model_id": codec.clean(label.model_id),
                "corrected": label.corrected,
                "by": codec.clean(label.by),
                "via": label.via,
                "at": label.at,
                "drawn": label.drawn,
                "withdrawn_by": "",
                "withdrawn_at": None,
                "blob": codec.encode(_Blob(label.probabilities, label.base)),
            }
        ],
    )


async def withdraw(connection: AsyncConnection, label_id: str, by: str, at: float) -> bool:
    """Mark a label as withdrawn; False if there is no such label, or it was withdrawn before."""
    done = await connection.execute(
        update(labels)
        .where(labels.c.id == codec.clean(label_id), labels.c.withdrawn_at.is_(None))
        .values(withdrawn_by=codec.clean(by), withdrawn_at=at)
    )
    return bool(done.rowcount)


async def in_force(
    connection: AsyncConnection, brand: str | None, mention: tuple[str, str] | None
) -> list[Label]:
    """Labels in force, oldest first; of one brand, of one (source, id), or all."""
    found = select(labels).where(labels.c.withdrawn_at.is_(None)).order_by(labels.c.n)
    if brand is not None:
        found = found.where(labels.c.brand == brand)
    if mention is not None:
        source, mention_id = mention
        found = found.where(
            labels.c.source == codec.clean(source), labels.c.mention_id == codec.clean(mention_id)
        )
    newest: dict[tuple[str, str, str], Label] = {}
    for row in await connection.execute(found):
        key = (row.brand, row.source, row.mention_id)
        newest.pop(key, None)  # so that the newer word takes its own place in the order
        newest[key] = _label(row)
    return list(newest.values())


async def history(connection: AsyncConnection, brand: str | None, limit: int) -> list[LabelRow]:
    """Everything that was said, withdrawn or not, newest first."""
    found = select(labels).order_by(labels.c.n.desc()).limit(limit)
    if brand is not None:
        found = found.where(labels.c.brand == brand)
    return [
        LabelRow(_label(row), row.withdrawn_by, row.withdrawn_at)
        for row in await connection.execute(found)
    ]


def _label(row: Row[Any]) -> Label:
    blob = _decode_blob(row.blob)
    return Label(
        id=row.id,
        brand=row.brand,
        source=row.source,
        mention_id=row.mention_id,
        language=row.language,
        model_id=row.model_id,
        corrected=row.corrected,
        by=row.by,
        via=row.via,
        at=row.at,
        drawn=row.drawn,
        probabilities=blob.probabilities,
        base=blob.base,
    )
