from __future__ import annotations

from sentinel.store import Store
from sentinel.store.unit import EntryKind, JournalEntry, Unit
from tests.store import build


def advance(seq: int) -> JournalEntry:
    return JournalEntry(seq, build.START + seq, EntryKind.ADVANCE)


async def test_a_replay_gives_every_input_in_order_with_its_mentions_as_they_were_fed(
    store: Store,
) -> None:
    expected = []
    for seq in range(1, 601):
        if seq % 3:
            await store.commit(Unit(journal=(advance(seq),)))
            expected.append((seq, EntryKind.ADVANCE, []))
            continue
        ids = [seq * 10 + n for n in (3, 1, 2)]
        await store.commit(build.fed(seq, *(build.sighting(n) for n in ids)))
        expected.append((seq, EntryKind.MENTIONS, [f"post-{n}" for n in ids]))
    rows = [
        (row.entry.seq, row.entry.kind, [one.mention.id for one in row.sightings])
        async for row in store.journal_since(0)
    ]
    assert rows == expected
    assert [row.entry.seq async for row in store.journal_since(598)] == [599, 600]
    assert [row async for row in store.journal_since(600)] == []


async def test_payloads_come_back_as_they_were(store: Store) -> None:
    source = JournalEntry(1, 5.0, EntryKind.SOURCE, b"\x00\xff status")
    command = build.command_entry(2, build.command())
    await store.commit(Unit(journal=(source, command)))
    assert [row.entry async for row in store.journal_since(0)] == [source, command]


async def test_the_last_number_survives_pruning(store: Store) -> None:
    await store.commit(Unit(journal=(advance(1), advance(2)), snapshots=(build.snapshot(seq=2),)))
    assert await store.prune_journal(100) == 1
    assert await store.last_seq() == 2


async def test_pruning_keeps_what_a_snapshot_does_not_contain(store: Store) -> None:
    entries = tuple(advance(seq) for seq in range(1, 11))
    await store.commit(Unit(journal=entries))
    assert await store.prune_journal(100) == 0
    snapshots = (build.snapshot("aurora", 4), build.snapshot("northwind", 8))
    await store.commit(Unit(snapshots=snapshots))
    assert await store.prune_journal(3) == 2
    assert await store.prune_journal(100) == 2
    assert [row.entry.seq async for row in store.journal_since(4)] == list(range(5, 11))


async def test_pruning_heeds_configured_brands_without_a_snapshot_and_no_others(
    store: Store,
) -> None:
    entries = tuple(advance(seq) for seq in range(1, 11))
    await store.commit(
        Unit(journal=entries, snapshots=(build.snapshot("gone", 1), build.snapshot("here", 6)))
    )
    assert await store.prune_journal(100, brands=["here", "new"]) == 0
    assert await store.prune_journal(100, brands=["here"]) == 6


async def test_pruning_keeps_peoples_commands_for_the_review(store: Store) -> None:
    command = build.command()
    entries = (advance(1), build.command_entry(2, command), advance(3), advance(4))
    await store.commit(Unit(journal=entries, snapshots=(build.snapshot(seq=4),)))
    assert await store.prune_journal(4) == 2
    assert await store.commands("inc-1") == [command]
    assert [row.entry.seq async for row in store.journal_since(0)] == [2, 4]


async def test_only_the_newest_snapshot_of_a_brand_is_kept(store: Store) -> None:
    await store.commit(Unit(snapshots=(build.snapshot(seq=5, blob=b"new"),)))
    await store.commit(Unit(snapshots=(build.snapshot(seq=4, blob=b"old"),)))
    assert await store.snapshots() == [build.snapshot(seq=5, blob=b"new")]
    await store.commit(Unit(snapshots=(build.snapshot(seq=6, blob=b"newest"),)))
    assert await store.snapshots() == [build.snapshot(seq=6, blob=b"newest")]
