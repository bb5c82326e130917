"""The packaged playbooks: each file's own tests, the lint, and what the product promises of them."""

from __future__ import annotations

import datetime as dt
import importlib.resources
from urllib.parse import urlsplit

import pytest

from sentinel.core.playbook_lint import lint, outcome, run_test
from sentinel.core.playbook_match import Matcher
from sentinel.core.playbook_wording import localised
from sentinel.core.playbooks import Playbook, PlaybookTest, StatementChannel
from sentinel.model import CRISIS_TYPES
from sentinel.playbook_files import SCHEMA_FILE, load_playbooks, schema_text, show

BOOK = load_playbooks()
MATCHER = Matcher(BOOK.playbooks)
BACKWARDS = Matcher(tuple(reversed(BOOK.playbooks)))
WRITTEN = dt.date(2026, 11, 22)
OFFICIAL = {"eur-lex.europa.eu", "www.normattiva.it"}
OWN_TESTS = [
    pytest.param(test, id=f"{playbook.id}: {test.name}")
    for playbook in BOOK
    for test in playbook.tests
]
PLANS = [pytest.param(playbook, id=playbook.id) for playbook in BOOK]


@pytest.mark.parametrize("test", OWN_TESTS)
def test_a_playbooks_own_test_finds_the_playbook_it_expects(test: PlaybookTest) -> None:
    found = run_test(test, MATCHER)
    assert test.expect == outcome(found), found.reasons


@pytest.mark.parametrize("test", OWN_TESTS)
def test_own_tests_do_not_depend_on_the_order_of_playbooks(test: PlaybookTest) -> None:
    assert run_test(test, MATCHER) == run_test(test, BACKWARDS)


def test_the_lint_finds_nothing_on_the_day_they_were_written() -> None:
    assert lint(BOOK, today=WRITTEN) == []


def test_every_crisis_type_has_a_playbook_of_its_own_and_there_is_one_general_one() -> None:
    served = {slug for playbook in BOOK for slug in playbook.types}
    assert set(CRISIS_TYPES) == served
    assert [playbook.id for playbook in BOOK if playbook.general] == ["general"]
    assert len(CRISIS_TYPES) + 1 == len(BOOK)


@pytest.mark.parametrize("playbook", PLANS)
def test_a_file_is_named_after_its_playbook(playbook: Playbook) -> None:
    assert f"{playbook.id}.yaml" == BOOK.files[playbook.id]


@pytest.mark.parametrize("playbook", PLANS)
def test_scheduled_posts_are_paused_and_facts_verified_in_the_first_quarter(
    playbook: Playbook,
) -> None:
    first = {step.id for step in playbook.steps if step.phase == 15}
    assert {"verify-facts", "pause-scheduled"} <= first
    assert any("programmati" in item.it for item in playbook.pause)
    assert any("cheduled posts" in item.en for item in playbook.pause)


@pytest.mark.parametrize("playbook", PLANS)
def test_deleting_criticism_is_never_advised_and_a_statement_needs_approval(
    playbook: Playbook,
) -> None:
    assert len(playbook.never) >= 4
    social = [each for each in playbook.statements if each.channel is StatementChannel.SOCIAL]
    assert any(each.approval is not None for each in social)


@pytest.mark.parametrize("playbook", PLANS)
def test_legal_clocks_cite_an_official_text_and_ask_a_person(playbook: Playbook) -> None:
    for clock in playbook.clocks:
        assert urlsplit(clock.source).hostname in OFFICIAL
        assert clock.confirm.it.rstrip().endswith((".", "?"))
        assert "?" in clock.confirm.it
        assert "?" in clock.confirm.en


@pytest.mark.parametrize("playbook", PLANS)
def test_no_text_holds_typing_slips(playbook: Playbook) -> None:
    for key, text in localised(playbook):
        for words in (text.it, text.en):
            assert "  " not in words, key
            assert " ," not in words, key
            assert words == words.strip(), key


@pytest.mark.parametrize("playbook", PLANS)
@pytest.mark.parametrize("language", ["it", "en"])
def test_a_playbook_is_shown_whole_in_both_languages(playbook: Playbook, language: str) -> None:
    text = show(BOOK, playbook.id, language)
    shown = [step.title.text(language) for step in playbook.steps]
    shown += [item.text(language).strip() for item in playbook.never]
    shown += [clock.source for clock in playbook.clocks]
    assert [part for part in shown if part not in text] == []
    assert "\n\n\n" not in text


def test_the_statutory_hours_are_those_of_the_law() -> None:
    breach = BOOK.get("data-breach")
    assert breach is not None
    hours = {
        clock.regime.split()[0]: [deadline.hours for deadline in clock.deadlines]
        for clock in breach.clocks
    }
    month = 28 * 24
    expected = {"GDPR": [0, 72], "NIS2": [24, 72, month], "DORA": [4, 24, 72, month]}
    assert expected == hours


def test_the_published_schema_is_up_to_date() -> None:
    published = importlib.resources.files("playbooks").joinpath(SCHEMA_FILE).read_text("utf-8")
    assert schema_text() == published
