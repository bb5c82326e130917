"""Lint rules on a playbook's words: languages, lengths, statements, blanks, dates.

What lives here: pure checks of one playbook's texts. What does not: rules on steps, roles, clocks,
triggers and tests (``core/playbook_lint``, which calls these).
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

from sentinel.core.playbooks import (
    COMMON_PLACEHOLDERS,
    Localised,
    Playbook,
    Statement,
    StatementChannel,
)

TITLE_CHARACTERS = 75
"""Text of a Slack option: a step's checkbox, a playbook in the "Change playbook" menu."""
SECTION_CHARACTERS = 3_000
"""Text of a Slack section; lists are shown as one section."""
SOCIAL_CHARACTERS = 280
"""What fits everywhere (X 280, Bluesky 300, Mastodon 500)."""
SOON_DAYS = 30
REVIEW_DAYS = 365
UNTRANSLATED_CHARACTERS = 25
LANGUAGES = ("it", "en")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDER_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LISTS = ("stakeholders", "pause", "never", "after_action")


class Level(StrEnum):
    """An error makes the lint fail, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Issue(msgspec.Struct, frozen=True):
    """What a rule found, before the file is known."""

    key: str
    rule: str
    message: str
    level: Level = Level.ERROR


def placeholders(text: str) -> frozenset[str]:
    """Names in braces.

    >>> sorted(placeholders("{brand}: next news at {next_update}"))
    ['brand', 'next_update']
    """
    return frozenset(_PLACEHOLDER.findall(text))


def localised(playbook: Playbook) -> Iterator[tuple[str, Localised]]:
    """Every text of a playbook with its path."""
    yield from _walk("", playbook)


def _walk(key: str, value: object) -> Iterator[tuple[str, Localised]]:
    if isinstance(value, Localised):
        yield key, value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _walk(f"{key}.{name}" if key else name, getattr(value, name))
    elif isinstance(value, tuple):
        for i, each in enumerate(value):
            yield from _walk(f"{key}[{i}]", each)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _walk(f"{key}.{name}", each)


def text_issues(playbook: Playbook) -> Iterator[Issue]:
    """Both languages are there, translated, and fit where they are shown."""
    for key, text in localised(playbook):
        for language in LANGUAGES:
            yield from _one_text(f"{key}.{language}", text.text(language))
        if text.it == text.en and len(text.it) > UNTRANSLATED_CHARACTERS:
            yield Issue(key, "untranslated", "Italian and English are the same text")
    for name in _LISTS:
        yield from _one_list(name, getattr(playbook, name))
    if not playbook.strategy:
        yield Issue("strategy", "list-empty", "must not be empty")


def _one_text(key: str, words: str) -> Iterator[Issue]:
    if not words.strip():
        yield Issue(key, "language-missing", "no text")
    title = key.rpartition(".")[0].endswith("title")
    limit = TITLE_CHARACTERS if title else SECTION_CHARACTERS
    if len(words) > limit:
        rule = "title-length" if title else "section-length"
        yield Issue(key, rule, f"{len(words)} characters, at most {limit}")


def _one_list(name: str, texts: Sequence[Localised]) -> Iterator[Issue]:
    if not texts:
        yield Issue(name, "list-empty", "must not be empty")
    for language in LANGUAGES:
        # "• " and a line end for each item of the section.
        size = sum(len(text.text(language)) + 3 for text in texts)
        if size > SECTION_CHARACTERS:
            message = f"{size} characters as one list, at most {SECTION_CHARACTERS}"
            yield Issue(name, "section-length", f"{language}: {message}")


def statement_issues(playbook: Playbook, today: dt.date) -> Iterator[Issue]:
    """Statements are there for social and press, current, short enough, with known blanks."""
    for statement_id, count in Counter(each.id for each in playbook.statements).items():
        if count > 1:
            yield Issue("statements", "statement-id", f"{statement_id} is used {count} times")
    channels = {statement.channel for statement in playbook.statements}
    if StatementChannel.SOCIAL not in channels or not channels & {
        StatementChannel.PRESS,
        StatementChannel.SITE,
    }:
        message = "a social and a press or site statement are needed"
        yield Issue("statements", "statement-channels", message)
    for i, statement in enumerate(playbook.statements):
        yield from _expiry(f"statements[{i}]", statement, today)
        yield from _blanks(f"statements[{i}].text", statement, playbook)
        yield from _social_length(f"statements[{i}].text", statement)
    used = {
        name
        for statement in playbook.statements
        for language in LANGUAGES
        for name in placeholders(statement.text.text(language))
    }
    for name in sorted(set(playbook.placeholders) - used):
        yield Issue(f"placeholders.{name}", "placeholder-unused", "no statement uses it")


def _blanks(key: str, statement: Statement, playbook: Playbook) -> Iterator[Issue]:
    italian, english = placeholders(statement.text.it), placeholders(statement.text.en)
    if italian != english:
        odd = ", ".join(sorted(italian ^ english))
        yield Issue(key, "placeholder-languages", f"only in one language: {odd}")
    for name in sorted(italian | english):
        known = name in COMMON_PLACEHOLDERS or name in playbook.placeholders
        if not known or not _PLACEHOLDER_NAME.fullmatch(name):
            message = f"{{{name}}} is not documented under placeholders"
            yield Issue(key, "placeholder-unknown", message)


def _social_length(key: str, statement: Statement) -> Iterator[Issue]:
    if statement.channel is not StatementChannel.SOCIAL:
        return
    for language in LANGUAGES:
        size = len(statement.text.text(language).strip())
        if size > SOCIAL_CHARACTERS:
            message = f"{size} characters, at most {SOCIAL_CHARACTERS}"
            yield Issue(f"{key}.{language}", "social-length", message)


def _expiry(key: str, statement: Statement, today: dt.date) -> Iterator[Issue]:
    expires = _date(statement.expires)
    if expires is None:
        yield Issue(f"{key}.expires", "date-format", "write the date as YYYY-MM-DD")
    elif expires < today:
        message = f"expired on {expires}: have it approved again"
        yield Issue(f"{key}.expires", "statement-expired", message)
    elif expires < today + dt.timedelta(days=SOON_DAYS):
        message = f"expires on {expires}"
        yield Issue(f"{key}.expires", "statement-expires-soon", message, Level.WARNING)


def review_issues(playbook: Playbook, today: dt.date) -> Iterator[Issue]:
    """Somebody read it within the last year."""
    reviewed = _date(playbook.reviewed)
    if reviewed is None:
        yield Issue("reviewed", "date-format", "write the date as YYYY-MM-DD")
    elif reviewed < today - dt.timedelta(days=REVIEW_DAYS):
        message = f"last reviewed on {reviewed}, over a year ago"
        yield Issue("reviewed", "review-stale", message, Level.WARNING)


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None
