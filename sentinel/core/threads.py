"""Threads of talk: posts of one incident grouped by the words they share.

What lives here: a pure grouping of a small sample. What does not: which posts are in the sample (``storyline``), wording.

Two posts are alike by the cosine of their words, a rare word counting more than a common one (weight log(1 + n / posts
with it)); words of more than ``COMMON`` of the posts (the brand's name, the hashtag of the day) and of one post only tell
nothing apart and are left out. The two groups that are most alike on average are joined until the best pair is below
``JOIN``: average linkage (Sokal and Michener 1958), kept up to date by sums instead of computed anew.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

COMMON = 0.8
JOIN = 0.03
"""Mean cosine. Chosen on mixes of real headlines of one to three crises; ``docs/storylines.md`` has the figures."""


def group(posts: Sequence[Sequence[str]]) -> list[list[int]]:
    """Indices of the posts of each group, in order; posts without a telling word are in none.

    Args:
        posts: The words of each post. The answer depends on their order only where two pairs are exactly as alike.

    >>> group([("sciopero", "turni"), ("richiamo", "lotto"), ("turni", "sciopero"), ("lotto", "richiamo"), ("ciao",)])
    [[0, 2], [1, 3]]
    """
    vectors = _vectors(posts)
    members = {place: [place] for place, vector in enumerate(vectors) if vector}
    alike = _cosines(vectors, members)
    while pair := _closest(alike, members):
        kept, gone = pair
        for other, total in alike.pop(gone).items():
            alike[other].pop(gone)
            if other != kept:
                alike[kept][other] = alike[other][kept] = alike[kept].get(other, 0.0) + total
        members[kept] = sorted(members[kept] + members.pop(gone))
    return list(members.values())


def telling(
    inside: Sequence[tuple[Sequence[str], int]],
    outside: Sequence[tuple[Sequence[str], int]],
    number: int,
) -> tuple[str, ...]:
    """The words that set some posts apart: by share inside minus share outside, of those in two posts at least.

    Args:
        inside: Words of each post, and how many posts it stands for.
        outside: The same of the other posts.
        number: How many words at most.
    """
    mine, theirs = _counts(inside), _counts(outside)
    whole, rest = _total(inside), max(1, _total(outside))
    lead = {term: count / whole - theirs[term] / rest for term, count in mine.items() if count >= 2}
    ranked = sorted(lead, key=lambda term: (-lead[term], term))
    return tuple(term for term in ranked[:number] if lead[term] > 0)


def _counts(posts: Sequence[tuple[Sequence[str], int]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for terms, posts_like_it in posts:
        for term in dict.fromkeys(terms):
            counts[term] += posts_like_it
    return counts


def _total(posts: Sequence[tuple[Sequence[str], int]]) -> int:
    return sum(posts_like_it for _, posts_like_it in posts)


def _vectors(posts: Sequence[Sequence[str]]) -> list[dict[str, float]]:
    known = Counter(term for terms in posts for term in set(terms))
    weight = {
        term: math.log(1 + len(posts) / count)
        for term, count in known.items()
        if 2 <= count <= COMMON * len(posts)
    }
    vectors = []
    for terms in posts:
        vector = {term: weight[term] for term in dict.fromkeys(terms) if term in weight}
        length = math.sqrt(math.fsum(value * value for value in vector.values()))
        vectors.append({term: value / length for term, value in vector.items()})
    return vectors


def _cosines(
    vectors: Sequence[dict[str, float]], places: Iterable[int]
) -> dict[int, dict[int, float]]:
    """The cosine of each pair that shares a word."""
    alike: dict[int, dict[int, float]] = {place: {} for place in places}
    with_term: dict[str, list[tuple[int, float]]] = {}
    for second, vector in enumerate(vectors):
        mine = alike.get(second, {})
        for term, value in vector.items():
            for first, other in with_term.setdefault(term, []):
                mine[first] = alike[first][second] = mine.get(first, 0.0) + value * other
            with_term[term].append((second, value))
    return alike


def _closest(
    alike: dict[int, dict[int, float]], members: dict[int, list[int]]
) -> tuple[int, int] | None:
    best, found = JOIN, None
    for first, others in alike.items():
        size = len(members[first])
        for second, total in others.items():
            if second > first and total > best * size * len(members[second]):
                best, found = total / (size * len(members[second])), (first, second)
    return found
