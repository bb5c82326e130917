from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from sentinel.model import Arrival, EffectKind, Incident, KindReason, Quote, Retraction
from sentinel.store import Store
from sentinel.store.unit import Unit
from tests.store import build

SECRET = "segretissimo"
ONE = Retraction("bluesky", "post-100")
AUTHOR = Retraction("bluesky", author_id="anna")


def everything_stored(path: Path, *, index: bool = False) -> bytes:
    """All values of all rows; with ``index``, of the full-text index as well."""
    database = sqlite3.connect(path)
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    values = [
        repr(database.execute(f'SELECT * FROM "{table}"').fetchall())  # noqa: S608 - our names
        for (table,) in tables
        if index or table != "mentions_fts_data"
    ]
    database.close()
    return "\n".join(values).encode()


@pytest.mark.parametrize("retraction", [ONE, AUTHOR], ids=["one mention", "all of an author"])
async def test_a_retraction_removes_the_text_everywhere_and_keeps_the_counts(
    store: Store, path: Path, retraction: Retraction
) -> None:
    unit = build.told(texts=(f"una parola {SECRET}",))
    await store.commit(unit)
    edited = build.sighting(100, f"altra parola {SECRET}")
    await store.commit(Unit(edits=(edited,)))
    assert SECRET.encode() in everything_stored(path)

    await store.commit(Unit(retractions=(retraction,)))

    assert SECRET.encode() not in everything_stored(path)
    if retraction is AUTHOR:
        assert b"anna" not in everything_stored(path)
    assert await store.search(SECRET) == []
    (row,) = [row async for row in store.journal_since(0)]
    (blank,) = row.sightings
    assert (blank.mention.text, blank.mention.author.id, blank.mention.url) == ("", "", "")
    assert (blank.verdict.terms, blank.mention.mentions_of) == ((), ())
    assert blank.matches == unit.sightings[0].matches
    assert blank.verdict.negative == 0.75
    assert blank.mention.published_at == unit.sightings[0].mention.published_at
    for view in (
        await store.incident("inc-1"),
        (await store.timeline("inc-1"))[0].incident,
        (await store.outbox_list())[0].effect.incident,
    ):
        assert isinstance(view, Incident)
        assert isinstance(view.first_post, Quote)
        assert [quote.text for quote in (view.first_post, *view.quotes)] == ["", ""]
        assert view.evidence == unit.incidents[0].evidence


async def test_other_posts_of_the_author_and_other_authors_stay(store: Store) -> None:
    seen = (
        build.sighting(1, "gone"),
        build.sighting(2, "stays of anna"),
        build.sighting(3, "stays of bo", author="bo"),
        build.sighting(1, "stays elsewhere", source="news"),
    )
    view = build.incident(quotes=tuple(build.quote(one) for one in seen))
    await store.commit(build.fed(1, *seen, incidents=(view,)))
    await store.commit(Unit(retractions=(Retraction("bluesky", "post-1"),)))
    shown = await store.incident("inc-1")
    assert shown is not None
    texts = ["", "stays of anna", "stays of bo", "stays elsewhere"]
    assert [quote.text for quote in shown.quotes] == texts
    assert shown.spread.top_author == "@anna"
    assert sorted(one.mention.text for one in await store.mentions()) == sorted(texts)


async def test_all_posts_of_an_author_are_forgotten_at_that_source_only(store: Store) -> None:
    seen = (
        build.sighting(1, "one"),
        build.sighting(2, "two"),
        build.sighting(3, "three", author="bo"),
        build.sighting(4, "four", source="news"),
    )
    view = build.incident(quotes=(build.quote(seen[2]),))
    await store.commit(build.fed(1, *seen, incidents=(view,)))
    await store.commit(Unit(retractions=(AUTHOR,)))
    texts = [one.mention.text for one in await store.mentions()]
    assert texts == ["four", "three", "", ""]
    shown = await store.incident("inc-1")
    assert shown is not None
    assert (shown.spread.top_author, shown.spread.top_author_spread) == ("", 9)


async def test_what_the_core_shows_again_after_a_retraction_stays_blank(
    store: Store, path: Path
) -> None:
    unit = build.told(texts=(f"parola {SECRET}",))
    await store.commit(unit)
    await store.commit(Unit(retractions=(ONE,)))
    again = build.incident(revision=2, quotes=unit.incidents[0].quotes)
    told = build.effect(EffectKind.UPDATED, again)
    await store.commit(Unit(incidents=(again,), effects=(told,), outbox=(build.entry(told),)))
    await store.outbox_add([build.entry(told, "email")])
    assert len(await store.outbox_list()) == 3
    assert SECRET.encode() not in everything_stored(path)


async def test_a_mention_that_is_retracted_in_the_unit_that_brings_it_is_blank(
    store: Store, path: Path
) -> None:
    unit = build.told(texts=(f"parola {SECRET}",))
    fields = {name: getattr(unit, name) for name in unit.__struct_fields__}
    await store.commit(Unit(**(fields | {"retractions": (ONE,)})))
    assert SECRET.encode() not in everything_stored(path)
    assert (await store.stats())["mentions"] == 1


async def test_neither_an_edit_nor_a_second_delivery_brings_a_retracted_text_back(
    store: Store, path: Path
) -> None:
    post = build.sighting(100, f"parola {SECRET}")
    await store.commit(build.fed(1, post))
    await store.commit(Unit(retractions=(ONE,)))
    await store.commit(build.fed(2, post, edits=(post,)))
    assert SECRET.encode() not in everything_stored(path)


async def test_a_retraction_of_what_was_never_seen_changes_nothing(store: Store) -> None:
    await store.commit(build.told())
    before = await store.mentions()
    nothing = (Retraction("bluesky", "nobody's"), Retraction("bluesky"), Retraction("x", "", "y"))
    await store.commit(Unit(retractions=nothing))
    assert await store.mentions() == before


async def test_the_words_of_a_retracted_text_leave_the_index_with_the_next_retention_run(
    store: Store, path: Path
) -> None:
    await store.commit(build.told(texts=(f"una parola {SECRET}", "altro")))
    await store.commit(Unit(retractions=(ONE,)))
    assert SECRET.encode() in everything_stored(path, index=True)
    assert await store.purge(0.0) == 0
    assert SECRET.encode() not in everything_stored(path, index=True)
    assert b"altro" in everything_stored(path, index=True)


async def test_a_retraction_of_thousands_of_posts_is_one_transaction(store: Store) -> None:
    posts = tuple(build.sighting(n, "parola") for n in range(1300))
    await store.commit(build.fed(1, *posts))
    await store.commit(Unit(retractions=(AUTHOR,)))
    assert {one.mention.text for one in await store.mentions(limit=5000)} == {""}


@pytest.mark.parametrize("retraction", [ONE, AUTHOR], ids=["one mention", "all of an author"])
async def test_examples_of_a_kind_and_first_posts_of_a_channel_are_forgotten_too(
    store: Store, path: Path, retraction: Retraction
) -> None:
    seen = build.sighting(100, f"una parola {SECRET}")
    view = msgspec.structs.replace(
        build.incident(),
        kinds=(KindReason("boycott", 0.5, 0.4, ("parola",), build.quote(seen)),),
        path=(Arrival("bluesky", "post-100", "social", 1.0, author="@anna", link=f"{SECRET}.it"),),
    )
    await store.commit(build.fed(1, seen, incidents=(view,)))
    assert SECRET.encode() in everything_stored(path)
    await store.commit(Unit(retractions=(retraction,)))
    assert SECRET.encode() not in everything_stored(path)
    shown = await store.incident("inc-1")
    assert shown is not None
    assert shown.kinds[0].example is not None
    assert (shown.kinds[0].share, shown.kinds[0].example.text) == (0.4, "")
    assert (shown.path[0].channel, shown.path[0].author) == ("social", "")
