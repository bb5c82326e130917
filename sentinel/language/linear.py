"""The default scorer: a sum of learnt rows. What lives here: serving a trained model, fast.

What does not: learning it (``train``), its file (``weights``), reading tokens (``features``).

Every distinct token is turned into a row once and remembered, so that scoring a post is a walk over
its tokens and a batch is one gather and one sum. The memory of rare tokens is bounded.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sentinel.errors import LanguageError
from sentinel.language import weights as weights_file
from sentinel.language.base import UNKNOWN_LANGUAGE, UNSCORED, Post
from sentinel.language.features import Features, Reader, Reading, walk
from sentinel.language.identify import Identifier, Spoken
from sentinel.language.lexicon import build
from sentinel.language.phrases import choose
from sentinel.language.text import clean, says_something, tokenize
from sentinel.language.weights import Weights
from sentinel.model import Verdict

SHIPPED: Final = "default.model"
"""The shipped model's file name in ``data/``."""

LABELS: Final = ("negative", "neutral", "positive")
"""The sentiment classes in the order of a model's outputs."""

_REMEMBERED = 120_000
"""Rows after which the memory of tokens starts afresh (16 MB)."""

MAX_TYPES = 5
"""Crisis types of one post."""

LEAST_TYPE_SCORE = 0.04
"""Score below which a crisis type is not named."""

NONE_FROM = 0.8
"""Probability of "none of these" from which a post's crisis types are not ranked at all. Much more than half: a weak hint carries
a low score and is lost in an incident's sum if others say otherwise, one that is not passed on is gone. Whether a single post
*has* a type is `likely_type`'s to say."""

_THIRD = 1.0 / 3.0
_NOTHING = Spoken(UNKNOWN_LANGUAGE)

Floats = NDArray[np.float32]

_NO_TYPES: Floats = np.zeros(0, dtype=np.float32)


def shipped() -> Weights:
    """The model of the package.

    Raises:
        LanguageError: The package is damaged.
    """
    file = resources.files("sentinel.language") / "data" / SHIPPED
    try:
        return weights_file.load(file.read_bytes(), SHIPPED)
    except OSError as error:
        raise LanguageError(f"{SHIPPED}: missing from the package ({error})") from error


def softmax(scores: Floats) -> Floats:
    """Row-wise softmax."""
    powers: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def rank_types(
    names: Sequence[str], probabilities: NDArray[Any], digits: int = 4
) -> tuple[tuple[str, float], ...]:
    """Crisis types best first, as hints; empty if "none of these" (the last probability) is as good as sure."""
    if probabilities[-1] >= NONE_FROM:
        return ()
    scores = probabilities[:-1].tolist()
    order = sorted(range(len(scores)), key=lambda place: -scores[place])[:MAX_TYPES]
    return tuple(
        (names[place], round(scores[place], digits))
        for place in order
        if scores[place] >= LEAST_TYPE_SCORE
    )


class Judgement(NamedTuple):
    """A verdict and what it does not show: the probability of each crisis type, the last one none."""

    verdict: Verdict
    types: Floats


class LinearScorer:
    """Serves a `Weights`; see `Scorer` for the promises.

    Args:
        weights: A trained model.
        languages: Languages to expect, the most usual first.
    """

    def __init__(self, weights: Weights, languages: Sequence[str] = ("it", "en")) -> None:
        self._weights = weights
        self.languages = tuple(languages)
        self._identifier = Identifier(self.languages)
        lexicon = build(weights.lists)
        self._index = {name: row for row, name in enumerate(weights.features)}
        self._readers = {code: Reader(lexicon, code) for code in weights.languages}
        self._first = next((c for c in self.languages if c in self._readers), weights.languages[0])
        self._lock = threading.Lock()
        self._bias = np.asarray(weights.bias, dtype=np.float32)
        self._table: Floats = weights.table
        self._used = 0
        self._readings: dict[str, dict[str, Reading]] = {}
        self._pairs: dict[str, dict[str, int]] = {}
        self._posts: dict[str, int] = {}
        self._forget()

    @classmethod
    def load(cls, languages: Sequence[str], path: Path | None = None) -> LinearScorer:
        """The shipped model, or one's own.

        Raises:
            LanguageError: The file cannot be used, or reads none of the languages.
        """
        weights = shipped() if path is None else weights_file.read(path)
        if not set(languages) & set(weights.languages):
            raise LanguageError(
                f"{weights.model_id} reads {', '.join(weights.languages)}, "
                f"none of the configured {', '.join(languages)}"
            )
        return cls(weights, languages)

    @property
    def model_id(self) -> str:
        """Name and version of the weights."""
        return self._weights.model_id

    def score(self, posts: Sequence[Post]) -> list[Verdict]:
        """One verdict per post, in order."""
        return [judgement.verdict for judgement in self.judge(posts)]

    def judge(self, posts: Sequence[Post]) -> list[Judgement]:
        """One verdict per post, in order, each with the probabilities of all crisis types."""
        if not posts:
            return []
        verdicts: list[Judgement | None] = [None] * len(posts)
        rows: list[int] = []
        starts: list[int] = []
        heads: list[tuple[int, Spoken, tuple[str, ...]]] = []
        with self._lock:
            if self._used > _REMEMBERED:
                self._forget()
            for place, post in enumerate(posts):
                text = clean(post.text)
                tokens = tokenize(text)
                if not says_something(tokens):
                    verdicts[place] = Judgement(_unscored(_NOTHING, tokens), _NO_TYPES)
                    continue
                spoken = self._identifier.identify(text, tokens, post.language_hint)
                code = self._first if spoken.language == UNKNOWN_LANGUAGE else spoken.language
                if code not in self._readers:
                    verdicts[place] = Judgement(_unscored(spoken, tokens), _NO_TYPES)
                    continue
                readings = self._read(tokens, code)
                starts.append(len(rows))
                rows += walk(readings, self._pairs[code], self._posts)
                terms = choose([reading.term for reading in readings])
                heads.append((place, spoken, tuple(terms)))
            if heads:
                picked = self._table[np.asarray(rows, dtype=np.intp)]
        if heads:
            sums = np.add.reduceat(picked, np.asarray(starts, dtype=np.intp), axis=0)
            self._judge(sums, heads, verdicts)
        return [verdict for verdict in verdicts if verdict is not None]

    def _judge(
        self,
        sums: Floats,
        heads: Sequence[tuple[int, Spoken, tuple[str, ...]]],
        verdicts: list[Judgement | None],
    ) -> None:
        sentiment = softmax(sums[:, :3] / self._weights.temperature + self._bias)
        best = sentiment.argmax(axis=1).tolist()
        types = softmax(sums[:, 3:])
        typed = types[:, -1] < NONE_FROM
        model_id, names = self._weights.model_id, self._weights.types
        for row, (head, probabilities) in enumerate(
            zip(heads, sentiment.astype(np.float64).tolist(), strict=True)
        ):
            place, spoken, terms = head
            negative, neutral, positive = probabilities
            verdict = Verdict(
                language=spoken.language,
                negative=negative,
                neutral=neutral,
                positive=positive,
                label=LABELS[best[row]],
                crisis_types=rank_types(names, types[row]) if typed[row] else (),
                terms=terms,
                model_id=model_id,
                second_language=spoken.second,
            )
            verdicts[place] = Judgement(verdict, types[row])

    def _read(self, tokens: Sequence[str], code: str) -> list[Reading]:
        known = self._readings[code]
        readings = []
        for token in tokens:
            reading = known.get(token)
            if reading is None:
                reading = known[token] = self._learn(token, code)
            readings.append(reading)
        return readings

    def _learn(self, token: str, code: str) -> Reading:
        meaning = self._readers[code].read(token)
        plain = self._row(meaning.plain)
        negated = plain if meaning.negated is meaning.plain else self._row(meaning.negated)
        return Reading(
            meaning.kind,
            meaning.key,
            plain,
            negated,
            meaning.polarity,
            meaning.shouted,
            meaning.term,
        )

    def _row(self, features: Features) -> int:
        index = self._index
        rows, values = [], []
        for name, value in features:
            row = index.get(name)
            if row is not None:
                rows.append(row)
                values.append(value)
        if not rows:
            return 0
        # Row after row, in order: a product with BLAS may round otherwise on another day.
        parts = self._weights.table[rows] * np.array(values, dtype=np.float32)[:, None]
        total = np.add.reduce(parts, axis=0)
        if self._used == len(self._table):
            self._table = np.concatenate([self._table, np.zeros_like(self._table)])
        self._table[self._used] = total
        self._used += 1
        return self._used - 1

    def _forget(self) -> None:
        """Start with an empty memory: row 0 says nothing; pairs and whole-post features are known."""
        width = self._weights.table.shape[1]
        self._table = np.zeros((8192, width), dtype=np.float32)
        self._used = 1
        self._readings = {code: {} for code in self._readers}
        self._posts = {
            name: self._row(((name, 1.0),)) for name in self._weights.features if name[:2] == "p:"
        }
        pairs = [name[2:] for name in self._weights.features if name[:2] == "b:"]
        self._pairs = {}
        for code, reader in self._readers.items():
            cues = reader.lexicon.cues.get(code)
            phrases = [] if cues is None else [w for w in cues.exact if " " in w]
            self._pairs[code] = {pair: self._row(reader.pair(pair)) for pair in [*pairs, *phrases]}


def _unscored(spoken: Spoken, tokens: Sequence[str]) -> Verdict:
    from sentinel.language.phrases import term_of  # noqa: PLC0415 - the rare path

    terms = tuple(choose(term_of(token, spoken.language) for token in tokens))
    return Verdict(
        language=spoken.language,
        negative=_THIRD,
        neutral=_THIRD,
        positive=_THIRD,
        label="",
        terms=terms,
        model_id=UNSCORED,
        second_language=spoken.second,
    )
