"""What of an incident is shown: its threads of talk, the posts to read, the reasons for its kind.

What lives here: ``Showing``, a pure view of a storyline's sample and candidates. What does not: how those are kept
(``storyline``), how posts are grouped (``threads``), wording.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from sentinel.core import kinds, threads
from sentinel.core.kinds import Sample
from sentinel.core.storyline import SAMPLE_CHARACTERS, Storyline, words_of
from sentinel.model import KindReason, Quote, Thread

MAX_THREADS, THREAD_WORDS = 3, 4
LEAST_THREAD, LEAST_THREAD_POSTS = 0.1, 4
"""Share and number of sampled posts below which a group of posts is no thread worth telling."""
SHOWN_POSTS = 3
DIFFERENT, AT_MOST_ALIKE = 0.5, 0.7
"""Common part of two posts' words: posts to show stay below the first, or where there are too few, below the second."""
ON_TOPIC = 0.25  # rank that each risen term in a post is worth, up to three


class Showing:
    """Chooses what to show of a storyline.

    Args:
        story: What is known of the incident.
        about: The terms that rose.
        everyday: Words that are always said of the brand, its name among them: they tell no threads apart.
    """

    def __init__(
        self, story: Storyline, about: Collection[str] = (), everyday: Collection[str] = ()
    ) -> None:
        self._story, self._matter = story, words_of(about)
        self._pool = _pool(story, everyday)

    def threads(self) -> tuple[tuple[Thread, ...], tuple[Quote, ...]]:
        """The threads of talk where there is more than one, and the posts to show.

        Those are the best post of each thread, the most telling ones that differ from them, and the most spread one.
        """
        pool = self._pool
        whole = max(1, _posts(pool))
        groups = [
            [pool[place] for place in places]
            for places in threads.group([one.terms for one in pool])
        ]
        groups.sort(key=lambda group: -_posts(group))
        large = [
            group
            for group in groups
            if _posts(group) >= LEAST_THREAD_POSTS and _posts(group) >= LEAST_THREAD * whole
        ][:MAX_THREADS]
        if len(large) < 2:
            large = []
        told, shown = [], []
        for place, group in enumerate(large, start=1):
            others = [one for one in pool if all(one is not mine for mine in group)]
            words = threads.telling(_weighted(group), _weighted(others), THREAD_WORDS)
            told.append(Thread(round(_posts(group) / whole, 4), _posts(group), words))
            best = max(group, key=lambda one: (self._relevance(one), one.quote.mention_id))
            shown.append(msgspec.structs.replace(best.quote, thread=place))
        self._fill(shown)
        return tuple(told), self._with_most_spread(shown)

    def kinds(self) -> tuple[KindReason, ...]:
        """The crisis types with what speaks for each."""
        return kinds.reasons(self._story.ranked_types(), [one for one in self._pool if one.posts])

    def _fill(self, shown: list[Quote]) -> None:
        """Add the most telling posts that differ from those shown and from each other."""
        ranked = sorted(self._pool, key=lambda one: (-self._relevance(one), one.quote.mention_id))
        for tolerance in (DIFFERENT, AT_MOST_ALIKE):
            for candidate in ranked:
                if len(shown) >= SHOWN_POSTS:
                    return
                if all(_overlap(candidate.quote, one) < tolerance for one in shown):
                    shown.append(candidate.quote)

    def _with_most_spread(self, shown: Iterable[Quote]) -> tuple[Quote, ...]:
        """The posts with the most spread one marked, or added where it is not among them."""
        quotes = [self._story.with_spread(one) for one in shown]
        top = self._story.top(self._matter)
        if top is None or not top.spread:
            return tuple(quotes)
        marked = [
            msgspec.structs.replace(one, most_spread=True)
            if (one.source, one.mention_id) == (top.source, top.mention_id)
            else one
            for one in quotes
        ]
        if marked == quotes:
            marked.append(msgspec.structs.replace(top, most_spread=True))
        return tuple(marked)

    def _relevance(self, one: Sample) -> float:
        """Its rank, and more for what is about the matter."""
        return one.rank + ON_TOPIC * min(3, len(self._matter.intersection(one.terms)))


def _pool(story: Storyline, everyday: Collection[str]) -> list[Sample]:
    """The sample, posts of the same text as one, and the posts that may be shown beside it."""
    pool: dict[str, Sample] = {}
    drawn = [one.one for one in story.sample]
    for weight, candidates in ((1, drawn), (0, story.candidates)):
        for one in candidates:
            text = one.quote.text[:SAMPLE_CHARACTERS].casefold()
            strength = story.strength(one)
            known = pool.get(text)
            if known is None:
                terms = tuple(term for term in one.terms if term not in everyday)
                pool[text] = Sample(one.quote, terms, one.kinds, weight, strength)
                continue
            known.posts += weight
            if strength > known.rank:
                known.quote, known.rank = one.quote, strength
    return list(pool.values())


def _posts(group: Iterable[Sample]) -> int:
    return sum(one.posts for one in group)


def _weighted(group: Iterable[Sample]) -> list[tuple[tuple[str, ...], int]]:
    return [(one.terms, one.posts) for one in group]


def _overlap(one: Quote, other: Quote) -> float:
    """Jaccard similarity of the words."""
    mine, theirs = set(one.text.casefold().split()), set(other.text.casefold().split())
    return len(mine & theirs) / max(1, len(mine | theirs))
