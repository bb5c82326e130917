import asyncio
import base64
import gzip
import io
import json
import random
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from sentinel.errors import ConfigError, StoreError
from sentinel.model import DropReason, Retraction, SourceState
from sentinel.runtime.clock import ReplayClock
from sentinel.runtime.metrics import Metrics
from sentinel.sources.base import SourceContext
from sentinel.web.ingest import HttpIngestConfig, PushSource, routes
from sentinel.web.security import webhook_signature
from tests.fakes.intake import FakeIntake

NOW = 1795330900.0
TOKEN = "fictional-token-for-web"
OTHER = "fictional-token-for-crm"
KEY = b"a fictional key of 32 bytes here"
NEW_KEY = b"another fictional key, 30 byte"
AUTH = {"Authorization": f"Bearer {TOKEN}"}


def secret(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


def item(number: int = 1, **changes: object) -> dict[str, object]:
    sent = {
        "id": f"m-{number}",
        "published_at": "2026-11-22T07:01:04Z",
        "text": "Vetro nei biscotti",
    }
    return sent | changes


class Bench:
    """The ingest on a real loopback server, with a fake intake behind it."""

    def __init__(self, intake: FakeIntake, **keys: object) -> None:
        self.clock = ReplayClock(NOW)
        self.metrics = Metrics(["web", "crm"])
        self.intake = intake
        context = SourceContext(self.clock, self.metrics, random.Random(1))
        configs = [
            HttpIngestConfig(name="web", **({"tokens": (TOKEN,)} | keys)),  # type: ignore[arg-type]  # passed through
            HttpIngestConfig(
                name="crm", tokens=(OTHER,), webhook_secrets=(secret(KEY), secret(NEW_KEY))
            ),
        ]
        self.sources = [PushSource(config, context) for config in configs]
        self.client: TestClient[web.Request, web.Application]

    async def post(
        self, body: object, path: str = "/v1/mentions", **headers: str
    ) -> ClientResponse:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} | AUTH
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, data=io.BytesIO(raw), headers=sent)

    async def webhook(
        self, body: object, *, key: bytes = KEY, message_id: str = "msg_1", at: float = NOW
    ) -> ClientResponse:
        raw = json.dumps(body).encode()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at)),
            "webhook-signature": "v1,bm90IGl0 " + webhook_signature(key, message_id, int(at), raw),
        }
        return await self.client.post("/v1/mentions/crm", data=raw, headers=headers)

    def refused(self, reason: str) -> float | None:
        return self.metrics.registry.get_sample_value(
            "sentinel_ingest_rejected_total", {"reason": reason}
        )


Serve = Callable[..., Awaitable[Bench]]


@asynccontextmanager
async def serving(intake: FakeIntake, seconds: float, **keys: object) -> AsyncIterator[Bench]:
    bench = Bench(intake, **keys)
    app = web.Application()
    app.add_routes(
        routes(
            bench.sources,
            intake,
            clock=bench.clock,
            metrics=bench.metrics,
            commit_timeout_seconds=seconds,
        )
    )
    async with TestClient(TestServer(app)) as client:
        bench.client = client
        yield bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with serving(FakeIntake(), 5.0) as served:
        yield served


async def test_a_single_mention_is_committed_before_it_is_answered(bench: Bench) -> None:
    response = await bench.post(item())
    assert response.status == 200
    assert await response.json() == {
        "accepted": 1,
        "duplicates": 0,
        "unmatched": 0,
        "dropped": 0,
        "retractions": 0,
    }
    (mention,) = bench.intake.mentions
    assert (mention.source, mention.id, mention.received_at) == ("web", "m-1", NOW)


async def test_a_batch_takes_the_good_and_lists_the_bad_with_their_index(bench: Bench) -> None:
    response = await bench.post([item(1), {"text": "no id"}, item(2), item(3, text=" "), 7])
    answer = await response.json()
    assert (response.status, answer["accepted"], answer["dropped"]) == (200, 2, 3)
    assert [(one["index"], one["reason"]) for one in answer["rejected"]] == [
        (1, "malformed"),
        (3, "empty"),
        (4, "malformed"),
    ]
    (delivery,) = bench.intake.deliveries
    assert dict(delivery.dropped) == {DropReason.MALFORMED: 2, DropReason.EMPTY: 1}


async def test_ndjson_takes_every_line_that_can_be_read(bench: Bench) -> None:
    body = b"\n".join(json.dumps(item(n)).encode() for n in (1, 2)) + b"\n{broken\n"
    response = await bench.post(body, Content_Type="application/x-ndjson")
    assert ((await response.json())["accepted"], len(bench.intake.store)) == (2, 2)


async def test_a_thousand_items_and_more_go_in_several_deliveries(bench: Bench) -> None:
    response = await bench.post([item(n) for n in range(1_234)])
    assert (await response.json())["accepted"] == 1_234
    assert max(len(one.mentions) for one in bench.intake.deliveries) == 500


async def test_an_empty_batch_is_a_sign_of_life(bench: Bench) -> None:
    assert (await bench.post([])).status == 200


async def test_the_same_mention_twice_counts_once(bench: Bench) -> None:
    await bench.post(item())
    again = await (await bench.post(item())).json()
    assert (again["accepted"], again["duplicates"], len(bench.intake.store)) == (0, 1, 1)


async def test_an_id_used_again_with_other_text_reaches_the_store_as_an_edit(bench: Bench) -> None:
    await bench.post(item())
    await bench.post(item(text="altro testo"))
    assert (bench.intake.edits, [one.text for one in bench.intake.store.values()]) == (
        1,
        ["altro testo"],
    )


async def test_deleted_then_posted_again_keeps_its_order(bench: Bench) -> None:
    response = await bench.post([item(), item(op="delete"), item(text="di nuovo")])
    assert (await response.json())["retractions"] == 1
    first, second = bench.intake.deliveries
    assert (first.retractions, len(second.mentions)) == ((Retraction("web", "m-1"),), 1)


async def test_cloudevents_in_every_mode_are_one_and_the_same_mention(bench: Bench) -> None:
    data = {"text": "Vetro nei biscotti", "published_at": "2026-11-22T07:01:00Z"}
    attributes = {
        "specversion": "1.0",
        "id": "evt-1",
        "source": "https://listener.example/aurora",
        "type": "com.example.mention.created",
    }
    event = attributes | {"data": data}
    await bench.post(event, Content_Type="application/cloudevents+json")
    await bench.post([event], Content_Type="application/cloudevents-batch+json")
    binary = {f"ce-{name}": value for name, value in attributes.items()}
    response = await bench.post(data, **binary)
    assert (await response.json())["duplicates"] == 1
    (mention,) = bench.intake.store.values()
    assert (mention.id, mention.channel) == ("https://listener.example/aurora/evt-1", "web")


async def test_two_cloudevent_sources_with_the_same_id_are_two_mentions(bench: Bench) -> None:
    for where in ("a", "b"):
        event = {
            "specversion": "1.0",
            "id": "1",
            "source": f"https://{where}.example",
            "type": "mention.created",
            "data": {"text": "ciao"},
        }
        await bench.post(event, Content_Type="application/cloudevents+json")
    assert len(bench.intake.store) == 2


async def test_the_cloudevents_handshake_consents_only_to_configured_origins() -> None:
    async with serving(FakeIntake(), 5.0, allowed_origins=("events.example",)) as bench:
        for origin, consent in (("events.example", "events.example"), ("evil.example", None)):
            response = await bench.client.options(
                "/v1/mentions/web", headers={"WebHook-Request-Origin": origin}
            )
            assert response.status == 204
            assert response.headers.get("WebHook-Allowed-Origin") == consent


async def test_a_field_map_reads_another_shape_with_its_envelope() -> None:
    mapping = {"id": "data.key", "text": "data.body", "brand": "tenant", "channel": "=forum"}
    async with serving(FakeIntake(), 5.0, field_map=mapping) as bench:
        body = {
            "type": "post.new",
            "timestamp": "2026-11-22T07:01:03Z",
            "tenant": "aurora",
            "data": {"key": "k1", "body": "Vetro"},
        }
        await bench.post(body)
        (mention,) = bench.intake.mentions
        assert (mention.id, mention.text, mention.brand, mention.channel) == (
            "k1",
            "Vetro",
            "aurora",
            "forum",
        )
        assert mention.published_at == 1795330863.0


# --- who may ---


@pytest.mark.parametrize(
    ("path", "authorization"),
    [
        ("/v1/mentions", ""),
        ("/v1/mentions", "Bearer wrong"),
        ("/v1/mentions", "Bearer "),
        ("/v1/mentions", f"Basic {TOKEN}"),
        ("/v1/mentions/crm", f"Bearer {TOKEN}"),
        ("/v1/mentions/none", f"Bearer {TOKEN}"),
        ("/v1/mentions/web", ""),
        ("/v1/mentions?access_token=" + TOKEN, ""),
    ],
)
async def test_without_the_right_token_nothing_is_taken(
    bench: Bench, path: str, authorization: str
) -> None:
    response = await bench.post(item(), path, Authorization=authorization)
    assert (response.status, bench.intake.deliveries) == (401, [])
    assert TOKEN not in await response.text()
    assert bench.refused("unauthorised") == 1


async def test_a_token_decides_the_source(bench: Bench) -> None:
    await bench.post(item(), Authorization=f"Bearer {OTHER}")
    assert [one.source for one in bench.intake.mentions] == ["crm"]


@pytest.mark.parametrize("key", [KEY, NEW_KEY])
async def test_a_signed_webhook_is_taken_with_either_secret_while_they_rotate(
    bench: Bench, key: bytes
) -> None:
    body = {"type": "mention.created", "timestamp": "2026-11-22T07:01:03Z", "data": {"text": "Eh"}}
    response = await bench.webhook(body, key=key)
    assert response.status == 200
    (mention,) = bench.intake.mentions
    assert (mention.id, mention.source, mention.published_at) == ("msg_1", "crm", 1795330863.0)


async def test_a_wrong_signature_is_unauthorised(bench: Bench) -> None:
    response = await bench.webhook(item(), key=b"not the key that was agreed")
    assert (response.status, bench.intake.deliveries) == (401, [])
    assert bench.refused("unauthorised") == 1


@pytest.mark.parametrize("offset", [-301.0, 301.0])
async def test_a_stale_webhook_is_refused_as_replayed(bench: Bench, offset: float) -> None:
    response = await bench.webhook(item(), at=NOW + offset)
    assert (response.status, (await response.json())["error"]) == (401, "replayed")
    assert (bench.refused("replayed"), bench.intake.deliveries) == (1, [])


async def test_a_webhook_sent_again_within_the_window_is_answered_without_effect(
    bench: Bench,
) -> None:
    await bench.webhook(item())
    again = await bench.webhook(item(), at=NOW + 5)
    assert (again.status, (await again.json())["repeated"]) == (200, True)
    assert len(bench.intake.deliveries) == 1


async def test_a_webhook_id_with_another_body_loses_nothing(bench: Bench) -> None:
    await bench.webhook(item(1))
    await bench.webhook(item(2))
    assert len(bench.intake.store) == 2


async def test_a_webhook_that_was_not_committed_is_taken_when_it_comes_again() -> None:
    intake = FakeIntake(auto_commit=False)
    async with serving(intake, 0.05) as bench:
        assert (await bench.webhook(item())).status == 503
        intake.commit()
        intake.auto_commit = True
        again = await (await bench.webhook(item())).json()
        assert (again["duplicates"], len(intake.store)) == (1, 1)


async def test_a_webhook_is_forgotten_after_ten_minutes_and_identity_still_holds(
    bench: Bench,
) -> None:
    await bench.webhook(item())
    await bench.clock.move_to(NOW + 700)
    again = await (await bench.webhook(item(), at=NOW + 700)).json()
    assert (again["duplicates"], len(bench.intake.store)) == (1, 1)


# --- how much, how fast ---


async def test_a_full_intake_is_429_with_retry_after_and_takes_nothing() -> None:
    async with serving(FakeIntake(room=0), 5.0) as bench:
        response = await bench.post(item())
        assert (response.status, response.headers["Retry-After"]) == (429, "3")
        assert bench.refused("busy") == 1


async def test_the_rest_of_a_begun_request_waits_for_room_instead_of_being_refused() -> None:
    intake = FakeIntake(auto_commit=False, room=1)
    async with serving(intake, 5.0) as bench:
        sending = asyncio.create_task(bench.post([item(n) for n in range(1_100)]))
        for count in (1, 2, 3):
            await intake.until(lambda count=count: len(intake.deliveries) == count)
            intake.commit()
        assert (await (await sending).json())["accepted"] == 1_100


async def test_a_commit_that_takes_too_long_is_503_and_the_retry_counts_once() -> None:
    intake = FakeIntake(auto_commit=False)
    async with serving(intake, 0.05) as bench:
        response = await bench.post(item())
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        intake.commit()
        intake.auto_commit = True
        again = await (await bench.post(item())).json()
        assert (again["duplicates"], len(intake.store)) == (1, 1)


async def test_a_commit_that_fails_is_503_and_says_nothing_of_the_inside() -> None:
    intake = FakeIntake(auto_commit=False)
    async with serving(intake, 5.0) as bench:
        sending = asyncio.create_task(bench.post(item()))
        await intake.until(lambda: bool(intake.pending))
        intake.fail(StoreError("disk full at /var/lib"))
        response = await sending
        assert response.status == 503
        assert "disk" not in await response.text()


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [("text/html", ""), ("application/xml", ""), ("application/json", "br-x"), ("", "")],
)
async def test_an_unknown_media_type_or_encoding_is_415(
    bench: Bench, content_type: str, encoding: str
) -> None:
    response = await bench.post(item(), Content_Type=content_type, Content_Encoding=encoding)
    assert (response.status, bench.refused("unsupported")) == (415, 1)


async def test_a_body_of_5_mb_is_taken_and_a_longer_one_is_413(bench: Bench) -> None:
    fits = [item(n, text="à" * 2_500) for n in range(1_000)]
    raw = json.dumps(fits, ensure_ascii=False).encode()
    assert 4_900_000 < len(raw) < 5 << 20
    assert (await (await bench.post(raw)).json())["accepted"] == 1_000
    response = await bench.post(b" " * (5 << 20) + raw)
    assert (response.status, bench.refused("too_large")) == (413, 1)


async def test_a_long_body_without_a_length_is_cut_off_while_it_streams(bench: Bench) -> None:
    sent = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(200):
            sent += 1 << 20
            yield b" " * (1 << 20)

    headers = {"Content-Type": "application/json"} | AUTH
    try:
        response = await bench.client.post("/v1/mentions", data=stream(), headers=headers)
        assert response.status == 413
    except ConnectionError:
        pass  # the server hung up on us, which is as good
    assert bench.refused("too_large") == 1
    assert sent < 100 << 20


async def test_one_text_of_5_mb_is_cut_and_said_so(bench: Bench) -> None:
    response = await bench.post(item(text="x" * 5_000_000))
    answer = await response.json()
    assert (answer["accepted"], answer["repaired"]) == (1, {"text_cut": 1})
    assert len(bench.intake.mentions[0].text) == 20_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_packed_body_is_unpacked(bench: Bench, encoding: str) -> None:
    raw = json.dumps([item(n) for n in range(100)]).encode()
    packed = gzip.compress(raw) if encoding == "gzip" else zlib.compress(raw)
    response = await bench.post(packed, Content_Encoding=encoding)
    assert (await response.json())["accepted"] == 100


async def test_a_gzip_bomb_is_413_and_costs_little_memory(bench: Bench) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    response = await bench.post(bomb, Content_Encoding="gzip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (response.status, bench.refused("too_large")) == (413, 1)
    assert peak < 40 << 20


@pytest.mark.parametrize("packed", [b"not gzip", gzip.compress(b"[" + b"1," * 5000)[:-30]])
async def test_a_broken_packing_is_refused_without_a_traceback(
    bench: Bench, packed: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    response = await bench.post(packed, Content_Encoding="gzip")
    assert response.status == 422
    assert bench.intake.mentions == []
    assert (await bench.post(item())).status == 200
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 50_000,
        b"\x00\x00",
        b"\xff\xfe\x00",
        b'{"id":"1"}',
        b'"text"',
        b"[1,2,3]",
        b'{"id":"1","text":"\\u0000"}',
        b'{"specversion":"1.0"}',
        b'{"op":"delete"}',
        b"9" * 100_000,
    ],
)
async def test_a_body_without_one_usable_item_is_422_with_the_reason(
    bench: Bench, body: bytes
) -> None:
    response = await bench.post(body)
    answer = await response.json()
    assert (response.status, bench.refused("malformed")) == (422, 1)
    assert answer["rejected"][0]["index"] == 0
    assert bench.intake.mentions == []


@pytest.mark.parametrize(
    "text",
    [
        "<!channel> <@U1> <script>alert(1)</script> &amp;",
        "\u202etxet desrever\u202c z\u200bero",
        "{{ 7*7 }} ${jndi:x} '; DROP TABLE mentions; --",
        "🧵 1/ perché è così",
    ],
)
async def test_hostile_text_arrives_as_the_data_it_is(bench: Bench, text: str) -> None:
    assert (await bench.post(item(text=text))).status == 200
    assert [one.text for one in bench.intake.mentions] == [text]


async def test_nul_bytes_surrogates_and_wrong_encodings_are_repaired_and_taken(
    bench: Bench,
) -> None:
    raw = (
        b'{"id":"1","ts":1795330864,"text":"a\\u0000b\\ud800c' + "perché".encode("latin-1") + b'"}'
    )
    response = await bench.post(raw)
    assert response.status == 200
    assert [one.text for one in bench.intake.mentions] == ["ab\ufffdcperch\ufffd"]


@pytest.mark.parametrize("at", ["2999-01-01T00:00:00Z", 0, -1, "gestern", 1e300, None, []])
async def test_absurd_and_future_times_become_the_time_of_receipt(bench: Bench, at: object) -> None:
    answer = await (await bench.post(item(published_at=at))).json()
    assert [one.published_at for one in bench.intake.mentions] == [NOW]
    assert sum(answer["repaired"].values()) == 1


# --- the source itself ---


def test_a_source_that_anybody_could_post_to_is_a_config_error() -> None:
    context = SourceContext(ReplayClock(NOW), Metrics(), random.Random(1))
    with pytest.raises(ConfigError, match=r"sources\.web"):
        PushSource(HttpIngestConfig(name="web"), context)


def test_a_config_never_shows_its_secrets() -> None:
    assert TOKEN not in repr(HttpIngestConfig(name="web", tokens=(TOKEN,)))


async def test_a_sender_that_falls_silent_is_reported_and_recovers() -> None:
    class Clock(ReplayClock):
        def monotonic(self) -> float:
            return self.now()

    clock = Clock(NOW)
    context = SourceContext(clock, Metrics(["web"]), random.Random(1))
    source = PushSource(
        HttpIngestConfig(name="web", tokens=(TOKEN,), silent_after_seconds=60), context
    )
    intake = FakeIntake()
    running = asyncio.create_task(source.run(intake))
    await intake.until(lambda: len(intake.reports) == 1)
    await clock.move_to(NOW + 61)
    await intake.until(lambda: intake.states[-1] is SourceState.DOWN)
    source.seen()
    await clock.move_to(NOW + 80)
    await intake.until(lambda: intake.states[-1] is SourceState.ALIVE)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
