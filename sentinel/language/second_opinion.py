"""The second opinion: a better, slower scorer reads the posts that deserve it, for as long as there is time.

What lives here: which posts deserve it, and the time they may take. What does not: either scorer, and counting what came of it (the
runner). Nothing waits: a post is judged again within its own batch or never, so a batch is held up by `BATCH_SECONDS` and one small slice
at most, and an alert with it. Which posts were judged again depends on the machine's load; verdicts are stored with the mentions, so that
a replay of the core sees the same ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from enum import StrEnum
from typing import Final, NamedTuple

from sentinel.errors import LanguageError
from sentinel.language.base import UNSCORED, Post, Scorer
from sentinel.language.embedding import missing
from sentinel.model import Verdict

UNCERTAIN_MARGIN: Final = 0.2
"""Lead of the likeliest sentiment over the next one, below which a verdict is uncertain: three in ten development posts. Margin and entropy
found the same posts to gain from; the margin is easier to say."""
WIDE_REACH: Final = 10_000
"""Followers from which every post of an author is read twice: it will be quoted."""
BATCH_SECONDS: Final = 0.1
"""What a batch may take at most. An alert waits two seconds for its minute to close: this is a twentieth of it."""
SAVED_SECONDS: Final = 1.0
"""Time that quiet moments can save up for a busy one."""
_SLICE: Final = 8
"""Posts judged between two looks at the clock."""


class Why(StrEnum):
    """What makes a post deserve a second opinion, the best reason first."""

    REACH = "reach"  # many people see it
    LANGUAGE = "language"  # the first scorer does not read its language, the second does
    UNCERTAIN = "uncertain"  # two sentiments are about as likely


class Skipped(StrEnum):
    """Why a post that deserved one got none."""

    BUSY = "busy"  # the next batch is waiting
    BUDGET = "budget"  # the time was spent
    LOADING = "loading"  # the second scorer is still reading its weights
    BROKEN = "broken"  # it cannot be loaded


def none_because(kind: str, share: float) -> str:
    """Why there are no second opinions with this scorer and this share of a core; empty if there are. Loads nothing."""
    if not share:
        return "second_opinion_share is 0"
    if kind != "default":
        return f"the {kind} scorer reads every post itself"
    return missing()


class Review(NamedTuple):
    """What became of a batch.

    Attributes:
        verdicts: One a post, in order: the first or the second one, as ``model_id`` says.
        given: Second opinions by reason.
        skipped: Posts that deserved one and got none, by reason.
    """

    verdicts: list[Verdict]
    given: Counter[Why]
    skipped: Counter[Skipped]


def deserving(
    verdicts: Sequence[Verdict], followers: Sequence[int], reads: frozenset[str]
) -> list[tuple[Why, int]]:
    """The places of posts that deserve a second opinion, those that deserve it most first.

    Args:
        verdicts: First opinions.
        followers: Of each post's author.
        reads: Languages that the second scorer reads and the first may not.

    >>> sure, torn = Verdict("it", 0.8, 0.1, 0.1, "negative"), Verdict("it", 0.4, 0.35, 0.25, "negative")
    >>> german = Verdict("de", 1 / 3, 1 / 3, 1 / 3, "neutral", model_id=UNSCORED)
    >>> [(why.value, place) for why, place in deserving([torn, sure, german, sure], [3, 9, 0, 50_000], frozenset({"de"}))]
    [('reach', 3), ('language', 2), ('uncertain', 0)]
    """
    found: list[tuple[int, float, int, Why]] = []
    for place, (verdict, reach) in enumerate(zip(verdicts, followers, strict=True)):
        foreign = verdict.model_id == UNSCORED
        if foreign and verdict.language not in reads:
            continue
        if reach >= WIDE_REACH:
            found.append((0, -reach, place, Why.REACH))
        elif foreign:
            found.append((1, 0.0, place, Why.LANGUAGE))
        elif (margin := _margin(verdict)) < UNCERTAIN_MARGIN:
            found.append((2, margin, place, Why.UNCERTAIN))
    return [(why, place) for _, _, place, why in sorted(found)]


def _margin(verdict: Verdict) -> float:
    _, second, first = sorted((verdict.negative, verdict.neutral, verdict.positive))
    return first - second


class SecondOpinion:
    """Gives second opinions within a share of one core's time. Not thread-safe: one batch at a time.

    The second scorer is loaded in a thread of its own when the first post deserves it; until then posts keep their first verdict.

    Args:
        load: Makes the second scorer.
        share: Seconds of second opinions a second, 0-1.
        monotonic: Seconds that never run backwards.
        reads: Languages that the second scorer reads and the first may not.
    """

    def __init__(
        self,
        load: Callable[[], Scorer],
        share: float,
        monotonic: Callable[[], float],
        reads: frozenset[str] = frozenset(),
    ) -> None:
        self._load, self._share, self._monotonic, self._reads = load, share, monotonic, reads
        self._loaded: Future[Scorer] | None = None
        self._saved, self._counted_at = SAVED_SECONDS, monotonic()

    def load(self) -> Future[Scorer]:
        """Begin to load the second scorer, if nobody has yet.

        Returns:
            The scorer, or the error why there is none.
        """
        if self._loaded is None:
            pool = ThreadPoolExecutor(1, "second-opinion")
            self._loaded = pool.submit(self._load)
            pool.shutdown(wait=False)
        return self._loaded

    def review(
        self,
        posts: Sequence[Post],
        verdicts: Sequence[Verdict],
        followers: Sequence[int],
        *,
        busy: bool,
    ) -> Review:
        """Judge again what deserves it, as far as the time goes.

        Args:
            posts: The batch.
            verdicts: First opinions.
            followers: Of each post's author; 0 if unknown.
            busy: Whether there is other work to be done first.
        """
        wanted = deserving(verdicts, followers, self._reads)
        review = Review(list(verdicts), Counter(), Counter())
        if not wanted:
            return review
        scorer = self._ready()
        if isinstance(scorer, Skipped) or busy:
            review.skipped[scorer if isinstance(scorer, Skipped) else Skipped.BUSY] += len(wanted)
            return review
        began = now = self._monotonic()
        self._earn(now)
        for start in range(0, len(wanted), _SLICE):
            if now - began >= BATCH_SECONDS or self._saved <= 0.0:
                review.skipped[Skipped.BUDGET] += len(wanted) - start
                break
            slice_ = wanted[start : start + _SLICE]
            found = scorer.score([posts[place] for _, place in slice_])
            for (why, place), verdict in zip(slice_, found, strict=True):
                review.verdicts[place] = verdict
                review.given[why] += 1
            before, now = now, self._monotonic()
            # It may fall below zero by a slice's time, which is then earned back: what a post takes need not be known beforehand.
            self._saved -= now - before
        self._counted_at = now
        return review

    def problem(self) -> str:
        """Why the second scorer cannot be loaded; empty if it can, or nobody knows yet."""
        error = self._loaded.exception() if self._loaded and self._loaded.done() else None
        return str(error or "")

    def _earn(self, now: float) -> None:
        self._saved = min(SAVED_SECONDS, self._saved + (now - self._counted_at) * self._share)
        self._counted_at = now

    def _ready(self) -> Scorer | Skipped:
        loaded = self.load()
        if not loaded.done():
            return Skipped.LOADING
        if isinstance(loaded.exception(), LanguageError | OSError):
            # A full disk, too, stops only second opinions.
            return Skipped.BROKEN
        return loaded.result()
