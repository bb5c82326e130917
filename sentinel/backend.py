"""What the pages, the API and the notifiers may ask: look-ups over configuration, store and core.

What lives here: the implementation of ``web.backend.Backend`` (and with it of ``notify.base.NotifyContext``). What does not: HTTP, SQL.
"""

from __future__ import annotations

from collections.abc import Sequence

from sentinel.config import Config
from sentinel.core.oncall import Call
from sentinel.core.playbooks import Playbook, PlaybookBook, Role
from sentinel.language.corrections import Layer
from sentinel.language.labels import Label, Word
from sentinel.learning import Learner
from sentinel.model import Brand, Command, Effect, Incident, Sighting, SourceState
from sentinel.runner import Runner
from sentinel.runtime.clock import Clock
from sentinel.store import Store
from sentinel.store.unit import LabelRow, OutboxEntry, OutboxState
from sentinel.web.backend import BudgetView, IncidentQuery, SearchQuery, SourceView


class Backend:
    """Answers for the whole application.

    Args:
        clock: Event time: what "now" means to incidents.
        delivery_clock: Of the outbox.
    """

    def __init__(
        self, config: Config, book: PlaybookBook, store: Store, clock: Clock, delivery_clock: Clock
    ) -> None:
        self._config, self._book, self._store = config, book, store
        self._clock, self._delivery_clock = clock, delivery_clock
        self._brands = {brand.id: brand for brand in config.brands}
        self._runner: Runner | None = None
        self._learner: Learner | None = None

    def attach(self, runner: Runner, learner: Learner) -> None:
        """Tell it of the runner and the learner, which are made after it."""
        self._runner, self._learner = runner, learner

    @property
    def runner(self) -> Runner:
        """The runner; there is one as soon as anybody can ask."""
        if self._runner is None:
            raise RuntimeError("the runner is not attached yet")
        return self._runner

    @property
    def learner(self) -> Learner:
        """The learner; there is one as soon as anybody can ask."""
        if self._learner is None:
            raise RuntimeError("the learner is not attached yet")
        return self._learner

    # --- NotifyContext ---------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """Address of the pages, for links."""
        return self._config.web.base_url.rstrip("/")

    @property
    def default_language(self) -> str:
        """For messages that concern no brand."""
        return self._config.general.language

    @property
    def default_timezone(self) -> str:
        """For messages that concern no brand."""
        return self._config.general.timezone

    def brand(self, brand_id: str) -> Brand | None:
        """The configured brand."""
        return self._brands.get(brand_id)

    def brands(self) -> tuple[Brand, ...]:
        """All configured brands."""
        return self._config.brands

    def playbook(self, playbook_id: str) -> Playbook | None:
        """The playbook of that id."""
        return self._book.get(playbook_id)

    def playbooks(self) -> tuple[Playbook, ...]:
        """All playbooks."""
        return self._book.playbooks

    def person(self, role: Role, brand_id: str, at: float) -> str:
        """Name of who has that role."""
        found = self._config.rota.on_call(role, brand_id, at)
        return found.name if found is not None else ""

    def call(self, brand_id: str, level: int, at: float) -> Call:
        """Who is called at that level of the escalation."""
        return self._config.rota.call(brand_id, level, at)

    # --- Backend ---------------------------------------------------------------------------------

    @property
    def clock(self) -> Clock:
        """Event time."""
        return self._clock

    async def incidents(self, query: IncidentQuery) -> tuple[Incident, ...]:
        """Incidents, newest first."""
        return tuple(
            await self._store.incidents(
                brand=query.brand or None,
                open_only=query.open is True,
                resolved_only=query.open is False,
                before=query.before,
                limit=query.limit,
            )
        )

    async def incident(self, incident_id: str) -> Incident | None:
        """The newest view of one incident."""
        return await self._store.incident(incident_id)

    async def timeline(self, incident_id: str) -> tuple[Effect, ...]:
        """All effects of one incident."""
        return tuple(await self._store.timeline(incident_id))

    async def commands(self, incident_id: str) -> tuple[Command, ...]:
        """All commands of one incident."""
        return tuple(await self._store.commands(incident_id))

    async def submit(self, command: Command) -> Incident | None:
        """Hand a command to the core."""
        return await self.runner.submit(command)

    async def judge(self, word: Word) -> Label | None:
        """Keep a person's word on a mention."""
        return await self.learner.judge(word)

    async def withdraw(self, label_id: str, by: str) -> bool:
        """Take a word back."""
        return await self.learner.withdraw(label_id, by)

    async def labels_on(
        self, brand: str, mentions: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Label]:
        """The words in force on these mentions."""
        return await self.learner.labels_on(brand, mentions)

    async def labels(self, brand: str) -> tuple[Label, ...]:
        """The words in force."""
        return tuple(await self._store.labels(brand or None))

    async def label_history(self, brand: str, limit: int) -> tuple[LabelRow, ...]:
        """What people said, newest first."""
        return tuple(await self._store.label_history(brand or None, limit))

    async def draw(self, brand: str, number: int) -> tuple[Sighting, ...]:
        """Mentions to be judged."""
        return await self.learner.draw(brand, number)

    def layers(self) -> tuple[Layer, ...]:
        """What was learnt."""
        return tuple(self.learner.layers)

    def sources(self) -> tuple[SourceView, ...]:
        """All enabled sources."""
        watches = self.runner.core.watermarks.sources
        inferred = self.runner.core.listening.inferred()
        views = []
        for source in self._config.enabled_sources():
            watch, silence = watches.get(source.name), inferred.get(source.name)
            views.append(
                SourceView(
                    name=source.name,
                    kind=str(type(source).__struct_config__.tag),
                    state=watch.state if watch else SourceState.STARTING,
                    since=(watch.since if watch else 0.0) or self.runner.started_at,
                    last_event_at=self.runner.last_event_at.get(source.name),
                    ingested=self.runner.ingested.get(source.name, 0),
                    detail=self.runner.source_details.get(source.name, ""),
                    silent_since=silence.since if silence else None,
                    silent_brands=silence.brands if silence else (),
                )
            )
        return tuple(views)

    async def budgets(self) -> tuple[BudgetView, ...]:
        """The false-alarm budget of every brand."""
        now = self._clock.now()
        views = []
        for brand in self._config.brands:
            shard = self.runner.core.shards[brand.id]
            since = now - brand.budget_days * 86_400
            recent = [
                one for one in await self._store.incidents(brand=brand.id) if one.opened_at >= since
            ]
            views.append(
                BudgetView(
                    brand=brand.id,
                    brand_name=brand.name,
                    budget_days=brand.budget_days,
                    pages=len(recent),
                    false_pages=int(shard.budget_spent(now)),
                    learning=shard.detector.pooled.learning,
                )
            )
        return tuple(views)

    async def search(self, query: SearchQuery) -> tuple[Sighting, ...]:
        """Archived mentions."""
        brand, source = query.brand or None, query.source or None
        if query.text.strip():
            found = await self._store.search(
                query.text,
                brand=brand,
                source=source,
                since=query.since,
                until=query.before,
                limit=query.limit,
            )
        else:
            found = await self._store.mentions(
                brand, query.since, query.before, query.limit, source=source
            )
        return tuple(found)

    async def outbox_list(self, state: OutboxState, limit: int) -> tuple[OutboxEntry, ...]:
        """Notices in that state."""
        return tuple(await self._store.outbox_list(state, limit))

    async def outbox_revive(self, entry_id: str) -> bool:
        """Make a dead notice pending again."""
        revived = await self._store.outbox_revive(entry_id, at=self._delivery_clock.now())
        if revived:
            self.runner.wake_outbox()
        return revived
