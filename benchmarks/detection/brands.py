"""Simulated brands, minute by minute, and the crises that befall them. No detector lives here.

In a minute the brand has intensities of negative, positive and other mentions; they are the sum of the usual talk, of harmless
bursts and perhaps of a crisis. One gamma factor of mean 1 and variance ``phi`` multiplies all of them, so the count is negative
binomial and, given the count, the three classes are multinomial. Usual talk is season(t) * exp(level(t)), with a negative share whose
logit wanders too.

Level and logit are sums of telegraph processes (an Ehrenfest chain): nearly Gaussian, autocorrelation exp(-t / tau), and with a finite number of
states. So the likelihood of what is seen can be computed exactly, which is what ``oracle`` needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]

DAY = 1440
HORIZON = 360  # minutes that a crisis is watched
# A Monday. Clocks change on 8 March in New York and on 29 March in Rome: both inside the simulated weeks.
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
ZONES = ("Europe/Rome", "America/New_York", "Asia/Tokyo")
SITES = 12  # telegraph processes in a wander; 13 states
LEVEL_MINUTES = 150.0  # memory of the level
SHARE_MINUTES = 480.0  # memory of the negative share
USUAL_POSITIVE = 0.3  # of the usual mentions that are not negative
CRISIS_POSITIVE = 0.1  # of the crisis's mentions that are not negative
BURSTS_PER_WEEK = 4.0  # harmless ones
CALIBRATION, TEST = 0, 1  # brands of the two never share a random stream


class Counts(NamedTuple):
    """Mentions of consecutive minutes."""

    total: Ints
    negative: Ints
    positive: Ints

    def between(self, first: int, last: int) -> Counts:
        return Counts(*(part[first:last] for part in self))


class Rates(NamedTuple):
    """Intensities a minute of negative, positive and other mentions."""

    negative: Floats
    positive: Floats
    other: Floats


@dataclass(frozen=True)
class Crisis:
    """How a crisis grows.

    Attributes:
        name: Short name in tables.
        words: What it is, for a reader.
        excess: Further mentions at the top, as a multiple of the season's rate; 0: no further mentions.
        doubling: Minutes in which the excess doubles, from a tenth of the season's rate on.
        share: Negative share of the further mentions; without excess, of all mentions at the end.
        ramp: Minutes until the share is reached; only without excess.
    """

    name: str
    words: str
    excess: float
    doubling: float
    share: float
    ramp: float = 0.0

    def growth(self) -> Floats:
        """The excess at each minute of the horizon."""
        if self.excess == 0:
            return np.zeros(HORIZON)
        free = 0.1 * 2.0 ** (np.arange(HORIZON) / self.doubling)
        return 1 / (1 / self.excess + 1 / free)

    def turned(self, base: float) -> Floats:
        """The part of all other mentions that is negative instead, at each minute of the horizon."""
        if self.excess > 0:
            return np.zeros(HORIZON)
        top = max(0.0, (self.share - base) / (1 - base))
        return top * np.minimum(1.0, (np.arange(HORIZON) + 1) / self.ramp)


CRISES = (
    Crisis("flash", "40x, doubling every 5 min", 40, 5, 0.85),
    Crisis("storm", "8x, doubling every 15 min", 8, 15, 0.7),
    Crisis("thin", "2x, doubling every 15 min", 1, 15, 0.6),
    Crisis("swell", "5x, doubling every 45 min", 4, 45, 0.65),
    Crisis("outage", "3x within 10 min", 2, 2, 0.75),
    Crisis("turn", "no more mentions, negative share to .5 in 30 min", 0, 0, 0.5, 30),
    Crisis("souring", "no more mentions, negative share to .5 in 2 h", 0, 0, 0.5, 120),
)


@dataclass(frozen=True)
class Brand:
    """A simulated brand and its hidden truth; arrays have one entry a minute."""

    rate: float
    timezone: str
    phi: float
    base: float  # negative share at the middle of its wander
    level_sd: float
    share_sd: float  # of the logit
    season: Floats
    level: Ints  # telegraph processes that are up
    tilt: Ints
    burst: Rates
    counts: Counts

    def start(self, minute: int) -> int:
        """Epoch seconds at which a minute begins."""
        return int(BEGIN.timestamp()) + 60 * minute


def wander_values(sd: float) -> Floats:
    """Value of a wander in each of its states: mean 0, standard deviation ``sd``."""
    return sd * (2 * np.arange(SITES + 1) - SITES) / math.sqrt(SITES)


def flip_chance(memory: float) -> float:
    """Chance that one telegraph process flips within a minute, for an autocorrelation of exp(-t / memory)."""
    return (1 - math.exp(-1 / memory)) / 2


def _wander(rng: np.random.Generator, minutes: int, memory: float) -> Ints:
    flips = rng.random((SITES, minutes)) < flip_chance(memory)
    first = rng.integers(0, 2, (SITES, 1))
    up: Ints = ((first + np.cumsum(flips, axis=1)) % 2).sum(axis=0)
    return up


def _week(rng: np.random.Generator) -> Floats:
    """Hour-of-week profile with mean 1: a day with a wide and a narrow hump, night at a half to an eighth of the top, quieter weekends."""
    hours = np.arange(24)
    noon, evening = rng.uniform(10, 15), rng.uniform(18, 22)
    hump = np.exp(4 * (np.cos(2 * np.pi * (hours - noon) / 24) - 1))
    hump += rng.uniform(0.2, 0.9) * np.exp(12 * (np.cos(2 * np.pi * (hours - evening) / 24) - 1))
    day = 1 + rng.uniform(1, 7) * hump / hump.max()
    days = np.where(np.arange(7) < 5, 1.0, rng.uniform(0.5, 1.1)) * rng.uniform(0.92, 1.08, 7)
    week: Floats = (days[:, None] * day).ravel() * rng.lognormal(0, 0.05, 168)
    week /= week.mean()
    return week


def _season(rng: np.random.Generator, rate: float, minutes: int, timezone: str) -> Floats:
    """The profile on the wall clock of the zone, interpolated between the middles of hours."""
    week, zone = _week(rng), ZoneInfo(timezone)
    local = [(BEGIN + timedelta(hours=k)).astimezone(zone) for k in range(minutes // 60 + 2)]
    cells = np.array([week[moment.weekday() * 24 + moment.hour] for moment in local])
    middles = 60 * np.arange(len(cells)) + 30
    season: Floats = rate * np.interp(np.arange(minutes) + 0.5, middles, cells)
    return season


def _bursts(rng: np.random.Generator, season: Floats, base: float) -> Rates:
    """Harmless bursts: seven in ten are praise, most others are the usual talk, one in twenty is somewhat more negative."""
    minutes = len(season)
    out = np.zeros((3, minutes))
    for _ in range(rng.poisson(BURSTS_PER_WEEK * minutes / (7 * DAY))):
        begin = int(rng.integers(minutes))
        excess = min(50.0, 0.5 + rng.pareto(1.4))
        rise, decay = rng.uniform(1, 12), rng.uniform(15, 75)
        age = np.arange(min(minutes - begin, int(8 * decay)))
        shape = excess * season[begin] * (1 - np.exp(-(age + 1) / rise)) * np.exp(-age / decay)
        kind = rng.random()
        if kind < 0.7:
            negative, positive = rng.beta(2, 24), 0.65
        else:
            negative = base if kind < 0.95 else base + 0.1
            positive = USUAL_POSITIVE * (1 - negative)
        parts = (negative, positive, 1 - negative - positive)
        out[:, begin : begin + len(age)] += np.outer(parts, shape)
    return Rates(*out)


def simulate(seed: int, role: int, index: int, rate: float, days: int) -> Brand:
    """One brand without a crisis; the same arguments always give the same brand.

    Args:
        seed: Of the whole study.
        role: ``CALIBRATION`` or ``TEST``.
        index: Number of the brand within its role.
        rate: Mean mentions a minute, above 0.
        days: Length in days.
    """
    rng = np.random.default_rng([seed, role, index, round(rate * 1000)])
    minutes, timezone = days * DAY, ZONES[index % len(ZONES)]
    phi, base = rng.uniform(0.03, 0.1), rng.uniform(0.1, 0.3)
    level_sd, share_sd = rng.uniform(0.15, 0.35), rng.uniform(0.1, 0.25)
    season = _season(rng, rate, minutes, timezone)
    level = _wander(rng, minutes, LEVEL_MINUTES)
    tilt = _wander(rng, minutes, SHARE_MINUTES)
    burst = _bursts(rng, season, base)
    rates = usual_rates(
        season, wander_values(level_sd)[level], wander_values(share_sd)[tilt], base, burst
    )
    counts = _draw(rng, rates, phi)
    return Brand(rate, timezone, phi, base, level_sd, share_sd, season, level, tilt, burst, counts)


def usual_rates(
    season: Floats, level: Floats, tilt: Floats, base: float | Floats, burst: Rates
) -> Rates:
    """Intensities of the usual talk and the bursts; arguments broadcast."""
    talk = season * np.exp(level)
    share = 1 / (1 + (1 / base - 1) * np.exp(-tilt))
    kind = talk * (1 - share)
    return Rates(
        talk * share + burst.negative,
        kind * USUAL_POSITIVE + burst.positive,
        kind * (1 - USUAL_POSITIVE) + burst.other,
    )


def with_crisis(rates: Rates, further: Floats, share: float, turned: Floats) -> Rates:
    """Intensities with a crisis: ``further`` mentions of negative share ``share``, ``turned`` part of the others negative; broadcasts."""
    calm = further * (1 - share)
    negative = rates.negative + further * share
    positive = rates.positive + calm * CRISIS_POSITIVE
    other = rates.other + calm * (1 - CRISIS_POSITIVE)
    return Rates(
        negative + turned * (positive + other), positive * (1 - turned), other * (1 - turned)
    )


def _draw(rng: np.random.Generator, rates: Rates, phi: float) -> Counts:
    noise = rng.gamma(1 / phi, phi, len(rates.negative))
    negative, positive, other = (rng.poisson(part * noise) for part in rates)
    return Counts(negative + positive + other, negative, positive)


def befall(brand: Brand, crisis: Crisis, onset: int, seed: int) -> Counts:
    """The counts of the horizon after ``onset`` (a minute), with the crisis: drawn anew under the same level and share."""
    here = slice(onset, onset + HORIZON)
    usual = usual_rates(
        brand.season[here],
        wander_values(brand.level_sd)[brand.level[here]],
        wander_values(brand.share_sd)[brand.tilt[here]],
        brand.base,
        Rates(*(part[here] for part in brand.burst)),
    )
    further = brand.season[here] * crisis.growth()
    rates = with_crisis(usual, further, crisis.share, crisis.turned(brand.base))
    name = int.from_bytes(crisis.name.encode(), "little")
    return _draw(np.random.default_rng([seed, onset, name]), rates, brand.phi)
