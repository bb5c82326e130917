"""The core: one deterministic state machine over mentions, ticks, sources' words and people's commands.

What lives here: routing of each input to the brands' shards, and the global part (liveness of sources). No await, no
clock, no I/O, no logging: the same inputs in the same order give the same effects with the same ids, which is what makes
replay, recovery after a crash, backtests and drills one and the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from sentinel.core.borrowing import priors
from sentinel.core.playbook_match import Matcher
from sentinel.core.playbooks import Playbook
from sentinel.core.shard import BrandShard, Settings
from sentinel.core.silence import Listening
from sentinel.core.windows import BUCKET_SECONDS, Tick, Watermarks, Window
from sentinel.errors import SnapshotError
from sentinel.model import (
    Brand,
    Command,
    Effect,
    EffectKind,
    Incident,
    Retraction,
    Sighting,
    SourceState,
    SourceStatus,
)

GLOBAL = ""
"""Key of the global part among the snapshots."""
GLOBAL_VERSION = 1
GAP = "gap"
"""How a source's detail begins when it is alive again but could not bring everything that it missed."""
DAY_SECONDS = 86_400.0
SILENT_AFTER_SECONDS = 300.0
"""A source that is down this long is told to operations."""


class Fed(msgspec.Struct, frozen=True):
    """What became of fed sightings.

    Attributes:
        late: Their minute was closed for every brand: to be archived, not counted.
    """

    counted: tuple[Sighting, ...] = ()
    late: tuple[Sighting, ...] = ()


class GlobalBlob(msgspec.Struct):
    """Snapshot of the global part."""

    version: int
    watermarks: Watermarks
    listening: Listening = msgspec.field(default_factory=Listening)


class Core:
    """All brands.

    Args:
        brands: Configured brands.
        playbooks: Playbooks that may be matched.
        lateness: Source name to lateness in seconds.
        settings: What holds for all brands.

    The order of calls is the journal. ``tick`` reads the state and changes nothing; its answer is an input.
    """

    def __init__(
        self,
        brands: Sequence[Brand],
        playbooks: Sequence[Playbook] = (),
        lateness: Mapping[str, float] | None = None,
        settings: Settings | None = None,
    ) -> None:
        plans = Matcher(playbooks)
        self.shards = {brand.id: BrandShard(brand, plans, settings) for brand in brands}
        self.calendar: tuple[Window, ...] = ()
        """Planned events, set from outside at any time; what applied is in each tick."""
        self.listening = Listening()
        limits = settings or Settings()
        self.watermarks = Watermarks.of(
            lateness or {},
            hold_seconds=limits.hold_seconds,
            max_wait_seconds=limits.max_wait_seconds,
        )

    # --- inputs ----------------------------------------------------------------------------------

    def feed(self, sightings: Iterable[Sighting], *, only: frozenset[str] | None = None) -> Fed:
        """Count sightings in the open minutes of their brands.

        Args:
            sightings: Each distinct by (source, id); the store has removed repeats.
            only: Brands to feed, during a replay; None for all.
        """
        counted: list[Sighting] = []
        late: list[Sighting] = []
        for sighting in sightings:
            in_time = False
            for match in sighting.matches:
                shard = self.shards.get(match.brand)
                if shard is not None and (only is None or match.brand in only):
                    counts = shard.feed(sighting)
                    in_time = counts or in_time
                    if counts and (only is None or GLOBAL in only):
                        self.listening.hear(sighting.mention.source, match.brand)
            (counted if in_time else late).append(sighting)
        return Fed(tuple(counted), tuple(late))

    def tick(self, now: float) -> Tick | None:
        """The tick that may be made at ``now``, or None."""
        tick = self.watermarks.tick(now)
        if tick is None:
            return None
        if silent := self.listening.silent():
            tick = msgspec.structs.replace(tick, down=tuple(sorted({*tick.down, *silent})))
        if tick.until // DAY_SECONDS > self.watermarks.closed // DAY_SECONDS:
            tick = msgspec.structs.replace(tick, priors=priors(self.shards.values()))
        if not self.calendar:
            return tick
        begun = min(
            (shard.state.windows.closed for shard in self.shards.values()),
            default=self.watermarks.closed,
        )
        touching = tuple(
            window for window in self.calendar if window.start < tick.until and window.end > begun
        )
        return msgspec.structs.replace(tick, planned=touching) if touching else tick

    def advance(self, tick: Tick, *, only: frozenset[str] | None = None) -> list[Effect]:
        """Close every minute up to ``tick.until``."""
        effects: list[Effect] = []
        for brand, shard in self.shards.items():
            if only is None or brand in only:
                effects += shard.close(tick)
        if only is None or GLOBAL in only:
            effects += self._listen(tick)
            self.watermarks.closed = max(self.watermarks.closed, tick.until)
            effects += self._announce_silence(tick.now)
        return effects

    def _listen(self, tick: Tick) -> list[Effect]:
        """Whether the minutes just closed were silent although their sources say that they are alive."""
        closed, sources = self.watermarks.closed, self.watermarks.sources
        if not closed:
            return []
        # Of a long tick (Sentinel was stopped), only what came after the source was alive again is evidence.
        minutes = {
            name: max(0.0, tick.until - max(closed, watch.since)) / BUCKET_SECONDS
            for name, watch in sources.items()
            if watch.state is SourceState.ALIVE
        }
        usual: dict[str, dict[str, float]] = {}
        for brand, shard in self.shards.items():
            for source, mentions in shard.usual_by_source().items():
                usual.setdefault(source, {})[brand] = mentions * minutes.get(source, 0.0)
        told = self.listening.step(tick.until, minutes, usual)
        effects = []
        if told.silent:
            effects.append(
                _operational(EffectKind.SOURCE_SILENT, told.silent, tick.now, told.since)
            )
        if told.back:
            effects.append(_operational(EffectKind.SOURCE_RECOVERED, told.back, tick.now, tick.now))
        return effects

    def source(self, status: SourceStatus, *, only: frozenset[str] | None = None) -> list[Effect]:
        """Take a source's word about itself."""
        if status.detail.startswith(GAP):
            for brand, shard in self.shards.items():
                if only is None or brand in only:
                    shard.lost_some(status.source, status.at)
        if only is not None and GLOBAL not in only:
            return []
        self.watermarks.report(status)
        watch = self.watermarks.sources[status.source]
        if status.state is SourceState.ALIVE and watch.announced_silent:
            watch.announced_silent = False
            return [
                _operational(EffectKind.SOURCE_RECOVERED, (status.source,), status.at, status.at)
            ]
        return []

    def delivered(self, source: str, watermark: float) -> None:
        """A delivery told how far its source is."""
        self.watermarks.advanced(source, watermark)

    def command(self, command: Command, *, only: frozenset[str] | None = None) -> list[Effect]:
        """Do what a person said."""
        shard = self.shard_of(command.incident_id)
        if shard is None or (only is not None and shard.brand.id not in only):
            return []
        return shard.command(command)

    def forget(self, retraction: Retraction) -> None:
        """Show a deleted post, or a deleted author's posts, never again."""
        for shard in self.shards.values():
            shard.forget(retraction)

    def _announce_silence(self, now: float) -> list[Effect]:
        gone = [
            (name, watch)
            for name, watch in sorted(self.watermarks.sources.items())
            if watch.state is SourceState.DOWN
            and not watch.announced_silent
            and name not in self.listening.silent()
            and now - watch.since >= SILENT_AFTER_SECONDS
        ]
        for _, watch in gone:
            watch.announced_silent = True
        names = tuple(name for name, _ in gone)
        since = min((watch.since for _, watch in gone), default=now)
        return [_operational(EffectKind.SOURCE_SILENT, names, now, since)] if names else []

    # --- state as bytes --------------------------------------------------------------------------

    def snapshot(self, brand: str) -> bytes:
        """State of one brand, or of the global part for ``GLOBAL``."""
        if brand == GLOBAL:
            return msgspec.msgpack.encode(
                GlobalBlob(GLOBAL_VERSION, self.watermarks, self.listening)
            )
        return self.shards[brand].snapshot()

    def restore(self, brand: str, data: bytes) -> None:
        """Take up a snapshot.

        Raises:
            SnapshotError: Damaged, or of an unknown version.
        """
        if brand != GLOBAL:
            self.shards[brand].restore(data)
            return
        try:
            blob = msgspec.msgpack.decode(data, type=GlobalBlob)
        except msgspec.MsgspecError as error:
            raise SnapshotError(f"snapshot of the sources is damaged: {error}") from error
        if blob.version != GLOBAL_VERSION:
            raise SnapshotError(
                f"snapshot of the sources has version {blob.version}; this Sentinel reads {GLOBAL_VERSION}"
            )
        known = self.watermarks.sources
        self.listening = blob.listening
        for name in [one for one in self.listening.sources if one not in known]:
            del self.listening.sources[name]
        self.watermarks.closed = blob.watermarks.closed
        for name, watch in blob.watermarks.sources.items():
            if name in known:  # a source that was taken out of the configuration is forgotten
                watch.lateness = known[name].lateness
                known[name] = watch

    # --- what people may ask ---------------------------------------------------------------------

    def shard_of(self, incident_id: str) -> BrandShard | None:
        """The shard that holds an incident."""
        for shard in self.shards.values():
            if any(case.id == incident_id for case in shard.state.cases):
                return shard
        return None

    def open_incidents(self) -> list[Incident]:
        """Views of all open incidents."""
        return [
            case.view(shard.brand, shard.state.flow, shard.state.baseline, case.updated_at)
            for shard in self.shards.values()
            for case in shard.state.cases
            if case.open
        ]


def _operational(kind: EffectKind, sources: tuple[str, ...], at: float, since: float) -> Effect:
    return Effect(
        id=f"{'+'.join(sources)}:{at:.0f}:{kind}",
        kind=kind,
        at=at,
        sources=sources,
        note=", ".join(sources),
        since=since,
    )
