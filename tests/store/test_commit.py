from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.errors import StoreError
from sentinel.model import EffectKind, Engagement, Phase, Retraction
from sentinel.store import Store, text_digest
from sentinel.store.unit import EntryKind, JournalEntry, OutboxState, Unit
from tests.store import build, committing


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    database = sqlite3.connect(path)
    tables = [
        name
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if not name.startswith("sqlite_")
    ]
    rows = {
        table: sorted(database.execute(f'SELECT * FROM "{table}"').fetchall(), key=repr)  # noqa: S608 - our names
        for table in tables
    }
    database.close()
    return rows


async def test_what_was_committed_comes_back(store: Store) -> None:
    unit = build.told(texts=("prima parola", "seconda"))
    await store.commit(unit)
    assert await store.positions() == unit.positions
    assert await store.snapshots() == list(unit.snapshots)
    assert await store.incidents() == list(unit.incidents)
    assert await store.incident("inc-1") == unit.incidents[0]
    assert await store.incident("inc-2") is None
    assert await store.timeline("inc-1") == list(unit.effects)
    assert await store.outbox_list() == list(unit.outbox)
    assert await store.mentions("aurora") == list(reversed(unit.sightings))
    assert await store.mentions("northwind") == []


async def test_known_tells_archived_mentions_and_the_digest_of_their_text(store: Store) -> None:
    await store.commit(build.fed(1, build.sighting(1, "ciao"), build.sighting(2, "addio")))
    asked = [("bluesky", f"post-{n}") for n in range(3000)] + [("news", "post-1")]
    assert await store.known(asked) == {
        ("bluesky", "post-1"): text_digest("ciao"),
        ("bluesky", "post-2"): text_digest("addio"),
    }
    assert await store.known([]) == {}


async def test_a_known_mention_is_not_archived_again(store: Store) -> None:
    await store.commit(build.fed(1, build.sighting(1, "first")))
    await store.commit(build.fed(2, build.sighting(1, "second"), build.sighting(2, "other")))
    assert [s.mention.text for s in await store.mentions()] == ["other", "first"]
    assert [s.mention.text for s in await store.mentions("aurora")] == ["other", "first"]


async def test_late_mentions_are_archived_and_not_replayed(store: Store) -> None:
    late = build.sighting(2, "late")
    await store.commit(build.fed(1, build.sighting(1), late=(late,)))
    rows = [row async for row in store.journal_since(0)]
    assert [row.sightings for row in rows] == [(build.sighting(1),)]
    assert await store.search("late") == [late]


async def test_a_mention_of_two_brands_is_one_mention_of_each(store: Store) -> None:
    both = build.sighting(1, brands=("aurora", "northwind"))
    await store.commit(build.fed(1, both))
    assert await store.mentions("aurora") == [both]
    assert await store.mentions("northwind") == [both]
    assert (await store.stats())["mentions"] == 1


async def test_the_newest_view_of_an_incident_wins_whatever_the_order(store: Store) -> None:
    newer = build.incident(revision=3, phase=Phase.RESOLVED)
    await store.commit(Unit(incidents=(newer,)))
    await store.commit(Unit(incidents=(build.incident(revision=2),)))
    assert await store.incident("inc-1") == newer
    assert await store.incidents(open_only=True) == []


async def test_incidents_are_listed_newest_first_by_brand_and_by_being_open(store: Store) -> None:
    views = [
        build.incident("a", opened_at=build.START),
        build.incident("b", opened_at=build.START + 1, brand="northwind"),
        build.incident("c", opened_at=build.START + 2, phase=Phase.RESOLVED),
    ]
    await store.commit(Unit(incidents=tuple(views)))
    assert [view.id for view in await store.incidents()] == ["c", "b", "a"]
    assert [view.id for view in await store.incidents(brand="aurora")] == ["c", "a"]
    assert [view.id for view in await store.incidents(open_only=True, limit=1)] == ["b"]


async def test_sightings_without_their_journal_entry_are_a_mistake_of_the_caller(
    store: Store,
) -> None:
    with pytest.raises(ValueError, match="exactly one MENTIONS"):
        await store.commit(Unit(sightings=(build.sighting(),)))


async def test_values_that_no_database_holds_are_archived_in_a_storable_form(store: Store) -> None:
    hostile = build.sighting(1, "a\ud800b \0 \u202e \u200b 🥫")
    lone = build.sighting(2, id="\udfff")
    huge = build.sighting(3)
    huge = type(huge)(
        build.sighting(
            3, "huge", published_at=float("nan"), engagement=Engagement(likes=10**40)
        ).mention,
        huge.matches,
        huge.verdict,
    )
    view = build.incident(quotes=(build.quote(hostile),))
    unit = build.fed(1, hostile, lone, huge, incidents=(view,), effects=(build.effect(of=view),))
    await store.commit(unit)
    await store.commit(unit)
    texts = {one.mention.text for one in await store.mentions()}
    assert texts == {"a?b \0 \u202e \u200b 🥫", "una parola", "huge"}
    assert await store.known([("bluesky", "\udfff")]) == {
        ("bluesky", "\udfff"): text_digest("una parola")
    }
    assert (
        text_digest("a\ud800b \0 \u202e \u200b 🥫")
        in (await store.known([hostile.mention.key])).values()
    )
    shown = await store.incident("inc-1")
    assert shown is not None
    assert [q.text for q in shown.quotes] == ["a?b \0 \u202e \u200b 🥫"]


texts = st.text(max_size=20)


@st.composite
def units(draw: st.DrawFn) -> Unit:
    numbers = draw(st.lists(st.integers(1, 6), max_size=5))
    seen = tuple(
        build.sighting(n, draw(texts), author=draw(st.sampled_from(["anna", "bo"])))
        for n in numbers
    )
    late = tuple(
        build.sighting(n, draw(texts)) for n in draw(st.lists(st.integers(5, 9), max_size=2))
    )
    edits = tuple(
        build.sighting(n, draw(texts)) for n in draw(st.lists(st.integers(1, 9), max_size=2))
    )
    retractions = tuple(
        draw(
            st.lists(
                st.one_of(
                    st.builds(lambda n: Retraction("bluesky", f"post-{n}"), st.integers(1, 9)),
                    st.just(Retraction("bluesky", author_id="bo")),
                ),
                max_size=2,
            )
        )
    )
    kinds = draw(st.lists(st.sampled_from(EffectKind), max_size=4, unique=True))
    told = []
    views = []
    for revision, kind in enumerate(kinds, start=1):
        view = build.incident(revision=revision, quotes=tuple(build.quote(one) for one in seen))
        views.append(view)
        told.append(build.effect(kind, view))
    return build.fed(
        draw(st.integers(1, 5)),
        *seen,
        late=late,
        edits=edits,
        retractions=retractions,
        positions=draw(st.dictionaries(st.sampled_from(["bluesky", "news"]), st.just("p"))),
        effects=tuple(told),
        incidents=tuple(views[-1:]),
        outbox=tuple(build.entry(one, name) for one in told for name in ("slack", "email")),
        snapshots=(build.snapshot(),),
    )


# An edit is one change of text; a unit that edits one post back and forth is not something a source sends.
def _edits_each_post_once(unit: Unit) -> bool:
    keys = [edit.mention.key for edit in unit.edits]
    return len(keys) == len(set(keys))


@settings(max_examples=25, deadline=None)
@given(before=st.none() | units(), unit=units().filter(_edits_each_post_once))
async def test_committing_a_unit_twice_is_committing_it_once(
    before: Unit | None, unit: Unit
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sentinel.db")
        store = await Store.open(str(path))
        if before is not None:
            await store.commit(before)
        await store.commit(unit)
        once = dump(path)
        await store.commit(unit)
        twice = dump(path)
        await store.close()
    assert once == twice


async def test_a_notice_that_was_delivered_between_two_commits_stays_delivered(
    store: Store,
) -> None:
    unit = build.told()
    await store.commit(unit)
    await store.outbox_delivered(unit.outbox[0].id, build.START)
    await store.commit(unit)
    assert [entry.state for entry in await store.outbox_list()] == [OutboxState.DELIVERED]


async def limit_pages(store: Store, more: int | None) -> None:
    """Let the database grow by so many pages, as on a disk that fills up; None lifts the limit."""
    async with store._writer.connect() as connection:
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
        limit = 2**30 if more is None else pages + more
        await connection.exec_driver_sql(f"PRAGMA max_page_count = {limit}")


async def test_a_full_disk_is_a_store_error_and_the_same_unit_fits_later(
    store: Store, path: Path
) -> None:
    await store.commit(build.told(1))
    before = dump(path)
    unit = build.fed(
        2,
        *(build.sighting(n, "parola " * 200) for n in range(200, 400)),
        positions={"bluesky": "after"},
        effects=(build.effect(EffectKind.ESCALATED),),
    )
    await limit_pages(store, 5)
    for _ in range(2):
        with pytest.raises(StoreError, match="full") as full:
            await store.commit(unit)
        assert str(path) in str(full.value)
        assert "parola" not in str(full.value)
    assert dump(path) == before
    assert await store.positions() == {"bluesky": "cursor-1"}
    await limit_pages(store, None)
    await store.commit(unit)
    assert await store.positions() == {"bluesky": "after"}
    assert (await store.stats())["mentions"] == 201


async def test_a_commit_whose_caller_is_cancelled_is_whole_and_the_store_goes_on(
    store: Store,
) -> None:
    unit = build.fed(1, *(build.sighting(n, "parola " * 40) for n in range(500)))
    caller = asyncio.create_task(store.commit(unit))
    await asyncio.sleep(0.005)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await store.commit(build.fed(2, build.sighting(9999)))
    rows = [len(row.sightings) async for row in store.journal_since(0)]
    assert rows in ([500, 1], [1])
    await store.commit(unit)
    assert (await store.stats())["mentions"] == 501


async def test_reads_go_on_while_another_process_holds_the_write_lock(
    store: Store, path: Path
) -> None:
    await store.commit(build.told())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(store.commit(build.fed(2, build.sighting(9))))
    assert len(await store.mentions()) == 1
    other.execute("ROLLBACK")
    other.close()
    await waiting
    assert len(await store.mentions()) == 2


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_process_killed_while_committing_leaves_whole_units_only(
    path: Path, seed: int
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.store.committing", str(path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(5):
        said = int(await process.stdout.readline())
    await asyncio.sleep(random.Random(seed).uniform(0.0, 0.05))
    process.send_signal(signal.SIGKILL)
    rest = (await process.stdout.read()).split()
    assert await process.wait() == -signal.SIGKILL
    said = int(rest[-1]) if rest else said

    store = await Store.open(str(path))
    last = await store.last_seq()
    assert last in (said, said + 1)
    rows = [row async for row in store.journal_since(0)]
    assert [row.entry.seq for row in rows] == list(range(1, last + 1))
    assert {len(row.sightings) for row in rows} == {committing.MENTIONS}
    assert await store.positions() == {"bluesky": str(last)}
    assert [one.seq for one in await store.snapshots()] == [last]
    stats = await store.stats()
    assert (stats["mentions"], stats["incidents"]) == (last * committing.MENTIONS, last)
    assert len(await store.outbox_list(OutboxState.PENDING, limit=10**6)) == last
    found = await store.search("numero", limit=10**6)
    assert len(found) == last * committing.MENTIONS
    await store.commit(committing.unit(last + 1))
    await store.close()


async def test_commands_of_an_incident_are_read_from_the_journal_in_order(store: Store) -> None:
    commands = [build.command("c-1"), build.command("c-2", "inc-2"), build.command("c-3")]
    entries = tuple(build.command_entry(seq, of) for seq, of in enumerate(commands, start=1))
    await store.commit(Unit(journal=entries))
    assert await store.commands("inc-1") == [commands[0], commands[2]]
    assert await store.commands("") == []


async def test_the_same_number_in_the_journal_is_the_same_entry(store: Store) -> None:
    await store.commit(Unit(journal=(JournalEntry(1, 5.0, EntryKind.ADVANCE),)))
    await store.commit(Unit(journal=(JournalEntry(1, 9.0, EntryKind.ADVANCE),)))
    assert [row.entry.at async for row in store.journal_since(0)] == [5.0]
