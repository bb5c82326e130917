"""What authors write reaches Slack, the pages and the terminal as text: it calls nobody, links nowhere and runs nothing."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import msgspec
import pytest

from sentinel.model import Incident
from sentinel.slack_sandbox import SlackSandbox
from tests.faults.rig import T0, Json, Service, config_text, post, send, slack_lines, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SCRIPT = "<script>alert(1)</script>"
HOSTILE = (
    "<!channel> <!here|qui> Aurora che schifo <https://evil.example|clicca qui> &lt;b&gt;",
    f"{SCRIPT} vergogna Aurora, parole disgustose {SCRIPT}",
    '"><img src=x onerror=alert(1)> boicottiamo Aurora, siete pessimi',
    "<@U0REPERIBILE1> <#C0CRISIS> <!subteam^S1> Aurora vergognosa, dimissioni",
    "\u202eAurora\u202c \u200b\u200d\ufeff che delusione totale, mai più",
    "*_~`Aurora`~_* vergogna ```{{7*7}} {% raw %} ${jndi:ldap://x}``` pessima",
    "\x1b[2J\x1b[31m Aurora\x07 vergognatevi, fate schifo \x1b]0;titolo\x07",
    "Aurora " + "A" * 15_000 + " schifo",
    "Aurora vergogna " + "e\u0301\u0302\u0303\u0304" * 300,
)
AUTHOR = {"handle": "<!everyone>.example", "name": f"{SCRIPT}*Capo*", "id": "<b>"}


def storm(minute: int) -> list[Json]:
    begin = T0 + minute * 60
    return [
        post(
            minute * 30 + n,
            begin + 2 * n,
            HOSTILE[n % len(HOSTILE)],
            author={**AUTHOR, "id": f"<b>{n}", "followers": 10_000 + n},
            url='https://evil.example/<script>?"onmouseover=alert(1)|<!channel>',
        )
        for n in range(30)
    ]


async def alarm(service: Service) -> Incident:
    """Storm until there is an incident and Slack has been told everything."""
    async with aiohttp.ClientSession() as session:
        for minute in range(12):
            await service.move(T0 + minute * 60 + 60)
            status, answer = await send(session, service.address, storm(minute))
            assert (status, answer["accepted"]) == (200, 30)
            await service.move(T0 + minute * 60 + 90)
            await until(lambda end=T0 + minute * 60 + 60: service.minute_closed(end), "closed")
    await until(service.incident_ids, "an incident")
    await until(lambda: service.pending() == 0, "told")
    [(blob,)] = service.rows("SELECT blob FROM incidents")
    return msgspec.msgpack.decode(blob, type=Incident)


def marked_up(value: object) -> Iterator[str]:
    """All text that Slack would read mark-up in."""
    if isinstance(value, list):
        for one in value:
            yield from marked_up(one)
    elif isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield str(value["text"])
        for one in value.values():
            yield from marked_up(one)


async def test_hostile_text_is_only_text_wherever_it_is_shown(tmp_path: Path) -> None:
    async with SlackSandbox() as sandbox:
        console = '[[notifiers]]\ntype = "console"\nname = "console"\n'
        service = Service(tmp_path, config_text(slack_lines(sandbox), console))
        async with service:
            incident = await alarm(service)
            assert any("<!channel>" in one.text for one in incident.quotes) or any(
                SCRIPT in one.text for one in incident.quotes
            ), "no hostile quote is shown: the test proves nothing"

            [root] = sandbox.root_messages("crisis")
            assert [0] == list({one.pings for one in sandbox.messages})
            for message in sandbox.messages:
                for text in (message.text, *marked_up(message.blocks)):
                    for tag in (
                        "<!channel",
                        "<!here",
                        "<!everyone",
                        "<!subteam",
                        "<@U0REPERIBILE1",
                    ):
                        assert tag not in text
                    assert "<https://evil.example|clicca" not in text
                    assert "\u202e" not in text
            assert not [one for one in sandbox.calls if not one.answer.get("ok")]

            async with (
                aiohttp.ClientSession() as session,
                session.get(sandbox.page_url) as response,
            ):
                slack_page = await response.text()
            for path in (
                "/",
                f"/incidents/{incident.id}",
                "/search?q=aurora",
                "/outbox",
                f"/search?q={SCRIPT}",
            ):
                status, page = await service.get(path)
                assert (path, status) == (path, 200)
                for bad in (SCRIPT, "<img src=x", "onerror=alert(1)>", 'href="javascript:', "\x1b"):
                    assert bad not in page
            assert SCRIPT not in slack_page
            assert "<img src=x" not in slack_page
            _, page = await service.get(f"/incidents/{incident.id}")
            assert "&lt;" in page

            assert root.metadata["event_payload"]["incident_id"] == incident.id
            assert await service.terminate() == 0
        assert incident.brand_name in service.stdout
        for bad in ("\x1b[2J", "\x1b]0;", "\x07", "\u202e"):
            assert bad not in service.stdout
        assert "Traceback" not in service.stderr
        for secret_or_text in ("vergogn", "<script>", "everyone", sandbox.bot_token):
            assert secret_or_text not in service.stderr


async def test_a_click_counts_only_with_a_fresh_signature_of_slack(tmp_path: Path) -> None:
    async with SlackSandbox() as sandbox:
        service = Service(tmp_path, config_text(slack_lines(sandbox)))
        async with service, aiohttp.ClientSession() as session:
            await alarm(service)
            [root] = sandbox.root_messages("crisis")
            payload = sandbox.interactions.payload(root, "take", sandbox.workspace.users[0])
            body = urlencode({"payload": msgspec.json.encode(payload).decode()})

            async def click(at: float, secret: str = sandbox.signing_secret) -> int:
                stamp = str(int(at))
                digest = hmac.new(
                    secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256
                ).hexdigest()
                async with session.post(
                    f"{service.address}/slack/interactivity",
                    data=body,
                    headers={
                        "Content-Type": "application/x-www-form-urlencoded",
                        "X-Slack-Request-Timestamp": stamp,
                        "X-Slack-Signature": f"v0={digest}",
                    },
                ) as response:
                    return response.status

            now = time.time()
            assert await click(now - 400) == 401
            assert await click(now, "another-secret") == 401
            async with session.post(f"{service.address}/slack/interactivity", data=body) as bare:
                assert bare.status == 401
            kinds = [kind for _, kind, _ in service.effects()]
            assert "acknowledged" not in kinds

            assert await click(now) == 200
            assert await click(now) == 200
            await until(
                lambda: "acknowledged" in [kind for _, kind, _ in service.effects()], "taken"
            )
            assert await service.terminate() == 0
        kinds = [kind for _, kind, _ in service.effects()]
        assert kinds.count("acknowledged") == 1
        assert "Traceback" not in service.stderr
