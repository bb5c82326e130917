"""The sandbox's server: the Web API over HTTP, faults carried out, everything recorded.

What lives here: sockets. The page that people look at is in ``page``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Self

import msgspec
from aiohttp import web

from sentinel.runtime.clock import Clock, SystemClock
from sentinel.slack_sandbox.faults import Fault, FaultKind, FaultPlan
from sentinel.slack_sandbox.interactions import Answer, Interactions
from sentinel.slack_sandbox.page import add_page
from sentinel.slack_sandbox.socket_mode import SocketHub
from sentinel.slack_sandbox.web_api import ApiError, WebApi
from sentinel.slack_sandbox.workspace import DEFAULT_USERS, Json, Message, User, Workspace

KEPT_CALLS = 10_000


class Call(msgspec.Struct, frozen=True):
    """One Web API call as it came in.

    Attributes:
        answer: What the method answered, also where the caller never saw it; empty if it was not reached.
        fault: The fault that hit it, or empty.
    """

    method: str
    args: Json
    answer: Json
    fault: str = ""


class SlackSandbox:
    """A local workspace. Start it, point ``base_url`` of the client at ``api_url``, look at ``page_url``.

    Args:
        host: Address to listen on; keep it on loopback, everything here is without a login.
        port: 0 for any free one.
        signing_secret: Signs the interactions it sends.
        bot_token: The bearer token it takes.
        app_token: The token for Socket Mode.
        interactivity_url: Where clicks go by HTTP; also settable later.
        channels: Names of the channels that exist.
        users: Who can press buttons.
        charts: Whether ``data_visualization`` blocks are taken.
        timezone: Wall clock of the page.
        clock: Time of messages and signatures.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        signing_secret: str = "sandbox-signing-secret",  # noqa: S107 - a stand-in, guards nothing
        bot_token: str = "xoxb-sandbox",  # noqa: S107 - a stand-in, guards nothing
        app_token: str = "xapp-sandbox",  # noqa: S107 - a stand-in, guards nothing
        interactivity_url: str = "",
        channels: Iterable[str] = ("crisis", "sentinel-ops"),
        users: tuple[User, ...] = DEFAULT_USERS,
        charts: bool = True,
        timezone: str = "Europe/Rome",
        clock: Clock | None = None,
    ) -> None:
        self._host, self._port = host, port
        self.timezone = timezone
        self.signing_secret, self.bot_token, self.app_token = signing_secret, bot_token, app_token
        self._clock = clock or SystemClock()
        self.calls: list[Call] = []
        self.faults = FaultPlan()
        self.socket = SocketHub()
        self.workspace = Workspace(channels, users, self._clock.now)
        self.api = WebApi(
            self.workspace,
            charts=charts,
            monotonic=self._clock.monotonic,
            changed=self.touch,
            open_socket=lambda: self.socket.issue(self.address),
        )
        self.interactions = Interactions(
            self.workspace,
            self.api,
            self.socket,
            secret=signing_secret,
            url=interactivity_url,
            now=self._clock.now,
            monotonic=self._clock.monotonic,
            public_address=lambda: self.address,
        )
        self.version = 0
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None

    # --- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen; afterwards ``port`` is known."""
        app = web.Application(client_max_size=1024**2)
        app.router.add_route("*", "/api/{method}", self._api_call)
        app.router.add_get("/link/", self.socket.handle)
        app.router.add_post("/response/{key}", self._respond)
        add_page(app, self)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await self.accept()

    async def stop(self) -> None:
        """Close every connection and forget nothing: what was recorded stays readable."""
        self._stopping.set()
        self.touch()
        await self.socket.drop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def refuse(self) -> None:
        """Stop listening, so that connections are refused, until ``accept``."""
        if self._site is not None:
            await self._site.stop()
            self._site = None

    async def accept(self) -> None:
        """Listen (again), on the same port."""
        if self._runner is None:
            raise RuntimeError("the sandbox has not been started")
        self._site = web.TCPSite(self._runner, self._host, self._port)
        await self._site.start()
        self._port = int(self._runner.addresses[0][1])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.stop()

    # --- addresses --------------------------------------------------------------------------------

    @property
    def host(self) -> str:
        """Where it listens."""
        return self._host

    @property
    def port(self) -> int:
        """The port, known once it has been started."""
        return self._port

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{self._host}:{self._port}"

    @property
    def api_url(self) -> str:
        """``base_url`` for the client library."""
        return f"http://{self.address}/api/"

    @property
    def page_url(self) -> str:
        """The page for people."""
        return f"http://{self.address}/"

    # --- what tests and the demo ask --------------------------------------------------------------

    @property
    def messages(self) -> list[Message]:
        """Every message there is, oldest first."""
        return self.workspace.messages

    def root_messages(self, channel: str) -> list[Message]:
        """Messages that stand in a channel by themselves, oldest first; ``channel`` is a name or an id."""
        found = self.workspace.channel(channel)
        return [m for m in self.messages if found and m.channel == found.id and m.root]

    def replies(self, root: Message) -> list[Message]:
        """A root's thread without the root, oldest first."""
        return self.workspace.thread(root.channel, root.ts)[1:]

    def calls_of(self, method: str) -> list[Call]:
        """The recorded calls of one method."""
        return [call for call in self.calls if call.method == method]

    async def click(
        self,
        message: Message,
        action_id: str,
        user: User | None = None,
        *,
        block_id: str = "",
        selected: Iterable[str] = (),
        seen: list[Json] | None = None,
    ) -> Answer:
        """Press a button, choose an option or set a group of checkboxes; see ``Interactions.payload``."""
        payload = self.interactions.payload(
            message,
            action_id,
            user or self.workspace.users[0],
            block_id=block_id,
            selected=selected,
            seen=seen,
        )
        return await self.interactions.send(payload)

    async def choose(
        self,
        number: int,
        action_id: str,
        user: User | None = None,
        *,
        block_id: str = "",
        selected: Iterable[str] = (),
    ) -> Answer:
        """Press or choose something in a dialog; see ``Interactions.view_payload``."""
        payload = self.interactions.view_payload(
            number,
            action_id,
            user or self.workspace.users[0],
            block_id=block_id,
            selected=selected,
        )
        return await self.interactions.send(payload)

    # --- changes, for the page --------------------------------------------------------------------

    def touch(self) -> None:
        """Something changed: wake every open page."""
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stopping.is_set()

    async def wait_for_change(self, seconds: float) -> None:
        """Return at the next change, or after ``seconds`` without one."""
        changed = self._changed
        try:
            await asyncio.wait_for(changed.wait(), seconds)
        except TimeoutError:
            return

    # --- requests ---------------------------------------------------------------------------------

    async def _api_call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        args = await _arguments(request)
        fault = self.faults.take(method)
        if fault is not None:
            return await self._failing(request, method, args, fault)
        answer = self._answer(request, method, args)
        self._record(Call(method, args, answer))
        return web.json_response(answer)

    async def _failing(
        self, request: web.Request, method: str, args: Json, fault: Fault
    ) -> web.StreamResponse:
        done = fault.kind in (FaultKind.ACCEPT_THEN_RESET, FaultKind.SLOW)
        answer = self._answer(request, method, args) if done else {}
        self._record(Call(method, args, answer, fault.kind.value))
        match fault.kind:
            case FaultKind.ERROR:
                return web.json_response({"ok": False, "error": fault.error})
            case FaultKind.RATE_LIMITED:
                return web.json_response(
                    {"ok": False, "error": "ratelimited"},
                    status=429,
                    headers={"Retry-After": str(fault.retry_after)},
                )
            case FaultKind.ACCEPT_THEN_RESET | FaultKind.RESET:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            case FaultKind.SLOW:
                await self._delay(fault.seconds)
                return web.json_response(answer)
            case FaultKind.BAD_JSON:
                return web.Response(status=500, text='{"ok":fal', content_type="application/json")
            case FaultKind.UNAVAILABLE:
                page = "<html><body>Service Unavailable</body></html>"
                return web.Response(status=503, text=page, content_type="text/html")

    async def _delay(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _answer(self, request: web.Request, method: str, args: Json) -> Json:
        try:
            self._authorise(request, method, args)
            return self.api.call(method, args)
        except ApiError as error:
            return error.to_slack()

    def _authorise(self, request: web.Request, method: str, args: Json) -> None:
        header = request.headers.get("Authorization", "")
        token = header.removeprefix("Bearer ") or str(args.get("token") or "")
        if not token:
            raise ApiError("not_authed")
        wanted = self.app_token if method == "apps.connections.open" else self.bot_token
        if token != wanted:
            other = token in (self.app_token, self.bot_token)
            raise ApiError("not_allowed_token_type" if other else "invalid_auth")

    def _record(self, call: Call) -> None:
        self.calls.append(call)
        del self.calls[:-KEPT_CALLS]
        self.touch()

    async def _respond(self, request: web.Request) -> web.Response:
        """``response_url``: something for the one who clicked."""
        place = self.interactions.response_urls.get(request.match_info["key"])
        if place is None:
            return web.json_response({"ok": False, "error": "expired_url"}, status=404)
        try:
            self.api.post_ephemeral(*place, await _arguments(request))
        except ApiError as error:
            return web.json_response(error.to_slack())
        return web.json_response({"ok": True})


async def _arguments(request: web.Request) -> Json:
    """Query, form and JSON merged, as Slack takes them."""
    merged: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        try:
            body = msgspec.json.decode(await request.read() or b"{}")
        except msgspec.DecodeError:
            body = {}
        merged.update(body if isinstance(body, dict) else {})
    elif request.method == "POST":
        form = await request.post()
        merged.update({key: value for key, value in form.items() if isinstance(value, str)})
    return merged
