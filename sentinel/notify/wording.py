"""The words for the closed sets: severities, crisis types, roles, channels, caveats, reasons.

What lives here: tables from enum members and slugs to texts, marked for the catalogues, and the reading of the reasons
that the core writes. What does not: whole sentences about an incident (``story``, ``plan``, ``changes``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sentinel.core.playbooks import Role, StatementChannel
from sentinel.i18n import N_, Translator
from sentinel.language.labels import UNRELATED
from sentinel.model import Caveat, Direction, Incident, Severity
from sentinel.notify.safe_text import clean

THREAT_SEVERITY: Mapping[Severity, str] = {
    Severity.LOW: N_("low severity"),
    Severity.MEDIUM: N_("medium severity"),
    Severity.HIGH: N_("high severity"),
    Severity.CRITICAL: N_("critical severity"),
}

OPPORTUNITY_SIZE: Mapping[Severity, str] = {
    Severity.LOW: N_("small"),
    Severity.MEDIUM: N_("notable"),
    Severity.HIGH: N_("large"),
    Severity.CRITICAL: N_("exceptional"),
}

THREAT_MARK: Mapping[Severity, str] = {
    Severity.LOW: "🟡",
    Severity.MEDIUM: "🟠",
    Severity.HIGH: "🔴",
    Severity.CRITICAL: "🚨",
}
OPPORTUNITY_MARK = "🟢"
RESOLVED_MARK, FALSE_ALARM_MARK, OPERATIONS_MARK = "✅", "⚪", "⚠️"

CRISIS_TYPE: Mapping[str, str] = {
    "fake-news": N_("fake news or impersonation"),
    "external-attack": N_("attack or event from outside"),
    "service-outage": N_("service outage"),
    "product-safety": N_("product safety"),
    "data-breach": N_("data breach"),
    "executive-statement": N_("a leader's words or conduct"),
    "discrimination": N_("discrimination or misconduct"),
    "labour-dispute": N_("labour dispute"),
    "boycott": N_("boycott"),
    "environment-safety": N_("environmental harm or accident"),
    "legal-financial": N_("legal or financial affair"),
    "customer-care": N_("customer care, prices or terms"),
    "marketing-misfire": N_("campaign that backfires"),
    "coordinated-attack": N_("coordinated attack"),
    "opportunity": N_("wave of praise"),
    "unknown": N_("kind not clear yet"),
}

ROLE: Mapping[Role, str] = {
    Role.DUTY_OFFICER: N_("Duty officer"),
    Role.INCIDENT_LEAD: N_("Incident lead"),
    Role.SPOKESPERSON: N_("Spokesperson"),
    Role.LEGAL: N_("Legal"),
    Role.HR: N_("Human resources"),
    Role.CUSTOMER_CARE: N_("Customer care"),
    Role.SALES: N_("Sales"),
    Role.IT: N_("IT"),
    Role.EXECUTIVE_SPONSOR: N_("Executive sponsor"),
}

STATEMENT_CHANNEL: Mapping[StatementChannel, str] = {
    StatementChannel.SOCIAL: N_("social media"),
    StatementChannel.PRESS: N_("press"),
    StatementChannel.SITE: N_("website"),
    StatementChannel.CUSTOMERS: N_("customers"),
    StatementChannel.INTERNAL: N_("staff"),
}

NOT_ABOUT_US = N_("not about us")

LABEL: Mapping[str, str] = {
    "negative": N_("negative"),
    "neutral": N_("neutral"),
    "positive": N_("positive"),
}

CHANNEL: Mapping[str, str] = {
    "bluesky": "Bluesky",
    "facebook": "Facebook",
    "hackernews": "Hacker News",
    "instagram": "Instagram",
    "linkedin": "LinkedIn",
    "mastodon": "Mastodon",
    "reddit": "Reddit",
    "telegram": "Telegram",
    "threads": "Threads",
    "tiktok": "TikTok",
    "twitter": "X",
    "x": "X",
    "youtube": "YouTube",
    "blog": N_("blogs"),
    "call": N_("phone calls"),
    "care": N_("customer care"),
    "email": N_("e-mail"),
    "forum": N_("forums"),
    "news": N_("news sites"),
    "radio": N_("radio"),
    "review": N_("reviews"),
    "reviews": N_("reviews"),
    "tv": N_("television"),
    "web": N_("web"),
}

CAVEAT: Mapping[Caveat, str] = {
    Caveat.SHORT_HISTORY: N_(
        "Sentinel has not watched this brand for long: what is usual is still an estimate."
    ),
    Caveat.SOURCE_GAP: N_("A source was interrupted in this period: the counts may be too low."),
    Caveat.PLANNED_EVENT: N_(
        "A planned event or a holiday is on: part of the extra volume may come from it."
    ),
    Caveat.POLARISED: N_(
        "Opinions are split: critics and supporters are both growing, and replies may feed both."
    ),
    Caveat.FEW_AUTHORS: N_("Few people write most of the posts."),
    Caveat.MANY_REPOSTS: N_("Most of the volume is reposts, not new posts."),
    Caveat.NEW_ACCOUNTS: N_("Unusually many of the accounts are new: it may be organised."),
    Caveat.NEAR_DUPLICATES: N_(
        "Many posts repeat one text almost word for word: a shared appeal, or an organised one."
    ),
    Caveat.SENTIMENT_ESTIMATED: N_(
        "The shares of negative and positive posts are estimated automatically: irony can mislead them."
    ),
}

MUCH_UNREAD = 0.1
"""Part of the window's mentions from which it is told that no model read them."""

WEAKENING: frozenset[Caveat] = frozenset(
    {
        Caveat.SHORT_HISTORY,
        Caveat.SOURCE_GAP,
        Caveat.PLANNED_EVENT,
        Caveat.FEW_AUTHORS,
    }
)
"""Caveats that lower the confidence; the others concern what it means, not whether it is real."""


def severity_words(t: Translator, direction: Direction, severity: Severity) -> str:
    """In Italian "gravità alta" of a threat, "grande" of an opportunity."""
    table = OPPORTUNITY_SIZE if direction is Direction.OPPORTUNITY else THREAT_SEVERITY
    return t.gettext(table[severity])


def severity_mark(direction: Direction, severity: Severity) -> str:
    """The one emoji of a header."""
    return OPPORTUNITY_MARK if direction is Direction.OPPORTUNITY else THREAT_MARK[severity]


def crisis_type_words(t: Translator, kind: str) -> str:
    """The crisis type in words.

    An incident's kind may also be the id of a playbook: one that begins with a type counts as that type, a general one
    as not clear yet, one of the user's own is shown as it is called.
    """
    if kind in CRISIS_TYPE:
        return t.gettext(CRISIS_TYPE[kind])
    begins = [slug for slug in CRISIS_TYPE if kind.startswith(f"{slug}-")]
    if begins:
        return t.gettext(CRISIS_TYPE[max(begins, key=len)])
    if not kind or kind.startswith("general"):
        return t.gettext(CRISIS_TYPE["unknown"])
    return clean(kind.replace("-", " "), 60)


def role_words(t: Translator, role: Role) -> str:
    """The role in words."""
    return t.gettext(ROLE[role])


def channel_words(t: Translator, channel: str) -> str:
    """Name of a channel: vendors by their own, kinds of media in words, others as configured."""
    known = CHANNEL.get(channel.casefold())
    return t.gettext(known) if known else clean(channel, 40)


def label_words(t: Translator, label: str) -> str:
    """How a post was read."""
    return t.gettext(LABEL[label]) if label in LABEL else ""


def judgement_words(t: Translator, word: str) -> str:
    """What a person calls a post: one of ``language.labels.WORDS``."""
    return t.gettext(NOT_ABOUT_US) if word == UNRELATED else label_words(t, word)


def caveat_words(t: Translator, incident: Incident) -> tuple[str, ...]:
    """What could be wrong, one sentence each; ``learning`` and ``polarised`` of the evidence count too."""
    # That no plan fits is said where the plan would be.
    caveats = [each for each in incident.caveats if each is not Caveat.NO_PLAYBOOK_MATCH]
    if incident.evidence.learning and Caveat.SHORT_HISTORY not in caveats:
        caveats.insert(0, Caveat.SHORT_HISTORY)
    if incident.evidence.polarised and Caveat.POLARISED not in caveats:
        caveats.append(Caveat.POLARISED)
    texts = [t.gettext(CAVEAT[caveat]) for caveat in dict.fromkeys(caveats)]
    evidence = incident.evidence
    if evidence.unread >= MUCH_UNREAD * max(1, evidence.mentions):
        texts.append(
            t.gettext(
                "{unread} of {mentions} posts were not read, being in another language or without words: they count, but neither as"
                " negative nor as positive.",
                unread=t.number(evidence.unread),
                mentions=t.number(evidence.mentions),
            )
        )
    return tuple(texts)


# --- reasons -------------------------------------------------------------------------------------
# The core writes reasons as short English sentences of fixed shape (``core/playbook_match``,
# ``core/severity``); those shapes are read here. A shape not known here is shown as it is.


def _type_reason(t: Translator, found: re.Match[str]) -> str:
    return t.gettext("topic “{type}”", type=crisis_type_words(t, found[1]))


def _term_reason(t: Translator, found: re.Match[str]) -> str:
    return t.gettext(
        "“{term}” in {count} of {total} posts",
        term=_stem(found[1]),
        count=t.number(float(found[2])),
        total=t.number(float(found[3])),
    )


def _top_term_reason(t: Translator, found: re.Match[str]) -> str:
    return t.ngettext(
        "“{term}” {n} time", "“{term}” {n} times", int(found[2]), term=_stem(found[1])
    )


def _against_reason(t: Translator, found: re.Match[str]) -> str:
    return t.gettext(
        "against it: “{term}” in {count} of {total} posts",
        term=_stem(found[1]),
        count=t.number(float(found[2])),
        total=t.number(float(found[3])),
    )


def _seen_before_reason(t: Translator, found: re.Match[str]) -> str:
    kinds = [crisis_type_words(t, kind.strip()) for kind in found[1].split(",")]
    return t.gettext("the brand has been through it before: {types}", types=t.join(kinds))


def _duplicates_reason(t: Translator, found: re.Match[str]) -> str:
    return t.gettext("{share} of the posts are near copies", share=t.percent(float(found[1])))


def _new_accounts_reason(t: Translator, found: re.Match[str]) -> str:
    return t.gettext("{share} of the accounts are new", share=t.percent(float(found[1])))


def _one_post_reason(t: Translator, found: re.Match[str]) -> str:
    return t.gettext("{share} of the reposts are of one post", share=t.percent(float(found[1])))


def _direction_reason(t: Translator, _found: re.Match[str]) -> str:
    return t.gettext("the tone is positive")


def _stem(term: str) -> str:
    return clean(term, 40).replace("*", "…")


def _excess_reason(t: Translator, found: re.Match[str]) -> str:
    return t.gettext(
        "negative posts above the usual: {excess} (usual {usual})",
        excess=t.number(float(found[1])),
        usual=t.number(float(found[2])),
    )


def _praise_reason(t: Translator, found: re.Match[str]) -> str:
    return t.gettext(
        "positive posts above the usual: {excess} (usual {usual})",
        excess=t.number(float(found[1])),
        usual=t.number(float(found[2])),
    )


def _doubling_reason(t: Translator, found: re.Match[str]) -> str:
    return t.gettext("doubling every {span}", span=t.span(max(float(found[1]), 1.0) * 60))


def _reach_reason(t: Translator, found: re.Match[str]) -> str:
    return t.gettext("the authors have {n} followers altogether", n=t.number(float(found[1])))


def _grave_reason(t: Translator, found: re.Match[str]) -> str:
    return t.gettext("people may come to harm: {type}", type=crisis_type_words(t, found[1]))


_Shapes = tuple[tuple[re.Pattern[str], Callable[[Translator, re.Match[str]], str] | None], ...]
_PLAYBOOK_REASONS: _Shapes = (
    (re.compile(r"type (\S+) [\d.]+"), _type_reason),
    (re.compile(r"term «(.+)» in (\d{1,9}) of (\d{1,9}) posts"), _term_reason),
    (re.compile(r"top term «(.+)» (\d{1,9}) times"), _top_term_reason),
    (re.compile(r"against: «(.+)» in (\d{1,9}) of (\d{1,9}) posts"), _against_reason),
    (re.compile(r"seen before: (.+)"), _seen_before_reason),
    (re.compile(r"near duplicates ([\d.]{1,6})"), _duplicates_reason),
    (re.compile(r"new accounts ([\d.]{1,6})"), _new_accounts_reason),
    (re.compile(r"reposts of one post ([\d.]{1,6})"), _one_post_reason),
    (re.compile(r"direction opportunity"), _direction_reason),
    (re.compile(r"no match: .*"), None),  # the playbook line says it in its own words
)
_SEVERITY_REASONS: _Shapes = (
    (re.compile(r"doubling (\d{1,6}) min"), _doubling_reason),
    (re.compile(r"reach (\d{1,15})"), _reach_reason),
    (re.compile(r"type (\S+)"), _grave_reason),
)
_EXCESS = re.compile(r"excess (\d{1,9}) over (\d{1,9}(?:\.\d+)?)")


def playbook_reasons(t: Translator, reasons: tuple[str, ...]) -> tuple[str, ...]:
    """Why a playbook was chosen, in the reader's language."""
    return tuple(text for reason in reasons if (text := _read(t, reason, _PLAYBOOK_REASONS)))


def severity_reasons(t: Translator, incident: Incident) -> tuple[str, ...]:
    """Why this severity, in the reader's language."""
    opportunity = incident.direction is Direction.OPPORTUNITY
    shapes = ((_EXCESS, _praise_reason if opportunity else _excess_reason), *_SEVERITY_REASONS)
    return tuple(text for reason in incident.severity_reasons if (text := _read(t, reason, shapes)))


def _read(t: Translator, reason: str, shapes: _Shapes) -> str:
    for pattern, reading in shapes:
        if found := pattern.fullmatch(reason):
            return clean(reading(t, found), 120) if reading else ""
    return clean(reason, 120)
