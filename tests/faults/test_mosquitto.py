"""A real broker goes down and comes back while mentions stream through it into the whole service."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiomqtt
import msgspec
import pytest

from sentinel.core.shard import Blob
from tests.fakes.mosquitto import Mosquitto
from tests.faults.rig import T0, USUAL, Json, Service, config_text, post, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

NUMBER = 600
RESTARTS = (150, 400)
TOPIC = "sentinel/v1/aurora/mentions/forum"
JUNK = (b"\xff\xfe\x00junk", b"{", b"[1, 2", b'{"id": "no-text"}', b'"just a word"', b"\0" * 5000)


class Collector:
    """Publishes at QoS 1 until the broker confirmed, over as many connections as it takes."""

    def __init__(self, broker: Mosquitto, posts: list[Json]) -> None:
        self._broker, self._posts = broker, posts
        self.confirmed = 0
        self.repeated = 0
        self.connections = 0

    async def run(self) -> None:
        while self.confirmed < len(self._posts):
            try:
                async with self._broker.client() as client:
                    self.connections += 1
                    await self._publish(client)
            except aiomqtt.MqttError:
                await asyncio.sleep(0.05)

    async def _publish(self, client: aiomqtt.Client) -> None:
        while self.confirmed < len(self._posts):
            number = self.confirmed
            await asyncio.sleep(0.002)  # a stream, not a burst: the restarts must hit it
            payload = msgspec.json.encode(self._posts[number])
            await client.publish(TOPIC, payload, qos=1, timeout=5)
            if number % 10 == 0:  # as a collector does that did not hear the confirmation
                await client.publish(TOPIC, payload, qos=1, timeout=5)
                self.repeated += 1
            if number % 50 == 0:
                await client.publish(TOPIC, JUNK[number // 50 % len(JUNK)], qos=1, timeout=5)
            self.confirmed += 1


async def test_a_broker_restarted_in_mid_stream_loses_nothing_and_repeats_count_once(
    tmp_path: Path,
) -> None:
    posts = [post(n, T0 + n * 90 / NUMBER, USUAL[n % len(USUAL)]) for n in range(NUMBER)]
    broker_folder, folder = tmp_path / "broker", tmp_path / "service"
    broker_folder.mkdir()
    folder.mkdir()
    async with Mosquitto(broker_folder) as broker:
        source = f"""
[[sources]]
type = "mqtt"
name = "collectors"
host = "127.0.0.1"
port = {broker.port}
lateness_seconds = 300
"""
        service = Service(folder, config_text(source=source), T0 + 91)
        async with service:
            await until(lambda: connections(service) == 1, "connected")
            collector = Collector(broker, posts)
            publishing = asyncio.create_task(collector.run())
            for times, number in enumerate(RESTARTS, start=1):
                await until(lambda number=number: collector.confirmed >= number, "published")  # type: ignore[misc]  # a default keeps the value
                assert collector.confirmed < NUMBER
                await broker.restart()
                await until(
                    lambda times=times: connections(service) > times,  # type: ignore[misc]  # a default keeps the value
                    "connected again",
                )
            await publishing
            await until(lambda: len(service.archived()) >= NUMBER, "archived")
            await service.move(T0 + 480)
            await until(lambda: service.minute_closed(T0 + 480), "counted")
            assert await service.terminate() == 0

    assert collector.connections > len(RESTARTS), "the collector did not notice the restarts"
    assert len(service.logged("source_failed")) >= len(RESTARTS)
    assert collector.repeated == NUMBER // 10
    assert sorted(f"forum/{one['id']}" for one in posts) == service.archived()
    assert counted(service) == NUMBER
    assert "Traceback" not in service.stderr


def connections(service: Service) -> int:
    return sum(one["state"] == "alive" for one in service.logged("source_state_changed"))


def counted(service: Service) -> int:
    """Mentions in the minutes that detection has seen."""
    blob = service.one("SELECT blob FROM snapshots WHERE brand = 'aurora'")
    return sum(one.mentions for one in msgspec.msgpack.decode(blob, type=Blob).state.flow.minutes)
