import asyncio
import json
import random
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sentinel.errors import ConfigError, SourceError
from sentinel.model import DropReason, Retraction, SourceState
from sentinel.runtime.clock import SystemClock
from sentinel.runtime.metrics import Metrics
from sentinel.runtime.supervise import Backoff, supervise
from sentinel.sources.base import SourceContext
from sentinel.sources.mqtt import MqttConfig, MqttSource
from tests.fakes.intake import FakeIntake
from tests.fakes.mosquitto import Mosquitto

TOPIC = "sentinel/v1/aurora/mentions/forum"


def item(number: int = 1, **changes: object) -> dict[str, object]:
    return {"id": f"m-{number}", "ts": "2026-11-22T07:01:04Z", "text": "Vetro"} | changes


def make(broker: Mosquitto, **keys: object) -> MqttSource:
    config = MqttConfig(name="mq", host="127.0.0.1", port=broker.port, **keys)  # type: ignore[arg-type]  # passed through
    return MqttSource(config, SourceContext(SystemClock(), Metrics(["mq"]), random.Random(1)))


@asynccontextmanager
async def running(source: MqttSource, intake: FakeIntake) -> AsyncIterator[asyncio.Task[None]]:
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


async def called(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with Mosquitto(tmp_path) as started:
        yield started


async def test_topic_and_payload_together_make_the_mention(broker: Mosquitto) -> None:
    intake = FakeIntake()
    async with running(make(broker), intake):
        await broker.publish(TOPIC, item())
        await broker.publish("sentinel/v1/_/mentions/news", item(2, channel="press"))
        await broker.publish("sentinel/v1/aurora/deletes/forum", {"id": "m-1"})
        await intake.until(lambda: bool(intake.retracted))
    first, second = intake.mentions
    assert (first.source, first.id, first.brand, first.channel) == (
        "mq",
        "forum/m-1",
        "aurora",
        "forum",
    )
    assert (second.id, second.brand, second.channel) == ("news/m-2", "", "press")
    assert [r for one in intake.deliveries for r in one.retractions] == [
        Retraction("mq", mention_id="forum/m-1")
    ]
    assert intake.states == [SourceState.ALIVE]


async def test_arrays_cloudevents_and_bad_payloads_are_all_dealt_with(broker: Mosquitto) -> None:
    intake = FakeIntake()
    event = {
        "specversion": "1.0",
        "id": "e1",
        "source": "https://listener.example",
        "type": "mention.created",
        "data": {"text": "ciao"},
    }
    async with running(make(broker, max_message_bytes=100_000), intake):
        await broker.publish(
            TOPIC,
            [item(1), item(2)],
            event,
            b"",
            b"{broken",
            b"\xff\x00\xfe",
            item(3, text="x" * 200_000),
            item(4, text="<!channel> a\x00b \u202e"),
        )
        await intake.until(lambda: len(intake.mentions) == 4)
    assert [one.text for one in intake.mentions] == [
        "Vetro",
        "Vetro",
        "ciao",
        "<!channel> ab \u202e",
    ]
    drops = [drop for one in intake.deliveries for drop in one.dropped]
    assert sum(count for _, count in drops) == 3
    assert {reason for reason, _ in drops} == {DropReason.MALFORMED, DropReason.TOO_LARGE}


async def test_own_topics_with_a_field_map(broker: Mosquitto) -> None:
    intake = FakeIntake()
    mapping = {"id": "key", "text": "body.plain", "published_at": "at"}
    source = make(broker, topics=("vendor/feed/#",), field_map=mapping, brand="northwind")
    async with running(source, intake):
        await broker.publish(
            "vendor/feed/1", {"key": 5, "body": {"plain": "glass"}, "at": 1795330864}
        )
        await intake.until(lambda: bool(intake.mentions))
    (mention,) = intake.mentions
    assert (mention.id, mention.text, mention.brand) == ("5", "glass", "northwind")


async def test_nothing_is_acknowledged_before_it_is_committed(broker: Mosquitto) -> None:
    intake = FakeIntake(auto_commit=False)
    async with running(make(broker), intake):
        await broker.publish(TOPIC, item(1), item(2))
        await intake.until(lambda: len(intake.mentions) == 2)
    # The first life ended without a commit: the broker must send both again.
    again = FakeIntake()
    async with running(make(broker), again):
        await again.until(lambda: len(again.mentions) == 2)
    # The second life committed: nothing may come a third time.
    third = FakeIntake()
    async with running(make(broker), third):
        await broker.publish(TOPIC, item(3))
        await third.until(lambda: bool(third.mentions))
    assert [one.id for one in third.mentions] == ["forum/m-3"]


async def test_a_message_in_two_deliveries_is_acknowledged_with_the_second(
    broker: Mosquitto,
) -> None:
    intake = FakeIntake(auto_commit=False)
    async with running(make(broker), intake):
        await broker.publish(TOPIC, [item(), item(op="delete"), item(text="di nuovo")])
        await intake.until(lambda: len(intake.pending) == 2)
        intake.commit(1)
        await asyncio.sleep(0.1)  # time enough for an acknowledgement that must not come
    again = FakeIntake()
    async with running(make(broker), again):
        await again.until(lambda: len(again.mentions) == 2)


async def test_a_process_killed_between_receipt_and_commit_loses_nothing(
    broker: Mosquitto,
) -> None:
    script = f"""
import asyncio, random
from sentinel.runtime.clock import SystemClock
from sentinel.runtime.metrics import Metrics
from sentinel.sources.base import SourceContext
from sentinel.sources.mqtt import MqttConfig, MqttSource
from tests.fakes.intake import FakeIntake
class Printing(FakeIntake):
    async def report(self, source, state, *, detail=""):
        print("connected", flush=True)
    async def put(self, delivery):
        for one in delivery.mentions: print(one.id, flush=True)
        return await super().put(delivery)
context = SourceContext(SystemClock(), Metrics(["mq"]), random.Random(1))
config = MqttConfig(name="mq", host="127.0.0.1", port={broker.port})
async def main():
    await MqttSource(config, context).run(Printing(auto_commit=False))
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readline() == b"connected\n"
        await broker.publish(TOPIC, item(1))
        assert await process.stdout.readline() == b"forum/m-1\n"
        process.kill()
        await process.wait()
    intake = FakeIntake()
    async with running(make(broker), intake):
        await intake.until(lambda: bool(intake.mentions))
    assert list(intake.store) == [("mq", "forum/m-1")]


async def test_a_broker_restarted_in_mid_stream_loses_nothing_and_duplicates_count_once(
    broker: Mosquitto,
) -> None:
    total = 400
    intake = FakeIntake(auto_commit=False)
    failures: list[str] = []

    async def note(reason: str) -> None:
        failures.append(reason)

    committing = asyncio.Event()
    committing.set()

    async def commit_slowly() -> None:
        while await committing.wait():
            await asyncio.sleep(0.005)
            intake.commit(min(1, len(intake.pending)))

    source = make(broker, max_in_flight=20, session_expiry_seconds=600)
    backoff = Backoff(first=0.05, ceiling=0.2, rng=random.Random(1))
    service = asyncio.create_task(
        supervise(
            "mq",
            lambda: source.run(intake),
            clock=SystemClock(),
            backoff=backoff,
            on_failure=note,
        )
    )
    committer = asyncio.create_task(commit_slowly())
    await intake.until(lambda: bool(intake.reports))  # subscribed: from here on nothing may be lost
    publishing = asyncio.create_task(
        broker.publish_stubbornly(TOPIC, [item(number) for number in range(total)])
    )
    for share in (0.25, 0.6):
        await intake.until(lambda share=share: len(intake.store) > total * share, 30)
        committing.clear()
        await intake.until(lambda: bool(intake.pending))
        await broker.restart()
        committing.set()
    await publishing
    await intake.until(lambda: len(intake.store) == total, 30)
    for task in (service, committer):
        task.cancel()
    await asyncio.gather(service, committer, return_exceptions=True)
    assert {key[1] for key in intake.store} == {f"forum/m-{number}" for number in range(total)}
    assert len(failures) >= 2  # the fault did fire
    assert intake.duplicates > 0  # and the broker did send again what was not acknowledged
    gaps = source._context.metrics.registry.get_sample_value(
        "sentinel_source_reconnects_total", {"source": "mq", "reason": "gap"}
    )
    assert gaps == 0


async def test_what_comes_while_we_are_away_is_kept_for_us(broker: Mosquitto) -> None:
    intake = FakeIntake()
    async with running(make(broker), intake):
        pass
    await broker.publish(TOPIC, *[item(number) for number in range(30)])
    await broker.restart()
    async with running(make(broker), intake):
        await intake.until(lambda: len(intake.store) == 30)
    assert [one.id for one in intake.mentions] == [f"forum/m-{n}" for n in range(30)]


async def test_the_broker_sends_no_more_ahead_than_configured(broker: Mosquitto) -> None:
    intake = FakeIntake(auto_commit=False)
    async with running(make(broker, max_in_flight=10), intake):
        await broker.publish(TOPIC, *[item(number) for number in range(100)])
        await intake.until(lambda: len(intake.mentions) == 10)
        await asyncio.sleep(0.2)
        assert len(intake.mentions) == 10
        intake.auto_commit = True
        intake.commit()
        await intake.until(lambda: len(intake.store) == 100)


async def test_a_failed_commit_ends_the_connection_so_that_the_broker_sends_again(
    broker: Mosquitto,
) -> None:
    intake = FakeIntake(auto_commit=False)
    async with running(make(broker), intake) as task:
        await broker.publish(TOPIC, item())
        await intake.until(lambda: bool(intake.pending))
        intake.fail(RuntimeError("disk full"))
        with pytest.raises(SourceError, match="commit failed"):
            await asyncio.wait_for(task, 5)
    intake.auto_commit = True
    async with running(make(broker), intake):
        await intake.until(lambda: len(intake.store) == 1)


async def test_a_forgotten_session_is_reported_as_a_gap(broker: Mosquitto) -> None:
    intake = FakeIntake()
    async with running(make(broker), intake):
        await broker.publish(TOPIC, item())
        await intake.until(lambda: bool(intake.store))
    await broker.forget()
    source = make(broker)  # another process: it knows from its committed position
    async with running(source, intake):
        pass
    assert "gap" in intake.reports[-1][2]
    gaps = source._context.metrics.registry.get_sample_value(
        "sentinel_source_reconnects_total", {"source": "mq", "reason": "gap"}
    )
    assert gaps == 1


async def test_replicas_of_a_shared_group_split_the_messages(broker: Mosquitto) -> None:
    one, two = FakeIntake(), FakeIntake()
    first = make(broker, client_id="replica-1", shared_group="sentinel")
    second = make(broker, client_id="replica-2", shared_group="sentinel")
    async with running(first, one), running(second, two):
        await broker.publish(TOPIC, *[item(number) for number in range(40)])
        await one.until(lambda: len(one.store) + len(two.store) >= 40)
    assert one.store
    assert two.store
    assert not one.store.keys() & two.store.keys()


async def test_collectors_tell_by_birth_and_will_whether_we_see(broker: Mosquitto) -> None:
    status = "sentinel/v1/status/collector-forum"
    intake = FakeIntake()
    async with running(make(broker), intake):
        await broker.publish(status, {"state": "offline", "reason": "lwt"}, retain=True)
        await intake.until(lambda: intake.states[-1] is SourceState.DOWN)
        assert "collector-forum" in intake.reports[-1][2]
        await broker.publish(status, {"state": "online"}, retain=True)
        await intake.until(lambda: intake.states[-1] is SourceState.ALIVE)
        await broker.publish(status, b"offline", retain=True)
        await intake.until(lambda: intake.states[-1] is SourceState.DOWN)
        await broker.publish(status, b"", retain=True)  # retired
        await intake.until(lambda: intake.states[-1] is SourceState.ALIVE)


async def test_our_own_birth_and_end_are_announced_and_ignored_by_ourselves(
    broker: Mosquitto,
) -> None:
    intake = FakeIntake()
    words: list[str] = []
    async with broker.client() as watcher:
        await watcher.subscribe("sentinel/v1/status/sentinel-mq", qos=1)
        async with running(make(broker), intake):
            words.append(json.loads((await anext(watcher.messages)).payload)["state"])
        words.append(json.loads((await anext(watcher.messages)).payload)["state"])
    assert (words, intake.states) == (["online", "offline"], [SourceState.ALIVE])


async def test_a_wrong_password_and_a_dead_port_are_refused(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    await called("mosquitto_passwd", "-b", "-c", str(passwords), "sentinel", "fictional")
    lines = ["allow_anonymous false", f"password_file {passwords}"]
    async with Mosquitto(tmp_path, lines) as broker:
        with pytest.raises(SourceError) as caught:
            await make(broker, username="sentinel", password="wrong").run(FakeIntake())
        assert caught.value.reason == "refused"
        assert "wrong" not in str(caught.value)
        intake = FakeIntake()
        async with running(make(broker, username="sentinel", password="fictional"), intake):
            assert intake.states == [SourceState.ALIVE]
    with pytest.raises(SourceError) as caught:
        await make(broker).run(FakeIntake())
    assert caught.value.reason == "refused"


async def test_a_broker_that_goes_away_is_disconnected(broker: Mosquitto) -> None:
    async with running(make(broker), FakeIntake()) as task:
        await broker.stop()
        with pytest.raises(SourceError) as caught:
            await asyncio.wait_for(task, 5)
    assert caught.value.reason == "disconnected"


async def test_a_second_client_with_our_id_throws_us_out(broker: Mosquitto) -> None:
    thief = broker.client(identifier="sentinel-mq")
    async with running(make(broker), FakeIntake()) as task, thief:
        with pytest.raises(SourceError):
            await asyncio.wait_for(task, 5)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
# paho-mqtt leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_tls_is_spoken_and_the_certificate_is_checked(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    await called(
        *command.split(),
        *("-keyout", str(key), "-out", str(certificate)),
        *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
    )
    broker = Mosquitto(tmp_path, [f"certfile {certificate}", f"keyfile {key}"])
    try:
        await broker.start()
        intake = FakeIntake()
        async with running(make(broker, tls=True, ca_file=str(certificate)), intake):
            assert intake.states == [SourceState.ALIVE]
        with pytest.raises(SourceError, match="certificate"):
            await make(broker, tls=True).run(FakeIntake())
    finally:
        await broker.stop()


@pytest.mark.parametrize(
    "keys", [{"tls": True, "ca_file": "/does/not/exist"}, {"max_in_flight": 0}]
)
async def test_a_wrong_setting_is_a_config_error(keys: dict[str, object]) -> None:
    config = MqttConfig(name="mq", host="localhost", **keys)  # type: ignore[arg-type]  # passed through
    with pytest.raises(ConfigError, match=r"sources\.mq"):
        MqttSource(config, SourceContext(SystemClock(), Metrics(), random.Random(1)))
