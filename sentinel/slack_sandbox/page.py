"""The sandbox's page: channels, messages, threads, people to click as, faults to switch on, the last calls.

What lives here: routes and HTML. Everything is drawn on the server and escaped there; the script only fetches it anew
when something changed and sends clicks back. No external asset; the content security policy forbids inline code.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web
from markupsafe import Markup, escape

from sentinel.slack_sandbox.faults import Fault, FaultKind
from sentinel.slack_sandbox.mrkdwn import plain
from sentinel.slack_sandbox.render import blocks_html
from sentinel.slack_sandbox.workspace import Channel, Message

if TYPE_CHECKING:  # the server imports this module
    from sentinel.slack_sandbox.server import SlackSandbox

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")
ASSETS = {"sandbox.css": "text/css", "sandbox.js": "text/javascript"}
KEEP_ALIVE_SECONDS = 15.0


class Click(msgspec.Struct, frozen=True):
    """What the page's script sends when something was pressed; ``view`` is a dialog's number, 0 for a message."""

    channel: str
    ts: str
    block: str
    action: str
    user: str
    selected: tuple[str, ...] = ()
    view: int = 0


class FaultWish(msgspec.Struct, frozen=True):
    """What the page's fault form sends; no ``kind`` disarms everything."""

    kind: FaultKind | None = None
    method: str = "*"
    times: int = 1


def add_page(app: web.Application, sandbox: SlackSandbox) -> None:
    """Hang the page's routes into an application."""
    page = Page(sandbox)
    app.router.add_get("/", page.index)
    app.router.add_get("/favicon.ico", page.no_icon)
    app.router.add_get("/assets/{name}", page.asset)
    app.router.add_get("/ui/view", page.view)
    app.router.add_get("/ui/events", page.events)
    app.router.add_post("/ui/click", page.click)
    app.router.add_post("/ui/fault", page.fault)


class Page:
    """The routes."""

    def __init__(self, sandbox: SlackSandbox) -> None:
        self._sandbox = sandbox
        self._zone = ZoneInfo(sandbox.timezone)
        self._static = files("sentinel.slack_sandbox") / "static"

    def _guard(self, request: web.Request) -> None:
        """Only pages of this very server may talk to it: no login guards it, so other sites must not reach it."""
        name = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
        if self._sandbox.host in LOOPBACK and name not in LOOPBACK:
            raise web.HTTPForbidden(text="wrong host")
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != request.host:
            raise web.HTTPForbidden(text="wrong origin")
        if request.method == "POST" and request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType

    async def index(self, request: web.Request) -> web.Response:
        """The page."""
        self._guard(request)
        template = (self._static / "index.html").read_text(encoding="utf-8")
        out = ""
        users = Markup("").join(
            Markup('<option value="{}">{}</option>').format(user.id, user.name)
            for user in self._sandbox.workspace.users
        )
        kinds = Markup("").join(
            Markup("<option>{}</option>").format(kind.value) for kind in FaultKind
        )
        methods = Markup("").join(
            Markup("<option>{}</option>").format(method)
            for method in ("*", *self._sandbox.api.methods)
        )
        first = next(iter(self._sandbox.workspace.channels.values()))
        filled = {  # in the template's order
            "{{users}}": users,
            "{{parts}}": self._parts(first, ""),
            "{{kinds}}": kinds,
            "{{methods}}": methods,
        }
        for name, value in filled.items():
            head, _, template = template.partition(name)
            out += head + str(value)
        return self._html(out + template)

    async def asset(self, request: web.Request) -> web.Response:
        """Style and script."""
        name = request.match_info["name"]
        if name not in ASSETS:
            raise web.HTTPNotFound
        text = (self._static / name).read_text(encoding="utf-8")
        return web.Response(text=text, content_type=ASSETS[name], headers=HEADERS)

    async def no_icon(self, _request: web.Request) -> web.Response:
        """Browsers ask for one unasked."""
        return web.Response(status=204, headers=HEADERS)

    async def view(self, request: web.Request) -> web.Response:
        """The changing part of the page."""
        self._guard(request)
        wanted = request.query.get("channel", "")
        channels = self._sandbox.workspace.channels
        chosen = channels.get(wanted) or next(iter(channels.values()))
        return self._html(self._parts(chosen, request.query.get("user", "")))

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: a number that grows with every change."""
        self._guard(request)
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while not self._sandbox.stopping:
                await response.write(f"data: {self._sandbox.version}\n\n".encode())
                await self._sandbox.wait_for_change(KEEP_ALIVE_SECONDS)
        except (ConnectionError, asyncio.CancelledError):
            return response
        return response

    async def click(self, request: web.Request) -> web.Response:
        """Something was pressed."""
        self._guard(request)
        try:
            click = msgspec.json.decode(await request.read(), type=Click)
        except msgspec.MsgspecError as error:
            raise web.HTTPBadRequest(text="malformed click") from error
        message = self._sandbox.workspace.find(click.channel, click.ts)
        user = self._sandbox.workspace.user(click.user)
        if user is None or (message is None and not click.view):
            raise web.HTTPNotFound(text="no such message or person")
        block, selected = click.block, click.selected
        try:
            if message is not None and not click.view:
                answer = await self._sandbox.click(
                    message, click.action, user, block_id=block, selected=selected
                )
            else:
                answer = await self._sandbox.choose(
                    click.view, click.action, user, block_id=block, selected=selected
                )
        except LookupError as error:
            raise web.HTTPConflict(text="the message has changed meanwhile") from error
        return web.json_response(msgspec.to_builtins(answer), headers=HEADERS)

    async def fault(self, request: web.Request) -> web.Response:
        """Arm a fault, or disarm all."""
        self._guard(request)
        try:
            wish = msgspec.json.decode(await request.read(), type=FaultWish)
        except msgspec.MsgspecError as error:
            raise web.HTTPBadRequest(text="malformed wish") from error
        if wish.kind is None:
            self._sandbox.faults.clear()
        else:
            self._sandbox.faults.add(Fault(wish.kind, wish.method, max(wish.times, 0)))
        self._sandbox.touch()
        return web.json_response({"ok": True}, headers=HEADERS)

    # --- HTML -------------------------------------------------------------------------------------

    def _html(self, text: str) -> web.Response:
        return web.Response(text=text, content_type="text/html", headers=HEADERS)

    def _parts(self, chosen: Channel, user: str) -> Markup:
        return Markup(
            '<nav class="channels" data-part="nav">{}</nav>'
            '<main data-part="main" data-channel="{}"><h2># {}</h2>{}</main>'
            '<aside><section data-part="log">{}</section></aside>'
        ).format(
            self._navigation(chosen),
            chosen.id,
            chosen.name,
            self._messages(chosen, user),
            self._log(),
        )

    def _navigation(self, chosen: Channel) -> Markup:
        items = []
        for channel in self._sandbox.workspace.channels.values():
            count = len(self._sandbox.root_messages(channel.id))
            badge = Markup("<b>{}</b>").format(count) if count else Markup()
            items.append(
                Markup('<button type="button" data-goto="{}"{}># {}{}</button>').format(
                    channel.id,
                    Markup(' aria-current="page"') if channel == chosen else "",
                    channel.name,
                    badge,
                )
            )
        return Markup("").join(items)

    def _messages(self, channel: Channel, user: str) -> Markup:
        shown = [
            message
            for message in self._sandbox.messages
            if message.channel == channel.id
            and (message.root or message.broadcast or (user and message.ephemeral_for == user))
        ]
        if not shown:
            return Markup('<p class="empty">Nothing has been posted here yet.</p>')
        return Markup("").join(self._message(message) for message in shown)

    def _message(self, message: Message) -> Markup:
        if message.ephemeral_for:
            note = Markup('<p class="note">Only visible to you</p>')
        elif message.broadcast:
            note = Markup('<p class="note">replied to a thread</p>')
        else:
            note = Markup()
        return Markup(
            '<article id="m{}" data-ts="{}">{}<header><span class="avatar">S</span><b>Sentinel</b>'
            '<span class="app">APP</span><time>{}</time>{}</header><div class="body">{}</div>{}</article>'
        ).format(
            message.ts.replace(".", "-"),
            message.ts,
            note,
            self._time(message.ts),
            self._edited(message),
            blocks_html(message.blocks, message.text),
            self._thread(message) if message.root else "",
        )

    def _edited(self, message: Message) -> Markup:
        if not message.edits:
            return Markup()
        return Markup('<span class="edited">(edited {}×, {})</span>').format(
            message.edits, self._time(message.edited_ts)
        )

    def _thread(self, root: Message) -> Markup:
        replies = self._sandbox.replies(root)
        if not replies:
            return Markup()
        rows = (
            Markup('<li><time>{}</time>{}<div class="body">{}</div></li>').format(
                self._time(reply.ts),
                Markup('<span class="app">ALSO IN CHANNEL</span>') if reply.broadcast else "",
                blocks_html(reply.blocks, reply.text),
            )
            for reply in replies
        )
        word = "reply" if len(replies) == 1 else "replies"
        return Markup(
            '<details class="thread" open><summary>{} {}</summary><ol>{}</ol></details>'
        ).format(len(replies), word, Markup("").join(rows))

    def _log(self) -> Markup:
        calls = Markup("").join(
            Markup('<li class="{}"><code>{}</code> {}</li>').format(
                "bad" if call.fault or not call.answer.get("ok") else "good",
                call.method,
                call.fault or call.answer.get("error") or "ok",
            )
            for call in reversed(self._sandbox.calls[-25:])
        )
        armed = Markup("").join(
            Markup("<li><code>{}</code> {} {}</li>").format(
                fault.method, fault.kind.value, f"×{left}" if fault.times else "until cleared"
            )
            for fault, left in self._sandbox.faults.armed
        )
        views = Markup("").join(
            Markup('<div class="modal" data-user="{}" data-view="{}"><h3>{}</h3>{}</div>').format(
                user, number, plain(view["title"]["text"]), blocks_html(view["blocks"])
            )
            for number, (user, view) in enumerate(self._sandbox.api.views, start=1)
        )
        socket = "open" if self._sandbox.socket.connected else "none"
        return Markup(
            "<p>Socket Mode: {} · interactivity: <code>{}</code></p><h4>Armed faults</h4><ul>{}</ul>"
            "<h4>Last calls</h4><ul>{}</ul><div hidden>{}</div>"
        ).format(
            socket,
            self._sandbox.interactions.url or "not set",
            armed or escape("none"),
            calls or escape("none"),
            views,
        )

    def _time(self, ts: str) -> str:
        moment = datetime.fromtimestamp(float(ts), UTC).astimezone(self._zone)
        return moment.strftime("%d/%m %H:%M:%S")
