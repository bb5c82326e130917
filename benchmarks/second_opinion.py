"""What second opinions are worth: macro-F1 and AUC when only the least certain posts are judged again.

Run ``python -m benchmarks.second_opinion FILE...`` with labelled posts as ``sentinel language evaluate`` reads them, or with ``label`` for
``sentiment``. Prints the table of ``docs/language.md``; needs the extra ``embeddings``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sentinel.language import Post, load_scorer
from sentinel.language.corpus import SENTIMENTS
from sentinel.language.measures import auc, calibration_error, f1_scores, interval
from sentinel.language.second_opinion import UNCERTAIN_MARGIN
from sentinel.model import Verdict

SHARES = (0.1, 0.2, 0.3)
DRAWS = 50
"""Random choices of posts that the least certain ones are compared with."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def table(verdicts: Sequence[Verdict]) -> Floats:
    return np.array([(one.negative, one.neutral, one.positive) for one in verdicts])


def macro_f1(truth: Ints, found: Floats) -> float:
    return float(np.mean(f1_scores(truth, found.argmax(axis=1))))


def line(name: str, truth: Ints, found: Floats, by_chance: float | None = None) -> None:
    f1 = interval(len(truth), lambda rows: macro_f1(truth[rows], found[rows]))
    negative = truth == 0
    print(
        f"{name:<16}{f1.value:>6.3f} [{f1.low:.3f}, {f1.high:.3f}]"
        f"{auc(found[negative, 0], found[~negative, 0]):>8.3f}{calibration_error(truth, found):>8.3f}"
        f"{np.mean(found.argmax(axis=1) == 0):>10.3f}{'' if by_chance is None else f'{by_chance:>10.3f}'}"
    )


def measure(path: Path) -> None:
    rows = [json.loads(one) for one in path.read_text(encoding="utf-8").splitlines()]
    truth = np.array([SENTIMENTS.index(row.get("sentiment") or row["label"]) for row in rows])
    posts = [Post(row["text"]) for row in rows]
    first = table(load_scorer().score(posts))
    both = table(load_scorer(kind="embedding").score(posts))
    ranked = np.sort(first, axis=1)
    margin = ranked[:, 2] - ranked[:, 1]
    print(f"\n{path.name}: {len(rows)} posts, {np.mean(margin < UNCERTAIN_MARGIN):.0%} uncertain")
    print(
        f"{'judged again':<16}{'macro-F1':<23}{'AUC':>7}{'ECE':>8}{'negative':>10}{'by chance':>10}"
    )
    line("none", truth, first)
    rng = np.random.default_rng(0)
    for share in SHARES:
        size = round(share * len(rows))
        chosen = [rng.permutation(len(rows))[:size] for _ in range(DRAWS)]
        chance = [macro_f1(truth, _again(first, both, places)) for places in chosen]
        found = _again(first, both, np.argsort(margin)[:size])
        line(f"{share:.0%}", truth, found, float(np.mean(chance)))
    line("all", truth, both)


def _again(first: Floats, both: Floats, places: Ints) -> Floats:
    found = first.copy()
    found[places] = both[places]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="labelled posts, NDJSON")
    for path in parser.parse_args().files:
        measure(path)


if __name__ == "__main__":
    main()
