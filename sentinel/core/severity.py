"""How bad it is, on a scale that means the same for a small brand and a large one.

What lives here: one pure function and its constants. The scale is in doublings: the excess of negatives (or of positives, for an
opportunity) against what the brand is used to, plus small steps for growth, reach and type. It is monotone in the excess.
"""

from __future__ import annotations

import math

import msgspec

from sentinel.model import Direction, Severity

USUAL_FLOOR = 3.0
"""Mentions added to the usual count, so that a brand used to nothing is not infinitely surprised."""

STEPS: tuple[tuple[float, Severity], ...] = (
    (4.5, Severity.CRITICAL),
    (3.0, Severity.HIGH),
    (1.5, Severity.MEDIUM),
)
"""Points from which a severity holds: every step is about a factor of three in excess."""

GRAVE_TYPES = frozenset({"product-safety", "data-breach", "environment-safety", "external-attack"})
"""Types in which people can be harmed: half a step up."""

SMALL_EXCESS = 10.0
"""With fewer excess mentions than this nothing is more than medium."""


class Weight(msgspec.Struct, frozen=True):
    """What the severity is computed from.

    Attributes:
        excess: Mentions in the incident's direction above the usual, in the window.
        usual: Usual mentions in that direction for the window.
        doubling_minutes: Growth, or None.
        reach: Sum of followers of distinct authors.
        kind: Crisis type slug.
    """

    excess: float
    usual: float
    doubling_minutes: float | None = None
    authors: int = 0
    reach: int = 0
    kind: str = ""
    direction: Direction = Direction.THREAT


def severity(weight: Weight) -> tuple[Severity, tuple[str, ...]]:
    """Return the severity and the reasons for it, largest first.

    >>> severity(Weight(excess=20, usual=0.5))[0]
    <Severity.MEDIUM: 2>
    >>> severity(Weight(excess=400, usual=20, doubling_minutes=12.0))[0]
    <Severity.CRITICAL: 4>
    """
    excess = max(0.0, weight.excess)
    points = math.log2(1.0 + excess / (weight.usual + USUAL_FLOOR))
    reasons = [f"excess {excess:.0f} over {weight.usual:.1f}"]
    if weight.doubling_minutes is not None and weight.doubling_minutes < 60:
        points += 1.0 if weight.doubling_minutes < 20 else 0.5
        reasons.append(f"doubling {weight.doubling_minutes:.0f} min")
    if weight.reach >= 1_000_000:
        points += 0.5
        reasons.append(f"reach {weight.reach}")
    if weight.kind in GRAVE_TYPES and weight.direction is Direction.THREAT:
        points += 0.5
        reasons.append(f"type {weight.kind}")
    level = next((level for floor, level in STEPS if points >= floor), Severity.LOW)
    if excess < SMALL_EXCESS:
        level = min(level, Severity.MEDIUM)
    return level, tuple(reasons)
