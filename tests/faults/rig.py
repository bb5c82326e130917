"""What the fault tests have in common: the service as a process, a Slack that springs traps, posts to send, and questions to the database."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, Self

import aiohttp
from aiohttp import web

from sentinel.backtest import rfc3339
from sentinel.slack_sandbox import SlackSandbox

ROOT = Path(__file__).parents[2]
T0 = 1_790_000_040.0 - 1_790_000_040.0 % 60
TOKEN = "a-token-for-the-desk-0001"
PATIENCE = 90.0
"""Seconds after which a condition that should come true is given up: long, because it only matters on failure."""

OUTRAGE = (
    "Vergogna! Il presidente di Aurora insulta chi fatica ad arrivare a fine mese #boicottaaurora",
    "Parole disgustose in radio, non compro mai più pasta Aurora",
    "Che schifo le frasi del presidente del Pastificio Aurora, deve chiedere scusa",
    "Offensivo e arrogante: dimissioni subito per il presidente di Aurora",
    "Boicottiamo Aurora dopo quella dichiarazione vergognosa in diretta",
    "Mai più Aurora in casa mia, siete una delusione totale #boicottaaurora",
    "Inaccettabile la frase del presidente di Aurora contro i clienti poveri",
    "Buttata tutta la pasta Aurora, parole indegne e nessuna scusa",
)
USUAL = (
    "Ricetta di oggi: penne Aurora con pomodoro e basilico",
    "Qualcuno sa se il formato nuovo della pasta Aurora si trova a Torino?",
    "Il Pastificio Aurora cerca magazzinieri, ecco il bando",
    "Quanti minuti di cottura per gli spaghetti Aurora?",
    "Buonissimi i fusilli Aurora col pesto, grazie della ricetta",
)

Json = dict[str, Any]


# --- posts ---------------------------------------------------------------------------------------


def post(number: int, at: float, text: str, **more: object) -> Json:
    return {
        "id": f"post-{number}",
        "channel": "forum",
        "published_at": rfc3339(at),
        "text": text,
        "author": {"id": f"a{number % 89}", "handle": f"persona{number % 89}.example"},
        **more,
    }


class Talk:
    """Makes what people say, minute by minute, the same for the same seed."""

    def __init__(self, seed: int = 20) -> None:
        self._rng = Random(seed)
        self.posts: list[Json] = []

    def usual(self, begin: float, minutes: int, number: int) -> list[Json]:
        return self._make(begin, minutes * 60, number, 0.1)

    def storm(self, begin: float, number: int = 25) -> list[Json]:
        return self._make(begin, 60, number, 0.85)

    def _make(self, begin: float, seconds: int, number: int, angry: float) -> list[Json]:
        rng, made = self._rng, []
        for at in sorted(begin + rng.uniform(0, seconds - 1) for _ in range(number)):
            text = rng.choice(OUTRAGE if rng.random() < angry else USUAL)
            made.append(post(len(self.posts) + len(made), at, text))
        self.posts += made
        return made


# --- Slack ---------------------------------------------------------------------------------------


class Trap:
    """Waits for one call to Slack, then does what it was set for."""

    def __init__(
        self, method: str, moment: str, spring: Callable[[], Awaitable[None]], holding: bytes
    ) -> None:
        self.method, self.moment, self.holding = method, moment, holding
        self.spring, self.sprung = spring, asyncio.Event()


class TrappedSandbox(SlackSandbox):
    """A sandbox in which a call can spring a trap when it ``arrived``, when it is ``stored`` but not answered, or once ``answered``."""

    _trap: Trap | None = None

    def set_trap(
        self,
        method: str,
        moment: str,
        spring: Callable[[], Awaitable[None]],
        holding: bytes = b"",
    ) -> Trap:
        self._trap = Trap(method, moment, spring, holding)
        return self._trap

    async def _api_call(self, request: web.Request) -> web.StreamResponse:
        trap = self._trap
        body = await request.read()
        if trap is None or trap.method != request.match_info["method"] or trap.holding not in body:
            return await super()._api_call(request)
        self._trap = None
        if trap.moment == "arrived":
            await trap.spring()
            trap.sprung.set()
            return web.Response()
        answer = await super()._api_call(request)
        if trap.moment == "stored":
            await trap.spring()
            trap.sprung.set()
            return answer

        async def later() -> None:
            await trap.spring()
            trap.sprung.set()

        self._later = asyncio.create_task(later())
        return answer


def slack_lines(sandbox: SlackSandbox) -> str:
    return f"""
[[notifiers]]
type = "slack"
name = "slack"
base_url = "{sandbox.api_url}"
bot_token = "{sandbox.bot_token}"
signing_secret = "{sandbox.signing_secret}"
channel = "crisis"
timeout_seconds = 5
"""


# --- the service ---------------------------------------------------------------------------------


def config_text(
    *more: str,
    source: str = "",
    brands: str = "",
    database: str = "sentinel.db",
) -> str:
    return f"""
[sentinel]
database = "{database}"
snapshot_minutes = 0.05

[web]
port = 0

[escalation]
after_minutes = [4, 8]
{brands or BRAND}
{source or HTTP}
{"".join(more)}
"""


BRAND = """
[[brands]]
id = "aurora"
name = "Pastificio Aurora"
terms = ["Pastificio Aurora", "Aurora"]
hashtags = ["boicottaaurora"]
"""
HTTP = f"""
[[sources]]
type = "http"
name = "desk"
tokens = ["{TOKEN}"]
lateness_seconds = 30
"""


class Service:
    """One configuration, many lives of its process."""

    def __init__(self, folder: Path, config: str, now: float = T0) -> None:
        self.folder, self.now = folder, now
        self.path = folder / "sentinel.toml"
        self.path.write_text(config, encoding="utf-8")
        self.database = folder / "sentinel.db"
        self.address = ""
        self.stdout = self.stderr = ""
        self.exit_codes: list[int] = []
        self._process: asyncio.subprocess.Process | None = None
        self._reading: list[asyncio.Task[None]] = []
        self._ready: asyncio.Future[str] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            await self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def dead(self) -> bool:
        return self._process is None

    async def launch(self, *, environ: dict[str, str] | None = None) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.service", str(self.path), str(self.now),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, **(environ or {})},
        )  # fmt: skip
        self._ready = asyncio.get_running_loop().create_future()
        self._reading = [
            asyncio.create_task(self._read_stdout()),
            asyncio.create_task(self._read_stderr()),
        ]

    async def start(self) -> None:
        await self.launch()
        assert self._ready is not None
        async with asyncio.timeout(PATIENCE):
            self.address = await self._ready
        assert self.address, f"the service did not start:\n{self.stderr[-3000:]}"

    async def _read_stdout(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        ready = self._ready
        assert ready is not None
        while line := await self._process.stdout.readline():
            word, _, rest = line.decode().strip().partition(" ")
            if word == "ready" and not ready.done():
                ready.set_result(rest)
            else:
                self.stdout += line.decode("utf-8", "replace")
        if not ready.done():
            ready.set_result("")

    async def _read_stderr(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(65_536):
            self.stderr += chunk.decode("utf-8", "replace")

    async def move(self, moment: float) -> None:
        """Move the service's event clock; survives a service that has just died."""
        self.now = max(self.now, moment)
        if self._process is not None and self._process.stdin is not None:
            try:
                self._process.stdin.write(f"{moment}\n".encode())
                await self._process.stdin.drain()
            except (BrokenPipeError, ConnectionResetError):
                return

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        await self.gone()

    async def terminate(self) -> int:
        """SIGTERM, and wait for its exit code."""
        self.signal(signal.SIGTERM)
        return await self.gone()

    async def gone(self) -> int:
        assert self._process is not None
        async with asyncio.timeout(PATIENCE):
            code = await self._process.wait()
            await asyncio.gather(*self._reading)
        self._process = None
        self.exit_codes.append(code)
        return code

    # --- asking ---

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text of one of its pages."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.address}{path}") as response,
        ):
            return response.status, await response.text()

    def logged(self, event: str) -> list[Json]:
        """Log lines of all lives with that event."""
        found = []
        for line in self.stderr.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and entry.get("event") == event:
                found.append(entry)
        return found

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the database, read beside the service; empty before there is one."""
        if not self.database.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as db:
            try:
                return db.execute(query, values).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []
                raise

    def one(self, query: str, *values: object) -> Any:
        """First column of the first row; None if there is none."""
        found = self.rows(query, *values)
        return found[0][0] if found else None

    def archived(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT id FROM mentions ORDER BY id")]

    def effects(self) -> list[tuple[str, str, float]]:
        return self.rows("SELECT id, kind, at FROM effects ORDER BY n")

    def incident_ids(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT id FROM incidents")]

    def pending(self) -> int:
        return int(self.one("SELECT count(*) FROM outbox WHERE state = 'pending'") or 0)

    def minute_closed(self, until: float) -> bool:
        """Whether a tick at ``until`` or later is in the journal."""
        return bool(
            self.one("SELECT count(*) FROM journal WHERE kind = 'advance' AND at >= ?", until)
        )

    def lock(self) -> sqlite3.Connection:
        """Hold the database's write lock: a commit of the service waits as long as this connection is open."""
        holder = sqlite3.connect(self.database, isolation_level=None, timeout=30)
        holder.execute("BEGIN IMMEDIATE")
        return holder


async def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Poll until something is so."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - another process announces nothing
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"in {seconds:g} s it never was so: {what}") from None


async def send(
    session: aiohttp.ClientSession, address: str, posts: Sequence[Json]
) -> tuple[int, Json]:
    """Post a batch; status and answer. Connection failures are raised."""
    async with session.post(
        f"{address}/v1/mentions",
        json=list(posts),
        headers={"Authorization": f"Bearer {TOKEN}"},
    ) as response:
        return response.status, await response.json()


class Desk:
    """A sender of mentions that keeps its promise: what was not confirmed is sent again, with the same ids."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.unconfirmed: list[list[Json]] = []
        self.confirmed: list[str] = []
        self.put_off: list[int] = []
        """Status of every answer that said to come again."""

    def take(self, posts: list[Json]) -> None:
        self.unconfirmed.append(posts)

    async def send_all(self) -> bool:
        """Send what is unconfirmed, in order; False as soon as the connection breaks."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            while self.unconfirmed:
                try:
                    status, _ = await send(session, self._service.address, self.unconfirmed[0])
                except (aiohttp.ClientError, TimeoutError, ConnectionError):
                    return False
                if status in {429, 503}:
                    self.put_off.append(status)
                    await asyncio.sleep(0.1)
                    continue
                assert status == 200
                self.confirmed += [one["id"] for one in self.unconfirmed.pop(0)]
        return True


HISTORY_MINUTES, STEP = 120, 20
STORM = T0 + HISTORY_MINUTES * 60
"""When a storm can begin: what is usual must be known before it can change."""
LATENESS = 30.0


async def live_through_history(service: Service, desk: Desk, talk: Talk) -> None:
    """Two quiet hours from T0 to STORM, said and closed."""
    for minute in range(0, HISTORY_MINUTES, STEP):
        end = T0 + (minute + STEP) * 60
        desk.take(talk.usual(end - STEP * 60, STEP, 2 * STEP))
        await say_and_close(service, desk, end)


async def say_and_close(service: Service, desk: Desk, end: float) -> None:
    """Send what is unsent at the end of a minute and wait until the minute is closed."""
    await service.move(end)
    assert await desk.send_all()
    await service.move(end + LATENESS)
    await until(lambda: service.minute_closed(end), f"closed up to {end}")
