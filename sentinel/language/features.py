"""From tokens to features. What lives here: the reading of a post, the same in training and service.

What does not: weights (``weights``, ``linear``), learning (``train``).

A token is read once for each language and remembered as a `Reading`: its features in plain and in
negated form, as the numbers of rows of a table. A post is then a walk over its readings, which adds
what only the whole post shows: negation, pairs of words, the balance of good and bad words, shouting.
Because everything is additive, a post's score is a sum of rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from sentinel.language.lexicon import CONTRAST, NEGATORS, Lexicon
from sentinel.language.phrases import term_of
from sentinel.language.text import split_hashtag

Features = tuple[tuple[str, float], ...]

WORD, NEGATOR, BREAK, BUT, LINK, HANDLE, HASHTAG, SYMBOL, MARK, NUMBER = range(10)
"""Kinds of token."""

_NEGATION_REACH = 4
_STRENGTH: Final[dict[str, float]] = {
    "+2": 2.0, "+1": 1.0, "-1": -1.0, "-2": -2.0, "0": 0.0,
    "e+2": 2.0, "e+1": 1.0, "e-1": -1.0, "e-2": -2.0, "eL": 0.0, "eI": 0.0,
}  # fmt: skip
_LONG = re.compile(r"(.)\1{2,}")
_NGRAM_SIZES = (3, 4, 5)
_MAX_NGRAM_WORD = 20

# How strongly the prior lets a group of features speak: the larger, the less it is shrunk.
WORD_SCALE = 1.0
PAIR_SCALE = 0.6
NGRAM_SCALE = 0.22
LEXICON_SCALE = 4.0
CUE_SCALE = 2.0
CLUSTER_SCALE = 0.8
ASSOCIATION_SCALE = 3.0
SENSE_SCALE = 0.25
POST_SCALE = 1.0


class Meaning(NamedTuple):
    """What a token says, before it is turned into rows."""

    kind: int
    key: str
    plain: Features
    negated: Features
    polarity: float
    shouted: bool
    term: str


class Reading(NamedTuple):
    """A token as the walk needs it: rows instead of features."""

    kind: int
    key: str
    plain: int
    negated: int
    polarity: float
    shouted: bool
    term: str


def _emoticon(token: str) -> str | None:
    if token[0] == "<" or token[0] in "xX^":
        return "e+1"
    if token[0] in ":;=":
        last = token[-1]
        if last in ")]dDpP*3":
            return "e+1"
        if last in "([/\\|":
            return "e-1"
    return "e-1" if token[0] == "-" else None


def _word_key(word: str, language: str) -> str:
    if "'" in word:
        if language == "en":
            if word.endswith("n't") or word in NEGATORS["en"]:
                return word
            return word.partition("'")[0]
        if word in NEGATORS["it"]:
            return word
        head, _, tail = word.rpartition("'")
        return tail or head
    return word


class Reader:
    """Reads tokens of one language with the help of the word lists."""

    def __init__(self, lexicon: Lexicon, language: str) -> None:
        self.lexicon, self.language = lexicon, language
        self._negators = NEGATORS.get(language) or NEGATORS["it"] | NEGATORS["en"]
        self._contrast = CONTRAST.get(language, frozenset())

    def read(self, token: str) -> Meaning:
        """What a token says by itself."""
        first = token[0]
        if first == "#" and len(token) > 1:
            return self._hashtag(token)
        if first == "@" and len(token) > 1:
            return Meaning(HANDLE, "@", (), (), 0.0, False, term_of(token, self.language))
        if first.isalpha() and token[:4].lower() not in ("http", "www."):
            return self._word(token)
        if token[:4].lower() in ("http", "www."):
            return Meaning(LINK, "", (), (), 0.0, False, "")
        if first.isdigit():
            return Meaning(NUMBER, "0", (), (), 0.0, False, "")
        return self._symbol(token)

    def _symbol(self, token: str) -> Meaning:
        if token[0] in "!?":
            return Meaning(MARK, token, (), (), 0.0, False, "")
        if token[0] in '.,;:()"\n' and (len(token) == 1 or token[:2] == ".."):
            kind = MARK if token[:2] == ".." else BREAK
            return Meaning(kind, token, (), (), 0.0, False, "")
        tag = self.lexicon.emoji.get(token) or _emoticon(token)
        found: Features = ((f"w:{token}", WORD_SCALE),)
        if tag is not None:
            found += ((tag, LEXICON_SCALE),)
        return Meaning(SYMBOL, token, found, found, _STRENGTH.get(tag or "0", 0.0), False, "")

    def _word(self, token: str) -> Meaning:
        word = token.lower()
        key = _word_key(word, self.language)
        extra: list[tuple[str, float]] = []
        tag = self.lexicon.word(key, self.language)
        if _LONG.search(key):
            extra.append(("t:long", POST_SCALE))
            short = _LONG.sub(r"\1", key)
            twice = _LONG.sub(r"\1\1", key)
            tag = tag or self.lexicon.word(short, self.language)
            tag = tag or self.lexicon.word(twice, self.language)
            key = short
        if key in self._negators:
            kind = NEGATOR
        elif key in self._contrast:
            kind = BUT
        else:
            kind = WORD
        shouted = len(token) > 2 and token.isupper()
        plain = [(f"w:{self.language}:{key}", WORD_SCALE), *extra]
        negated = [(f"n:{self.language}:{key}", WORD_SCALE), *extra]
        if tag is not None and tag != "0":
            plain.append((f"L{tag}", LEXICON_SCALE))
            plain.append((f"L{self.language}{tag}", LEXICON_SCALE / 2))
            negated.append((f"N{tag}", LEXICON_SCALE))
            if shouted:
                plain.append((f"U{tag[0]}", LEXICON_SCALE))
        for (plain_name, negated_name), value in self._leanings(key):
            plain.append((plain_name, value))
            negated.append((negated_name, value))
        cue = self.lexicon.cue(key, self.language)
        if cue is not None:
            plain.append((f"k:{cue}", CUE_SCALE))
            negated.append((f"k:{cue}", CUE_SCALE))
        grams = self._ngrams(key)
        plain.extend(grams)
        polarity = _STRENGTH.get(tag or "0", 0.0)
        term = term_of(token, self.language)
        return Meaning(kind, key, tuple(plain), tuple(negated), polarity, shouted, term)

    def _leanings(self, key: str) -> Iterator[tuple[tuple[str, str], float]]:
        """What is known of a word through words that mean something similar: names in plain and negated form."""
        association = self.lexicon.association(key)
        if association:
            side = "+" if association > 0 else "-"
            yield (f"A{side}", f"NA{side}"), abs(association) * ASSOCIATION_SCALE
        sense = self.lexicon.sense(key)
        if sense is not None:
            for side, value in zip("-+", sense, strict=True):
                yield (f"S{side}", f"NS{side}"), value * SENSE_SCALE
        cluster = self.lexicon.cluster(key)
        if cluster is not None:
            yield (f"q:{cluster}", f"Q:{cluster}"), CLUSTER_SCALE

    def _hashtag(self, token: str) -> Meaning:
        parts = split_hashtag(token[1:])
        found: list[tuple[str, float]] = [(f"h:{token.lower()}", WORD_SCALE)]
        polarity = 0.0
        for part in parts:
            meaning = self._word(part)
            found.extend((name, value * 0.7) for name, value in meaning.plain)
            polarity += meaning.polarity
        for one, two in pairwise(parts):
            found.append((f"b:{one} {two}", PAIR_SCALE))
        features = _merge(found)
        return Meaning(
            HASHTAG, "#", features, features, polarity, False, term_of(token, self.language)
        )

    @staticmethod
    def _ngrams(key: str) -> list[tuple[str, float]]:
        if len(key) < 4 or len(key) > _MAX_NGRAM_WORD:
            return []
        padded = f"<{key}>"
        return [
            (f"c:{padded[start : start + size]}", NGRAM_SCALE)
            for size in _NGRAM_SIZES
            for start in range(len(padded) - size + 1)
        ]

    def pair(self, pair: str) -> Features:
        """Features of two words in a row, ``"first second"``."""
        found: Features = ((f"b:{pair}", PAIR_SCALE),)
        cue = self.lexicon.cue(pair, self.language)
        return found if cue is None else (*found, (f"k:{cue}", CUE_SCALE))


def _merge(found: Iterable[tuple[str, float]]) -> Features:
    merged: dict[str, float] = {}
    for name, value in found:
        merged[name] = merged.get(name, 0.0) + value
    return tuple(merged.items())


def _bin(value: float) -> str:
    return str(max(-4, min(4, round(value))))


def walk(  # noqa: C901, PLR0912, PLR0915 - the hot loop: a call per token would double its cost
    readings: Sequence[Reading], pairs: Mapping[str, int], posts: Mapping[str, int]
) -> list[int]:
    """Rows of a post whose sum is its score.

    Args:
        readings: The post's tokens.
        pairs: Row of two words in a row; absent pairs say nothing.
        posts: Row of each feature of the whole post.
    """
    rows: list[int] = []
    add = rows.append
    reach = words = shouted = marks = asks = dots = 0
    good = bad = late = symbols = 0.0
    but = False
    previous = ""
    pair_row = pairs.get
    for kind, key, plain, negated, polarity, loud, _ in readings:
        if kind == WORD:
            words += 1
            shouted += loud
            if reach:
                reach -= 1
                add(negated)
                if polarity:
                    polarity *= -0.5  # noqa: PLW2901 - "not good" is milder than "bad"
            else:
                add(plain)
            if polarity > 0:
                good += polarity
            elif polarity < 0:
                bad -= polarity
            late += polarity
        elif kind <= BUT:
            if kind == NEGATOR:
                reach = _NEGATION_REACH
                words += 1
                add(plain)
            elif kind == BUT:
                reach, but, late = 0, True, 0.0
                words += 1
                add(plain)
            else:
                reach = 0
                previous = ""
                continue
        elif kind == SYMBOL:
            add(plain)
            symbols += polarity
            continue
        elif kind == HASHTAG:
            add(plain)
            if polarity > 0:
                good += polarity
            else:
                bad -= polarity
        elif kind == MARK:
            reach = 0
            if key[0] == ".":
                dots += 1
            else:
                marks += key.count("!")
                asks += key.count("?")
            previous = ""
            continue
        if previous:
            found = pair_row(f"{previous} {key}")
            if found is not None:
                add(found)
        previous = key
    features = [
        "p:",
        f"p:good:{min(round(good), 4)}",
        f"p:bad:{min(round(bad), 4)}",
        f"p:net:{_bin(good - bad)}",
    ]
    if symbols:
        features.append(f"p:symbols:{_bin(symbols)}")
    if good and bad:
        features.append("p:mixed")
    elif not (good or bad or symbols):
        features.append("p:plain")
    if but and late:
        features.append("p:but+" if late > 0 else "p:but-")
    if marks:
        features.append(f"p:!{min(marks, 3)}")
    if asks:
        features.append(f"p:?{min(asks, 2)}")
    if dots:
        features.append(f"p:..{min(dots, 2)}")
    if words > 3 and shouted * 2 > words:
        features.append("p:SHOUT")
    elif shouted:
        features.append("p:Shout")
    if readings and readings[-1].kind == MARK and readings[-1].key[0] == "?":
        features.append("p:ends?")
    row = posts.get
    for name in features:
        found = row(name)
        if found is not None:
            add(found)
    return rows
