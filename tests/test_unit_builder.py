"""Units: what is committed together, in which order, and that the journal alone rebuilds the core."""

import asyncio
import tempfile
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.shard import Blob
from sentinel.model import Action, Command, Retraction, SourceState
from sentinel.runner import replay
from sentinel.sources.base import Delivery, Receipt
from sentinel.store.unit import EntryKind, Unit
from tests.core.build import T0
from tests.running import Rig, mention, running

TEXTS = ("pasta Aurora", "Aurora, che schifo", "Northwind e Aurora", "niente di nostro")

POSTS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(TEXTS)), max_size=4)
STEP = st.one_of(
    st.tuples(st.just("posts"), POSTS),
    st.tuples(st.just("forget"), st.integers(0, 9)),
    st.tuples(st.just("clock"), st.sampled_from([1.0, 30.0, 90.0])),
    st.tuples(st.just("source"), st.sampled_from(list(SourceState))),
    st.tuples(st.just("command"), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.none()),
)


async def play(folder: Path, steps: list[tuple[str, object]]) -> tuple[Rig, list[Receipt]]:
    """Play the steps, waiting for commits only where a step says so: units are as chance has it."""
    async with running(folder) as rig:
        waiting: list[asyncio.Future[Receipt]] = []
        tasks: list[asyncio.Task[object]] = []
        for number, (kind, what) in enumerate(steps):
            if kind == "posts":
                posts = tuple(
                    mention(n, T0 + 60 + 5 * n, text)  # type: ignore[misc]  # drawn as such
                    for n, text in what  # type: ignore[attr-defined]
                )
                delivery = Delivery("feed", mentions=posts, position=f"c{number}")
                waiting.append(await rig.runner.put(delivery))
            elif kind == "forget":
                gone = Retraction("feed", f"m{what}")
                waiting.append(await rig.runner.put(Delivery("feed", retractions=(gone,))))
            elif kind == "clock":
                await rig.clock.move_to(rig.clock.now() + what)  # type: ignore[operator]
            elif kind == "source":
                await rig.runner.report("feed", what)  # type: ignore[arg-type]
            elif kind == "command":
                order = Command(f"c{what}", 0.0, Action.TAKE, "nobody", "u1", "Anna")
                tasks.append(asyncio.create_task(rig.runner.submit(order)))
            else:
                await asyncio.gather(*waiting)
        receipts = [await one for one in waiting]
        await asyncio.gather(*tasks)
        await rig.deliver()  # the round before it is over
        await _check(rig)
        return rig, receipts


async def _check(rig: Rig) -> None:
    units = [one for one in rig.store.units if one.journal]
    seqs = [entry.seq for unit in units for entry in unit.journal]
    assert seqs == list(range(1, len(seqs) + 1))
    for unit in units:
        _check_unit(unit)
    fresh = Rig(rig.store, rig.clock).core
    everything = frozenset(["", *fresh.shards])
    async for row in rig.store.journal_since(0):
        replay(fresh, row, everything)
    for name in fresh.shards:
        assert _state(rig.core.snapshot(name)) == _state(fresh.snapshot(name))


def _state(blob: bytes) -> object:
    """The state without texts: those that were edited or deleted after they had been counted differ."""
    decoded = msgspec.msgpack.decode(blob, type=Blob)
    state = decoded.state
    kept = [*(bucket.sightings for bucket in state.windows.open.values()), state.recent]
    shown = [[(one.mention.key, one.verdict) for one in some if one.mention.text] for some in kept]
    for bucket in state.windows.open.values():
        bucket.sightings = []
    state.recent = []
    return decoded, shown


def _check_unit(unit: Unit) -> None:
    fed = [entry for entry in unit.journal if entry.kind is EntryKind.MENTIONS]
    assert len(fed) == bool(unit.sightings)
    if fed:
        assert unit.journal[0] is fed[0]
    for entry in unit.journal[:-1]:
        assert entry.kind is not EntryKind.ADVANCE
    keys = [one.mention.key for one in (*unit.sightings, *unit.late)]
    assert len(keys) == len(set(keys))


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(STEP, max_size=25))
def test_whatever_comes_each_post_counts_once_and_the_journal_rebuilds_the_core(
    steps: list[tuple[str, object]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rig, receipts = asyncio.run(play(Path(folder), steps))
    posts = [one for kind, what in steps if kind == "posts" for one in what]  # type: ignore[attr-defined]
    ours = {n for n, text in posts if "nostro" not in text}
    assert sum(one.accepted for one in receipts) == len(ours)
    assert sum(one.unmatched for one in receipts) == sum("nostro" in text for _, text in posts)
    total = sum(one.accepted + one.duplicates + one.unmatched for one in receipts)
    assert total == len(posts)
    archived = [
        one.mention.key for unit in rig.store.units for one in (*unit.sightings, *unit.late)
    ]
    assert sorted(archived) == sorted(("feed", f"m{n}") for n in ours)


async def test_an_edit_of_a_post_in_the_same_unit_is_kept_as_a_revision(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        receipt = await rig.deliver(
            mention(1, text="Aurora uno"),
            mention(1, text="Aurora due"),
            mention(1, text="Aurora due"),
        )
        assert receipt == Receipt(accepted=1, duplicates=2)
        [unit] = [one for one in rig.store.units if one.sightings]
        assert [one.mention.text for one in unit.edits] == ["Aurora due"]
        [kept] = await rig.store.mentions()
        assert kept.mention.text == "Aurora due"


async def test_a_post_of_two_brands_is_archived_once_and_counted_for_both(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.deliver(mention(1, text="Northwind e Aurora"))
        for brand in ("aurora", "northwind"):
            counts = rig.core.shards[brand].state.windows.open[int(T0)].counts
            assert counts == {"social": [1, 0, 0, 0]}
        assert (await rig.store.stats())["mentions"] == 1


async def test_nothing_is_committed_for_a_delivery_that_brings_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.deliver(mention(1))
        before = len(rig.store.units)
        assert await rig.deliver(mention(2, text="niente di nostro")) == Receipt(unmatched=1)
        assert await rig.deliver() == Receipt()
        assert len(rig.store.units) == before
