"""The rows of the outbox: what is due, what became of it.

What lives here: statements on ``outbox``, each inside the caller's transaction. What does not: attempts, back-off and limits, which
are ``sentinel.notify.outbox``'s.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Update, and_, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sentinel.model import EffectKind
from sentinel.store import codec
from sentinel.store.archive import KEYS_A_STATEMENT, chunks
from sentinel.store.dialect import Dialect
from sentinel.store.schema import outbox
from sentinel.store.unit import OutboxEntry, OutboxState

SUPERSEDABLE = (EffectKind.UPDATED.value, EffectKind.CHECKLIST_CHANGED.value)
"""Effects that a later view of the same incident makes pointless."""

CLOSING = (
    EffectKind.ACKNOWLEDGED.value,
    EffectKind.FALSE_ALARM.value,
    EffectKind.RESOLVED.value,
)
"""Effects that a fallback must hear of once it was called, or it would ring for ever."""

_pending = outbox.c.state == OutboxState.PENDING.value
_earlier = outbox.alias("earlier")
_later = outbox.alias("later")
_is_head = ~exists(
    select(_earlier.c.n).where(
        _earlier.c.state == OutboxState.PENDING.value,
        _earlier.c.notifier == outbox.c.notifier,
        _earlier.c.lane == outbox.c.lane,
        _earlier.c.n < outbox.c.n,
    )
)


def entry_of(row: Any) -> OutboxEntry:
    """A row as a value. An attempt that was begun and never settled makes it ambiguous."""
    return OutboxEntry(
        id=row.id,
        notifier=row.notifier,
        lane=row.lane,
        effect=codec.decode_effect(row.blob),
        created_at=row.created_at,
        not_before=row.not_before,
        attempts=row.attempts,
        state=OutboxState(row.state),
        last_error=row.last_error,
        ambiguous=row.ambiguous or row.attempting,
    )


async def add(
    connection: AsyncConnection,
    dialect: Dialect,
    entries: Sequence[OutboxEntry],
    gone: Collection[tuple[str, str]] = (),
) -> None:
    """Append entries in order; one whose id is taken is left as it is. Supersedes what they make pointless."""
    if not entries:
        return
    rows = []
    for entry in entries:
        incident = entry.effect.incident
        rows.append(
            {
                "id": entry.id,
                "notifier": entry.notifier,
                "lane": entry.lane,
                "incident_id": incident.id if incident else "",
                "kind": entry.effect.kind.value,
                "page": entry.effect.page,
                "revision": incident.revision if incident else 0,
                "state": entry.state.value,
                "created_at": entry.created_at,
                "not_before": entry.not_before,
                "attempts": entry.attempts,
                "attempting": False,
                "ambiguous": entry.ambiguous,
                "fell_back": False,
                "last_error": entry.last_error,
                "blob": codec.encode_safely(codec.forget_in_effect(entry.effect, gone)),
            }
        )
    await connection.execute(
        dialect.upsert(outbox).on_conflict_do_nothing(index_elements=["id"]), rows
    )
    told = {entry.effect.incident.id for entry in entries if entry.effect.incident}
    await supersede(connection, sorted(told))


async def supersede(connection: AsyncConnection, incident_ids: Sequence[str]) -> int:
    """Set aside updates of these incidents that were never tried and that a later pending notice covers."""
    number = 0
    for some in chunks(incident_ids, KEYS_A_STATEMENT):
        number += (await connection.execute(_supersede(some))).rowcount
    return number


def _supersede(incident_ids: Sequence[str]) -> Update:
    return (
        update(outbox)
        .where(
            outbox.c.incident_id.in_(incident_ids),
            _pending,
            outbox.c.kind.in_(SUPERSEDABLE),
            outbox.c.page.is_(False),
            outbox.c.attempts == 0,
            outbox.c.attempting.is_(False),
            exists(
                select(_later.c.n).where(
                    _later.c.incident_id == outbox.c.incident_id,
                    _later.c.notifier == outbox.c.notifier,
                    _later.c.lane == outbox.c.lane,
                    _later.c.state == OutboxState.PENDING.value,
                    _later.c.n > outbox.c.n,
                    _later.c.revision >= outbox.c.revision,
                )
            ),
        )
        .values(state=OutboxState.SUPERSEDED.value)
    )


async def due(connection: AsyncConnection, now: float, limit: int) -> list[OutboxEntry]:
    """The oldest pending entry of each lane, where its time has come."""
    rows = await connection.execute(
        select(outbox)
        .where(_pending, outbox.c.not_before <= now, _is_head)
        .order_by(outbox.c.n)
        .limit(limit)
    )
    return [entry_of(row) for row in rows]


async def next_at(connection: AsyncConnection, after: float) -> float | None:
    """When, after ``after``, a lane has something due next, epoch seconds of the delivery clock; None if never."""
    found = await connection.execute(
        select(func.min(outbox.c.not_before)).where(_pending, outbox.c.not_before > after, _is_head)
    )
    at: float | None = found.scalar()
    return at


async def begin_attempt(connection: AsyncConnection, entry_id: str) -> bool:
    """Say durably that an attempt is under way; False if the entry is no longer pending."""
    done = await connection.execute(
        update(outbox)
        .where(outbox.c.id == entry_id, _pending)
        .values(ambiguous=or_(outbox.c.ambiguous, outbox.c.attempting), attempting=True)
    )
    return bool(done.rowcount)


async def settle(
    connection: AsyncConnection, entry_id: str, *, ambiguous: bool = False, **values: Any
) -> bool:
    """Note how a pending entry's attempt ended; ambiguity, once there, stays."""
    if ambiguous:
        values["ambiguous"] = True
    done = await connection.execute(
        update(outbox).where(outbox.c.id == entry_id, _pending).values(attempting=False, **values)
    )
    return bool(done.rowcount)


async def listed(
    connection: AsyncConnection, state: OutboxState | None, limit: int
) -> list[OutboxEntry]:
    """Entries, newest first."""
    found = select(outbox)
    if state is not None:
        found = found.where(outbox.c.state == state.value)
    rows = await connection.execute(found.order_by(outbox.c.n.desc()).limit(limit))
    return [entry_of(row) for row in rows]


async def revive(connection: AsyncConnection, entry_id: str, at: float) -> bool:
    """Make a dead letter pending again with fresh attempts; False if it is not dead."""
    done = await connection.execute(
        update(outbox)
        .where(outbox.c.id == entry_id, outbox.c.state == OutboxState.DEAD.value)
        .values(state=OutboxState.PENDING.value, not_before=at, attempts=0)
    )
    return bool(done.rowcount)


async def counts(connection: AsyncConnection, state: OutboxState) -> dict[str, int]:
    """Entries in a state, by notifier."""
    rows = await connection.execute(
        select(outbox.c.notifier, func.count().label("number"))
        .where(outbox.c.state == state.value)
        .group_by(outbox.c.notifier)
    )
    return {row.notifier: row.number for row in rows}


async def wanting_fallback(
    connection: AsyncConnection, notifiers: Sequence[str], created_before: float
) -> list[OutboxEntry]:
    """Entries that must go to the fallbacks now, oldest first.

    Pages that are dead or were created before ``created_before`` and are still pending, and what closes an incident
    for which the fallbacks were called already.
    """
    called = outbox.alias("called")
    unheard = or_(
        outbox.c.state == OutboxState.DEAD.value,
        and_(_pending, outbox.c.created_at <= created_before),
    )
    page = await connection.execute(
        select(outbox)
        .where(
            outbox.c.state.in_((OutboxState.DEAD.value, OutboxState.PENDING.value)),
            outbox.c.page.is_(True),
            outbox.c.fell_back.is_(False),
            outbox.c.notifier.in_(notifiers),
            unheard,
        )
        .order_by(outbox.c.n)
    )
    closing = await connection.execute(
        select(outbox)
        .join(
            called,
            and_(
                called.c.incident_id == outbox.c.incident_id,
                called.c.notifier == outbox.c.notifier,
                called.c.n < outbox.c.n,
            ),
        )
        .where(
            called.c.fell_back.is_(True),
            called.c.incident_id != "",
            outbox.c.kind.in_(CLOSING),
            outbox.c.fell_back.is_(False),
            outbox.c.notifier.in_(notifiers),
        )
        .order_by(outbox.c.n)
        .distinct()
    )
    return [entry_of(row) for row in page] + [entry_of(row) for row in closing]


async def oldest_page(connection: AsyncConnection, notifiers: Sequence[str]) -> float | None:
    """Creation of the oldest pending page of these notifiers whose fallbacks were not called yet."""
    found = await connection.execute(
        select(func.min(outbox.c.created_at)).where(
            _pending,
            outbox.c.page.is_(True),
            outbox.c.fell_back.is_(False),
            outbox.c.notifier.in_(notifiers),
        )
    )
    at: float | None = found.scalar()
    return at


async def mark_fell_back(connection: AsyncConnection, entry_id: str) -> None:
    """Note that the fallbacks have this effect now."""
    await connection.execute(update(outbox).where(outbox.c.id == entry_id).values(fell_back=True))


async def purge(connection: AsyncConnection, before: float) -> int:
    """Delete settled entries created before ``before``; dead letters stay for the operator."""
    settled = (OutboxState.DELIVERED.value, OutboxState.SUPERSEDED.value)
    done = await connection.execute(
        delete(outbox).where(outbox.c.state.in_(settled), outbox.c.created_at < before)
    )
    return int(done.rowcount)
