from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sentinel.model import Action, Phase
from sentinel.web.settings import WebConfig
from tests.fakes.backend import NOW, FakeBackend, an_incident
from tests.web.conftest import Client, Open

TOKEN = "correct-horse-battery-staple"
COMMANDS = "/api/v1/incidents/aurora-1/commands"


async def ask(client: Client, path: str, status: int = 200) -> Any:
    answer = await client.get(path)
    assert status == answer.status, await answer.text()
    assert answer.content_type == "application/json"
    return await answer.json()


async def test_incidents_are_listed_with_readable_severity_and_times(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    (one,) = (await ask(await visit(), "/api/v1/incidents"))["incidents"]
    assert (
        one["id"],
        one["severity"],
        one["phase"],
        one["open"],
    ) == ("aurora-1", "high", "escalating", True)
    assert one["opened_at"] == "2026-11-22T21:20:00.000Z"
    assert "series" not in one


async def test_incidents_are_filtered_by_state_brand_and_time(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    backend.known["old"] = an_incident(
        id="old", brand="northwind", phase=Phase.RESOLVED, opened_at=NOW - 9000
    )
    client = await visit()
    for query, expected in (
        ("", ["aurora-1"]),
        ("?state=resolved", ["old"]),
        ("?state=all", ["aurora-1", "old"]),
        ("?state=all&brand=northwind", ["old"]),
        ("?state=all&limit=1", ["aurora-1"]),
        ("?state=all&before=2026-11-22T21:00:00Z", ["old"]),
        (f"?state=all&before={NOW - 5000}", ["old"]),
    ):
        found = await ask(client, f"/api/v1/incidents{query}")
        assert expected == [one["id"] for one in found["incidents"]], query


@pytest.mark.parametrize(
    "query",
    ["state=x", "limit=0", "limit=x", "limit=501", "before=x", "before=2026-11-22T21:00:00"],
)
async def test_a_wrong_question_is_answered_with_what_is_wrong(visit: Open, query: str) -> None:
    found = await ask(await visit(), f"/api/v1/incidents?{query}", 400)
    assert query.split("=", maxsplit=1)[0] in found["error"]["message"]


async def test_one_incident_comes_with_history_and_commands(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    client = await visit()
    await client.post(COMMANDS, json={"action": "take", "actor": "Anna Prova", "id": "one"})
    found = await ask(client, "/api/v1/incidents/aurora-1")
    assert found["incident"]["quotes"][0]["text"] == "Da oggi compro altro."
    assert [effect["kind"] for effect in found["timeline"]] == [
        "opened",
        "updated",
        "updated",
        "escalated",
        "updated",
    ]
    assert [command["action"] for command in found["commands"]] == ["take"]


async def test_an_unknown_incident_is_not_found(visit: Open) -> None:
    found = await ask(await visit(), "/api/v1/incidents/none", 404)
    assert found["error"]["code"] == "not_found"


async def test_a_command_reaches_the_core_and_answers_with_the_incident_after_it(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    answer = await (await visit()).post(
        COMMANDS, json={"action": "take", "actor": "Anna Prova", "id": "key-1"}
    )
    found = await answer.json()
    assert answer.status == 200
    assert found["incident"]["acknowledged_by"] == "Anna Prova"
    (command,) = backend.submitted
    assert (
        command.action,
        command.actor_name,
        command.via,
        command.id,
    ) == (Action.TAKE, "Anna Prova", "api", "api:key-1")


async def test_a_command_sent_twice_counts_once(visit: Open, backend: FakeBackend) -> None:
    backend.stage()
    client = await visit()
    for _ in range(2):
        answer = await client.post(COMMANDS, json={"action": "take", "id": "key-1"})
        assert answer.status == 200
    assert len(backend.submitted) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"action":"explode"}',
        b'{"action":"take","unknown":1}',
        b'{"action":"snooze","value":"1"}',
        b'{"action":"tick","value":"none"}',
        b'{"action":"take","id":"\\u0000"}',
        b'{"action":"take","value":3}',
        b"[]",
    ],
)
async def test_a_command_that_cannot_be_read_changes_nothing(
    visit: Open, backend: FakeBackend, body: bytes
) -> None:
    backend.stage()
    answer = await (await visit()).post(
        COMMANDS, data=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status == 400
    assert (await answer.json())["error"]["message"]
    assert backend.submitted == []


async def test_a_form_of_a_foreign_page_cannot_give_a_command(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    client = await visit()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = await client.post(
            COMMANDS, data=b'{"action":"take"}', headers={"Content-Type": kind}
        )
        assert answer.status == 415, kind
    answer = await client.post(
        COMMANDS, json={"action": "take"}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status == 403
    assert backend.submitted == []


async def test_a_bearer_token_acts_from_anywhere(visit: Open, backend: FakeBackend) -> None:
    backend.stage()
    client = await visit(WebConfig(token=TOKEN))
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "sentinel:8080"}
    answer = await client.post(COMMANDS, json={"action": "take"}, headers=headers)
    assert answer.status == 200
    assert (await client.post(COMMANDS, json={"action": "take"})).status == 401


async def test_a_command_of_five_megabytes_is_refused(visit: Open, backend: FakeBackend) -> None:
    backend.stage()
    answer = await (await visit()).post(
        COMMANDS, data=io.BytesIO(b" " * 5_000_000), headers={"Content-Type": "application/json"}
    )
    assert answer.status == 413


async def test_a_command_without_a_length_is_cut_off_at_the_limit(
    visit: Open, backend: FakeBackend
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    backend.stage()
    answer = await (await visit()).post(
        COMMANDS, data=endless(), headers={"Content-Type": "application/json"}
    )
    assert answer.status == 413
    assert backend.submitted == []


async def test_sources_tell_whether_they_live(visit: Open) -> None:
    (one,) = (await ask(await visit(), "/api/v1/sources"))["sources"]
    assert (one["name"], one["state"], one["ingested"]) == ("bluesky", "alive", 123_456)
    assert one["last_event_at"].endswith("Z")


async def test_dead_letters_are_listed_and_retried(visit: Open, backend: FakeBackend) -> None:
    notice = backend.dead_notice()
    client = await visit()
    (one,) = (await ask(client, "/api/v1/outbox?state=dead"))["outbox"]
    assert (notice.id, "channel_not_found", 8) == (one["id"], one["last_error"], one["attempts"])
    answer = await client.post(f"/api/v1/outbox/{notice.id}/retry", json={})
    assert (200, [notice.id]) == (answer.status, backend.revived)
    assert (await client.post(f"/api/v1/outbox/{notice.id}/retry", json={})).status == 404


async def test_a_wrong_outbox_state_is_refused(visit: Open) -> None:
    await ask(await visit(), "/api/v1/outbox?state=lost", 400)


async def test_a_store_that_does_not_answer_is_a_503_in_json(
    visit: Open, backend: FakeBackend
) -> None:
    backend.store_down = True
    found = await ask(await visit(), "/api/v1/incidents", 503)
    assert "disk full" not in str(found)


async def test_an_unknown_route_is_a_404_in_json(visit: Open) -> None:
    assert "error" in await ask(await visit(), "/api/v1/none", 404)
