import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sentinel.runtime.clock import ReplayClock
from sentinel.slack_sandbox import Fault, FaultKind, SlackSandbox
from sentinel.slack_sandbox.workspace import micros

HEADER = {"type": "header", "text": {"type": "plain_text", "text": "Allerta"}}
META = {"event_type": "sentinel_incident", "event_payload": {"idempotency_key": "k1"}}


@pytest.fixture
async def sandbox() -> AsyncIterator[SlackSandbox]:
    async with SlackSandbox() as running:
        yield running


@pytest.fixture
def client(sandbox: SlackSandbox) -> AsyncWebClient:
    return AsyncWebClient(sandbox.bot_token, base_url=sandbox.api_url, retry_handlers=[], timeout=1)


async def code_of(call: object) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return caught.value.response["error"]


async def test_a_post_is_stored_and_answered_as_slack_answers(
    sandbox: SlackSandbox, client: AsyncWebClient
) -> None:
    answer = await client.chat_postMessage(
        channel="#crisis", text="ciao", blocks=[HEADER], metadata=META
    )
    (message,) = sandbox.root_messages("crisis")
    assert (answer["channel"], answer["ts"]) == (message.channel, message.ts)
    assert answer["message"]["metadata"] == META
    assert message.blocks[0]["block_id"]


async def test_arguments_may_come_in_query_form_or_json(sandbox: SlackSandbox) -> None:
    headers = {"Authorization": "Bearer xoxb-sandbox"}
    url = sandbox.api_url + "chat.postMessage"
    args = {"channel": "#crisis", "text": "ciao", "blocks": '[{"type":"divider"}]'}
    async with aiohttp.ClientSession(headers=headers) as session:
        for how in ({"params": args}, {"data": args}, {"json": args}):
            async with session.post(url, **how) as answer:
                assert (await answer.json())["ok"]
    assert [m.blocks[0]["type"] for m in sandbox.messages] == ["divider"] * 3


async def test_timestamps_are_unique_and_grow_even_while_the_clock_stands_still() -> None:
    async with SlackSandbox(clock=ReplayClock(1_700_000_000)) as sandbox:
        client = AsyncWebClient(sandbox.bot_token, base_url=sandbox.api_url)
        stamps = [
            (await client.chat_postMessage(channel="#crisis", text="x"))["ts"] for _ in range(3)
        ]
    numbers = [micros(stamp) for stamp in stamps]
    assert numbers == sorted(set(numbers))
    assert stamps[0].startswith("1700000000.")


async def test_an_edit_keeps_the_metadata_and_takes_new_blocks(
    sandbox: SlackSandbox, client: AsyncWebClient
) -> None:
    posted = await client.chat_postMessage(channel="#crisis", text="a", metadata=META)
    await client.chat_update(channel=posted["channel"], ts=posted["ts"], text="b")
    (message,) = sandbox.messages
    assert (message.text, message.edits, message.metadata) == ("b", 1, META)


async def test_history_tells_roots_newest_first_with_metadata_if_asked(
    client: AsyncWebClient,
) -> None:
    posted = [
        await client.chat_postMessage(channel="#crisis", text=str(n), metadata=META)
        for n in range(3)
    ]
    channel = posted[0]["channel"]
    await client.chat_postMessage(channel="#crisis", text="r", thread_ts=posted[0]["ts"])
    await client.chat_postMessage(
        channel="#crisis", text="b", thread_ts=posted[0]["ts"], reply_broadcast=True
    )
    told = await client.conversations_history(channel=channel, include_all_metadata=True)
    bare = await client.conversations_history(channel=channel, oldest=posted[1]["ts"])
    assert [m["text"] for m in told["messages"]] == ["b", "2", "1", "0"]
    assert told["messages"][1]["metadata"] == META
    assert [m["text"] for m in bare["messages"]] == ["b", "2"]
    assert "metadata" not in bare["messages"][1]


async def test_long_listings_come_in_pages(client: AsyncWebClient) -> None:
    for n in range(5):
        channel = (await client.chat_postMessage(channel="#crisis", text=str(n)))["channel"]
    texts, cursor = [], ""
    while True:
        page = await client.conversations_history(channel=channel, limit=2, cursor=cursor)
        texts += [message["text"] for message in page["messages"]]
        if not page["has_more"]:
            break
        cursor = page["response_metadata"]["next_cursor"]
    assert texts == ["4", "3", "2", "1", "0"]


async def test_a_thread_is_told_root_first(client: AsyncWebClient) -> None:
    root = await client.chat_postMessage(channel="#crisis", text="root")
    for n in range(2):
        await client.chat_postMessage(channel="#crisis", text=str(n), thread_ts=root["ts"])
    told = await client.conversations_replies(channel=root["channel"], ts=root["ts"])
    assert [message["text"] for message in told["messages"]] == ["root", "0", "1"]


async def test_the_small_methods_answer(client: AsyncWebClient) -> None:
    root = await client.chat_postMessage(channel="#crisis", text="root")
    names = [c["name"] for c in (await client.conversations_list())["channels"]]
    user = await client.users_info(user="U0REPERIBILE1")
    await client.reactions_add(channel=root["channel"], timestamp=root["ts"], name="eyes")
    await client.chat_postEphemeral(channel="#crisis", user="U0REPERIBILE1", text="solo tu")
    assert names == ["crisis", "sentinel-ops"]
    assert user["user"]["name"] == "Reperibile 1"
    assert (await client.auth_test())["team"] == "Sandbox"


async def test_slacks_errors_are_given(sandbox: SlackSandbox, client: AsyncWebClient) -> None:
    stranger = AsyncWebClient("xoxb-stolen", base_url=sandbox.api_url)
    nobody = AsyncWebClient(base_url=sandbox.api_url)
    app = AsyncWebClient(sandbox.app_token, base_url=sandbox.api_url)
    assert [
        await code_of(stranger.auth_test()),
        await code_of(nobody.auth_test()),
        await code_of(app.auth_test()),
        await code_of(client.chat_postMessage(channel="#nowhere", text="x")),
        await code_of(client.api_call("chat.postMessage", json={"channel": "#crisis"})),
        await code_of(client.chat_update(channel="C0CRISIS", ts="1.0", text="x")),
        await code_of(client.conversations_history(channel="#crisis")),
        await code_of(client.conversations_replies(channel="C0CRISIS", ts="1.0")),
        await code_of(client.chat_postMessage(channel="#crisis", text="x", thread_ts="1.0")),
        await code_of(client.users_info(user="U1")),
        await code_of(client.views_open(trigger_id="none", view={"type": "modal"})),
        await code_of(client.api_call("pins.add")),
        await code_of(
            client.chat_postMessage(channel="#crisis", text="x", metadata={"event_type": "x"})
        ),
        await code_of(
            client.chat_postMessage(channel="#crisis", text="x", blocks=[{"type": "nope"}])
        ),
        await code_of(
            client.chat_postMessage(
                channel="#crisis",
                text="x",
                blocks=[
                    {"type": "section", "text": {"type": "mrkdwn", "text": "y" * 3000}}
                    for _ in range(5)
                ],
            )
        ),
    ] == [
        "invalid_auth",
        "not_authed",
        "not_allowed_token_type",
        "channel_not_found",
        "no_text",
        "message_not_found",
        "channel_not_found",
        "thread_not_found",
        "cannot_reply_to_message",
        "user_not_found",
        "invalid_trigger_id",
        "unknown_method",
        "invalid_metadata_format",
        "invalid_blocks",
        "msg_blocks_too_long",
    ]


async def test_refused_blocks_are_named_with_a_pointer(client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel="#crisis", text="x", blocks=[{"type": "nope"}])
    data = caught.value.response.data
    assert data["errors"] == ["unsupported type: nope [json-pointer:/blocks/0/type]"]
    assert data["response_metadata"]["messages"] == [f"[ERROR] {data['errors'][0]}"]


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        (FaultKind.ERROR, False),
        (FaultKind.RATE_LIMITED, False),
        (FaultKind.RESET, False),
        (FaultKind.BAD_JSON, False),
        (FaultKind.UNAVAILABLE, False),
        (FaultKind.ACCEPT_THEN_RESET, True),
        (FaultKind.SLOW, True),
    ],
)
async def test_a_fault_hits_its_method_once_and_says_whether_the_message_is_there(
    sandbox: SlackSandbox, client: AsyncWebClient, kind: FaultKind, stored: bool
) -> None:
    sandbox.faults.add(Fault(kind, "chat.postMessage", seconds=30))
    await client.auth_test()
    with pytest.raises((SlackApiError, aiohttp.ClientError, TimeoutError)):
        await asyncio.wait_for(client.chat_postMessage(channel="#crisis", text="1"), 0.3)
    assert len(sandbox.messages) == int(stored)
    await client.chat_postMessage(channel="#crisis", text="2")
    assert [call.fault for call in sandbox.calls] == ["", kind.value, ""]


async def test_a_fault_without_end_lasts_until_it_is_cleared(
    sandbox: SlackSandbox, client: AsyncWebClient
) -> None:
    sandbox.faults.add(Fault(FaultKind.ERROR, times=0, error="fatal_error"))
    assert [await code_of(client.auth_test()) for _ in range(3)] == ["fatal_error"] * 3
    sandbox.faults.clear()
    await client.auth_test()


async def test_a_rate_limit_says_how_long_to_wait(
    sandbox: SlackSandbox, client: AsyncWebClient
) -> None:
    sandbox.faults.add(Fault(FaultKind.RATE_LIMITED, retry_after=17))
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    response = caught.value.response
    assert (response.status_code, response.headers["Retry-After"]) == (429, "17")


async def test_it_can_refuse_connections_and_come_back_on_the_same_port(
    sandbox: SlackSandbox, client: AsyncWebClient
) -> None:
    await sandbox.refuse()
    with pytest.raises(aiohttp.ClientConnectorError):
        await client.auth_test()
    await sandbox.accept()
    await client.auth_test()


async def test_stopping_does_not_wait_for_a_slow_answer() -> None:
    sandbox = SlackSandbox()
    await sandbox.start()
    client = AsyncWebClient(sandbox.bot_token, base_url=sandbox.api_url, retry_handlers=[])
    sandbox.faults.add(Fault(FaultKind.SLOW, seconds=300))
    call = asyncio.create_task(client.auth_test())
    await sandbox.wait_for_change(5)
    assert len(sandbox.calls) == 1
    await asyncio.wait_for(sandbox.stop(), 5)
    await asyncio.gather(call, return_exceptions=True)
