"""What single words and emoji say by themselves: polarity, negation, crisis cues.

What lives here: reading the project's own word lists (``data/*.txt``) and looking words up.
What does not: weights, which are learnt (``train``) and shipped apart (``weights``).

The lists are written for this project. A trailing ``*`` marks a prefix, exact words win over
prefixes, and longer prefixes over shorter ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Final, TypeVar

import msgspec

from sentinel.errors import LanguageError
from sentinel.language.text import words

LISTS: Final = (
    "lexicon.it.txt",
    "lexicon.en.txt",
    "emoji.txt",
    "cues.txt",
    "associations.txt",
    "clusters.txt",
    "senses.txt",
)
"""The files of word lists in ``data/``."""

Value = TypeVar("Value")

_MIN_PREFIX = 3
_MIN_STEM = 4

NEGATORS: Final[dict[str, frozenset[str]]] = {
    "it": words(
        "non nn no mai nessuno nessuna nessun né senza neanche nemmeno neppure niente nulla mica "
        "manco macché tutt'altro"
    ),
    "en": words(
        "not no never none nobody nothing nowhere neither nor without cannot cant dont doesnt didnt "
        "isnt wasnt arent werent wont wouldnt shouldnt couldnt hasnt havent hadnt aint hardly barely "
        "n't can't don't doesn't didn't isn't wasn't aren't weren't won't wouldn't shouldn't couldn't "
        "hasn't haven't hadn't ain't"
    ),
}
"""Words that turn the polarity of what follows."""

CONTRAST: Final[dict[str, frozenset[str]]] = {
    "it": words("ma però tuttavia invece eppure"),
    "en": words("but however though although yet instead"),
}
"""Words after which the author's own view usually comes."""


class WordList(msgspec.Struct, frozen=True):
    """Words and prefixes with a tag each."""

    exact: dict[str, str]
    prefixes: dict[str, str]

    def lookup(self, word: str) -> str | None:
        """The tag of a lower-case word, or None."""
        found = self.exact.get(word)
        if found is not None:
            return found
        for size in range(min(len(word), 16), _MIN_PREFIX - 1, -1):
            found = self.prefixes.get(word[:size])
            if found is not None:
                return found
        return None


def parse(text: str) -> dict[str, WordList]:
    r"""Word lists by section name prefix (the part before ``:``; empty if there is none).

    Raises:
        LanguageError: A word stands before the first section.

    >>> parse("[+1]\nbell* bravo")[""].lookup("bellissimo")
    '+1'
    """
    lists: dict[str, WordList] = {}
    current: WordList | None = None
    tag = ""
    for line in text.splitlines():
        line = line.strip()  # noqa: PLW2901 - the stripped line is the line
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            name, colon, rest = line[1:-1].partition(":")
            group, tag = (name, rest) if colon else ("", name)
            current = lists.setdefault(group, WordList({}, {}))
            continue
        if current is None:
            raise LanguageError(f"word list: {line[:40]!r} stands before the first section")
        for raw in line.split():
            word = raw.replace("_", " ")
            if word.endswith("*"):
                current.prefixes.setdefault(word[:-1], tag)
            else:
                current.exact.setdefault(word, tag)
    return lists


def borrow(table: Mapping[str, Value], word: str) -> Value | None:
    """What a table says of a word, or of its longest listed beginning that is most of it."""
    found = table.get(word)
    if found is not None:
        return found
    for size in range(len(word) - 1, max(_MIN_STEM, (2 * len(word) + 2) // 3) - 1, -1):
        found = table.get(word[:size])
        if found is not None:
            return found
    return None


class Lexicon(msgspec.Struct, frozen=True):
    """All word lists, ready for look-up."""

    polarity: dict[str, WordList]
    emoji: dict[str, str]
    cues: dict[str, WordList]
    associations: dict[str, float]
    clusters: dict[str, str]
    senses: dict[str, tuple[float, float]]

    def word(self, word: str, language: str) -> str | None:
        """Polarity tag ``-2`` ... ``+2`` of a lower-case word."""
        found = self.polarity.get(language)
        return None if found is None else found.lookup(word)

    def association(self, word: str) -> float:
        """Likely polarity of a lower-case word, about -1.5 ... 1.5; 0 if nothing is known.

        A word that is not listed borrows from a listed beginning that is most of it.
        """
        return borrow(self.associations, word) or 0.0

    def cluster(self, word: str) -> str | None:
        """Number of the group of words, in all languages, that mean something similar."""
        return borrow(self.clusters, word)

    def sense(self, word: str) -> tuple[float, float] | None:
        """How far a lower-case word leans to negative and to positive from neutral; about -3 ... 3."""
        return borrow(self.senses, word)

    def cue(self, word: str, language: str) -> str | None:
        """Crisis type that a word, or two words with a space, speaks of."""
        found = self.cues.get(language)
        return None if found is None else found.lookup(word)


def build(texts: dict[str, str]) -> Lexicon:
    """A lexicon from the texts of `LISTS`."""
    return Lexicon(
        polarity={code: parse(texts[f"lexicon.{code}.txt"])[""] for code in ("it", "en")},
        emoji=parse(texts["emoji.txt"])[""].exact,
        cues=parse(texts["cues.txt"]),
        associations={
            word: int(tenths) / 10
            for words_of in parse(texts["associations.txt"]).values()
            for word, tenths in words_of.exact.items()
        },
        clusters=parse(texts["clusters.txt"]).get("", WordList({}, {})).exact,
        senses=_senses(texts.get("senses.txt", "")),
    )


def _senses(text: str) -> dict[str, tuple[float, float]]:
    found = parse(f"[negative:0]\n[positive:0]\n{text}")
    negative, positive = found["negative"].exact, found["positive"].exact
    return {
        word: (int(negative.get(word, "0")) / 10, int(positive.get(word, "0")) / 10)
        for word in negative.keys() | positive.keys()
    }


def shipped_texts() -> dict[str, str]:
    """The word lists of the package, by file name."""
    folder = resources.files("sentinel.language") / "data"
    return {name: (folder / name).read_text(encoding="utf-8") for name in LISTS}
