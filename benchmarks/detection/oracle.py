"""The oracle: knows everything about a brand but whether and when a crisis has begun. A bound, not a competitor.

It knows the season, the bursts, every parameter and the exact course that the crisis will take; it does not see the level, the share or the
onset. For each possible onset a forward algorithm over the 13 x 13 states of level and share gives the exact likelihood of the counts;
the sum of the likelihood ratios over the onsets is the Shiryaev-Roberts statistic R. R minus the number of minutes is a martingale
without a crisis, so an alarm at R >= A comes by chance at most once in A minutes on average (Pollak 1985): the oracle needs no
calibration, A is the budget.

Onsets are a grid of ``spacing`` minutes (each counts ``spacing`` times, which costs the guarantee that many minutes), and the
oldest of ``SLOTS`` gives way to the next (which only lowers R).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from benchmarks.detection.brands import (
    HORIZON,
    LEVEL_MINUTES,
    SHARE_MINUTES,
    SITES,
    Brand,
    Counts,
    Crisis,
    Floats,
    Rates,
    flip_chance,
    usual_rates,
    wander_values,
    with_crisis,
)

SLOTS = 48  # onsets that are considered at a time
SETTLE = 240  # minutes in which the filters find the level and the share before an onset
LEAD = 6  # onsets on the grid before the true one, so that R has had time for false starts


@cache
def transition(memory: float) -> Floats:
    """Chances from state to state within a minute, rows from, columns to."""
    flip = flip_chance(memory)
    out = np.zeros((SITES + 1, SITES + 1))
    for up in range(SITES + 1):
        out[up] = np.convolve(_binomial(up, 1 - flip), _binomial(SITES - up, flip))
    return out


def _binomial(number: int, chance: float) -> Floats:
    k = np.arange(number + 1)
    ways = np.array([math.comb(number, j) for j in k], float)
    out: Floats = ways * chance**k * (1 - chance) ** (number - k)
    return out


def information_delay(brand: Brand, crisis: Crisis, budget_minutes: float) -> int:
    """Minutes until the expected evidence reaches ln(budget) if level and share were known: the limit of Lorden (1971)."""
    season = np.full(HORIZON, brand.rate)
    none = Rates(*np.zeros((3, HORIZON)))
    before = usual_rates(season, np.zeros(HORIZON), np.zeros(HORIZON), brand.base, none)
    after = with_crisis(before, season * crisis.growth(), crisis.share, crisis.turned(brand.base))
    m0, m1 = sum(before), sum(after)
    k = 1 / brand.phi
    nats = sum(a * np.log(a / b) for a, b in zip(after, before, strict=True))
    nats = np.cumsum(nats - (m1 + k) * np.log((k + m1) / (k + m0)))
    return int(np.searchsorted(nats, math.log(budget_minutes))) + 1


def spacing(brand: Brand, crisis: Crisis, budget_minutes: float) -> int:
    """Minutes between two onsets, so that the slots reach back three times as far as the limit."""
    return math.ceil(min(HORIZON, 3 * information_delay(brand, crisis, budget_minutes)) / SLOTS)


class Oracle:
    """The oracle over several brands side by side, which face the same kind of crisis.

    Args:
        brands: The brands.
        crisis: The crisis to wait for.
        firsts: For each brand, the minute of its data that comes first.
        step: Minutes between two possible onsets.
    """

    def __init__(
        self, brands: Sequence[Brand], crisis: Crisis, firsts: Sequence[int], step: int
    ) -> None:
        self._brands, self._crisis, self._firsts, self._step = brands, crisis, firsts, step
        column = (len(brands), 1, 1, 1)
        states = SITES + 1
        self._base = np.array([brand.base for brand in brands]).reshape(column)
        self._k = 1 / np.array([brand.phi for brand in brands]).reshape(column)
        self._level = np.array([wander_values(brand.level_sd) for brand in brands])[
            :, None, :, None
        ]
        self._tilt = np.array([wander_values(brand.share_sd) for brand in brands])[:, None, None, :]
        still = np.outer(_binomial(SITES, 0.5), _binomial(SITES, 0.5))
        self._growth = np.append(crisis.growth(), 0.0)  # the last entry: no crisis
        self._turned = np.array([np.append(crisis.turned(brand.base), 0.0) for brand in brands])
        # Slot 0 is the world without a crisis; the others are onsets.
        self._belief = np.broadcast_to(still, (len(brands), 1, states, states)).copy()
        self._nats = np.zeros((len(brands), 1))  # log likelihood ratios
        self._ages = np.array([-1])
        self._minute = 0

    def update(self, counts: Sequence[tuple[int, int, int]], *, watch: bool = True) -> Floats:
        """R of each brand after one more minute.

        Args:
            counts: Total, negative and positive mentions, brand by brand.
            watch: Whether a crisis may begin from here on; otherwise level and share are followed only.
        """
        if watch and self._minute % self._step == 0:
            self._new_onset()
        rates = self._rates()
        total, negative, positive = np.array(counts, float).T[:, :, None, None, None]
        rest = total - negative - positive
        like = negative * np.log(rates.negative) + positive * np.log(rates.positive)
        like += rest * np.log(rates.other)
        like -= (total + self._k) * np.log(self._k + sum(rates))
        top = like.max(axis=(1, 2, 3), keepdims=True)
        ahead = transition(LEVEL_MINUTES).T @ self._belief @ transition(SHARE_MINUTES)
        ahead *= np.exp(like - top)
        mass = ahead.sum(axis=(2, 3))
        self._belief = ahead / np.maximum(mass, 1e-300)[:, :, None, None]
        gain = np.log(np.maximum(mass, 1e-300))
        self._nats += gain - gain[:, :1]
        self._ages = np.where(self._ages < 0, -1, np.minimum(self._ages + 1, HORIZON - 1))
        self._minute += 1
        ratios: Floats = np.exp(np.minimum(self._nats[:, 1:], 600.0)).sum(axis=1)
        return self._step * ratios

    def _new_onset(self) -> None:
        oldest = 1 if len(self._ages) > SLOTS else len(self._ages)
        keep = [k for k in range(len(self._ages)) if k != oldest]
        self._belief = np.concatenate([self._belief[:, keep], self._belief[:, :1]], axis=1)
        zero = np.zeros((len(self._brands), 1))
        self._nats = np.concatenate([self._nats[:, keep], zero], axis=1)
        self._ages = np.append(self._ages[keep], 0)

    def _rates(self) -> Rates:
        at = [first + self._minute for first in self._firsts]
        season, *burst = (
            np.array([part[minute] for part, minute in zip(parts, at, strict=True)])[
                :, None, None, None
            ]
            for parts in (
                [brand.season for brand in self._brands],
                *([brand.burst[k] for brand in self._brands] for k in range(3)),
            )
        )
        usual = usual_rates(season, self._level, self._tilt, self._base, Rates(*burst))
        further = season * self._growth[self._ages][None, :, None, None]
        turned = self._turned[:, self._ages][:, :, None, None]
        return with_crisis(usual, further, self._crisis.share, turned)


def delays(
    brands: Sequence[Brand],
    onsets: Sequence[int],
    after: Sequence[Counts],
    crisis: Crisis,
    budget_minutes: float,
) -> list[float]:
    """Minutes from each onset to the oracle's alarm; infinite beyond the horizon, NaN if R had crossed before.

    Args:
        brands: One a crisis; a brand may come several times.
        onsets: Minute of its brand at which each crisis begins; at least ``SETTLE`` and the lead.
        after: Counts of the horizon with the crisis.
        crisis: Its kind.
        budget_minutes: Mean minutes to a false alarm.
    """
    step = min(spacing(brand, crisis, budget_minutes) for brand in brands)
    lead = LEAD * step
    firsts = [onset - lead - SETTLE for onset in onsets]
    oracle = Oracle(brands, crisis, firsts, step)
    limit = budget_minutes + step
    found = np.full(len(brands), math.inf)
    for minute in range(SETTLE + lead + HORIZON):
        age = minute - SETTLE - lead
        row = [
            (
                int(part.total[at]),
                int(part.negative[at]),
                int(part.positive[at]),
            )
            for part, at in (
                (brand.counts, first + minute) if age < 0 else (counts, age)
                for brand, first, counts in zip(brands, firsts, after, strict=True)
            )
        ]
        over = oracle.update(row, watch=minute >= SETTLE) >= limit
        if age < 0:
            found[over] = math.nan
        else:
            found[over & np.isinf(found)] = age + 1
            if not np.isinf(found).any():
                break
    return [float(value) for value in found]
