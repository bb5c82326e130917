"""The life of an incident: opened, escalating, peak, decaying, resolved, and perhaps returned.

What lives here: ``Case``, the working state of one incident, and the decisions about it, as small functions that take
the figures and the time. What does not: detection (``detectors``), counting (``flow``, ``storyline``), telling (``shard``).

::

    ONSET -> ESCALATING <-> PEAK <-> DECAYING -> RESOLVED -> (RETURNED: ONSET again, wave + 1, same id)
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from sentinel.core.checklist import change_playbook, open_checklist
from sentinel.core.flow import Flow
from sentinel.core.history import alike, cluster_of
from sentinel.core.playbook_match import Matcher, MatchQuery
from sentinel.core.playbooks import Playbook
from sentinel.core.rising import Baseline, about
from sentinel.core.severity import Weight, severity
from sentinel.core.showing import Showing
from sentinel.core.storyline import Storyline
from sentinel.model import (
    CRISIS_TYPES,
    Brand,
    Caveat,
    Direction,
    Evidence,
    Incident,
    PastCase,
    Phase,
    PlaybookMatch,
    Severity,
    StepState,
)

ONSET_SECONDS = 600.0
NORMAL_MINUTES = 60
DECAY_SHARE, REVIVE_SHARE = 0.5, 0.8
"""Of the peak: below the first it decays, above the second it is back. Two bounds, so that it does not flap."""
DECAY_MINUTES = 10
RETURN_SECONDS = 7 * 86_400.0
"""A storyline that flares up within this time of its end is the same incident: what follows a scandal (a lawsuit, a resignation, the
next weekend's protest) comes days later, and is the same affair to the people on call."""
SAME_STORY = 0.2
"""Share of common top terms from which two waves more than a day apart are one storyline."""
REMATCH_SECONDS = 1800.0
REMATCH_GAIN = 0.15


class Case(msgspec.Struct):
    """Working state of one incident. ``view`` makes the frozen ``Incident`` that people are told of.

    Attributes:
        past: The brand's earlier incidents that counted when this one began.
        seen_before: Crisis types in the brand's history: of ``past``, and those that the configuration tells.
        like: Those of ``past`` whose kind the plan serves.
        plan_cluster, cluster: Coombs' cluster that the plan assumes, and the one after the history.
    """

    id: str
    direction: Direction
    opened_at: float
    detected_at: float
    onset_at: float
    updated_at: float
    evidence: Evidence
    storyline: Storyline
    playbook: PlaybookMatch
    severity: Severity = Severity.LOW
    severity_reasons: tuple[str, ...] = ()
    phase: Phase = Phase.ONSET
    revision: int = 0
    wave: int = 1
    wave_at: float = 0.0
    let_go_wave: int = 0
    peak_rate: float = 0.0
    doubling_minutes: float | None = None
    normal_minutes: int = 0
    quiet_minutes: int = 0
    told_at: float = 0.0
    told_mentions: int = 0
    checklist: tuple[StepState, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    acknowledged_by: str = ""
    acknowledged_at: float | None = None
    snoozed_until: float | None = None
    false_alarm_by: str = ""
    resolved_at: float | None = None
    stood_down_at: float | None = None
    escalation_level: int = 0
    called_at: float = 0.0
    paged_at: float = 0.0
    drill: bool = False
    past: tuple[PastCase, ...] = ()
    seen_before: tuple[str, ...] = ()
    like: tuple[PastCase, ...] = ()
    plan_cluster: str = ""
    cluster: str = ""

    @property
    def open(self) -> bool:
        """Whether it is not resolved."""
        return self.phase is not Phase.RESOLVED

    @property
    def calm_since(self) -> float | None:
        """When the talk was as usual again, epoch seconds; None while it is not."""
        if self.resolved_at is None or self.false_alarm_by:
            return None
        return self.resolved_at - 60.0 * self.normal_minutes

    def view(self, brand: Brand, flow: Flow, baseline: Baseline, at: float) -> Incident:
        """The incident as people are told of it."""
        story = self.storyline
        types = story.ranked_types()
        own = own_words(brand)
        everyday = own | baseline.everyday()
        rising = story.rising(baseline, own)
        matter = about(rising)
        showing = Showing(story, matter, everyday)
        threads, quotes = showing.threads()
        return Incident(
            id=self.id,
            brand=brand.id,
            brand_name=brand.name,
            direction=self.direction,
            severity=self.severity,
            phase=self.phase,
            onset_at=self.onset_at,
            opened_at=self.opened_at,
            detected_at=self.detected_at,
            updated_at=at,
            revision=self.revision,
            evidence=self.evidence,
            playbook=self.playbook,
            kind=kind_of(self.playbook, types, self.direction),
            crisis_types=types,
            wave=self.wave,
            doubling_minutes=self.doubling_minutes,
            mentions=story.mentions,
            negative=story.negative,
            positive=story.positive,
            peak_per_minute=round(self.peak_rate, 3),
            channels=_ranked(story.channels),
            languages=_ranked(story.languages),
            spread=story.spread(matter),
            first_post=story.first(matter),
            quotes=quotes,
            terms=rising,
            kinds=showing.kinds(),
            threads=threads,
            path=story.chain.path(matter),
            links=story.chain.linked(),
            past=self.like,
            plan_cluster=self.plan_cluster,
            cluster=self.cluster,
            series=flow.series(at, self.onset_at, self.direction),
            caveats=self.caveats,
            severity_reasons=self.severity_reasons,
            checklist=self.checklist,
            acknowledged_by=self.acknowledged_by,
            acknowledged_at=self.acknowledged_at,
            snoozed_until=self.snoozed_until,
            false_alarm_by=self.false_alarm_by,
            resolved_at=self.resolved_at,
            calm_since=self.calm_since,
            stood_down_at=self.stood_down_at,
            escalation_level=self.escalation_level,
            drill=self.drill,
        )


def own_words(brand: Brand) -> frozenset[str]:
    """The words of a brand's own names and handles: everybody says them, so they tell nothing."""
    names = " ".join((brand.name, *brand.terms)).casefold().split()
    return frozenset((*names, *(f"@{handle.casefold()}" for handle in brand.handles)))


def kind_of(
    playbook: PlaybookMatch, types: tuple[tuple[str, float], ...], direction: Direction
) -> str:
    """The crisis type to call it by: that of the matched playbook, else the best-scored one, else ``unknown``."""
    if direction is Direction.OPPORTUNITY:
        return "opportunity"
    if playbook.matched or playbook.chosen_by:
        slug = next((slug for slug, _ in types if playbook.playbook.startswith(slug)), "")
        return slug or playbook.playbook
    return types[0][0] if types and types[0][1] >= 0.25 else "unknown"


def choose_playbook(case: Case, brand: Brand, baseline: Baseline, plans: Matcher) -> bool:
    """Match a playbook for the case; returns whether it changed. A person's choice is never overruled."""
    case.seen_before = tuple(sorted({*brand.seen_before, *(one.kind for one in case.past)}))
    if case.playbook.chosen_by:
        return False
    found = plans.match(
        MatchQuery(
            direction=case.direction,
            severity=case.severity,
            crisis_types=case.storyline.ranked_types(),
            texts=tuple(case.storyline.texts),
            terms=case.storyline.rising(baseline, own_words(brand)),
            seen_before=case.seen_before,
            spread=case.storyline.spread(),
        )
    )
    first = not case.playbook.playbook
    same = found.playbook == case.playbook.playbook
    better = found.matched and (
        not case.playbook.matched or found.score > case.playbook.score + REMATCH_GAIN
    )
    if not (first or same or better):
        return False
    case.playbook = found
    if same:
        return False
    set_checklist(case, plans.playbooks)
    return True


def plan_of(case: Case, playbooks: tuple[Playbook, ...]) -> Playbook | None:
    """The case's playbook; None where there is none of that id any more."""
    return next((one for one in playbooks if one.id == case.playbook.playbook), None)


def set_checklist(case: Case, playbooks: tuple[Playbook, ...]) -> None:
    """Make the case's checklist that of its playbook, keeping ticks of steps with the same id; and its cluster."""
    plan = next((one for one in playbooks if one.id == case.playbook.playbook), None)
    case.like = alike(case.past, plan) if plan else ()
    case.plan_cluster = plan.cluster if plan else ""
    case.cluster = cluster_of(plan, case.seen_before) if plan else ""
    if plan is None:
        case.checklist = ()
    elif case.checklist:
        case.checklist = change_playbook(case.checklist, plan, case.opened_at)
    else:
        case.checklist = open_checklist(plan, case.opened_at)


def past_case(case: Case) -> PastCase | None:
    """What a brand's history keeps of a case; None for a rehearsal, a false alarm, praise, or a trifle."""
    if case.drill or case.false_alarm_by or case.direction is not Direction.THREAT:
        return None
    if case.open or case.severity < Severity.MEDIUM:
        return None
    kind = kind_of(case.playbook, case.storyline.ranked_types(), case.direction)
    kind = next((slug for slug in CRISIS_TYPES if f"{kind}-".startswith(f"{slug}-")), kind)
    return PastCase(case.id, kind, case.opened_at, case.severity)


def weigh(case: Case, flow: Flow) -> bool:
    """Recompute the severity; it never falls while the incident is open. Returns whether it rose."""
    usual = flow.usual(case.direction)
    story = case.storyline
    level, reasons = severity(
        Weight(
            excess=flow.heat(case.direction) - usual,
            usual=usual,
            doubling_minutes=case.doubling_minutes,
            authors=len(story.authors),
            reach=story.reach,
            kind=next((slug for slug, score in story.ranked_types(1) if score >= 0.3), ""),
            direction=case.direction,
        )
    )
    if level <= case.severity and case.severity_reasons:
        return False
    case.severity, case.severity_reasons = level, reasons
    return True


def follow(case: Case, flow: Flow, at: float) -> bool:
    """Move the phase on with the last closed minute; returns whether it changed.

    A return to normal is ``NORMAL_MINUTES`` in a row in which the heat is near the usual.
    """
    rate = flow.rate(at, case.direction)
    case.doubling_minutes = flow.doubling_minutes(at, case.direction)
    case.peak_rate = max(case.peak_rate, rate)
    usual = flow.usual(case.direction)
    calm = flow.heat(case.direction) <= 2.0 * usual + 2.0
    case.normal_minutes = case.normal_minutes + 1 if calm else 0
    case.quiet_minutes = case.quiet_minutes + 1 if rate < DECAY_SHARE * case.peak_rate else 0
    before = case.phase
    case.phase = _phase(case, rate, at)
    return case.phase is not before


def _phase(case: Case, rate: float, at: float) -> Phase:
    if case.normal_minutes >= NORMAL_MINUTES:
        return Phase.RESOLVED
    if case.phase is Phase.DECAYING and rate < REVIVE_SHARE * case.peak_rate:
        return Phase.DECAYING
    if case.quiet_minutes >= DECAY_MINUTES and at - case.wave_at >= ONSET_SECONDS:
        return Phase.DECAYING
    if case.doubling_minutes is not None and case.doubling_minutes < 60:
        return Phase.ESCALATING
    if at - case.wave_at < ONSET_SECONDS:
        return Phase.ONSET
    return Phase.PEAK


def same_story(case: Case, fresh: Storyline, at: float, own: Collection[str]) -> bool:
    """Whether what flares up now is the storyline of a resolved case, rather than another one.

    Args:
        case: The resolved one, of the same direction.
        fresh: What is said now.
        at: Now, epoch seconds.
        own: The brand's own words, which every storyline of it shares.
    """
    ended = case.resolved_at if case.resolved_at is not None else case.updated_at
    if at - ended > RETURN_SECONDS:
        return False
    if at - ended <= 24 * 3600:
        return True
    then, now = _top(case.storyline, own), _top(fresh, own)
    return bool(then and now) and len(then & now) / min(len(then), len(now)) >= SAME_STORY


def _top(story: Storyline, own: Collection[str], number: int = 15) -> set[str]:
    said = [item for item in story.terms.items() if item[0] not in own]
    return {term for term, _ in sorted(said, key=lambda item: (-item[1], item[0]))[:number]}


def _ranked(table: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(table.items(), key=lambda item: (-item[1], item[0]))[:8])
