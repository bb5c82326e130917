import ast
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

import sentinel
from sentinel.i18n import LANGUAGES, Translator, translator

PACKAGE = Path(sentinel.__file__).parent
SUNDAY_2240 = 1795383600.0  # 22 November 2026, 22:40 in Rome
HOUR = 3600.0
Id = str | tuple[str, str]


def catalogue(language: str) -> Catalog:
    path = resources.files("sentinel") / "locales" / language / "LC_MESSAGES" / "sentinel.po"
    with path.open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def own_catalogue(path: Path) -> bool:
    """Whether a file's room brings catalogues of its own, beside its code."""
    return any(
        (folder / "locales").is_dir() for folder in path.parents if PACKAGE in folder.parents
    )


def files() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if not own_catalogue(path)]


def calls_in(tree: ast.AST) -> Iterator[Id]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        texts = [arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant)]
        if name in {"gettext", "N_"} and texts:
            yield texts[0]
        elif name == "ngettext" and len(texts) == 2:
            yield (texts[0], texts[1])


@pytest.fixture(scope="module")
def used() -> set[Id]:
    return {
        said for path in files() for said in calls_in(ast.parse(path.read_text(encoding="utf-8")))
    }


def test_babels_own_extractor_finds_the_same_texts(used: set[Id]) -> None:
    skipped = [
        (str(path.relative_to(PACKAGE)), "ignore")
        for path in PACKAGE.rglob("*.py")
        if own_catalogue(path)
    ]
    found = extract_from_dir(PACKAGE, method_map=[*skipped, ("**.py", "python")])
    assert used == {message for _, _, message, _, _ in found}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_every_text_that_is_said_and_no_other(language: str, used: set[Id]) -> None:
    assert used == {message.id for message in catalogue(language) if message.id}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_fuzzy_or_obsolete(language: str) -> None:
    found = catalogue(language)
    assert dict(found.obsolete) == {}
    for message in found:
        if not message.id:
            continue
        assert not message.fuzzy
        strings = message.string if message.pluralizable else (message.string,)
        assert len(strings) == (2 if message.pluralizable else 1)
        assert all(string.strip() for string in strings), message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_those_of_the_original(language: str) -> None:
    for message in catalogue(language):
        ids = message.id if message.pluralizable else (message.id,)
        strings = message.string if message.pluralizable else (message.string,)
        if not message.id:
            continue
        expected = {name for each in ids for name in placeholders(each)}
        for string in strings:
            # A singular may leave the number out: "una volta al giorno".
            assert placeholders(string) | {"n"} == expected | {"n"}, message.id


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_english_says_what_the_code_says() -> None:
    for message in catalogue("en"):
        if message.id:
            assert message.id == message.string


def test_an_italian_text_is_a_translation_and_its_values_are_not_formatted_twice() -> None:
    t = translator("it", "Europe/Rome")
    assert "di turno: {n}" not in t.gettext("Taken by {person}.", person="{n}")
    assert t.gettext("Taken by {person}.", person="{n}") == "Presa in carico da {n}."


def test_a_text_without_translation_is_said_in_english() -> None:
    assert translator("it", "UTC").gettext("No such text {n}", n=7) == "No such text 7"
    assert translator("it", "UTC").ngettext("{n} such text", "{n} such texts", 2) == "2 such texts"


def test_an_unknown_language_is_italian_and_an_unknown_zone_utc() -> None:
    t = Translator("tlh", "Mars/Olympus")
    assert (t.language, t.time(SUNDAY_2240)) == ("it", "21:40")


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("it", ["0", "0,4", "9,9", "10", "412", "12.345", "1.204.331"]),
        ("en", ["0", "0.4", "9.9", "10", "412", "12,345", "1,204,331"]),
    ],
)
def test_numbers_are_written_as_in_the_reader_s_country(language: str, expected: list[str]) -> None:
    t = translator(language, "Europe/Rome")
    values = [0, 0.42, 9.9, 9.96, 412, 12345, 1204331]
    assert expected == [t.number(value) for value in values]


def test_shares_are_whole_percentages_and_stay_within_bounds() -> None:
    t = translator("it", "Europe/Rome")
    assert [t.percent(x) for x in (0.712, -1, 7, float("nan"))] == ["71%", "0%", "100%", "?"]


@pytest.mark.parametrize(
    ("seconds", "italian", "english"),
    [
        (1, "1 secondo", "1 second"),
        (59, "59 secondi", "59 seconds"),
        (60, "1 minuto", "1 minute"),
        (17 * 60, "17 minuti", "17 minutes"),
        (3600, "1 ora", "1 hour"),
        (95 * 60, "1 ora e 35 minuti", "1 hour and 35 minutes"),
        (3 * 86400, "3 giorni", "3 days"),
        (3 * 86400 + 3600, "3 giorni e 1 ora", "3 days and 1 hour"),
    ],
)
def test_spans_are_said_in_words(seconds: float, italian: str, english: str) -> None:
    assert italian == translator("it", "UTC").span(seconds)
    assert english == translator("en", "UTC").span(seconds)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "it",
            [
                "alle 22:40",
                "alle 22:40 di domenica",
                "alle 22:40 di domenica 22 novembre",
                "alle 22:40 di domenica 22 novembre 2026",
            ],
        ),
        (
            "en",
            [
                "at 22:40",
                "at 22:40 on Sunday",
                "at 22:40 on Sunday 22 November",
                "at 22:40 on Sunday 22 November 2026",
            ],
        ),
    ],
)
def test_a_moment_says_as_much_of_its_day_as_is_needed(language: str, expected: list[str]) -> None:
    t = translator(language, "Europe/Rome")
    nows = [0, 3 * HOUR, 48 * HOUR, 60 * 24 * HOUR]
    assert expected == [t.at(SUNDAY_2240, SUNDAY_2240 + now) for now in nows]


def test_deadlines_and_beginnings_are_idiomatic() -> None:
    t, now = translator("it", "Europe/Rome"), SUNDAY_2240
    assert t.by(now + 900, now) == "entro le 22:55"
    assert t.by(now + 2 * HOUR, now) == "entro le 00:40 di lunedì"
    assert t.by(now + 72 * HOUR, now) == "entro le 22:40 di mercoledì 25 novembre"
    assert t.since(now - 540, now) == "dalle 22:31"
    assert t.until(now + 2 * HOUR, now) == "fino alle 00:40 di lunedì"
    assert t.stamp(now + 2 * HOUR, now) == "lun 23 nov, 00:40"
    assert [t.calendar_date(day) for day in ("2026-12-31", "domani")] == [
        "31 dicembre 2026",
        "domani",
    ]


def test_times_are_those_of_the_reader_s_wall_clock() -> None:
    zones = ["Europe/Rome", "UTC", "America/New_York"]
    assert [translator("it", z).time(SUNDAY_2240) for z in zones] == ["22:40", "21:40", "16:40"]


@given(st.floats(), st.floats(), st.sampled_from(LANGUAGES))
def test_no_number_or_time_is_too_absurd_to_be_said(a: float, b: float, language: str) -> None:
    t = translator(language, "Europe/Rome")
    said = [t.number(a), t.percent(a), t.span(a), t.at(a, b), t.since(a, b), t.stamp(a, b)]
    said += [t.by(a, b), t.until(a, b), t.ngettext("{n} mention", "{n} mentions", a)]
    assert all(said)
