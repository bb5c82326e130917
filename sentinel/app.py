"""The composition root: the only place that knows concrete classes. One TaskGroup runs everything.

What lives here: what is built from the configuration, in which order it starts and stops. What does not: any decision about mentions.

Stopping (SIGTERM) loses nothing: sources are cancelled first, what they handed over is committed, notices that are due are
delivered for a few seconds (the rest waits in the outbox), a last snapshot is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import structlog
from aiohttp import web

from sentinel import __version__
from sentinel.backend import Backend
from sentinel.config import Config
from sentinel.core.match import Matcher
from sentinel.core.pipeline import Core
from sentinel.core.playbooks import PlaybookBook
from sentinel.core.shard import Settings
from sentinel.errors import ConfigError, StoreError
from sentinel.language import Scorer, load_scorer
from sentinel.language.corrections import Layers
from sentinel.language.embedding import READS
from sentinel.language.identify import LANGUAGES
from sentinel.language.second_opinion import SecondOpinion, none_because
from sentinel.learning import Learner
from sentinel.model import Command, SourceState
from sentinel.notify import Tools, build_notifiers
from sentinel.notify.outbox import DeliveryPolicy, Outbox
from sentinel.notify.slack import SlackConfig, SlackInbound
from sentinel.playbook_files import load_playbooks
from sentinel.runner import BEAT_LIMIT_SECONDS, Runner
from sentinel.runtime.clock import Clock, SystemClock
from sentinel.runtime.metrics import Metrics
from sentinel.runtime.single import only_one
from sentinel.runtime.supervise import Backoff, supervise
from sentinel.sources import build as build_source
from sentinel.sources.base import Source, SourceContext
from sentinel.sources.push import PushSource
from sentinel.store import Store, StoreRefs
from sentinel.web.ingest import routes as ingest_routes
from sentinel.web.server import build_web_app, serving

log = structlog.get_logger(__name__)

HOUSEKEEPING_SECONDS = 6 * 3600.0
DRAIN_SECONDS = 5.0


class App:
    """Sentinel, assembled. Use ``running`` to start and stop it.

    Args:
        config: Checked configuration.
        clock: Event time; production uses the system's, drills a scaled or replayed one.
        delivery_clock: Of the outbox: real time also during a replay.
        scorer: In place of the configured one.
        extra_sources: In addition to the configured ones: the demo's scenario.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock | None = None,
        delivery_clock: Clock | None = None,
        rng: Random | None = None,
        scorer: Scorer | None = None,
        settings: Settings | None = None,
        extra_sources: tuple[Source, ...] = (),
    ) -> None:
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self.delivery_clock: Clock = delivery_clock or self.clock
        self._rng = rng or Random()  # noqa: S311 - jitter, not secrets
        self._scorer, self._extra = scorer, extra_sources
        self._settings = settings or Settings(
            escalate_after_minutes=config.escalation.after_minutes
        )
        self.book: PlaybookBook = load_playbooks(
            config.beside(config.playbooks.directory) if config.playbooks.directory else None
        )
        names = [notifier.name for notifier in config.notifiers]
        sources = [one.name for one in config.enabled_sources()]
        self.metrics = Metrics(
            [*sources, *(one.name for one in extra_sources)],
            names,
            config.language.languages,
            LANGUAGES,
        )
        self.metrics.build.labels(__version__).set(1)
        self.matcher = Matcher(config.brands)
        self.planner = config.planner()
        self.sources: list[Source] = []
        self.ended: asyncio.Event = asyncio.Event()
        self.store: Store
        self.runner: Runner
        self.outbox: Outbox
        self.backend: Backend
        self.learner: Learner
        self.address = ""

    # --- Status ----------------------------------------------------------------------------------

    def alive(self) -> tuple[bool, list[str]]:
        """Whether the pipeline still goes round."""
        age = self.clock.monotonic() - self.runner.beat
        return (
            (True, [])
            if age < BEAT_LIMIT_SECONDS
            else (False, [f"the pipeline stands still since {age:.0f} s"])
        )

    def ready(self) -> tuple[bool, list[str]]:
        """Whether work can be done."""
        problems = []
        if not self.runner.recovered:
            problems.append("recovery has not finished")
        if self.runner.commit_failing:
            problems.append("the store does not take commits")
        return not problems, problems

    # --- life ------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[App]:
        """Start everything, yield when it is ready, stop cleanly at the end.

        Raises:
            ConfigError: Something in the configuration cannot work.
            StoreError: The store cannot be opened.
        """
        async with AsyncExitStack() as stack:
            stack.enter_context(only_one(self.config.database_url()))
            self.store = await Store.open(self.config.database_url())
            stack.push_async_callback(self.store.close)
            self._build(stack)
            inbound = [
                SlackInbound(
                    one,
                    self.backend,
                    self._submit,
                    self.delivery_clock,
                    judging=self.backend,
                    connected=self.metrics.slack_socket_connected,
                )
                for one in self.config.notifiers
                if isinstance(one, SlackConfig)
            ]
            await self.runner.recover()
            await self._plan()
            web_app = self._web([route for one in inbound for route in one.routes()])
            async with asyncio.TaskGroup() as group:
                pipeline = group.create_task(self.runner.run(), name="pipeline")
                outbox = group.create_task(self.outbox.run(), name="outbox")
                keeping = [group.create_task(self._keep_house(), name="housekeeping")]
                keeping += [group.create_task(self._keep_calendar(), name="calendar")]
                keeping += [group.create_task(self.learner.run(), name="learning")]
                keeping += [group.create_task(one.run(), name="slack-inbound") for one in inbound]
                async with serving(web_app, self.config.web) as self.address:
                    feeding = group.create_task(self._feed(), name="sources")
                    log.info("started", address=self.address, brands=len(self.config.brands))
                    try:
                        yield self
                    finally:
                        await _cancelled(feeding)
                        self.runner.stop()
                        await asyncio.wait([pipeline])
                await _cancelled(*keeping)
                if not await self.outbox.drain(DRAIN_SECONDS):
                    log.warning("notices_left_for_next_start")
                await _cancelled(outbox)
            log.info("stopped")

    def _build(self, stack: AsyncExitStack) -> None:
        config = self.config
        scorer = self._scorer or load_scorer(
            config.language.languages,
            config.language.scorer,
            config.beside(config.language.model) if config.language.model else None,
            config.language.threads,
        )
        self.backend = Backend(config, self.book, self.store, self.clock, self.delivery_clock)
        tools = Tools(self.backend, StoreRefs(self.store), self.delivery_clock)
        notifiers = build_notifiers(config.notifiers, tools, stack)
        fallback = config.escalation.fallback
        first_hand = {name: one for name, one in notifiers.items() if name not in fallback}
        self.outbox = Outbox(
            self.store,
            notifiers,
            self.delivery_clock,
            self.metrics,
            self._rng,
            {name: fallback for name in first_hand if fallback},
            DeliveryPolicy(fallback_after_seconds=config.escalation.fallback_after_seconds),
        )
        context = SourceContext(
            clock=self.clock, metrics=self.metrics, rng=self._rng, wants=self.matcher.wants
        )
        self.sources = [build_source(one, context) for one in config.enabled_sources()]
        self.sources += self._extra
        core = Core(
            config.brands,
            self.book.playbooks,
            {one.name: one.lateness_seconds for one in self.sources},
            self._settings,
        )
        self.runner = Runner(
            core=core,
            store=self.store,
            matcher=self.matcher,
            scorer=scorer,
            clock=self.clock,
            metrics=self.metrics,
            notifiers=first_hand,
            on_commit=self.outbox.wake,
            delivery_now=self.delivery_clock.now,
            rng=self._rng,
            languages=config.language.languages,
            second_opinion=self._second_opinion(),
            queue_mentions=config.general.queue_mentions,
            snapshot_seconds=config.general.snapshot_minutes * 60,
        )
        self.learner = Learner(
            self.store,
            clock=self.clock,
            delivery_clock=self.delivery_clock,
            metrics=self.metrics,
            install=self._install,
            rng=self._rng,
        )
        self.backend.attach(self.runner, self.learner)

    def _install(self, layers: Layers) -> None:
        self.runner.layers = layers

    def _second_opinion(self) -> SecondOpinion | None:
        settings = self.config.language
        none = none_because(settings.scorer, settings.second_opinion_share)
        if self._scorer is not None or none:
            log.info("second_opinion_off", reason=none or "the scorer was given")
            return None
        model = self.config.beside(settings.model) if settings.model else None
        return SecondOpinion(
            lambda: load_scorer(settings.languages, "embedding", model, settings.threads),
            settings.second_opinion_share,
            self.clock.monotonic,
            READS,
        )

    async def _submit(self, command: Command) -> None:
        await self.backend.submit(command)

    def _web(self, slack_routes: list[web.RouteDef]) -> web.Application:
        pushed = [one for one in self.sources if isinstance(one, PushSource)]
        ingest = (
            ingest_routes(pushed, self.runner, clock=self.clock, metrics=self.metrics)
            if pushed
            else []
        )
        return build_web_app(
            self.backend, self.config.web, self.metrics, self, [*ingest, *slack_routes]
        )

    async def _feed(self) -> None:
        """Run every source under its supervisor; set ``ended`` when all have come to their end."""
        async with asyncio.TaskGroup() as group:
            for source in self.sources:
                group.create_task(self._supervised(source), name=f"source-{source.name}")
        self.ended.set()

    async def _supervised(self, source: Source) -> None:
        async def failed(reason: str) -> None:
            self.metrics.source_reconnects.labels(source.name, reason).inc()
            await self.runner.report(source.name, SourceState.DOWN, detail=reason)

        await supervise(
            source.name,
            lambda: source.run(self.runner),
            clock=self.delivery_clock,
            backoff=Backoff(rng=self._rng),
            on_failure=failed,
        )

    async def _plan(self) -> None:
        await self.planner.refresh()
        self.runner.core.calendar = self.planner.around(self.clock.now())

    async def _keep_calendar(self) -> None:
        while not self.planner.empty:
            await self.delivery_clock.sleep(self.planner.refresh_seconds)
            await self._plan()

    async def _keep_house(self) -> None:
        while True:
            await self.delivery_clock.sleep(HOUSEKEEPING_SECONDS)
            try:
                await self.runner.forget_old(self.config.general.retention_days * 86_400)
            except StoreError as error:  # a full disk is no reason to stop watching
                log.warning("housekeeping_failed", error=str(error))


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks and wait until they are gone."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def serve(
    config: Config, stop: asyncio.Event, started: Callable[[App], Awaitable[None]] | None = None
) -> None:
    """Run Sentinel until ``stop`` is set: what ``sentinel run`` does."""
    app = App(config)
    async with app.running():
        if started is not None:
            await started(app)
        await stop.wait()


def require_work(config: Config) -> None:
    """Refuse to start where nothing could ever happen.

    Raises:
        ConfigError: No brand or no source.
    """
    if not config.brands:
        raise ConfigError("at least one brand is needed", path=config.path, key="brands")
    if not config.enabled_sources():
        raise ConfigError("at least one enabled source is needed", path=config.path, key="sources")
