"""What the pages and the API need from the application.

What lives here: the ``Backend`` protocol that the app implements, the questions it is asked and the answers that have no
better home. What does not: HTTP (``server``, ``api``, ``pages``) and SQL (the store).
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from sentinel.language.corrections import Layer
from sentinel.language.labels import Label
from sentinel.model import Brand, Command, Effect, Incident, Sighting, SourceState
from sentinel.notify.base import Judging, NotifyContext
from sentinel.runtime.clock import Clock
from sentinel.store.unit import LabelRow, OutboxEntry, OutboxState


class IncidentQuery(msgspec.Struct, frozen=True):
    """Which incidents, newest first by ``opened_at``.

    Attributes:
        open: True for open ones, False for resolved ones, None for both.
        brand: Brand id; empty for all.
        before: Only those opened before this moment, epoch seconds: the next page.
        limit: At most so many.
    """

    open: bool | None = None
    brand: str = ""
    before: float | None = None
    limit: int = 50


class SearchQuery(msgspec.Struct, frozen=True):
    """Which archived mentions, newest first by ``published_at``.

    Attributes:
        text: Words that must all occur; plain words, never a query language. Empty for any text.
        brand, source: Ids; empty for all.
        since, before: Bounds of ``published_at``, epoch seconds; ``before`` is exclusive: the next page.
        limit: At most so many.
    """

    text: str = ""
    brand: str = ""
    source: str = ""
    since: float | None = None
    before: float | None = None
    limit: int = 50


class SourceView(msgspec.Struct, frozen=True):
    """A configured source as operations look at it.

    Attributes:
        kind: Its vendor or protocol, such as ``bluesky``.
        since: When it entered ``state``, epoch seconds.
        last_event_at: When it last delivered anything; None if never.
        ingested: Mentions taken from it since the process started.
        detail: Why it is down, in plain words; never a secret or mention text.
        silent_since: Since when nothing comes although it says that it is alive, epoch seconds; None while all is well.
        silent_brands: Ids of the brands that stopped together; empty where nothing comes for any.
    """

    name: str
    kind: str
    state: SourceState
    since: float
    last_event_at: float | None = None
    ingested: int = 0
    detail: str = ""
    silent_since: float | None = None
    silent_brands: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool:
        """Whether what comes from it may be taken for all there is."""
        return self.state is not SourceState.DOWN and self.silent_since is None


class BudgetView(msgspec.Struct, frozen=True):
    """A brand's false-alarm budget.

    Attributes:
        budget_days: At most one false page in so many days is wanted.
        pages: Pages of the last ``budget_days`` days.
        false_pages: Those of them that people called false.
        learning: The brand's history is still short.
    """

    brand: str
    brand_name: str
    budget_days: float
    pages: int
    false_pages: int
    learning: bool = False


class Backend(NotifyContext, Judging, Protocol):
    """What the app offers to the web room; everything it returns is a frozen value.

    The look-ups of ``NotifyContext`` (brands, playbooks, who is on call, language, time zone) belong to it, so that a
    page words an alert just as the notifiers do. Methods that ask the store raise ``StoreError`` when it does not answer.
    """

    @property
    def clock(self) -> Clock:
        """Where "now" comes from."""
        ...

    async def incidents(self, query: IncidentQuery) -> tuple[Incident, ...]:
        """Incidents that the query asks for."""
        ...

    async def incident(self, incident_id: str) -> Incident | None:
        """The newest view of one incident."""
        ...

    async def timeline(self, incident_id: str) -> tuple[Effect, ...]:
        """All effects of one incident, oldest first."""
        ...

    async def commands(self, incident_id: str) -> tuple[Command, ...]:
        """All commands of one incident, oldest first."""
        ...

    async def submit(self, command: Command) -> Incident | None:
        """Hand a command to the core; returns after its commit with the incident as it then is.

        A command whose id is known already changes nothing. None if there is no such incident.
        """
        ...

    async def labels(self, brand: str) -> tuple[Label, ...]:
        """The words in force on a brand's posts (empty: on all), oldest first."""
        ...

    async def label_history(self, brand: str, limit: int) -> tuple[LabelRow, ...]:
        """What people said that posts of a brand are (empty: of all), withdrawn or not, newest first."""
        ...

    async def draw(self, brand: str, number: int) -> tuple[Sighting, ...]:
        """Mentions of the last two weeks, drawn at random from those that nobody has judged."""
        ...

    def layers(self) -> tuple[Layer, ...]:
        """What was learnt from people, with what the gate says of it."""
        ...

    def sources(self) -> tuple[SourceView, ...]:
        """All configured sources, in the order of the configuration."""
        ...

    async def budgets(self) -> tuple[BudgetView, ...]:
        """The false-alarm budget of every brand, in the order of the configuration."""
        ...

    async def search(self, query: SearchQuery) -> tuple[Sighting, ...]:
        """Archived mentions that the query asks for; texts of retracted ones are empty."""
        ...

    async def outbox_list(self, state: OutboxState, limit: int) -> tuple[OutboxEntry, ...]:
        """Notices in that state, oldest first."""
        ...

    async def outbox_revive(self, entry_id: str) -> bool:
        """Make a dead notice pending again; False if there is no dead one of that id."""
        ...

    def brands(self) -> tuple[Brand, ...]:
        """All configured brands, in the order of the configuration."""
        ...
