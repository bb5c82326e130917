"""The main job, measured: throughput, the cost of an unmatched post, latency, memory, start-up.

Run ``make bench`` (about four minutes, loopback only). Each part runs in a process of its own on one core, so that parts do not warm
each other up and memory is the part's own. What is measured is printed with each figure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from statistics import median, quantiles

import aiohttp
import msgspec

from sentinel.app import App
from sentinel.config import LanguageSettings, build_config
from sentinel.core.match import Matcher
from sentinel.core.pipeline import Core
from sentinel.core.shard import Settings
from sentinel.drills.scenario import Conversation, Moment, Scenario, load_scenario
from sentinel.model import (
    Author,
    Brand,
    Match,
    Mention,
    Sighting,
    SourceState,
    SourceStatus,
    Verdict,
)
from sentinel.runtime.clock import ReplayClock, SystemClock
from sentinel.slack_sandbox import SlackSandbox
from sentinel.sources.bluesky_decode import Event, Post, decode_v1, read_post

TOKEN = "benchmark-token-0123456789abcdef"  # guards nothing: loopback, for minutes
BATCH = 200
THROUGHPUT_MENTIONS = 40_000
LATENCY_RATE = 200
LATENCY_SECONDS = 330


def _raw(
    scenario: Scenario, folder: Path, sandbox: SlackSandbox | None, lateness: float
) -> dict[str, object]:
    notifiers: list[dict[str, object]] = []
    if sandbox is not None:
        notifiers.append(
            {
                "type": "slack",
                "base_url": sandbox.api_url,
                "bot_token": sandbox.bot_token,
                "signing_secret": sandbox.signing_secret,
                "channel": "crisis",
            }
        )
    return {
        "sentinel": {"database": str(folder / "bench.db")},
        "web": {"port": 0},
        "brands": [msgspec.to_builtins(brand) for brand in scenario.brands],
        "sources": [
            {"type": "http", "name": "bench", "tokens": [TOKEN], "lateness_seconds": lateness}
        ],
        "notifiers": notifiers,
    }


def _texts(scenario: Scenario, number: int, *, crisis: bool = False) -> list[Mention]:
    """Mentions of the scenario: of its quiet days, or of the storm alone."""
    found: list[Mention] = []
    begin = min(scenario.moment(Moment(one.day, one.at)) for one in scenario.phases)
    while len(found) < number:
        for start, mentions in Conversation(scenario, "bench").minutes():
            if crisis == (start >= begin + 3600):
                found += mentions
            if len(found) >= number:
                break
    return found[:number]


def _item(mention: Mention, number: int, at: float) -> dict[str, object]:
    return {
        "id": f"bench-{number}",
        "channel": mention.channel,
        "published_at": at,
        "text": mention.text,
        "author": {
            "id": mention.author.id,
            "handle": mention.author.handle,
            "followers": mention.author.followers,
        },
    }


async def throughput() -> dict[str, object]:
    """HTTP batch ingest -> match -> score -> detect -> committed, one process with client and server on one core."""
    return await _throughput(0.0)


async def second() -> dict[str, object]:
    """The same with the usual share of a core for second opinions (needs the extra ``embeddings``)."""
    return await _throughput(LanguageSettings().second_opinion_share)


async def _throughput(share: float) -> dict[str, object]:
    scenario = load_scenario("executive-remark")
    mentions = _texts(scenario, THROUGHPUT_MENTIONS)
    start = scenario.starts_at()
    encoder = msgspec.json.Encoder()
    bodies = [
        encoder.encode(
            [
                _item(one, begin + n, start + (begin + n) / 50)
                for n, one in enumerate(mentions[begin : begin + BATCH])
            ]
        )
        for begin in range(0, len(mentions), BATCH)
    ]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clock = ReplayClock(start)
        raw = {
            **_raw(scenario, folder, None, 0.0),
            "language": {"second_opinion_share": share},
        }
        config = build_config(raw, folder / "bench.toml", {})
        app = App(
            config,
            clock=clock,
            delivery_clock=SystemClock(),
            rng=Random(1),
            settings=Settings(max_wait_seconds=3600),
        )
        await stack.enter_async_context(app.running())
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            )
        )

        async def post(number: int) -> None:
            async with session.post(f"{app.address}/v1/mentions", data=bodies[number]) as response:
                answer = await response.json()
                if response.status != 200 or answer.get("accepted") != BATCH:
                    raise RuntimeError(f"{response.status}: {str(answer)[:300]}")

        cpu, wall = time.process_time(), time.perf_counter()
        for begin in range(0, len(bodies), 8):
            await clock.move_to(start + begin * BATCH / 50 + 60)
            await asyncio.gather(
                *(post(number) for number in range(begin, min(begin + 8, len(bodies))))
            )
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        stats = await app.store.stats()
    return {
        "mentions": len(mentions),
        "matched_per_core_second": round(len(mentions) / cpu),
        "wall_per_second": round(len(mentions) / wall),
        "archived": stats.get("mentions", stats),
    }


async def unmatched() -> dict[str, object]:
    """A post of the whole network that concerns no brand: decoding a Jetstream frame and asking the matcher (10,000 terms)."""
    brands = [
        Brand(id=f"b{n}", name=f"Marchio{n}", terms=(f"marchio{n}x", f"prodotto{n}y"))
        for n in range(5000)
    ]
    matcher = Matcher(brands)
    scenario = load_scenario("executive-remark")
    frames = [
        json.dumps(
            {
                "did": f"did:plc:persona{n}",
                "time_us": 1_795_330_800_000_000 + n,
                "kind": "commit",
                "commit": {
                    "rev": f"r{n}",
                    "operation": "create",
                    "collection": "app.bsky.feed.post",
                    "rkey": f"k{n}",
                    "cid": "c",
                    "record": {
                        "$type": "app.bsky.feed.post",
                        "createdAt": "2026-11-22T07:00:00Z",
                        "langs": ["it"],
                        "text": one.text,
                    },
                },
            }
        )
        for n, one in enumerate(_texts(scenario, 20_000))
    ]
    texts = [one.text for one in _texts(scenario, 20_000)]
    began = time.process_time()
    for text in texts:
        matcher.wants(text)
    match_seconds = time.process_time() - began
    began = time.process_time()
    for frame in frames:
        event = decode_v1(frame)
        post = read_post(event.record) if isinstance(event, Event) else None
        if isinstance(post, Post):
            matcher.wants(post.text, post.extras)
    both_seconds = time.process_time() - began
    return {
        "terms": len(matcher),
        "match_only_us": round(match_seconds / len(texts) * 1e6, 2),
        "decode_and_match_us": round(both_seconds / len(frames) * 1e6, 2),
        "unmatched_per_core_second": round(len(frames) / both_seconds),
    }


async def latency() -> dict[str, object]:
    """At a steady 200 mentions a second on the real clock: arrival to commit, and a storm's first minute to the Slack call."""
    scenario = load_scenario("executive-remark")
    quiet, storm = _texts(scenario, 4000), _texts(scenario, 4000, crisis=True)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sandbox = await stack.enter_async_context(SlackSandbox())
        config = build_config(_raw(scenario, folder, sandbox, 2.0), folder / "bench.toml", {})
        app = await stack.enter_async_context(App(config, rng=Random(1)).running())
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            )
        )
        taken: list[float] = []
        called: list[float] = []
        number = 0

        async def post(body: bytes) -> None:
            began = time.perf_counter()
            async with session.post(f"{app.address}/v1/mentions", data=body) as response:
                await response.read()
            taken.append(time.perf_counter() - began)

        async def watch() -> None:
            while not any(call.method == "chat.postMessage" for call in sandbox.calls):
                await asyncio.sleep(0.005)
            called.append(time.time())

        watching = asyncio.create_task(watch())
        posts: set[asyncio.Task[None]] = set()
        began = time.time()
        storm_at = began + 120
        while time.time() - began < LATENCY_SECONDS and not called:
            now = time.time()
            source = storm if now >= storm_at else quiet
            items = [
                _item(source[(number + n) % len(source)], number + n, now)
                for n in range(LATENCY_RATE // 10)
            ]
            number += len(items)
            task = asyncio.create_task(post(msgspec.json.encode(items)))
            posts.add(task)
            task.add_done_callback(posts.discard)
            await asyncio.sleep(max(0.0, began + number / LATENCY_RATE - time.time()))
        await asyncio.gather(*posts)
        watching.cancel()
        closed = 0.0
        if called:
            incidents = await app.store.incidents(limit=1)
            closed = incidents[0].detected_at if incidents else 0.0
    cuts = quantiles(taken, n=100)
    return {
        "mentions": number,
        "arrival_to_commit_ms": {
            "p50": round(median(taken) * 1000, 1),
            "p99": round(cuts[98] * 1000, 1),
        },
        "storm_to_slack_seconds": round(called[0] - storm_at, 1) if called else None,
        "close_of_minute_to_slack_seconds": round(called[0] - closed, 2)
        if called and closed
        else None,
        "of_which_lateness_seconds": 2.0,
    }


async def memory() -> dict[str, object]:
    """1,000 brands with four channels each: eight hours of about one mention in four minutes a channel; peak resident size."""
    brands = [Brand(id=f"b{n}", name=f"Marchio {n}") for n in range(1000)]
    core = Core(brands, (), {"bench": 0.0})
    rng = Random(1)
    at = 1_790_000_040.0
    core.source(SourceStatus("bench", SourceState.ALIVE, at))
    verdict = Verdict("it", 0.2, 0.6, 0.2, "neutral", (), ("pasta", "ricetta", "prova"), "bench")
    number = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent = 0.0
    minutes = 240
    for _ in range(minutes):
        made = []
        for brand in brands:
            for channel in ("bluesky", "forum", "news", "care"):
                if rng.random() < 0.25:
                    number += 1
                    mention = Mention(
                        f"m{number}", "bench", channel, at + rng.uniform(0, 59), at, f"un post qualunque numero {number} su {brand.name}",
                        author=Author(id=f"a{number}", handle=f"persona{number}"),
                    )  # fmt: skip
                    made.append(Sighting(mention, (Match(brand.id, brand.name),), verdict))
        began = time.process_time()
        core.feed(made)
        at += 60
        tick = core.tick(at)
        if tick is not None:
            core.advance(tick)
        spent += time.process_time() - began
    sizes = sorted(len(core.snapshot(brand.id)) for brand in brands[:100])
    return {
        "brands": len(brands),
        "mentions": number,
        "peak_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "of_which_python_and_libraries_mib": round(before),
        "us_per_stream_minute": round(spent / minutes / (len(brands) * 5) * 1e6, 1),
        "snapshot_kib_median": round(median(sizes) / 1024, 1),
    }


async def startup() -> dict[str, object]:
    """From exec to /readyz, an empty database first, then one with a day of archive."""
    scenario = load_scenario("executive-remark")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "sentinel.toml"
        config.write_text(
            f"""
[web]
port = 0
[[brands]]
id = "aurora"
name = "{scenario.brands[0].name}"
[[sources]]
type = "http"
name = "bench"
tokens = ["{TOKEN}"]
"""
        )
        times = []
        for _ in range(3):
            began = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, "-m", "sentinel", "run", "-c", str(config)],
                stderr=subprocess.PIPE,
                text=True,
                cwd=folder,
            )
            for line in process.stderr or ():
                if '"started"' in line:
                    times.append(time.perf_counter() - began)
                    break
            process.terminate()
            process.wait(timeout=30)
    return {"start_to_serving_seconds": [round(one, 2) for one in times]}


PARTS: dict[str, Callable[[], object]] = {
    "throughput": throughput,
    "second": second,
    "unmatched": unmatched,
    "latency": latency,
    "memory": memory,
    "startup": startup,
}


def main() -> None:
    """Run all parts, or one of them (``--part``), and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=sorted(PARTS), help="only this one, in this process")
    chosen = parser.parse_args().part
    if chosen:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        print(json.dumps(asyncio.run(PARTS[chosen]()), indent=2))  # type: ignore[arg-type]
        return
    for name, part in PARTS.items():
        print(f"== {name}: {(part.__doc__ or '').strip()}", flush=True)
        subprocess.run([sys.executable, "-m", "benchmarks.main_job", "--part", name], check=True)


if __name__ == "__main__":
    main()
