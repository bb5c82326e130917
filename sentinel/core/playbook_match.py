"""Which playbook fits an incident, and why.

What lives here: the pure ranking of playbooks for what people are saying. What does not: reading
playbook files (``sentinel/playbook_files.py``), the crisis type of a post (the language room),
what to do with the answer (``core/incidents``).

How it works. Two signals are blended: the crisis types that the language room saw in the posts,
and the trigger terms of each playbook found in them (whole words, folded, hashtags split at
CamelCase). A term that several playbooks share counts less for each; words that speak against a
playbook take up to half of its score. The weights are plain constants below, chosen by hand on the
playbooks' own tests; they are no probabilities. Where the best is weak, or the second is as good,
the answer is an honest "no match" and the general playbook.

Texts are hostile: they are only ever tokenised, and never quoted in a reason; reasons name the
playbook's own terms.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from sentinel.core.playbooks import Playbook
from sentinel.model import Direction, PlaybookMatch, Severity, Spread, TermCount

MAX_TEXTS = 400
"""Posts looked at; more add time and nothing else."""
MAX_TEXT_CHARACTERS = 2_000
MATCH_THRESHOLD = 0.25
"""A best score below this is no match."""
MATCH_MARGIN = 0.03
"""A best that leads by less than this is no match."""

TYPE_WEIGHT, TERM_WEIGHT = 0.5, 0.5
TERMS_ALONE_WEIGHT = 0.8  # without crisis types the words carry more, but never everything
TERM_HIT = 0.6  # what one term says of one post; a second independent one adds 0.6 of the rest
TERM_SHARE_SCALE = 0.2  # a term in one post of five is already 63 % of the word signal
HINT_HIT = 0.15  # what a hint says of one post
PRIOR_POSTS = 1.0  # shrinks the share found in very few posts
TOP_TERM_TRUST = 0.5  # top terms are counts of single words: supporting evidence
AGAINST_SHARE_FULL = 0.3  # "against" words in this share of the posts have their full effect
AGAINST_EFFECT = 0.5
DIRECTION_BONUS = 0.25  # only opportunity playbooks serve opportunities
SEEN_BEFORE_BONUS = 0.02  # breaks near ties in favour of the brand's own history
COORDINATED = "coordinated-attack"
COORDINATION = (
    ("near_duplicate_share", "near duplicates", 0.2, 0.8, 0.5),
    ("new_account_share", "new accounts", 0.2, 0.7, 0.5),
    ("repost_concentration", "reposts of one post", 0.5, 1.0, 0.2),
)
"""Fact, its name as a reason, the share at which it begins to count and at which it counts fully, and for how much.
Supporters copy a slogan too, and a campaign's friends are often new: no single fact reaches what words and types do."""
MAX_TERM_REASONS = 3
REMEMBERED_CODES = 0x3000  # below it are the alphabets; hostile text must not fill the memory
MIN_PREFIX = 4  # shortest stem before ``*``

_WORD = re.compile(r"[^\W_]+")
_HASHTAG = re.compile(r"[#＃]([^\W_]\w*)")
_CAMEL = re.compile(
    r"[A-ZÀ-ÖØ-Þ]+(?=[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ])|[A-ZÀ-ÖØ-Þ]?[a-zß-öø-ÿ]+|[A-ZÀ-ÖØ-Þ]+|\d+|[^\W\d_]+"
)


class MatchQuery(msgspec.Struct, frozen=True):
    """What is known of an incident when a playbook is sought.

    Attributes:
        crisis_types: (slug, score) aggregated over the incident's posts, scores in 0-1.
        texts: A sample of the posts; the order does not matter.
        terms: Top terms of the incident with their counts.
        seen_before: Crisis types in the brand's history.
        spread: Who carries it: facts that speak for a coordinated attack, and never against another plan.
    """

    direction: Direction = Direction.THREAT
    severity: Severity = Severity.HIGH
    crisis_types: tuple[tuple[str, float], ...] = ()
    texts: tuple[str, ...] = ()
    terms: tuple[TermCount, ...] = ()
    seen_before: tuple[str, ...] = ()
    spread: Spread = Spread()


class Ranked(msgspec.Struct, frozen=True):
    """One playbook's score for a query, with the reasons for it."""

    playbook: str
    score: float
    reasons: tuple[str, ...] = ()


def fold(text: str) -> str:
    """Fold for comparison: compatibility forms, accents, case; invisible characters dropped.

    >>> fold("È GIÀ successo: ｂｏｉｃｏｔｔａ")
    'e gia successo: boicotta'
    """
    if text.isascii():
        return text.casefold()
    kept = unicodedata.normalize("NFKD", text).translate(_VISIBLE)
    return unicodedata.normalize("NFKC", kept).casefold()


class _Visible(dict[int, int | None]):
    """What ``str.translate`` keeps; the characters of living scripts are remembered, so that it runs at full speed."""

    def __missing__(self, code: int) -> int | None:
        kept = None if unicodedata.category(chr(code)) in {"Mn", "Cf", "Cs"} else code
        if code < REMEMBERED_CODES:
            self[code] = kept
        return kept


_VISIBLE = _Visible()


def tokens(text: str) -> tuple[str, ...]:
    """Folded words in order; a CamelCase hashtag gives its parts and then itself.

    >>> tokens("Basta! #BoicottaAurora da oggi")
    ('basta', 'boicotta', 'aurora', 'boicottaaurora', 'da', 'oggi')
    """
    text = text[:MAX_TEXT_CHARACTERS]
    if "#" in text or "＃" in text:
        text = _HASHTAG.sub(_split_hashtag, text)
    return tuple(_WORD.findall(fold(text)))


class Matcher:
    """Ranks a fixed set of playbooks; compiles their terms once for each direction and severity.

    Args:
        playbooks: All playbooks in force; their order does not matter.
    """

    def __init__(self, playbooks: Sequence[Playbook]) -> None:
        self.playbooks = tuple(sorted(playbooks, key=lambda playbook: playbook.id))
        self._general = next((each.id for each in self.playbooks if each.general), "")
        self._compiled: dict[tuple[Direction, Severity], tuple[list[Playbook], _Index]] = {}

    def rank(self, query: MatchQuery) -> tuple[Ranked, ...]:
        """All playbooks that serve the query's direction and severity, best first, ties by id."""
        candidates, index = self._candidates(query.direction, query.severity)
        texts = sorted(set(query.texts)) if len(query.texts) > MAX_TEXTS else list(query.texts)
        posts = [index.hits(tokens(text)) for text in texts[:MAX_TEXTS]]
        top = [
            (index.hits(tokens(each.term)), each.count) for each in query.terms if each.count > 0
        ]
        scored = [
            _score(playbook, number, query=query, index=index, posts=posts, top=top)
            for number, playbook in enumerate(candidates)
        ]
        return tuple(sorted(scored, key=lambda ranked: (-ranked.score, ranked.playbook)))

    def match(self, query: MatchQuery) -> PlaybookMatch:
        """Choose the playbook for a query, or say honestly that none fits.

        Returns:
            The best playbook with its reasons and the runner-up. ``matched`` is False when the
            best score is below ``MATCH_THRESHOLD`` or leads by less than ``MATCH_MARGIN``: then the
            playbook is the general one (empty if there is none) and the runner-up the best guess.
        """
        ranking = self.rank(query)
        best = ranking[0] if ranking else Ranked("", 0.0)
        second = ranking[1] if len(ranking) > 1 else Ranked("", 0.0)
        doubt = _doubt(best, second)
        if not doubt:
            return PlaybookMatch(
                playbook=best.playbook,
                score=best.score,
                reasons=best.reasons,
                runner_up=second.playbook if second.score > 0 else "",
                runner_up_score=second.score,
            )
        guess = best if best.score > 0 else Ranked("", 0.0)
        return PlaybookMatch(
            playbook=self._general,
            score=0.0,
            reasons=(doubt, *guess.reasons),
            runner_up=guess.playbook,
            runner_up_score=guess.score,
            matched=False,
        )

    def _candidates(
        self, direction: Direction, severity: Severity
    ) -> tuple[list[Playbook], _Index]:
        key = (direction, severity)
        if key not in self._compiled:
            candidates = [
                playbook
                for playbook in self.playbooks
                if not playbook.general
                and playbook.direction is direction
                and severity.slug in playbook.severities
            ]
            self._compiled[key] = (candidates, _Index(candidates))
        return self._compiled[key]


def rank(query: MatchQuery, playbooks: Sequence[Playbook]) -> tuple[Ranked, ...]:
    """``Matcher.rank`` for one query; keep a ``Matcher`` where there are many."""
    return Matcher(playbooks).rank(query)


def match(query: MatchQuery, playbooks: Sequence[Playbook]) -> PlaybookMatch:
    """``Matcher.match`` for one query; keep a ``Matcher`` where there are many."""
    return Matcher(playbooks).match(query)


def _doubt(best: Ranked, second: Ranked) -> str:
    """Why there is no match; empty when there is one."""
    if best.score <= 0:
        return "no match: nothing speaks for any playbook"
    if best.score < MATCH_THRESHOLD:
        return f"no match: best {best.playbook} {best.score:.2f} below {MATCH_THRESHOLD:.2f}"
    margin = best.score - second.score
    if margin < MATCH_MARGIN:
        return (
            f"no match: {best.playbook} {best.score:.2f} and {second.playbook} "
            f"{second.score:.2f} too close"
        )
    return ""


# --- terms ---------------------------------------------------------------------------------------

_Hits = dict[int, tuple[set[str], set[str]]]
"""Playbook number to (terms found, "against" terms found) in one post."""
_NO_HITS: tuple[set[str], set[str]] = (set(), set())


class _Index:
    """Trigger terms of all candidates, looked up by their first word."""

    def __init__(self, playbooks: Sequence[Playbook]) -> None:
        self.users: Counter[str] = Counter()
        self._hints: set[tuple[int, str]] = set()
        self._exact: dict[str, list[tuple[tuple[str, ...], str, int, bool]]] = {}
        self._prefix: dict[str, list[tuple[tuple[str, ...], str, int, bool]]] = {}
        self._longest_prefix = 0
        for number, playbook in enumerate(playbooks):
            trigger = playbook.trigger
            strong, hints = _all(trigger.terms), _all(trigger.hints) - _all(trigger.terms)
            self._hints.update((number, term) for term in hints)
            for term in strong | hints:
                self._add(term, number, against=False)
                self.users[term] += 1
            for term in _all(trigger.against):
                self._add(term, number, against=True)

    def _add(self, term: str, number: int, *, against: bool) -> None:
        words = term_words(term)
        if not words:
            return
        first, entry = words[0], (words, term, number, against)
        if first.endswith("*"):
            self._prefix.setdefault(first[:-1], []).append(entry)
            self._longest_prefix = max(self._longest_prefix, len(first) - 1)
        else:
            self._exact.setdefault(first, []).append(entry)

    def hit(self, number: int, term: str) -> float:
        """What a term says of one post; one that several playbooks share says less for each."""
        strength = HINT_HIT if (number, term) in self._hints else TERM_HIT
        return strength / max(1, self.users[term])

    def hits(self, words: tuple[str, ...]) -> _Hits:
        """Terms of each playbook that occur in the words of one post."""
        found: _Hits = {}
        for position, word in enumerate(words):
            for entry in self._exact.get(word, ()):
                self._note(found, entry, words, position)
            for length in range(MIN_PREFIX, min(len(word), self._longest_prefix) + 1):
                for entry in self._prefix.get(word[:length], ()):
                    self._note(found, entry, words, position)
        return found

    @staticmethod
    def _note(
        found: _Hits,
        entry: tuple[tuple[str, ...], str, int, bool],
        words: tuple[str, ...],
        position: int,
    ) -> None:
        pattern, term, number, against = entry
        if len(pattern) > 1:
            window = words[position + 1 : position + len(pattern)]
            if len(window) != len(pattern) - 1 or not all(map(_fits, window, pattern[1:])):
                return
        found.setdefault(number, (set(), set()))[against].add(term)


def _all(terms: Mapping[str, Sequence[str]]) -> set[str]:
    return {term for words in terms.values() for term in words}


@lru_cache(maxsize=8192)
def term_words(term: str) -> tuple[str, ...]:
    """The folded words of a trigger term; ``*`` stays at the end of a word that is a stem.

    >>> term_words("Boicott* il marchio")
    ('boicott*', 'il', 'marchio')
    """
    return tuple(
        word
        for part in fold(term).split()
        for word in _with_star(_WORD.findall(part), part.endswith("*"))
    )


def _with_star(words: list[str], stem: bool) -> list[str]:
    if stem and words and len(words[-1]) >= MIN_PREFIX:
        return [*words[:-1], words[-1] + "*"]
    return words


def _fits(word: str, pattern: str) -> bool:
    return word.startswith(pattern[:-1]) if pattern.endswith("*") else word == pattern


def _split_hashtag(found: re.Match[str]) -> str:
    tag = found.group(1)
    parts = [part for piece in tag.split("_") for part in _CAMEL.findall(piece)]
    joined = tag.replace("_", "")
    return " " + " ".join([*parts, joined] if len(parts) > 1 else [joined]) + " "


# --- score ---------------------------------------------------------------------------------------


def _score(
    playbook: Playbook,
    number: int,
    *,
    query: MatchQuery,
    index: _Index,
    posts: Sequence[_Hits],
    top: Sequence[tuple[_Hits, int]],
) -> Ranked:
    """Blend types, words, direction and history of one playbook; reasons beside the figures."""
    reasons: list[str] = []
    type_scores = [
        (min(1.0, max(0.0, score)), slug)
        for slug, score in query.crisis_types
        if slug in playbook.types and not math.isnan(score)
    ]
    type_score, slug = max(type_scores, default=(0.0, ""))
    if type_score > 0:
        reasons.append(f"type {slug} {type_score:.2f}")
    coordination = 0.0
    if COORDINATED in playbook.types:
        coordination = _coordination(query.spread, reasons)
        type_score = 1.0 - (1.0 - type_score) * (1.0 - coordination)
    word_score = _word_score(number, index, posts, top, reasons)
    if query.crisis_types or coordination:
        score = TYPE_WEIGHT * type_score + TERM_WEIGHT * word_score
    else:
        score = TERMS_ALONE_WEIGHT * word_score
    if playbook.direction is Direction.OPPORTUNITY:
        score += DIRECTION_BONUS
        reasons.append("direction opportunity")
    score *= 1.0 - AGAINST_EFFECT * _against(number, posts, reasons)
    history = sorted(set(playbook.types) & set(query.seen_before))
    if history and score > 0:
        score += SEEN_BEFORE_BONUS
        reasons.append(f"seen before: {', '.join(history)}")
    return Ranked(playbook.id, round(min(1.0, score), 4), tuple(reasons))


def _coordination(spread: Spread, reasons: list[str]) -> float:
    """How strongly the facts about who speaks resemble an organised attack, in 0-1."""
    missed = 1.0
    for field, name, begin, full, most in COORDINATION:
        share = getattr(spread, field)
        if share is None or share <= begin:
            continue
        missed *= 1.0 - most * min(1.0, (share - begin) / (full - begin))
        reasons.append(f"{name} {share:.2f}")
    return 1.0 - missed


def _word_score(
    number: int,
    index: _Index,
    posts: Sequence[_Hits],
    top: Sequence[tuple[_Hits, int]],
    reasons: list[str],
) -> float:
    """How strongly the posts speak a playbook's words, in 0-1."""
    counts: Counter[str] = Counter()
    values: list[float] = []
    for hits in posts:
        terms = hits.get(number, _NO_HITS)[0]
        counts.update(terms)
        missed = math.fsum(math.log1p(-index.hit(number, term)) for term in terms)
        values.append(-math.expm1(missed))
    # fsum is exact: neither the order of posts nor that of a set decides the last digit.
    word_score = _saturate(math.fsum(values) / (len(posts) + PRIOR_POSTS))
    ranked_terms = sorted(
        counts.items(), key=lambda item: (-item[1] * index.hit(number, item[0]), item[0])
    )
    reasons.extend(
        f"term «{term}» in {count} of {len(posts)} posts"
        for term, count in ranked_terms[:MAX_TERM_REASONS]
    )
    mass = sum(count for _, count in top)
    rising: Counter[str] = Counter()
    speaking: list[float] = []
    for hits, count in top:
        terms = hits.get(number, _NO_HITS)[0]
        if terms:
            speaking.append(count * max(index.hit(number, term) for term in terms) / TERM_HIT)
            rising.update(dict.fromkeys(terms, count))
    if rising:
        support = TOP_TERM_TRUST * _saturate(math.fsum(speaking) / mass)
        word_score = 1.0 - (1.0 - word_score) * (1.0 - support)
        term, count = min(rising.items(), key=lambda item: (-item[1], item[0]))
        reasons.append(f"top term «{term}» {count} times")
    return word_score


def _against(number: int, posts: Sequence[_Hits], reasons: list[str]) -> float:
    """How strongly words against a playbook are in the posts, in 0-1."""
    counts: Counter[str] = Counter()
    speaking = 0
    for hits in posts:
        terms = hits.get(number, _NO_HITS)[1]
        counts.update(terms)
        speaking += bool(terms)
    if not speaking:
        return 0.0
    term, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
    reasons.append(f"against: «{term}» in {count} of {len(posts)} posts")
    return min(1.0, speaking / (len(posts) + PRIOR_POSTS) / AGAINST_SHARE_FULL)


def _saturate(share: float) -> float:
    return 1.0 - math.exp(-share / TERM_SHARE_SCALE)
