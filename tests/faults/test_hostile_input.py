"""Whatever a sender posts: nothing that was taken is lost, nothing crashes, and good posts get through right after it.

All tests of this file share one running service.
"""

from __future__ import annotations

import gzip
import itertools
from collections.abc import AsyncIterator
from io import BytesIO

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from sentinel.web.security import webhook_key, webhook_signature
from tests.faults.rig import T0, TOKEN, Json, Service, config_text, post

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNED = f"""
[[sources]]
type = "http"
name = "signed"
webhook_secrets = ["{SECRET}"]
channel = "news"
"""
MIB = 1 << 20
NUMBERS = itertools.count(1)


class Sender:
    def __init__(self, service: Service, session: aiohttp.ClientSession) -> None:
        self.service, self._session = service, session

    async def raw(
        self, body: object, content_type: str = "application/json", **headers: str
    ) -> tuple[int, Json]:
        given = {"Content-Type": content_type, **headers}
        if "webhook_id" not in headers and "Authorization" not in headers:
            given["Authorization"] = f"Bearer {TOKEN}"
        given = {name.replace("_", "-"): value for name, value in given.items()}
        if isinstance(body, bytes) and len(body) > MIB:
            body = BytesIO(body)  # aiohttp wants it so
        url = f"{self.service.address}/v1/mentions"
        async with self._session.post(url, data=body, headers=given) as response:
            return response.status, await response.json()

    async def item(self, **fields: object) -> tuple[int, Json]:
        return await self.raw(msgspec.json.encode({**fresh(), **fields}))

    async def fine(self) -> None:
        """A good post is taken and archived, and the probes are content."""
        good = fresh()
        status, answer = await self.raw(msgspec.json.encode(good))
        assert (status, answer["accepted"]) == (200, 1)
        assert self.service.rows("SELECT text FROM mentions WHERE id = ?", good["id"])
        for probe in ("healthz", "readyz"):
            async with self._session.get(f"{self.service.address}/{probe}") as response:
                assert response.status == 200

    def text(self, mention_id: object) -> object:
        return self.service.one("SELECT text FROM mentions WHERE id = ?", mention_id)


def fresh(text: str = "Pasta Aurora a pranzo") -> Json:
    number = next(NUMBERS)
    return post(number, T0 + number % 60, text)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sender(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sender]:
    service = Service(tmp_path_factory.mktemp("hostile"), config_text(SIGNED), T0 + 60)
    async with service, aiohttp.ClientSession() as session:
        yield Sender(service, session)
        assert await service.terminate() == 0
    assert "Traceback" not in service.stderr
    assert service.logged("stopped")


BROKEN = (
    b"",
    b"{",
    b'{"id": "x", "text": ',
    b"]",
    b"null",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"\x80\x81\x82",
    b"\x00" * 1000,
    b"<xml>no</xml>",
    b'{"id": "x", "text": NaN',
    b"true",
    b'[1, "two", null, [], {}]',
    b'{"id": {}, "text": []}',
    b'{"id": "x"}',
    b'{"text": "Aurora"}',
)


@pytest.mark.parametrize("body", BROKEN, ids=[str(n) for n in range(len(BROKEN))])
async def test_broken_json_is_refused_with_a_word(sender: Sender, body: bytes) -> None:
    status, answer = await sender.raw(body)
    assert (status, answer["error"]) == (422, "malformed")
    await sender.fine()


async def test_bad_items_of_a_batch_are_listed_and_good_ones_are_taken(sender: Sender) -> None:
    lines = [
        msgspec.json.encode(fresh()),
        b"{broken",
        b"\xff\xfe",
        b"{}",
        msgspec.json.encode(fresh()),
    ]
    status, answer = await sender.raw(b"\n".join(lines), "application/x-ndjson")
    assert (status, answer["accepted"], answer["dropped"]) == (200, 2, 3)
    assert [one["index"] for one in answer["rejected"]] == [1, 2, 3]


async def test_a_body_of_five_megabytes_is_taken_and_its_text_cut(sender: Sender) -> None:
    huge = fresh("Aurora " + "a" * (5 * MIB - 1000))
    status, answer = await sender.raw(msgspec.json.encode(huge))
    assert (status, answer["accepted"], answer["repaired"]) == (200, 1, {"text_cut": 1})
    assert len(str(sender.text(huge["id"]))) == 20_000


async def test_what_is_larger_is_refused_however_it_is_packed(sender: Sender) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b" " * MIB

    assert (await sender.raw(b" " * (5 * MIB + 1)))[0] == 413
    assert (await sender.raw(pieces()))[0] == 413
    bomb = gzip.compress(b" " * (64 * MIB))
    assert (await sender.raw(bomb, Content_Encoding="gzip"))[0] == 413
    assert (await sender.raw(bomb[:-100], Content_Encoding="gzip"))[0] in {413, 422}
    await sender.fine()


async def test_other_encodings_are_read_or_put_right(sender: Sender) -> None:
    text = "Perché Aurora costa 5 €, così?"

    async def archived(encoding: str, content_type: str) -> object:
        good = fresh(text)
        body = msgspec.json.encode(good).decode().encode(encoding)
        status, answer = await sender.raw(body, content_type)
        assert (status, answer["accepted"]) == (200, 1)
        return sender.text(good["id"])

    assert text == await archived("utf-8-sig", "application/json")
    assert text == await archived("utf-16", "application/json")
    assert text == await archived("utf-32", "application/json")
    assert text == await archived("cp1252", "application/json; charset=windows-1252")
    assert "Perch� Aurora costa 5 �, cos�?" == await archived("cp1252", "application/json")
    assert (await sender.raw(b"{}", "application/json; charset=klingon"))[0] == 415


INVISIBLE = {
    "Aurora\0 vergogna": "Aurora vergogna",
    "\u202eAurora\u202c schifo": "\u202eAurora\u202c schifo",
    "Au\u200bro\u200dra schifo": "Au\u200bro\u200dra schifo",
    "مقاطعة Aurora \u200fالآن": "مقاطعة Aurora \u200fالآن",
    "Aurora " + "e\u0301\u0302\u0303" * 200: "Aurora " + "e\u0301\u0302\u0303" * 200,
    "Ａｕｒｏｒａ in largo": "Ａｕｒｏｒａ in largo",
    "Aurora \x1b[2J\x07\x08 fine": "Aurora \x1b[2J\x07\x08 fine",
    "👩‍👩‍👧‍👦 Aurora 🍝": "👩‍👩‍👧‍👦 Aurora 🍝",
}


@pytest.mark.parametrize("number", range(len(INVISIBLE)))
async def test_odd_characters_are_matched_and_kept(sender: Sender, number: int) -> None:
    sent, kept = list(INVISIBLE.items())[number]
    one = fresh(sent)
    status, answer = await sender.raw(msgspec.json.encode(one))
    assert (status, answer["accepted"]) == (200, 1)
    assert kept == sender.text(one["id"])


async def test_lone_surrogates_are_replaced(sender: Sender) -> None:
    one = fresh()
    body = msgspec.json.encode(one).replace(b"Pasta", b"\\ud800\\udc00\\ud800 Pasta")
    status, answer = await sender.raw(body)
    assert (status, answer["accepted"]) == (200, 1)
    assert sender.text(one["id"]) == "𐀀� Pasta Aurora a pranzo"


TIMES = (
    "9999-12-31T23:59:59Z", "2999-01-01T00:00:00+14:00", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
    "2026-02-30T25:61:00Z", "yesterday", "", None, True, [], {}, -1, 0, 1e308, -1e308, 10**40,
    "10" * 500, "٢٠٢٦-٠١-٠١", "2026-09-21T16:00:00.123456789123456789Z", "1995-06-01T12:00:00Z",
)  # fmt: skip


async def test_absurd_times_are_taken_as_now_and_never_lie_ahead(sender: Sender) -> None:
    made = [{**fresh(), "published_at": time} for time in TIMES]
    status, answer = await sender.raw(msgspec.json.encode(made))
    assert (status, answer["accepted"] + answer["dropped"]) == (200, len(TIMES))
    assert answer["dropped"] == 0
    service = sender.service
    assert service.one("SELECT max(published_at) FROM mentions") <= service.now
    assert service.one("SELECT min(published_at) FROM mentions") >= 631_152_000  # 1990
    await sender.fine()


async def test_an_id_with_another_text_keeps_both_and_counts_once(sender: Sender) -> None:
    one = fresh("Aurora va bene")
    answers = []
    for text in ("Aurora va bene", "Aurora fa schifo", "Aurora fa schifo", "Aurora fa pietà"):
        status, answer = await sender.raw(msgspec.json.encode({**one, "text": text}))
        assert status == 200
        answers.append((answer["accepted"], answer["duplicates"]))
    assert answers == [(1, 0), (0, 1), (0, 1), (0, 1)]
    found = sender.service.rows("SELECT n, text FROM mentions WHERE id = ?", one["id"])
    assert [text for _, text in found] == ["Aurora fa pietà"]
    revisions = sender.service.rows(
        "SELECT text FROM mention_revisions WHERE n = ? ORDER BY id", found[0][0]
    )
    assert revisions == [("Aurora va bene",), ("Aurora fa schifo",)]


async def test_an_id_with_another_text_in_the_same_batch_keeps_both(sender: Sender) -> None:
    one = fresh("Aurora va bene")
    batch = [one, {**one, "text": "Aurora non va bene"}, one]
    status, answer = await sender.raw(msgspec.json.encode(batch))
    assert (status, answer["accepted"], answer["duplicates"]) == (200, 1, 2)
    assert sender.service.one("SELECT count(*) FROM mentions WHERE id = ?", one["id"]) == 1
    revisions = sender.service.one(
        "SELECT count(*) FROM mention_revisions WHERE n = (SELECT n FROM mentions WHERE id = ?)",
        one["id"],
    )
    assert (revisions, sender.text(one["id"])) == (2, "Aurora va bene")


@pytest.mark.parametrize(
    "odd", ["i" * 10_000, "ид-\u202e-\0-id", "'; DROP TABLE mentions; --", 12345678901234567890]
)
async def test_odd_ids_are_identities_like_any_other(sender: Sender, odd: object) -> None:
    before = int(sender.service.one("SELECT count(*) FROM mentions"))
    assert (await sender.item(id=odd))[1]["accepted"] == 1
    assert (await sender.item(id=odd))[1]["duplicates"] == 1
    assert int(sender.service.one("SELECT count(*) FROM mentions")) == before + 1


async def test_odd_members_are_ignored(sender: Sender) -> None:
    odd = {
        "author": {"handle": ["x"], "followers": -5, "created_at": "never", "name": {"a": 1}},
        "engagement": {"likes": "many", "reposts": 2**70},
        "channel": "<!channel>/../\0" + "c" * 500,
        "language": "klingon",
        "url": "javascript:alert(1)",
        "brand": "nobody",
        "mentions_of": [[], {}, None, 1],
        "surprise": {"deep": [[[[]]]]},
    }
    status, answer = await sender.item(**odd)
    assert status in {200, 422}
    status, answer = await sender.item(**{**odd, "brand": ""})
    assert (status, answer["accepted"]) == (200, 1)
    await sender.fine()


# --- who sends -----------------------------------------------------------------------------------


def signed(body: bytes, at: float, message_id: str) -> dict[str, str]:
    return {
        "webhook_id": message_id,
        "webhook_timestamp": str(int(at)),
        "webhook_signature": webhook_signature(webhook_key(SECRET), message_id, int(at), body),
    }


async def test_a_signed_webhook_is_taken_once_however_often_it_is_replayed(sender: Sender) -> None:
    one = fresh()
    body = msgspec.json.encode(one)
    headers = signed(body, sender.service.now, "msg-1")
    assert (await sender.raw(body, **headers))[1]["accepted"] == 1
    assert await sender.raw(body, **headers) == (200, {"accepted": 0, "repeated": True})
    assert sender.service.one("SELECT count(*) FROM mentions WHERE id = ?", one["id"]) == 1


async def test_an_unsigned_forged_or_stale_webhook_is_refused(sender: Sender) -> None:
    one = fresh()
    body = msgspec.json.encode(one)
    now = sender.service.now
    unsigned = {"webhook_id": "msg-2", "webhook_timestamp": str(int(now))}
    forged = {**signed(body, now, "msg-2"), "webhook_signature": "v1,Zm9yZ2Vk"}
    other_body = signed(body + b" ", now, "msg-2")
    other_id = {**signed(body, now, "msg-2"), "webhook_id": "msg-3"}
    for headers in (unsigned, forged, other_body, other_id):
        status, answer = await sender.raw(body, **headers)
        assert (status, answer["error"]) == (401, "unauthorised")
    for at in (now - 301, now + 302):
        status, answer = await sender.raw(body, **signed(body, at, "msg-4"))
        assert (status, answer["error"]) == (401, "replayed")
    status, _ = await sender.raw(body, Authorization="Bearer not-the-token-of-anybody")
    assert status == 401
    assert sender.text(one["id"]) is None
