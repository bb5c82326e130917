"""The production service as a process that tests can stop, kill and starve: ``python -m tests.faults.service CONFIG START``.

Its event clock stands still until a line with epoch seconds comes on standard input, so that a fault hits the same minute of
event time however loaded the machine is. Everything else is as ``sentinel run`` composes it: the same ``App``, the real scorer, real
time for deliveries. It says ``ready ADDRESS`` on standard output once it takes mentions.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import typer

from sentinel.app import App, require_work
from sentinel.cli import _exit
from sentinel.commands.service import run_loop, stop_on_signal
from sentinel.config import load_config
from sentinel.runtime.clock import ReplayClock, SystemClock
from sentinel.runtime.logging import configure_logging


async def _follow(clock: ReplayClock) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        await clock.move_to(float(line))


async def _serve(path: Path, start: float) -> int:
    config = load_config(path)
    require_work(config)
    configure_logging(config.general.log_level)
    clock = ReplayClock(start)
    stop = stop_on_signal()
    async with App(config, clock=clock, delivery_clock=SystemClock()).running() as app:
        following = asyncio.create_task(_follow(clock))
        sys.stdout.write(f"ready {app.address}\n")
        sys.stdout.flush()
        await stop.wait()
        following.cancel()
    return 0


if __name__ == "__main__":
    try:
        _exit(lambda: run_loop(_serve(Path(sys.argv[1]), float(sys.argv[2]))))
    except typer.Exit as end:
        sys.exit(end.exit_code)
