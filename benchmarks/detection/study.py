"""Runs every method and the oracle over simulated brands and sums up. Nothing is printed or drawn here.

Calibration brands give thresholds at the budget. Test brands, which share no random stream with them, give false alarms (over the
whole scored time, no crisis in it) and delays (from copies of the running detectors, which are fed what follows an onset).
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np

from benchmarks.detection.brands import (
    CALIBRATION,
    CRISES,
    DAY,
    HORIZON,
    TEST,
    Brand,
    Counts,
    Floats,
    befall,
    simulate,
)
from benchmarks.detection.measure import (
    calibrate,
    delay,
    episodes,
    false_alarms,
    median_delay,
    middle,
    ratio,
)
from benchmarks.detection.methods import METHODS, Entry, Method
from benchmarks.detection.oracle import delays as oracle_delays

MARGIN = 720  # minutes between the start of scoring and the first onset
CURVE_BUDGETS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)  # days


@dataclass(frozen=True)
class Setup:
    """Settings of a study.

    Attributes:
        seed: Of everything random.
        rates: Mean mentions a minute.
        brands: Brands of each role and rate.
        history_days: Days before anything is scored.
        scored_days: Days in which false alarms are counted.
        onsets: Crises of each kind a test brand.
        crises: Names of the kinds.
        budget_days: One false alarm a brand in so many days.
    """

    seed: int = 1
    rates: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0, 1000.0)
    brands: int = 24
    history_days: int = 28
    scored_days: int = 30
    onsets: int = 15
    crises: tuple[str, ...] = tuple(crisis.name for crisis in CRISES)
    budget_days: float = 30.0


FULL = Setup()
QUICK = replace(
    FULL, brands=5, history_days=14, onsets=5, crises=("flash", "storm", "swell", "turn")
)


@dataclass
class Outcome:
    """What came of one brand.

    Attributes:
        role: ``CALIBRATION`` or ``TEST``.
        quiet: Floats without a crisis, by method.
        crises: By crisis and method, for each onset the largest score of the last look before it and the scores after it.
        oracle: By crisis, the oracle's delays.
        seconds: CPU time by method, of the quiet minutes.
    """

    role: int
    quiet: dict[str, Floats] = field(default_factory=dict)
    crises: dict[tuple[str, str], list[tuple[Floats, Floats]]] = field(default_factory=dict)
    oracle: dict[str, list[float]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class Case(NamedTuple):
    """A brand, the onsets of its crises, and for each kind the counts that follow each onset."""

    brand: Brand
    onsets: list[int]
    after: dict[str, list[Counts]]


def feed(method: Method, brand: Brand, counts: Counts, first: int) -> Floats:
    """Scores of consecutive minutes (minutes x rungs); ``first`` is the minute of the brand at which they begin."""
    now = brand.start(first)
    rows = zip(*(part.tolist() for part in counts), strict=True)
    return np.array([method.step(now + 60 * k, *row) for k, row in enumerate(rows)], np.float32)


def run_brand(job: tuple[Setup, float, int, int]) -> Outcome:
    """Everything about one brand; ``job`` is setup, rate, role, index."""
    setup, rate, role, index = job
    days = setup.history_days + setup.scored_days
    brand = simulate(setup.seed, role, index, rate, days)
    outcome = Outcome(role)
    onsets: list[int] = []
    after: dict[str, list[Counts]] = {}
    if role == TEST:
        scored = setup.history_days * DAY
        rng = np.random.default_rng([setup.seed, index, 77])
        draws = rng.integers(scored + MARGIN, days * DAY - HORIZON, setup.onsets)
        onsets = sorted(int(draw) for draw in draws)
        kinds = [crisis for crisis in CRISES if crisis.name in setup.crises]
        for crisis in kinds:
            counts = [befall(brand, crisis, onset, setup.seed) for onset in onsets]
            after[crisis.name] = counts
            outcome.oracle[crisis.name] = oracle_delays(
                [brand] * len(onsets), onsets, counts, crisis, setup.budget_days * DAY
            )
    for entry in METHODS:
        _run_method(entry, setup, Case(brand, onsets, after), outcome)
    return outcome


def _run_method(entry: Entry, setup: Setup, case: Case, outcome: Outcome) -> None:
    brand, onsets, after = case
    method = entry.build(brand.timezone, setup.budget_days)
    minutes, begin = len(brand.counts.total), 0
    parts: list[Floats] = []
    seconds = 0.0
    for number, onset in enumerate([*onsets, minutes]):
        clock = time.process_time()
        if onset > begin:
            parts.append(feed(method, brand, brand.counts.between(begin, onset), begin))
        seconds += time.process_time() - clock
        begin = onset
        if number == len(onsets):
            break
        last = np.concatenate(parts)[-entry.every :]
        parts = [np.concatenate(parts)]
        for name, counts in after.items():
            scores = feed(copy.deepcopy(method), brand, counts[number], onset)
            outcome.crises.setdefault((name, entry.name), []).append((last.max(axis=0), scores))
    outcome.quiet[entry.name] = np.concatenate(parts)[setup.history_days * DAY :]
    outcome.seconds[entry.name] = seconds


def _choose(entry: Entry, quiet: Sequence[Floats], budget_days: float) -> tuple[int, float]:
    """Rung and threshold that keep the budget on quiet brands; an infinite threshold if none does."""
    if not entry.ladder:
        return 0, calibrate([scores[:, 0] for scores in quiet], budget_days)
    allowed = sum(len(scores) for scores in quiet) / DAY / budget_days
    for rung in range(quiet[0].shape[1]):
        if sum(episodes(scores[:, rung], 1.0) for scores in quiet) <= allowed:
            return rung, 1.0
    return 0, math.inf


def _judge(
    entry: Entry,
    rung: int,
    threshold: float,
    test: Sequence[Outcome],
    oracle: dict[str, float],
) -> dict[str, Any]:
    """False alarms and delays of a method at one setting."""
    crises: dict[str, Any] = {}
    for name, best in oracle.items():
        found = [
            delay(float(before[rung]), scores[:, rung], threshold)
            for outcome in test
            for before, scores in outcome.crises[name, entry.name]
        ]
        known = [value for value in found if not math.isnan(value)]
        median = median_delay(found)
        crises[name] = {
            "crises": len(known),
            "median_minutes": median,
            "missed": sum(math.isinf(value) for value in known) / max(1, len(known)),
            "ratio": ratio(median, best),
        }
    alarms = false_alarms([outcome.quiet[entry.name][:, rung] for outcome in test], threshold)
    return {
        "rung": rung,
        "threshold": threshold,
        "possible": math.isfinite(threshold),
        "false_alarms": alarms,
        "ratio": middle([cell["ratio"] for cell in crises.values()]),
        "crises": crises,
    }


def _sum_up(rate: float, outcomes: Sequence[Outcome], setup: Setup) -> dict[str, Any]:
    quiet = [outcome for outcome in outcomes if outcome.role == CALIBRATION]
    test = [outcome for outcome in outcomes if outcome.role == TEST]
    found = {
        name: [value for outcome in test for value in outcome.oracle[name]] for name in setup.crises
    }
    oracle = {name: median_delay(values) for name, values in found.items()}
    minutes = len(outcomes) * (setup.history_days + setup.scored_days) * DAY
    methods: dict[str, Any] = {}
    for entry in METHODS:
        streams = [outcome.quiet[entry.name] for outcome in quiet]

        def at_budget(days: float, entry: Entry = entry, streams: list[Floats] = streams) -> Any:
            return _judge(entry, *_choose(entry, streams, days), test, oracle)

        cells: dict[str, Any] = {"calibrated": at_budget(setup.budget_days), "own": None}
        if entry.own_rung is not None:
            cells["own"] = _judge(entry, entry.own_rung, entry.own_threshold, test, oracle)
        curve = [(days, at_budget(days)) for days in CURVE_BUDGETS]
        cells["curve"] = [
            {"budget_days": days, "rate": cell["false_alarms"]["rate"], "ratio": cell["ratio"]}
            for days, cell in curve
            if cell["possible"]
        ]
        spent = sum(outcome.seconds[entry.name] for outcome in outcomes)
        cells["microseconds_per_minute"] = 1e6 * spent / minutes
        methods[entry.name] = cells
    return {
        "rate": rate,
        "brand_days": len(test) * setup.scored_days,
        "oracle": {
            name: {
                "median_minutes": oracle[name],
                "missed": sum(math.isinf(value) for value in found[name]) / len(found[name]),
            }
            for name in setup.crises
        },
        "methods": methods,
    }


def run(setup: Setup, processes: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The whole study as a JSON-able dict (infinite and undefined figures are floats ``inf`` and ``nan``).

    Args:
        setup: What to run.
        processes: Worker processes; 1 runs everything here. The figures do not depend on it.
        say: Gets a line of progress after each rate.
    """
    results = []
    for rate in setup.rates:
        clock = time.monotonic()
        jobs = [
            (setup, rate, role, index)
            for role in (CALIBRATION, TEST)
            for index in range(setup.brands)
        ]
        outcomes = list(_each(jobs, processes))
        results.append(_sum_up(rate, outcomes, setup))
        say(f"{rate:g} mentions a minute: {time.monotonic() - clock:.0f} s")
    return {"setup": asdict(setup), "rates": results}


def _each(jobs: Sequence[tuple[Setup, float, int, int]], processes: int) -> Iterable[Outcome]:
    if processes < 2:
        yield from map(run_brand, jobs)
        return
    with get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(run_brand, jobs)
