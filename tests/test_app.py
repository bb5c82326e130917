"""The assembled service in this process: what it needs to start, what it says of itself, how sources come and go."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from sentinel.app import App, require_work
from sentinel.config import Config, build_config
from sentinel.errors import ConfigError, SourceError, StoreError
from sentinel.model import Quote, SourceState
from sentinel.runner import BEAT_LIMIT_SECONDS
from sentinel.runtime.clock import ReplayClock
from sentinel.slack_sandbox import SlackSandbox
from sentinel.sources.base import Delivery, Intake
from sentinel.store import Store
from sentinel.store.unit import Unit
from tests.core.build import T0
from tests.running import FakeScorer, mention
from tests.store import build

TOKEN = "0123456789abcdef"


def config(folder: Path, **tables: object) -> Config:
    raw: dict[str, object] = {
        "sentinel": {"database": "app.db"},
        "web": {"port": 0},
        "brands": [{"id": "aurora", "name": "Pastificio Aurora", "terms": ["Aurora"]}],
        "sources": [{"type": "http", "name": "desk", "tokens": [TOKEN]}],
    }
    return build_config(raw | tables, folder / "sentinel.toml", {})


class FakeSource:
    """A source that does what the test says."""

    lateness_seconds = 0.0

    def __init__(self, name: str, run: Callable[[Intake], Awaitable[None]]) -> None:
        self.name, self._run = name, run
        self.runs = 0

    async def run(self, intake: Intake) -> None:
        self.runs += 1
        await self._run(intake)


def app(given: Config, *sources: FakeSource, clock: ReplayClock | None = None) -> App:
    return App(
        given, clock=clock or ReplayClock(T0 + 60), scorer=FakeScorer(), extra_sources=sources
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for announces nothing
            await asyncio.sleep(0.01)


async def test_a_started_app_is_alive_and_ready_and_takes_mentions(tmp_path: Path) -> None:
    async with app(config(tmp_path)).running() as one, aiohttp.ClientSession() as session:
        assert (one.alive(), one.ready()) == ((True, []), (True, []))
        item = {"id": "1", "published_at": "2026-09-21T14:00:00Z", "text": "pasta Aurora"}
        async with session.post(
            f"{one.address}/v1/mentions", json=item, headers={"Authorization": f"Bearer {TOKEN}"}
        ) as response:
            assert (response.status, (await response.json())["accepted"]) == (200, 1)
        async with session.get(f"{one.address}/metrics") as response:
            metrics = await response.text()
        assert 'sentinel_mentions_ingested_total{source="desk"} 1.0' in metrics
        assert "sentinel_build_info" in metrics


async def test_a_pipeline_that_stands_still_is_not_alive(tmp_path: Path) -> None:
    async with app(config(tmp_path)).running() as one:
        one.runner.beat -= BEAT_LIMIT_SECONDS + 1
        well, problems = one.alive()
        assert not well
        assert "stands still" in problems[0]


async def test_a_store_that_takes_no_commits_is_not_ready(tmp_path: Path) -> None:
    async with app(config(tmp_path)).running() as one:
        one.runner.commit_failing = "the disk is full"
        assert one.ready() == (False, ["the store does not take commits"])
        one.runner.commit_failing = ""


async def test_a_source_that_crashes_is_started_again_and_stops_no_other(tmp_path: Path) -> None:
    async def crash(intake: Intake) -> None:
        await intake.report("shaky", SourceState.ALIVE)
        raise ZeroDivisionError

    async def fine(intake: Intake) -> None:
        await intake.report("steady", SourceState.ALIVE)
        for number in range(5):
            await (
                await intake.put(Delivery("steady", mentions=(mention(number, source="steady"),)))
            )
        await asyncio.Event().wait()

    shaky, steady = FakeSource("shaky", crash), FakeSource("steady", fine)
    given = config(tmp_path, sources=[])
    async with App(given, scorer=FakeScorer(), extra_sources=(shaky, steady)).running() as one:
        await until(lambda: shaky.runs >= 2 and one.runner.ingested.get("steady") == 5)
        assert steady.runs == 1
        assert (await one.store.stats())["mentions"] == 5
        count = one.metrics.registry.get_sample_value(
            "sentinel_source_reconnects_total", {"source": "shaky", "reason": "crashed"}
        )
        assert count is not None
        assert count >= 1


async def test_a_source_that_cannot_go_on_is_down_until_it_is_back(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def refused(intake: Intake) -> None:
        if not gate.is_set():
            gate.set()
            raise SourceError("no answer", reason="refused", retry_after=0.01)
        await intake.report("feed", SourceState.ALIVE)
        await asyncio.Event().wait()

    source = FakeSource("feed", refused)
    given = config(tmp_path, sources=[])
    async with App(given, scorer=FakeScorer(), extra_sources=(source,)).running() as one:
        watch = one.runner.core.watermarks.sources["feed"]
        await until(lambda: watch.state is SourceState.DOWN)
        await until(lambda: watch.state is SourceState.ALIVE)


async def test_when_all_sources_have_come_to_their_end_the_app_says_so(tmp_path: Path) -> None:
    async def once(intake: Intake) -> None:
        await (await intake.put(Delivery("file", mentions=(mention(1, source="file"),))))

    async with app(config(tmp_path, sources=[]), FakeSource("file", once)).running() as one:
        await asyncio.wait_for(one.ended.wait(), 20)
        assert (await one.store.stats())["mentions"] == 1


async def test_a_stop_commits_what_was_handed_over_and_the_next_start_replays_nothing(
    tmp_path: Path,
) -> None:
    async def burst(intake: Intake) -> None:
        for number in range(200):
            await intake.put(Delivery("feed", mentions=(mention(number),)))
        await asyncio.Event().wait()

    source = FakeSource("feed", burst)
    async with app(config(tmp_path, sources=[]), source).running():
        await until(lambda: source.runs == 1)
        await asyncio.sleep(0)
    store = await Store.open(str(tmp_path / "app.db"))
    stats, snapshots = await store.stats(), await store.snapshots()
    await store.close()
    assert stats["mentions"] == 200
    assert {one.seq for one in snapshots} == {stats["last_seq"]}


async def test_a_disabled_source_is_neither_run_nor_shown(tmp_path: Path) -> None:
    given = config(
        tmp_path,
        sources=[
            {"type": "http", "name": "desk", "tokens": [TOKEN]},
            {"type": "http", "name": "old", "tokens": [TOKEN + "1"], "enabled": False},
        ],
    )
    async with app(given).running() as one:
        assert [source.name for source in one.sources] == ["desk"]
        assert [view.name for view in one.backend.sources()] == ["desk"]


async def test_a_port_in_use_is_a_config_error_that_names_the_key(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        one = app(config(tmp_path, web={"port": taken.getsockname()[1]}))
        with pytest.raises(BaseExceptionGroup) as refused:
            async with one.running():
                pytest.fail("it started")
    assert refused.group_contains(ConfigError, match="cannot listen")


async def test_a_store_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    one = app(config(tmp_path, sentinel={"database": "file/app.db"}))
    with pytest.raises(StoreError, match=r"file/app\.db"):
        async with one.running():
            pytest.fail("it started")


@pytest.mark.parametrize("missing", ["brands", "sources"])
def test_there_must_be_work(tmp_path: Path, missing: str) -> None:
    require_work(config(tmp_path))
    with pytest.raises(ConfigError, match="at least one") as refused:
        require_work(config(tmp_path, **{missing: []}))
    assert refused.value.key == missing


async def test_a_click_in_slack_becomes_a_label_that_the_next_start_knows(tmp_path: Path) -> None:
    clock = ReplayClock(T0 + 60)
    async with SlackSandbox(clock=clock) as sandbox:
        slack = {
            "type": "slack",
            "bot_token": sandbox.bot_token,
            "signing_secret": sandbox.signing_secret,
            "base_url": sandbox.api_url,
            "channel": "#crisis",
        }
        given = config(tmp_path, notifiers=[slack])
        async with app(given, clock=clock).running() as one, aiohttp.ClientSession() as session:
            sandbox.interactions.url = f"{one.address}/slack/interactivity"
            item = {"id": "q", "published_at": "2026-09-21T14:00:00Z", "text": "pasta Aurora"}
            doors = {"Authorization": f"Bearer {TOKEN}"}
            async with session.post(
                f"{one.address}/v1/mentions", json=item, headers=doors
            ) as response:
                assert response.status == 200
            shown = Quote("desk", "q", "pasta Aurora", "social", T0, label="neutral")
            alert = build.incident(quotes=(shown,))
            await one.store.commit(Unit(incidents=(alert,)))
            button = {
                "type": "button",
                "action_id": "judge",
                "text": {"type": "plain_text", "text": "?"},
                "value": alert.id,
            }
            client = AsyncWebClient(sandbox.bot_token, base_url=sandbox.api_url)
            actions = {"type": "actions", "block_id": "a", "elements": [button]}
            await client.chat_postMessage(channel="#crisis", text="x", blocks=[actions])
            assert (await sandbox.click(sandbox.messages[-1], "judge")).ok
            await until(lambda: bool(sandbox.api.views))
            assert (await sandbox.choose(1, "word", selected=("negative",))).ok
            await until(lambda: bool(list(one.backend.layers())))
        async with app(given).running() as again:
            (label,) = await again.backend.labels("aurora")
            assert ("q", "negative", "Reperibile 1", "slack", "test") == (
                *(label.mention_id, label.corrected, label.by, label.via, label.model_id),
            )
            await until(lambda: bool(list(again.backend.layers())))
