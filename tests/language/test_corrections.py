"""What is learnt from people's labels: the gate, the layer, and that nothing but the labels in force decides."""

from __future__ import annotations

import math
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.language.corrections import (
    BUFFER,
    UNCHANGED,
    Group,
    Layer,
    Layers,
    Outcome,
    alone,
    apply,
    learn,
)
from sentinel.language.labels import CLASSES, UNRELATED, Label, Probabilities, tally
from sentinel.model import Verdict

GROUP = Group("default-1", "aurora", "it")


def softened(scores: list[float]) -> Probabilities:
    powers = [math.exp(one) for one in scores]
    total = sum(powers)
    return (powers[0] / total, powers[1] / total, powers[2] / total)


def label(number: int, base: Probabilities, corrected: str, **fields: object) -> Label:
    made = Label(
        mention_id=str(number),
        brand="aurora",
        language="it",
        probabilities=base,
        corrected=corrected,
        by="Anna",
        at=float(number),
        source="feed",
        base=base,
        model_id="default-1",
        drawn=True,
    )
    return msgspec.structs.replace(made, **fields)


def gloomy(number: int, seed: int = 0, **fields: object) -> list[Label]:
    """Labels of a brand whose trade has dark words: the scorer reads everything 1.6 nats too negative."""
    rng = Random(seed)
    made = []
    for place in range(number):
        truth = rng.randrange(3)
        scores = [rng.gauss(1.8 if kind == truth else 0.0, 0.7) for kind in range(3)]
        scores[0] += 1.6
        made.append(label(place, softened(scores), CLASSES[truth], **fields))
    return made


def shuffled(labels: list[Label], seed: int) -> list[Label]:
    """The same posts with anybody's guess for a label."""
    rng = Random(seed)
    return [msgspec.structs.replace(one, corrected=rng.choice(CLASSES)) for one in labels]


# --- the gate ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_consistent_labels_bring_a_layer_into_service_that_is_better(seed: int) -> None:
    layer = learn(GROUP, gloomy(120, seed))
    assert layer.outcome is Outcome.IN_SERVICE
    fresh = gloomy(300, seed=1000 + seed)

    def right(weights: tuple[tuple[float, float, float, float], ...]) -> int:
        return sum(
            max(zip(apply(weights, one.base), CLASSES, strict=True))[1] == one.corrected
            for one in fresh
        )

    assert right(layer.weights) > right(UNCHANGED) + 20


@pytest.mark.parametrize("seed", range(20))
def test_random_labels_are_refused(seed: int) -> None:
    assert learn(GROUP, shuffled(gloomy(150, seed), seed)).outcome is Outcome.NO_SIGNAL


def test_labels_that_agree_with_the_scorer_change_nothing() -> None:
    rng = Random(3)
    agreed = []
    for place in range(150):
        base = softened([rng.gauss(0, 0.8) for _ in range(3)])
        draw = rng.choices(CLASSES, base)[0]  # the scorer is exactly as right as it says
        agreed.append(label(place, base, draw))
    assert not learn(GROUP, agreed).in_service


def test_few_labels_are_not_judged() -> None:
    assert learn(GROUP, gloomy(45)).outcome is Outcome.TOO_FEW


def test_a_class_that_nobody_named_keeps_the_gate_shut() -> None:
    told = [one for one in gloomy(300) if one.corrected != "positive"]
    assert learn(GROUP, told).outcome is Outcome.TOO_FEW


def test_corrections_alone_say_nothing_about_what_was_right() -> None:
    errors = [one for one in gloomy(400, drawn=False) if not one.confirms]
    assert learn(GROUP, errors).outcome is Outcome.ONE_SIDED


def test_told_errors_weigh_no_more_than_is_usual() -> None:
    told = gloomy(300, drawn=False)
    right = [one for one in told if one.confirms][:24]
    wrong = [one for one in told if not one.confirms]
    layer = learn(GROUP, sorted([*right, *wrong], key=lambda one: one.at))
    assert layer.labels > 100
    assert layer.judges < 24 / 0.6 + 0.01  # the errors count for two fifths, however many
    drawn = [msgspec.structs.replace(one, drawn=True) for one in [*right, *wrong]]
    assert learn(GROUP, drawn).judges == layer.labels - 20


# --- a function of the labels in force --------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 79), min_size=1, max_size=8, unique=True), st.integers(0, 3))
def test_a_withdrawn_label_leaves_no_trace(withdrawn: list[int], seed: int) -> None:
    all_of_them = gloomy(80, seed)
    kept = [one for one in all_of_them if int(one.mention_id) not in withdrawn]
    never_made = Layers(kept)
    with_them = Layers(all_of_them)
    assert list(never_made) == list(Layers(kept, before=with_them))
    assert list(with_them) != list(never_made)


def test_learning_again_gives_the_same_to_the_last_digit() -> None:
    assert learn(GROUP, gloomy(100)) == learn(GROUP, gloomy(100))


def test_what_is_not_about_the_brand_teaches_no_sentiment() -> None:
    unrelated = [label(1000 + n, (0.8, 0.1, 0.1), UNRELATED) for n in range(50)]
    assert learn(GROUP, [*gloomy(80), *unrelated]) == learn(GROUP, gloomy(80))


def test_memory_is_bounded_to_the_newest() -> None:
    layer = learn(GROUP, gloomy(BUFFER + 7))
    assert BUFFER == layer.labels
    assert layer.version == learn(GROUP, gloomy(BUFFER + 7)[7:]).version


# --- applied to verdicts -----------------------------------------------------------------------------


def verdict(base: Probabilities = (0.5, 0.3, 0.2), **fields: object) -> Verdict:
    made = Verdict("it", *base, label="negative", terms=("pasta",), model_id="default-1")
    return msgspec.structs.replace(made, **fields)


def test_a_verdict_names_the_scorer_and_the_layer_and_keeps_the_scorers_word() -> None:
    layers = Layers(gloomy(120))
    (layer,) = layers
    changed = layers.verdict(verdict(), "aurora")
    assert changed.model_id == f"default-1+learnt.{layer.version}"
    assert changed.base == (0.5, 0.3, 0.2)
    assert changed.label == "neutral"
    assert changed.terms == ("pasta",)
    assert math.isclose(1.0, changed.negative + changed.neutral + changed.positive)
    assert ((0.5, 0.3, 0.2), "default-1") == alone(changed) == alone(verdict())


def test_other_brands_languages_and_scorers_are_left_alone() -> None:
    layers = Layers(gloomy(120))
    for one, brand in (
        (verdict(), "northwind"),
        (verdict(language="en"), "aurora"),
        (verdict(model_id="default-2"), "aurora"),
        (verdict(model_id="none"), "aurora"),
    ):
        assert layers.verdict(one, brand) is one


def test_a_refused_layer_changes_no_verdict() -> None:
    one = verdict()
    assert Layers(shuffled(gloomy(150), 1)).verdict(one, "aurora") is one


def test_posts_that_no_model_read_form_no_group() -> None:
    assert not list(Layers(gloomy(60, model_id="none")))


def test_certain_scorers_do_not_break_it() -> None:
    sure = [label(n, (1.0, 0.0, 0.0), CLASSES[n % 3]) for n in range(60)]
    layer: Layer = learn(GROUP, sure)
    assert all(math.isfinite(one) for row in layer.weights for one in row)
    assert math.isclose(1.0, sum(apply(layer.weights, (0.0, 0.0, 1.0))))


# --- counts ---------------------------------------------------------------------------------------------


def test_counts_of_what_was_served_and_what_people_say_are_by_brand_and_language() -> None:
    said = [
        label(1, (0.6, 0.3, 0.1), "negative"),
        label(2, (0.6, 0.3, 0.1), "neutral"),
        label(3, (0.6, 0.3, 0.1), UNRELATED, language="en"),
    ]
    found = tally(said)
    assert found["aurora", "it"] == {("negative", "negative"): 1, ("negative", "neutral"): 1}
    assert found["aurora", "en"] == {("negative", UNRELATED): 1}
