"""What brands of a size learn from each other, once a day: the thresholds that others have needed.

What lives here: which brand is told what. The statistics are in ``detectors.pool``. What comes out is an input, part of a
tick, and so of the journal: a shard that is restored or replayed alone is told what it was told then, and never looks at
another brand.
"""

from __future__ import annotations

from collections.abc import Collection

from detectors.calibration import NO_PRIOR
from detectors.pool import ThresholdPool, rate_class
from sentinel.core.shard import BrandShard
from sentinel.core.windows import Priors


def priors(shards: Collection[BrandShard]) -> dict[str, Priors]:
    """Brand id to what it borrows; brands that have nobody to borrow from, and had nobody, are left out."""
    threats, opportunities = ThresholdPool(), ThresholdPool()
    classes: dict[str, int] = {}
    for shard in shards:
        name, detector = shard.brand.id, shard.detector
        classes[name] = rate_class(detector.mentions_per_minute)
        threats.add(name, classes[name], detector.threat_budget.tail)
        opportunities.add(name, classes[name], detector.opportunity_budget.tail)
    found: dict[str, Priors] = {}
    for shard in shards:
        name, detector = shard.brand.id, shard.detector
        threat = threats.prior(name, classes[name], detector.budget_days)
        chance = opportunities.prior(name, classes[name], detector.budget_days)
        held = (detector.threat_budget.prior, detector.opportunity_budget.prior)
        if (threat, chance) != (NO_PRIOR, NO_PRIOR) or held != (NO_PRIOR, NO_PRIOR):
            found[name] = Priors(*threat, *chance)
    return found
