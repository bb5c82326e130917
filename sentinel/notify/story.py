"""What happened, in sentences: figures, trend, where, who, posts, words, confidence.

What lives here: the part of a message that comes from the incident alone. What does not: the plan (``plan``), changes of
state (``changes``), words for closed sets (``wording``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from sentinel.i18n import N_, Translator
from sentinel.model import Direction, Evidence, Incident, Phase, Quote, TermCount
from sentinel.notify.alert import QuoteLine
from sentinel.notify.judging import post_key
from sentinel.notify.safe_text import clean
from sentinel.notify.talk import role
from sentinel.notify.wording import (
    WEAKENING,
    channel_words,
    crisis_type_words,
    label_words,
    severity_mark,
    severity_words,
)

QUOTE_CHARACTERS = 280
TOLD_SHARE = 0.05
"""Below it new accounts and near copies are nothing to tell."""
SHOWN_QUOTES, SHOWN_TERMS, SHOWN_CHANNELS, SHOWN_LANGUAGES = 5, 8, 5, 4
SHOWN_LEVELS = 2
_ABOUT, _MANY_TIMES, _LEAST_USUAL = 1.2, 10.0, 0.005
_DAYS_A_YEAR = 365
_SURE_MARGIN_NATS = 3.0  # the evidence is e^3, about 20 times, what an alarm needs


def brand_name(incident: Incident) -> str:
    """Name of the brand, fit to be shown."""
    return clean(incident.brand_name or incident.brand, 60)


def kind_words(t: Translator, incident: Incident) -> str:
    """The crisis type in words; praise where an opportunity has no other type."""
    if incident.direction is Direction.OPPORTUNITY and incident.kind == "unknown":
        return crisis_type_words(t, "opportunity")
    return crisis_type_words(t, incident.kind)


def headline(t: Translator, incident: Incident) -> str:
    """Severity and direction: "Allerta crisi (gravità alta)"."""
    severity = severity_words(t, incident.direction, incident.severity)
    if incident.direction is Direction.OPPORTUNITY:
        return t.gettext("Opportunity ({severity})", severity=severity)
    return t.gettext("Crisis alert ({severity})", severity=severity)


def header(t: Translator, incident: Incident, now: float) -> str:
    """Severity, brand, threat or opportunity, crisis type, since when."""
    parts = [headline(t, incident), brand_name(incident), kind_words(t, incident)]
    if incident.open:
        parts.append(t.since(incident.onset_at, now))
    return f"{severity_mark(incident.direction, incident.severity)} {' · '.join(parts)}"


def sentence(t: Translator, incident: Incident) -> str:
    """The figures against the usual, and how often chance would do this."""
    evidence = incident.evidence
    parts = [
        t.gettext(
            "{mentions} in {span}, usual {usual}",
            mentions=t.ngettext("{n} mention", "{n} mentions", evidence.mentions),
            span=t.span(evidence.window_seconds),
            usual=_usual(t, evidence.expected),
        )
    ]
    negative = t.gettext(
        "share of negative posts {change}",
        change=_against_usual(t, evidence.negative_share, evidence.usual_negative_share),
    )
    positive = t.gettext(
        "share of positive posts {change}",
        change=_against_usual(t, evidence.positive_share, evidence.usual_positive_share),
    )
    if incident.direction is Direction.OPPORTUNITY:
        parts.append(positive)
    else:
        parts.append(negative)
        if evidence.polarised:
            parts.append(positive)
    parts += _levels(t, incident)
    if chance := _chance(t, evidence.chance_days):
        parts.append(chance)
    return "; ".join(parts) + "."


def _against_usual(t: Translator, share: float, usual: float) -> str:
    """A change and no level: both shares are counted by the same ruler, which is off by ten points and more as a level."""
    times = share / max(usual, _LEAST_USUAL)
    if times >= _MANY_TIMES:
        return t.gettext("more than 10 times the usual")
    if times >= _ABOUT:
        return t.gettext(
            "{times} times the usual", times=t.number(times if times < 3 else round(times))
        )
    if times > 1 / _ABOUT:
        return t.gettext("about the usual")
    return t.gettext("below the usual")


def _levels(t: Translator, incident: Incident) -> list[str]:
    """The shares themselves, where people judged enough posts to correct the count; the languages with most posts."""
    said = (
        N_(
            "in {language} {share} positive (between {low} and {high}, from {labels} posts that people judged)"
        )
        if incident.direction is Direction.OPPORTUNITY
        else N_(
            "in {language} {share} negative (between {low} and {high}, from {labels} posts that people judged)"
        )
    )
    return [
        t.gettext(
            said,
            language=_language(t, level.language) or t.gettext("unknown"),
            share=t.percent(level.share),
            low=t.percent(level.low),
            high=t.percent(level.high),
            labels=t.number(level.labels),
        )
        for level in incident.levels[:SHOWN_LEVELS]
    ]


def _usual(t: Translator, expected: float) -> str:
    if not math.isfinite(expected) or expected < 0.5:
        return t.gettext("less than 1")
    return t.number(expected if expected < 1 else round(expected))


def _chance(t: Translator, days: float | None) -> str:
    if days is None or math.isnan(days) or days <= 0:
        return ""
    if days >= 10 * _DAYS_A_YEAR:
        return t.gettext("by chance less than once in 10 years")
    if days >= 2 * _DAYS_A_YEAR:
        years = round(days / _DAYS_A_YEAR)
        return t.ngettext("by chance about once a year", "by chance about once in {n} years", years)
    return t.ngettext(
        "by chance about once a day", "by chance about once in {n} days", max(1, round(days))
    )


def trend(t: Translator, incident: Incident) -> str:
    """Where it is going."""
    parts = [_movement(t, incident)]
    if incident.peak_per_minute > 0:
        parts.append(
            t.gettext("at most {rate} a minute so far", rate=t.number(incident.peak_per_minute))
        )
    if incident.wave > 1:
        parts.append(t.gettext("wave no. {wave} of the same story", wave=t.number(incident.wave)))
    if incident.mentions > 0:
        parts.append(totals(t, incident))
    return _sentence("; ".join(parts))


def totals(t: Translator, incident: Incident) -> str:
    """What the incident has come to so far, or in all once it is over."""
    if incident.open:
        mentions = t.ngettext("{n} mention so far", "{n} mentions so far", incident.mentions)
    else:
        mentions = t.ngettext("{n} mention in all", "{n} mentions in all", incident.mentions)
    if incident.direction is Direction.OPPORTUNITY:
        count = t.number(incident.positive)
        return t.gettext(
            "{mentions}, {count} of them read as positive", mentions=mentions, count=count
        )
    count = t.number(incident.negative)
    return t.gettext("{mentions}, {count} of them read as negative", mentions=mentions, count=count)


def _movement(t: Translator, incident: Incident) -> str:
    growth = incident.doubling_minutes
    growing = incident.phase in {Phase.ONSET, Phase.ESCALATING}
    if growing and growth is not None and math.isfinite(growth) and growth > 0:
        return t.gettext("doubling every {span}", span=t.span(growth * 60))
    if incident.phase is Phase.ONSET:
        return t.gettext("just begun")
    if incident.phase is Phase.ESCALATING:
        return t.gettext("growing")
    if incident.phase is Phase.PEAK:
        return t.gettext("no longer growing, at its height")
    if incident.phase is Phase.DECAYING:
        return t.gettext("past its peak and falling")
    return t.gettext("back to normal")


def where(t: Translator, incident: Incident) -> str:
    """Channels and languages with their shares."""
    channels = _shares(t, incident.channels, SHOWN_CHANNELS, lambda name: channel_words(t, name))
    languages = _shares(t, incident.languages, SHOWN_LANGUAGES, lambda code: _language(t, code))
    parts = []
    if channels:
        parts.append(", ".join(channels))
    if languages:
        parts.append(t.gettext("in {languages}", languages=", ".join(languages)))
    return _sentence("; ".join(parts))


def _shares(
    t: Translator, counts: tuple[tuple[str, int], ...], shown: int, say: Callable[[str], str]
) -> list[str]:
    total = sum(count for _, count in counts if count > 0)
    ranked = sorted((pair for pair in counts if pair[1] > 0), key=lambda pair: -pair[1])
    if len(ranked) == 1:
        return [say(ranked[0][0]) or t.gettext("unknown")]
    told = [
        f"{say(name) or t.gettext('unknown')} {t.percent(count / total)}"
        for name, count in ranked[:shown]
    ]
    rest = sum(count for _, count in ranked[shown:])
    if rest:
        told.append(t.gettext("others {share}", share=t.percent(rest / total)))
    return told


def _language(t: Translator, code: str) -> str:
    return "" if code in {"", "und"} else clean(t.language_name(code), 40)


def who(t: Translator, incident: Incident, now: float) -> str:
    """Who began it, who carries it, and how much of it is repetition."""
    spread = incident.spread
    parts = []
    if first := incident.first_post:
        parts.append(
            t.gettext(
                "first post by {author} on {channel} {when}",
                author=_author(t, first),
                channel=channel_words(t, first.channel),
                when=t.at(first.published_at, now),
            )
        )
    if spread.top_author:
        author = clean(spread.top_author, 60)
        if spread.top_author_spread > 0:
            parts.append(
                t.ngettext(
                    "most spread: {author} ({n} repost)",
                    "most spread: {author} ({n} reposts)",
                    spread.top_author_spread,
                    author=author,
                )
            )
        else:
            parts.append(t.gettext("most followed: {author}", author=author))
    if spread.authors > 0:
        parts.append(t.ngettext("{n} author", "{n} authors", spread.authors))
        parts.append(t.gettext("{share} reposts", share=t.percent(spread.repost_share)))
    if spread.repost_concentration is not None and spread.repost_share >= 0.3:
        parts.append(
            t.gettext(
                "{share} of the reposts are of one post",
                share=t.percent(spread.repost_concentration),
            )
        )
    if spread.near_duplicate_share and spread.near_duplicate_share >= TOLD_SHARE:
        parts.append(
            t.gettext(
                "{share} of the posts are near copies",
                share=t.percent(spread.near_duplicate_share),
            )
        )
    if spread.new_account_share is not None and spread.new_account_share >= TOLD_SHARE:
        parts.append(
            t.gettext(
                "{share} of the accounts younger than 30 days",
                share=t.percent(spread.new_account_share),
            )
        )
    if spread.reach > 0:
        parts.append(
            t.ngettext("{n} follower altogether", "{n} followers altogether", spread.reach)
        )
    return _sentence("; ".join(parts))


def _author(t: Translator, quote: Quote) -> str:
    name = clean(quote.author, 60) or t.gettext("an unknown author")
    if quote.followers is None:
        return name
    return t.ngettext(
        "{author} ({n} follower)", "{author} ({n} followers)", quote.followers, author=name
    )


def quotes(t: Translator, incident: Incident, now: float) -> tuple[QuoteLine, ...]:
    """The first post where it has text, then the representative ones and the most spread one; none twice."""
    shown = list(incident.quotes)
    first = incident.first_post
    if first is not None:
        whose = (first.source, first.mention_id)
        same = [one for one in shown if (one.source, one.mention_id) == whose]
        shown = [*(same or [first]), *(one for one in shown if one not in same)]
    lines = []
    seen: set[tuple[str, str]] = set()
    for quote in shown:
        text = clean(quote.text, QUOTE_CHARACTERS)
        key = (quote.source, quote.mention_id)
        if not text or key in seen:
            continue
        seen.add(key)
        is_first = first is not None and key == (first.source, first.mention_id)
        lines.append(_quote_line(t, quote, text, role(t, quote, first=is_first), now))
    return tuple(lines[:SHOWN_QUOTES])


def _quote_line(t: Translator, quote: Quote, text: str, why: str, now: float) -> QuoteLine:
    details = []
    if quote.followers is not None:
        details.append(t.ngettext("{n} follower", "{n} followers", quote.followers))
    if quote.spread > 0:
        details.append(t.ngettext("{n} repost", "{n} reposts", quote.spread))
    return QuoteLine(
        text=text,
        author=clean(quote.author, 60),
        channel=channel_words(t, quote.channel),
        time=t.stamp(quote.published_at, now),
        label=label_words(t, quote.label),
        role=why,
        detail=", ".join(details),
        url=safe_url(quote.url),
        key=post_key(quote),
    )


def safe_url(url: str) -> str:
    """The address if it is plain ``http`` or ``https`` without blanks or quotes; empty otherwise."""
    trimmed = url.strip()
    if not trimmed.lower().startswith(("http://", "https://")) or len(trimmed) > 2000:
        return ""
    if clean(trimmed) != trimmed or any(char in trimmed for char in " \"'<>|`\\"):
        return ""
    return trimmed


def terms(t: Translator, found: Iterable[TermCount]) -> tuple[str, ...]:
    """Words that rose, with how often, and how many times the usual."""
    return tuple(_term(t, term) for term in list(found)[:SHOWN_TERMS] if clean(term.term, 40))


def _term(t: Translator, term: TermCount) -> str:
    word = clean(term.term, 40)
    if not math.isfinite(term.lift) or term.lift < 2:
        return f"{word} ({t.number(term.count)})"
    if term.lift >= 1000:
        return t.gettext("{term} ({count}, new)", term=word, count=t.number(term.count))
    return t.gettext(
        "{term} ({count}, {lift} times the usual)",
        term=word,
        count=t.number(term.count),
        lift=t.number(round(term.lift)),
    )


def confidence(t: Translator, incident: Incident) -> str:
    """How sure Sentinel is that this is not noise, and what it would have taken not to fire."""
    parts = [_sureness(t, incident)]
    evidence = incident.evidence
    if evidence.would_not_fire_below is not None and evidence.would_not_fire_below > 0:
        parts.append(
            t.ngettext(
                "With fewer than {n} mention in {span} there would have been no alert.",
                "With fewer than {n} mentions in {span} there would have been no alert.",
                evidence.would_not_fire_below,
                span=t.span(evidence.window_seconds),
            )
        )
    if evidence.channel:
        channel = channel_words(t, evidence.channel)
        parts.append(t.gettext("Most of the evidence is on {channel}.", channel=channel))
    return " ".join(parts)


def _sureness(t: Translator, incident: Incident) -> str:
    weak = len(WEAKENING & set(incident.caveats)) or int(incident.evidence.learning)
    if weak >= 2 or (weak and not _well_above(incident.evidence)):
        return t.gettext("Low: read the posts before you act.")
    if weak or not _well_above(incident.evidence):
        return t.gettext("Medium: the signal is clear, the margin is not wide.")
    return t.gettext("High: the signal is far above the alarm threshold.")


def _well_above(evidence: Evidence) -> bool:
    return evidence.score >= evidence.threshold + _SURE_MARGIN_NATS


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text else ""
