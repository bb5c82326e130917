"""Floors under the quality of the shipped model."""

import msgspec
import pytest

from sentinel.language import corpus
from sentinel.language.corpus import Labelled
from sentinel.language.evaluate import measure
from sentinel.language.linear import LinearScorer
from sentinel.language.train import SHIPPED_SETTINGS, learn
from tests.language.conftest import REPOSITORY

GATES = {"it": (0.55, 0.775), "en": (0.60, 0.83)}


@pytest.mark.timeout(300)  # learns from the whole corpus, six times over to calibrate the types
def test_ideas_never_seen_in_training_are_read_well():
    posts = corpus.read(REPOSITORY / "corpus" / "posts.ndjson")
    known, unseen = corpus.split(posts, 5, 0)
    quick = msgspec.structs.replace(SHIPPED_SETTINGS, steps=30)
    model, _ = learn(known, quick)

    for report in measure(unseen, LinearScorer(model))[:2]:
        assert report.macro_f1.value > 0.70
        assert report.type_top3 is not None
        assert report.type_top3.value > 0.55
        assert report.type_none is not None
        assert report.type_none.value > 0.75


@pytest.mark.parametrize("language", ["it", "en"])
def test_real_posts_are_read_above_the_gates(scorer, sentiment_dev, language):
    rows = [
        msgspec.json.decode(line)
        for line in (sentiment_dev / f"{language}.ndjson").read_bytes().splitlines()
    ]
    posts = [
        Labelled(id=str(row["id"]), lang=language, text=row["text"], sentiment=row["label"])
        for row in rows
    ]
    report = measure(posts, scorer)[0]
    least_f1, least_auc = GATES[language]

    assert report.macro_f1.value >= least_f1
    assert report.auc_negative.value >= least_auc
    assert report.ece.value <= 0.08
    assert report.share_auc.value >= 0.90
    assert report.language is not None
    assert report.language.value >= 0.98
