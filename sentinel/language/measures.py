"""How good verdicts are. What lives here: the measures, with intervals; numbers in, numbers out.

What does not: scoring (``linear``), printing (the command line).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from sentinel.language.quantify import LEAST_LABELS
from sentinel.model import likely_type

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SHARES: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
_BAG: Final = 50
_BAGS: Final = 300
_RESAMPLES: Final = 300


class Measure(msgspec.Struct, frozen=True):
    """A figure with its 95 % interval (bootstrap over posts)."""

    value: float
    low: float
    high: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation found.

    Attributes:
        model_id: The weights that were measured.
        group: The language, or what else the posts have in common.
        posts: How many were measured.
        scored: How many of them the model could read.
        macro_f1: Mean F1 of the three classes.
        f1: F1 of negative, neutral, positive.
        auc_negative: Chance that a negative post gets the higher negative probability.
        ece: Expected calibration error of the winning class, ten bins.
        share_counted: Mean absolute error of the share of posts called negative as the negative share of 50 posts.
        share_error: The same of the mean negative probability.
        share_corrected: The same of that mean, corrected (``quantify``) with 100 labelled posts which are kept out of
            the bags; NaN where they would be more than half.
        share_auc: Chance that 50 posts with 40 % negatives look worse than 50 with 20 %.
        type_top1: Share of typed posts whose best crisis type is right; None without labels.
        type_top3: The same within the best three.
        type_none: Share of the posts without a type that got none; None without labels.
        language: Share of posts whose language was recognised; None where it was told.
    """

    model_id: str
    group: str
    posts: int
    scored: int
    macro_f1: Measure
    f1: tuple[Measure, Measure, Measure]
    auc_negative: Measure
    ece: Measure
    share_counted: Measure
    share_error: Measure
    share_corrected: Measure
    share_auc: Measure
    type_top1: Measure | None = None
    type_top3: Measure | None = None
    type_none: Measure | None = None
    language: Measure | None = None


def f1_scores(truth: Ints, guess: Ints, classes: int = 3) -> tuple[float, ...]:
    """F1 of each class; 0 for a class that neither occurs nor is guessed.

    >>> f1_scores(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1]))[0]
    1.0
    """
    scores = []
    for label in range(classes):
        hits = int(((guess == label) & (truth == label)).sum())
        size = int((guess == label).sum() + (truth == label).sum())
        scores.append(2 * hits / size if size else 0.0)
    return tuple(scores)


def auc(high: Floats, low: Floats) -> float:
    """Chance that a value of `high` exceeds one of `low`, ties counting half (Mann-Whitney).

    >>> auc(np.array([0.9, 0.5]), np.array([0.5, 0.1]))
    0.875
    """
    if not len(high) or not len(low):
        return float("nan")
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, side="left")
    upto = np.searchsorted(ordered, high, side="right")
    return float((below + upto).mean() / 2 / len(low))


def calibration_error(truth: Ints, table: Floats, bins: int = 10) -> float:
    """Expected calibration error of the winning class over equal bins of confidence."""
    confidence, right = table.max(axis=1), table.argmax(axis=1) == truth
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(
        sum(
            (place == k).mean() * abs(confidence[place == k].mean() - right[place == k].mean())
            for k in np.unique(place)
        )
    )


class Shares(NamedTuple):
    """Measures of a negative share, as in `Report`."""

    counted: float = float("nan")
    error: float = float("nan")
    corrected: float = float("nan")
    auc: float = float("nan")


def share_measures(truth: Ints, table: Floats, seed: int = 0) -> Shares:
    """Error and separation of estimates of the negative share over bags of 50 posts, 5 to 70 % of them negative.

    NaN where a class is missing.
    """
    rng = np.random.default_rng(seed)
    everyone = np.arange(len(truth))
    if not all((truth == label).any() for label in range(3)):
        return Shares()
    called = (table.argmax(axis=1) == 0).astype(float)
    negative = table[:, 0]
    counted: list[float] = []
    errors: list[float] = []
    corrected: list[float] = []
    means: dict[float, Floats] = {}
    for share in _SHARES:
        bags, true = _bags(truth, everyone, share, rng)
        counted.append(float(np.abs(called[bags].mean(axis=1) - true).mean()))
        means[share] = negative[bags].mean(axis=1)
        errors.append(float(np.abs(means[share] - true).mean()))
        if len(truth) >= 2 * LEAST_LABELS:
            # Other labels for each share: how good a correction is depends much on which posts were labelled.
            miss = _corrected_error(truth, negative, share, rng)
            if miss is not None:
                corrected.append(miss)
    return Shares(
        counted=float(np.mean(counted)),
        error=float(np.mean(errors)),
        corrected=float(np.mean(corrected)) if corrected else float("nan"),
        auc=auc(means[0.4], means[0.2]),
    )


def _bags(truth: Ints, posts: Ints, share: float, rng: np.random.Generator) -> tuple[Ints, float]:
    """Bags of some of the posts, a row each, and the exact negative share of all of them."""
    bad = round(_BAG * share)
    plain = round((_BAG - bad) * 0.6)
    counts = (bad, plain, _BAG - bad - plain)
    pools = [posts[truth[posts] == label] for label in range(3)]
    rows = [
        pool[rng.integers(0, len(pool), (_BAGS, count))]
        for pool, count in zip(pools, counts, strict=True)
    ]
    return np.hstack(rows), bad / _BAG


def _corrected_error(
    truth: Ints, negative: Floats, share: float, rng: np.random.Generator
) -> float | None:
    """Error of the mean corrected with some posts' labels, over bags of the rest; None where those correct nothing."""
    order = rng.permutation(len(truth))
    labelled, rest = order[:LEAST_LABELS], order[LEAST_LABELS:]
    worse = truth[labelled] == 0
    if worse.all() or not worse.any() or len(set(truth[rest].tolist())) < 3:
        return None
    inside, outside = negative[labelled][worse].mean(), negative[labelled][~worse].mean()
    if inside <= outside:
        return None
    bags, true = _bags(truth, rest, share, rng)
    level = np.clip((negative[bags].mean(axis=1) - outside) / (inside - outside), 0, 1)
    return float(np.abs(level - true).mean())


def interval(size: int, figure: Callable[[Ints], float], seed: int = 0) -> Measure:
    """A figure over posts with its bootstrap interval; NaN where there is none.

    Args:
        size: Number of posts.
        figure: From indices of posts to the figure.
        seed: Of the resampling.
    """
    return intervals(size, lambda pick: (figure(pick),), seed)[0]


def intervals(
    size: int, figures: Callable[[Ints], Sequence[float]], seed: int = 0
) -> tuple[Measure, ...]:
    """Several figures over the same posts with their bootstrap intervals; see `interval`."""
    rng = np.random.default_rng(seed)
    values = figures(np.arange(size))
    draws = np.array(
        [figures(rng.integers(0, size, size)) for _ in range(_RESAMPLES)] if size else []
    )
    found = []
    for place, value in enumerate(values):
        # A resample without a class has no such figure.
        known = draws[:, place][~np.isnan(draws[:, place])] if size else draws
        low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
        found.append(Measure(value, float(low), float(high)))
    return tuple(found)


def sentiment_report(
    model_id: str, group: str, truth: Ints, table: Floats, *, posts: int
) -> Report:
    """All measures of sentiment.

    Args:
        model_id: The weights.
        group: Name of the group of posts.
        truth: Right classes, 0 negative, 1 neutral, 2 positive.
        table: Probabilities, one row per post.
        posts: Posts of the group, those in unreadable languages included.
    """
    guess = table.argmax(axis=1)

    def figures(pick: Ints) -> Sequence[float]:
        if not len(pick):
            return (float("nan"),) * 10
        right, given = truth[pick], table[pick]
        f1 = f1_scores(right, guess[pick])
        return (
            float(np.mean(f1)),
            *f1,
            auc(given[right == 0, 0], given[right != 0, 0]),
            calibration_error(right, given),
            *share_measures(right, given),
        )

    macro, negative, neutral, positive, separation, ece, *shares = intervals(len(truth), figures)
    counted, error, corrected, change = shares
    return Report(
        model_id=model_id,
        group=group,
        posts=posts,
        scored=len(truth),
        macro_f1=macro,
        f1=(negative, neutral, positive),
        auc_negative=separation,
        ece=ece,
        share_counted=counted,
        share_error=error,
        share_corrected=corrected,
        share_auc=change,
    )


def type_measures(
    truth: Sequence[str], ranked: Sequence[Sequence[tuple[str, float]]], none: str
) -> tuple[Measure | None, Measure | None, Measure | None]:
    """Measures of crisis types.

    Args:
        truth: The right type of each post, or `none`.
        ranked: The types and scores ranked for it, best first.
        none: Label of a post without a type.

    Returns:
        Share of the posts with a type whose best type is right, the same within the best three, and the share of
        the posts without a type that are said to have none; None where there are no such posts.
    """
    pairs = list(zip(truth, ranked, strict=True))
    named = [(label, [slug for slug, _ in types]) for label, types in pairs if label != none]
    plain = [not likely_type(types) for label, types in pairs if label == none]
    return (
        rate([label in types[:1] for label, types in named]),
        rate([label in types[:3] for label, types in named]),
        rate(plain),
    )


def rate(hits: Sequence[bool]) -> Measure | None:
    """Share of the posts that are right; None of no posts."""
    if not hits:
        return None
    values = np.array(hits, dtype=float)
    return interval(len(values), lambda pick: float(values[pick].mean()))
