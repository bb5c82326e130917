"""Slack inbound: clicks become commands.

What lives here: the Bolt application, the HTTP routes with their signature check, and what is answered. Everything is
acknowledged before it is worked on, because Slack waits three seconds. What does not: what a click means (``actions``)
and the WebSocket (``socket_mode``).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote as url_quote

import structlog
from aiohttp import web
from prometheus_client import Gauge
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import Clock as SlackClock
from slack_sdk.signature import SignatureVerifier

from sentinel.errors import SentinelError
from sentinel.i18n import translator
from sentinel.language.labels import Word
from sentinel.model import Command
from sentinel.notify.base import Judging, NotifyContext
from sentinel.notify.judging import posts
from sentinel.notify.slack import labels
from sentinel.notify.slack.actions import Selections, commands, decode
from sentinel.notify.slack.client import library_logger, new_client
from sentinel.notify.slack.config import SlackConfig
from sentinel.notify.slack.errors import EXPECTED, translate
from sentinel.notify.slack.judging import TAKE_BACK, Choice, Said, judging_view, read_choice
from sentinel.notify.slack.names import ActionId
from sentinel.notify.slack.rich import Json
from sentinel.notify.slack.socket_mode import SocketRunner
from sentinel.notify.slack.statement import statement_view
from sentinel.runtime.clock import Clock, SystemClock

log = structlog.get_logger(__name__)

Submit = Callable[[Command], Awaitable[None]]
ANYTHING = re.compile(".*", re.DOTALL)


class _SignatureClock(SlackClock):
    """Our clock for Slack's verifier."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        """Wall clock, epoch seconds."""
        return self._clock.now()


class SlackInbound:
    """Takes interactions, by HTTP or through Socket Mode.

    Args:
        config: Settings; a signing secret opens the HTTP routes, an app token Socket Mode.
        context: Brands and playbooks, for the holding statements.
        submit: Given each command; returns when it is durable.
        clock: Wall clock for signatures and commands.
        judging: Takes what people say that posts are.
        connected: Gauge that says whether Socket Mode is connected.
        socket_clock: Clock of the watchdog; real time unless tests hand in another.
    """

    def __init__(
        self,
        config: SlackConfig,
        context: NotifyContext,
        submit: Submit,
        clock: Clock,
        *,
        judging: Judging,
        connected: Gauge | None = None,
        socket_clock: Clock | None = None,
    ) -> None:
        self._config, self._context, self._submit = config, context, submit
        self._clock, self._connected, self._judging = clock, connected, judging
        self._socket_clock = socket_clock or SystemClock()
        self._selections = Selections()
        self._verifier = (
            SignatureVerifier(config.signing_secret, _SignatureClock(clock))
            if config.signing_secret
            else None
        )
        self.app = self._bolt()

    def routes(self) -> list[web.RouteDef]:
        """Routes for the web application; none without a signing secret."""
        if self._verifier is None:
            return []
        name = self._config.name
        prefix = "/slack" if name == "slack" else f"/slack/{url_quote(name, safe='')}"
        return [
            web.post(f"{prefix}/events", self._receive),
            web.post(f"{prefix}/interactivity", self._receive),
        ]

    async def run(self) -> None:
        """Keep Socket Mode connected until cancelled; return at once where it is not used."""
        if not self._config.socket_mode:
            if self._connected is not None:
                self._connected.set(1)
            return
        runner = SocketRunner(
            self.app,
            self._config,
            self._socket_clock,
            connected=self._connected,
        )
        await runner.run()

    # --- HTTP -------------------------------------------------------------------------------------

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not self.genuine(
            body,
            request.headers.get("X-Slack-Request-Timestamp"),
            request.headers.get("X-Slack-Signature"),
        ):
            log.warning("slack_request_refused", reason="signature", path=request.path)
            return web.json_response({"error": "invalid request"}, status=401)
        try:
            bolt_request = AsyncBoltRequest(
                body=body.decode(),
                query=request.query_string,
                headers=dict(request.headers),
            )
        except ValueError:
            log.warning("slack_request_refused", reason="malformed", path=request.path)
            return web.json_response({"error": "malformed request"}, status=400)
        return await to_aiohttp_response(await self.app.async_dispatch(bolt_request))

    def genuine(self, body: bytes, timestamp: str | None, signature: str | None) -> bool:
        """Whether Slack sent this body within the last five minutes; False for anything odd."""
        if self._verifier is None:
            return False
        try:
            return bool(self._verifier.is_valid(body, timestamp, signature))
        except (ValueError, TypeError, OverflowError):
            return False  # no number, no ASCII, no UTF-8: nothing that Slack would send

    # --- Bolt -------------------------------------------------------------------------------------

    def _bolt(self) -> AsyncApp:
        """The application. It checks no signature (we do, on our clock) and asks Slack nothing to authorise."""
        config = self._config

        async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
            return AuthorizeResult(
                enterprise_id=enterprise_id, team_id=team_id, bot_token=config.bot_token
            )

        app = AsyncApp(
            name="sentinel",
            logger=library_logger(),
            client=new_client(None, config.base_url, timeout_seconds=config.timeout_seconds),
            authorize=authorize,
            signing_secret=config.signing_secret,
            request_verification_enabled=False,
        )
        app.action(ActionId.STATEMENT.value)(self._show_statement)
        app.action(ActionId.JUDGE.value)(self._show_posts)
        app.action(ActionId.WORD.value)(self._judged)
        app.action(ANYTHING)(self._clicked)
        for listen in (app.view, app.view_closed, app.shortcut, app.command, app.options):
            listen(ANYTHING)(_acknowledge)
        app.event(ANYTHING)(_acknowledge)
        app.error(self._failed)
        return app

    async def _clicked(self, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
        await ack()
        payload = decode(body)
        if payload is None:
            log.warning("slack_interaction_not_understood")
            return
        made = commands(payload, self._clock.now(), self._selections)
        try:
            for command in made:
                await self._submit(command)
        except SentinelError as error:
            log.warning("slack_command_failed", error=type(error).__name__)
            await self._apologise(respond)
            return
        log.info("slack_interaction_taken", commands=[command.action.value for command in made])

    async def _show_statement(self, ack: AsyncAck, body: dict[str, Any], client: Any) -> None:
        await ack()
        payload = decode(body)
        value = payload.actions[0].value if payload and payload.actions else None
        view = statement_view(self._context, value or "", self._clock.now())
        try:
            await client.views_open(trigger_id=body.get("trigger_id", ""), view=view)
        except EXPECTED as error:
            reason = translate(error, posting=False)
            log.warning("slack_dialog_failed", reason=reason.reason, code=reason.code)

    async def _show_posts(
        self, ack: AsyncAck, body: dict[str, Any], client: Any, respond: AsyncRespond
    ) -> None:
        await ack()
        payload = decode(body)
        value = payload.actions[0].value if payload and payload.actions else None
        try:
            view = await self._posts(value or "")
        except SentinelError as error:
            log.warning("slack_dialog_failed", reason=type(error).__name__)
            await self._apologise(respond)
            return
        try:
            await client.views_open(trigger_id=body.get("trigger_id", ""), view=view)
        except EXPECTED as error:
            reason = translate(error, posting=False)
            log.warning("slack_dialog_failed", reason=reason.reason, code=reason.code)

    async def _posts(self, incident_id: str, note: str = "") -> Json:
        incident = await self._judging.incident(incident_id)
        said: Said = {}
        if incident is not None:
            keys = [(post.source, post.mention_id) for post in posts(incident).values()]
            said = await self._judging.labels_on(incident.brand, keys)
        return judging_view(self._context, incident, said, note)

    async def _judged(self, ack: AsyncAck, body: dict[str, Any], client: Any) -> None:
        await ack()
        payload = decode(body)
        choice = read_choice(payload) if payload else None
        if payload is None or choice is None:
            log.warning("slack_interaction_not_understood")
            return
        try:
            note = await self._say(choice, payload.person)
            view = await self._posts(choice.incident_id, note)
        except SentinelError as error:
            log.warning("slack_command_failed", error=type(error).__name__)
            view = judging_view(self._context, None, {}, labels.NOT_RECORDED)
        try:
            await client.views_update(view_id=choice.view_id, view=view)
        except EXPECTED as error:
            reason = translate(error, posting=False)
            log.warning("slack_dialog_failed", reason=reason.reason, code=reason.code)

    async def _say(self, choice: Choice, who: str) -> str:
        """Pass on what a click says; returns what there is to tell, if it came to nothing."""
        incident = await self._judging.incident(choice.incident_id)
        post = posts(incident).get(choice.post) if incident else None
        if incident is None or post is None:
            return labels.POST_GONE
        if choice.value == TAKE_BACK:
            key = (post.source, post.mention_id)
            said = (await self._judging.labels_on(incident.brand, [key])).get(key)
            if said is not None:
                await self._judging.withdraw(said.id, who)
            return ""
        word = Word(
            id=f"{choice.click}:{choice.post}:{choice.value}",
            brand=incident.brand,
            source=post.source,
            mention_id=post.mention_id,
            corrected=choice.value,
            by=who,
            via="slack",
        )
        kept = await self._judging.judge(word)
        log.info("slack_post_judged", word=word.corrected, kept=kept is not None)
        return "" if kept is not None else labels.POST_GONE

    async def _apologise(self, respond: AsyncRespond) -> None:
        context = self._context
        t = translator(context.default_language, context.default_timezone)
        try:
            await respond(t.gettext(labels.NOT_RECORDED), replace_original=False)
        except (*EXPECTED, ValueError) as error:
            log.warning("slack_answer_failed", error=type(error).__name__)

    async def _failed(self, error: Exception) -> None:
        """A defect of ours in a listener: told once, without what the payload said."""
        log.error("slack_interaction_crashed", error=type(error).__name__, exc_info=error)


async def _acknowledge(ack: AsyncAck) -> None:
    """Nothing to do: but Slack shows people an error where nobody answers."""
    await ack()
