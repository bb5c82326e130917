"""The model file."""

import numpy as np
import pytest

from sentinel.errors import LanguageError
from sentinel.language import weights
from sentinel.language.linear import shipped
from sentinel.language.weights import Weights


def small() -> Weights:
    return Weights(
        model_id="tiny-1",
        languages=("it",),
        types=("boycott", "none"),
        features=("p:", "w:it:bello"),
        table=np.array([[0, 1, -1, 0.5, 0], [2, 0, -2, 0, 0.25]], dtype=np.float32),
        temperature=1.5,
        bias=(0.0, 0.0, 0.0),
        lists={"cues.txt": "[it:boycott]\nboicott*"},
        about={"posts": "2"},
    )


def test_a_model_comes_back_as_it_was_written():
    model = weights.load(weights.dump(small()), "tiny")

    assert (small().features, small().lists) == (model.features, model.lists)
    assert np.allclose(small().table, model.table, atol=0.01)


def test_writing_is_reproducible():
    assert weights.dump(small()) == weights.dump(small())


def test_a_flipped_bit_is_a_clear_error():
    data = bytearray(weights.dump(small()))
    data[-5] ^= 1

    with pytest.raises(LanguageError, match=r"tiny: checksum mismatch, the file is damaged"):
        weights.load(bytes(data), "tiny")


def test_a_cut_file_is_a_clear_error():
    with pytest.raises(LanguageError, match="checksum mismatch"):
        weights.load(weights.dump(small())[:-20], "tiny")


def test_something_else_is_not_a_model():
    with pytest.raises(LanguageError, match=r"notes\.txt: not a Sentinel language model"):
        weights.load(b"hello", "notes.txt")


def test_another_format_version_says_what_to_do():
    data = bytearray(weights.dump(small()))
    data[len(weights.MAGIC)] = 9

    with pytest.raises(LanguageError, match=r"model format 9, .* reads format 1; train it again"):
        weights.load(bytes(data), "tiny")


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(LanguageError, match=r"absent\.model: No such file"):
        weights.read(tmp_path / "absent.model")


def test_the_shipped_model_is_small():
    assert len(weights.dump(shipped())) < 5_000_000
