"""Measures a scorer on labelled posts. What lives here: running it and grouping the results.

What does not: the measures themselves (``measures``), printing (the command line).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from sentinel.language import corpus
from sentinel.language.base import UNSCORED, Post, Scorer
from sentinel.language.corpus import NO_TYPE, SENTIMENTS, Labelled
from sentinel.language.measures import Report, rate, sentiment_report, type_measures
from sentinel.model import Verdict

_BATCH = 64

Progress = Callable[[int, int], None]
"""Called with the posts done and the posts in all."""


def _silent(done: int, total: int) -> None:
    """No progress."""


def evaluate(path: Path, scorer: Scorer, *, progress: Progress = _silent) -> list[Report]:
    """Measure a scorer on a labelled file.

    Args:
        path: NDJSON as in ``corpus``.
        scorer: What to measure. The language is not told to it.
        progress: Called after every batch.

    Returns:
        One report per language, then one over all.

    Raises:
        LanguageError: The file is missing or wrong.
    """
    return measure(corpus.read(path), scorer, progress=progress)


def measure(
    posts: Sequence[Labelled], scorer: Scorer, *, progress: Progress = _silent
) -> list[Report]:
    """Measure a scorer on labelled posts; see `evaluate`."""
    verdicts: list[Verdict] = []
    for start in range(0, len(posts), _BATCH):
        batch = [Post(post.text) for post in posts[start : start + _BATCH]]
        verdicts += scorer.score(batch)
        progress(len(verdicts), len(posts))
    pairs = list(zip(posts, verdicts, strict=True))
    languages = sorted({post.lang for post in posts})
    groups = [(code, [pair for pair in pairs if pair[0].lang == code]) for code in languages]
    if len(groups) > 1:
        groups.append(("all", pairs))
    return [_report(scorer.model_id, name, members) for name, members in groups]


def _report(model_id: str, group: str, pairs: Sequence[tuple[Labelled, Verdict]]) -> Report:
    read = [(post, verdict) for post, verdict in pairs if verdict.model_id != UNSCORED]
    truth = np.array([SENTIMENTS.index(post.sentiment) for post, _ in read], dtype=np.int64)
    table = np.array([(v.negative, v.neutral, v.positive) for _, v in read], dtype=np.float64)
    report = sentiment_report(model_id, group, truth, table.reshape(len(read), 3), posts=len(pairs))
    typed = [(p, v.crisis_types) for p, v in pairs if p.type is not None]
    top1, top3, none = type_measures(
        [post.type or NO_TYPE for post, _ in typed], [types for _, types in typed], NO_TYPE
    )
    return msgspec.structs.replace(
        report,
        type_top1=top1,
        type_top3=top3,
        type_none=none,
        language=rate([v.language == p.lang for p, v in pairs]),
    )
