"""A runner over a real store, with time, language and failures in the hands of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from sentinel.core.match import Matcher
from sentinel.core.pipeline import Core
from sentinel.errors import StoreError
from sentinel.language.base import Post
from sentinel.model import Brand, Mention, Verdict
from sentinel.runner import Runner
from sentinel.runtime.clock import ReplayClock
from sentinel.runtime.metrics import Metrics
from sentinel.sources.base import Delivery, Receipt
from sentinel.store import Store
from sentinel.store.unit import JournalRow, Unit
from tests.core.build import NEGATIVE, NEUTRAL, T0
from tests.fakes.notifier import FakeNotifier

AURORA = Brand(id="aurora", name="Pastificio Aurora", terms=("Aurora",))
NORTHWIND = Brand(id="northwind", name="Northwind Coffee", terms=("Northwind",), language="en")


class FakeScorer:
    """Negative where the text says so; counts its batches."""

    model_id = "fake"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def score(self, posts: Sequence[Post]) -> list[Verdict]:
        self.batches.append(len(posts))
        return [NEGATIVE if "schifo" in post.text else NEUTRAL for post in posts]


class FailingStore(Store):
    """A real store that refuses as often as it is told to."""

    commits_to_fail = 0
    reads_to_fail = 0
    held: asyncio.Event | None = None
    units: list[Unit]

    async def commit(self, unit: Unit) -> None:
        if self.held is not None:
            await self.held.wait()
        if self.commits_to_fail:
            self.commits_to_fail -= 1
            raise StoreError("the disk is full")
        await super().commit(unit)
        self.units.append(unit)

    async def known(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        if self.reads_to_fail:
            self.reads_to_fail -= 1
            raise StoreError("the disk does not answer")
        return await super().known(keys)


class Rig:
    """One life of a runner."""

    def __init__(self, store: FailingStore, clock: ReplayClock, **options: object) -> None:
        self.store, self.clock = store, clock
        self.scorer, self.metrics = FakeScorer(), Metrics(["feed", "other"], ["desk"])
        self.notifier = FakeNotifier("desk")
        self.woken = 0
        brands = (AURORA, NORTHWIND)
        self.core = Core(brands, (), {"feed": 0.0, "other": 0.0})
        self.runner = Runner(
            core=self.core,
            store=store,
            matcher=Matcher(brands),
            scorer=self.scorer,
            clock=clock,
            metrics=self.metrics,
            notifiers={"desk": self.notifier},
            on_commit=self._wake,
            delivery_now=clock.now,
            rng=Random(1),
            **options,  # type: ignore[arg-type]  # passed through
        )

    def _wake(self) -> None:
        self.woken += 1

    async def deliver(self, *mentions: Mention, source: str = "feed", **more: object) -> Receipt:
        """Hand over and wait for the commit."""
        delivery = Delivery(source, mentions=mentions, **more)  # type: ignore[arg-type]  # passed through
        return await (await self.runner.put(delivery))

    async def journal(self, since: int = 0) -> list[JournalRow]:
        return [row async for row in self.store.journal_since(since)]

    async def kinds(self) -> list[str]:
        return [row.entry.kind.value for row in await self.journal()]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - what is waited for announces nothing
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(folder: Path, *, at: float = T0 + 60, **options: object) -> AsyncIterator[Rig]:
    """A recovered, running runner; at the end it is stopped in good order and the store closed."""
    store = await FailingStore.open(str(folder / "sentinel.db"))
    store.units = []
    rig = Rig(store, ReplayClock(at), **options)
    await rig.runner.recover()
    task = asyncio.create_task(rig.runner.run())
    try:
        yield rig
        rig.runner.stop()
        await asyncio.wait_for(task, 30)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


@asynccontextmanager
async def killed(folder: Path, *, at: float = T0 + 60, **options: object) -> AsyncIterator[Rig]:
    """The same, but at the end it is torn down without a word, as by SIGKILL."""
    store = await FailingStore.open(str(folder / "sentinel.db"))
    store.units = []
    rig = Rig(store, ReplayClock(at), **options)
    await rig.runner.recover()
    task = asyncio.create_task(rig.runner.run())
    try:
        yield rig
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


def mention(
    number: int | str, at: float = T0 + 5, text: str = "pasta Aurora", **more: object
) -> Mention:
    return Mention(
        id=f"m{number}",
        source=str(more.pop("source", "feed")),
        channel=str(more.pop("channel", "social")),
        published_at=at,
        received_at=at,
        text=text,
        **more,  # type: ignore[arg-type]  # passed through
    )
