"""Reading playbooks from disk and the functions behind ``sentinel playbooks``."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from sentinel.errors import PlaybookError
from sentinel.model import Direction
from sentinel.playbook_files import (
    MAX_FILE_BYTES,
    lint_command,
    lint_failed,
    list_command,
    load_playbooks,
    match_texts,
    parse_playbook,
    schema,
    show,
)

BOOK = load_playbooks()
TODAY = dt.date(2026, 11, 22)
PACKAGE = Path(__file__).parent.parent / "playbooks"
BOYCOTT = (PACKAGE / "boycott.yaml").read_text("utf-8")


def written(directory: Path, text: str, name: str = "own.yaml") -> Path:
    (directory / name).write_text(text, "utf-8")
    return directory


def refused(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(PlaybookError) as caught:
        parse_playbook(data, "own.yaml")
    return str(caught.value)


# --- loading -------------------------------------------------------------------------------------


def test_the_packaged_playbooks_load_in_the_order_of_their_ids() -> None:
    ids = [playbook.id for playbook in BOOK]
    assert ids == sorted(ids)
    assert "executive-statement" in ids


def test_a_directory_overrides_by_id_and_adds(tmp_path: Path) -> None:
    written(tmp_path, BOYCOTT.replace("version: 1", "version: 7"), "ours.yaml")
    written(tmp_path, BOYCOTT.replace("id: boycott\n", "id: boycott-suppliers\n", 1), "new.yml")
    book = load_playbooks(tmp_path)
    changed, added = book.get("boycott"), book.get("boycott-suppliers")
    assert changed is not None
    assert added is not None
    assert (changed.version, book.files["boycott"]) == (7, "ours.yaml")
    assert book.files["boycott-suppliers"] == "new.yml"
    assert len(BOOK) + 1 == len(book)


def test_other_files_and_folders_in_the_directory_are_left_alone(tmp_path: Path) -> None:
    written(tmp_path, "not a playbook", "README.md")
    (tmp_path / "drills.yaml").mkdir()
    assert len(BOOK) == len(load_playbooks(tmp_path))


def test_two_files_with_one_id_are_refused(tmp_path: Path) -> None:
    written(written(tmp_path, BOYCOTT, "a.yaml"), BOYCOTT, "b.yaml")
    with pytest.raises(PlaybookError, match=r"b\.yaml: id: id boycott is already in a\.yaml"):
        load_playbooks(tmp_path)


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlaybookError, match="no such directory"):
        load_playbooks(tmp_path / "none")


# --- refusing ------------------------------------------------------------------------------------


def test_a_key_given_twice_is_refused_with_its_line() -> None:
    message = refused(BOYCOTT + "version: 2\n")
    assert "own.yaml: key 'version' is given twice (line " in message


def test_a_nested_key_given_twice_is_refused() -> None:
    assert "key 'it' is given twice" in refused(BOYCOTT.replace("  en: Boy", "  it: Boy", 1))


def test_an_alias_is_refused_because_it_can_expand_without_end() -> None:
    assert "aliases are not read" in refused("a: &x [1, 2]\nb: *x\n")


def test_what_is_nested_too_deeply_is_refused_before_it_is_built() -> None:
    assert "nested too deeply (line 1, column 51)" in refused("[" * 60 + "]" * 60)


def test_a_python_object_is_refused() -> None:
    assert "could not determine a constructor" in refused("a: !!python/object:os.system {}\n")


def test_a_file_beyond_the_limit_is_refused_unread() -> None:
    assert f"at most {MAX_FILE_BYTES}" in refused("#" * (MAX_FILE_BYTES + 1))


@pytest.mark.parametrize("data", [b"\xff\xfe", b"id: \xe9"])
def test_bytes_that_are_not_utf8_are_refused(data: bytes) -> None:
    assert "not UTF-8 at byte" in refused(data)


@pytest.mark.parametrize("text", ["id: [", "id: \x00", "[" * 5000, "\t- x"])
def test_what_is_not_yaml_is_refused_with_the_files_name(text: str) -> None:
    assert refused(text).startswith("own.yaml: ")


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b", "1"])
def test_yaml_that_is_not_a_playbook_is_refused(text: str) -> None:
    assert "Expected `object`" in refused(text)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("version: 1", "version: one", "version"),
        ("due_minutes: 15", "due_minutes: soon", "steps[0].due_minutes"),
        ("role: duty-officer", "role: chef", "steps[0].role"),
        ("expires: ", "expired: ", "statements[0]"),
        ("cluster: accidental", "cluster: unlucky", "cluster"),
        ("channel: social", "channel: pigeon", "statements[0].channel"),
    ],
)
def test_a_wrong_value_is_refused_with_the_path_of_its_key(old: str, new: str, key: str) -> None:
    message = refused(BOYCOTT.replace(old, new, 1))
    assert message.startswith(f"own.yaml: {key}: ")


def test_an_unknown_key_is_refused_by_name() -> None:
    assert "unknown field `mood`" in refused(BOYCOTT + "mood: angry\n")


def test_words_that_yaml_takes_for_other_things_stay_words() -> None:
    text = BOYCOTT.replace("  en: Boycott or activist campaign", "  en: no", 1)
    text = text.replace('reviewed: "2026-11-15"', "reviewed: 2026-11-15")
    playbook = parse_playbook(text.encode(), "own.yaml")
    assert (playbook.title.en, playbook.reviewed) == ("no", "2026-11-15")


# --- commands ------------------------------------------------------------------------------------


def test_the_lint_names_a_users_own_file(tmp_path: Path) -> None:
    written(tmp_path, BOYCOTT.replace("2027-11-30", "2026-11-21", 1))
    findings = lint_command(tmp_path, today=TODAY)
    assert [(finding.file, finding.key, finding.rule) for finding in findings] == [
        ("own.yaml", "statements[0].expires", "statement-expired")
    ]
    assert lint_failed(findings)


def test_warnings_alone_do_not_fail_the_lint(tmp_path: Path) -> None:
    written(tmp_path, BOYCOTT.replace("2027-11-30", "2026-12-01", 1))
    findings = lint_command(tmp_path, today=TODAY)
    assert [finding.rule for finding in findings] == ["statement-expires-soon"]
    assert not lint_failed(findings)


def test_the_list_has_a_row_for_each_playbook_in_the_asked_language() -> None:
    rows = {row.id: row for row in list_command(BOOK, "en")}
    assert len(rows) == len(BOOK)
    row = rows["data-breach"]
    assert (row.title, row.file) == ("Breach of personal or company data", "data-breach.yaml")
    assert len(row.clocks) == 3


def test_showing_an_unknown_playbook_names_the_known_ones() -> None:
    with pytest.raises(PlaybookError, match=r"no playbook 'panic'; there are: boycott, "):
        show(BOOK, "panic")


def test_a_playbook_is_shown_with_approvals_clocks_and_numbers_of_its_language() -> None:
    book = BOOK
    italian, english = show(book, "data-breach", "it"), show(book, "data-breach", "en")
    assert "approva Ufficio legale entro 20 min, altrimenti Sponsor di direzione" in italian
    assert "**72 ore**: Notifica al Garante" in italian
    assert "approval by Legal within 20 min, otherwise Executive sponsor" in english
    assert "**72 h, from: submission of the initial notification**" in english


def test_texts_are_ranked_without_a_scorer() -> None:
    report = match_texts(["total outage", "error 503"], BOOK)
    assert report.match.playbook == "service-outage"
    assert report.ranking[0].playbook == "service-outage"


def test_a_scorer_is_asked_once_with_all_texts() -> None:
    asked: list[Sequence[str]] = []

    def scorer(texts: Sequence[str]) -> Sequence[tuple[str, float]]:
        asked.append(texts)
        return [("discrimination", 0.8)]

    report = match_texts(["hm", "well"], BOOK, scorer=scorer)
    assert asked == [["hm", "well"]]
    assert report.match.reasons == ("type discrimination 0.80",)


def test_no_texts_are_no_match_and_ask_no_scorer() -> None:
    def scorer(texts: Sequence[str]) -> Sequence[tuple[str, float]]:
        raise AssertionError(texts)

    assert not match_texts([], BOOK, scorer=scorer).match.matched


def test_praise_is_matched_when_the_direction_says_so() -> None:
    report = match_texts(["well done"], BOOK, direction=Direction.OPPORTUNITY)
    assert report.match.playbook == "opportunity-praise-wave"


def test_the_schema_knows_every_key_of_a_playbook() -> None:
    text = json.dumps(schema())
    names = ("due_minutes", "stand_down", "deadlines", "hints", "placeholders", "expires")
    assert [name for name in names if f'"{name}"' not in text] == []
