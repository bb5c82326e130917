"""Which alerts past mentions would have raised: the production core, fed from a file as fast as it can go.

What lives here: the driver, the record of an alert, and what a budget would have cost. What does not: reading files
(``sources.files``, ``sources.counts``), printing (``commands.backtest``), processes (``commands.scoring``).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice, pairwise

import msgspec

from sentinel.core.match import Matcher
from sentinel.core.pipeline import Core
from sentinel.core.playbooks import Playbook
from sentinel.core.shard import Settings
from sentinel.core.windows import BUCKET_SECONDS, Window
from sentinel.language.base import Post, Scorer
from sentinel.model import (
    Brand,
    CountRow,
    Dropped,
    DropReason,
    Effect,
    EffectKind,
    Incident,
    Match,
    Mention,
    Retraction,
    Sighting,
    SourceState,
    SourceStatus,
    Verdict,
)

SOURCE = "backtest"
BATCH = 256
PEEK = 2000
REMEMBERED_KEYS = 250_000
"""Identities in each of the two sets in which repeats are looked for. A repeat further away in the file
is in a closed minute, and is not counted for that reason."""
HOUR = 3600
HOURS_KEPT = 24 * 731
PAGES = frozenset({EffectKind.OPENED, EffectKind.RETURNED, EffectKind.ESCALATED})
"""What would have made a phone buzz; calls up the chain depend on people and are left out."""

ScoreStream = Callable[[Iterator[list[Post]]], Iterator[list[Verdict]]]
"""Scores batches in order; may take several before it gives the first back."""


class Alert(msgspec.Struct):
    """One incident of a backtest: the line that ``sentinel backtest --json`` prints.

    Times are RFC 3339 in event time; ``detected_at`` is the close of the bucket that raised it.

    Attributes:
        delay_minutes: From the estimated onset to the detection.
        budget_days: The budget under which it was raised.
        pages: How often a phone would have buzzed: opening, returns, rises in severity.
    """

    brand: str
    kind: str
    direction: str
    severity: str
    opened_at: str
    detected_at: str
    resolved_at: str | None
    observed: int
    expected: float
    negative_share: float
    playbook: str
    incident_id: str
    delay_minutes: float
    budget_days: float
    pages: int


class Summary(msgspec.Struct):
    """Counts of a backtest.

    Attributes:
        late: Behind a minute that its brand has closed; not counted.
        first_at, last_at: Epoch seconds of the first and the last mention.
    """

    mentions: int = 0
    matched: int = 0
    late: int = 0
    duplicates: int = 0
    dropped: dict[str, int] = {}
    first_at: float = 0.0
    last_at: float = 0.0
    effects: dict[str, int] = {}

    @property
    def days(self) -> float:
        """Length of the past that was replayed."""
        return max(0.0, self.last_at - self.first_at) / 86_400


class Trial:
    """One core under one budget, fed what all trials are fed.

    Args:
        brands: Configured brands.
        budget_days: In place of every brand's own; None keeps those.
        defaults: Template of a brand that is not configured.
    """

    def __init__(
        self,
        brands: Sequence[Brand],
        playbooks: Sequence[Playbook],
        settings: Settings | None,
        defaults: Brand,
        budget_days: float | None,
    ) -> None:
        self._playbooks, self._settings, self._budget = tuple(playbooks), settings, budget_days
        self._defaults = self._budgeted(defaults)
        self.brands = {brand.id: self._budgeted(brand) for brand in brands}
        self.core = Core(list(self.brands.values()), playbooks, {SOURCE: 0.0}, settings)
        self.incidents: dict[str, Incident] = {}
        self.pages: dict[str, int] = {}
        self.effects: dict[str, int] = {}

    def _budgeted(self, brand: Brand) -> Brand:
        if self._budget is None:
            return brand
        return msgspec.structs.replace(brand, budget_days=self._budget)

    def watch(self, brand_id: str) -> None:
        """Begin to watch a brand that is not configured."""
        if brand_id not in self.brands:
            brand = msgspec.structs.replace(self._defaults, id=brand_id, name=brand_id)
            self.brands[brand_id] = brand
            fresh = Core([brand], self._playbooks, {}, self._settings)
            self.core.shards[brand_id] = fresh.shards[brand_id]

    def advance(self, at: float, brands: frozenset[str] | None = None) -> list[Effect]:
        """Close every minute that ends at or before ``at``.

        Args:
            at: Epoch seconds.
            brands: Only theirs, as long as the hour lasts: the others wait, so that their empty minutes are
                closed together. A brand's minutes do not depend on when another's are closed. None for all.
        """
        closed = self.core.watermarks.closed
        if at // BUCKET_SECONDS * BUCKET_SECONDS <= closed:
            return []
        tick = self.core.tick(at)
        if tick is None:
            return []
        same_hour = closed > 0 and at // HOUR == closed // HOUR
        effects = self.core.advance(tick, only=brands if same_hour else None)
        for effect in effects:
            self.effects[effect.kind] = self.effects.get(effect.kind, 0) + 1
            if effect.incident is not None:
                self._note(effect, effect.incident)
        return effects

    def _note(self, effect: Effect, incident: Incident) -> None:
        known = self.incidents.get(incident.id)
        if known is not None and effect.kind is not EffectKind.OPENED:
            # The line keeps the evidence that raised it; severity and end are the newest.
            incident = msgspec.structs.replace(incident, evidence=known.evidence)
        self.incidents[incident.id] = incident
        if effect.page and effect.kind in PAGES:
            self.pages[incident.id] = self.pages.get(incident.id, 0) + 1

    def budget_of(self, brand_id: str) -> float:
        """Days in which one false page is allowed."""
        return self.brands[brand_id].budget_days

    def alerts(self) -> list[Alert]:
        """What was raised so far, in order of detection."""
        return [
            alert_of(one, self.budget_of(one.brand), self.pages.get(one.id, 0))
            for one in sorted(self.incidents.values(), key=lambda one: (one.detected_at, one.id))
        ]


class Backtest:
    """Replays mentions, or counts, through cores of its own: one for each budget.

    Args:
        brands: Configured brands. Empty: every brand that the mentions name is watched as it appears.
        playbooks: For the match.
        scorer: Language scoring; not needed for counts.
        defaults: Template of a brand that is not configured.
        settings: What holds for all brands.
        budgets: Budgets in days to try side by side; None is the brands' own.
        planned: Gives the planned events of the days around a moment.
    """

    def __init__(
        self,
        brands: Sequence[Brand],
        playbooks: Sequence[Playbook],
        scorer: Scorer | None = None,
        *,
        defaults: Brand | None = None,
        settings: Settings | None = None,
        budgets: Sequence[float | None] = (None,),
        planned: Callable[[float], tuple[Window, ...]] | None = None,
    ) -> None:
        self._planned, self._planned_until = planned, -math.inf
        self._open_world = not brands
        self._scorer = scorer
        self._matcher = Matcher(brands)
        template = defaults or Brand(id="", name="")
        self.trials = [Trial(brands, playbooks, settings, template, days) for days in budgets]
        self.summary = Summary()
        self.hours: dict[str, dict[int, list[int]]] = {}
        self._seen: tuple[set[int], set[int]] = (set(), set())

    @property
    def core(self) -> Core:
        """The core under the first budget."""
        return self.trials[0].core

    def run(
        self,
        items: Iterable[Mention | Dropped | Retraction],
        on_effect: Callable[[Effect], None] | None = None,
        scored: ScoreStream | None = None,
    ) -> list[Alert]:
        """Replay mentions; returns the alerts under the first budget in order of detection.

        Args:
            items: In order of time, or newest first (then they are sorted in memory).
            on_effect: Told every effect under the first budget as it happens.
            scored: Scores in place of the scorer, perhaps in other processes.
        """
        waiting: deque[list[tuple[Mention, tuple[Match, ...]]]] = deque()

        def posts() -> Iterator[list[Post]]:
            for batch in _batches(self._wanted(in_time_order(items))):
                waiting.append(batch)
                yield [Post(mention.text, mention.language or None) for mention, _ in batch]

        for verdicts in (scored or self._score)(posts()):
            for (mention, matches), verdict in zip(waiting.popleft(), verdicts, strict=True):
                self._take(Sighting(mention, matches, verdict), on_effect)
        return self._finish(on_effect)

    def run_counts(
        self, rows: Iterable[CountRow], on_effect: Callable[[Effect], None] | None = None
    ) -> list[Alert]:
        """Replay counts; returns the alerts under the first budget in order of detection.

        Args:
            rows: In order of time; several brands may share a time. An interval longer than a minute (the least
                distance among the first times) is spread evenly over its minutes.
            on_effect: Told every effect under the first budget as it happens.
        """
        for row, start, counts in _by_minute(rows):
            self.summary.mentions += counts[0]
            brand = row.brand or SOURCE
            if not self._open_world and brand not in self.trials[0].brands:
                self._drop(DropReason.UNKNOWN_BRAND)
                continue
            self.summary.matched += counts[0]
            self._begin(float(start), (brand,))
            self._advance(float(start), on_effect, (brand,))
            for trial in self.trials:
                windows = trial.core.shards[brand].state.windows
                in_time = windows.count(start, row.channel, SOURCE, counts)
            self.summary.late += 0 if in_time else counts[0]
            self._note_hour(brand, float(start), counts[0], counts[1])
        return self._finish(on_effect)

    def alerts(self) -> list[Alert]:
        """What was raised so far under the first budget, in order of detection."""
        return self.trials[0].alerts()

    def _score(self, batches: Iterator[list[Post]]) -> Iterator[list[Verdict]]:
        if self._scorer is None:
            raise TypeError("a scorer is needed for mentions")
        return map(self._scorer.score, batches)

    def _take(self, sighting: Sighting, on_effect: Callable[[Effect], None] | None) -> None:
        at = sighting.mention.published_at
        brands = [match.brand for match in sighting.matches]
        self._begin(at, brands)
        self._advance(at, on_effect, brands)
        for trial in self.trials:
            late = trial.core.feed([sighting]).late
        self.summary.late += len(late)
        self.summary.matched += 1
        for match in sighting.matches:
            self._note_hour(match.brand, at, 1, int(sighting.verdict.label == "negative"))

    def _finish(self, on_effect: Callable[[Effect], None] | None) -> list[Alert]:
        last = self.summary.last_at
        self._advance(last + 2 * BUCKET_SECONDS, on_effect)
        self.summary.last_at = last
        self.summary.effects = self.trials[0].effects
        return self.alerts()

    def _wanted(
        self, items: Iterable[Mention | Dropped | Retraction]
    ) -> Iterator[tuple[Mention, tuple[Match, ...]]]:
        summary = self.summary
        for item in items:
            if isinstance(item, Retraction):
                continue
            if isinstance(item, Dropped):
                self._drop(item.reason)
                continue
            summary.mentions += 1
            if self._repeated(item):
                summary.duplicates += 1
                continue
            if self._open_world and item.brand:
                yield item, (Match(item.brand, item.brand),)
                continue
            found = self._matcher.match(item.text, item.mentions_of, brand=item.brand)
            if isinstance(found, Dropped):
                self._drop(found.reason)
            else:
                yield item, found

    def _repeated(self, mention: Mention) -> bool:
        new, old = self._seen
        key = hash(mention.key)
        if key in new or key in old:
            return True
        new.add(key)
        if len(new) >= REMEMBERED_KEYS:
            self._seen = (set(), new)
        return False

    def _drop(self, reason: DropReason) -> None:
        self.summary.dropped[reason] = self.summary.dropped.get(reason, 0) + 1

    def _begin(self, at: float, brands: Iterable[str]) -> None:
        """Begin to watch brands that appear for the first time, and the source with the first mention."""
        first = not self.summary.first_at
        if first:
            self.summary.first_at = at
        for trial in self.trials:
            if first:
                trial.core.source(SourceStatus(SOURCE, SourceState.ALIVE, at))
            for brand in brands:
                trial.watch(brand)

    def _advance(
        self,
        at: float,
        on_effect: Callable[[Effect], None] | None,
        brands: Iterable[str] | None = None,
    ) -> None:
        only = None if brands is None else frozenset(brands)
        self.summary.last_at = max(self.summary.last_at, at)
        if self._planned is not None and at >= self._planned_until:
            windows = self._planned(at)
            self._planned_until = at + 86_400
            for trial in self.trials:
                trial.core.calendar = windows
        for number, trial in enumerate(self.trials):
            for effect in trial.advance(at, only):
                if on_effect is not None and not number:
                    on_effect(effect)

    def _note_hour(self, brand: str, at: float, mentions: int, negative: int) -> None:
        hours = self.hours.setdefault(brand, {})
        row = hours.get(hour := int(at // HOUR) * HOUR)
        if row is None:
            row = hours[hour] = [0, 0]
            if len(hours) > HOURS_KEPT:
                del hours[next(iter(hours))]
        row[0] += mentions
        row[1] += negative


def alert_of(incident: Incident, budget_days: float, pages: int) -> Alert:
    """The line of an incident."""
    return Alert(
        brand=incident.brand,
        kind=incident.kind,
        direction=incident.direction.value,
        severity=incident.severity.slug,
        opened_at=rfc3339(incident.onset_at),
        detected_at=rfc3339(incident.detected_at),
        resolved_at=None if incident.resolved_at is None else rfc3339(incident.resolved_at),
        observed=incident.evidence.mentions,
        expected=incident.evidence.expected,
        negative_share=incident.evidence.negative_share,
        playbook=incident.playbook.playbook,
        incident_id=incident.id,
        delay_minutes=round((incident.detected_at - incident.onset_at) / 60, 1),
        budget_days=budget_days,
        pages=pages,
    )


def rfc3339(at: float) -> str:
    """Epoch seconds as UTC text.

    >>> rfc3339(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def in_time_order(
    items: Iterable[Mention | Dropped | Retraction],
) -> Iterator[Mention | Dropped | Retraction]:
    """Pass items on; where the beginning shows that they run newest first, sort them all by time."""
    stream = iter(items)
    head = list(islice(stream, PEEK))
    times = [item.published_at for item in head if isinstance(item, Mention)]
    back = sum(later < earlier for earlier, later in pairwise(times))
    if back <= len(times) // 10:
        return chain(head, stream)
    whole = [*head, *stream]
    return iter(
        sorted(whole, key=lambda item: item.published_at if isinstance(item, Mention) else 0.0)
    )


def _batches(
    items: Iterator[tuple[Mention, tuple[Match, ...]]],
) -> Iterator[list[tuple[Mention, tuple[Match, ...]]]]:
    while batch := list(islice(items, BATCH)):
        yield batch


def _by_minute(
    rows: Iterable[CountRow],
) -> Iterator[tuple[CountRow, int, tuple[int, int, int]]]:
    """Each row's counts by minute, all brands' first minutes before any second one."""
    stream = iter(rows)
    head = list(islice(stream, PEEK))
    times = sorted({row.start for row in head})
    length = int(min((later - one for one, later in pairwise(times)), default=BUCKET_SECONDS))
    minutes = max(1, length // BUCKET_SECONDS)
    group: list[CountRow] = []
    for row in chain(head, stream):
        if group and row.start != group[0].start:
            yield from _spread(group, minutes)
            group = []
        group.append(row)
    yield from _spread(group, minutes)


def _spread(
    group: Sequence[CountRow], minutes: int
) -> Iterator[tuple[CountRow, int, tuple[int, int, int]]]:
    for minute in range(minutes):
        for row in group:
            start = int(row.start // BUCKET_SECONDS + minute) * BUCKET_SECONDS
            yield row, start, _part(row, minute, minutes)


def _part(row: CountRow, minute: int, minutes: int) -> tuple[int, int, int]:
    """Mentions, negative and positive of a row that fall into one of ``minutes`` equal parts.

    >>> [_part(CountRow(0.0, 7, 2, 1), minute, 5) for minute in range(5)]
    [(1, 0, 0), (1, 0, 0), (2, 1, 0), (1, 0, 0), (2, 1, 1)]
    """
    first, last = (row.mentions * place // minutes for place in (minute, minute + 1))
    whole = max(1, row.mentions)
    bad, later = (row.negative * place // whole for place in (first, last))
    rest = max(1, row.mentions - row.negative)
    good = row.positive * (last - later) // rest - row.positive * (first - bad) // rest
    return last - first, later - bad, good
