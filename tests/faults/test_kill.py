"""Killed with -9 between a mention's arrival and Slack's answer, ten times over, the service ends where it would have without.

Two ways to choose the moments: at ten named points of the way, with seeded delays, and at five seeded moments whatever
happens then. Both end with the very effects that an undisturbed run has.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import msgspec
import pytest
import pytest_asyncio

from sentinel.model import Incident
from sentinel.slack_sandbox import Fault, FaultKind
from tests.faults.rig import (
    LATENESS,
    STORM,
    TOKEN,
    Desk,
    Json,
    Service,
    Talk,
    TrappedSandbox,
    config_text,
    live_through_history,
    slack_lines,
    until,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

CALM_MINUTES, STORM_MINUTES = 4, 16
Effects = list[tuple[str, str, float]]


class Drill:
    """The course of events: two quiet hours at once, a few calm minutes, then a storm."""

    def __init__(self, folder: Path, sandbox: TrappedSandbox) -> None:
        self.sandbox = sandbox
        self.service = Service(folder, config_text(slack_lines(sandbox)))
        self.desk, self.talk = Desk(self.service), Talk()
        self.minute = 0
        self.done = True
        """Whether the minute under way is closed."""

    async def history(self) -> None:
        await live_through_history(self.service, self.desk, self.talk)

    async def closed(self, until_moment: float) -> None:
        await until(
            lambda: self.service.minute_closed(until_moment), f"closed up to {until_moment}"
        )

    @property
    def minute_end(self) -> float:
        return STORM + self.minute * 60

    def next_minute(self) -> None:
        """People say what they say in the next minute; it is not sent yet."""
        begin = STORM + self.minute * 60
        calm = self.minute < CALM_MINUTES
        self.desk.take(self.talk.usual(begin, 1, 3) if calm else self.talk.storm(begin))
        self.minute += 1
        self.done = False

    async def close_minute(self) -> None:
        await self.service.move(self.minute_end + LATENESS)

    async def step(self) -> None:
        """Go on with the minute that is under way, or the next one, as far as the service lives."""
        if self.done:
            self.next_minute()
        await self.service.move(self.minute_end)
        if not await self.desk.send_all():
            await until(lambda: self.service.dead, "dead, since it does not answer")
            return
        await self.close_minute()
        await until(
            lambda: self.service.dead or self.service.minute_closed(self.minute_end), "closed"
        )
        self.done = self.service.minute_closed(self.minute_end)

    async def go_on(self) -> None:
        """One undisturbed minute."""
        await self.step()
        assert self.done

    async def finish(self) -> None:
        """The rest of the storm without faults, until everything is delivered."""
        while self.minute < STORM_MINUTES:
            await self.go_on()
        await until(lambda: self.service.pending() == 0, "all notices delivered")

    def incident(self) -> Incident:
        [(blob,)] = self.service.rows("SELECT blob FROM incidents")
        return msgspec.msgpack.decode(blob, type=Incident)

    async def again(self) -> None:
        """The next life; what was not confirmed is sent again."""
        assert self.service.exit_codes[-1] == -signal.SIGKILL
        await self.service.start()


class Outcome(msgspec.Struct):
    effects: Effects
    incident: Incident
    posts: list[str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """How the same talk ends when nothing fails."""
    async with TrappedSandbox() as sandbox:
        drill = Drill(tmp_path_factory.mktemp("undisturbed"), sandbox)
        async with drill.service:
            await drill.history()
            await drill.finish()
            assert await drill.service.terminate() == 0
        assert len(sandbox.root_messages("crisis")) == 1
        return Outcome(
            drill.service.effects(),
            drill.incident(),
            sorted(one["id"] for one in drill.talk.posts),
        )


@pytest_asyncio.fixture(params=["plain", "accept_then_reset"])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[TrappedSandbox]:
    async with TrappedSandbox() as sandbox:
        if request.param == "accept_then_reset":
            for method, times in (("chat.postMessage", 2), ("chat.update", 2)):
                sandbox.faults.add(Fault(FaultKind.ACCEPT_THEN_RESET, method, times=times))
        yield sandbox


def check(drill: Drill, undisturbed: Outcome, kills: int) -> None:
    """Everything once, and all of it as if nothing had happened."""
    service, sandbox = drill.service, drill.sandbox
    assert [-signal.SIGKILL] * kills == service.exit_codes[:kills]
    assert undisturbed.posts == service.archived()
    assert sorted(drill.desk.confirmed) == undisturbed.posts
    assert undisturbed.effects == service.effects()
    assert undisturbed.incident == drill.incident()
    [root] = sandbox.root_messages("crisis")
    assert drill.incident().id == root.metadata["event_payload"]["incident_id"]
    keys = Counter(
        one.metadata["event_payload"]["idempotency_key"] for one in sandbox.replies(root)
    )
    assert keys
    assert set(keys.values()) == {1}
    assert [(0,)] == service.rows("SELECT count(*) FROM outbox WHERE state = 'dead'")
    assert "Traceback" not in service.stderr
    assert not sandbox.faults.armed, "not every fault was used"


async def half_a_request(drill: Drill) -> None:
    """The head and a part of the body, then nothing."""
    address = urlsplit(drill.service.address)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    body = msgspec.json.encode(drill.desk.unconfirmed[0])
    head = (
        f"POST /v1/mentions HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body[: len(body) // 2])
    await writer.drain()
    await drill.service.kill()
    writer.close()


async def test_ten_kills_on_the_way_to_slack_change_nothing(
    tmp_path: Path, sandbox: TrappedSandbox, undisturbed: Outcome
) -> None:
    rng = Random(7)
    drill = Drill(tmp_path, sandbox)
    service, desk = drill.service, drill.desk
    alarm = round((undisturbed.incident.detected_at - STORM) / 60)
    assert 2 <= alarm < STORM_MINUTES - 6, "there must be room before and after the alarm"

    def archived(posts: list[Json]) -> int:
        return len({one["id"] for one in posts} & set(service.archived()))

    async def spring() -> None:
        await asyncio.sleep(rng.uniform(0, 0.02))
        await service.kill()

    async def killed_at(method: str, moment: str, holding: bytes = b"") -> None:
        trap = sandbox.set_trap(method, moment, spring, holding)
        await drill.again()
        while not trap.sprung.is_set():
            if holding:  # not before somebody has something to add
                await drill.step()
                await until(lambda: trap.sprung.is_set() or service.pending() == 0, "told")
            else:
                await until(trap.sprung.is_set, f"{method} {moment}")
        assert service.dead

    async with service:
        await drill.history()

        drill.next_minute()  # 1: half of the request has come
        await service.move(drill.minute_end)
        posts = desk.unconfirmed[0]
        await half_a_request(drill)
        await drill.again()
        assert archived(posts) == 0

        holder = service.lock()  # 2: the commit of the mentions waits for its turn
        sending = asyncio.create_task(desk.send_all())
        await asyncio.sleep(rng.uniform(0.1, 0.4))
        await service.kill()
        holder.close()
        assert not await sending
        await drill.again()
        assert archived(posts) == 0

        sending = asyncio.create_task(desk.send_all())  # 3: committed, perhaps not yet answered
        await until(lambda: archived(posts) == len(posts), "archived")
        await service.kill()
        await sending
        await drill.again()

        assert await desk.send_all()  # 4: answered; its minute is open still
        await asyncio.sleep(rng.uniform(0, 0.1))
        await service.kill()
        await drill.again()
        await drill.step()
        while drill.minute < alarm - 1:
            await drill.go_on()

        drill.next_minute()
        await service.move(drill.minute_end)
        assert await desk.send_all()
        holder = service.lock()  # 5: the commit that carries the alarm waits for its turn
        await drill.close_minute()
        await asyncio.sleep(rng.uniform(0.2, 0.5))
        await service.kill()
        holder.close()
        assert service.effects() == []

        # 6: the alarm is committed, and Slack is asked whether it has the message
        await killed_at("conversations.history", "arrived")
        assert [one[1] for one in service.effects()] == ["opened"]
        assert sandbox.root_messages("crisis") == []
        await killed_at("chat.postMessage", "arrived")  # 7: the message comes to Slack
        assert sandbox.root_messages("crisis") == []
        await killed_at("chat.postMessage", "stored")  # 8: Slack has it, and cannot say so
        assert len(sandbox.root_messages("crisis")) == 1
        await killed_at("conversations.history", "answered")  # 9: Slack says that it has it
        # 10: a change of state hangs below it, and Slack cannot say so
        await killed_at("chat.postMessage", "stored", b"thread_ts")
        assert sandbox.replies(sandbox.root_messages("crisis")[0])

        await drill.again()
        await drill.finish()
    check(drill, undisturbed, 10)


@pytest.mark.parametrize(("seed", "sandbox"), [(1, "accept_then_reset")], indirect=["sandbox"])
async def test_kills_at_any_moment_change_nothing(
    tmp_path: Path, sandbox: TrappedSandbox, undisturbed: Outcome, seed: int
) -> None:
    rng = Random(seed)
    drill = Drill(tmp_path, sandbox)
    service = drill.service
    async with service:
        await drill.history()
        for _ in range(5):
            killing = asyncio.create_task(kill_after(service, rng.uniform(0.0, 0.5)))
            while not service.dead and drill.minute < STORM_MINUTES - 2:
                await drill.step()
            await killing
            await drill.again()
        await drill.finish()
    check(drill, undisturbed, 5)


async def kill_after(service: Service, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await service.kill()
