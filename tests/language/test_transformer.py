"""A transformer out of a local directory, with a tiny real model that the test makes."""

from __future__ import annotations

import importlib
import json
import math
import threading
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.errors import LanguageError
from sentinel.language import Post, Scorer, load_scorer
from sentinel.language.base import UNSCORED
from sentinel.model import Verdict

for package in ("onnxruntime", "tokenizers"):
    pytest.importorskip(package, reason="the extra `transformer` is not installed")
pytest.importorskip("onnx", reason="onnx, which builds the tiny model, is not installed")
tiny: ModuleType = importlib.import_module("tests.fakes.transformer")

NEGATIVE = "schifo vergogna, il servizio non funziona"
POSITIVE = "grazie, ottimo servizio, sono molto contenta"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("models") / "tiny model\n[1]")


@pytest.fixture(scope="module")
def transformer(folder: Path) -> Scorer:
    return load_scorer(("it", "en"), "transformer", folder)


def alone(scorer: Scorer, text: str) -> Verdict:
    return scorer.score([Post(text)])[0]


def probabilities(one: Verdict) -> tuple[float, float, float]:
    return (one.negative, one.neutral, one.positive)


def test_labels_are_read_from_the_configuration_not_from_their_usual_order(
    transformer: Scorer,
) -> None:
    posts = [Post(NEGATIVE), Post(POSITIVE), Post("il treno è in stazione")]
    assert ["negative", "positive", "neutral"] == [one.label for one in transformer.score(posts)]


def test_probabilities_are_the_softmax_of_what_the_model_says(transformer: Scorer) -> None:
    # schifo, vergogna: mean of (-1, 3, 0) and (-1, 2, 0) in the order positive, negative, neutral
    powers = [math.exp(one) for one in (2.5, 0.0, -1.0)]
    found = transformer.score([Post("schifo vergogna", "it")])[0]
    assert [round(one / sum(powers), 3) for one in powers] == list(probabilities(found))


def test_language_terms_and_crisis_types_are_the_linear_model_s(
    transformer: Scorer, scorer: Scorer
) -> None:
    posts = [Post("Richiamo per salmonella: che schifo, Pastificio Aurora!"), Post(POSITIVE)]
    for mine, plain in zip(transformer.score(posts), scorer.score(posts), strict=True):
        assert (plain.language, plain.terms) == (mine.language, mine.terms)
        assert plain.crisis_types == mine.crisis_types
        assert (plain.model_id, transformer.model_id) == ("linear-it-en-3", mine.model_id)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from(tiny.WORDS[2:]), max_size=200), max_size=20))
def test_a_verdict_does_not_depend_on_the_padding_that_others_need(
    transformer: Scorer, posts: list[list[str]]
) -> None:
    texts = [f"{' '.join(words)} non è per gli altri" for words in posts]
    together = transformer.score([Post(text) for text in texts])
    for text, one in zip(texts, together, strict=True):
        for mine, theirs in zip(
            probabilities(alone(transformer, text)), probabilities(one), strict=True
        ):
            assert abs(mine - theirs) <= 0.0011


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=300), max_size=4))
def test_any_text_gets_an_answer_that_sums_to_one(transformer: Scorer, texts: list[str]) -> None:
    for one in transformer.score([Post(text) for text in texts]):
        assert sum(probabilities(one)) == pytest.approx(1, abs=1e-6)


def test_long_posts_are_cut_before_they_cost_anything(transformer: Scorer) -> None:
    # Beyond the first 128 tokens nothing is read.
    long = "grazie " * 140 + "schifo " * 100_000
    assert alone(transformer, long).label == "positive"


def test_handles_and_links_are_masked_as_such_models_have_learnt_them(transformer: Scorer) -> None:
    # Known to the tokenizer is only their mask.
    masked = alone(transformer, "grazie @user http")
    posts = [Post("grazie @pastificioaurora https://t.example/abc?d=1", "it")]
    assert probabilities(transformer.score(posts)[0]) == probabilities(masked)


def test_only_configured_languages_are_read(folder: Path, transformer: Scorer) -> None:
    spanish = "El servicio es horrible horrible horrible, no vuelvo nunca más"
    assert alone(transformer, spanish).model_id == UNSCORED
    wider = load_scorer(("it", "en", "es"), "transformer", folder)
    found = alone(wider, spanish)
    assert ("es", "negative", wider.model_id) == (found.language, found.label, found.model_id)
    assert alone(wider, "https://news.example/aurora").model_id == UNSCORED


def test_the_model_s_name_is_harmless_and_changes_with_its_weights(
    tmp_path: Path, transformer: Scorer
) -> None:
    name, _, checksum = transformer.model_id.partition("@")
    assert name == "tiny-model-1-"
    other = load_scorer(kind="transformer", path=tiny.write(tmp_path / "tiny", token_types=True))
    assert other.model_id.startswith("tiny@")
    assert checksum != other.model_id.partition("@")[2]
    assert alone(other, NEGATIVE).label == "negative"


def test_threads_share_a_scorer(transformer: Scorer) -> None:
    posts = [Post(text) for text in (NEGATIVE, POSITIVE, "il treno") * 20]
    expected, results = transformer.score(posts), []
    threads = [
        threading.Thread(target=lambda: results.append(transformer.score(posts))) for _ in range(4)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert results == [expected] * 4


# --- what is wrong with a directory ---------------------------------------------------------------


def refused(folder: Path | None) -> str:
    with pytest.raises(LanguageError) as error:
        load_scorer(kind="transformer", path=folder)
    return str(error.value)


def test_without_a_directory_the_error_says_what_is_needed(tmp_path: Path) -> None:
    assert "a directory with model.onnx, tokenizer.json and config.json" in refused(None)
    assert f"{tmp_path / 'absent'}: no such directory" in refused(tmp_path / "absent")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\x00" * 50])
def test_a_missing_or_damaged_file_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    path = tiny.write(tmp_path / "m") / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert refused(tmp_path / "m").startswith(f"{path}: ")


@pytest.mark.parametrize(
    "labels",
    [
        {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"},
        {"0": "negative", "1": "neutral"},
        {"0": "negative", "1": "neutral", "5": "positive"},
        {"0": "negative", "1": "neutral", "2": "positive", "3": "mixed"},
        {"0": "negative", "1": "neutral", "x": "positive"},
    ],
)
def test_labels_that_are_not_the_three_are_refused(tmp_path: Path, labels: dict[str, str]) -> None:
    said = refused(tiny.write(tmp_path / "m", labels=labels))
    assert said.startswith(f"{tmp_path / 'm' / 'config.json'}: id2label must name ")
    assert next(iter(labels.values())) in said


def test_other_than_three_classes_are_refused(tmp_path: Path) -> None:
    said = refused(tiny.write(tmp_path / "m", classes=2))
    assert said.startswith(f"{tmp_path / 'm' / 'model.onnx'}: gives (2, 2) for two posts")


def test_a_tokenizer_with_more_words_than_the_model_is_refused(tmp_path: Path) -> None:
    said = refused(tiny.write(tmp_path / "m", rows=5))
    assert said.startswith(f"{tmp_path / 'm' / 'model.onnx'}: does not take 128 tokens")
    assert "of tokenizer.json" in said


def test_a_model_with_other_inputs_is_refused(tmp_path: Path) -> None:
    said = refused(tiny.write(tmp_path / "m", first_input="pixels"))
    assert "takes ['pixels', 'attention_mask']; known are attention_mask, input_ids" in said


def test_positions_bound_the_length(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "m")
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"max_position_embeddings": 12}))
    text = "grazie " * 10 + "schifo " * 90
    assert alone(load_scorer(kind="transformer", path=folder), text).label == "positive"
    path.write_text(json.dumps(config | {"max_position_embeddings": 3}))
    assert refused(folder).startswith(f"{path}: max_position_embeddings")
