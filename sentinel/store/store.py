"""``Store``: the one door to everything durable.

What lives here: what the rest of Sentinel may ask. What does not: statements (``archive``, ``forgetting``, ``records``, ``outbox``),
connections and transactions (``database``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from functools import partial
from random import Random

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sentinel.language.labels import Label
from sentinel.model import Command, Effect, Incident, Sighting
from sentinel.store import archive, forgetting, labels, outbox, records
from sentinel.store.database import Database
from sentinel.store.schema import incidents, journal, mentions
from sentinel.store.unit import (
    EntryKind,
    JournalEntry,
    JournalRow,
    LabelRow,
    OutboxEntry,
    OutboxState,
    Snapshot,
    Unit,
)

PURGE_ROWS = 500
"""Mentions a purge deletes in one transaction, so that commits wait milliseconds, not minutes."""

JOURNAL_ROWS = 256
"""Journal rows read at a time for a replay."""

MENTION_ENTRIES = 8
"""MENTIONS entries whose sightings are in memory at a time during a replay."""


class Store(Database):
    """The durable state: archive, journal, snapshots, incidents, outbox.

    Made by ``Store.open``. Every method raises ``StoreError`` when the database cannot be read or written; what was in the
    transaction is then not kept, and the same call can be made again.
    """

    # --- the transaction of the core -------------------------------------------------------------

    async def commit(self, unit: Unit) -> None:
        """Keep a unit, whole or not at all. Committing it again changes nothing.

        Raises:
            StoreError: It could not be kept; commit the same unit again later.
            ValueError: It has counted sightings, but not exactly one MENTIONS entry to put them under.
        """
        fed = [entry.seq for entry in unit.journal if entry.kind is EntryKind.MENTIONS]
        if unit.sightings and len(fed) != 1:
            raise ValueError("a unit with sightings needs exactly one MENTIONS journal entry")

        async def work(connection: AsyncConnection) -> None:
            dialect = self._dialect
            await records.add_journal(connection, dialect, unit.journal)
            seq = fed[0] if fed else 0
            await archive.add(connection, dialect, unit.sightings, seq=seq, counted=True)
            await archive.add(connection, dialect, unit.late, seq=0, counted=False)
            await archive.edit(connection, unit.edits)
            for retraction in unit.retractions:
                await forgetting.retract(connection, retraction)
            told = [*unit.effects, *(entry.effect for entry in unit.outbox)]
            views = [*unit.incidents, *(effect.incident for effect in told if effect.incident)]
            gone = await forgetting.register(connection, dialect, views)
            await records.put_incidents(connection, dialect, unit.incidents, gone)
            await records.add_effects(connection, dialect, unit.effects, gone)
            await outbox.add(connection, dialect, unit.outbox, gone)
            await records.put_positions(connection, dialect, unit.positions)
            await records.put_snapshots(connection, dialect, unit.snapshots)

        await self._write("written", work)

    # --- recovery -------------------------------------------------------------------------------

    async def known(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Which (source, id) are archived, and the ``text_digest`` of their text (of "" once retracted)."""
        return await self._read(lambda connection: archive.known(connection, keys))

    async def known_authors(self, authors: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those (source, author id) of whom a mention is archived and not retracted."""
        return await self._read(lambda connection: archive.known_authors(connection, authors))

    async def last_seq(self) -> int:
        """Number of the newest journal entry; 0 for a fresh store."""
        return await self._read(records.last_seq)

    async def positions(self) -> dict[str, str]:
        """Source name to resume point."""
        return await self._read(records.all_positions)

    async def snapshots(self) -> list[Snapshot]:
        """The newest snapshot of each brand."""
        return await self._read(records.all_snapshots)

    async def journal_since(self, seq: int) -> AsyncIterator[JournalRow]:
        """Journal entries after ``seq`` in order, MENTIONS with their counted sightings as they were fed.

        Retracted ones are there with blank text, so that counts replay. A few entries are in memory at a time; entries committed
        while it runs may or may not be seen.
        """
        while page := await self._page(seq):
            seq = page[-1].seq
            start = 0
            while start < len(page):
                # Grow the slice up to a few MENTIONS entries, however many other entries lie between.
                end, seqs = start, list[int]()
                while end < len(page) and len(seqs) < MENTION_ENTRIES:
                    if page[end].kind is EntryKind.MENTIONS:
                        seqs.append(page[end].seq)
                    end += 1
                fed = await self._fed(seqs)
                for entry in page[start:end]:
                    yield JournalRow(entry, tuple(fed.get(entry.seq, ())))
                start = end

    async def _page(self, seq: int) -> Sequence[JournalEntry]:
        return await self._read(
            lambda connection: records.journal_page(connection, seq, JOURNAL_ROWS)
        )

    async def _fed(self, seqs: Sequence[int]) -> dict[int, list[Sighting]]:
        return await self._read(lambda connection: records.fed(connection, seqs)) if seqs else {}

    async def prune_journal(self, before_seq: int, *, brands: Collection[str] | None = None) -> int:
        """Delete journal entries before ``before_seq`` that every brand's snapshot contains; return how many.

        People's commands stay for the after-action review, and so does the newest entry.

        Args:
            before_seq: Exclusive; lowered to what the snapshots allow.
            brands: The configured brands; see ``archive.replay_floor``.
        """

        async def work(connection: AsyncConnection) -> int:
            floor = await archive.replay_floor(connection, brands)
            return await records.prune_journal(connection, min(before_seq, floor + 1))

        return await self._write("pruned", work)

    # --- what people look at --------------------------------------------------------------------

    async def incidents(
        self,
        *,
        brand: str | None = None,
        open_only: bool = False,
        resolved_only: bool = False,
        before: float | None = None,
        limit: int = 50,
    ) -> list[Incident]:
        """Newest views of incidents, newest first; ``before`` is exclusive and of ``opened_at``."""
        state = True if open_only else False if resolved_only else None
        return await self._read(
            lambda connection: records.listed_incidents(
                connection, brand=brand, open_=state, before=before, limit=limit
            )
        )

    async def incident(self, incident_id: str) -> Incident | None:
        """Newest view of one incident."""
        return await self._read(lambda connection: records.one_incident(connection, incident_id))

    async def timeline(self, incident_id: str) -> list[Effect]:
        """What was told about an incident, in order."""
        return await self._read(lambda connection: records.timeline(connection, incident_id))

    async def commands(self, incident_id: str) -> list[Command]:
        """What people did with an incident, in order."""
        return await self._read(lambda connection: records.commands_of(connection, incident_id))

    async def search(
        self,
        query: str,
        *,
        brand: str | None = None,
        source: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 50,
    ) -> list[Sighting]:
        """Archived mentions with all words of ``query``, newest first; case and accents do not matter.

        ``query`` may be anything that a person types; ``word*`` at its end is a prefix. ``until`` is exclusive.
        """
        span = archive.Span(brand, source, since, until, limit)
        return await self._read(
            lambda connection: archive.search(connection, self._dialect, query, span)
        )

    async def mentions(
        self,
        brand: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 50,
        *,
        source: str | None = None,
    ) -> list[Sighting]:
        """Archived mentions, newest first; ``until`` is exclusive."""
        span = archive.Span(brand, source, since, until, limit)
        return await self._read(lambda connection: archive.listed(connection, span))

    async def mention(self, source: str, mention_id: str) -> Sighting | None:
        """One archived mention; with a blank text where it was retracted."""
        return await self._read(lambda connection: archive.one(connection, source, mention_id))

    async def draw(self, brand: str, since: float, number: int, rng: Random) -> list[Sighting]:
        """Up to ``number`` archived mentions of a brand published since then, drawn at random."""
        return await self._read(
            lambda connection: archive.draw(connection, brand, since, number, rng)
        )

    async def stats(self) -> dict[str, int]:
        """Counts for the status page: ``mentions``, ``incidents``, ``incidents_open``, ``journal``, ``last_seq``, ``outbox_*``."""

        async def work(connection: AsyncConnection) -> dict[str, int]:
            async def count(statement: object) -> int:
                return int((await connection.execute(statement)).scalar() or 0)  # type: ignore[call-overload]

            return {
                "mentions": await count(select(func.count()).select_from(mentions)),
                "incidents": await count(select(func.count()).select_from(incidents)),
                "incidents_open": await count(
                    select(func.count()).select_from(incidents).where(incidents.c.open.is_(True))
                ),
                "journal": await count(select(func.count()).select_from(journal)),
                "last_seq": await records.last_seq(connection),
                "outbox_pending": sum(
                    (await outbox.counts(connection, OutboxState.PENDING)).values()
                ),
                "outbox_dead": sum((await outbox.counts(connection, OutboxState.DEAD)).values()),
            }

        return await self._read(work)

    async def purge(self, before: float) -> int:
        """Retention: delete mentions published before ``before`` and settled notices created before it.

        Mentions that a replay of the journal still needs stay until the journal is pruned. Deletes a few hundred rows a
        transaction and lets others write in between.

        Returns:
            How many mentions were deleted.
        """
        total = 0
        while True:

            async def some(connection: AsyncConnection) -> int:
                return await archive.purge(connection, before, PURGE_ROWS)

            deleted = await self._write("purged", some)
            total += deleted
            if deleted < PURGE_ROWS:
                break
        await self._write("purged", lambda connection: outbox.purge(connection, before))
        await self._forget_words()
        return total

    async def _forget_words(self) -> None:
        """Let the full-text index drop the words of deleted and retracted texts, one short transaction after another."""

        async def step(connection: AsyncConnection) -> bool:
            return await connection.run_sync(partial(self._dialect.forget, first=first))

        first = True
        while await self._write("purged", step):
            first = False

    # --- outbox ---------------------------------------------------------------------------------

    async def outbox_add(self, entries: Sequence[OutboxEntry]) -> None:
        """Append entries outside a unit (fallbacks, test messages); known ids are left as they are."""

        async def work(connection: AsyncConnection) -> None:
            views = [entry.effect.incident for entry in entries if entry.effect.incident]
            gone = await forgetting.register(connection, self._dialect, views)
            await outbox.add(connection, self._dialect, entries, gone)

        await self._write("written", work)

    async def outbox_due(self, now: float, limit: int = 100) -> list[OutboxEntry]:
        """The oldest pending entry of each (notifier, lane) whose time has come, oldest first."""
        return await self._read(lambda connection: outbox.due(connection, now, limit))

    async def outbox_next_at(self, after: float = 0.0) -> float | None:
        """When, later than ``after``, something is due next, epoch seconds; None if nothing is."""
        return await self._read(lambda connection: outbox.next_at(connection, after))

    async def outbox_mark_attempt(self, entry_id: str) -> bool:
        """Say durably that an attempt is under way; False if the entry is not pending any more (then do not send)."""
        return await self._write(
            "written", lambda connection: outbox.begin_attempt(connection, entry_id)
        )

    async def outbox_delivered(self, entry_id: str, at: float) -> None:
        """It got through."""
        await self._write(
            "written",
            lambda connection: outbox.settle(
                connection, entry_id, state=OutboxState.DELIVERED.value, delivered_at=at
            ),
        )

    async def outbox_failed(
        self,
        entry_id: str,
        *,
        not_before: float,
        attempts: int,
        error: str,
        ambiguous: bool = False,
    ) -> None:
        """It did not get through, or perhaps did (``ambiguous``); try again at ``not_before``."""
        await self._write(
            "written",
            lambda connection: outbox.settle(
                connection,
                entry_id,
                ambiguous=ambiguous,
                not_before=not_before,
                attempts=attempts,
                last_error=error,
            ),
        )

    async def outbox_dead(self, entry_id: str, error: str) -> None:
        """It will not be tried again unless an operator revives it."""
        await self._write(
            "written",
            lambda connection: outbox.settle(
                connection, entry_id, state=OutboxState.DEAD.value, last_error=error
            ),
        )

    async def outbox_list(
        self, state: OutboxState | None = None, limit: int = 100
    ) -> list[OutboxEntry]:
        """Entries in a state, or all, newest first."""
        return await self._read(lambda connection: outbox.listed(connection, state, limit))

    async def outbox_revive(self, entry_id: str, *, at: float = 0.0) -> bool:
        """Make a dead letter pending again, due at ``at``; False if there is no such dead letter."""
        return await self._write(
            "written", lambda connection: outbox.revive(connection, entry_id, at)
        )

    async def outbox_pending_counts(self) -> dict[str, int]:
        """Pending entries by notifier."""
        return await self._read(lambda connection: outbox.counts(connection, OutboxState.PENDING))

    async def outbox_dead_counts(self) -> dict[str, int]:
        """Dead letters by notifier."""
        return await self._read(lambda connection: outbox.counts(connection, OutboxState.DEAD))

    async def outbox_supersede(self, incident_id: str) -> int:
        """Set aside untried updates that a later pending notice covers (``commit`` does it by itself); return how many."""
        return await self._write(
            "written", lambda connection: outbox.supersede(connection, [incident_id])
        )

    async def outbox_wanting_fallback(
        self, notifiers: Sequence[str], created_before: float
    ) -> list[OutboxEntry]:
        """Entries of these notifiers that must go to their fallbacks now; see ``outbox.wanting_fallback``."""
        return await self._read(
            lambda connection: outbox.wanting_fallback(connection, notifiers, created_before)
        )

    async def outbox_oldest_page(self, notifiers: Sequence[str]) -> float | None:
        """When the oldest pending page of these notifiers was made; None where no fallback is to come."""
        return await self._read(lambda connection: outbox.oldest_page(connection, notifiers))

    async def outbox_fall_back(self, entry_id: str, entries: Sequence[OutboxEntry]) -> None:
        """Add the fallbacks' entries for an entry, once, in one transaction."""

        async def work(connection: AsyncConnection) -> None:
            await outbox.add(connection, self._dialect, entries)
            await outbox.mark_fell_back(connection, entry_id)

        await self._write("written", work)

    # --- what people say that posts are ---------------------------------------------------------

    async def add_label(self, label: Label) -> None:
        """Keep a person's word on a mention, durable when it returns; one whose id is known changes nothing."""
        await self._write(
            "written", lambda connection: labels.add(connection, self._dialect, label)
        )

    async def withdraw_label(self, label_id: str, *, by: str, at: float) -> bool:
        """Take a label back; False if there is no such label, or it was taken back before."""
        return await self._write(
            "written", lambda connection: labels.withdraw(connection, label_id, by, at)
        )

    async def labels(
        self, brand: str | None = None, *, mention: tuple[str, str] | None = None
    ) -> list[Label]:
        """Labels in force, at most one a brand and mention, oldest first; of one brand, of one (source, id), or all."""
        return await self._read(lambda connection: labels.in_force(connection, brand, mention))

    async def label_history(self, brand: str | None = None, limit: int = 100) -> list[LabelRow]:
        """Every label that was given, withdrawn or not, newest first."""
        return await self._read(lambda connection: labels.history(connection, brand, limit))

    # --- notes of notifiers ---------------------------------------------------------------------

    async def ref_get(self, notifier: str, incident_id: str) -> dict[str, str]:
        """A notifier's note about an incident, or an empty dict."""
        return await self._read(
            lambda connection: records.get_ref(connection, notifier, incident_id)
        )

    async def ref_put(self, notifier: str, incident_id: str, ref: dict[str, str]) -> None:
        """Replace a notifier's note about an incident; durable when it returns."""
        await self._write(
            "written",
            lambda connection: records.put_ref(
                connection, self._dialect, notifier, incident_id, ref
            ),
        )


class StoreRefs:
    """The store as ``sentinel.notify.base.Refs``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, notifier: str, incident_id: str) -> dict[str, str]:
        """What was put, or an empty dict."""
        return await self._store.ref_get(notifier, incident_id)

    async def put(self, notifier: str, incident_id: str, ref: dict[str, str]) -> None:
        """Replace the note; durable when it returns."""
        await self._store.ref_put(notifier, incident_id, ref)
