from __future__ import annotations

import string
from importlib import resources
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import sentinel.web
from sentinel.core.playbooks import Cluster, Strategy
from sentinel.model import Action, EffectKind, SourceState
from sentinel.web.texts import ACTION, CLUSTER, EFFECT, SOURCE_STATE, STRATEGY, Texts

ROOM = Path(sentinel.web.__file__).parent


def said_on_pages() -> set[str]:
    found = extract_from_dir(
        ROOM,
        [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")],
        keywords={"_": None, "N_": None, "gettext": None},
    )
    return {message for _, _, message, _, _ in found if isinstance(message, str)}


def italian() -> dict[str, str]:
    path = resources.files("sentinel.web").joinpath("locales", "it.po")
    with path.open("rb") as file:
        catalogue = read_po(file, locale="it")
    return {str(one.id): str(one.string) for one in catalogue if one.id}


def shared() -> set[str]:
    path = resources.files("sentinel").joinpath("locales", "it", "LC_MESSAGES", "sentinel.po")
    with path.open("rb") as file:
        return {str(one.id) for one in read_po(file, locale="it") if one.id and one.string}


def test_every_text_of_the_pages_is_said_in_italian() -> None:
    assert set() == said_on_pages() - set(italian()) - shared()


def test_no_translation_is_left_without_its_text() -> None:
    assert set() == set(italian()) - said_on_pages()


def test_no_translation_is_empty() -> None:
    assert [text for text, translation in italian().items() if not translation] == []


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_a_translation_fills_the_same_blanks() -> None:
    wrong = {text for text, said in italian().items() if blanks(text) != blanks(said)}
    assert set() == wrong


@pytest.mark.parametrize(
    ("table", "members"),
    [
        (ACTION, Action),
        (EFFECT, EffectKind),
        (SOURCE_STATE, SourceState),
        (CLUSTER, Cluster),
        (STRATEGY, Strategy),
    ],
)
def test_every_member_of_a_closed_set_has_words(table: dict[str, str], members: type) -> None:
    assert set(members) == set(table)


def test_a_text_is_said_in_the_language_asked_for() -> None:
    assert Texts("it", "Europe/Rome").gettext("Open incidents") == "Casi aperti"
    assert Texts("en", "Europe/Rome").gettext("Open incidents") == "Open incidents"


def test_a_text_that_only_alerts_have_comes_from_their_catalogue() -> None:
    assert Texts("it", "Europe/Rome").gettext("Never") == "Mai"
