"""Which brands a mention is about, and by which term.

What lives here: text folding and one Aho-Corasick automaton over all terms of all brands. One pass over the text costs the
same for ten terms as for ten thousand. What does not: language, sentiment, sources.

Rules (``docs/architecture.md`` has the reasons):

- Text and terms are folded alike: NFKC, casefold, invisible characters removed.
- A *term* counts as a whole word, in any script that separates words; not right after ``@`` (that is somebody's handle).
- A *hashtag* counts after ``#``. A term also counts inside a hashtag: as a CamelCase part (``#BoicottaAurora``), or, with at
  least six letters, at the beginning or the end (``#boicottaaurora``); a term of several words counts there written together.
- A *handle* counts after ``@``, a *domain* as the host, or the end of the host, of a link or an address.
- ``exclude`` words throw the brand out; with ``require`` words at least one must be there when only a plain term matched.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import IntEnum

from ahocorasick_rs import AhoCorasick, Implementation

from sentinel.model import Brand, Dropped, DropReason, Match

_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\ufeff\u200b-\u200f\u202a-\u202e\u2060-\u206f]+")
_HASHTAG = re.compile(r"#(\w+)")
_CAMEL = re.compile(r"(?<=[a-zà-ÿ0-9])(?=[A-ZÀ-Þ])|(?<=[A-ZÀ-Þ])(?=[A-ZÀ-Þ][a-zà-ÿ])")
_INSIDE_TAG_MIN = 6
_TAG_MAX = 100  # characters looked back for the ``#``: bounds the work on hostile text

UNMATCHED = Dropped(DropReason.UNMATCHED)
EXCLUDED = Dropped(DropReason.EXCLUDED)


class Kind(IntEnum):
    """What a pattern is for."""

    TERM = 0
    HASHTAG = 1
    HANDLE = 2
    DOMAIN = 3
    EXCLUDE = 4
    REQUIRE = 5


def fold(text: str) -> str:
    r"""Return ``text`` in the form in which terms are compared.

    >>> fold("PASTIFICIO\u200b  Aurora ﬁne")
    'pastificio  aurora fine'
    """
    if text.isascii():
        return text.lower()
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    return _INVISIBLE.sub("", text).casefold()


def split_hashtag(tag: str) -> list[str]:
    """Split a hashtag at CamelCase and underscores.

    >>> split_hashtag("BoicottaAurora")
    ['Boicotta', 'Aurora']
    >>> split_hashtag("iostoconAURORA_ora")
    ['iostocon', 'AURORA', 'ora']
    """
    return [part for piece in tag.split("_") for part in _CAMEL.split(piece) if part]


def _wordy(text: str, index: int) -> bool:
    return 0 <= index < len(text) and (text[index].isalnum() or text[index] == "_")


class Matcher:
    """Finds the brands of a text. Immutable: build a new one when the configuration changes.

    Args:
        brands: The configured brands; ids must be unique.

    >>> aurora = Brand(id="aurora", name="Pastificio Aurora", terms=("Pastificio Aurora",), hashtags=("BoicottaAurora",))
    >>> Matcher([aurora]).match("Ancora il PASTIFICIO AURORA...")
    (Match(brand='aurora', term='Pastificio Aurora'),)
    """

    def __init__(self, brands: Sequence[Brand]) -> None:
        self._brands = tuple(brands)
        self._ids = {brand.id: index for index, brand in enumerate(self._brands)}
        self._requires = tuple(bool(brand.require) for brand in self._brands)
        table: dict[str, list[tuple[int, Kind, str]]] = {}
        for index, brand in enumerate(self._brands):
            for kind, words in _patterns(brand):
                for word in words:
                    needle = fold(word.strip())
                    if needle:
                        table.setdefault(needle, []).append((index, kind, word))
        joined: dict[str, list[tuple[int, Kind, str]]] = {}
        for needle, owners in table.items():
            together = re.sub(r"\W+", "", needle)
            if together != needle and together not in table:
                terms = [owner for owner in owners if owner[1] in {Kind.TERM, Kind.HASHTAG}]
                if terms:
                    joined.setdefault(together, []).extend(terms)
        self._needles = [*table, *joined]
        self._owners = [*table.values(), *joined.values()]
        self._only_tags = len(table)
        self._automaton = (
            AhoCorasick(self._needles, implementation=Implementation.ContiguousNFA)
            if self._needles
            else None
        )

    def __len__(self) -> int:
        """Number of distinct patterns."""
        return len(self._needles)

    def wants(self, text: str, extra: Iterable[str] = ()) -> bool:
        """Whether any brand matches; for sources that carry a whole network's posts."""
        return not isinstance(self.match(text, extra), Dropped)

    def match(
        self, text: str, extra: Iterable[str] = (), *, brand: str = ""
    ) -> tuple[Match, ...] | Dropped:
        """Find the brands of a text.

        Args:
            text: The text as it came.
            extra: Links and handles that belong to the post but are not in its text.
            brand: Brand id that the sender already knows: it counts without a term.

        Returns:
            One ``Match`` a brand, in the order of the configuration, or why there is none.
        """
        if brand and brand not in self._ids:
            return Dropped(DropReason.UNKNOWN_BRAND, brand[:60])
        haystack = fold(text)
        for more in extra:
            haystack += "\n" + fold(more)
        tags = _hashtag_words(text) if "#" in text else ""
        found = self._find(haystack, tags)
        if brand:
            found.setdefault(self._ids[brand], {})[Kind.HANDLE] = brand
        if not found:
            return UNMATCHED
        matches: list[Match] = []
        for index in sorted(found):
            term = self._verdict(index, found[index])
            if term is not None:
                matches.append(Match(self._brands[index].id, term))
        return tuple(matches) if matches else self._why_none(found)

    def _why_none(self, found: dict[int, dict[Kind, str]]) -> Dropped:
        """Excluded if a brand was named at all; context words alone are no mention."""
        return EXCLUDED if any(_names(kinds) for kinds in found.values()) else UNMATCHED

    def _verdict(self, index: int, kinds: dict[Kind, str]) -> str | None:
        """The term by which the brand counts, or None."""
        if Kind.EXCLUDE in kinds:
            return None
        for strong in (Kind.HANDLE, Kind.HASHTAG, Kind.DOMAIN):
            if strong in kinds:
                return kinds[strong]
        if Kind.TERM in kinds and (not self._requires[index] or Kind.REQUIRE in kinds):
            return kinds[Kind.TERM]
        return None

    def _find(self, haystack: str, tags: str) -> dict[int, dict[Kind, str]]:
        found: dict[int, dict[Kind, str]] = {}
        if self._automaton is None:
            return found
        for text, camel in ((haystack, False), (tags, True)) if tags else ((haystack, False),):
            for number, start, end in self._automaton.find_matches_as_indexes(
                text, overlapping=True
            ):
                written_together = number >= self._only_tags
                for index, kind, word in self._owners[number]:
                    if _counts(text, start, end, kind, camel=camel, together=written_together):
                        found.setdefault(index, {}).setdefault(kind, word)
        return found


def _names(kinds: dict[Kind, str]) -> bool:
    return any(kind not in {Kind.EXCLUDE, Kind.REQUIRE} for kind in kinds)


def _patterns(brand: Brand) -> Iterable[tuple[Kind, Iterable[str]]]:
    yield Kind.TERM, dict.fromkeys((brand.name, *brand.terms)) if not brand.terms else brand.terms
    yield Kind.HASHTAG, (tag.lstrip("#") for tag in brand.hashtags)
    yield Kind.HANDLE, (handle.lstrip("@") for handle in brand.handles)
    yield (
        Kind.DOMAIN,
        (re.sub(r"^(https?://)?(www\.)?", "", domain).rstrip("/") for domain in brand.domains),
    )
    yield Kind.EXCLUDE, brand.exclude
    yield Kind.REQUIRE, brand.require


def _hashtag_words(text: str) -> str:
    """The words inside CamelCase hashtags, folded, one hashtag a line."""
    lines = (split_hashtag(tag) for tag in _HASHTAG.findall(text))
    return "\n".join(fold(" ".join(words)) for words in lines if len(words) > 1)


def _counts(text: str, start: int, end: int, kind: Kind, *, camel: bool, together: bool) -> bool:
    """Whether the occurrence at [start, end) counts for a pattern of this kind."""
    before = text[start - 1] if start else ""
    left, right = not _wordy(text, start - 1), not _wordy(text, end)
    if kind is Kind.DOMAIN:
        return not camel and left and right and before != "-" and text[end : end + 1] != "-"
    if kind in {Kind.HANDLE, Kind.HASHTAG}:
        return before == ("@" if kind is Kind.HANDLE else "#") and right
    if left and right and not together:
        return before != "@"
    return not camel and _in_hashtag(text, start, end, right=right)


def _in_hashtag(text: str, start: int, end: int, *, right: bool) -> bool:
    """Whether the occurrence is the whole of a hashtag, or a long enough beginning or end of it."""
    floor = max(0, start - _TAG_MAX)
    index = start
    while index > floor and _wordy(text, index - 1):
        index -= 1
    if not index or text[index - 1] != "#":
        return False
    whole = start == index and right
    return whole or (end - start >= _INSIDE_TAG_MIN and (start == index or right))
