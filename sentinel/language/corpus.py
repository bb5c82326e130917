"""Labelled posts: reading, checking and splitting them. What lives here: the file format.

What does not: learning (``train``), measuring (``evaluate``).

A corpus is NDJSON, one post a line: ``id``, ``lang``, ``text``, ``sentiment`` and, where known,
``idea`` (posts that say the same in other words share one, and never stand on both sides of a
split), ``type`` (crisis type or ``none``), ``irony``, ``sector``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from sentinel.errors import LanguageError
from sentinel.language.text import clean, tokenize
from sentinel.model import CRISIS_TYPES

SENTIMENTS: Final = ("negative", "neutral", "positive")
"""Labels of `Labelled.sentiment`."""

NO_TYPE: Final = "none"
"""Label of `Labelled.type` for a post that belongs to no kind of crisis."""


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """A post with what people say of it.

    Attributes:
        id: Unique in the file.
        idea: What the post says, whatever the wording; the post's own id if absent.
        lang: ISO 639-1.
        text: The post.
        sentiment: One of `SENTIMENTS`.
        type: A crisis type, `NO_TYPE`, or None where nobody labelled it.
        irony: It means something else than it says.
        sector: Trade that it speaks of.
    """

    id: str
    lang: str
    text: str
    sentiment: str
    idea: str = ""
    type: str | None = None
    irony: bool = False
    sector: str = ""


def parse(data: bytes, name: str) -> list[Labelled]:
    """Labelled posts from NDJSON.

    Raises:
        LanguageError: A line is not a labelled post; the message names file and line.
    """
    decoder = msgspec.json.Decoder(Labelled)
    posts: list[Labelled] = []
    seen: set[str] = set()
    allowed = {*CRISIS_TYPES, NO_TYPE, None}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            post = decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise LanguageError(f"{name}:{number}: {error}") from error
        if post.sentiment not in SENTIMENTS:
            raise LanguageError(f"{name}:{number}: sentiment must be one of {SENTIMENTS}")
        if post.type not in allowed:
            raise LanguageError(f"{name}:{number}: unknown crisis type {post.type!r}")
        if post.id in seen:
            raise LanguageError(f"{name}:{number}: id {post.id!r} is used twice")
        seen.add(post.id)
        posts.append(post if post.idea else msgspec.structs.replace(post, idea=post.id))
    return posts


def read(path: Path) -> list[Labelled]:
    """Labelled posts from an NDJSON file.

    Raises:
        LanguageError: The file is missing or wrong.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LanguageError(f"{path}: {error.strerror or error}") from error
    posts = parse(data, str(path))
    if not posts:
        raise LanguageError(f"{path}: no posts")
    return posts


def fold_of(idea: str, folds: int) -> int:
    """The part of a split that an idea falls into; the same on every machine."""
    return int.from_bytes(hashlib.sha256(idea.encode()).digest()[:4], "big") % folds


def split(
    posts: Iterable[Labelled], folds: int, held: int
) -> tuple[list[Labelled], list[Labelled]]:
    """Posts to learn from and posts kept back, divided by idea."""
    learn: list[Labelled] = []
    keep: list[Labelled] = []
    for post in posts:
        (keep if fold_of(post.idea, folds) == held else learn).append(post)
    return learn, keep


def near_duplicates(posts: Sequence[Labelled], overlap: float = 0.8) -> list[tuple[str, str]]:
    """Pairs of ids from different ideas whose words overlap by more than a share (Jaccard).

    Words that few posts share are looked up first, so that the search is far from quadratic.
    """
    words = [
        frozenset(token.lower() for token in tokenize(clean(post.text)) if token[0].isalpha())
        for post in posts
    ]
    frequency: dict[str, int] = {}
    for found in words:
        for word in found:
            frequency[word] = frequency.get(word, 0) + 1
    holders: dict[str, list[int]] = {}
    pairs: list[tuple[str, str]] = []
    for place, found in enumerate(words):
        rare = sorted(found, key=lambda word: (frequency[word], word))
        rare = rare[: len(rare) - int(overlap * len(rare)) + 1]
        candidates = {other for word in rare for other in holders.get(word, ())}
        for other in sorted(candidates):
            both = len(found & words[other])
            if posts[place].idea != posts[other].idea and both > overlap * (
                len(found) + len(words[other]) - both
            ):
                pairs.append((posts[other].id, posts[place].id))
        for word in rare:
            holders.setdefault(word, []).append(place)
    return pairs
