import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sentinel.errors import ConfigError, SourceError
from sentinel.model import DropReason, Retraction, SourceState
from sentinel.runtime.clock import SystemClock
from sentinel.runtime.metrics import Metrics
from sentinel.runtime.supervise import Backoff, supervise
from sentinel.sources.base import Prefilter, SourceContext, Wants
from sentinel.sources.bluesky import BlueskyConfig, BlueskySource
from tests.fakes.intake import FakeIntake
from tests.fakes.jetstream import Jetstream, account, post

NOW_US = 1795330800000000
SECOND = 1_000_000


class Clock(SystemClock):
    """Real time, on the date of the frames."""

    def now(self) -> float:
        return NOW_US / 1e6 + 3_600 + self.monotonic() % 60


def make(
    *hosts: str, wants: Wants | None = None, prefilter: Prefilter | None = None, **keys: object
) -> BlueskySource:
    quick: dict[str, object] = {"flush_seconds": 0.01, "heartbeat_seconds": 0.05}
    config = BlueskyConfig(name="bsky", hosts=hosts, **(quick | keys))  # type: ignore[arg-type]  # passed through
    context = SourceContext(Clock(), Metrics(["bsky"]), random.Random(1), wants, prefilter)
    return BlueskySource(config, context)


@asynccontextmanager
async def running(source: BlueskySource, intake: FakeIntake) -> AsyncIterator[asyncio.Task[None]]:
    reports = len(intake.reports)
    task = asyncio.create_task(source.run(intake))
    waiting = asyncio.create_task(intake.until(lambda: len(intake.reports) > reports))
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def gaps(source: BlueskySource) -> float | None:
    return source._context.metrics.registry.get_sample_value(
        "sentinel_source_reconnects_total", {"source": "bsky", "reason": "gap"}
    )


def numbers(intake: FakeIntake) -> list[int]:
    return [int(one.id.rpartition("/k")[2]) for one in intake.mentions]


@pytest.fixture
async def server() -> AsyncIterator[Jetstream]:
    async with Jetstream() as started:
        yield started


async def test_posts_arrive_with_position_and_watermark(server: Jetstream) -> None:
    intake = FakeIntake()
    async with running(make(server.url), intake):
        await server.send(post(1, NOW_US), post(2, NOW_US + SECOND))
        await intake.until(lambda: len(intake.mentions) == 2)
    assert dict(server.queries[0]) == {"wantedCollections": "app.bsky.feed.post"}
    assert intake.positions == {"bsky": str(NOW_US + SECOND)}
    assert intake.deliveries[-1].watermark == NOW_US / 1e6 + 1
    assert intake.states == [SourceState.ALIVE]


async def test_unmatched_posts_are_counted_and_still_move_position_and_watermark(
    server: Jetstream,
) -> None:
    intake = FakeIntake()
    source = make(server.url, wants=lambda text, extra: "aurora" in text or "#aurora" in extra)
    async with running(source, intake):
        for number in range(50):
            await server.send(post(number, NOW_US + number, "something else"))
        await server.send(
            post(50, NOW_US + 50, "x", tags=["aurora"]), post(51, NOW_US + 51, "nothing")
        )
        await intake.until(lambda: intake.positions.get("bsky") == str(NOW_US + 51))
    assert numbers(intake) == [50]
    counted = sum(n for one in intake.deliveries for reason, n in one.dropped)
    assert counted == 51
    assert intake.deliveries[-1].watermark == (NOW_US + 51) / 1e6


async def test_empty_deliveries_keep_coming_while_nothing_matches(server: Jetstream) -> None:
    intake = FakeIntake()
    async with running(make(server.url, wants=lambda *_: False), intake):
        await server.send(post(1, NOW_US))
        await intake.until(lambda: len(intake.deliveries) >= 3)
    assert intake.mentions == []
    assert {one.watermark for one in intake.deliveries[1:]} == {NOW_US / 1e6}


async def test_a_prefilter_skips_decoding_but_never_deletes_or_updates(server: Jetstream) -> None:
    seen: list[str | bytes] = []

    def prefilter(frame: bytes | str) -> bool:
        seen.append(frame)
        return "aurora" in str(frame)

    intake = FakeIntake()
    async with running(make(server.url, prefilter=prefilter), intake):
        await server.send(
            post(1, NOW_US, "no"),
            post(2, NOW_US + 1, "aurora"),
            post(3, NOW_US + 2, operation="delete"),
            account(NOW_US + 3, "deleted"),
            post(4, NOW_US + 4, "no"),
        )
        await intake.until(lambda: intake.positions.get("bsky") == str(NOW_US + 4))
    assert numbers(intake) == [2]
    assert len(intake.retracted) == 2
    assert sum(n for one in intake.deliveries for _, n in one.dropped) == 2


async def test_deletes_updates_and_purges_are_handed_on(server: Jetstream) -> None:
    intake = FakeIntake()
    source = make(server.url, wants=lambda text, _: "aurora" in text)
    async with running(source, intake):
        await server.send(
            post(1, NOW_US, "aurora uno"),
            post(1, NOW_US + 1, "aurora corretto", operation="update"),
            post(2, NOW_US + 2, "aurora due"),
            post(2, NOW_US + 3, "ho cambiato idea", operation="update"),
            post(3, NOW_US + 4, operation="delete"),
            account(NOW_US + 5, "deleted", "did:plc:gone"),
            account(NOW_US + 6, "deactivated", "did:plc:away"),
            post(4, NOW_US + 7, "aurora quattro"),
        )
        await intake.until(lambda: 4 in numbers(intake))
    uri = "at://did:plc:fictional/app.bsky.feed.post/k"
    assert intake.store["bsky", uri + "1"].text == "aurora corretto"
    assert [one for delivery in intake.deliveries for one in delivery.retractions] == [
        Retraction("bsky", mention_id=uri + "2"),  # we may hold text that its author took back
        Retraction("bsky", mention_id=uri + "3"),
        Retraction("bsky", author_id="did:plc:gone"),
    ]


async def test_a_post_made_again_after_its_deletion_comes_in_a_later_delivery(
    server: Jetstream,
) -> None:
    intake = FakeIntake()
    async with running(make(server.url, flush_seconds=0.2), intake):
        await server.send(
            post(1, NOW_US), post(1, NOW_US + 1, operation="delete"), post(1, NOW_US + 2, "aurora")
        )
        await intake.until(lambda: len(intake.mentions) == 2)
    used = [one for one in intake.deliveries if one.mentions or one.retractions]
    assert [(len(one.mentions), len(one.retractions)) for one in used] == [(1, 1), (1, 0)]
    assert [one.position for one in used] == ["", str(NOW_US + 2)]  # no position between the two


async def test_every_connection_begins_a_little_before_the_committed_position(
    server: Jetstream,
) -> None:
    for number in range(10):
        await server.send(post(number, NOW_US + number * SECOND))
    intake = FakeIntake()
    intake.positions["bsky"] = str(NOW_US + 7 * SECOND)
    source = make(server.url, rewind_seconds=2.0)
    async with running(source, intake):
        await intake.until(lambda: 9 in numbers(intake))
    assert server.cursor() == NOW_US + 5 * SECOND
    assert numbers(intake) == [5, 6, 7, 8, 9]
    assert gaps(source) == 0


async def test_a_position_that_is_none_begins_at_the_live_tip(server: Jetstream) -> None:
    intake = FakeIntake()
    intake.positions["bsky"] = "not a number"
    async with running(make(server.url), intake):
        await server.send(post(1, NOW_US))
        await intake.until(lambda: bool(intake.mentions))
    assert server.cursor() == 0


async def test_a_cursor_that_was_silently_clamped_is_reported_as_a_gap(server: Jetstream) -> None:
    for number in range(3):
        await server.send(post(number, NOW_US + number * 600 * SECOND))
    server.floor_us = NOW_US + 600 * SECOND
    intake = FakeIntake()
    intake.positions["bsky"] = str(NOW_US)
    source = make(server.url)
    async with running(source, intake):
        await intake.until(lambda: 2 in numbers(intake))
    assert gaps(source) == 1
    assert intake.reports[-1][1:] == (SourceState.ALIVE, "gap: 600 s are missing")


async def test_connections_that_break_lose_nothing_and_repeat_little() -> None:
    total, failures = 600, []

    async def note(reason: str) -> None:
        failures.append(reason)

    async with Jetstream() as one, Jetstream() as two:
        # Both servers carry the same stream; their clocks differ a little, as in life.
        for number in range(total):
            at = NOW_US + number * SECOND // 10
            await one.send(post(number, at))
            await two.send(post(number, at + 300_000))
        one.close_after, two.close_after = [100, 150, 3], [120, 0]
        two.refusals = [(503, {})]
        source = make(one.url, two.url)
        intake = FakeIntake()
        intake.positions["bsky"] = str(NOW_US)
        service = asyncio.create_task(
            supervise(
                "bsky",
                lambda: source.run(intake),
                clock=SystemClock(),
                backoff=Backoff(first=0.01, ceiling=0.05, rng=random.Random(1)),
                on_failure=note,
            )
        )
        await intake.until(lambda: len(intake.store) == total, 20)
        service.cancel()
        await asyncio.gather(service, return_exceptions=True)
        assert (one.connections >= 3, two.connections >= 2) == (True, True)
    assert failures[:2] == ["disconnected", "refused"]
    assert set(numbers(intake)) == set(range(total))
    assert gaps(source) == 0
    assert 0 < intake.duplicates < total


@pytest.mark.parametrize(
    ("status", "headers", "reason", "retry_after"),
    [
        (503, {}, "refused", None),
        (429, {"Retry-After": "7"}, "rate_limited", 7.0),
        (400, {}, "protocol", None),
    ],
)
async def test_a_refused_handshake_has_its_reason(
    server: Jetstream,
    status: int,
    headers: dict[str, str],
    reason: str,
    retry_after: float | None,
) -> None:
    server.refusals = [(status, headers)]
    with pytest.raises(SourceError) as caught:
        await make(server.url).run(FakeIntake())
    assert (caught.value.reason, caught.value.retry_after) == (reason, retry_after)


async def test_a_dead_host_is_refused_and_the_next_one_is_tried(server: Jetstream) -> None:
    source = make("ws://127.0.0.1:9", server.url)
    with pytest.raises(SourceError) as caught:
        await source.run(FakeIntake())
    assert caught.value.reason == "refused"
    intake = FakeIntake()
    async with running(source, intake):
        assert intake.states == [SourceState.ALIVE]


async def test_a_connection_without_events_is_given_up(server: Jetstream) -> None:
    with pytest.raises(SourceError) as caught:
        await asyncio.wait_for(make(server.url, silent_seconds=0.1).run(FakeIntake()), 5)
    assert caught.value.reason == "timeout"


async def test_a_half_open_connection_is_found_by_its_missing_pongs(server: Jetstream) -> None:
    server.deaf = True
    source = make(server.url, silent_seconds=0, ping_seconds=0.2)
    with pytest.raises(SourceError) as caught:
        await asyncio.wait_for(source.run(FakeIntake()), 5)
    assert caught.value.reason == "timeout"


async def test_a_3_mb_frame_and_nonsense_frames_do_no_harm(server: Jetstream) -> None:
    intake = FakeIntake()
    huge = post(1, NOW_US, "aurora", padding="x" * 3_000_000)
    async with running(make(server.url), intake):
        await server.send(
            json.dumps(huge),
            "{broken",
            b"\x00\xff\xfe",
            "[]",
            '{"did":"d","time_us":1,"kind":"novelty"}',
            json.dumps(post(2, NOW_US + 1, embed={"$type": "app.bsky.embed.novelty"})).encode(),
        )
        await intake.until(lambda: 2 in numbers(intake))
    assert numbers(intake) == [1, 2]
    drops = {r: n for one in intake.deliveries for r, n in one.dropped}
    assert drops.keys() == {DropReason.MALFORMED}


async def test_a_server_clock_in_the_future_does_not_move_the_watermark_beyond_now(
    server: Jetstream,
) -> None:
    intake = FakeIntake()
    source = make(server.url)
    async with running(source, intake):
        await server.send(post(1, NOW_US + 10**6 * 10**6))
        await intake.until(lambda: bool(intake.mentions))
    now = source._context.clock.now() + 60
    assert intake.deliveries[-1].watermark <= now
    assert intake.mentions[0].published_at <= now


async def test_a_full_intake_holds_the_stream_up_without_losing_anything(
    server: Jetstream,
) -> None:
    intake = FakeIntake(auto_commit=False, room=1)
    async with running(make(server.url), intake):
        for number in range(1_200):
            await server.send(post(number, NOW_US + number))
        await intake.until(lambda: len(intake.pending) == 1)
        await asyncio.sleep(0.1)
        intake.auto_commit = True
        intake.commit()
        await intake.until(lambda: len(intake.store) == 1_200)
    assert numbers(intake) == list(range(1_200))


async def test_after_a_failed_commit_the_stream_begins_again_at_the_position(
    server: Jetstream,
) -> None:
    intake = FakeIntake(auto_commit=False)
    intake.positions["bsky"] = str(NOW_US)
    source = make(server.url)
    async with running(source, intake) as task:
        await server.send(post(1, NOW_US + 1))
        await intake.until(lambda: bool(intake.pending))
        intake.fail(RuntimeError("disk full"))
        with pytest.raises(SourceError, match="commit failed"):
            await asyncio.wait_for(task, 5)
    intake.auto_commit = True
    async with running(source, intake):
        await intake.until(lambda: len(intake.store) == 1)


async def test_v2_is_spoken_too(server: Jetstream) -> None:
    intake = FakeIntake()
    kind = "network.bsky.jetstream.subscribeEvents#commit"
    payload = {"$type": kind, "seq": 5, "did": "did:plc:fictional"} | post(1, 1)["commit"]
    payload["time"] = "2026-11-22T07:00:00.120345Z"
    async with running(make(server.url, api="v2"), intake) as task:
        await server.send({"$type": "message", "payload": payload})
        await intake.until(lambda: bool(intake.mentions))
        await server.send({"$type": "error", "error": "ConsumerTooSlow", "message": "x"})
        with pytest.raises(SourceError, match="ConsumerTooSlow"):
            await asyncio.wait_for(task, 5)
    assert server.paths == ["/xrpc/network.bsky.jetstream.subscribeEvents"]
    assert intake.positions == {"bsky": "1795330800120345"}
    assert sorted(server.queries[0]) == [
        ("collections", "app.bsky.feed.post"),
        ("kinds", "account"),
        ("kinds", "commit"),
    ]


@pytest.mark.parametrize("hosts", [(), ("jetstream.example",)])
def test_hosts_that_are_no_addresses_are_a_config_error(hosts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"sources\.bsky\.hosts"):
        make(*hosts)
