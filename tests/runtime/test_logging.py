"""Logging is set for the whole process, so each test asks a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

START = """
import asyncio, logging, structlog
from random import Random
from sentinel.runtime.logging import configure_logging
configure_logging({level!r}, json={json})
log = structlog.get_logger("sentinel.test")
"""


def logged(code: str, *, level: str = "info", as_json: bool | None = True) -> list[str]:
    program = START.format(level=level, json=as_json) + code
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def one(code: str, **options: Any) -> dict[str, Any]:
    (line,) = logged(code, **options)
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_line_is_json_with_event_level_name_and_utc_time() -> None:
    found = one("log.info('source_connected', source='bluesky')")
    assert (
        found["event"],
        found["level"],
        found["logger"],
        found["source"],
    ) == ("source_connected", "info", "sentinel.test", "bluesky")
    assert found["timestamp"].endswith("Z")


def test_json_is_the_form_whenever_nobody_looks_at_a_terminal() -> None:
    assert one("log.info('started')", as_json=None)["event"] == "started"


def test_a_person_gets_a_line_to_read() -> None:
    (line,) = logged("log.info('source_connected', source='bluesky')", as_json=False)
    assert "source_connected" in line
    assert "{" not in line


def test_a_level_below_the_configured_one_is_not_written() -> None:
    assert logged("log.info('started')", level="warning") == []
    assert one("log.debug('started')", level="debug")["level"] == "debug"


def test_libraries_write_the_same_form() -> None:
    found = one("logging.getLogger('aiohttp.server').warning('reset by %s', 'peer')")
    assert (found["event"], found["level"]) == ("reset by peer", "warning")


def test_a_talkative_library_is_heard_only_when_it_warns() -> None:
    code = "logging.getLogger('aiosqlite').{}('operation')"
    assert logged(code.format("debug"), level="debug") == []
    assert one(code.format("warning"), level="debug")["logger"] == "aiosqlite"


def test_an_exception_stays_on_one_line() -> None:
    found = one("""
try:
    1 / 0
except ZeroDivisionError:
    log.exception('source_crashed', source='one')
""")
    assert "ZeroDivisionError" in found["exception"]
    assert found["level"] == "error"


def test_configuring_twice_does_not_write_twice() -> None:
    assert len(logged("configure_logging('info', json=True)\nlog.info('started')")) == 1


def test_context_is_bound_to_the_task() -> None:
    code = "structlog.contextvars.bind_contextvars(brand='aurora')\nlog.info('incident_opened')"
    assert one(code)["brand"] == "aurora"


def test_a_supervisor_logs_each_failure_once() -> None:
    lines = logged("""
from sentinel.errors import SourceError
from sentinel.runtime.clock import ScaledClock
from sentinel.runtime.supervise import Backoff, supervise
failures = [SourceError('gone', reason='disconnected'), None]
async def run():
    failure = failures.pop(0)
    if failure: raise failure
async def tell(reason): pass
asyncio.run(supervise('bluesky', run, clock=ScaledClock(0.0, 1000.0), backoff=Backoff(rng=Random(1)), on_failure=tell))
""")
    found = [json.loads(line) for line in lines]
    assert [(line["event"], line["source"], line["reason"]) for line in found] == [
        ("source_failed", "bluesky", "disconnected")
    ]
