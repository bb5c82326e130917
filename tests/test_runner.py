"""The way from a delivery to a commit: order, repeats, back-pressure, failures, snapshots, recovery."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from sentinel.core.pipeline import GLOBAL
from sentinel.core.shard import Blob
from sentinel.core.silence import Hush, Listening
from sentinel.errors import LanguageError, StoreError
from sentinel.language.base import Post, Scorer
from sentinel.language.second_opinion import SecondOpinion
from sentinel.model import (
    Action,
    Author,
    Command,
    EffectKind,
    Retraction,
    SourceState,
    Verdict,
)
from sentinel.sources.base import Delivery, IntakeBusyError, Receipt
from sentinel.store.unit import Snapshot, Unit
from tests.core.build import NEGATIVE, NEUTRAL, T0
from tests.running import FakeScorer, Rig, killed, mention, running

CALM_MINUTES = 20


def value(rig: Rig, name: str, **labels: str) -> float:
    return rig.metrics.registry.get_sample_value(name, labels) or 0.0


def state(rig: Rig, brand: str) -> Blob:
    """Everything that the core knows of a brand, decoded: a default may be spelled out or left out."""
    return msgspec.msgpack.decode(rig.core.snapshot(brand), type=Blob)


async def alive(rig: Rig) -> None:
    for source in ("feed", "other"):
        await rig.runner.report(source, SourceState.ALIVE)


async def talk(rig: Rig, minutes: int, begin: float = T0) -> None:
    """Minutes of talk, each closed before the next: calm for twenty minutes, then angry. Every life says the same."""
    for minute in range(minutes):
        at = begin + minute * 60
        calm = at < T0 + CALM_MINUTES * 60
        posts = [
            mention(
                f"{at:.0f}-{n}",
                at + n,
                "pasta Aurora" if calm or n % 5 == 0 else "Aurora, che schifo",
            )
            for n in range(3 if calm else 20)
        ]
        await rig.clock.move_to(at + 60)
        await rig.deliver(*posts, watermark=at + 60)
        await rig.deliver(source="other", watermark=at + 60)


async def test_a_receipt_comes_after_the_commit_and_says_what_became_of_each(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        first = await rig.deliver(mention(1), mention(2, text="nothing of ours"), mention(1))
        assert Receipt(accepted=1, duplicates=1, unmatched=1) == first
        known = await rig.store.known([("feed", "m1"), ("feed", "m2")])
        assert set(known) == {("feed", "m1")}
        again = await rig.deliver(mention(1), mention(3))
        assert Receipt(accepted=1, duplicates=1) == again
        assert value(rig, "sentinel_mentions_ingested_total", source="feed") == 5
        dropped = "sentinel_mentions_dropped_total"
        assert value(rig, dropped, source="feed", reason="duplicate") == 2
        assert value(rig, dropped, source="feed", reason="unmatched") == 1


async def test_no_receipt_comes_before_the_commit(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.store.held = asyncio.Event()
        receipt = await rig.runner.put(Delivery("feed", mentions=(mention(1),)))
        await rig.until(lambda: rig.scorer.batches == [1])
        await asyncio.sleep(0.05)
        assert not receipt.done()
        rig.store.held.set()
        assert await receipt == Receipt(accepted=1)


async def test_a_second_opinion_is_what_is_committed_and_counted(tmp_path: Path) -> None:
    class Better(FakeScorer):
        def score(self, posts: Sequence[Post]) -> list[Verdict]:
            return [msgspec.structs.replace(NEGATIVE, model_id="better") for _ in posts]

    second = SecondOpinion(Better, 1.0, time.monotonic)
    second.load().result(timeout=20)
    async with running(tmp_path, second_opinion=second) as rig:
        await rig.deliver(mention(1), mention(2, author=Author(followers=2_000_000)))
        [unit] = [one for one in rig.store.units if one.sightings]
        models = {one.mention.id: one.verdict.model_id for one in unit.sightings}
        assert {"m1": NEUTRAL.model_id, "m2": "better"} == models
        assert value(rig, "sentinel_second_opinions_total", reason="reach") == 1
        rows = [row for row in await rig.journal() if row.sightings]
    # What a replay would feed to the core:
    assert models == {one.mention.id: one.verdict.model_id for one in rows[0].sightings}


async def test_a_second_scorer_that_cannot_be_loaded_stops_nothing(tmp_path: Path) -> None:
    def load() -> Scorer:
        raise LanguageError("damaged")

    second = SecondOpinion(load, 1.0, time.monotonic)
    second.load().exception(timeout=20)
    async with running(tmp_path, second_opinion=second) as rig:
        loud = mention(1, author=Author(followers=2_000_000))
        assert await rig.deliver(loud) == Receipt(accepted=1)
        assert value(rig, "sentinel_second_opinions_skipped_total", reason="broken") == 1


async def test_mentions_and_position_are_committed_in_one_transaction(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.deliver(mention(1), position="cursor-1")
        [unit] = [one for one in rig.store.units if one.sightings]
        assert {"feed": "cursor-1"} == unit.positions
        assert [one.mention.id for one in unit.sightings] == ["m1"]
        assert rig.runner.position("feed") == "cursor-1"
        assert rig.runner.position("other") == ""
    async with running(tmp_path) as rig:
        assert rig.runner.position("feed") == "cursor-1"


async def test_a_position_without_mentions_is_kept_too(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.deliver(position="cursor-9")
        assert await rig.store.positions() == {"feed": "cursor-9"}


async def test_the_journal_has_every_input_in_the_order_in_which_the_core_took_it(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        rig.store.held = asyncio.Event()
        # Holds the commit, so that the rest comes together.
        await rig.runner.put(Delivery("feed", mentions=(mention(0),)))
        await rig.until(lambda: rig.scorer.batches == [1])
        await asyncio.sleep(0.02)
        receipts = [
            await rig.runner.put(Delivery("feed", mentions=(mention(1), mention(2)))),
            await rig.runner.put(Delivery("feed", retractions=(Retraction("feed", "m1"),))),
            await rig.runner.put(Delivery("feed", mentions=(mention(3),))),
        ]
        await rig.runner.report("feed", SourceState.ALIVE)
        rig.store.held.set()
        await asyncio.gather(*receipts)
        await rig.deliver(mention(4))
        rows = [row for row in await rig.journal() if row.entry.kind.value != "advance"]
        seqs = [row.entry.seq for row in await rig.journal()]
        assert list(range(1, len(seqs) + 1)) == seqs
        kinds = [row.entry.kind.value for row in rows]
        assert kinds == [
            "source", "source", "mentions", "mentions", "retraction", "mentions", "source", "mentions",
        ]  # fmt: skip
        fed = [[one.mention.id for one in row.sightings] for row in rows if row.sightings]
        assert fed == [["m0"], ["m1", "m2"], ["m3"], ["m4"]]


async def test_deliveries_that_wait_together_are_one_entry_and_one_commit(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        receipts = [
            await rig.runner.put(Delivery("feed", mentions=(mention(n),))) for n in range(40)
        ]
        assert [await one for one in receipts] == [Receipt(accepted=1)] * 40
        with_mentions = [one for one in rig.store.units if one.sightings]
        assert len(with_mentions) <= 2
        assert sum(rig.scorer.batches) == 40


async def test_a_repeat_in_the_same_unit_counts_once(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        receipts = [
            await rig.runner.put(Delivery("feed", mentions=(mention(1), mention(1))))
            for _ in range(3)
        ]
        got = [await one for one in receipts]
        assert [one.accepted for one in got] == [1, 0, 0]
        assert sum(one.duplicates for one in got) == 5
        counts = rig.core.shards["aurora"].state.windows.open[int(T0)].counts
        assert counts == {"social": [1, 0, 0, 0]}


async def test_the_same_id_from_another_source_is_another_mention(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.deliver(mention(1))
        other = await rig.deliver(mention(1, source="other"), source="other")
        assert Receipt(accepted=1) == other


async def test_another_text_under_a_known_id_is_an_edit_and_counts_no_more(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.deliver(mention(1, text="Aurora va bene"))
        receipts = [
            await rig.runner.put(Delivery("feed", mentions=(mention(1, text=text),)))
            for text in ("Aurora, che schifo", "Aurora va bene", "Aurora va bene")
        ]
        assert [await one for one in receipts] == [Receipt(duplicates=1)] * 3
        [kept] = await rig.store.mentions()
        assert kept.mention.text == "Aurora va bene"
        assert sum(len(one.edits) for one in rig.store.units) == 2
        counts = rig.core.shards["aurora"].state.windows.open[int(T0)].counts
        assert counts == {"social": [1, 0, 0, 0]}


async def test_a_retracted_mention_is_blank_and_does_not_come_back(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.deliver(mention(1), mention(2))
        await rig.deliver(retractions=(Retraction("feed", "m1"),))
        again = await rig.deliver(mention(1))
        assert Receipt(duplicates=1) == again
        [left] = [one for one in await rig.store.mentions() if one.mention.text]
        assert left.mention.id == "m2"
        counts = rig.core.shards["aurora"].state.windows.open[int(T0)].counts
        assert counts == {"social": [2, 0, 0, 0]}


async def test_a_retraction_of_what_we_never_had_is_not_journalled(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.deliver(mention(1, author=Author(id="anna")))
        await rig.deliver(
            retractions=(Retraction("feed", "m99"), Retraction("feed", author_id="nobody"))
        )
        assert "retraction" not in await rig.kinds()
        await rig.deliver(retractions=(Retraction("feed", author_id="anna"),))
        assert (await rig.kinds()).count("retraction") == 1


async def test_a_late_mention_is_archived_and_not_counted(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await alive(rig)
        await talk(rig, 2)
        before = state(rig, "aurora")
        receipt = await rig.deliver(mention("late", T0 + 1))
        assert Receipt(accepted=1) == receipt
        assert set(await rig.store.known([("feed", "mlate")])) == {("feed", "mlate")}
        assert before == state(rig, "aurora")
        assert value(rig, "sentinel_mentions_dropped_total", source="feed", reason="late") == 1


# --- back-pressure -------------------------------------------------------------------------------


async def test_a_full_queue_refuses_who_does_not_wait_and_holds_who_does(tmp_path: Path) -> None:
    async with running(tmp_path, queue_mentions=3) as rig:
        rig.store.held = asyncio.Event()
        rounds = 0
        with pytest.raises(IntakeBusyError) as busy:  # noqa: PT012 - the queue drains a little first
            while True:
                rig.runner.try_put(
                    Delivery("feed", mentions=tuple(mention(f"{rounds}-{n}") for n in range(3)))
                )
                rounds += 1
                assert rounds < 20
                await asyncio.sleep(0.02)
        assert busy.value.retry_after > 0
        waiting = asyncio.create_task(rig.runner.put(Delivery("feed", mentions=(mention("x"),))))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        rig.store.held.set()
        assert await (await waiting) == Receipt(accepted=1)
        assert await rig.runner.try_put(Delivery("feed", mentions=(mention("y"),))) == Receipt(
            accepted=1
        )
        assert (await rig.store.stats())["mentions"] == 3 * rounds + 2


async def test_after_stop_nothing_more_is_taken_and_what_was_taken_is_committed(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        receipts = [
            await rig.runner.put(Delivery("feed", mentions=(mention(n),))) for n in range(30)
        ]
        rig.runner.stop()
        with pytest.raises(IntakeBusyError):
            rig.runner.try_put(Delivery("feed", mentions=(mention("x"),)))
        assert [await one for one in receipts] == [Receipt(accepted=1)] * 30
    async with running(tmp_path) as rig:
        assert (await rig.store.stats())["mentions"] == 30


# --- a store that fails --------------------------------------------------------------------------


async def test_a_commit_that_fails_is_tried_again_until_it_succeeds(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.deliver(mention(0))
        rig.store.commits_to_fail = 3
        receipt = await rig.runner.put(Delivery("feed", mentions=(mention(1),), position="c1"))
        await rig.until(lambda: bool(rig.runner.commit_failing))
        assert not receipt.done()
        with pytest.raises(IntakeBusyError):
            rig.runner.try_put(Delivery("feed", mentions=(mention(2),)))
        assert await receipt == Receipt(accepted=1)
        assert rig.runner.commit_failing == ""
        assert value(rig, "sentinel_commits_failed_total") == 3
        assert await rig.deliver(mention(1)) == Receipt(duplicates=1)
        counts = rig.core.shards["aurora"].state.windows.open[int(T0)].counts
        assert counts == {"social": [2, 0, 0, 0]}
        assert rig.runner.position("feed") == "c1"


async def test_an_archive_that_cannot_be_asked_is_asked_again(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.deliver(mention(0))
        rig.store.reads_to_fail = 2
        assert await rig.deliver(mention(0), mention(1)) == Receipt(accepted=1, duplicates=1)
        rig.store.reads_to_fail = 2
        await rig.deliver(retractions=(Retraction("feed", "m1"),))
        assert (await rig.kinds()).count("retraction") == 1


async def test_a_store_that_fails_for_good_does_not_keep_a_stop_from_ending(
    tmp_path: Path,
) -> None:
    with pytest.raises(BaseExceptionGroup) as ended:  # noqa: PT012 - the error comes out of the whole life
        async with running(tmp_path) as rig:
            await rig.deliver(mention(0))
            rig.store.commits_to_fail = 1_000_000
            receipt = await rig.runner.put(Delivery("feed", mentions=(mention(1),)))
            await rig.until(lambda: bool(rig.runner.commit_failing))
            rig.runner.stop()
            rig.runner._stopped_at -= 3600.0  # long ago
    assert ended.group_contains(StoreError, match="the disk is full")
    assert not receipt.done()
    async with running(tmp_path) as rig:
        assert await rig.deliver(mention(1)) == Receipt(accepted=1)


async def test_a_last_snapshot_that_fails_costs_a_replay_and_no_more(tmp_path: Path) -> None:
    async with running(tmp_path, snapshot_seconds=3600.0) as rig:
        await alive(rig)
        await talk(rig, 3)
        before = state(rig, "aurora")
        rig.store.commits_to_fail = 1_000_000
    async with running(tmp_path) as rig:
        assert before == state(rig, "aurora")


# --- people and sources --------------------------------------------------------------------------


async def test_an_alarm_is_committed_with_its_notices_and_wakes_the_outbox(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await alive(rig)
        await talk(rig, 30)
        incidents = await rig.store.incidents()
        assert len(incidents) == 1
        assert rig.woken > 0
        [unit] = [
            one
            for one in rig.store.units
            if any(effect.kind is EffectKind.OPENED for effect in one.effects)
        ]
        assert [f"{one.id}@desk" for one in unit.effects] == [one.id for one in unit.outbox]
        assert [one.kind.value for one in unit.journal][-1] == "advance"
        assert (
            value(
                rig,
                "sentinel_incidents_open",
                direction="threat",
                severity=incidents[0].severity.slug,
            )
            == 1
        )


async def test_a_command_is_stamped_with_the_events_clock_and_returns_the_new_view(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        await alive(rig)
        await talk(rig, 30)
        [incident] = await rig.store.incidents()
        command = Command("c1", 0.0, Action.TAKE, incident.id, "u1", "Reperibile 1")
        after = await rig.runner.submit(command)
        assert after is not None
        assert (after.acknowledged_by, after.acknowledged_at) == ("Reperibile 1", rig.clock.now())
        [kept] = await rig.store.commands(incident.id)
        assert kept.at == rig.clock.now()
        assert await rig.runner.submit(command) == after
        taken = [one for one in await rig.store.timeline(incident.id) if one.kind == "acknowledged"]
        assert len(taken) == 1


async def test_a_source_that_repeats_itself_is_journalled_once(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        for _ in range(3):
            await rig.runner.report("feed", SourceState.ALIVE, detail="connected")
            await rig.deliver(mention(1))
        assert (await rig.kinds()).count("source") == 2 + 1  # both start, one is alive
        assert rig.runner.source_details["feed"] == "connected"


async def test_a_source_that_is_alive_at_once_after_a_restart_counts_as_alive(
    tmp_path: Path,
) -> None:
    for _ in range(2):
        async with running(tmp_path) as rig:
            await alive(rig)  # before the runner has had its first turn
            await rig.deliver(mention(1))
            states = {one.state for one in rig.core.watermarks.sources.values()}
            assert states == {SourceState.ALIVE}


async def test_a_silence_that_nobody_reported_is_a_metric_until_something_comes(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        await alive(rig)
        rig.core.listening = Listening(sources={"feed": Hush(since=T0, silent=True)})
        await rig.deliver(source="other", watermark=T0 + 60)
        silent = [value(rig, "sentinel_source_silent", source=one) for one in ("feed", "other")]
        assert [1.0, 0.0] == silent
        await rig.deliver(mention(1, rig.clock.now()))
        await talk(rig, 2, rig.clock.now())
        await rig.until(lambda: value(rig, "sentinel_source_silent", source="feed") == 0.0)


# --- snapshots and recovery ----------------------------------------------------------------------


async def test_snapshots_are_taken_in_slices(tmp_path: Path) -> None:
    async with running(tmp_path, snapshot_seconds=0.0) as rig:
        for number in range(6):
            await rig.deliver(mention(number))
        sizes = [len(one.snapshots) for one in rig.store.units if one.snapshots]
        assert max(sizes) == 2  # the sources and one of two brands
        names = {snapshot.brand for one in rig.store.units for snapshot in one.snapshots}
        assert names == {GLOBAL, "aurora", "northwind"}


async def test_a_clean_stop_leaves_nothing_to_replay(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await alive(rig)
        await talk(rig, 5)
        last = await rig.store.last_seq()
        before = state(rig, "aurora")
    async with running(tmp_path) as rig:
        assert [one.seq for one in await rig.store.snapshots()] == [last] * 3
        assert before == state(rig, "aurora")


async def test_a_replay_equals_never_having_stopped(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with running(tmp_path / "one", snapshot_seconds=0.2) as rig:
        await alive(rig)
        await talk(rig, 40)
        await rig.deliver(retractions=(Retraction("feed", f"m{T0:.0f}-3"),))
        await talk(rig, 5, T0 + 2400)
        wanted = {name: state(rig, name) for name in ("aurora", "northwind")}
        effects = [
            one.id
            for row in await rig.store.incidents()
            for one in await rig.store.timeline(row.id)
        ]
        assert effects
    at = T0 + 60
    for begin, minutes in ((T0, 7), (T0 + 420, 13), (T0 + 1200, 20)):
        async with killed(tmp_path / "two", at=at, snapshot_seconds=0.2) as rig:
            await alive(rig)
            await talk(rig, minutes, begin)
            at = rig.clock.now()
    async with killed(tmp_path / "two", at=at, snapshot_seconds=0.2) as rig:
        await alive(rig)
        await rig.deliver(retractions=(Retraction("feed", f"m{T0:.0f}-3"),))
        await talk(rig, 5, T0 + 2400)
    async with running(tmp_path / "two", at=T0 + 2700) as rig:
        assert wanted == {name: state(rig, name) for name in ("aurora", "northwind")}
        again = [
            one.id
            for row in await rig.store.incidents()
            for one in await rig.store.timeline(row.id)
        ]
        assert effects == again


async def test_a_damaged_snapshot_is_replaced_by_a_replay(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await alive(rig)
        await talk(rig, 5)
        before = state(rig, "aurora")
    async with killed(tmp_path) as rig:
        [one] = [one for one in await rig.store.snapshots() if one.brand == "aurora"]
        await rig.store.commit(
            Unit(snapshots=(Snapshot("aurora", one.seq + 100, one.at, b"\xc1"),))
        )
    async with running(tmp_path) as rig:
        assert before == state(rig, "aurora")


async def test_housekeeping_keeps_what_a_replay_needs(tmp_path: Path) -> None:
    async with running(tmp_path, snapshot_seconds=3600.0) as rig:
        await alive(rig)
        await talk(rig, 5)
        await rig.clock.move_to(T0 + 2 * 86_400)
        await rig.runner.forget_old(86_400.0)
        assert (await rig.store.stats())["mentions"] == 15
    async with running(tmp_path, at=T0 + 2 * 86_400) as rig:
        await rig.runner.forget_old(86_400.0)
        assert (await rig.store.stats())["mentions"] == 0
        assert len(await rig.journal()) <= 4
