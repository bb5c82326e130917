"""What people talk about, of what kind it is, which way it went, and whether the brand has been here before.

What lives here: sentences from the incident's threads, kinds, path and past. What does not: figures (``story``), the plan
(``plan``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from sentinel.core.playbooks import Cluster, Playbook
from sentinel.i18n import N_, Translator
from sentinel.model import Arrival, Incident, Quote
from sentinel.notify.safe_text import clean
from sentinel.notify.wording import channel_words, crisis_type_words

WORD, HOST = 40, 60
SHOWN_ARRIVALS = 5
CLUSTER: Mapping[str, str] = {
    Cluster.VICTIM: N_("a crisis that befell the brand"),
    Cluster.ACCIDENTAL: N_("an accident"),
    Cluster.PREVENTABLE: N_("a crisis that could have been prevented"),
}
"""Coombs' clusters as the public would put them."""


def threads(t: Translator, incident: Incident) -> tuple[str, ...]:
    """The threads of talk, the largest first; none where there is only one."""
    return tuple(
        t.gettext(
            "{number}) about {share} of the posts: {words}",
            number=t.number(number),
            share=t.percent(_round(thread.share)),
            words=_words(thread.terms),
        )
        for number, thread in enumerate(incident.threads, start=1)
        if _words(thread.terms)
    )


def kinds(t: Translator, incident: Incident) -> tuple[str, ...]:
    """Of which kinds the posts are, with the words that say so."""
    told = []
    for reason in incident.kinds:
        share = t.percent(_round(reason.share))
        words = _words(t.gettext("“{word}”", word=term) for term in reason.terms)
        if reason.kind == "none":
            told.append(t.gettext("no known kind: about {share} of the posts", share=share))
        elif words:
            told.append(
                t.gettext(
                    "{kind}: about {share} of the posts, with {words}",
                    kind=crisis_type_words(t, reason.kind),
                    share=share,
                    words=words,
                )
            )
        else:
            told.append(
                t.gettext(
                    "{kind}: about {share} of the posts",
                    kind=crisis_type_words(t, reason.kind),
                    share=share,
                )
            )
    return tuple(told)


def path(t: Translator, incident: Incident, now: float) -> str:
    """How it went from channel to channel, where the first post comes from, and what is linked most."""
    parts = []
    if len(incident.path) > 1:
        stops = incident.path[:SHOWN_ARRIVALS]
        # The day is said once: each stop is told as seen from the one before.
        seen_from = (now, *(one.at for one in stops))
        parts.append(
            " → ".join(_arrival(t, one, then) for one, then in zip(stops, seen_from, strict=False))
        )
    if incident.path and (source := _source(t, incident.path[0])):
        parts.append(source)
    if linked := [
        t.ngettext("{host} ({n} post)", "{host} ({n} posts)", link.count, host=_host(link.host))
        for link in incident.links
    ]:
        parts.append(t.gettext("most linked: {hosts}", hosts=", ".join(linked)))
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "." if text else ""


def _arrival(t: Translator, one: Arrival, then: float) -> str:
    return f"{channel_words(t, one.channel)} {t.stamp(one.at, then)}"


def _source(t: Translator, first: Arrival) -> str:
    """What the earliest post points to."""
    if first.repeats:
        return t.gettext("the earliest one seen repeats a post that Sentinel has not read")
    if first.link:
        return t.gettext("the first post links to {host}", host=_host(first.link))
    if first.answers:
        return t.gettext("the first post is a reply to another one")
    return ""


def past(t: Translator, incident: Incident, playbook: Playbook | None, now: float) -> str:
    """What the brand has been through, and what that changes; empty where it changes nothing."""
    known = incident.past
    moved = incident.cluster != incident.plan_cluster
    if playbook is None or not (known or moved):
        return ""
    parts = []
    if known:
        last = known[0]
        parts.append(
            t.ngettext(
                "{n} similar case in two years, on {day}.",
                "{n} similar cases in two years, the last on {day}.",
                len(known),
                day=t.calendar_date(t.local(min(last.at, now)).date().isoformat()),
            )
        )
    else:
        parts.append(t.gettext("The brand has been through the like before."))
    if moved and incident.cluster in CLUSTER and incident.plan_cluster in CLUSTER:
        parts.append(
            t.gettext(
                "People will blame it more: answer as for {now}, not as for {before}; you confirm.",
                now=t.gettext(CLUSTER[incident.cluster]),
                before=t.gettext(CLUSTER[incident.plan_cluster]),
            )
        )
    parts.append(clean(playbook.seen_before.text(t.language), 600))
    return " ".join(parts)


def role(t: Translator, quote: Quote, *, first: bool) -> str:
    """Why a post is shown."""
    roles = []
    if first:
        roles.append(t.gettext("first post"))
    if quote.most_spread:
        roles.append(t.gettext("most spread"))
    if quote.thread:
        roles.append(t.gettext("thread {number}", number=t.number(quote.thread)))
    return ", ".join(roles)


def _words(terms: Iterable[str]) -> str:
    return ", ".join(word for term in terms if (word := clean(term, WORD)))


def _host(host: str) -> str:
    return clean(host, HOST)


def _round(share: float) -> float:
    """To five points: it is estimated on a sample."""
    return max(0.05, round(min(max(share, 0.0), 1.0) * 20) / 20) if math.isfinite(share) else share
