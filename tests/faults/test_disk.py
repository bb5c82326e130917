"""The disk: not writable, full, damaged, or from another Sentinel's time."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sentinel.slack_sandbox import SlackSandbox
from tests.faults.rig import (
    HTTP,
    STORM,
    T0,
    Desk,
    Service,
    Talk,
    config_text,
    live_through_history,
    say_and_close,
    slack_lines,
    until,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


async def refusal(service: Service) -> tuple[int, str]:
    """Exit code and last words of a start that must fail."""
    await service.launch()
    return await service.gone(), service.stderr


@pytest.mark.parametrize("place", ["file/sentinel.db", "folder", "/proc/sentinel.db"])
async def test_a_database_that_cannot_be_written_stops_the_start_in_one_line(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    code, words = await refusal(Service(tmp_path, config_text(database=place)))
    assert code == 1
    assert words.startswith("sentinel: ")
    assert place in words
    assert len(words.splitlines()) == 1


async def test_a_database_from_a_newer_sentinel_stops_the_start_in_one_line(tmp_path: Path) -> None:
    service = Service(tmp_path, config_text())
    async with service:
        assert await service.terminate() == 0
    with closing(sqlite3.connect(service.database)) as db, db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    before = service.database.read_bytes()
    service.stderr = ""
    code, words = await refusal(service)
    assert code == 1
    assert "newer Sentinel (schema 9999)" in words
    assert str(service.database) in words
    assert len(words.splitlines()) == 1
    assert before == service.database.read_bytes()


async def test_a_full_disk_stops_nothing_for_good_and_loses_nothing(tmp_path: Path) -> None:
    async with SlackSandbox() as sandbox:
        patient = HTTP.replace("lateness_seconds = 30", "lateness_seconds = 600")
        service = Service(tmp_path, config_text(slack_lines(sandbox), source=patient))
        desk, talk = Desk(service), Talk()
        async with service:
            desk.take(talk.usual(T0, 1, 5))
            await service.move(T0 + 60)
            assert await desk.send_all()

            full(service)
            for minute in range(1, 6):  # what would raise the alarm
                desk.take(talk.storm(T0 + minute * 60))
            await service.move(T0 + 6 * 60)
            sending = asyncio.create_task(desk.send_all())
            await until(lambda: service.logged("commit_failed"), "the commit failed")
            status, page = await service.get("/readyz")
            assert (status, "the store does not take commits" in page) == (503, True)
            assert (await service.get("/healthz"))[0] == 200
            await until(lambda: {503, 429} <= set(desk.put_off), "senders are told to come again")
            assert len(service.archived()) == 5
            assert sandbox.messages == []

            full(service, yes=False)
            assert await sending
            await until(lambda: service.logged("commit_recovered"), "commits go through again")
            assert (await service.get("/readyz"))[0] == 200
            await service.move(T0 + 6 * 60 + 600)
            await until(lambda: service.effects() and service.pending() == 0, "told")
            assert await service.terminate() == 0
        assert sorted(one["id"] for one in talk.posts) == service.archived()
        assert len(sandbox.root_messages("crisis")) == 1
        assert len(service.incident_ids()) == 1
        assert "Traceback" not in service.stderr


async def test_with_a_full_disk_it_stops_all_the_same_and_the_next_life_has_everything(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path, config_text())
    desk, talk = Desk(service), Talk()
    async with service:
        desk.take(talk.usual(T0, 1, 5))
        await service.move(T0 + 60)
        assert await desk.send_all()
        full(service)
        desk.take(talk.usual(T0, 1, 5))
        sending = asyncio.create_task(desk.send_all())
        await until(lambda: service.logged("commit_failed"), "the commit failed")
        assert await service.terminate() == 1
        assert not await sending
        assert len(service.archived()) == 5
        assert "sentinel: " in service.stderr.splitlines()[-1]
        await service.start()
        assert await desk.send_all()
        assert await service.terminate() == 0
    assert sorted(one["id"] for one in talk.posts) == service.archived()
    assert "Traceback" not in service.stderr


def full(service: Service, *, yes: bool = True) -> None:
    """Let no file of the service grow beyond what its largest has: EFBIG, as from a full file system."""
    sizes = [one.stat().st_size for one in service.folder.iterdir()]
    _, most = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
    room = min(sizes) if yes else most
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (room, most))


async def test_a_damaged_snapshot_costs_nothing_that_the_journal_still_has(tmp_path: Path) -> None:
    async with SlackSandbox() as sandbox:
        service = Service(tmp_path, config_text(slack_lines(sandbox)))
        desk, talk = Desk(service), Talk()
        async with service:
            await live_through_history(service, desk, talk)
            for minute in range(8):
                desk.take(talk.storm(STORM + minute * 60))
                await say_and_close(service, desk, STORM + minute * 60 + 60)
            await until(lambda: service.effects() and service.pending() == 0, "told")
            assert await service.terminate() == 0
            before = snapshot(service)
            effects = service.effects()
            with closing(sqlite3.connect(service.database)) as db, db:
                for name, blob in db.execute("SELECT brand, blob FROM snapshots").fetchall():
                    damaged = b"\xc1" + blob[1:]
                    db.execute("UPDATE snapshots SET blob = ? WHERE brand = ?", (damaged, name))
            await service.start()
            unusable = {one["brand"] for one in service.logged("snapshot_unusable")}
            assert unusable == {"aurora", ""}
            assert service.logged("recovered")[-1]["journal_entries"] > 8
            assert (await service.get("/api/v1/incidents"))[0] == 200
            assert await service.terminate() == 0
        assert before == snapshot(service)
        assert effects == service.effects()
        assert len(sandbox.root_messages("crisis")) == 1
        assert "Traceback" not in service.stderr


def snapshot(service: Service) -> bytes:
    return bytes(service.one("SELECT blob FROM snapshots WHERE brand = 'aurora'"))
