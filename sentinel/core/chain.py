"""Where it came from: the first posts, how it went from channel to channel, and what the posts link to.

What lives here: ``Chain``, bounded memory of the earliest posts of an incident on each channel, and of linked hosts. What
does not: whether there is an incident, wording. Links are hostile: only a plain host name is kept of one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import msgspec

from sentinel.model import Arrival, LinkCount, Mention, Quote

MAX_OPENERS = 8
"""Earliest posts kept of each channel and tone: the first of them may be about something else."""
SHARED_WORDS = 2
"""Words about the matter that make a post part of it which does not speak in the incident's direction: a question, a
headline. One that does needs one word."""
MAX_CHANNELS = 6
MAX_HOSTS = 100
SHOWN_LINKS = 3

_LINK = re.compile(r"https?://([^\s/?#\\]{1,300})", re.IGNORECASE)
_HOST = re.compile(
    r"(?=.{4,100}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\.[a-z]{2,}"
)


def hosts(texts: Iterable[str]) -> list[str]:
    """Host names of the links in some texts, each once, without ``www.``; what is no plain host name is left out.

    >>> hosts(["Sentite https://www.LaRadio.example/diretta?x=1 e http://bank.example@evil.example:8080/"])
    ['laradio.example', 'evil.example']
    """
    found: dict[str, None] = {}
    for text in texts:
        if "://" not in text:
            continue
        for link in _LINK.finditer(text):
            host = link[1].rpartition("@")[2].partition(":")[0].casefold().removeprefix("www.")
            if _HOST.fullmatch(host):
                found[host] = None
    return list(found)


class Opener(msgspec.Struct, array_like=True):
    """An early post.

    Attributes:
        speaks: Whether it is in the incident's direction.
        answers, repeats: Identity of the post it replies to or reposts.
        link: Host of its first link.
    """

    quote: Quote
    terms: tuple[str, ...]
    speaks: bool
    answers: str = ""
    repeats: str = ""
    link: str = ""

    @property
    def order(self) -> tuple[float, str, str]:
        """Earlier first, whatever order they came in."""
        return (self.quote.published_at, self.quote.source, self.quote.mention_id)


class Chain(msgspec.Struct):
    """The beginnings of one incident.

    Attributes:
        openers: Channel to its earliest posts in the incident's direction, earliest first; for the first
            ``MAX_CHANNELS`` channels.
        calm: The same of posts in no direction or the other one: who reports it first may be neutral.
        links: Host to [posts in the incident's direction, epoch seconds of the first].
    """

    openers: dict[str, list[Opener]] = {}
    calm: dict[str, list[Opener]] = {}
    links: dict[str, list[float]] = {}

    def add(self, mention: Mention, quote: Quote, terms: tuple[str, ...], *, speaks: bool) -> None:
        """Take a post in; ``speaks`` says whether it is in the incident's direction."""
        linked = hosts((mention.text, *mention.mentions_of))
        if speaks:
            self._link(linked, mention.published_at)
        table = self.openers if speaks else self.calm
        here = table.get(mention.channel)
        if here is None:
            if len(table) >= MAX_CHANNELS:
                return
            here = table[mention.channel] = []
        if len(here) >= MAX_OPENERS and mention.published_at > here[-1].quote.published_at:
            return
        link = linked[0] if linked else ""
        here.append(Opener(quote, terms, speaks, mention.reply_to, mention.repost_of, link))
        here.sort(key=lambda one: one.order)
        del here[MAX_OPENERS:]

    def _link(self, linked: Iterable[str], at: float) -> None:
        for host in linked:
            entry = self.links.get(host)
            if entry is not None:
                entry[0] += 1
                entry[1] = min(entry[1], at)
            elif len(self.links) < MAX_HOSTS or self._forget_rare():
                self.links[host] = [1, at]

    def _forget_rare(self) -> bool:
        """Make room for a new host among those seen once; whether there is room."""
        for host in [host for host, (posts, _) in self.links.items() if posts <= 1][
            : MAX_HOSTS // 2
        ]:
            del self.links[host]
        return len(self.links) < MAX_HOSTS

    def first(self, about: Collection[str]) -> Quote | None:
        """The earliest post of one's own that is about the matter; the earliest of all if none is.

        Args:
            about: The words that rose.
        """
        known = [one for here in self._channels() for one in here if not one.repeats]
        found = min(_on_topic(known, about), key=lambda one: one.order, default=None)
        return found.quote if found else None

    def _channels(self) -> list[list[Opener]]:
        names = dict.fromkeys((*self.openers, *self.calm))
        return [[*self.openers.get(name, ()), *self.calm.get(name, ())] for name in names]

    def path(self, about: Collection[str]) -> tuple[Arrival, ...]:
        """The first post or repost about the matter on each channel, in order of time."""
        found = [
            min(here, key=lambda one: one.order)
            for everything in self._channels()
            if (here := _on_topic(everything, about))
        ]
        return tuple(
            Arrival(
                source=one.quote.source,
                mention_id=one.quote.mention_id,
                channel=one.quote.channel,
                at=one.quote.published_at,
                author=one.quote.author,
                answers=one.answers[:200],
                repeats=one.repeats[:200],
                link=one.link,
            )
            for one in sorted(found, key=lambda one: one.order)
        )

    def linked(self) -> tuple[LinkCount, ...]:
        """The most linked hosts, of those in two posts at least."""
        ranked = sorted(self.links.items(), key=lambda item: (-item[1][0], item[0]))
        return tuple(
            LinkCount(host, int(posts), first)
            for host, (posts, first) in ranked[:SHOWN_LINKS]
            if posts >= 2
        )

    def forget(self, source: str, mention_id: str) -> None:
        """A post was deleted at its source."""
        gone = (source, mention_id)
        for table in (self.openers, self.calm):
            for channel, here in table.items():
                table[channel] = [
                    one for one in here if (one.quote.source, one.quote.mention_id) != gone
                ]


def _on_topic(openers: list[Opener], about: Collection[str]) -> list[Opener]:
    """Those about the matter; if none is, all that speak in the incident's direction."""
    matter = set(about)

    def concerned(one: Opener) -> bool:
        return len(matter.intersection(one.terms)) >= (1 if one.speaks else SHARED_WORDS)

    return [one for one in openers if concerned(one)] or [one for one in openers if one.speaks]
