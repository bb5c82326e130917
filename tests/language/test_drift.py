"""The watch on the classifier's scores."""

from random import Random

from sentinel.language.drift import ScoreDrift
from sentinel.model import Verdict


def verdicts(
    mean: float, number: int, seed: int, language: str = "it", model: str = "m"
) -> list[Verdict]:
    rng = Random(seed)
    made = []
    for _ in range(number):
        negative = min(1.0, max(0.0, rng.gauss(mean, 0.15)))
        made.append(Verdict(language, negative, 1 - negative, 0.0, "neutral", model_id=model))
    return made


def test_steady_scores_are_no_drift() -> None:
    assert {} == ScoreDrift().seen(verdicts(0.3, 20_000, 1))


def test_scores_that_move_are_drift_in_their_language_alone() -> None:
    watch = ScoreDrift()
    watch.seen(verdicts(0.3, 5000, 1) + verdicts(0.3, 5000, 2, "en"))
    found = watch.seen(verdicts(0.6, 5000, 3) + verdicts(0.3, 5000, 4, "en"))
    assert ["it"] == list(found)


def test_posts_that_no_model_read_are_left_out() -> None:
    watch = ScoreDrift()
    watch.seen(verdicts(0.1, 3000, 1, model="none"))
    assert {} == watch.seen(verdicts(0.9, 3000, 2, model="none"))
