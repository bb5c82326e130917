"""What a playbook must keep beyond its schema: the rules of ``sentinel playbooks lint``.

What lives here: pure checks over loaded playbooks; each rule has a slug that is part of its
finding. What does not: reading files and the schema (``sentinel/playbook_files.py``).

The limits of Slack's blocks are at https://docs.slack.dev/reference/block-kit.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from sentinel.core.oncall import Rota
from sentinel.core.playbook_match import MIN_PREFIX, Matcher, MatchQuery, term_words
from sentinel.core.playbook_wording import (
    LANGUAGES,
    Issue,
    Level,
    review_issues,
    statement_issues,
    text_issues,
)
from sentinel.core.playbooks import (
    Approval,
    Playbook,
    PlaybookBook,
    PlaybookTest,
)
from sentinel.model import CRISIS_TYPES, Direction, PlaybookMatch, Severity

STEPS_PER_PHASE = 10
"""Checkboxes in one Slack element."""
LAST_DUE_MINUTES = 180
PHASES = (15, 60, 180)
MIN_POSITIVE_TESTS = 3
MIN_TERMS = 3
NO_MATCH = "none"

CLOCK_TYPES: frozenset[str] = frozenset(
    {
        "data-breach",
        "discrimination",
        "environment-safety",
        "executive-statement",
        "labour-dispute",
        "legal-financial",
        "product-safety",
        "service-outage",
    }
)
"""Types whose playbook must carry a legal clock."""


class Finding(msgspec.Struct, frozen=True):
    """Something that a playbook does not keep.

    Attributes:
        file: The playbook's file; empty for the book as a whole.
        key: Path of the key, such as ``steps[3].title.it``.
        rule: Slug of the rule, stable.
    """

    file: str
    key: str
    level: Level
    rule: str
    message: str


def lint(
    book: PlaybookBook,
    *,
    today: dt.date,
) -> list[Finding]:
    """All findings, ordered by file and then as the rules go.

    Args:
        book: Playbooks in force.
        today: Against which expiry and review dates are judged.
    """
    findings = [_finding("", issue) for issue in _book_issues(book)]
    matcher = Matcher(book.playbooks)
    for playbook in book:
        file = book.files.get(playbook.id, playbook.id)
        findings.extend(_finding(file, issue) for issue in _issues(playbook, today))
        findings.extend(_finding(file, issue) for issue in _failing_tests(playbook, matcher))
    return findings


def lint_rota(book: PlaybookBook, rota: Rota, brands: Sequence[str], file: str) -> list[Finding]:
    """Roles that the playbooks need and nobody has, or one person alone.

    Args:
        book: Playbooks in force.
        rota: Who is on call.
        brands: Ids of the configured brands: a duty may hold for some of them only.
        file: Where the rota was read from.
    """
    needs = Counter(role for playbook in book for role in playbook.roles)
    issues = []
    for role, number in needs.most_common():
        found = {brand: rota.holders(role, brand) for brand in brands or ("",)}
        bare = [brand for brand, people in found.items() if not people]
        if bare:
            whom = f" for {', '.join(bare)}" if len(bare) < len(found) else ""
            text = f"nobody is {role}{whom}; {number} playbooks need one"
            issues.append(Issue("duties", "role-nobody", text))
        lonely = sorted({people[0].id for people in found.values() if len(people) == 1})
        if lonely:
            text = f"{role}: {', '.join(lonely)} without anybody in turn or as backup"
            issues.append(Issue("duties", "role-no-backup", text, Level.WARNING))
    return [_finding(file, issue) for issue in issues]


def run_test(test: PlaybookTest, matcher: Matcher) -> PlaybookMatch:
    """The match that a playbook's own test asks for."""
    return matcher.match(
        MatchQuery(
            direction=test.direction,
            crisis_types=tuple(sorted(test.crisis_types.items())),
            texts=test.texts,
        )
    )


def outcome(found: PlaybookMatch) -> str:
    """What a test expects: a playbook id, or ``none`` for no match."""
    return found.playbook if found.matched else NO_MATCH


def _finding(file: str, issue: Issue) -> Finding:
    return Finding(file, issue.key, issue.level, issue.rule, issue.message)


# --- the book as a whole -------------------------------------------------------------------------


def _book_issues(book: PlaybookBook) -> Iterator[Issue]:
    for slug in CRISIS_TYPES:
        serving = [each for each in book if slug in each.types and not each.general]
        covered = {severity for each in serving for severity in each.severities}
        missing = [severity.slug for severity in Severity if severity.slug not in covered]
        if missing:
            yield Issue(
                "types", "type-uncovered", f"{slug} has no playbook at {', '.join(missing)}"
            )
    general = [each.id for each in book if each.general]
    if len(general) != 1:
        yield Issue("general", "general-one", f"one general playbook is needed, not {len(general)}")


# --- one playbook --------------------------------------------------------------------------------


def _issues(playbook: Playbook, today: dt.date) -> Iterator[Issue]:
    yield from _identity(playbook)
    yield from text_issues(playbook)
    yield from _steps(playbook)
    yield from _approvals(playbook)
    yield from _roles(playbook)
    yield from statement_issues(playbook, today)
    yield from review_issues(playbook, today)
    yield from _numbers(playbook)
    yield from _clocks(playbook)
    yield from _triggers(playbook)
    yield from _tests(playbook)


def _identity(playbook: Playbook) -> Iterator[Issue]:
    unknown = [slug for slug in playbook.types if slug not in CRISIS_TYPES]
    if unknown:
        yield Issue("types", "type-unknown", f"no such crisis type: {', '.join(unknown)}")
    if playbook.general:
        if playbook.types:
            yield Issue("types", "general-types", "the general playbook serves no type")
    elif not any(playbook.id.startswith(slug) for slug in playbook.types):
        yield Issue("id", "id-type", f"{playbook.id} does not begin with one of its types")
    slugs = {severity.slug for severity in Severity}
    odd = [severity for severity in playbook.severities if severity not in slugs]
    if odd or not playbook.severities:
        yield Issue("severities", "severity-unknown", f"choose from {', '.join(sorted(slugs))}")
    praise = "opportunity" in playbook.types
    if praise != (playbook.direction is Direction.OPPORTUNITY):
        yield Issue("direction", "direction-type", "opportunity type and direction go together")


def _steps(playbook: Playbook) -> Iterator[Issue]:
    for step_id, count in Counter(step.id for step in playbook.steps).items():
        if count > 1:
            yield Issue("steps", "step-id", f"{step_id} is used {count} times")
    before = 0
    for i, step in enumerate(playbook.steps):
        if step.due_minutes < before:
            message = f"{step.due_minutes} comes after {before}: order steps by due time"
            yield Issue(f"steps[{i}].due_minutes", "due-order", message)
        if step.due_minutes > LAST_DUE_MINUTES:
            message = f"{step.due_minutes} minutes, at most {LAST_DUE_MINUTES}"
            yield Issue(f"steps[{i}].due_minutes", "due-range", message)
        before = max(before, step.due_minutes)
    phases = Counter(step.phase for step in playbook.steps)
    for phase in PHASES:
        if not phases[phase]:
            yield Issue("steps", "phase-missing", f"no step in the first {phase} minutes' block")
        if phases[phase] > STEPS_PER_PHASE:
            message = f"{phases[phase]} steps in block {phase}, at most {STEPS_PER_PHASE}"
            yield Issue("steps", "phase-steps", message)


def _all_approvals(playbook: Playbook) -> Iterator[tuple[str, Approval]]:
    for i, step in enumerate(playbook.steps):
        if step.approval is not None:
            yield f"steps[{i}].approval", step.approval
    for i, statement in enumerate(playbook.statements):
        if statement.approval is not None:
            yield f"statements[{i}].approval", statement.approval


def _approvals(playbook: Playbook) -> Iterator[Issue]:
    found = list(_all_approvals(playbook))
    if not found:
        yield Issue("steps", "approval-missing", "nothing here needs anybody's approval")
    for key, approval in found:
        if approval.role is approval.backup:
            yield Issue(f"{key}.backup", "approval-backup", "the backup is the approver")
        if approval.within_minutes < 1:
            yield Issue(f"{key}.within_minutes", "approval-time", "no time to answer")


def _roles(playbook: Playbook) -> Iterator[Issue]:
    used = {step.role for step in playbook.steps}
    for _, approval in _all_approvals(playbook):
        used |= {approval.role, approval.backup}
    for role in sorted(used - set(playbook.roles)):
        yield Issue("roles", "role-undeclared", f"{role} acts but is not in roles")
    for role in sorted(set(playbook.roles) - used):
        yield Issue("roles", "role-idle", f"{role} has nothing to do", Level.WARNING)


def _numbers(playbook: Playbook) -> Iterator[Issue]:
    over = playbook.stand_down
    if over.quiet_minutes < 1:
        yield Issue("stand_down.quiet_minutes", "stand-down", "must be at least 1")
    if over.volume_ratio_below <= 1:
        message = "must be above 1: the usual volume is 1"
        yield Issue("stand_down.volume_ratio_below", "stand-down", message)
    if not 0 < over.negative_share_above_usual_below < 1:
        key = "stand_down.negative_share_above_usual_below"
        yield Issue(key, "stand-down", "must be between 0 and 1")
    if playbook.update_every_minutes < 1:
        yield Issue("update_every_minutes", "update-rhythm", "must be at least 1")


def _clocks(playbook: Playbook) -> Iterator[Issue]:
    needed = sorted(CLOCK_TYPES & set(playbook.types))
    if needed and not playbook.clocks:
        yield Issue("clocks", "clock-missing", f"{', '.join(needed)} needs a legal clock")
    for i, clock in enumerate(playbook.clocks):
        if not clock.deadlines:
            yield Issue(f"clocks[{i}].deadlines", "clock-empty", "no deadline")
        if list(clock.hours) != sorted(clock.hours):
            yield Issue(f"clocks[{i}].deadlines", "clock-order", "order deadlines by hours")


def _triggers(playbook: Playbook) -> Iterator[Issue]:
    if playbook.general:
        return
    for language in LANGUAGES:
        if len(playbook.trigger.terms.get(language, ())) < MIN_TERMS:
            message = f"at least {MIN_TERMS} terms in {language}"
            yield Issue(f"trigger.terms.{language}", "trigger-language", message)
    for group in ("terms", "hints", "against"):
        terms: dict[str, tuple[str, ...]] = getattr(playbook.trigger, group)
        for language, words in sorted(terms.items()):
            for word in words:
                if not term_words(word) or _short_stem(word):
                    message = f"{word!r}: no word, or a stem under {MIN_PREFIX} letters"
                    yield Issue(f"trigger.{group}.{language}", "trigger-term", message)


def _short_stem(term: str) -> bool:
    return term.count("*") != sum(word.endswith("*") for word in term_words(term))


def _tests(playbook: Playbook) -> Iterator[Issue]:
    own = NO_MATCH if playbook.general else playbook.id
    for language in LANGUAGES:
        tests = [test for test in playbook.tests if test.language == language]
        positive = sum(test.expect == own for test in tests)
        if positive < MIN_POSITIVE_TESTS:
            message = f"{positive} tests in {language} expect {own}, at least {MIN_POSITIVE_TESTS}"
            yield Issue("tests", "tests-positive", message)
        if positive == len(tests):
            yield Issue("tests", "tests-negative", f"no test in {language} expects another")


def _failing_tests(playbook: Playbook, matcher: Matcher) -> Iterator[Issue]:
    for i, test in enumerate(playbook.tests):
        found = run_test(test, matcher)
        if outcome(found) != test.expect:
            why = "; ".join(found.reasons)
            message = f"{test.name!r}: expected {test.expect}, got {outcome(found)} ({why})"
            yield Issue(f"tests[{i}]", "test-failing", message)
