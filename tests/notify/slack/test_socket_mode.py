import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import Gauge

from sentinel.model import Action
from sentinel.notify.slack.socket_mode import SocketRunner
from sentinel.runtime.clock import SystemClock
from sentinel.slack_sandbox import SlackSandbox
from tests.notify.aurora import effect
from tests.notify.slack.rig import Rig, rigged


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Rig, SocketRunner, Gauge]]:
    """An inbound side on Socket Mode, with patience in tenths of seconds."""
    gauge = Gauge("connected", "x", registry=None)
    async with rigged(app_token="xapp-sandbox", socket_dead_seconds=0.5) as rig:
        rig.sandbox.interactions.url = ""
        runner = SocketRunner(
            rig.inbound.app,
            rig.config,
            SystemClock(),
            connected=gauge,
            ping_seconds=0.1,
            check_seconds=0.02,
        )
        running = asyncio.create_task(runner.run())
        try:
            await until(lambda: value(gauge) == 1)
            yield rig, runner, gauge
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def until(true: object) -> None:
    for _ in range(300):
        if true():  # type: ignore[operator]  # a plain predicate
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never became true")


def value(gauge: Gauge) -> float:
    return gauge.collect()[0].samples[0].value


async def test_a_click_comes_through_the_socket_and_is_acknowledged() -> None:
    async with connected() as (rig, _, _gauge):
        await rig.deliver(effect())
        answer = await rig.sandbox.click(rig.root(), "take")
        await until(lambda: rig.desk.commands)
        assert (answer.via, answer.status) == ("socket", 200)
        assert len(rig.sandbox.socket.acknowledged) == 1
        assert [command.action for command in rig.desk.commands] == [Action.TAKE]


async def test_an_envelope_that_slack_sends_again_has_the_same_command_id() -> None:
    async with connected() as (rig, _, _gauge):
        await rig.deliver(effect())
        payload = rig.sandbox.interactions.payload(
            rig.root(), "take", rig.sandbox.workspace.users[0]
        )
        for _ in range(2):
            await rig.sandbox.socket.deliver(payload, envelope="again")
        await until(lambda: len(rig.desk.commands) == 2)
        assert len({command.id for command in rig.desk.commands}) == 1


async def test_a_refresh_that_slack_asks_for_is_survived() -> None:
    async with connected() as (rig, runner, gauge):
        await rig.sandbox.socket.disconnect("refresh_requested")
        await until(lambda: rig.sandbox.socket.issued == 2 and value(gauge) == 1)
        await rig.deliver(effect())
        await until(lambda: rig.sandbox.socket.connected)
        assert (await rig.sandbox.click(rig.root(), "take")).ok
        assert runner.rebuilt == 0


async def test_a_dead_address_is_given_up_and_a_new_one_asked_for() -> None:
    async with connected() as (rig, runner, gauge):
        rig.sandbox.socket.refusing = True
        await rig.sandbox.socket.drop()
        await until(lambda: rig.sandbox.socket.issued == 2)
        await until(lambda: value(gauge) == 0)
        dead = rig.sandbox.socket.handshakes
        rig.sandbox.socket.refusing = False  # only an address asked for from now on works
        await until(lambda: value(gauge) == 1)
        assert rig.sandbox.socket.handshakes > dead
        assert runner.rebuilt >= 1
        await rig.deliver(effect())
        assert (await rig.sandbox.click(rig.root(), "take")).ok


async def test_the_gauge_falls_when_the_service_stops() -> None:
    async with connected() as (_, _, gauge):
        assert value(gauge) == 1
    assert value(gauge) == 0


async def test_the_bot_token_opens_no_socket() -> None:
    async with SlackSandbox() as sandbox:
        async with rigged(
            app_token="xoxb-sandbox", base_url=sandbox.api_url, socket_dead_seconds=0.2
        ) as rig:
            runner = SocketRunner(
                rig.inbound.app, rig.config, SystemClock(), ping_seconds=0.05, check_seconds=0.02
            )
            running = asyncio.create_task(runner.run())
            await until(lambda: len(sandbox.calls_of("apps.connections.open")) >= 2)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        errors = {call.answer["error"] for call in sandbox.calls_of("apps.connections.open")}
        assert errors == {"not_allowed_token_type"}
        assert sandbox.socket.handshakes == 0
