"""How large a share of a group of posts is negative (or positive), with an interval: PACC.

What lives here: pure functions from labels and a group's mean probability to an estimate. What does not: which labels there
are (the store), a group's mean (``core/flow``), saying it (``notify/story``).

The mean probability of a group rises with the share, and is therefore good for *change*; as a *level* it is off by 14 to 15
points, because the mean over posts of the class is not 1 and over the others not 0. Probabilistic adjusted classify & count
(Bella, Ferri, Hernández-Orallo and Ramírez-Quintana, "Quantification via Probability Estimators", ICDM 2010) measures those
two means on labelled posts of the same kind and undoes them::

    share = (mean of the group - mean of the others) / (mean of the class - mean of the others)

Only labels of the same brand and language are used: rates from elsewhere make it worse, not better. And only labels of posts
that were *drawn*: those that people correct unasked are mostly errors, and rates from errors turn the estimate round.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, variance
from typing import Final, Literal

import msgspec

from sentinel.language.labels import CLASSES, Label
from sentinel.model import Direction, Incident, Level

LEAST_LABELS: Final = 100
"""Labels below which no level is told."""

LEAST_OF_A_KIND: Final = 10
"""Labels of the class, and of the others, below which the rates are not known well enough."""

LEAST_POSTS: Final = 10
"""Posts in a group below which a share of it says nothing."""

_Z: Final = 1.96  # 95 % of a normal distribution
_SEPARATED: Final = (
    3.0  # standard errors between the two means below which dividing by their difference is a guess
)

Class = Literal["negative", "positive"]


class Mean(msgspec.Struct, frozen=True):
    """Mean and variance of a probability over labelled posts; ``posts`` of them."""

    posts: int
    mean: float
    variance: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """Of at least two values."""
        return cls(len(values), fmean(values), variance(values))

    @property
    def error(self) -> float:
        """Variance of the mean itself."""
        return self.variance / self.posts


class Rates(msgspec.Struct, frozen=True):
    """What the labels of one brand and language say about the probability of one class.

    Attributes:
        inside: Over posts of the class.
        outside: Over the others.
        mix: Variance of ``outside.mean`` because nobody knows how a group's other posts are divided: the neutral of the
            labels may be its positive ones. (Any division is taken to be as likely as any other.)
    """

    inside: Mean
    outside: Mean
    mix: float = 0.0

    @property
    def labels(self) -> int:
        """How many labels there are."""
        return self.inside.posts + self.outside.posts


class Estimate(msgspec.Struct, frozen=True):
    """A share in [0, 1] with its 95 % interval, and the number of labels behind it."""

    share: float
    low: float
    high: float
    labels: int


def same_scorer(label_model: str, model_id: str) -> bool:
    """Whether a label's probabilities came from the scorer in service, perhaps with a second opinion.

    >>> same_scorer("linear-1+use-1", "linear-1"), same_scorer("linear-1", "linear-2+use-1")
    (True, False)
    """
    return label_model.split("+", maxsplit=1)[0] in model_id.split("+")


def usable(labels: Iterable[Label], brand: str, language: str, model_id: str = "") -> list[Label]:
    """The labels that rates may be made of: drawn ones of this brand and language, the latest of each mention.

    Args:
        labels: In any order.
        brand: Its id.
        language: ISO 639-1.
        model_id: Of the scorer in service: labels of probabilities that others gave are left out; empty for any.
    """
    latest: dict[tuple[str, str], Label] = {}
    for label in labels:
        if (
            not label.drawn
            or (label.brand, label.language) != (brand, language)
            or (model_id and label.model_id and not same_scorer(label.model_id, model_id))
        ):
            continue
        key = (label.source, label.mention_id)
        held = latest.get(key)
        if held is None or (held.at, held.id) <= (label.at, label.id):
            latest[key] = label
    return [one for one in latest.values() if one.corrected in CLASSES]


def rates_of(labels: Sequence[Label], name: Class = "negative") -> Rates | None:
    """Rates from labels of one brand and language; None where they are too few to tell a level.

    >>> said = [Label(str(n), "aurora", "it", (0.7, 0.2, 0.1) if n % 2 else (0.2, 0.6, 0.2),
    ...     "negative" if n % 2 else "neutral", "Anna", 0.0, drawn=True) for n in range(120)]
    >>> found = rates_of(said)
    >>> round(found.inside.mean, 2), round(found.outside.mean, 2), rates_of(said[:99])
    (0.7, 0.2, None)
    """
    place = CLASSES.index(name)
    values: dict[str, list[float]] = {one: [] for one in CLASSES}
    for label in labels:
        # As the core counts: before anything that was learnt from labels, which would flatter the rates.
        counted = label.base if any(label.base) else label.probabilities
        values[label.corrected].append(counted[place])
    inside = values.pop(name)
    first, second = values.values()
    outside = [*first, *second]
    if len(labels) < LEAST_LABELS or min(len(inside), len(outside)) < LEAST_OF_A_KIND:
        return None
    mix = 0.0
    if min(len(first), len(second)) >= 2:
        one, other = Mean.of(first), Mean.of(second)
        apart = (one.mean - other.mean) ** 2 - one.error - other.error
        mix = max(0.0, apart) / 12  # variance of a uniform place between the two
    return Rates(Mean.of(inside), Mean.of(outside), mix)


def estimate(rates: Rates, posts: int, mean: float) -> Estimate | None:
    """The share of a group of posts.

    Args:
        rates: From labels of the same brand and language.
        posts: How many posts the group has.
        mean: Their mean probability of the class.

    Returns:
        The estimate; None where the group is too small, or the model does not tell the labelled classes apart.
        The interval is that of the delta method: the group's own sampling, the rates' sampling, the unknown mix.

    >>> rates = Rates(Mean(60, 0.7, 0.04), Mean(60, 0.2, 0.04))
    >>> found = estimate(rates, 200, 0.45)
    >>> round(found.share, 2), round(found.low, 2), round(found.high, 2)
    (0.5, 0.41, 0.59)
    """
    inside, outside = rates.inside, rates.outside
    apart = inside.mean - outside.mean
    if posts < LEAST_POSTS or apart <= _SEPARATED * math.sqrt(inside.error + outside.error):
        return None
    raw = (mean - outside.mean) / apart
    share = min(1.0, max(0.0, raw))
    group = (share * inside.variance + (1 - share) * outside.variance) / posts
    known = share**2 * inside.error + (1 - share) ** 2 * (outside.error + rates.mix)
    reach = _Z * math.sqrt(group + known) / apart
    return Estimate(
        share,
        # A mean beyond both rates would put its interval outside of what a share can be.
        min(share, max(0.0, raw - reach)),
        max(share, min(1.0, raw + reach)),
        rates.labels,
    )


def measurable(incident: Incident) -> bool:
    """Whether any language of the incident's window has enough posts for a level, given labels."""
    return any(group.posts >= LEAST_POSTS for group in incident.evidence.groups)


def levels(incident: Incident, labels: Sequence[Label], model_id: str) -> tuple[Level, ...]:
    """The corrected share of each language of an incident's window for which there are labels enough, most posts first.

    Args:
        incident: As the core tells it.
        labels: Those in force; other brands' are passed over.
        model_id: Of the scorer in service.
    """
    threat = incident.direction is Direction.THREAT
    found = []
    for group in incident.evidence.groups:
        ours = usable(labels, incident.brand, group.language, model_id)
        rates = rates_of(ours, "negative" if threat else "positive")
        mean = group.negative if threat else group.positive
        answer = estimate(rates, group.posts, mean) if rates else None
        if rates is None or answer is None:
            continue
        found.append(
            Level(
                language=group.language,
                posts=group.posts,
                share=round(answer.share, 4),
                low=round(answer.low, 4),
                high=round(answer.high, 4),
                labels=answer.labels,
                mean=mean,
                hits=round(rates.inside.mean, 4),
                others=round(rates.outside.mean, 4),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.posts, one.language)))
