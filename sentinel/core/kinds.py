"""Which kind of crisis it is, and what speaks for each: words, a post, and how many.

What lives here: the reasons for the crisis types of an incident, from a sample of its posts. What does not: the types of a
single post (the language room), which plan follows (``playbook_match``).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sentinel.core.threads import telling
from sentinel.model import KindReason, Quote

NONE = "none"
"""The kind of the posts that have none: a real answer, told when it is the largest."""
SHOWN_KINDS, KIND_TERMS = 3, 3
LEAST_SHARE, LEAST_POSTS = 0.1, 3
"""A type that is the best one of fewer posts is not told."""


class Sample(msgspec.Struct, array_like=True):
    """A post of the sample, standing for those with the same words.

    Attributes:
        posts: How many posts of the sample it stands for; 0 for one that is only there to be shown.
        kinds: Its crisis types, best first.
    """

    quote: Quote
    terms: tuple[str, ...]
    kinds: tuple[tuple[str, float], ...]
    posts: int
    rank: float


def reasons(
    ranked: Sequence[tuple[str, float]], sample: Sequence[Sample]
) -> tuple[KindReason, ...]:
    """What speaks for the ranked types, in their order; ``none`` stands among them by its share.

    Args:
        ranked: Slug and mean score over the incident, best first.
        sample: Some of its posts.
    """
    whole = sum(one.posts for one in sample)
    if not whole:
        return ()
    score = dict(ranked)
    found = []
    for kind in (*score, NONE):
        inside = [one for one in sample if (one.kinds[0][0] if one.kinds else NONE) == kind]
        posts = sum(one.posts for one in inside)
        share = round(posts / whole, 4)
        if share >= LEAST_SHARE and posts >= LEAST_POSTS:
            found.append(
                KindReason(
                    kind,
                    score.get(kind, 0.0),
                    share,
                    () if kind == NONE else _words(inside, sample),
                    None if kind == NONE else _clearest(inside, kind),
                )
            )
    typed, untyped = found, []
    if found and found[-1].kind == NONE:
        typed, untyped = found[:-1], found[-1:]
    place = next(
        (n for n, one in enumerate(typed) if untyped and one.share < untyped[0].share), len(typed)
    )
    return tuple((typed[:place] + untyped + typed[place:])[:SHOWN_KINDS])


def _words(inside: Sequence[Sample], sample: Sequence[Sample]) -> tuple[str, ...]:
    mine = {id(one) for one in inside}
    return telling(
        [(one.terms, one.posts) for one in inside],
        [(one.terms, one.posts) for one in sample if id(one) not in mine],
        KIND_TERMS,
    )


def _clearest(inside: Sequence[Sample], kind: str) -> Quote:
    def clear(one: Sample) -> tuple[float, float, str]:
        return (dict(one.kinds).get(kind, 0.0), one.rank, one.quote.mention_id)

    return max(inside, key=clear).quote
