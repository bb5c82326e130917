"""From a person's word to verdicts: real store, real runner, real learning; only the scorer is made up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import msgspec
import pytest

from sentinel.core.shard import Blob
from sentinel.language.corrections import Outcome
from sentinel.language.labels import UNRELATED, Word
from sentinel.learning import Learner
from sentinel.model import Retraction, Verdict
from sentinel.runtime import metrics
from sentinel.sources.base import Delivery
from tests.core.build import T0
from tests.language.test_corrections import gloomy
from tests.running import Rig, killed, mention, running

GLOOMY = gloomy(120)


class Gloomy:
    """Reads the n-th post as the n-th of the gloomy labels has it."""

    model_id = "default-1"

    def score(self, posts: object) -> list[Verdict]:
        return [self._verdict(int(post.text.split()[-1])) for post in posts]  # type: ignore[attr-defined]

    def _verdict(self, number: int) -> Verdict:
        base = GLOOMY[number % len(GLOOMY)].base
        best = ("negative", "neutral", "positive")[base.index(max(base))]
        return Verdict("it", *base, label=best, model_id=self.model_id)


def install(rig: Rig) -> Learner:
    rig.runner._scorer = Gloomy()

    def serve(layers: object) -> None:
        rig.runner.layers = layers  # type: ignore[assignment]

    return Learner(
        rig.store,
        clock=rig.clock,
        delivery_clock=rig.clock,
        metrics=rig.metrics,
        install=serve,
        rng=Random(1),
    )


@asynccontextmanager
async def learning(learner: Learner) -> AsyncIterator[None]:
    task = asyncio.create_task(learner.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def talk(rig: Rig, first: int, number: int) -> None:
    await rig.deliver(*(mention(n, text=f"pasta Aurora {n}") for n in range(first, first + number)))


def state(rig: Rig) -> Blob:
    """Everything that the core knows of the brand, decoded: a default may be spelled out or left out."""
    return msgspec.msgpack.decode(rig.core.snapshot("aurora"), type=Blob)


def word(number: int, corrected: str = "", **fields: object) -> Word:
    made = Word(
        id=f"w{number}",
        brand="aurora",
        source="feed",
        mention_id=f"m{number}",
        corrected=corrected or GLOOMY[number].corrected,
        by="Anna",
        via="api",
        drawn=True,
    )
    return msgspec.structs.replace(made, **fields)


async def verdicts(rig: Rig, first: int, number: int) -> list[Verdict]:
    found = [await rig.store.mention("feed", f"m{n}") for n in range(first, first + number)]
    return [one.verdict for one in found if one is not None]


async def test_what_people_say_changes_later_verdicts_and_a_restart_knows_it_all_again(
    tmp_path: Path,
) -> None:
    async with killed(tmp_path) as rig:
        learner = install(rig)
        await talk(rig, 0, 120)
        for number in range(120):
            assert await learner.judge(word(number)) is not None
        async with learning(learner):
            await rig.until(lambda: bool(list(learner.layers)))
        (layer,) = learner.layers
        assert Outcome.IN_SERVICE is layer.outcome
        await talk(rig, 120, 60)
        changed = await verdicts(rig, 120, 60)
        assert {f"default-1+learnt.{layer.version}"} == {one.model_id for one in changed}
        assert [GLOOMY[n].base for n in range(60)] == [one.base for one in changed]
        negative = Counter(one.label for one in changed)["negative"]
        assert negative < Counter(one.measured for one in changed)["negative"]
    async with killed(tmp_path) as rig:
        learner = install(rig)
        async with learning(learner):
            await rig.until(lambda: bool(list(learner.layers)))
        assert [layer] == list(learner.layers)
        value = rig.metrics.registry.get_sample_value
        assert 1 == value("sentinel_learnt_layers", {"outcome": "in_service"})


async def test_detection_goes_on_counting_with_the_same_ruler(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        learner = install(rig)
        await talk(rig, 0, 120)
        before = state(rig)
        for number in range(120):
            await learner.judge(word(number))
        await learner.learn()
        assert before == state(rig)
    fresh = tmp_path / "fresh"
    fresh.mkdir()

    async def counted(*, taught: bool) -> list[list[int]]:
        folder = fresh / str(taught)
        folder.mkdir()
        async with running(folder) as rig:
            install(rig)
            if taught:
                rig.runner.layers = learner.layers
            await talk(rig, 0, 60)
            open_minutes = rig.core.shards["aurora"].state.windows.open.values()
            return [list(row) for one in open_minutes for row in one.counts.values()]

    assert await counted(taught=False) == await counted(taught=True)


async def test_a_replay_gives_the_counts_of_the_time_whatever_was_learnt_since(
    tmp_path: Path,
) -> None:
    async with killed(tmp_path) as rig:
        learner = install(rig)
        await talk(rig, 0, 120)
        for number in range(120):
            await learner.judge(word(number))
        await learner.learn()
        await talk(rig, 120, 40)
        there = state(rig)
        for number in range(120):
            await learner.withdraw(f"w{number}", "Bruno")
    async with killed(tmp_path) as rig:  # nothing was snapshotted: all of it is replayed
        assert there == state(rig)


async def test_withdrawing_everything_leaves_verdicts_as_if_nobody_had_said_anything(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        learner = install(rig)
        await talk(rig, 0, 120)
        for number in range(120):
            await learner.judge(word(number))
        await learner.learn()
        for number in range(120):
            assert await learner.withdraw(f"w{number}", "Bruno")
        await learner.learn()
        assert [] == list(learner.layers)
        await talk(rig, 120, 30)
        assert all(one.base is None for one in await verdicts(rig, 120, 30))


async def test_a_post_about_two_brands_keeps_the_scorers_word(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        learner = install(rig)
        await talk(rig, 0, 120)
        for number in range(120):
            await learner.judge(word(number))
        await learner.learn()
        await rig.deliver(mention(500, text="Aurora e Northwind 500"))
        (both,) = await verdicts(rig, 500, 1)
        assert both.base is None


async def test_words_about_what_is_not_there_are_not_kept(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        learner = install(rig)
        await talk(rig, 0, 2)
        assert await learner.judge(word(7)) is None
        assert await learner.judge(word(0, brand="northwind")) is None
        assert await learner.judge(word(0, source="other")) is None
        await rig.runner.put(Delivery("feed", retractions=(Retraction("feed", "m1"),)))
        await rig.deliver()
        assert await learner.judge(word(1)) is None
        with pytest.raises(ValueError, match="one of negative"):
            await learner.judge(word(0, "awful"))
        assert [] == await rig.store.labels()


async def test_a_word_that_comes_twice_counts_once_and_is_on_record(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        learner = install(rig)
        await talk(rig, 0, 1)
        for _ in range(2):
            await learner.judge(word(0, UNRELATED))
        (label,) = await rig.store.labels("aurora")
        assert (UNRELATED, "Anna", "api", rig.clock.now()) == (
            label.corrected,
            label.by,
            label.via,
            label.at,
        )
        assert {("feed", "m0"): label} == await learner.labels_on("aurora", [("feed", "m0")])
        assert not await learner.withdraw("w9", "Bruno")


async def test_drawn_posts_are_of_the_brand_readable_and_not_judged_yet(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        learner = install(rig)
        await talk(rig, 0, 40)
        await rig.deliver(mention(900, text="Northwind 900"))
        for number in range(30):
            await learner.judge(word(number))
        drawn = await learner.draw("aurora", 10)
        assert 0 < len(drawn) <= 10
        assert {one.mention.id for one in drawn} <= {f"m{n}" for n in range(30, 40)}
        assert () == await learner.draw("nobody", 10)
        await rig.clock.move_to(T0 + 30 * 86_400)
        assert () == await learner.draw("aurora", 10)


async def test_new_and_old_posts_are_drawn_alike(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        learner = install(rig)
        await talk(rig, 0, 120)
        number = [
            int(one.mention.id[1:]) for _ in range(20) for one in await learner.draw("aurora", 5)
        ]
        # 100 draws; the standard error of their mean place is 3.5
        assert 45 < sum(number) / len(number) < 74


def test_metrics_know_every_outcome_and_every_word() -> None:
    assert {one.value for one in Outcome} == set(metrics.LAYER_OUTCOMES)
    assert {UNRELATED, "negative", "neutral", "positive"} == set(metrics.LABELS)
