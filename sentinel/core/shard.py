"""Everything Sentinel knows of one brand, and the one way through it: count, close, detect, decide, tell.

What lives here: ``BrandShard``, a deterministic state machine over the inputs of one brand. A brand is a shard: nothing here
looks at another brand. What does not: sources' liveness (``pipeline``), matching, I/O.

Everything that affects the state is an argument of ``feed``, ``close``, ``forget`` or ``command``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import msgspec

from detectors.combine import BrandDetector, BrandReading
from sentinel.core.checklist import stand_down_met
from sentinel.core.evidence import (
    BUNDLE_VERSION,
    SEGMENT_STEPS,
    Bundle,
    Input,
    Recording,
    evidence_of,
)
from sentinel.core.flow import Counts, Flow
from sentinel.core.history import in_time
from sentinel.core.incidents import (
    RETURN_SECONDS,
    Case,
    choose_playbook,
    follow,
    own_words,
    past_case,
    plan_of,
    same_story,
    weigh,
)
from sentinel.core.people import ENDING, obey
from sentinel.core.playbook_match import Matcher
from sentinel.core.rising import Baseline
from sentinel.core.severity import SMALL_EXCESS
from sentinel.core.storyline import Storyline
from sentinel.core.windows import BUCKET_SECONDS, BrandWindows, OpenBucket, Priors, Tick, planned
from sentinel.errors import SnapshotError
from sentinel.model import (
    WORSENING,
    Brand,
    Caveat,
    Command,
    Direction,
    Effect,
    EffectKind,
    Evidence,
    PastCase,
    Phase,
    PlaybookMatch,
    Retraction,
    Severity,
    Sighting,
)

SNAPSHOT_VERSION = 4
RECENT_SIGHTINGS = 64
"""Kept per brand while nothing happens, so that an alert can show how it began."""
TELL_SECONDS = 300.0
"""At most this often an alert's figures are edited while nothing else changes."""
PAGE_AGAIN_SECONDS = 600.0
FALSE_ALARM_QUIET_SECONDS = 6 * 3600.0
"""After "false alarm" the same direction stays quiet this long, unless it becomes more severe."""
GAP_SECONDS = 86_400.0
"""So long after minutes that nobody could watch, alerts say that there was a gap."""
REMEMBERED_COMMANDS = 200
BLIND_AFTER_BUCKETS = 3
LEAST_VOICES = 3
"""Posts in a direction within a day below which nobody is called. For a brand spoken of once a week a single angry post
is evidence enough for the budget; it is still not what a person wants to be woken for."""
IDLE_MINUTES = 3
"""Fewer empty minutes than this are not worth taking at once."""
LISTEN_AFTER_SECONDS = 7 * 86_400
"""A channel younger than this does not say when its source is too quiet: its nights are not known yet."""
ALARMING = frozenset({EffectKind.OPENED, EffectKind.RETURNED, EffectKind.ESCALATED})
"""Effects that carry what is needed to recompute them."""


class Settings(msgspec.Struct, frozen=True):
    """What holds for all brands.

    Attributes:
        escalate_after_minutes: An alert that nobody takes goes up the chain after these delays.
        drill: Everything told is marked as a rehearsal.
        hold_seconds: How long a source that is down or starting keeps a minute open.
        max_wait_seconds: How long one that lags does; infinite in a replay, where the clock runs ahead.
    """

    escalate_after_minutes: tuple[float, ...] = (10.0, 20.0)
    drill: bool = False
    hold_seconds: float = 120.0
    max_wait_seconds: float = 900.0


class ShardState(msgspec.Struct):
    """The serialisable state, detectors apart.

    Attributes:
        history: Of incidents that are no longer among ``cases``: what counts as the brand's past.
    """

    windows: BrandWindows = msgspec.field(default_factory=BrandWindows)
    flow: Flow = msgspec.field(default_factory=Flow)
    baseline: Baseline = msgspec.field(default_factory=Baseline)
    recent: list[Sighting] = []
    cases: list[Case] = []
    history: tuple[PastCase, ...] = ()
    armed: dict[str, bool] = {}
    quiet_until: dict[str, float] = {}
    quiet_level: dict[str, int] = {}
    false_alarms: list[float] = []
    commands: list[str] = []
    missing_buckets: int = 0
    gap_until: float = 0.0
    event: tuple[float, float] = (1.0, 0.0)
    recording: Recording = msgspec.field(default_factory=Recording)


class Blob(msgspec.Struct):
    """A snapshot's outer form."""

    version: int
    brand: str
    state: ShardState
    detector: dict[str, Any]


class _Version(msgspec.Struct):
    version: int


class BrandShard:
    """One brand's state machine.

    Args:
        brand: Its configuration.
        plans: All playbooks that may be matched; one for all brands, because it compiles their terms.
        settings: What holds for all brands.
    """

    def __init__(self, brand: Brand, plans: Matcher, settings: Settings | None = None) -> None:
        self.brand, self.plans = brand, plans
        self.settings = settings or Settings()
        self.state = ShardState(recording=Recording(crc32(brand.id.encode()) % SEGMENT_STEPS))
        self.detector = BrandDetector(
            bucket_seconds=BUCKET_SECONDS, budget_days=brand.budget_days, timezone=brand.timezone
        )

    # --- inputs ----------------------------------------------------------------------------------

    def feed(self, sighting: Sighting) -> bool:
        """Count a sighting in its open minute. Returns False if it is late."""
        return self.state.windows.add(sighting)

    def close(self, tick: Tick) -> list[Effect]:
        """Close every minute up to ``tick.until`` and tell what follows from it."""
        effects: list[Effect] = []
        windows = self.state.windows
        self._borrow(tick.priors.get(self.brand.id))
        missing = windows.missing(tick.down)
        blind = bool(tick.down) and not windows.channel_sources
        as_usual = not (missing or blind or tick.planned)
        for start, bucket in self._due(tick):
            if as_usual and bucket is None and self._pass_idle(start, tick.until):
                continue
            if tick.planned or self.state.event != (1.0, 0.0):
                self.expect(*planned(tick.planned, start, self.brand.id))
            effects += self._close_minute(start, bucket, missing, blind=blind)
            windows.closed = float(start + BUCKET_SECONDS)
        windows.closed = max(windows.closed, tick.until)
        effects += self._call_up(tick.until)
        effects += self._stand_down(tick.until)
        return effects

    def lost_some(self, source: str, at: float) -> None:
        """A source that feeds this brand has a gap: alerts of the next day say so."""
        if any(source in feeding for feeding in self.state.windows.channel_sources.values()):
            self.state.gap_until = at + GAP_SECONDS

    def forget(self, retraction: Retraction) -> None:
        """A post was deleted at its source: it is never shown again. Counts stay."""
        state = self.state
        for case in state.cases:
            if retraction.mention_id:
                case.storyline.forget(retraction.source, retraction.mention_id)

        def gone(sighting: Sighting) -> bool:
            mention = sighting.mention
            if mention.source != retraction.source:
                return False
            return mention.id == retraction.mention_id or (
                bool(retraction.author_id) and mention.author.id == retraction.author_id
            )

        for sighting in filter(gone, state.recent):
            for case in state.cases:
                case.storyline.forget(sighting.mention.source, sighting.mention.id)
        state.recent = [one for one in state.recent if not gone(one)]
        for bucket in state.windows.open.values():
            bucket.sightings = [one for one in bucket.sightings if not gone(one)]

    def command(self, command: Command) -> list[Effect]:
        """Do what a person said. A repeated command, or one for an unknown incident, does nothing."""
        state = self.state
        case = next((one for one in state.cases if one.id == command.incident_id), None)
        if case is None or command.id in state.commands:
            return []
        state.commands.append(command.id)
        del state.commands[:-REMEMBERED_COMMANDS]
        return self._obey(case, command)

    def expect(self, multiplier: float, widening: float) -> None:
        """A planned event begins (or ends, with 1 and 0)."""
        if self.state.event != (multiplier, widening):
            self.state.event = (multiplier, widening)
            self._tell_detector(Input("expect", first=multiplier, second=widening))

    def usual_by_source(self) -> dict[str, float]:
        """Mentions that were usual in the last minute, by the source that would have brought them.

        Only channels with a week of history speak.
        """
        found: dict[str, float] = {}
        channels = self.detector.channels
        for name, feeding in self.state.windows.channel_sources.items():
            channel = channels.get(name)
            if channel is None or channel.last_start - channel.first_start < LISTEN_AFTER_SECONDS:
                continue
            for source in feeding:
                # An event that was planned and does not take place is no dead collector.
                part = channel.last_expected / max(1.0, channel.profile.multiplier) / len(feeding)
                found[source] = found.get(source, 0.0) + part
        return found

    # --- state as bytes --------------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """The whole state, versioned msgpack."""
        blob = Blob(SNAPSHOT_VERSION, self.brand.id, self.state, self.detector.snapshot())
        return msgspec.msgpack.encode(blob)

    def restore(self, data: bytes) -> None:
        """Take up a snapshot.

        Raises:
            SnapshotError: Damaged bytes, another brand's, or an unknown version.
        """
        try:
            version = msgspec.msgpack.decode(data, type=_Version).version
            if version != SNAPSHOT_VERSION:
                raise SnapshotError(
                    f"snapshot of brand {self.brand.id} has version {version}; this Sentinel reads {SNAPSHOT_VERSION}"
                )
            blob = msgspec.msgpack.decode(data, type=Blob)
            detector = BrandDetector.restore(blob.detector)
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError, IndexError) as error:
            raise SnapshotError(f"snapshot of brand {self.brand.id} is damaged: {error}") from error
        if blob.brand != self.brand.id:
            raise SnapshotError(f"snapshot is of brand {blob.brand}, not {self.brand.id}")
        self.state, self.detector = blob.state, detector

    # --- what people may ask ---------------------------------------------------------------------

    def budget_spent(self, now: float) -> float:
        """False alarms of the budget's period over what it allows."""
        since = now - self.brand.budget_days * 86_400
        return float(sum(at >= since for at in self.state.false_alarms))

    # --- closing a minute ------------------------------------------------------------------------

    def _due(self, tick: Tick) -> Iterator[tuple[int, OpenBucket | None]]:
        windows = self.state.windows
        if not windows.closed:
            # Nothing is known before the first mention: a brand begins with it, or with the first tick.
            first = min(windows.open, default=int(tick.until))
            windows.closed = float(first)
        while windows.closed < tick.until:
            start = int(windows.closed)
            yield start, windows.open.pop(start, None)

    def _borrow(self, priors: Priors | None) -> None:
        if priors is not None:
            threat = Input("threat prior", first=priors.threat, second=priors.threat_blocks)
            chance = Input(
                "opportunity prior", first=priors.opportunity, second=priors.opportunity_blocks
            )
            self._tell_detector(threat)
            self._tell_detector(chance)

    def _pass_idle(self, start: int, until: float) -> bool:
        """Close a run of empty minutes of a brand on which nothing is going on at once; False if that may not be."""
        state, detector = self.state, self.detector
        end = min(min(state.windows.open, default=until), until)
        most = int(end - start) // BUCKET_SECONDS
        if most < IDLE_MINUTES or state.event != (1.0, 0.0) or detector.held:
            return False
        if any(case.open for case in state.cases):
            return False
        expected = state.recording.pass_idle(detector, start, most)
        if not expected:
            return False
        pooled = detector.pooled
        read = pooled.read_share
        state.flow.push_idle(
            start, expected, read * pooled.negative.usual, read * pooled.positive.usual
        )
        state.missing_buckets = 0
        state.windows.closed = float(start + len(expected) * BUCKET_SECONDS)
        if state.cases:
            state.armed = dict.fromkeys((Direction.THREAT, Direction.OPPORTUNITY), True)
            self._forget_resolved(state.windows.closed)
        return True

    def _past(self, at: float) -> tuple[PastCase, ...]:
        """The brand's past incidents, those that are still shown among them: they may yet be called false."""
        known = [past for case in self.state.cases if (past := past_case(case)) is not None]
        return in_time((*self.state.history, *known), at)

    def _forget_resolved(self, at: float) -> None:
        state = self.state
        kept = [
            case
            for case in state.cases
            if case.open or at - (case.resolved_at or at) < RETURN_SECONDS
        ]
        if len(kept) < len(state.cases):
            state.history = self._past(at)
            state.cases = kept

    def _close_minute(
        self, start: int, bucket: OpenBucket | None, missing: frozenset[str], *, blind: bool
    ) -> list[Effect]:
        state, detector = self.state, self.detector
        counts = {} if bucket is None else bucket.counts
        if bucket is None and blind:
            self._tell_detector(Input("skip", start))
        else:
            missing = missing - counts.keys()  # what did come is not missing
            self._tell_detector(Input("minute", start, counts, sorted(missing)))
        all_missing = blind or (bool(missing) and missing.issuperset(state.windows.channel_sources))
        state.missing_buckets = state.missing_buckets + 1 if all_missing else 0
        if state.missing_buckets >= BLIND_AFTER_BUCKETS:
            state.gap_until = start + GAP_SECONDS
        self._push(start, counts, {} if bucket is None else bucket.groups)
        said = self._in_order(bucket)
        at = float(start + BUCKET_SECONDS)
        if (
            not state.cases
            and not said
            and detector.score < detector.threshold
            and (detector.opportunity_score < detector.opportunity_threshold)
        ):
            return []  # the quiet minute of a quiet brand: nothing can follow
        effects: list[Effect] = []
        for sighting in said:
            self._remember(sighting)
        if not all_missing:
            for direction in (Direction.THREAT, Direction.OPPORTUNITY):
                effects += self._decide(direction, at)
        open_case = any(case.open for case in state.cases)
        if open_case != detector.held:
            self._tell_detector(Input("hold", first=float(open_case)))
        self._forget_resolved(at)
        return effects

    def _push(self, start: int, counts: dict[str, list[int]], groups: dict[str, list[int]]) -> None:
        pooled = self.detector.pooled
        expected, to_read = pooled.last_expected, pooled.last_expected * pooled.read_share
        self.state.flow.push(
            Counts(
                start=float(start),
                mentions=sum(n[0] for n in counts.values()),
                negative=sum(n[1] for n in counts.values()),
                positive=sum(n[2] for n in counts.values()),
                expected=expected,
                expected_negative=to_read * pooled.negative.usual,
                expected_positive=to_read * pooled.positive.usual,
                unread=sum(n[3] for n in counts.values()),
                groups=tuple((name, n[0], n[1], n[2]) for name, n in sorted(groups.items())),
            )
        )

    @staticmethod
    def _in_order(bucket: OpenBucket | None) -> list[Sighting]:
        """Sightings of a minute in one order, whatever order they came in."""
        if bucket is None:
            return []
        return sorted(bucket.sightings, key=lambda one: (one.mention.published_at, one.mention.key))

    def _remember(self, sighting: Sighting) -> None:
        state = self.state
        taken = False
        for case in state.cases:
            if case.open:
                case.storyline.add(sighting)
                taken = True
        if not taken:
            state.baseline.add(sighting.verdict.terms)
        state.recent.append(sighting)
        if len(state.recent) > RECENT_SIGHTINGS:
            del state.recent[0]

    # --- deciding --------------------------------------------------------------------------------

    def _decide(self, direction: Direction, at: float) -> list[Effect]:
        state, detector = self.state, self.detector
        threat = direction is Direction.THREAT
        score = detector.score if threat else detector.opportunity_score
        bar = detector.threshold if threat else detector.opportunity_threshold
        case = next((one for one in state.cases if one.open and one.direction is direction), None)
        if case is not None:
            return self._go_on(case, at)
        if score < bar:
            state.armed[direction] = True
            return []
        voices = state.flow.window(at, direction)[1].toward(direction)
        if not state.armed.get(direction, True) or voices < LEAST_VOICES:
            return []  # with too few voices it stays armed: the next one may make it talk
        if not threat and any(one.open for one in state.cases):
            return []  # praise during a crisis is part of the crisis
        if not threat and state.flow.heat(direction) - state.flow.usual(direction) < SMALL_EXCESS:
            return []  # praise too small to do anything with; a threat as small may be the beginning of one
        return self._begin(direction, at)

    def _begin(self, direction: Direction, at: float) -> list[Effect]:
        """An alarm with no open incident: a new one, the return of an old one, or one that was called false."""
        state = self.state
        reading = self.detector.last
        onset = float(
            (reading.onset if direction is Direction.THREAT else reading.opportunity_onset)
            or at - 900
        )
        onset = min(onset, at - BUCKET_SECONDS)
        story = Storyline(direction=direction)
        begun = [
            sighting
            for sighting in state.recent
            if sighting.mention.published_at >= onset - BUCKET_SECONDS
        ]
        for sighting in begun:
            story.add(sighting)
        old = next(
            (one for one in reversed(state.cases) if one.direction is direction and not one.open),
            None,
        )
        evidence = self._evidence(direction, at)
        state.armed[direction] = False
        if old is not None and same_story(old, story, at, own_words(self.brand)):
            return self._return(old, story, evidence, at)
        case = Case(
            id=_incident_id(self.brand.id, direction, at),
            direction=direction,
            opened_at=at,
            detected_at=at,
            onset_at=onset,
            updated_at=at,
            wave_at=at,
            called_at=at,
            paged_at=at,
            evidence=evidence,
            storyline=story,
            playbook=PlaybookMatch(playbook="", score=0.0, matched=False),
            drill=self.settings.drill,
            past=self._past(at),
        )
        for sighting in begun:
            state.baseline.take_back(sighting.verdict.terms)
        follow(case, state.flow, at)
        case.phase = Phase.ONSET
        weigh(case, state.flow)
        choose_playbook(case, self.brand, state.baseline, self.plans)
        case.caveats = self._caveats(case, reading)
        state.cases.append(case)
        return [self._tell(case, EffectKind.OPENED, at)]

    def _return(self, case: Case, story: Storyline, evidence: Evidence, at: float) -> list[Effect]:
        """The storyline is back: same incident, next wave. One that was called false returns only if it is worse."""
        direction = case.direction
        before = case.severity
        trial = Case(
            id=case.id,
            direction=direction,
            opened_at=at,
            detected_at=at,
            onset_at=at,
            updated_at=at,
            evidence=evidence,
            storyline=story,
            playbook=case.playbook,
            wave_at=at,
        )
        weigh(trial, self.state.flow)
        if (
            case.false_alarm_by
            and at < self.state.quiet_until.get(direction, 0.0)
            and trial.severity <= before
        ):
            self.state.armed[direction] = True
            return []
        for sighting in self.state.recent:
            if sighting.mention.published_at >= evidence.at - evidence.window_seconds and (
                case.resolved_at is None or sighting.mention.published_at >= case.resolved_at
            ):
                case.storyline.add(sighting)
                self.state.baseline.take_back(sighting.verdict.terms)
        case.phase, case.wave, case.wave_at = Phase.ONSET, case.wave + 1, at
        case.resolved_at, case.stood_down_at, case.false_alarm_by = None, None, ""
        case.normal_minutes = case.quiet_minutes = 0
        case.severity, case.severity_reasons = trial.severity, trial.severity_reasons
        case.evidence, case.peak_rate = evidence, 0.0
        case.acknowledged_by, case.acknowledged_at, case.snoozed_until = "", None, None
        case.escalation_level, case.called_at, case.paged_at = 0, at, at
        case.caveats = self._caveats(case, self.detector.last)
        return [self._tell(case, EffectKind.RETURNED, at)]

    def _go_on(self, case: Case, at: float) -> list[Effect]:
        """The next minute of an open incident: what changed that people should know?"""
        state = self.state
        changed = follow(case, state.flow, at)
        if case.phase is Phase.RESOLVED:
            return [self._resolve(case, at)]
        effects: list[Effect] = []
        reading = None
        if case.snoozed_until is not None and at >= case.snoozed_until:
            case.snoozed_until = None
            effects.append(self._tell(case, EffectKind.UNSNOOZED, at))
        if case.phase in {Phase.ONSET, Phase.ESCALATING, Phase.PEAK}:
            reading = self.detector.last
            # The wave's strongest figures stay, so that an alert read late says how bad it was.
            fresh = self._evidence(case.direction, at)
            if _rate(fresh) >= _rate(case.evidence):
                case.evidence = fresh
        if at - case.wave_at <= 1800 and choose_playbook(
            case, self.brand, state.baseline, self.plans
        ):
            effects.append(
                self._tell(case, EffectKind.PLAYBOOK_CHANGED, at, note=case.playbook.playbook)
            )
        before = case.severity
        if weigh(case, state.flow) and self._worth_a_page(case, at):
            case.paged_at, case.snoozed_until = at, None  # it got worse than what was snoozed
            case.caveats = self._caveats(case, reading or self.detector.last)
            effects.append(self._tell(case, EffectKind.ESCALATED, at, note=before.slug))
        elif changed and case.phase is Phase.DECAYING:
            self._let_go(case)
            effects.append(self._tell(case, EffectKind.DECAYING, at))
        elif self.detector.last.new_normal:
            effects.append(self._tell(case, EffectKind.NEW_NORMAL, at))
        elif at - case.told_at >= TELL_SECONDS and (changed or _grew(case)):
            case.caveats = self._caveats(case, reading or self.detector.last)
            effects.append(self._tell(case, EffectKind.UPDATED, at))
        return effects

    def _let_go(self, case: Case) -> None:
        """The wave is past its peak: its evidence has served, and what it looked like must not become the usual.

        Once a wave, so that a storm that flaps cannot put off the new normal for ever.
        """
        if case.let_go_wave < case.wave:
            case.let_go_wave = case.wave
            self.detector.rearm()
            self.detector.hold_learning(False)
            self.detector.hold_learning(True)

    @staticmethod
    def _worth_a_page(case: Case, at: float) -> bool:
        """A rise right after a page is not told again, unless it is to the highest; the figures are edited anyway."""
        return case.severity is Severity.CRITICAL or at - case.paged_at >= PAGE_AGAIN_SECONDS

    def _resolve(self, case: Case, at: float) -> Effect:
        case.phase, case.resolved_at = Phase.RESOLVED, at
        self._tell_detector(Input("rearm"))
        return self._tell(case, EffectKind.RESOLVED, at)

    def _call_up(self, now: float) -> list[Effect]:
        """Nobody took it: the next in the chain is called."""
        effects: list[Effect] = []
        chain = self.settings.escalate_after_minutes
        for case in self.state.cases:
            if (
                not case.open
                or case.acknowledged_by
                or case.snoozed_until
                or case.phase is Phase.DECAYING
            ):
                continue
            if case.direction is Direction.OPPORTUNITY or case.severity < Severity.MEDIUM:
                continue
            level = case.escalation_level
            if level < len(chain) and now - case.called_at >= chain[level] * 60:
                case.escalation_level, case.called_at = level + 1, now
                effects.append(self._tell(case, EffectKind.HANDED_UP, now))
        return effects

    def _stand_down(self, now: float) -> list[Effect]:
        """The talk has been calm for as long as the plan wants it to be before people stand down; told once a wave."""
        effects: list[Effect] = []
        for case in self.state.cases:
            plan = plan_of(case, self.plans.playbooks)
            if case.calm_since is None or case.stood_down_at is not None or plan is None:
                continue
            quiet = plan.stand_down.quiet_minutes * 60.0
            blind_until = self.state.gap_until - GAP_SECONDS
            if now - max(case.calm_since, blind_until) < quiet:
                continue
            counts = self.state.flow.last(now, quiet)
            usual = case.evidence.usual_negative_share
            if stand_down_met(plan.stand_down, counts, usual, case.direction):
                case.stood_down_at = now
                effects.append(self._tell(case, EffectKind.STOOD_DOWN, now))
        return effects

    # --- people ----------------------------------------------------------------------------------

    def _obey(self, case: Case, command: Command) -> list[Effect]:
        kind = obey(case, command, self.plans.playbooks)
        if kind is None:
            return []
        if kind is EffectKind.FALSE_ALARM:
            if not case.drill:
                self.state.false_alarms = [*self.state.false_alarms, command.at][-100:]
            self.state.quiet_until[case.direction] = command.at + FALSE_ALARM_QUIET_SECONDS
        if kind in ENDING:
            self._tell_detector(Input("rearm"))
        return [self._tell(case, kind, command.at, actor=command.actor_name, note=command.value)]

    # --- telling ---------------------------------------------------------------------------------

    def _tell(
        self, case: Case, kind: EffectKind, at: float, *, actor: str = "", note: str = ""
    ) -> Effect:
        case.revision += 1
        case.updated_at = at
        case.told_at, case.told_mentions = at, case.storyline.mentions
        # Opening, return and a rise in severity make noise even when somebody has taken it: they are news.
        page = kind in WORSENING and not (
            case.snoozed_until is not None and at < case.snoozed_until
        )
        return Effect(
            id=f"{case.id}:{case.revision}:{kind}",
            kind=kind,
            at=at,
            brand=self.brand.id,
            incident=case.view(self.brand, self.state.flow, self.state.baseline, at),
            page=page and not case.false_alarm_by,
            actor=actor,
            note=note,
            bundle=self._bundle(case, kind, at),
        )

    def _evidence(self, direction: Direction, at: float) -> Evidence:
        return evidence_of(self.detector, direction, at, self.state.flow.window(at, direction))

    def _bundle(self, case: Case, kind: EffectKind, at: float) -> bytes:
        """What the figures follow from, where this effect tells fresh ones of an alarm."""
        if kind not in ALARMING or case.evidence.at != at:
            return b""
        state, inputs = self.state.recording.since(case.onset_at if case.wave == 1 else at - 900)
        seconds = case.evidence.window_seconds
        rows = self.state.flow.rows(at, seconds)
        return Bundle(
            BUNDLE_VERSION, case.direction, at, case.onset_at, seconds, state, inputs, rows
        ).pack()

    def _tell_detector(self, told: Input) -> None:
        self.state.recording.tell(self.detector, told)

    def _caveats(self, case: Case, reading: BrandReading) -> tuple[Caveat, ...]:
        found = list(case.storyline.caveats())
        if reading.learning:
            found.insert(0, Caveat.SHORT_HISTORY)
        if case.detected_at < self.state.gap_until or reading.doubted:
            found.append(Caveat.SOURCE_GAP)
        if self.state.event != (1.0, 0.0):
            found.append(Caveat.PLANNED_EVENT)
        if reading.polarised:
            found.append(Caveat.POLARISED)
        if not case.playbook.matched and not case.playbook.chosen_by:
            found.append(Caveat.NO_PLAYBOOK_MATCH)
        return tuple(found)


def _grew(case: Case) -> bool:
    """Whether enough was said since the last telling to make an edit worth reading."""
    return case.storyline.mentions >= case.told_mentions + max(3, case.told_mentions // 10)


def _rate(evidence: Evidence) -> float:
    return evidence.mentions / evidence.window_seconds


def _incident_id(brand: str, direction: Direction, at: float) -> str:
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y%m%d-%H%M")
    return f"{brand}-{stamp}" if direction is Direction.THREAT else f"{brand}-{stamp}-o"
