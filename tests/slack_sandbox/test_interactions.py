import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

import aiohttp
import msgspec
import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from sentinel.slack_sandbox import Message, SlackSandbox
from sentinel.slack_sandbox.web_api import ApiError

BLOCKS = [
    {
        "type": "actions",
        "block_id": "one",
        "elements": [
            {
                "type": "button",
                "action_id": "take",
                "text": {"type": "plain_text", "text": "Prendo"},
                "value": "inc-1",
            },
            {
                "type": "checkboxes",
                "action_id": "steps",
                "options": [
                    {"text": {"type": "plain_text", "text": step}, "value": step} for step in "ab"
                ],
            },
            {
                "type": "overflow",
                "action_id": "more",
                "options": [{"text": {"type": "plain_text", "text": "x"}, "value": "x"}],
            },
        ],
    }
]


class FakeApp:
    """An app's interactivity address that checks signatures and records payloads."""

    def __init__(self, secret: str) -> None:
        self.payloads: list[dict] = []
        self.status = 200
        self.delay = 0.0
        self._verifier = SignatureVerifier(secret)

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert self._verifier.is_valid_request(body, dict(request.headers))
        self.payloads.append(msgspec.json.decode(parse_qs(body.decode())["payload"][0]))
        await asyncio.sleep(self.delay)
        return web.Response(status=self.status)


@asynccontextmanager
async def scene() -> AsyncIterator[tuple[SlackSandbox, FakeApp, Message]]:
    async with SlackSandbox() as sandbox:
        fake = FakeApp(sandbox.signing_secret)
        app = web.Application()
        app.router.add_post("/slack/interactivity", fake.receive)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        sandbox.interactions.url = f"http://127.0.0.1:{port}/slack/interactivity"
        client = AsyncWebClient(sandbox.bot_token, base_url=sandbox.api_url)
        await client.chat_postMessage(channel="#crisis", text="x", blocks=BLOCKS)
        try:
            yield sandbox, fake, sandbox.root_messages("crisis")[0]
        finally:
            await runner.cleanup()


async def test_a_pressed_button_is_sent_signed_with_everything_an_app_may_look_at() -> None:
    async with scene() as (sandbox, fake, message):
        answer = await sandbox.click(message, "take", sandbox.workspace.users[1])
        (payload,) = fake.payloads
        (action,) = payload["actions"]
        assert (answer.status, answer.via) == (200, "http")
        assert (action["action_id"], action["block_id"], action["value"]) == (
            "take",
            "one",
            "inc-1",
        )
        assert payload["user"]["id"] == "U0REPERIBILE2"
        assert payload["container"]["message_ts"] == message.ts
        assert payload["message"]["blocks"] == message.blocks
        assert payload["trigger_id"]


async def test_a_ticked_box_carries_the_whole_selection_and_the_state() -> None:
    async with scene() as (sandbox, fake, message):
        await sandbox.click(message, "steps", selected=["a", "b"])
        (payload,) = fake.payloads
        chosen = [option["value"] for option in payload["actions"][0]["selected_options"]]
        state = payload["state"]["values"]["one"]["steps"]["selected_options"]
        assert chosen == ["a", "b"]
        assert [option["value"] for option in state] == ["a", "b"]


async def test_an_overflow_carries_its_option_and_refuses_one_it_has_not() -> None:
    async with scene() as (sandbox, fake, message):
        await sandbox.click(message, "more", selected=["x"])
        assert fake.payloads[0]["actions"][0]["selected_option"]["value"] == "x"
        with pytest.raises(LookupError):
            await sandbox.click(message, "more", selected=["y"])
        with pytest.raises(LookupError):
            await sandbox.click(message, "nothing")


async def test_an_app_that_refuses_or_is_away_is_told_of() -> None:
    async with scene() as (sandbox, fake, message):
        fake.status = 500
        assert (await sandbox.click(message, "take")).status == 500
        sandbox.interactions.url = "http://127.0.0.1:1/"
        assert (await sandbox.click(message, "take")).status == 0
        sandbox.interactions.url = ""
        assert (await sandbox.click(message, "take")).via == "nobody"


async def test_a_click_on_the_page_goes_the_same_way() -> None:
    async with scene() as (sandbox, fake, message), aiohttp.ClientSession() as session:
        click = {
            "channel": message.channel,
            "ts": message.ts,
            "block": "one",
            "action": "steps",
            "user": "U0REPERIBILE2",
            "selected": ["b"],
        }
        url = sandbox.page_url + "ui/click"
        async with session.post(url, json=click) as answer:
            assert (await answer.json())["status"] == 200
        assert fake.payloads[0]["user"]["name"] == "Reperibile 2"
        statuses = []
        for wrong in ({"ts": "1.0"}, {"user": "U9"}, {"block": "old"}, {"selected": 3}):
            async with session.post(url, json=click | wrong) as answer:
                statuses.append(answer.status)
        assert statuses == [404, 404, 409, 400]


async def test_a_response_url_shows_something_to_who_clicked() -> None:
    async with scene() as (sandbox, fake, message), aiohttp.ClientSession() as session:
        await sandbox.click(message, "take", sandbox.workspace.users[1])
        url = fake.payloads[0]["response_url"]
        async with session.post(url, json={"text": "fatto"}) as answer:
            assert answer.status == 200
        async with session.post(url + "9", json={"text": "fatto"}) as answer:
            assert answer.status == 404
        assert (sandbox.messages[-1].text, sandbox.messages[-1].ephemeral_for) == (
            "fatto",
            "U0REPERIBILE2",
        )


async def test_a_trigger_opens_one_dialog() -> None:
    async with scene() as (sandbox, fake, message):
        await sandbox.click(message, "take")
        client = AsyncWebClient(sandbox.bot_token, base_url=sandbox.api_url)
        view = {
            "type": "modal",
            "title": {"type": "plain_text", "text": "Testo"},
            "blocks": [{"type": "divider"}],
        }
        trigger = fake.payloads[0]["trigger_id"]
        await client.views_open(trigger_id=trigger, view=view)
        again = sandbox.api.call
        with pytest.raises(Exception, match="exchanged_trigger_id"):
            again("views.open", {"trigger_id": trigger, "view": view})
        assert [user for user, _ in sandbox.api.views] == ["U0REPERIBILE1"]


def dialog(chosen: str = "") -> dict:
    """A dialog with one choice."""
    options = [{"text": {"type": "plain_text", "text": one}, "value": one} for one in "xy"]
    select = {"type": "static_select", "action_id": "pick", "options": options}
    if chosen:
        select["initial_option"] = options["xy".index(chosen)]
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": "Scegli"},
        "private_metadata": "inc-1",
        "blocks": [{"type": "actions", "block_id": "only", "elements": [select]}],
    }


async def test_a_choice_in_a_dialog_is_signed_and_sent_and_the_dialog_can_be_updated() -> None:
    async with scene() as (sandbox, fake, message):
        client = AsyncWebClient(sandbox.bot_token, base_url=sandbox.api_url)
        trigger = sandbox.interactions.payload(message, "take", sandbox.workspace.users[0])
        opened = await client.views_open(trigger_id=trigger["trigger_id"], view=dialog())
        async with aiohttp.ClientSession() as browser:
            wish = {"channel": "", "ts": "", "block": "only", "action": "pick", "view": 1}
            wish |= {"user": "U0REPERIBILE2", "selected": ["y"]}
            answer = await browser.post(sandbox.page_url + "ui/click", json=wish)
            assert answer.status == 200
        payload = fake.payloads[-1]
        assert {"type": "view", "view_id": opened["view"]["id"]} == payload["container"]
        assert "inc-1" == payload["view"]["private_metadata"]
        assert "y" == payload["actions"][0]["selected_option"]["value"]
        assert "U0REPERIBILE2" == payload["user"]["id"]
        assert "response_url" not in payload
        await client.views_update(view_id=opened["view"]["id"], view=dialog("y"))
        assert dialog("y") == sandbox.api.views[0][1]
        async with aiohttp.ClientSession() as browser:
            page = await (await browser.get(sandbox.page_url)).text()
        assert '<option value="y" selected>' in page


async def test_a_dialog_that_is_not_there_can_be_neither_pressed_nor_updated() -> None:
    async with scene() as (sandbox, _, _message):
        with pytest.raises(LookupError):
            await sandbox.choose(1, "pick", selected=("y",))
        for wrong in ("V01", "V00", "V0x", ""):
            with pytest.raises(ApiError, match="not_found"):
                sandbox.api.call("views.update", {"view_id": wrong, "view": dialog()})
