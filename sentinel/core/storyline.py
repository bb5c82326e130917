"""What an incident is made of: who says what, where, and how it spreads.

What lives here: bounded accumulators over the sightings of one incident and pure views of them. Whether there *is* an
incident is ``incidents``' affair. Everything is bounded, so a storm of a million posts costs the same memory as a thousand.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from hashlib import blake2b
from itertools import pairwise

import msgspec

from sentinel.core import rising
from sentinel.core.chain import Chain
from sentinel.core.duplicates import NEAR_BITS, Duplicates
from sentinel.core.rising import Baseline
from sentinel.model import (
    Caveat,
    Direction,
    Quote,
    Sighting,
    Spread,
    TermCount,
)

MAX_AUTHORS = 2000
MAX_ORIGINALS = 400
MAX_TERMS = 600
MAX_PAIRS = 400
MAX_CANDIDATES = 24
MAX_TEXTS = 40
MAX_SAMPLE = 64
"""Posts from which threads and reasons are told: a share of 20 % is known to about 5 points."""
SAMPLE_CHARACTERS = 280
QUOTE_LENGTH = 500
NEW_ACCOUNT_DAYS = 30
ENOUGH = 10
"""Posts, accounts or reposts from which a share of them is told."""
DAY = 86_400.0


class Candidate(msgspec.Struct):
    """A post that may be shown, with its rank; ``mark`` is its fingerprint, None where it is too short for one."""

    rank: float
    quote: Quote
    terms: tuple[str, ...] = ()
    kinds: tuple[tuple[str, float], ...] = ()
    mark: int | None = None


class Sampled(msgspec.Struct, array_like=True):
    """A post of the sample. ``lot`` is drawn from its identity: those with the lowest are the sample."""

    lot: int
    one: Candidate


class Storyline(msgspec.Struct):
    """Running sums over the sightings of one incident.

    Attributes:
        types: Crisis type to summed score.
        authors: Author to number of posts, for the first ``MAX_AUTHORS`` authors.
        originals: Reposted identity to number of reposts.
        pairs: Words that follow each other, "one other", and the number of posts with them.
        chain: The earliest posts in its direction: one of them began it.
        sample: A fair sample of the posts in its direction, reposts among them, the same in any order of arrival.
        texts: The first words of the latest distinct posts, for playbook matching, and the post's identity.
    """

    direction: Direction = Direction.THREAT
    mentions: int = 0
    negative: int = 0
    positive: int = 0
    channels: dict[str, int] = {}
    languages: dict[str, int] = {}
    types: dict[str, float] = {}
    terms: dict[str, int] = {}
    pairs: dict[str, int] = {}
    authors: dict[str, int] = {}
    more_authors: int = 0
    reach: int = 0
    reposts: int = 0
    originals: dict[str, int] = {}
    aged: int = 0
    young: int = 0
    chain: Chain = msgspec.field(default_factory=Chain)
    candidates: list[Candidate] = []
    sample: list[Sampled] = []
    texts: dict[str, tuple[str, str]] = {}
    duplicates: Duplicates = msgspec.field(default_factory=Duplicates)

    def add(self, sighting: Sighting) -> None:
        """Take one sighting in."""
        mention, verdict = sighting.mention, sighting.verdict
        self.mentions += 1
        self.negative += verdict.label == "negative"
        self.positive += verdict.label == "positive"
        _count(self.channels, mention.channel, 50)
        _count(self.languages, verdict.language or "und", 50)
        self._author(sighting)
        mark = None
        if mention.repost_of:
            self.reposts += 1
            _count(self.originals, mention.repost_of, MAX_ORIGINALS)
        else:
            author = mention.author
            mark = self.duplicates.add(mention.text, author.id or author.handle or author.name)
        toward = verdict.negative if self.direction is Direction.THREAT else verdict.positive
        for slug, score in verdict.crisis_types:
            self.types[slug] = self.types.get(slug, 0.0) + score * toward
        for term in dict.fromkeys(verdict.terms):
            _count(self.terms, term, MAX_TERMS)
        for one, other in pairwise(verdict.terms):
            if one[0] not in "#@" and other[0] not in "#@":
                _count(self.pairs, f"{one} {other}", MAX_PAIRS)
        self._show(sighting, toward, mark)

    def _author(self, sighting: Sighting) -> None:
        author, at = sighting.mention.author, sighting.mention.published_at
        name = author.id or author.handle or author.name
        if not name:
            return
        if name not in self.authors:
            self.reach += author.followers or 0
            if author.created_at is not None:
                self.aged += 1
                self.young += at - author.created_at < NEW_ACCOUNT_DAYS * DAY
            if len(self.authors) >= MAX_AUTHORS:
                self.more_authors += 1
                return
        self.authors[name] = self.authors.get(name, 0) + 1

    def _show(self, sighting: Sighting, toward: float, mark: int | None) -> None:
        mention, verdict = sighting.mention, sighting.verdict
        if not mention.text.strip():
            return
        quote = quote_of(sighting)
        head = " ".join(mention.text.split())[:200]
        followers = math.log10(1 + (mention.author.followers or 0)) / 10
        rank = toward + followers + math.log10(1 + quote.spread) / 4 + min(len(head), 120) / 1200
        if mention.repost_of:
            rank -= 1.0  # its original is shown wherever it is known
        kinds = verdict.crisis_types[:2] if verdict.crisis_type else ()
        candidate = Candidate(rank, quote, verdict.terms, kinds, mark)
        speaks = self._speaks(verdict.label)
        self.chain.add(mention, quote, verdict.terms, speaks=speaks)
        if speaks:
            self._draw(candidate)
        if mention.repost_of:
            return
        if head not in self.texts:
            self.texts[head] = mention.key
            if len(self.texts) > MAX_TEXTS:
                del self.texts[next(iter(self.texts))]
        self._compete(candidate)

    def _speaks(self, label: str) -> bool:
        return label == ("negative" if self.direction is Direction.THREAT else "positive")

    def _draw(self, candidate: Candidate) -> None:
        """Into the sample, if its lot is among the lowest (bottom-k sampling, Cohen and Kaplan, PODC 2007)."""
        quote = candidate.quote
        identity = f"{quote.source}\0{quote.mention_id}".encode("utf-8", "replace")
        lot = int.from_bytes(blake2b(identity, digest_size=6).digest())
        if len(self.sample) >= MAX_SAMPLE and lot >= self.sample[-1].lot:
            return
        quote = msgspec.structs.replace(quote, text=quote.text[:SAMPLE_CHARACTERS])
        self.sample.append(Sampled(lot, msgspec.structs.replace(candidate, quote=quote)))
        self.sample.sort(key=lambda one: one.lot)
        del self.sample[MAX_SAMPLE:]

    def _compete(self, candidate: Candidate) -> None:
        """Into the posts that may be shown: in the place of a near copy, or of the weakest."""
        kept = self.candidates
        place = _copy_of(candidate, kept)
        if place is None and len(kept) < MAX_CANDIDATES:
            kept.append(candidate)
            return
        if place is None:
            place = min(range(len(kept)), key=lambda n: self.strength(kept[n]))
        if candidate.rank > self.strength(kept[place]):
            kept[place] = candidate

    def strength(self, candidate: Candidate) -> float:
        """Its rank, and how often it was reposted since."""
        spread = self.originals.get(candidate.quote.mention_id, 0)
        return candidate.rank + math.log10(1 + spread) / 3 if spread else candidate.rank

    def forget(self, source: str, mention_id: str) -> None:
        """A post was deleted at its source: it is shown no more. Counts stay."""
        gone = (source, mention_id)

        def stays(candidate: Candidate) -> bool:
            return (candidate.quote.source, candidate.quote.mention_id) != gone

        self.texts = {head: whose for head, whose in self.texts.items() if whose != gone}
        self.candidates = [one for one in self.candidates if stays(one)]
        self.sample = [one for one in self.sample if stays(one.one)]
        self.chain.forget(source, mention_id)

    def first(self, about: Collection[str]) -> Quote | None:
        """The earliest post in its direction that is about the matter; the earliest of all if none is.

        Args:
            about: The terms that rose.
        """
        first = self.chain.first(about)
        return self.with_spread(first) if first else None

    def with_spread(self, quote: Quote) -> Quote:
        """The quote with the reposts that we saw, where they are more than the platform counted."""
        seen = self.originals.get(quote.mention_id, 0)
        return msgspec.structs.replace(quote, spread=max(quote.spread, seen))

    def top(self, matter: set[str]) -> Quote | None:
        """The most reposted post about the matter in its direction; of posts that nobody reposted, the most followed."""
        mine = [one for one in self.candidates if self._speaks(one.quote.label)]
        spread = [
            self.with_spread(one.quote)
            for one in [one for one in mine if matter.intersection(one.terms)] or mine
        ]
        return max(spread, key=lambda one: (one.spread, one.followers or 0), default=None)

    def spread(self, about: Collection[str] = ()) -> Spread:
        """Who carries it.

        Args:
            about: The terms that rose.
        """
        known = len(self.authors) + self.more_authors
        top, posts = "", 0
        best = self.top(words_of(about))
        if best is not None and (best.spread or best.followers):
            top, posts = best.author, best.spread
        return Spread(
            authors=known,
            repost_share=self.reposts / self.mentions if self.mentions else 0.0,
            new_account_share=self.young / self.aged if self.aged >= ENOUGH else None,
            near_duplicate_share=round(self.duplicates.share, 4)
            if self.duplicates.told >= ENOUGH
            else None,
            repost_concentration=round(max(self.originals.values()) / self.reposts, 4)
            if self.reposts >= ENOUGH and self.originals
            else None,
            top_author=top,
            top_author_spread=posts,
            reach=self.reach,
        )

    def ranked_types(self, number: int = 5) -> tuple[tuple[str, float], ...]:
        """Crisis types with their share of the summed scores, best first."""
        toward = max(
            1.0, float(self.negative if self.direction is Direction.THREAT else self.positive)
        )
        ranked = sorted(self.types.items(), key=lambda item: (-item[1], item[0]))[:number]
        return tuple((slug, round(min(1.0, total / toward), 4)) for slug, total in ranked)

    def rising(
        self, baseline: Baseline, own: Collection[str] = (), number: int = 8
    ) -> tuple[TermCount, ...]:
        """Terms and phrases that are said more often than the brand is used to; see ``rising``."""
        texts = [one.quote.text for one in self.candidates]
        texts += [one.one.quote.text for one in self.sample]
        return rising.rising(
            self.terms, self.pairs, self.mentions, baseline, texts, own=own, number=number
        )

    def caveats(self) -> Iterable[Caveat]:
        """What about the people behind it could mislead."""
        spread = self.spread()
        if self.mentions >= 5 and 0 < spread.authors <= max(2, self.mentions // 8):
            yield Caveat.FEW_AUTHORS
        if spread.repost_share >= 0.6:
            yield Caveat.MANY_REPOSTS
        if spread.new_account_share is not None and spread.new_account_share >= 0.3:
            yield Caveat.NEW_ACCOUNTS
        if spread.near_duplicate_share is not None and spread.near_duplicate_share >= 0.3:
            yield Caveat.NEAR_DUPLICATES


def quote_of(sighting: Sighting) -> Quote:
    """The shown part of a sighting; the text is cut, not cleaned: renderers do that."""
    mention = sighting.mention
    return Quote(
        source=mention.source,
        mention_id=mention.id,
        text=mention.text[:QUOTE_LENGTH],
        channel=mention.channel,
        published_at=mention.published_at,
        author=(mention.author.handle or mention.author.name)[:80],
        followers=mention.author.followers,
        url=mention.url[:500],
        language=sighting.verdict.language,
        label=sighting.verdict.label,
        spread=mention.engagement.reposts,
    )


def _count(table: dict[str, int], key: str, limit: int) -> None:
    """Count with bounded memory: when full, the rarer half makes room, ties by name."""
    if key in table:
        table[key] += 1
        return
    if len(table) >= limit:
        for rare in sorted(table, key=lambda name: (table[name], name))[: limit // 2]:
            del table[rare]
    table[key] = 1


def words_of(terms: Iterable[str]) -> set[str]:
    """The single words of terms and phrases."""
    return {word for term in terms for word in (term, *term.replace("’", "'").split())}


def _copy_of(candidate: Candidate, kept: list[Candidate]) -> int | None:
    """Place of a post that says the same: a near copy, or the same few words."""
    mark = candidate.mark
    for place, one in enumerate(kept):
        if mark is None or one.mark is None:
            if one.quote.text == candidate.quote.text:
                return place
        elif (one.mark ^ mark).bit_count() <= NEAR_BITS:
            return place
    return None
