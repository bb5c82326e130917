"""How well the negative share of a group is estimated, and whether the interval holds.

Labels and groups are drawn independently, with replacement, from labelled posts (``id``, ``lang``, ``text``, ``label``, NDJSON, one
file a language): those posts are the population. Run: ``python -m benchmarks.groups --data DIR [--scorer embedding]``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sentinel.language import Post, load_scorer
from sentinel.language.labels import CLASSES, Label
from sentinel.language.quantify import estimate, rates_of

SHARES: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
MIXES: Final = ((1 / 3, 1 / 3, 1 / 3), (0.2, 0.5, 0.3), (0.5, 0.3, 0.2), (0.15, 0.6, 0.25))
"""Of negative, neutral and positive posts among the labels."""
TRIALS: Final = 200

Floats = NDArray[np.float64]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Mean absolute errors in points; ``held``: share of the 95 % intervals that hold the truth; ``told``: of the trials with a level.

    ``corrected_only``: the same estimate from labels of wrongly read posts alone, as people correct them unasked.
    """

    language: str
    labels: int
    posts: int
    counted: float
    mean: float
    pacc: float
    width: float
    held: float
    told: float
    corrected_only: float


def measure(language: str, table: Floats, truth: list[str], labels: int, posts: int) -> Row:
    """One row of the table for groups of ``posts`` posts, with so many labels."""
    rng = np.random.default_rng(0)
    pools = [np.array([n for n, name in enumerate(truth) if name == one]) for one in CLASSES]
    guess = table.argmax(axis=1)
    wrong = [pool[guess[pool] != place] for place, pool in enumerate(pools)]
    found: dict[str, list[float]] = {
        name: [] for name in ("counted", "mean", "pacc", "width", "held", "corrected_only")
    }
    told = 0
    for trial in range(TRIALS):
        sizes = rng.multinomial(labels, MIXES[trial % len(MIXES)])
        rates, from_errors = (
            rates_of(
                [
                    Label(str(place), "b", language, _read(table, place), CLASSES[of], "", 0.0)
                    for of, size in enumerate(sizes)
                    for place in rng.choice(source[of], size)
                ]
            )
            for source in (pools, wrong)
        )
        for share in SHARES:
            bad = round(posts * share)
            calm = round((posts - bad) * rng.uniform(0.3, 0.8))
            group = np.concatenate(
                [
                    rng.choice(pool, size)
                    for pool, size in zip(pools, (bad, calm, posts - bad - calm), strict=True)
                ]
            )
            mean, right = float(table[group, 0].mean()), bad / posts
            found["counted"].append(abs(float((guess[group] == 0).mean()) - right))
            found["mean"].append(abs(mean - right))
            answer = estimate(rates, posts, mean) if rates else None
            if answer is not None:
                told += 1
                found["pacc"].append(abs(answer.share - right))
                found["width"].append(answer.high - answer.low)
                found["held"].append(float(answer.low <= right <= answer.high))
            if from_errors is not None:
                apart = from_errors.inside.mean - from_errors.outside.mean
                raw = (mean - from_errors.outside.mean) / apart
                found["corrected_only"].append(abs(min(1.0, max(0.0, raw)) - right))
    figures = {
        name: round(
            float(np.mean(values)) * (1 if name == "held" else 100), 3 if name == "held" else 1
        )
        for name, values in found.items()
    }
    told_share = round(told / (TRIALS * len(SHARES)), 3)
    return Row(language=language, labels=labels, posts=posts, told=told_share, **figures)


def _read(table: Floats, place: int) -> tuple[float, float, float]:
    negative, neutral, positive = table[place].tolist()
    return (negative, neutral, positive)


def main() -> None:
    """Print one line of JSON for each language, number of labels and size of group."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scorer", default="default")
    arguments = parser.parse_args()
    scorer = load_scorer(kind=arguments.scorer)
    for language in ("it", "en"):
        lines = (arguments.data / f"{language}.ndjson").read_bytes().splitlines()
        rows = [json.loads(line) for line in lines]
        verdicts = scorer.score([Post(row["text"]) for row in rows])
        table = np.array([(v.negative, v.neutral, v.positive) for v in verdicts])
        for labels in (100, 200, 400):
            for posts in (50, 200):
                row = measure(language, table, [one["label"] for one in rows], labels, posts)
                print(msgspec.json.encode(row).decode(), flush=True)


if __name__ == "__main__":
    main()
