"""The archive of mentions: writing, editing, searching, retention.

What lives here: statements on ``mentions`` and its side tables, each inside the caller's transaction. What does not: forgetting
on a platform's word (``forgetting.py``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Select, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sentinel.model import Sighting
from sentinel.store.codec import clean, mention_row, sighting_of, text_digest
from sentinel.store.dialect import Dialect
from sentinel.store.schema import journal, mention_brands, mention_revisions, mentions, snapshots
from sentinel.store.unit import EntryKind

T = TypeVar("T")

KEYS_A_STATEMENT = 500
"""Far below the variable limit of any SQLite (999 before 3.32)."""


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Slices of at most ``size``."""
    return (items[at : at + size] for at in range(0, len(items), size))


def by_source(keys: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Sequence[str]]]:
    """(source, ids) in groups that fit one statement."""
    grouped: defaultdict[str, list[str]] = defaultdict(list)
    for source, mention_id in keys:
        grouped[source].append(mention_id)
    for source, ids in grouped.items():
        for some in chunks(ids, KEYS_A_STATEMENT):
            yield source, some


async def known(
    connection: AsyncConnection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Digests of the archived texts among ``keys``, under the keys as they were given."""
    given = {
        (clean(source), clean(mention_id)): (source, mention_id) for source, mention_id in keys
    }
    found = {}
    for source, ids in by_source(given):
        rows = await connection.execute(
            select(mentions.c.id, mentions.c.text).where(
                mentions.c.source == source, mentions.c.id.in_(ids)
            )
        )
        for mention_id, text in rows:
            found[given[source, mention_id]] = text_digest(text)
    return found


async def known_authors(
    connection: AsyncConnection, authors: Sequence[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Those (source, author id) of whom something is archived, as they were given."""
    given = {(clean(source), clean(author)): (source, author) for source, author in authors}
    found: set[tuple[str, str]] = set()
    for source, ids in by_source(given):
        rows = await connection.execute(
            select(mentions.c.author_id)
            .where(mentions.c.source == source, mentions.c.author_id.in_(ids))
            .distinct()
        )
        found.update(given[source, author] for author in rows.scalars())
    return found


_add_brand = insert(mention_brands).from_select(
    ["n", "brand", "published_at"],
    select(mentions.c.n, bindparam("brand"), mentions.c.published_at).where(
        mentions.c.source == bindparam("of_source"), mentions.c.id == bindparam("of_id")
    ),
)


async def add(
    connection: AsyncConnection,
    dialect: Dialect,
    sightings: Sequence[Sighting],
    *,
    seq: int,
    counted: bool,
) -> None:
    """Archive new mentions in the order they were fed; known ones are left as they are."""
    if not sightings:
        return
    rows = [mention_row(sighting, seq=seq, counted=counted) for sighting in sightings]
    await connection.execute(
        dialect.upsert(mentions).on_conflict_do_nothing(index_elements=["source", "id"]), rows
    )
    brands = [
        {"brand": clean(match.brand), "of_source": row["source"], "of_id": row["id"]}
        for sighting, row in zip(sightings, rows, strict=True)
        for match in sighting.matches
    ]
    if brands:
        await connection.execute(dialect.ignoring_duplicates(_add_brand), brands)


async def edit(connection: AsyncConnection, edits: Sequence[Sighting]) -> None:
    """Replace texts and keep what they replace as revisions.

    Verdict and matches stay as they were when the mention was counted, so that a replay of the journal gives the
    same figures. A retracted mention stays blank.
    """
    texts = {}
    for source, ids in by_source({edited.mention.key for edited in edits}):
        rows = await connection.execute(
            select(mentions.c.id, mentions.c.n, mentions.c.text).where(
                mentions.c.source == source,
                mentions.c.id.in_([clean(mention_id) for mention_id in ids]),
                mentions.c.retracted.is_(False),
            )
        )
        texts.update({(source, mention_id): (n, text) for mention_id, n, text in rows})
    for edited in edits:
        key = (edited.mention.source, clean(edited.mention.id))
        new = clean(edited.mention.text)
        n, old = texts.get(key, (None, new))
        if n is None or old == new:
            continue
        at = edited.mention.received_at
        await connection.execute(insert(mention_revisions).values(n=n, replaced_at=at, text=old))
        await connection.execute(update(mentions).where(mentions.c.n == n).values(text=new))
        texts[key] = (n, new)


class Span(msgspec.Struct, frozen=True):
    """Which archived mentions: of a brand, a source, and a half-open interval of ``published_at``; the newest ``limit``."""

    brand: str | None = None
    source: str | None = None
    since: float | None = None
    until: float | None = None
    limit: int = 50


def _newest_first(found: Select[Any], span: Span) -> Select[Any]:
    if span.brand is None:
        time = mentions.c.published_at
    else:
        found = found.join(mention_brands, mention_brands.c.n == mentions.c.n)
        found = found.where(mention_brands.c.brand == span.brand)
        time = mention_brands.c.published_at
    if span.source is not None:
        found = found.where(mentions.c.source == span.source)
    if span.since is not None:
        found = found.where(time >= span.since)
    if span.until is not None:
        found = found.where(time < span.until)
    return found.order_by(time.desc(), mentions.c.n.desc()).limit(span.limit)


async def listed(connection: AsyncConnection, span: Span) -> list[Sighting]:
    """Archived mentions, newest first."""
    rows = await connection.execute(_newest_first(select(mentions), span))
    return [sighting_of(row) for row in rows]


async def one(connection: AsyncConnection, source: str, mention_id: str) -> Sighting | None:
    """An archived mention; with a blank text where it was retracted."""
    found = await connection.execute(
        select(mentions).where(
            mentions.c.source == clean(source), mentions.c.id == clean(mention_id)
        )
    )
    row = found.first()
    return sighting_of(row) if row is not None else None


async def draw(
    connection: AsyncConnection, brand: str, since: float, number: int, rng: Random
) -> list[Sighting]:
    """Up to ``number`` archived mentions of a brand since then, each as likely as any other, and in any order as well."""
    of_brand = (mention_brands.c.brand == brand, mention_brands.c.published_at >= since)
    many = await connection.execute(
        select(func.count()).select_from(mention_brands).where(*of_brand)
    )
    total = many.scalar() or 0
    drawn: list[int] = []
    for place in rng.sample(range(total), min(number, total)):
        found = await connection.execute(
            select(mention_brands.c.n)
            .where(*of_brand)
            .order_by(mention_brands.c.published_at, mention_brands.c.n)
            .offset(place)
            .limit(1)
        )
        drawn += found.scalars()
    rows = await connection.execute(select(mentions).where(mentions.c.n.in_(drawn)))
    found_by_n = {row.n: sighting_of(row) for row in rows}
    # As drawn, not as stored: whoever takes only the first of them must not get the oldest.
    return [found_by_n[n] for n in drawn if n in found_by_n]


async def search(
    connection: AsyncConnection, dialect: Dialect, query: str, span: Span
) -> list[Sighting]:
    """Archived mentions that hold all words of ``query``, newest first."""
    matching = dialect.matching(query)
    if matching is None:
        return []
    found = select(mentions).where(mentions.c.n.in_(matching))
    rows = await connection.execute(_newest_first(found, span))
    return [sighting_of(row) for row in rows]


async def replay_floor(connection: AsyncConnection, brands: Iterable[str] | None = None) -> int:
    """Journal entries up to here are in every brand's snapshot; recovery never reads them again.

    Args:
        connection: Inside a transaction.
        brands: The configured brands. A brand without a snapshot keeps everything; a snapshot of a brand that is no
            longer configured keeps nothing. None: the brands that have snapshots.
    """
    found = await connection.execute(select(snapshots.c.brand, snapshots.c.seq))
    seqs: dict[str, int] = {row.brand: row.seq for row in found}
    if brands is not None:
        return min((seqs.get(brand, 0) for brand in brands), default=0)
    return min(seqs.values(), default=0)


async def replayed_from(connection: AsyncConnection) -> int:
    """The oldest MENTIONS entry that a recovery may read; mentions of older ones are archive only."""
    floor = await replay_floor(connection)
    oldest = await connection.execute(
        select(journal.c.seq)
        .where(journal.c.kind == EntryKind.MENTIONS.value, journal.c.seq > floor)
        .order_by(journal.c.seq)
        .limit(1)
    )
    return oldest.scalar() or 2**62


async def purge(connection: AsyncConnection, before: float, limit: int) -> int:
    """Delete up to ``limit`` mentions published before ``before`` that no replay needs; return how many."""
    kept_from = await replayed_from(connection)
    rows = await connection.execute(
        select(mentions.c.n)
        .where(mentions.c.published_at < before, mentions.c.seq < kept_from)
        .limit(limit)
    )
    numbers = list(rows.scalars())
    if numbers:  # brands and revisions go by cascade, the full-text index by trigger
        await connection.execute(delete(mentions).where(mentions.c.n.in_(numbers)))
    return len(numbers)
