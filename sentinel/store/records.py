"""Journal, positions, snapshots, incidents and effects: what the core's state is rebuilt and told from.

What lives here: statements, each inside the caller's transaction. What does not: the archive and the outbox.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sentinel.model import Command, Effect, Incident, Sighting
from sentinel.store import codec
from sentinel.store.dialect import Dialect
from sentinel.store.schema import (
    effects,
    incidents,
    journal,
    mentions,
    notifier_refs,
    positions,
    snapshots,
)
from sentinel.store.unit import EntryKind, JournalEntry, Snapshot

decode_command = msgspec.msgpack.Decoder(Command).decode


def _incident_of(entry: JournalEntry) -> str:
    return decode_command(entry.payload).incident_id if entry.kind is EntryKind.COMMAND else ""


# --- writing --------------------------------------------------------------------------------------


async def add_journal(
    connection: AsyncConnection, dialect: Dialect, entries: Sequence[JournalEntry]
) -> None:
    """Append entries; one whose number is taken is already there."""
    if entries:
        await connection.execute(
            dialect.upsert(journal).on_conflict_do_nothing(index_elements=["seq"]),
            [
                {
                    "seq": entry.seq,
                    "at": entry.at,
                    "kind": entry.kind.value,
                    "incident_id": codec.clean(_incident_of(entry)),
                    "payload": entry.payload,
                }
                for entry in entries
            ],
        )


async def put_positions(
    connection: AsyncConnection, dialect: Dialect, resume: Mapping[str, str]
) -> None:
    """Replace the resume points of these sources."""
    if resume:
        statement = dialect.upsert(positions)
        statement = statement.on_conflict_do_update(
            index_elements=["source"], set_={"position": statement.excluded.position}
        )
        rows = [{"source": source, "position": position} for source, position in resume.items()]
        await connection.execute(statement, rows)


async def put_snapshots(
    connection: AsyncConnection, dialect: Dialect, newer: Sequence[Snapshot]
) -> None:
    """Replace older snapshots of these brands."""
    if newer:
        statement = dialect.upsert(snapshots)
        row = statement.excluded
        statement = statement.on_conflict_do_update(
            index_elements=["brand"],
            set_={"seq": row.seq, "at": row.at, "blob": row.blob},
            where=row.seq >= snapshots.c.seq,
        )
        await connection.execute(
            statement, [msgspec.structs.asdict(snapshot) for snapshot in newer]
        )


async def put_incidents(
    connection: AsyncConnection,
    dialect: Dialect,
    views: Sequence[Incident],
    gone: Collection[tuple[str, str]],
) -> None:
    """Store the newest view of incidents; an older revision never replaces a newer one."""
    if views:
        statement = dialect.upsert(incidents)
        row = statement.excluded
        statement = statement.on_conflict_do_update(
            index_elements=["id"],
            set_={column.name: row[column.name] for column in incidents.c if column.name != "id"},
            where=row.revision >= incidents.c.revision,
        )
        await connection.execute(
            statement,
            [
                {
                    "id": view.id,
                    "brand": view.brand,
                    "direction": view.direction.value,
                    "severity": int(view.severity),
                    "open": view.open,
                    "opened_at": view.opened_at,
                    "updated_at": view.updated_at,
                    "revision": view.revision,
                    "blob": codec.encode_safely(codec.forget_in_incident(view, gone)),
                }
                for view in views
            ],
        )


async def add_effects(
    connection: AsyncConnection,
    dialect: Dialect,
    told: Sequence[Effect],
    gone: Collection[tuple[str, str]],
) -> None:
    """Append effects; one whose id is taken was told already."""
    if told:
        await connection.execute(
            dialect.upsert(effects).on_conflict_do_nothing(index_elements=["id"]),
            [
                {
                    "id": effect.id,
                    "incident_id": effect.incident.id if effect.incident else "",
                    "brand": effect.brand,
                    "kind": effect.kind.value,
                    "at": effect.at,
                    "blob": codec.encode_safely(codec.forget_in_effect(effect, gone)),
                }
                for effect in told
            ],
        )


async def prune_journal(connection: AsyncConnection, before_seq: int) -> int:
    """Delete entries before ``before_seq``, except people's commands and the newest entry; return how many."""
    newest = (await connection.execute(select(func.max(journal.c.seq)))).scalar() or 0
    gone = await connection.execute(
        delete(journal).where(
            journal.c.seq < min(before_seq, newest), journal.c.kind != EntryKind.COMMAND.value
        )
    )
    return int(gone.rowcount)


async def put_ref(
    connection: AsyncConnection,
    dialect: Dialect,
    notifier: str,
    incident_id: str,
    ref: Mapping[str, str],
) -> None:
    """Replace a notifier's note about an incident."""
    statement = dialect.upsert(notifier_refs)
    statement = statement.on_conflict_do_update(
        index_elements=["notifier", "incident_id"], set_={"ref": statement.excluded.ref}
    )
    values = {"notifier": notifier, "incident_id": incident_id, "ref": codec.encode(dict(ref))}
    await connection.execute(statement, values)


# --- reading --------------------------------------------------------------------------------------


async def get_ref(connection: AsyncConnection, notifier: str, incident_id: str) -> dict[str, str]:
    """A notifier's note about an incident, or an empty dict."""
    found = await connection.execute(
        select(notifier_refs.c.ref).where(
            notifier_refs.c.notifier == notifier, notifier_refs.c.incident_id == incident_id
        )
    )
    blob = found.scalar()
    return codec.decode_ref(blob) if blob is not None else {}


async def last_seq(connection: AsyncConnection) -> int:
    """Number of the newest journal entry; 0 for a fresh store."""
    return (await connection.execute(select(func.max(journal.c.seq)))).scalar() or 0


async def all_positions(connection: AsyncConnection) -> dict[str, str]:
    """Source name to resume point."""
    rows = await connection.execute(select(positions.c.source, positions.c.position))
    return {row.source: row.position for row in rows}


async def all_snapshots(connection: AsyncConnection) -> list[Snapshot]:
    """The newest snapshot of each brand."""
    rows = await connection.execute(select(snapshots).order_by(snapshots.c.brand))
    return [Snapshot(row.brand, row.seq, row.at, row.blob) for row in rows]


async def journal_page(connection: AsyncConnection, after: int, limit: int) -> list[JournalEntry]:
    """The next journal entries after ``after``, in order."""
    rows = await connection.execute(
        select(journal).where(journal.c.seq > after).order_by(journal.c.seq).limit(limit)
    )
    return [JournalEntry(row.seq, row.at, EntryKind(row.kind), row.payload) for row in rows]


async def fed(connection: AsyncConnection, seqs: Sequence[int]) -> dict[int, list[Sighting]]:
    """Counted sightings of MENTIONS entries, each list in the order it was fed."""
    found: dict[int, list[Sighting]] = {seq: [] for seq in seqs}
    rows = await connection.execute(
        select(mentions)
        .where(mentions.c.seq.in_(seqs), mentions.c.counted.is_(True))
        .order_by(mentions.c.n)
    )
    for row in rows:
        found[row.seq].append(codec.sighting_of(row))
    return found


async def commands_of(connection: AsyncConnection, incident_id: str) -> list[Command]:
    """What people did with an incident, in order."""
    rows = await connection.execute(
        select(journal.c.payload)
        .where(
            journal.c.incident_id == incident_id,
            journal.c.incident_id != "",
            journal.c.kind == EntryKind.COMMAND.value,
        )
        .order_by(journal.c.seq)
    )
    return [decode_command(payload) for payload in rows.scalars()]


async def listed_incidents(
    connection: AsyncConnection,
    *,
    brand: str | None,
    open_: bool | None,
    before: float | None,
    limit: int,
) -> list[Incident]:
    """Incidents, newest first."""
    found = select(incidents.c.blob)
    if brand is not None:
        found = found.where(incidents.c.brand == brand)
    if open_ is not None:
        found = found.where(incidents.c.open.is_(open_))
    if before is not None:
        found = found.where(incidents.c.opened_at < before)
    found = found.order_by(incidents.c.opened_at.desc(), incidents.c.id).limit(limit)
    rows = await connection.execute(found)
    return [codec.decode_incident(blob) for blob in rows.scalars()]


async def one_incident(connection: AsyncConnection, incident_id: str) -> Incident | None:
    """The newest view of an incident."""
    found = await connection.execute(select(incidents.c.blob).where(incidents.c.id == incident_id))
    blob = found.scalar()
    return codec.decode_incident(blob) if blob is not None else None


async def timeline(connection: AsyncConnection, incident_id: str) -> list[Effect]:
    """Everything that was told about an incident, in order."""
    rows = await connection.execute(
        select(effects.c.blob).where(effects.c.incident_id == incident_id).order_by(effects.c.n)
    )
    return [codec.decode_effect(blob) for blob in rows.scalars()]
