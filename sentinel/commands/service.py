"""``sentinel init``, ``check``, ``run``, ``demo``, ``sandbox``: the commands around the running service."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from sentinel.config import Config, advice, load_config, sample
from sentinel.core.playbook_lint import lint_rota
from sentinel.errors import ConfigError, LanguageError, SentinelError
from sentinel.playbook_files import lint_command, lint_failed, load_playbooks


def init(path: Path) -> int:
    """Write a commented configuration; never over an existing file."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(sample())
    except FileExistsError:
        raise ConfigError("is there already; it is left as it is", path=path) from None
    except OSError as error:
        raise ConfigError(str(error), path=path) from error
    _say(f"{path} written. Fill in your brands, then: sentinel check && sentinel run")
    return 0


def check(path: Path, today: dt.date) -> int:
    """Validate configuration, playbooks and rota; 1 if a playbook is wrong or a role has nobody."""
    config = load_config(path)
    config.planner().read()
    directory = config.beside(config.playbooks.directory) if config.playbooks.directory else None
    findings = lint_command(directory, today=today)
    if config.rota.duties:
        brands = [brand.id for brand in config.brands]
        findings += lint_rota(load_playbooks(directory), config.rota, brands, str(path))
    _try_sources(config)
    second_opinion = _try_language(config)
    for line in advice(config):
        sys.stdout.write(f"{path}: advice: {line}\n")
    _say(f"{path}: language.second_opinion_share: {second_opinion}")
    for finding in findings:
        sys.stdout.write(
            f"{finding.file}: {finding.key}: {finding.level} [{finding.rule}]: {finding.message}\n"
        )
    _say(
        f"{path}: {len(config.brands)} brands, {len(config.enabled_sources())} sources,"
        f" {len(config.notifiers)} notifiers, {len(config.rota.people)} people"
    )
    return int(lint_failed(findings))


def _try_sources(config: Config) -> None:
    """Build what would be built at the start, so that a weak token or a wrong field map shows now.

    Raises:
        ConfigError: As the start would.
    """
    from random import Random  # noqa: PLC0415 - only here

    from sentinel.runtime.clock import SystemClock  # noqa: PLC0415
    from sentinel.runtime.metrics import Metrics  # noqa: PLC0415
    from sentinel.sources import build  # noqa: PLC0415
    from sentinel.sources.base import SourceContext  # noqa: PLC0415
    from sentinel.sources.push import PushSource  # noqa: PLC0415
    from sentinel.web.ingest import check_secrets  # noqa: PLC0415

    context = SourceContext(clock=SystemClock(), metrics=Metrics(), rng=Random(1))  # noqa: S311
    built = [build(one, context) for one in config.enabled_sources()]
    check_secrets([one for one in built if isinstance(one, PushSource)])


def _try_language(config: Config) -> str:
    """Load the scorer as the start would, and tell what becomes of second opinions.

    Raises:
        ConfigError: The scorer or its model cannot be used.
    """
    from sentinel.language import load_scorer  # noqa: PLC0415 - loads numpy and weights
    from sentinel.language.second_opinion import WIDE_REACH, none_because  # noqa: PLC0415

    settings = config.language
    model = config.beside(settings.model) if settings.model else None
    none = none_because(settings.scorer, settings.second_opinion_share)
    try:
        load_scorer(settings.languages, settings.scorer, model, settings.threads)
    except LanguageError as error:
        raise ConfigError(str(error), path=config.path, key="language") from error
    if none:
        return f"no second opinions: {none}"
    return (
        f"the embedding scorer judges again what is uncertain, in another language or by an author with {WIDE_REACH:,} followers,"
        f" for up to {settings.second_opinion_share:.0%} of one core"
    )


def run(path: Path) -> int:
    """Run the service until SIGTERM or SIGINT."""
    from sentinel.app import require_work, serve  # noqa: PLC0415 - the whole service: slow to load
    from sentinel.runtime.logging import configure_logging  # noqa: PLC0415

    config = load_config(path)
    require_work(config)
    configure_logging(config.general.log_level)

    async def service() -> int:
        await serve(config, stop_on_signal())
        return 0

    return run_loop(service())


def demo(port: int, wait: bool | None) -> int:
    """Play the demo."""
    from sentinel.drills.demo import run_demo  # noqa: PLC0415 - the whole service: slow to load

    async def play() -> int:
        return await run_demo(port=port, wait=wait, stop=stop_on_signal())

    return run_loop(play())


def drill(
    name: str,
    *,
    live: bool,
    path: Path,
    minutes: float,
    port: int,
    wait: bool | None,
    language: str,
) -> int:
    """Play a drill; without a name, list the scenarios."""
    from sentinel.drills.drill import run_drill, run_live  # noqa: PLC0415 - the whole service: slow to load
    from sentinel.drills.scenario import load_scenario, scenario_names  # noqa: PLC0415
    from sentinel.i18n import check_language  # noqa: PLC0415

    check_language(language)
    if not name:
        for one in scenario_names():
            sys.stdout.write(f"{one}: {load_scenario(one).title.text(language or 'en')}\n")
        return 0
    config = load_config(path) if live else None

    async def play() -> int:
        stop = stop_on_signal()
        if config is not None:
            return await run_live(name, config, minutes=minutes, port=port, stop=stop)
        return await run_drill(name, port=port, wait=wait, language=language, stop=stop)

    return run_loop(play())


def sandbox(port: int, interactivity_url: str) -> int:
    """Serve the local Slack until interrupted."""
    from sentinel.slack_sandbox import SlackSandbox  # noqa: PLC0415 - only this command needs it

    async def play() -> int:
        async with SlackSandbox(port=port, interactivity_url=interactivity_url) as server:
            _say(f"page:           {server.page_url}")
            _say(f"base_url:       {server.api_url}")
            _say(f"bot_token:      {server.bot_token}")
            _say(f"signing_secret: {server.signing_secret}")
            _say(f"app_token:      {server.app_token} (for Socket Mode)")
            await stop_on_signal().wait()
        return 0

    return run_loop(play())


def stop_on_signal() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop where there is one; the first of our errors inside a task group is the error."""
    try:
        import uvloop  # noqa: PLC0415 - absent on Windows
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(main)
    except* SentinelError as group:
        raise _first(group) from None


def _first(group: BaseExceptionGroup[SentinelError]) -> SentinelError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, SentinelError):
        raise TypeError(type(error).__name__)
    return error


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
