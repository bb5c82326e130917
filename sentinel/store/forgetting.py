"""Forgetting on a platform's word: text goes, counts stay.

What lives here: blanking retracted mentions wherever their text was repeated (archive, revisions, incidents, effects, outbox), and
keeping them blank when the core, which has its own memory, shows them again. Each function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import ColumnElement, and_, bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sentinel.model import Incident, Retraction
from sentinel.store import codec
from sentinel.store.archive import KEYS_A_STATEMENT, by_source, chunks
from sentinel.store.dialect import Dialect
from sentinel.store.schema import (
    effects,
    incidents,
    mention_brands,
    mention_revisions,
    mentions,
    outbox,
    quotes,
)

Key = tuple[str, str]

_blank_mention = (
    update(mentions)
    .where(mentions.c.n == bindparam("of_n"))
    .values(text="", author_id="", retracted=True, rest=bindparam("blanked"))
)


async def retract(connection: AsyncConnection, retraction: Retraction) -> None:
    """Blank one mention, or every mention of an author at that source, wherever it is stored."""
    source, mention_id = codec.clean(retraction.source), codec.clean(retraction.mention_id)
    author_id = codec.clean(retraction.author_id)
    if not mention_id and not author_id:
        return
    whose: ColumnElement[bool]
    if mention_id:
        whose = and_(mentions.c.source == source, mentions.c.id == mention_id)
        gone = {(source, mention_id)}
    else:
        whose = and_(mentions.c.source == source, mentions.c.author_id == author_id)
        shown = await connection.execute(
            select(quotes.c.mention_id).where(
                quotes.c.source == source, quotes.c.author_id == author_id
            )
        )
        gone = {(source, shown_id) for shown_id in shown.scalars()}
    names: set[str] = {author_id} - {""}
    brands: set[str] = set()
    numbers = list((await connection.execute(select(mentions.c.n).where(whose))).scalars())
    for some in chunks(numbers, KEYS_A_STATEMENT):
        rows = (
            await connection.execute(
                select(mentions.c.n, mentions.c.id, mentions.c.rest).where(mentions.c.n.in_(some))
            )
        ).all()
        if author_id:
            names.update(*(codec.author_names(row.rest) for row in rows))
            found = select(mention_brands.c.brand).where(mention_brands.c.n.in_(some)).distinct()
            brands.update((await connection.execute(found)).scalars())
        gone.update((source, row.id) for row in rows)
        await connection.execute(
            _blank_mention,
            [{"of_n": row.n, "blanked": codec.forgotten_rest(row.rest)} for row in rows],
        )
        await connection.execute(delete(mention_revisions).where(mention_revisions.c.n.in_(some)))
    await _blank_where_shown(connection, gone, names, brands)


async def _blank_where_shown(
    connection: AsyncConnection, gone: set[Key], names: set[str], brands: set[str]
) -> None:
    """Rewrite the blobs of every incident that quotes a retracted post or names its author."""
    told: set[str] = set()
    for source, ids in by_source(gone):
        shows = and_(quotes.c.source == source, quotes.c.mention_id.in_(ids))
        found = await connection.execute(select(quotes.c.incident_id).where(shows).distinct())
        told.update(found.scalars())
        await connection.execute(update(quotes).where(shows).values(author_id=""))
    for some in chunks(sorted(brands), KEYS_A_STATEMENT):  # the author may be named without a quote
        found = await connection.execute(select(incidents.c.id).where(incidents.c.brand.in_(some)))
        told.update(found.scalars())
    for incident_id in sorted(told):
        row = await connection.execute(
            select(incidents.c.blob).where(incidents.c.id == incident_id)
        )
        if (blob := row.scalar()) is not None:
            old = codec.decode_incident(blob)
            if (new := codec.forget_in_incident(old, gone, names)) != old:
                await connection.execute(
                    update(incidents)
                    .where(incidents.c.id == incident_id)
                    .values(blob=codec.encode(new))
                )
        for table in (effects, outbox):
            rows = await connection.execute(
                select(table.c.n, table.c.blob).where(table.c.incident_id == incident_id)
            )
            for n, blob in rows.all():
                effect = codec.decode_effect(blob)
                if (less := codec.forget_in_effect(effect, gone, names)) != effect:
                    await connection.execute(
                        update(table).where(table.c.n == n).values(blob=codec.encode(less))
                    )


async def register(
    connection: AsyncConnection, dialect: Dialect, told: Iterable[Incident]
) -> Collection[Key]:
    """Note which posts these incidents show; return those of them that were retracted already."""
    shown = {
        (codec.clean(source), codec.clean(mention_id), codec.clean(incident.id))
        for incident in told
        for source, mention_id in codec.quoted(incident)
    }
    if not shown:
        return ()
    authors: dict[Key, str] = {}
    retracted: set[Key] = set()
    for source, ids in by_source({(source, mention_id) for source, mention_id, _ in shown}):
        rows = await connection.execute(
            select(mentions.c.id, mentions.c.author_id, mentions.c.retracted).where(
                mentions.c.source == source, mentions.c.id.in_(ids)
            )
        )
        for mention_id, author_id, gone in rows:
            authors[source, mention_id] = author_id
            if gone:
                retracted.add((source, mention_id))
    noted: Sequence[dict[str, str]] = [
        {
            "source": source,
            "mention_id": mention_id,
            "incident_id": incident_id,
            "author_id": authors.get((source, mention_id), ""),
        }
        for source, mention_id, incident_id in sorted(shown)
    ]
    await connection.execute(dialect.upsert(quotes).on_conflict_do_nothing(), noted)
    return retracted
