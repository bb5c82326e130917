"""Stopping and starting again is invisible: SIGTERM loses nothing, and a replay of the journal equals never having stopped."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import msgspec
import pytest

from sentinel.model import EffectKind
from sentinel.slack_sandbox import Fault, FaultKind, SlackSandbox
from tests.faults.rig import (
    STORM,
    T0,
    Desk,
    Json,
    Service,
    Talk,
    config_text,
    live_through_history,
    say_and_close,
    send,
    slack_lines,
    until,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

MINUTES = 14


class Lives:
    """The same talk through a service that is stopped, or killed, after some of its minutes."""

    def __init__(
        self, folder: Path, sandbox: SlackSandbox, ends: dict[int, signal.Signals]
    ) -> None:
        folder.mkdir()
        self.service = Service(folder, config_text(slack_lines(sandbox)))
        self.desk, self.talk = Desk(self.service), Talk()
        self._ends = ends

    async def play(self) -> None:
        service = self.service
        async with service:
            await live_through_history(service, self.desk, self.talk)
            for minute in range(MINUTES):
                begin = STORM + minute * 60
                calm = minute < 4
                self.desk.take(self.talk.usual(begin, 1, 4) if calm else self.talk.storm(begin, 15))
                await say_and_close(service, self.desk, begin + 60)
                if minute in self._ends:
                    service.signal(self._ends[minute])
                    await service.gone()
                    await service.start()
            await until(lambda: service.pending() == 0, "told")
            assert await service.terminate() == 0

    def state(self) -> bytes:
        return bytes(self.service.one("SELECT blob FROM snapshots WHERE brand = 'aurora'"))


async def test_stopped_killed_or_neither_it_ends_in_the_same_state(tmp_path: Path) -> None:
    async with SlackSandbox() as one, SlackSandbox() as two, SlackSandbox() as three:
        lives = [
            Lives(tmp_path / "undisturbed", one, {}),
            Lives(tmp_path / "stopped", two, dict.fromkeys((2, 5, 9), signal.SIGTERM)),
            Lives(tmp_path / "killed", three, dict.fromkeys((3, 6, 11), signal.SIGKILL)),
        ]
        await asyncio.gather(*(life.play() for life in lives))
        undisturbed, stopped, killed = lives
        kinds = [kind for _, kind, _ in undisturbed.service.effects()]
        assert kinds.count(EffectKind.OPENED) == 1
        assert len(kinds) >= 2
        for life in (stopped, killed):
            assert undisturbed.service.effects() == life.service.effects()
            assert undisturbed.state() == life.state()
            assert undisturbed.service.archived() == life.service.archived()
            assert "Traceback" not in life.service.stderr
        for sandbox in (one, two, three):
            assert len(sandbox.root_messages("crisis")) == 1
        assert stopped.service.exit_codes == [0] * 4
        assert killed.service.exit_codes == [-signal.SIGKILL] * 3 + [0]
        assert [one["journal_entries"] for one in stopped.service.logged("recovered")] == [0] * 4
        replayed = [one["journal_entries"] for one in killed.service.logged("recovered")]
        assert replayed[0] == 0
        assert any(replayed[1:]), "no kill left anything to replay: the test proves nothing"


async def test_what_is_on_its_way_at_sigterm_is_answered_or_can_be_sent_again(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path, config_text(), T0 + 60)
    batches = [Talk(seed).usual(T0, 1, 40) for seed in range(30)]
    for number, batch in enumerate(batches):
        for one in batch:
            one["id"] = f"{number}-{one['id']}"
    async with service:
        async with aiohttp.ClientSession() as session:

            async def attempt(batch: list[Json]) -> bool:
                try:
                    status, _ = await send(session, service.address, batch)
                except (aiohttp.ClientError, ConnectionError):
                    return False
                return status == 200

            sending = [asyncio.create_task(attempt(batch)) for batch in batches]
            await until(lambda: len(service.archived()) > 0, "the first batch is in")
            assert await service.terminate() == 0
            confirmed = [batch for task, batch in zip(sending, batches, strict=True) if await task]
        promised = {one["id"] for batch in confirmed for one in batch}
        assert promised <= set(service.archived()), "a confirmed mention is not there"
        await service.start()
        assert service.logged("recovered")[-1]["journal_entries"] == 0
        desk = Desk(service)
        for batch in batches:
            if batch not in confirmed:
                desk.take(batch)
        assert await desk.send_all()
        assert await service.terminate() == 0
    everything = sorted(one["id"] for batch in batches for one in batch)
    assert everything == service.archived()
    assert "Traceback" not in service.stderr


async def test_a_notice_that_slack_did_not_take_before_the_stop_is_delivered_after_it(
    tmp_path: Path,
) -> None:
    async with SlackSandbox() as sandbox:
        sandbox.faults.add(Fault(FaultKind.UNAVAILABLE, times=0))
        service = Service(tmp_path, config_text(slack_lines(sandbox)))
        desk, talk = Desk(service), Talk()
        async with service:
            await live_through_history(service, desk, talk)
            for minute in range(6):
                desk.take(talk.storm(STORM + minute * 60))
                await say_and_close(service, desk, STORM + minute * 60 + 60)
            await until(lambda: service.logged("notice_failed"), "Slack refused")
            assert await service.terminate() == 0
            assert sandbox.messages == []
            assert service.pending() > 0
            sandbox.faults.clear()
            await service.start()
            await until(lambda: service.pending() == 0, "told")
            assert await service.terminate() == 0
        assert len(sandbox.root_messages("crisis")) == 1
        assert "Traceback" not in service.stderr


def test_the_log_is_one_json_object_a_line(tmp_path: Path) -> None:
    async def play() -> str:
        service = Service(tmp_path, config_text())
        async with service:
            await service.terminate()
        return service.stderr

    lines = asyncio.run(play()).splitlines()
    events = [msgspec.json.decode(line)["event"] for line in lines]
    assert events[0] == "recovered"
    assert events[-1] == "stopped"
