"""What a brand has been through, and what it changes: Coombs' rule of the crisis history.

What lives here: which past incidents count, and how they move a cluster. What does not: the brand's past before Sentinel,
which the configuration tells (``seen_before``), and what a plan then does differently (the playbook's ``seen_before``).

An organisation that had a similar crisis before is held more responsible for this one (Coombs 2007, the velcro effect):
a victim is treated as if it were an accident, an accident as if it could have been prevented.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sentinel.core.playbooks import Cluster, Playbook
from sentinel.model import PastCase

HISTORY_SECONDS = 730 * 86_400.0
"""Two years. Coombs gives no term; a yearly event that goes wrong twice should count, a founder's youth should not."""
MAX_HISTORY = 50

_WORSE = {
    Cluster.VICTIM: Cluster.ACCIDENTAL,
    Cluster.ACCIDENTAL: Cluster.PREVENTABLE,
}


def in_time(cases: Iterable[PastCase], at: float) -> tuple[PastCase, ...]:
    """The cases of the ``HISTORY_SECONDS`` before ``at``, each once, latest first, at most ``MAX_HISTORY``."""
    known = {one.incident: one for one in cases if 0 <= at - one.at <= HISTORY_SECONDS}
    latest = sorted(known.values(), key=lambda one: (-one.at, one.incident))
    return tuple(latest[:MAX_HISTORY])


def alike(past: Iterable[PastCase], plan: Playbook) -> tuple[PastCase, ...]:
    """Those of the kinds that a plan serves."""
    return tuple(one for one in past if one.kind in plan.types)


def cluster_of(plan: Playbook, seen_before: Sequence[str]) -> Cluster:
    """Coombs' cluster for a brand that has been through the crisis types in ``seen_before``.

    The general plan, which serves no type, is never moved: nobody knows yet whether this is the same again.
    """
    if not set(plan.types) & set(seen_before):
        return plan.cluster
    return _WORSE.get(plan.cluster, plan.cluster)
