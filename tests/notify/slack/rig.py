"""A sandbox, a notifier and an inbound side that know each other: Slack's real client library in between."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from sentinel.core.oncall import Rota
from sentinel.errors import SentinelError
from sentinel.language.labels import Label, Word
from sentinel.model import Action, Command, Effect, EffectKind, Incident, StepState
from sentinel.notify.base import Notice
from sentinel.notify.slack import SlackConfig, SlackInbound, SlackNotifier
from sentinel.notify.slack.rich import Json
from sentinel.runtime.clock import SystemClock
from sentinel.slack_sandbox import Message, SlackSandbox
from tests.notify.aurora import INCIDENT, ROTA, SUNDAY_2240, Context, change, effect

TIMEOUT = 0.4


class MemoryRefs:
    """Notes that live as long as the test."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], dict[str, str]] = {}

    async def get(self, notifier: str, incident_id: str) -> dict[str, str]:
        return dict(self.kept.get((notifier, incident_id), {}))

    async def put(self, notifier: str, incident_id: str, ref: dict[str, str]) -> None:
        self.kept[notifier, incident_id] = dict(ref)


class Desk:
    """Where commands and words arrive; ``failing`` makes it refuse them."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.failing = False
        self.incidents = {INCIDENT.id: INCIDENT}
        self.labels: dict[str, Label] = {}
        self.withdrawn: list[tuple[str, str]] = []
        self.gone: set[tuple[str, str]] = set()

    async def submit(self, command: Command) -> None:
        if self.failing:
            raise SentinelError("the store is away")
        self.commands.append(command)

    async def incident(self, incident_id: str) -> Incident | None:
        if self.failing:
            raise SentinelError("the store is away")
        return self.incidents.get(incident_id)

    async def judge(self, word: Word) -> Label | None:
        if (word.source, word.mention_id) in self.gone:
            return None
        label = Label(
            id=word.id,
            brand=word.brand,
            source=word.source,
            mention_id=word.mention_id,
            language="it",
            probabilities=(0.8, 0.1, 0.1),
            corrected=word.corrected,
            by=word.by,
            via=word.via,
            at=SUNDAY_2240,
        )
        self.labels.setdefault(word.id, label)
        return label

    async def withdraw(self, label_id: str, by: str) -> bool:
        self.withdrawn.append((label_id, by))
        return self.labels.pop(label_id, None) is not None

    async def labels_on(
        self, _brand: str, mentions: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Label]:
        found = {(one.source, one.mention_id): one for one in self.labels.values()}
        return {key: found[key] for key in mentions if key in found}

    def ticks(self) -> list[tuple[Action, str, str]]:
        return [
            (command.action, command.value, command.actor_name)
            for command in self.commands
            if command.action in (Action.TICK, Action.UNTICK)
        ]


class Rig(msgspec.Struct):
    sandbox: SlackSandbox
    notifier: SlackNotifier
    inbound: SlackInbound
    refs: MemoryRefs
    desk: Desk
    config: SlackConfig
    url: str
    numbers: Iterator[int]

    async def deliver(
        self, told: Effect, *, key: str = "", attempt: int = 1, ambiguous: bool = False
    ) -> None:
        await self.notifier.deliver(Notice(key or told.id, told, attempt, ambiguous))

    def root(self) -> Message:
        (root,) = self.sandbox.root_messages("crisis")
        return root


@asynccontextmanager
async def rigged(
    *, charts: bool = True, language: str = "it", rota: Rota = ROTA, **settings: object
) -> AsyncIterator[Rig]:
    clock = SystemClock()
    async with SlackSandbox(charts=charts) as sandbox:
        known = {
            "bot_token": sandbox.bot_token,
            "channel": "#crisis",
            "ops_channel": "#sentinel-ops",
            "signing_secret": sandbox.signing_secret,
            "base_url": sandbox.api_url,
            "timeout_seconds": TIMEOUT,
        }
        config = SlackConfig(**(known | settings))
        context, refs, desk = Context(language, rota), MemoryRefs(), Desk()
        notifier = SlackNotifier(config, context, refs, clock)
        inbound = SlackInbound(config, context, desk.submit, clock, judging=desk)
        app = web.Application()
        app.add_routes(inbound.routes())
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/interactivity"
        sandbox.interactions.url = url
        try:
            yield Rig(sandbox, notifier, inbound, refs, desk, config, url, iter(range(1, 1000)))
        finally:
            await notifier.close()
            await runner.cleanup()


def later(kind: EffectKind, revision: int, **more: object) -> Effect:
    """What happened to the storyline afterwards."""
    incident: Incident = change(INCIDENT, revision=revision, **more)
    return effect(kind, incident=incident, at=SUNDAY_2240 + revision * 60, actor="Reperibile 1")


def with_ticks(*done: str, revision: int = 2) -> Effect:
    checklist = tuple(
        change(state, done_by="Reperibile 1", done_at=SUNDAY_2240) if state.id in done else state
        for state in INCIDENT.checklist
    )
    return later(EffectKind.CHECKLIST_CHANGED, revision, checklist=checklist)


def steps(*ids: str) -> tuple[StepState, ...]:
    return tuple(StepState(step, SUNDAY_2240 + 60) for step in ids)


def words(value: object) -> str:
    """Every text in blocks, one after another."""
    if isinstance(value, dict):
        own = value.get("text")
        texts = [own] if isinstance(own, str) else []
        return "\n".join([*texts, *(t for child in value.values() if (t := words(child)))])
    if isinstance(value, list):
        return "\n".join(t for child in value if (t := words(child)))
    return ""


def element(blocks: list[Json], action_id: str, block_id: str = "") -> Json:
    """The first element of that action id."""
    return next(
        found
        for block in blocks
        if block["type"] == "actions" and block_id in ("", block["block_id"])
        for found in block["elements"]
        if found["action_id"] == action_id
    )


def groups(blocks: list[Json]) -> list[Json]:
    """The blocks that hold checkboxes."""
    return [block for block in blocks if block.get("block_id", "").startswith("steps:")]
