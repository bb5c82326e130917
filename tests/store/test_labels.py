"""What people say that posts are, kept with who and when."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.language.labels import CLASSES, UNRELATED, Label
from sentinel.model import Retraction
from sentinel.store import Store
from sentinel.store.schema import HEAD
from sentinel.store.unit import LabelRow, Unit
from tests.store import build


def label(name: str = "l-1", corrected: str = "negative", mention: str = "post-1") -> Label:
    return Label(
        id=name,
        source="bluesky",
        mention_id=mention,
        brand="aurora",
        language="it",
        probabilities=(0.25, 0.5, 0.25),
        base=(0.125, 0.75, 0.125),
        model_id="default-1",
        corrected=corrected,
        by="Anna",
        via="slack",
        at=build.START,
        drawn=True,
    )


async def test_a_label_comes_back_as_it_was_given_also_after_a_restart(path: Path) -> None:
    store = await Store.open(str(path))
    await store.add_label(label())
    await store.close()
    again = await Store.open(str(path))
    assert [label()] == await again.labels() == await again.labels("aurora")
    assert [] == await again.labels("northwind")
    assert [label()] == await again.labels(mention=("bluesky", "post-1"))
    assert [] == await again.labels(mention=("forum", "post-1"))
    await again.close()


async def test_the_same_label_twice_counts_once(store: Store) -> None:
    await store.add_label(label())
    await store.add_label(label(corrected="positive"))
    assert [label()] == await store.labels()


async def test_the_newest_word_on_a_mention_counts_and_withdrawing_it_brings_the_one_before_back(
    store: Store,
) -> None:
    first, other = label("l-1"), label("l-2", mention="post-2")
    second = msgspec.structs.replace(label("l-3", UNRELATED), by="Bruno")
    for one in (first, other, second):
        await store.add_label(one)
    assert [other, second] == await store.labels()
    assert await store.withdraw_label("l-3", by="Bruno", at=build.START + 9)
    assert [first, other] == await store.labels()


async def test_what_was_withdrawn_stays_on_record_with_who_and_when(store: Store) -> None:
    await store.add_label(label())
    assert await store.withdraw_label("l-1", by="Bruno", at=build.START + 9)
    assert not await store.withdraw_label("l-1", by="Carla", at=build.START + 99)
    assert not await store.withdraw_label("l-404", by="Carla", at=build.START)
    assert [LabelRow(label(), "Bruno", build.START + 9)] == await store.label_history("aurora")


_said = st.tuples(st.integers(0, 3), st.sampled_from([*CLASSES, UNRELATED]))


@settings(max_examples=15, deadline=None)
@given(st.lists(_said, max_size=8), st.data())
async def test_a_withdrawn_label_leaves_the_state_as_if_it_had_never_been_given(
    said: list[tuple[int, str]], data: st.DataObject
) -> None:
    given_ = [label(f"l-{n}", word, f"post-{which}") for n, (which, word) in enumerate(said)]
    withdrawn = data.draw(st.sets(st.sampled_from(given_ or [label()])))
    with TemporaryDirectory() as folder:
        store, never = [await Store.open(f"{folder}/{name}.db") for name in ("store", "never")]
        for one in given_:
            await store.add_label(one)
            if one not in withdrawn:
                await never.add_label(one)
        for one in withdrawn:
            await store.withdraw_label(one.id, by="Bruno", at=build.START)
        assert await never.labels() == await store.labels()
        await store.close()
        await never.close()


async def test_names_that_no_database_can_hold_are_made_storable(store: Store) -> None:
    hostile = msgspec.structs.replace(label("l-\ud800"), by="A\ud800", mention_id="post-\ud800")
    await store.add_label(hostile)
    (kept,) = await store.labels(mention=("bluesky", "post-\ud800"))
    assert ("A?", "post-?") == (kept.by, kept.mention_id)
    assert await store.withdraw_label(hostile.id, by="B\ud800", at=build.START)


async def test_a_label_outlives_the_text_of_its_post(store: Store) -> None:
    await store.commit(build.fed(1, build.sighting(1, "una parola")))
    await store.add_label(label())
    found = await store.mention("bluesky", "post-1")
    assert found is not None
    assert "una parola" == found.mention.text
    await store.commit(Unit(retractions=(Retraction("bluesky", mention_id="post-1"),)))
    gone = await store.mention("bluesky", "post-1")
    assert gone is not None
    assert "" == gone.mention.text
    assert [label()] == await store.labels()
    assert await store.mention("bluesky", "post-2") is None


async def test_a_database_from_before_labels_is_brought_up_to_date_with_what_is_in_it(
    path: Path,
) -> None:
    store = await Store.open(str(path))
    await store.commit(build.told())
    await store.close()
    with sqlite3.connect(path) as old:
        old.execute("DROP TABLE labels")
        old.execute("UPDATE alembic_version SET version_num = '0001'")
    old.close()
    store = await Store.open(str(path))
    await store.add_label(label())
    assert [label()] == await store.labels()
    assert 1 == await store.last_seq()
    await store.close()
    with sqlite3.connect(path) as new:
        assert (HEAD,) == new.execute("SELECT version_num FROM alembic_version").fetchone()
    new.close()
