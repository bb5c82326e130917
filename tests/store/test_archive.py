from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinel.store import Store, text_digest
from sentinel.store.unit import Unit
from tests.store import build

START = build.START


async def archived(store: Store) -> None:
    await store.commit(
        build.fed(
            1,
            build.sighting(1, "Il caffè è finito, che scandalo!"),
            build.sighting(2, "boicotta la pasta", brands=("northwind",)),
            build.sighting(3, "CAFFE buonissimo"),
            build.sighting(4, 'AND "OR" NOT (near) text:ciao *'),
        )
    )


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("caffe", [3, 1]),
        ("CAFFÈ scandalo", [1]),
        ("scandalo caffè", [1]),
        ("boic*", [2]),
        ("boic", []),
        ("caff* finito", []),
        ("finito caff*", [1]),
        ("AND", [4]),
        ("text:ciao", [4]),
        ('"ciao"', [4]),
        ("ciao)", [4]),
        ("-pasta", [2]),
        ("", []),
        ("  ", []),
        ('"', []),
        ("*", []),
        ("!! 🥫", []),
        ("a" * 100_000, []),
        ("parola " * 10_000, []),
        ("caffe\0finito", [1]),
        ("'; DROP TABLE mentions; --", []),
        ("\ud800", []),
    ],
)
async def test_search_finds_all_words_whatever_is_typed(
    store: Store, query: str, numbers: list[int]
) -> None:
    await archived(store)
    found = await store.search(query)
    assert [one.mention.id for one in found] == [f"post-{number}" for number in numbers]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(query=st.text(st.characters() | st.sampled_from("\"'*():^-+{}\0")))
async def test_no_query_breaks_the_search(store: Store, query: str) -> None:
    assert isinstance(await store.search(query, brand="aurora", since=0, until=9e9), list)


async def test_a_search_can_be_narrowed_to_brand_and_time(store: Store) -> None:
    await archived(store)
    assert await store.search("pasta", brand="aurora") == []
    assert len(await store.search("pasta", brand="northwind")) == 1
    within = await store.search("caffe", since=START + 1, until=START + 3)
    assert [one.mention.id for one in within] == ["post-1"]
    assert [one.mention.id for one in await store.search("caffe", limit=1)] == ["post-3"]


async def test_mentions_are_listed_newest_first_by_brand_and_time(store: Store) -> None:
    await archived(store)
    listed = [one.mention.id for one in await store.mentions("aurora", START + 1, START + 4, 9)]
    assert listed == ["post-3", "post-1"]


async def test_an_edit_changes_the_text_and_keeps_the_old_one_and_the_verdict(
    store: Store, path: Path
) -> None:
    await store.commit(build.fed(1, build.sighting(1, "prima versione")))
    edited = build.sighting(1, "seconda stesura", author="someone-else")
    await store.commit(Unit(edits=(edited, build.sighting(7, "never seen"))))
    (row,) = [row async for row in store.journal_since(0)]
    (now,) = row.sightings
    assert now == build.sighting(1, "seconda stesura")
    assert await store.search("prima") == []
    assert await store.search("stesura") == [now]
    assert await store.known([("bluesky", "post-1")]) == {
        ("bluesky", "post-1"): text_digest("seconda stesura")
    }
    database = sqlite3.connect(path)
    kept = database.execute("SELECT text FROM mention_revisions").fetchall()
    database.close()
    assert kept == [("prima versione",)]


async def test_every_step_of_an_edited_text_is_kept(store: Store, path: Path) -> None:
    await store.commit(build.fed(1, build.sighting(1, "a")))
    await store.commit(Unit(edits=(build.sighting(1, "b"), build.sighting(1, "c"))))
    await store.commit(Unit(edits=(build.sighting(1, "a"),)))
    database = sqlite3.connect(path)
    kept = database.execute("SELECT text FROM mention_revisions ORDER BY id").fetchall()
    database.close()
    assert kept == [("a",), ("b",), ("c",)]
    assert [one.mention.text for one in await store.mentions()] == ["a"]


def left_in(path: Path) -> dict[str, int]:
    database = sqlite3.connect(path)
    counts = {
        table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - our names
        for table in ("mentions", "mention_brands", "mention_revisions")
    }
    database.execute("INSERT INTO mentions_fts(mentions_fts, rank) VALUES ('integrity-check', 1)")
    database.close()
    return counts


async def test_a_purge_deletes_old_mentions_and_all_that_hangs_on_them(
    store: Store, path: Path
) -> None:
    posts = tuple(build.sighting(n, f"parola{n} vecchia") for n in range(1, 1201))
    await store.commit(build.fed(1, *posts, snapshots=(build.snapshot(seq=1),)))
    await store.commit(Unit(edits=(build.sighting(1, "nuova"), build.sighting(1200, "nuova"))))
    assert await store.purge(START + 1101) == 1100
    assert left_in(path) == {"mentions": 100, "mention_brands": 100, "mention_revisions": 1}
    assert await store.search("parola7") == []
    assert len(await store.search("vecchia", limit=2000)) == 99
    assert await store.purge(START + 1101) == 0


async def test_a_purge_leaves_nothing_of_the_text_in_the_file(store: Store, path: Path) -> None:
    await store.commit(
        build.fed(1, build.sighting(1, "segretissimo"), snapshots=(build.snapshot(),))
    )
    await store.purge(START + 10)
    await store.close()
    assert b"segretissimo" not in await asyncio.to_thread(path.read_bytes)


async def test_a_purge_keeps_what_a_replay_still_needs(store: Store) -> None:
    await store.commit(build.fed(1, build.sighting(1)))
    await store.commit(build.fed(2, build.sighting(2)))
    late = build.fed(3, build.sighting(3), late=(build.sighting(9, "late", published_at=START),))
    await store.commit(late)
    assert await store.purge(START + 100) == 1  # the late one; no snapshot covers the others
    await store.commit(Unit(snapshots=(build.snapshot("aurora", 2), build.snapshot("n", 3))))
    assert await store.purge(START + 100) == 2
    assert [one.mention.id for one in await store.mentions()] == ["post-3"]
    assert [len(row.sightings) async for row in store.journal_since(2)] == [1]


async def test_commits_go_on_during_a_purge(store: Store) -> None:
    posts = tuple(build.sighting(n, "vecchia") for n in range(1, 2001))
    await store.commit(build.fed(1, *posts, snapshots=(build.snapshot(seq=1),)))
    purging = asyncio.create_task(store.purge(START + 5000))
    await store.commit(build.fed(2, build.sighting(9000, "nuova")))
    assert not purging.done()
    assert await purging == 2000
    assert [one.mention.id for one in await store.mentions()] == ["post-9000"]


async def test_stats_count_what_a_status_page_shows(store: Store) -> None:
    await store.commit(build.told(3))
    assert await store.stats() == {
        "mentions": 1,
        "incidents": 1,
        "incidents_open": 1,
        "journal": 1,
        "last_seq": 3,
        "outbox_pending": 1,
        "outbox_dead": 0,
    }
