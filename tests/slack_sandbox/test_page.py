import asyncio
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.web.async_client import AsyncWebClient

from sentinel.slack_sandbox import SlackSandbox
from sentinel.slack_sandbox.mrkdwn import mrkdwn, plain
from sentinel.slack_sandbox.render import blocks_html

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\" ' & </article> javascript:x"
SAFE_TAGS = {
    "a", "article", "aside", "b", "blockquote", "br", "button", "code", "details", "div",
    "fieldset", "figcaption", "figure", "form", "h2", "h3", "h4", "header", "hr", "i", "input",
    "label", "li", "line", "main", "mark", "nav", "ol", "option", "p", "polygon", "polyline",
    "pre", "rect", "s", "section", "select", "small", "span", "summary", "svg", "text", "time", "ul",
}  # fmt: skip


class Tags(HTMLParser):
    """Everything that a browser would see as mark-up."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


@pytest.fixture
async def sandbox() -> AsyncIterator[SlackSandbox]:
    async with SlackSandbox() as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def posted(sandbox: SlackSandbox, blocks: list[dict], **more: object) -> None:
    client = AsyncWebClient(sandbox.bot_token, base_url=sandbox.api_url)
    await client.chat_postMessage(channel="#crisis", text="x", blocks=blocks, **more)


def everything(text: str) -> list[dict]:
    """One of each block, with the text wherever a text goes."""
    plain_text, marked = {"type": "plain_text", "text": text}, {"type": "mrkdwn", "text": text}
    option = {"text": plain_text, "value": text[:75], "description": plain_text}
    cut = text[:20] or "x"
    point = {"label": cut, "value": 3}
    short = {"type": "plain_text", "text": text[:30]}
    confirm = {"title": plain_text, "text": marked, "confirm": short, "deny": short}
    return [
        {"type": "header", "text": plain_text},
        {
            "type": "section",
            "text": marked,
            "fields": [marked, plain_text],
            "accessory": {"type": "overflow", "action_id": "o", "options": [option]},
        },
        {"type": "context", "elements": [marked, plain_text]},
        {"type": "divider"},
        {
            "type": "actions",
            "block_id": text[:200],
            "elements": [
                {"type": "button", "action_id": "b", "text": plain_text, "confirm": confirm},
                {
                    "type": "checkboxes",
                    "action_id": "c",
                    "options": [option],
                    "initial_options": [option],
                },
                {"type": "static_select", "action_id": "s", "options": [option]},
            ],
        },
        {
            "type": "data_visualization",
            "title": text[:50],
            "chart": {
                "type": "area",
                "series": [{"name": cut, "data": [point]}],
                "axis_config": {"categories": [cut]},
            },
        },
        {
            "type": "rich_text",
            "elements": [
                {
                    "type": kind,
                    "elements": [
                        {"type": "text", "text": text, "style": {"bold": True}},
                        {"type": "link", "url": f"javascript:{text}", "text": text},
                        {"type": "link", "url": f'https://e.example/"{text}', "text": text},
                    ],
                }
                for kind in ("rich_text_section", "rich_text_quote", "rich_text_preformatted")
            ],
        },
    ]


async def page(session: aiohttp.ClientSession, sandbox: SlackSandbox) -> str:
    async with session.get(sandbox.page_url) as answer:
        assert answer.status == 200
        return await answer.text()


def harmless(html: str, *, more: frozenset[str] = frozenset()) -> None:
    found = Tags(html)
    assert found.tags <= SAFE_TAGS | more
    for name, value in found.attributes:
        assert not name.startswith("on")
        assert name != "style"
        if name in ("href", "src"):
            assert (value or "").startswith(("https://", "http://", "/assets/", "mailto:"))


async def test_the_page_draws_what_was_posted(
    sandbox: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    await posted(sandbox, everything("Allerta"))
    html = await page(session, sandbox)
    assert "Allerta" in html
    assert {"svg", "button", "fieldset", "select", "blockquote"} <= Tags(html).tags


async def test_hostile_text_stays_text_on_the_page(
    sandbox: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    await posted(sandbox, everything(HOSTILE[:60]))
    await posted(sandbox, everything(HOSTILE[20:80]))
    html = await page(session, sandbox)
    harmless(
        html,
        more=frozenset(
            {"html", "head", "body", "meta", "title", "link", "script", "strong", "dialog"}
        ),
    )
    assert html.count("<script") == 1
    assert "&lt;script&gt;alert(1)" in html


@given(st.text(max_size=80) | st.sampled_from([HOSTILE, "`<b>`*<i>*_<u>_<http://x|<b>>"]))
def test_whatever_is_said_becomes_no_markup_of_its_own(text: str) -> None:
    for drawn in (mrkdwn(text), plain(text), blocks_html(everything(text)), blocks_html([], text)):
        harmless(str(drawn))


def test_marks_links_and_mentions_are_drawn() -> None:
    assert str(mrkdwn("*a* _b_ ~c~ `d` &lt;3")) == (
        "<b>a</b> <i>b</i> <s>c</s> <code>d</code> &lt;3"
    )
    assert 'class="ping">@channel' in str(mrkdwn("<!channel>"))
    assert "fallback" in str(mrkdwn("<!date^1^{date}|fallback>"))
    assert str(mrkdwn("<javascript:alert(1)|x>")) == "x"
    assert '<a href="https://e.example/"' in str(mrkdwn("<https://e.example/|x>"))
    assert str(mrkdwn("&gt; q\nr")) == "<blockquote>q</blockquote>r"
    assert str(mrkdwn("```a < b```")) == "<pre>a &lt; b</pre>"


async def test_every_answer_forbids_inline_code_and_foreign_assets(
    sandbox: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    for path in ("", "assets/sandbox.css", "assets/sandbox.js", "ui/view"):
        async with session.get(sandbox.page_url + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            text = await answer.text()
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "://" not in text.replace("http://127.0.0.1", "")
    async with session.get(sandbox.page_url + "assets/index.html") as answer:
        assert answer.status == 404


async def test_another_site_can_neither_read_nor_press(
    sandbox: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    foreign = {"Origin": "https://evil.example"}
    async with session.post(sandbox.page_url + "ui/fault", json={}, headers=foreign) as answer:
        assert answer.status == 403
    async with session.get(sandbox.page_url, headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403
    async with session.post(sandbox.page_url + "ui/fault", data={"kind": "slow"}) as answer:
        assert answer.status == 415


async def test_open_pages_hear_of_every_change(
    sandbox: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    async with session.get(sandbox.page_url + "ui/events") as events:
        first = await asyncio.wait_for(events.content.readuntil(b"\n\n"), 2)
        await posted(sandbox, [{"type": "divider"}])
        second = await asyncio.wait_for(events.content.readuntil(b"\n\n"), 2)
    assert first != second


async def test_a_fault_can_be_armed_and_disarmed_on_the_page(
    sandbox: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    url = sandbox.page_url + "ui/fault"
    wish = {"kind": "slow", "method": "chat.update", "times": 2}
    async with session.post(url, json=wish) as answer:
        assert answer.status == 200
    ((fault, left),) = sandbox.faults.armed
    assert (fault.kind.value, fault.method, left) == ("slow", "chat.update", 2)
    async with session.post(url, json={}) as answer:
        assert answer.status == 200
    assert sandbox.faults.armed == ()
    async with session.post(url, json={"kind": "earthquake"}) as answer:
        assert answer.status == 400


async def test_only_its_reader_sees_an_ephemeral_message(
    sandbox: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    client = AsyncWebClient(sandbox.bot_token, base_url=sandbox.api_url)
    await client.chat_postEphemeral(channel="#crisis", user="U0REPERIBILE2", text="solo per te")
    seen = []
    for user in ("", "U0REPERIBILE1", "U0REPERIBILE2"):
        async with session.get(f"{sandbox.page_url}ui/view?user={user}") as answer:
            seen.append("solo per te" in await answer.text())
    assert seen == [False, False, True]
