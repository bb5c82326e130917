"""Empty minutes closed many at a time give what closing each gives."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from sentinel.core.evidence import Bundle
from sentinel.core.pipeline import Core
from sentinel.core.recompute import recompute
from sentinel.model import Effect, EffectKind, Sighting, SourceState, SourceStatus
from tests.core.build import NEGATIVE, NEUTRAL, POSITIVE, T0, core, sighting

DAYS = 9


def talk(seed: int = 3) -> list[Sighting]:
    """Nine sparse days on two channels, a storm of negatives at the end of the eighth, in order of time."""
    rng = Random(seed)
    times = sorted(rng.uniform(0, DAYS * 86_400) for _ in range(DAYS * 30))
    found = [
        sighting(n, T0 + at, rng.choice((NEUTRAL, NEUTRAL, POSITIVE, NEGATIVE)), channel=channel)
        for n, at in enumerate(times)
        for channel in [rng.choice(("social", "news"))]
    ]
    storm = T0 + 8 * 86_400 - 7200
    found += [sighting(10_000 + n, storm + n * 20, NEGATIVE) for n in range(60)]
    return sorted(found, key=lambda one: one.mention.published_at)


def play(step_minutes: int | None) -> tuple[Core, list[Effect]]:
    """Feed the talk; tick every so many minutes, or only when something was said."""
    one = core()
    one.source(SourceStatus("feed", SourceState.ALIVE, T0))
    effects: list[Effect] = []
    closed = T0

    def close(until: float) -> None:
        tick = one.tick(until)
        if tick is not None:
            effects.extend(one.advance(tick))

    close(T0 + 60)  # both begin with the same minute
    for said in [*talk(), sighting(99_999, T0 + DAYS * 86_400, NEUTRAL)]:
        at = said.mention.published_at
        if step_minutes is None:
            close(at)
        else:
            while closed + step_minutes * 60 <= at:
                closed += step_minutes * 60
                close(closed)
        one.feed([said])
    close(T0 + DAYS * 86_400 + 600)
    return one, effects


def told_of(effects: list[Effect]) -> list[tuple[object, ...]]:
    """What was told. Calls up the chain happen at ticks, which are others here."""
    return [(one.kind, one.at, one.page) for one in effects if one.kind is not EffectKind.HANDED_UP]


def figures(effects: list[Effect]) -> list[float]:
    return [
        value
        for one in effects
        if one.incident and one.kind is not EffectKind.HANDED_UP
        for value in msgspec.structs.asdict(one.incident.evidence).values()
        if isinstance(value, int | float)
    ]


def test_effects_and_figures_are_those_of_closing_every_minute() -> None:
    stepped, told = play(1)
    idled, again = play(None)
    assert {"opened", "resolved"} <= {one.kind.value for one in told}
    assert told_of(again) == told_of(told)
    assert figures(again) == pytest.approx(figures(told), abs=2e-4)
    before, after = (one.shards["aurora"].state for one in (stepped, idled))
    assert len(after.flow.minutes) == len(before.flow.minutes)
    assert [one.start for one in after.flow.hours] == [one.start for one in before.flow.hours]
    assert after.armed == before.armed
    # Long quiet stretches are one line of the recording, not a line a minute.
    assert any(told.kind == "idle" for part in after.recording.segments for told in part.inputs)


def test_an_alarm_after_idle_minutes_is_recomputed_to_the_same_figures() -> None:
    _, effects = play(None)
    bundles = [(one, one.incident) for one in effects if one.bundle and one.incident]
    assert bundles
    for effect, incident in bundles:
        bundle = Bundle.unpack(effect.bundle)
        assert any(told.kind == "idle" for told in bundle.inputs)
        result = recompute(bundle, incident.evidence)
        assert result.differences == ()
        assert result.counterfactual is not None
