"""Messages for those who keep Sentinel running: a source went silent, a source is back.

What lives here: the wording of operational effects. What does not: anything about a brand.
"""

from __future__ import annotations

from sentinel.i18n import Translator
from sentinel.model import Effect, EffectKind
from sentinel.notify.alert import AlertMessage, Headings
from sentinel.notify.safe_text import clean
from sentinel.notify.wording import OPERATIONS_MARK, RESOLVED_MARK

SHOWN_SOURCES = 8


def build(t: Translator, effect: Effect, timezone: str, headings: Headings) -> AlertMessage:
    """Word an operational effect; ``effect.at`` is when it was noticed."""
    if effect.kind is EffectKind.SOURCE_SILENT:
        header, sentence, status, checks = _silent(t, effect)
    elif effect.kind is EffectKind.SOURCE_RECOVERED:
        header, sentence, status, checks = _recovered(t, effect)
    else:
        header, sentence, status, checks = _unknown(t, effect)
    return AlertMessage(
        header=header,
        sentence=sentence,
        subject=clean(header, 120),
        fallback=" ".join((clean(header, 130) + ".", clean(sentence, 167))),
        headings=headings,
        language=t.language,
        timezone=timezone,
        operational=True,
        status_line=status,
        checks=checks,
        thread_reply=sentence if effect.kind is EffectKind.SOURCE_RECOVERED else "",
    )


_Words = tuple[str, str, str, tuple[str, ...]]


def _silent(t: Translator, effect: Effect) -> _Words:
    n, names = _sources(t, effect)
    when = t.at(effect.at, effect.at)
    return (
        f"{OPERATIONS_MARK} "
        + t.ngettext("Source silent: {names}", "{n} sources silent: {names}", n, names=names)
        + f" · {when}",
        t.ngettext(
            "Nothing comes in from {names} any more: meanwhile no brand alert is possible from it, "
            "and silence there does not mean calm.",
            "Nothing comes in from {names} any more: meanwhile no brand alert is possible from them, "
            "and silence there does not mean calm.",
            n,
            names=names,
        ),
        t.gettext("Learning is paused, so that the gap does not pass for a quiet day."),
        (
            t.gettext("Is the network up, and does the source's address answer?"),
            t.gettext("Have its credentials or its subscription expired?"),
            t.gettext("Does the provider report a disruption?"),
            t.gettext("What does Sentinel's log say about this source?"),
        ),
    )


def _recovered(t: Translator, effect: Effect) -> _Words:
    n, names = _sources(t, effect)
    when = t.at(effect.at, effect.at)
    return (
        f"{RESOLVED_MARK} "
        + t.ngettext("Source back: {names}", "{n} sources back: {names}", n, names=names)
        + f" · {when}",
        t.ngettext(
            "{names} delivers again: brand alerts are possible from it again. "
            "Posts of the gap that arrive late are archived.",
            "{names} deliver again: brand alerts are possible from them again. "
            "Posts of the gap that arrive late are archived.",
            n,
            names=names,
        ),
        "",
        (t.gettext("Read what was said during the gap: nobody was alerted to it."),),
    )


def _unknown(t: Translator, effect: Effect) -> _Words:
    """An effect about a brand without its incident: told as far as it is known."""
    brand = clean(effect.brand, 60) or t.gettext("unknown")
    return (
        f"{OPERATIONS_MARK} " + t.gettext("News about {brand}", brand=brand),
        t.gettext("Something has changed, but its details are missing: look at Sentinel's pages."),
        "",
        (),
    )


def _sources(t: Translator, effect: Effect) -> tuple[int, str]:
    named = [name for source in effect.sources if (name := clean(source, 60))]
    if not named and (note := clean(effect.note, 60)):
        named = [note]
    shown = named[:SHOWN_SOURCES]
    if len(named) > SHOWN_SOURCES:
        rest = len(named) - SHOWN_SOURCES
        shown.append(t.ngettext("{n} other", "{n} others", rest))
    return len(named), t.join(shown) or t.gettext("an unnamed source")
