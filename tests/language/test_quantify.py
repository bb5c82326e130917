"""The share of a group of posts, from local labels."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.language import Post, Scorer
from sentinel.language.labels import CLASSES, UNRELATED, Label
from sentinel.language.quantify import (
    LEAST_LABELS,
    Estimate,
    Mean,
    Rates,
    estimate,
    rates_of,
    usable,
)

P = {"negative": (0.6, 0.3, 0.1), "neutral": (0.25, 0.6, 0.15), "positive": (0.15, 0.25, 0.6)}


def label(number: int, corrected: str, **changes: object) -> Label:
    said = Label(
        str(number),
        "aurora",
        "it",
        P.get(corrected, P["neutral"]),
        corrected,
        "Anna",
        1000.0 + number,
        source="forum",
        model_id="linear-1",
        drawn=True,
    )
    return msgspec.structs.replace(said, **changes)


def labels(number: int = 120) -> list[Label]:
    return [label(n, CLASSES[n % 3]) for n in range(number)]


def test_the_share_is_what_the_rates_make_of_the_mean():
    found = rates_of(labels())
    assert found is not None
    # 30 % negative, the others half and half: 0.3 * 0.6 + 0.35 * 0.25 + 0.35 * 0.15
    answer = estimate(found, 400, 0.3 * 0.6 + 0.35 * 0.25 + 0.35 * 0.15)

    assert answer is not None
    assert answer.share == pytest.approx(0.3)
    assert answer.low < 0.3 < answer.high
    assert answer.labels == 120


def test_positive_posts_are_estimated_alike():
    found = rates_of(labels(), "positive")
    assert found is not None
    answer = estimate(found, 400, found.inside.mean)

    assert answer is not None
    assert answer.share == pytest.approx(1.0)
    assert answer.high == pytest.approx(1.0)


def test_below_a_hundred_labels_there_is_no_level():
    assert rates_of(labels(LEAST_LABELS - 1)) is None
    assert rates_of(labels(LEAST_LABELS)) is not None


def test_labels_of_one_class_alone_give_no_level():
    praise = [label(n, "positive") for n in range(200)]
    assert rates_of([*praise, *(label(200 + n, "negative") for n in range(9))]) is None
    assert rates_of([*praise, *(label(200 + n, "negative") for n in range(10))]) is not None


def test_a_model_that_does_not_tell_the_classes_apart_gives_no_level():
    same = Mean(100, 0.4, 0.05)
    assert estimate(Rates(same, same), 500, 0.4) is None
    assert estimate(Rates(Mean(100, 0.2, 0.01), Mean(100, 0.4, 0.01)), 500, 0.3) is None


def test_a_handful_of_posts_has_no_level():
    found = rates_of(labels())
    assert found is not None
    assert estimate(found, 9, 0.4) is None


@pytest.mark.parametrize(
    "change",
    [
        {"brand": "northwind"},
        {"language": "en"},
        {"drawn": False},
        {"model_id": "linear-2"},
        {"corrected": UNRELATED},
    ],
)
def test_labels_from_elsewhere_do_not_count(change):
    ours = labels(99)
    other = msgspec.structs.replace(label(99, "negative"), **change)

    assert len(usable([*ours, other], "aurora", "it", "linear-1")) == 99
    assert len(usable([*ours, label(99, "negative")], "aurora", "it", "linear-1")) == 100


def test_the_latest_word_on_a_post_counts_once():
    first, second = label(1, "negative"), label(1, "positive", at=5000.0)

    assert [second] == usable([second, first], "aurora", "it")
    assert [] == usable([first, label(1, UNRELATED, at=6000.0)], "aurora", "it")


@given(
    mean=st.floats(0, 1),
    posts=st.integers(0, 10_000),
    inside=st.tuples(st.integers(10, 500), st.floats(0, 1), st.floats(0, 0.25)),
    outside=st.tuples(st.integers(10, 500), st.floats(0, 1), st.floats(0, 0.25)),
    mix=st.floats(0, 0.1),
)
def test_whatever_the_figures_an_estimate_is_a_share_inside_its_interval(
    mean, posts, inside, outside, mix
):
    found = estimate(Rates(Mean(*inside), Mean(*outside), mix), posts, mean)

    assert found is None or 0 <= found.low <= found.share <= found.high <= 1


def test_more_labels_and_more_posts_narrow_the_interval():
    def width(rates: Rates | None, posts: int) -> float:
        answer = rates and estimate(rates, posts, 0.3)
        assert isinstance(answer, Estimate)
        return answer.high - answer.low

    rough = [label(n, CLASSES[n % 3], probabilities=_noisy(n)) for n in range(600)]
    few, many = rates_of(rough[:120]), rates_of(rough)
    assert width(many, 200) < width(few, 200) < width(few, 50)


def _noisy(number: int) -> tuple[float, float, float]:
    negative, neutral, positive = P[CLASSES[number % 3]]
    shift = 0.1 * (-1 if number % 2 else 1)
    return (negative + shift, neutral - shift, positive)


@pytest.mark.parametrize("language", ["it", "en"])
def test_on_real_posts_it_halves_the_error_and_the_interval_holds(
    scorer: Scorer, sentiment_dev: Path, language: str
):
    """Labels and groups are drawn from the development posts with replacement: the posts are the population."""
    rows = [
        json.loads(line)
        for line in (sentiment_dev / f"{language}.ndjson").read_bytes().splitlines()
    ]
    verdicts = scorer.score([Post(row["text"]) for row in rows])
    table = np.array([(v.negative, v.neutral, v.positive) for v in verdicts])
    pools = [np.array([n for n, r in enumerate(rows) if r["label"] == c]) for c in CLASSES]
    rng = np.random.default_rng(1)
    plain, corrected, held = [], [], []
    for trial in range(60):
        picked = [(int(rng.choice(pools[k])), CLASSES[k]) for k in rng.integers(0, 3, 200)]
        rates = rates_of(
            [label(n, c, probabilities=tuple(table[p])) for n, (p, c) in enumerate(picked)]
        )
        assert rates is not None
        for share in (0.1, 0.3, 0.5, 0.7):
            bad = round(200 * share)
            calm = round((200 - bad) * (0.3, 0.5, 0.7)[trial % 3])
            counts = (bad, calm, 200 - bad - calm)
            group = np.concatenate([rng.choice(p, c) for p, c in zip(pools, counts, strict=True)])
            mean = float(table[group, 0].mean())
            found = estimate(rates, 200, mean)
            assert found is not None
            plain.append(abs(mean - share))
            corrected.append(abs(found.share - share))
            held.append(found.low <= share <= found.high)

    assert np.mean(corrected) < 0.7 * np.mean(plain)
    assert np.mean(held) > 0.9
