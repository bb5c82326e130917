"""Posts that say the same with small changes: a fact about who speaks, never a reason to count them less.

What lives here: fingerprints of texts, and bounded groups of like ones. What does not: what the share means
(``storyline``, ``playbook_match``).

A text's fingerprint is the 64-bit simhash (Charikar, STOC 2002) of its words and pairs of neighbouring words, without
links, handles, digits and punctuation. Texts of which at most ``NEAR_BITS`` bits differ are taken for copies. In a post of
eight words that is one changed word, more in a longer one: a paraphrase is not found, and is not meant to be. Nothing of a
text is kept but its fingerprint.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

import msgspec

from sentinel.core.playbook_match import fold

LEAST_WORDS = 6
"""Shorter posts are alike by chance: "what a shame", "never again"."""
MOST_WORDS = 60
NEAR_BITS = 14
"""Measured on short posts: three of four with one word exchanged are found, and one unrelated pair in several thousand."""
MAX_GROUPS = 200

_NOISE = re.compile(r"https?://\S+|www\.\S+|@\w+", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")


def fingerprint(text: str) -> int | None:
    """64-bit simhash of a text; None where it is too short to tell.

    >>> one = fingerprint("Da oggi boicotto la pasta Aurora, mai più nel mio carrello! https://a.example/1")
    >>> two = fingerprint("da oggi BOICOTTO la pasta aurora mai più nel mio carrello @amica")
    >>> one == two
    True
    >>> fingerprint("che vergogna") is None
    True
    """
    words = _WORD.findall(fold(_NOISE.sub(" ", text[:2000])))[:MOST_WORDS]
    if len(words) < LEAST_WORDS:
        return None
    features = [*words, *map(" ".join, pairwise(words))]
    half = len(features) // 2
    counts = sum(map(_lanes, features)).to_bytes(64)
    mark = 0
    for count in counts:
        mark = mark << 1 | (count > half)
    return mark


_SPREAD = tuple(bytes(byte >> bit & 1 for bit in range(8)) for byte in range(256))


@lru_cache(maxsize=4096)
def _lanes(feature: str) -> int:
    """64 pseudo-random bits, each in a byte of its own, so that adding numbers counts bits; at most 119 are added."""
    digest = blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(b"".join(_SPREAD[byte] for byte in digest))


class Group(msgspec.Struct, array_like=True):
    """Texts that are copies of one another.

    Attributes:
        mark: Fingerprint of the first.
        author: Who wrote the first.
        copies: Further ones by other authors.
    """

    mark: int
    author: str
    copies: int = 0


class Duplicates(msgspec.Struct):
    """Groups of like posts of one incident, in bounded memory: the oldest single ones make room.

    Attributes:
        told: Posts that were long enough to be compared.
        copies: Those of them that repeat another author's post.
    """

    told: int = 0
    copies: int = 0
    groups: list[Group] = []

    def add(self, text: str, author: str) -> int | None:
        """Take a post in that is not a repost; returns its fingerprint.

        A person who repeats himself is no second voice and counts as none.
        """
        mark = fingerprint(text)
        if mark is None:
            return None
        self.told += 1
        for group in self.groups:
            if (group.mark ^ mark).bit_count() <= NEAR_BITS:
                if not author or author != group.author:
                    group.copies += 1
                    self.copies += 1
                return mark
        if len(self.groups) >= MAX_GROUPS:
            place = next((n for n, group in enumerate(self.groups) if not group.copies), 0)
            del self.groups[place]
        self.groups.append(Group(mark, author))
        return mark

    @property
    def share(self) -> float:
        """Part of the compared posts that repeat another author's."""
        return self.copies / self.told if self.told else 0.0
