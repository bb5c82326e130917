"""Slack outbound: one root message a storyline, edited in place; a reply for each change of state.

What lives here: deciding what to post, edit or reply, and looking once where it may be there already. What does not:
retrying and pacing (the outbox's, lane by lane), wording (``message``), blocks.

How it looks once although it is delivered at least once: every message carries the idempotency key and the incident's id
in its metadata. A root is looked up before it is posted; a reply is looked up when an earlier attempt may have got
through; an edit may be made twice. A notice older than what the message already shows edits nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from sentinel.model import OPERATIONAL, WORSENING, Effect, EffectKind, Incident
from sentinel.notify.alert import AlertMessage
from sentinel.notify.base import Notice, NotifyContext, Refs
from sentinel.notify.slack.blocks import (
    Drawing,
    bare_blocks,
    incident_blocks,
    operational_blocks,
    reply_blocks,
)
from sentinel.notify.slack.client import new_client, new_session
from sentinel.notify.slack.config import SlackConfig
from sentinel.notify.slack.errors import (
    BLOCKS_REFUSED,
    EXPECTED,
    MESSAGE_FIXED,
    MESSAGE_GONE,
    SlackError,
    translate,
)
from sentinel.notify.slack.lookup import Lookup, metadata
from sentinel.notify.slack.rich import Json, escape
from sentinel.notify.worded import called_by, worded
from sentinel.runtime.clock import Clock

log = structlog.get_logger(__name__)

QUIET = frozenset({EffectKind.UPDATED, EffectKind.CHECKLIST_CHANGED})
"""Changes that only edit the message: figures and ticks make no noise."""

LOOK_BACK_SECONDS = 3600.0
FALLBACK_CHARACTERS = 3500


class Root(msgspec.Struct, frozen=True):
    """A storyline's message.

    Attributes:
        revision: The incident's revision that it shows.
        state: For operational messages, the kind of effect it shows.
    """

    channel: str
    ts: str
    revision: int = 0
    key: str = ""
    state: str = ""

    def as_ref(self) -> dict[str, str]:
        """For ``Refs``."""
        return {
            "channel": self.channel,
            "ts": self.ts,
            "revision": str(self.revision),
            "key": self.key,
            "state": self.state,
        }

    @classmethod
    def from_ref(cls, ref: dict[str, str]) -> Root | None:
        """What a ref says; None for an empty or foreign one."""
        if not ref.get("channel") or not ref.get("ts"):
            return None
        revision = ref.get("revision", "")
        return cls(
            ref["channel"],
            ref["ts"],
            int(revision) if revision.isdigit() else 0,
            ref.get("key", ""),
            ref.get("state", ""),
        )


class SlackNotifier:
    """Tells people through Slack.

    Args:
        config: Its settings.
        context: Brands, playbooks and the rota.
        refs: Where it remembers which message is which incident's.
        clock: Wall clock, to limit how far back it looks.
    """

    def __init__(
        self, config: SlackConfig, context: NotifyContext, refs: Refs, clock: Clock
    ) -> None:
        self.name = config.name
        self._config, self._context, self._refs, self._clock = config, context, refs, clock
        self._charts = config.charts
        self._session: aiohttp.ClientSession | None = None
        self._made: AsyncWebClient | None = None
        self._lookup = Lookup(self._call)

    def wants(self, effect: Effect) -> bool:
        """Everything that is about an incident, a brand or the sources."""
        return bool(effect.incident is not None or effect.brand or effect.kind in OPERATIONAL)

    def lane(self, effect: Effect) -> str:
        """The channel: Slack takes about one post a second in each."""
        return self._channel(effect)

    async def deliver(self, notice: Notice) -> None:
        """Post, edit or reply.

        Raises:
            NotifyError: It did not get through; ``ambiguous`` where it may have.
        """
        incident = notice.effect.incident
        if incident is None or notice.effect.kind in OPERATIONAL:
            await self._operational(notice)
        else:
            await self._incident(notice, incident)

    async def close(self) -> None:
        """Give connections back."""
        session, self._session, self._made = self._session, None, None
        if session is not None:
            await session.close()

    # --- incidents --------------------------------------------------------------------------------

    async def _incident(self, notice: Notice, incident: Incident) -> None:
        effect = notice.effect
        drawing = self._drawing(effect)
        root = await self._known_root(notice, incident)
        if root is None:
            await self._post_root(notice, incident, drawing)
            return
        if incident.revision >= root.revision:
            standing = await self._edit_root(root, incident, drawing)
            if not standing:
                # Somebody deleted it. New figures do not bring it back; a change of state does.
                if effect.kind not in QUIET:
                    await self._post_root(notice, incident, drawing)
                return
            if incident.revision > root.revision:
                root = msgspec.structs.replace(root, revision=incident.revision)
                await self._refs.put(self.name, incident.id, root.as_ref())
        text = drawing.message.thread_reply
        if text and effect.kind not in QUIET and effect.kind is not EffectKind.OPENED:
            louder = effect.page and effect.kind in WORSENING
            await self._reply(
                notice,
                root,
                text,
                broadcast=louder,
                incident_id=incident.id,
                called=drawing.called if louder else (),
            )

    async def _known_root(self, notice: Notice, incident: Incident) -> Root | None:
        root = Root.from_ref(await self._refs.get(self.name, incident.id))
        if root is not None:
            return root
        must_know = _retried(notice) or notice.effect.kind is not EffectKind.OPENED
        oldest = min(incident.opened_at, self._clock.now()) - LOOK_BACK_SECONDS
        channel = self._channel(notice.effect)
        found = await self._found(
            channel, oldest, must_know=must_know, incident_id=incident.id, part="root"
        )
        if found is not None:
            log.info("slack_root_found_again", notifier=self.name, incident=incident.id)
            await self._refs.put(self.name, incident.id, found.as_ref())
        return found

    async def _found(
        self, channel: str, oldest: float, *, must_know: bool, **wanted: str
    ) -> Root | None:
        """The root in the channel's history; None also where history cannot be read and need not be.

        An alert that comes twice is better than one that never comes: where history is out of reach for good (a
        missing scope), and at a first attempt where it is out of reach for now, the answer is "not there".
        """
        try:
            found = await self._lookup.root(self._client(), channel, oldest=oldest, **wanted)
        except SlackError as error:
            if must_know and not error.permanent:
                raise
            log.warning("slack_lookup_failed", notifier=self.name, reason=error.reason)
            return None
        if found is None:
            return None
        revision = found.get("revision", 0)
        return Root(
            found["channel"],
            found["ts"],
            revision if isinstance(revision, int) else 0,
            str(found.get("idempotency_key", "")),
        )

    async def _post_root(self, notice: Notice, incident: Incident, drawing: Drawing) -> None:
        client, channel = self._client(), self._channel(notice.effect)
        about = metadata(
            part="root",
            incident_id=incident.id,
            revision=incident.revision,
            idempotency_key=notice.key,
        )

        async def post(blocks: list[Json]) -> Any:
            return await self._call(
                client.chat_postMessage,
                posting=True,
                channel=channel,
                text=_calling(drawing.called) + _fallback(drawing.message),
                blocks=blocks,
                metadata=about,
                **_NO_FRILLS,
            )

        answer = await self._with_fewer_blocks(drawing, incident, post)
        root = Root(answer["channel"], answer["ts"], incident.revision, notice.key)
        await self._refs.put(self.name, incident.id, root.as_ref())
        log.info("slack_root_posted", notifier=self.name, incident=incident.id)

    async def _edit_root(self, root: Root, incident: Incident, drawing: Drawing) -> bool:
        """Bring the message up to date; False if it is gone."""
        client = self._client()

        async def edit(blocks: list[Json]) -> Any:
            return await self._call(
                client.chat_update,
                channel=root.channel,
                ts=root.ts,
                text=_fallback(drawing.message),
                blocks=blocks,
                parse="none",
                link_names=False,
            )

        try:
            await self._with_fewer_blocks(drawing, incident, edit)
        except SlackError as error:
            if error.code in MESSAGE_GONE:
                return False
            if error.code not in MESSAGE_FIXED:
                raise
            log.warning("slack_root_not_editable", notifier=self.name, incident=incident.id)
        return True

    async def _with_fewer_blocks(
        self,
        drawing: Drawing,
        incident: Incident,
        send: Callable[[list[Json]], Awaitable[Any]],
    ) -> Any:
        """Send with everything; without the chart where Slack refuses; as a bare alert where it still refuses."""
        try:
            return await send(
                incident_blocks(msgspec.structs.replace(drawing, charts=self._charts), incident)
            )
        except SlackError as error:
            if error.code not in BLOCKS_REFUSED:
                raise
        try:
            answer = await send(
                incident_blocks(msgspec.structs.replace(drawing, charts=False), incident)
            )
        except SlackError as error:
            if error.code not in BLOCKS_REFUSED:
                raise
            log.warning("slack_blocks_refused", notifier=self.name, code=error.code)
            return await send(bare_blocks(drawing, incident))
        if self._charts:
            self._charts = False
            log.warning("slack_chart_refused", notifier=self.name)
        return answer

    async def _reply(
        self,
        notice: Notice,
        root: Root,
        text: str,
        *,
        broadcast: bool,
        incident_id: str = "",
        called: tuple[str, ...] = (),
    ) -> None:
        client = self._client()
        if _retried(notice) and await self._replied(root, notice.key):
            return
        await self._call(
            client.chat_postMessage,
            posting=True,
            channel=root.channel,
            thread_ts=root.ts,
            reply_broadcast=broadcast,
            text=_calling(called) + escape(text[:FALLBACK_CHARACTERS]),
            blocks=reply_blocks(text, notice.key, called),
            metadata=metadata(part="reply", incident_id=incident_id, idempotency_key=notice.key),
            **_NO_FRILLS,
        )

    async def _replied(self, root: Root, key: str) -> bool:
        try:
            return await self._lookup.replied(self._client(), root.channel, root.ts, key)
        except SlackError as error:
            if not error.permanent:
                raise
            log.warning("slack_lookup_failed", notifier=self.name, reason=error.reason)
            return False

    # --- operations -------------------------------------------------------------------------------

    async def _operational(self, notice: Notice) -> None:
        effect = notice.effect
        drawing = self._drawing(effect)
        story = "operations:" + ("+".join(effect.sources) or effect.note or effect.brand)
        root = Root.from_ref(await self._refs.get(self.name, story))
        if root is not None and root.key == notice.key:
            return
        silent = root is not None and root.state == EffectKind.SOURCE_SILENT.value
        if root is not None and silent and effect.kind is EffectKind.SOURCE_RECOVERED:
            await self._recovered(notice, root, drawing, story)
            return
        found = None
        if _retried(notice):
            oldest = min(effect.at, self._clock.now()) - LOOK_BACK_SECONDS
            found = await self._found(
                self._channel(effect), oldest, must_know=True, idempotency_key=notice.key
            )
        if found is None:
            found = await self._post_operational(notice, drawing)
        root = msgspec.structs.replace(found, key=notice.key, state=effect.kind.value)
        await self._refs.put(self.name, story, root.as_ref())

    async def _post_operational(self, notice: Notice, drawing: Drawing) -> Root:
        answer = await self._call(
            self._client().chat_postMessage,
            posting=True,
            channel=self._channel(notice.effect),
            text=_fallback(drawing.message),
            blocks=operational_blocks(drawing, notice.key),
            metadata=metadata(part="operations", idempotency_key=notice.key),
            **_NO_FRILLS,
        )
        return Root(answer["channel"], answer["ts"])

    async def _recovered(self, notice: Notice, root: Root, drawing: Drawing, story: str) -> None:
        client = self._client()
        try:
            await self._call(
                client.chat_update,
                channel=root.channel,
                ts=root.ts,
                text=_fallback(drawing.message),
                blocks=operational_blocks(drawing, notice.key),
            )
            await self._reply(notice, root, drawing.message.sentence, broadcast=False)
        except SlackError as error:
            if error.code not in MESSAGE_GONE | MESSAGE_FIXED:
                raise
        done = msgspec.structs.replace(root, key=notice.key, state=notice.effect.kind.value)
        await self._refs.put(self.name, story, done.as_ref())

    # --- what they share --------------------------------------------------------------------------

    def _channel(self, effect: Effect) -> str:
        if effect.kind in OPERATIONAL:
            return self._config.ops_channel or self._config.channel
        brand = self._context.brand(_brand_id(effect))
        return (brand.slack_channel if brand else "") or self._config.channel

    def _drawing(self, effect: Effect) -> Drawing:
        context = self._context
        return Drawing(
            worded(effect, context),
            effect,
            context.playbooks(),
            context.base_url,
            called=tuple(one.slack for one in called_by(effect, context) if one.slack),
        )

    def _client(self) -> AsyncWebClient:
        if self._made is None or self._session is None or self._session.closed:
            self._session = new_session(self._config.timeout_seconds)
            self._made = new_client(
                self._config.bot_token, self._config.base_url, session=self._session
            )
        return self._made

    async def _call(
        self, method: Callable[..., Awaitable[Any]], *, posting: bool = False, **args: Any
    ) -> Any:
        """Call a method of the client; its failures come out as ``SlackError``."""
        try:
            async with asyncio.timeout(self._config.timeout_seconds):
                return await method(**args)
        except EXPECTED as error:
            raise translate(error, posting=posting) from error


_NO_FRILLS: dict[str, Any] = {
    "unfurl_links": False,
    "unfurl_media": False,
    "parse": "none",
    "link_names": False,
}
"""No previews of strangers' links, no names made into mentions."""


def _brand_id(effect: Effect) -> str:
    return effect.incident.brand if effect.incident is not None else effect.brand


def _retried(notice: Notice) -> bool:
    return notice.ambiguous or notice.attempt > 1


def _calling(members: tuple[str, ...]) -> str:
    """Mentions of configured people, before everything else; an edit of a message rings nobody."""
    return "".join(f"<@{member}> " for member in members)


def _fallback(message: AlertMessage) -> str:
    """What a phone's notification shows."""
    return escape(message.fallback[:FALLBACK_CHARACTERS]).strip() or "Sentinel"
