"""Every lint rule: a playbook broken in one way gives exactly the finding for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sentinel.core.oncall import Duty, Person, Rota
from sentinel.core.playbook_lint import Finding, lint, lint_rota
from sentinel.core.playbook_wording import Level
from sentinel.core.playbooks import (
    Approval,
    Deadline,
    LegalClock,
    Localised,
    Playbook,
    PlaybookBook,
    Role,
    StatementChannel,
    Trigger,
)
from sentinel.model import Direction
from sentinel.playbook_files import load_playbooks

BOOK = load_playbooks()
TODAY = dt.date(2026, 11, 22)
ID = "service-outage"
FILE = "service-outage.yaml"
Change = Callable[[Playbook], Playbook]


def plan(playbook_id: str = ID) -> Playbook:
    found = BOOK.get(playbook_id)
    assert found is not None
    return found


def with_plan(changed: Playbook) -> PlaybookBook:
    others = [each for each in BOOK if each.id != changed.id]
    return PlaybookBook(
        tuple(sorted([*others, changed], key=lambda each: each.id)), files=BOOK.files
    )


def change(**values: Any) -> Change:
    return lambda playbook: msgspec.structs.replace(playbook, **values)


def at(name: str, index: int, **values: Any) -> Change:
    """Change one item of a tuple field."""

    def apply(playbook: Playbook) -> Playbook:
        items = list(getattr(playbook, name))
        items[index] = msgspec.structs.replace(items[index], **values)
        return msgspec.structs.replace(playbook, **{name: tuple(items)})

    return apply


def both(it: str, en: str) -> Localised:
    return Localised(it=it, en=en)


def without_phase(phase: int) -> Change:
    return lambda playbook: msgspec.structs.replace(
        playbook, steps=tuple(step for step in playbook.steps if step.phase != phase)
    )


def crowded(playbook: Playbook) -> Playbook:
    last = playbook.steps[-1]
    extra = tuple(msgspec.structs.replace(last, id=f"extra-{n}") for n in range(9))
    return msgspec.structs.replace(playbook, steps=(*playbook.steps, *extra))


def unapproved(playbook: Playbook) -> Playbook:
    return msgspec.structs.replace(
        playbook,
        steps=tuple(msgspec.structs.replace(step, approval=None) for step in playbook.steps),
        statements=tuple(
            msgspec.structs.replace(each, approval=None) for each in playbook.statements
        ),
    )


def untrained(language: str) -> Change:
    def apply(playbook: Playbook) -> Playbook:
        kept = tuple(test for test in playbook.tests if test.language != language)
        return msgspec.structs.replace(playbook, tests=kept)

    return apply


def only_positive(playbook: Playbook) -> Playbook:
    kept = tuple(
        test for test in playbook.tests if test.language == "it" or test.expect == playbook.id
    )
    return msgspec.structs.replace(playbook, tests=kept)


def expecting(playbook_id: str) -> Change:
    return lambda playbook: msgspec.structs.replace(
        playbook,
        tests=(
            *playbook.tests,
            msgspec.structs.replace(playbook.tests[0], name="wrong", expect=playbook_id),
        ),
    )


def social_only(playbook: Playbook) -> Playbook:
    kept = tuple(each for each in playbook.statements if each.channel is StatementChannel.SOCIAL)
    return msgspec.structs.replace(
        playbook,
        statements=kept,
        placeholders={
            name: text for name, text in playbook.placeholders.items() if name != "workaround"
        },
    )


def fewer_terms(playbook: Playbook) -> Playbook:
    trigger = playbook.trigger
    terms = trigger.terms | {"fr": trigger.terms["en"], "en": trigger.terms["en"][:2]}
    return msgspec.structs.replace(playbook, trigger=msgspec.structs.replace(trigger, terms=terms))


def more_terms(*terms: str) -> Change:
    def apply(playbook: Playbook) -> Playbook:
        trigger = playbook.trigger
        added = trigger.terms | {"fr": terms}
        return msgspec.structs.replace(
            playbook, trigger=msgspec.structs.replace(trigger, terms=added)
        )

    return apply


LONG = "x" * 3001
STATEMENT = plan().statements[0]
CLOCK = plan().clocks[0]

BROKEN: list[tuple[str, Change, list[tuple[str, str]]]] = [
    (
        "unknown type",
        change(types=("service-outage", "ufo")),
        [("type-unknown", "types")],
    ),
    (
        "unknown severity",
        change(severities=("low", "medium", "high", "critical", "apocalyptic")),
        [("severity-unknown", "severities")],
    ),
    ("empty Italian", change(summary=both("  ", "x")), [("language-missing", "summary.it")]),
    (
        "not translated",
        change(summary=both("the very same long English text", "the very same long English text")),
        [("untranslated", "summary")],
    ),
    (
        "long playbook title",
        change(title=both("t" * 76, "short")),
        [("title-length", "title.it")],
    ),
    (
        "long step title",
        at("steps", 2, title=both("breve", "t" * 76)),
        [("title-length", "steps[2].title.en")],
    ),
    ("long text", change(summary=both("breve", LONG)), [("section-length", "summary.en")]),
    (
        "long list",
        change(never=tuple(both(f"non fare {n} " + "x" * 200, f"no {n}") for n in range(15))),
        [("section-length", "never")],
    ),
    ("nothing to pause", change(pause=()), [("list-empty", "pause")]),
    ("no stakeholder", change(stakeholders=()), [("list-empty", "stakeholders")]),
    ("nothing forbidden", change(never=()), [("list-empty", "never")]),
    ("no review questions", change(after_action=()), [("list-empty", "after_action")]),
    ("no strategy", change(strategy=()), [("list-empty", "strategy")]),
    ("step id twice", at("steps", 1, id="verify-facts"), [("step-id", "steps")]),
    (
        "due times out of order",
        at("steps", 1, due_minutes=5),
        [("due-order", "steps[1].due_minutes")],
    ),
    (
        "due too late",
        at("steps", -1, due_minutes=200),
        [("due-range", "steps[9].due_minutes")],
    ),
    (
        "no first steps, and with them the duty officer's only ones",
        without_phase(15),
        [("phase-missing", "steps"), ("role-idle", "roles")],
    ),
    ("too many steps for one Slack element", crowded, [("phase-steps", "steps")]),
    ("no approval anywhere", unapproved, [("approval-missing", "steps"), ("role-idle", "roles")]),
    (
        "approver is the backup",
        at("steps", 2, approval=Approval(Role.LEGAL, 10, Role.LEGAL)),
        [("approval-backup", "steps[2].approval.backup")],
    ),
    (
        "no time to approve",
        at("statements", 0, approval=Approval(Role.LEGAL, 0, Role.IT)),
        [("approval-time", "statements[0].approval.within_minutes")],
    ),
    ("undeclared role", at("steps", 0, role=Role.HR), [("role-undeclared", "roles")]),
    ("idle role", change(roles=(*plan().roles, Role.HR)), [("role-idle", "roles")]),
    (
        "statement id twice",
        at("statements", 1, id="social-first"),
        [("statement-id", "statements")],
    ),
    ("no press or site statement", social_only, [("statement-channels", "statements")]),
    (
        "expired",
        at("statements", 0, expires="2026-11-21"),
        [("statement-expired", "statements[0].expires")],
    ),
    (
        "expires soon",
        at("statements", 0, expires="2026-12-01"),
        [("statement-expires-soon", "statements[0].expires")],
    ),
    (
        "still valid on its last day",
        at("statements", 0, expires="2026-11-22"),
        [("statement-expires-soon", "statements[0].expires")],
    ),
    (
        "no date",
        at("statements", 0, expires="next year"),
        [("date-format", "statements[0].expires")],
    ),
    (
        "placeholder in one language",
        at("statements", 0, text=both(STATEMENT.text.it, STATEMENT.text.en + " {brand}")),
        [("placeholder-languages", "statements[0].text")],
    ),
    (
        "unknown placeholder",
        at("statements", 0, text=both(STATEMENT.text.it + " {x}", STATEMENT.text.en + " {x}")),
        [("placeholder-unknown", "statements[0].text")],
    ),
    (
        "unused placeholder",
        change(placeholders=plan().placeholders | {"mood": both("umore", "mood")}),
        [("placeholder-unused", "placeholders.mood")],
    ),
    (
        "long post",
        at("statements", 0, text=both(STATEMENT.text.it + "x" * 200, STATEMENT.text.en)),
        [("social-length", "statements[0].text.it")],
    ),
    ("stale review", change(reviewed="2025-11-01"), [("review-stale", "reviewed")]),
    ("review without a date", change(reviewed="yesterday"), [("date-format", "reviewed")]),
    (
        "no quiet time",
        change(stand_down=msgspec.structs.replace(plan().stand_down, quiet_minutes=0)),
        [("stand-down", "stand_down.quiet_minutes")],
    ),
    (
        "unreachable volume",
        change(stand_down=msgspec.structs.replace(plan().stand_down, volume_ratio_below=1.0)),
        [("stand-down", "stand_down.volume_ratio_below")],
    ),
    (
        "unreachable share",
        change(
            stand_down=msgspec.structs.replace(
                plan().stand_down, negative_share_above_usual_below=0.0
            )
        ),
        [("stand-down", "stand_down.negative_share_above_usual_below")],
    ),
    ("no updates", change(update_every_minutes=0), [("update-rhythm", "update_every_minutes")]),
    ("no clock", change(clocks=()), [("clock-missing", "clocks")]),
    (
        "empty clock",
        at("clocks", 0, deadlines=()),
        [("clock-empty", "clocks[0].deadlines")],
    ),
    (
        "deadlines out of order",
        change(
            clocks=(msgspec.structs.replace(CLOCK, deadlines=tuple(reversed(CLOCK.deadlines))),)
        ),
        [("clock-order", "clocks[0].deadlines")],
    ),
    ("too few English terms", fewer_terms, [("trigger-language", "trigger.terms.en")]),
    ("term without a word", more_terms("!?"), [("trigger-term", "trigger.terms.fr")]),
    ("stem too short", more_terms("gu*"), [("trigger-term", "trigger.terms.fr")]),
    (
        "no English tests",
        untrained("en"),
        [("tests-positive", "tests"), ("tests-negative", "tests")],
    ),
    ("no counter-example", only_positive, [("tests-negative", "tests")]),
    ("failing test", expecting("boycott"), [("test-failing", "tests[8]")]),
]


@pytest.mark.parametrize(
    ("broken", "expected"), [pytest.param(*case[1:], id=case[0]) for case in BROKEN]
)
def test_a_broken_playbook_gives_exactly_its_finding(
    broken: Change, expected: list[tuple[str, str]]
) -> None:
    findings = lint(with_plan(broken(plan())), today=TODAY)
    assert expected == [(finding.rule, finding.key) for finding in findings]
    assert {FILE} == {finding.file for finding in findings}


def test_a_playbook_that_leaves_a_severity_out_uncovers_its_type() -> None:
    findings = lint(with_plan(change(severities=("high", "critical"))(plan())), today=TODAY)
    message = "service-outage has no playbook at low, medium"
    assert [Finding("", "types", Level.ERROR, "type-uncovered", message)] == findings


def test_an_id_that_does_not_begin_with_its_type_is_found() -> None:
    renamed = msgspec.structs.replace(plan("general"), id="outage-plan", types=("boycott",))
    rules = {
        (each.rule, each.key)
        for each in lint(
            with_plan(msgspec.structs.replace(renamed, general=False, tests=())), today=TODAY
        )
        if each.file == "outage-plan"
    }
    assert ("id-type", "id") in rules


def test_a_general_playbook_with_a_type_is_found() -> None:
    typed = change(types=("boycott",))(plan("general"))
    assert [(each.rule, each.key) for each in lint(with_plan(typed), today=TODAY)] == [
        ("general-types", "types")
    ]


def test_a_second_general_playbook_is_found() -> None:
    second = msgspec.structs.replace(plan("general"), id="general-two")
    rules = [each.rule for each in lint(with_plan(second), today=TODAY)]
    assert rules == ["general-one"]


def test_an_opportunity_playbook_for_threats_is_found() -> None:
    turned = change(direction=Direction.THREAT, tests=())(plan("opportunity-praise-wave"))
    rules = {each.rule for each in lint(with_plan(turned), today=TODAY)}
    assert "direction-type" in rules


def rota_findings(*duties: Duty, brands: tuple[str, ...] = ("aurora", "northwind")) -> list[str]:
    people = tuple(Person(one, one) for one in ("first", "second", "third"))
    found = lint_rota(PlaybookBook((plan(),)), Rota(people, duties), brands, "sentinel.toml")
    assert {("sentinel.toml", "duties")} >= {(each.file, each.key) for each in found}
    return sorted(f"{each.level} {each.rule} {each.message}" for each in found)


def test_a_rota_that_covers_every_role_twice_has_no_findings() -> None:
    assert [] == rota_findings(Duty(tuple(Role), ("first", "second")))
    assert [] == rota_findings(Duty(tuple(Role), ("first",), backup="second"))


def test_a_role_that_nobody_has_is_an_error_said_once() -> None:
    others = tuple(role for role in Role if role is not Role.LEGAL)
    assert rota_findings(Duty(others, ("first", "second"))) == [
        "error role-nobody nobody is legal; 1 playbooks need one"
    ]


def test_a_role_that_is_held_for_other_brands_only_is_named_with_its_brand() -> None:
    others = tuple(role for role in Role if role is not Role.LEGAL)
    mine = Duty((Role.LEGAL,), ("first", "second"), brands=("aurora",))
    assert rota_findings(Duty(others, ("first", "second")), mine) == [
        "error role-nobody nobody is legal for northwind; 1 playbooks need one"
    ]
    assert [] == rota_findings(Duty(others, ("first", "second")), mine, brands=("aurora",))


@pytest.mark.parametrize("backup", ["", "third"])
def test_a_role_with_one_person_and_nobody_in_turn_is_a_warning(backup: str) -> None:
    alone = Duty((Role.LEGAL,), ("third",), backup=backup)
    others = tuple(role for role in Role if role is not Role.LEGAL)
    assert rota_findings(alone, Duty(others, ("first", "second"))) == [
        "warning role-no-backup legal: third without anybody in turn or as backup"
    ]


def test_a_deadline_counted_from_something_else_does_not_have_to_be_in_order() -> None:
    later = Deadline(hours=4, what=both("dopo", "then"), after=both("evento", "event"))
    clock = LegalClock(
        regime="X",
        deadlines=(Deadline(hours=24, what=both("prima", "first")), later),
        starts=both("inizio", "start"),
        confirm=both("vale?", "does it apply?"),
        source="https://example.org/law",
    )
    assert lint(with_plan(change(clocks=(clock,))(plan())), today=TODAY) == []


def test_a_general_playbook_needs_no_triggers() -> None:
    bare = change(trigger=Trigger())(plan("general"))
    assert lint(with_plan(bare), today=TODAY) == []
