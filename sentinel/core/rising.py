"""Words and phrases that people say more often than the brand is used to.

What lives here: the usual counts of a brand's words (``Baseline``), and the ranking of an incident's words against them.
What does not: which words of a post count (the language room), and where the counts of an incident come from (``storyline``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from sentinel.model import TermCount

PRIOR_POSTS = 20.0
"""Posts of usual talk that are taken for granted before any was seen."""
UNSEEN_POSTS = 100.0
"""A word that was never said is taken for one that is said once in this many posts."""
LEAST_LIFT = 1.5
LEAST_GAIN = 2.0
"""Log-likelihood ratio, in nats, below which a rise may be chance: one word in twenty-two, were none to rise."""
NEW, MOST_LIFT = 1000.0, 999.0
"""Lift of a word that is not in the brand's usual talk, and the highest of one that is."""
KNOWN_POSTS = 100.0
"""Posts of usual talk from which a word that is not in it is called new."""
PHRASE_SHARE = 0.6
"""From this part of a word's posts on, the phrase it is in says it better."""
ABOUT_LIFT = 4.0
"""Lift from which a word says what an incident is about: everyday words rise a little in any commotion."""
EVERYDAY_SHARE = 0.05
"""A word in this part of the usual posts tells no threads apart."""
PHRASE_CHARACTERS = 40
GAP = 2  # small words within a phrase: "parole del presidente"


class Baseline(msgspec.Struct):
    """How often each term is in the brand's usual talk; the past is halved when it is long, so that it follows the times."""

    mentions: float = 0.0
    terms: dict[str, float] = {}

    LIMIT = 300
    WINDOW = 2000.0

    def add(self, terms: Iterable[str]) -> None:
        """Take the terms of one post of usual talk in."""
        self.mentions += 1
        for term in dict.fromkeys(terms):
            self.terms[term] = self.terms.get(term, 0.0) + 1
        if len(self.terms) > 2 * self.LIMIT or self.mentions > self.WINDOW:
            factor = 0.5 if self.mentions > self.WINDOW else 1.0
            self.mentions *= factor
            kept = sorted(self.terms.items(), key=lambda item: (-item[1], item[0]))[: self.LIMIT]
            self.terms = {term: count * factor for term, count in kept}

    def take_back(self, terms: Iterable[str]) -> None:
        """A post that was added turned out to be the beginning of something unusual."""
        self.mentions = max(0.0, self.mentions - 1)
        for term in dict.fromkeys(terms):
            left = self.terms.get(term, 0.0) - 1
            if left > 0:
                self.terms[term] = left
            else:
                self.terms.pop(term, None)

    def usual(self, count: float) -> float:
        """Share of the posts that have a word counted ``count`` times, never 0."""
        return (count + 1.0) / (self.mentions + UNSEEN_POSTS)

    def everyday(self) -> set[str]:
        """The words that are always said."""
        return {
            term
            for term, count in self.terms.items()
            if self.mentions >= KNOWN_POSTS and count >= EVERYDAY_SHARE * self.mentions
        }


def rising(
    counts: Mapping[str, int],
    pairs: Mapping[str, int],
    posts: int,
    baseline: Baseline,
    texts: Sequence[str] = (),
    *,
    own: Collection[str] = (),
    number: int = 8,
) -> tuple[TermCount, ...]:
    """Terms and phrases that are said more often than usual, the most telling first.

    The ranking is the log-likelihood ratio of the two rates (Dunning, Computational Linguistics 19, 1993): frequent
    enough *and* unusual enough. The usual rate has an informative prior, as Monroe, Colaresi and Quinn propose for
    log-odds (Political Analysis 2008), so that little is made of a word that nobody is known to have said before. Their
    own z-score is not used: for a word that was never said before its variance is so large that it ranks behind everyday
    words, and a boycott's hashtag is such a word.

    Args:
        counts: Posts of the incident with each term.
        pairs: Posts with two terms in a row, "one other". A pair's usual count is not kept: that of its rarer word is
            taken, which it cannot exceed.
        posts: Posts of the incident.
        baseline: The brand's usual talk.
        texts: Some of the posts, to say a pair as people say it; a pair that is in none is left out.
        own: Words of the brand's own name, which say nothing.
        number: How many terms at most.
    """
    ranking = _Ranking(posts, baseline)
    for term, count in counts.items():
        if term not in own:
            ranking.add(term, count, baseline.terms.get(term, 0.0))
    spoken = [text.casefold() for text in texts]
    for pair, count in sorted(pairs.items(), key=lambda item: (-item[1], item[0])):
        ranking.join(pair.split(" "), count, spoken)
    return ranking.best(number)


class _Ranking:
    """Terms that rose, each with how much."""

    def __init__(self, posts: int, baseline: Baseline) -> None:
        self._posts, self._baseline = posts, baseline
        self._found: dict[str, tuple[float, TermCount]] = {}

    def add(self, term: str, count: int, before: float, at_least: float = 0.0) -> None:
        """Take a term up if it rose; one that stands for others ranks ``at_least`` as they did."""
        if count < (3 if self._posts > 20 else 2):
            return
        gain, lift = _score(count, self._posts, before, self._baseline)
        if gain >= LEAST_GAIN and lift >= LEAST_LIFT:
            self._found[term] = (max(gain, at_least), TermCount(term, count, lift))

    def join(self, words: Sequence[str], count: int, spoken: Sequence[str]) -> None:
        """Put a phrase in the place of those of its words that are hardly said without it."""
        said = [self._found[word] for word in words if word in self._found]
        if len(said) < len(words) or not any(count >= PHRASE_SHARE * one.count for _, one in said):
            return
        phrase = _as_said(words, spoken)
        if not phrase:
            return
        replaced = [one for one in said if count >= PHRASE_SHARE * one[1].count]
        for _, one in replaced:
            self._found.pop(one.term, None)
        before = min(self._baseline.terms.get(word, 0.0) for word in words)
        self.add(phrase, count, before, max(gain for gain, _ in replaced))

    def best(self, number: int) -> tuple[TermCount, ...]:
        """The most telling ones."""
        ranked = sorted(self._found.values(), key=lambda item: (-item[0], item[1].term))
        return tuple(term for _, term in ranked[:number])


def _as_said(words: Sequence[str], spoken: Sequence[str]) -> str:
    """The phrase with the small words in it, most frequent form first; empty where nobody says it so."""
    both = [text for text in spoken if all(word in text for word in words)]
    first, second = (re.escape(word) for word in words)
    pattern = re.compile(
        rf"(?<![^\W_]){first}(?:[\s'’]+[^\W_]{{1,12}}){{0,{GAP}}}[\s'’]+(?:[^\W_]{{1,5}}['’])?{second}(?![^\W_])"
    )
    forms: dict[str, int] = {}
    for text in both:
        if found := pattern.search(text):
            form = " ".join(found.group().split())
            if len(form) <= PHRASE_CHARACTERS:
                forms[form] = forms.get(form, 0) + 1
    return min(forms, key=lambda form: (-forms[form], form), default="")


def _score(count: int, posts: int, before: float, baseline: Baseline) -> tuple[float, float]:
    """Log-likelihood ratio, negative for what is said less than usual, and how many times the usual."""
    usual = baseline.usual(before)
    past, said = baseline.mentions + PRIOR_POSTS, before + PRIOR_POSTS * usual
    pooled = (count + said) / (posts + past)
    gain = (
        count * math.log(count / posts / pooled)
        + _entropy(posts - count, posts, 1 - pooled)
        + said * math.log(said / past / pooled)
        + _entropy(past - said, past, 1 - pooled)
    )
    lift = count / posts / usual
    if before == 0 and baseline.mentions >= KNOWN_POSTS:
        lift = NEW
    else:
        lift = round(min(lift, MOST_LIFT), 1)
    return (gain if count / posts > said / past else -gain), lift


def _entropy(count: float, whole: float, rate: float) -> float:
    return count * math.log(count / whole / rate) if count > 0 and rate > 0 else 0.0


def about(terms: Sequence[TermCount]) -> tuple[str, ...]:
    """The words that say what it is about: those that rose clearly, else all."""
    clearly = tuple(one.term for one in terms if one.lift >= ABOUT_LIFT)
    return clearly or tuple(one.term for one in terms)
