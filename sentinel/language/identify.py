"""Which language a post is in, and whether it is in two. What lives here: scripts, votes of function words, py3langid.

What does not: what to do with the answer (``linear``).

Function words of one configured language and none of another decide most posts in a few microseconds. The rest go to
py3langid, on the prose alone: links, handles and hashtags mislead it. A post in a script that no configured language is
written in is in another language however short it is; in our own script, py3langid must be sure of it.

A post is marked as mixed only where a second configured language shows at least two of its function words in a row, and not
in a title, or where whole words are in another script: a loan word or the name of a film is no second language.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from sentinel.language.base import UNKNOWN_LANGUAGE
from sentinel.language.text import prose, words

_FUNCTION_WORDS: Final[dict[str, str]] = {
    "it": """che di è non per gli della delle degli dei dello nella nelle sono questo questa anche perché perchè più nel
        sul sulla alla alle allo dal dalla ho hai hanno abbiamo cosa così quando mi ci il lo ma come sei siamo fatto
        tutti tutto sempre mai poi però solo chi ora adesso già vuole essere fare va sta sto dopo quello quella nn cmq
        perche nei ai dai sui loro ancora molto troppo senza oggi ieri domani c'è un'altra dell all nell cioè ed""",
    "en": """the and you is of to with this was have for that it are my not be your they we just but what all so
        when from at has will i'm don't it's can't can his her she would there been about out who how an were if
        than because their our had get i've you're didn't doesn't isn't won't that's now by or as do does us""",
}
# Words of one list that other languages use as well say nothing.
_SHARED: Final = words("a i in no me do come male pure fine more solo sole ora so us")

_ALSO_ELSEWHERE: Final[dict[str, str]] = {
    "it": "la le un una con mia mio tua suo sua e se o da su tra era ha al del si",
}
"""Function words that tell our languages apart and that a third one has as well: they are no proof against that one."""

_CANDIDATES: Final = words(
    "it en es fr de pt nl pl ro tr sv da no fi cs hu ca hr sq id ru uk bg ar fa he hi ja zh ko el th"
)

_SCRIPTS: Final = (
    (0x0370, ("el",)),
    (0x0400, ("ru", "uk", "bg", "sr", "mk", "be")),
    (0x0530, ("hy",)),
    (0x0590, ("he",)),
    (0x0600, ("ar", "fa", "ur")),
    (0x0900, ("hi", "mr", "ne")),
    (0x0980, ("bn",)),
    (0x0A00, ("pa",)),
    (0x0A80, ("gu",)),
    (0x0B80, ("ta",)),
    (0x0C00, ("te",)),
    (0x0C80, ("kn",)),
    (0x0D00, ("ml",)),
    (0x0D80, ("si",)),
    (0x0E00, ("th",)),
    (0x0E80, ("lo",)),
    (0x0F00, ("dz",)),
    (0x1000, ("my",)),
    (0x10A0, ("ka",)),
    (0x1100, ("ko",)),
    (0x1200, ("am",)),
    (0x1780, ("km",)),
    (0x1800, ("mn",)),
    (0x1F00, ("el",)),
    (0x2E80, ("zh", "ja")),
    (0x3040, ("ja",)),
    (0x3130, ("ko",)),
    (0x3400, ("zh", "ja")),
    (0xAC00, ("ko",)),
)
"""Where the letters of a script begin (until the next), and the languages that are told apart in it."""

_STARTS: Final = [start for start, _ in _SCRIPTS]
_OTHER_SCRIPT: Final = re.compile(r"[\u0370-\u1cff\u1f00-\u1fff\u2e80-\ua4cf\uac00-\ud7af]{2,}")
_OUR_LETTER: Final = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")

LANGUAGES: Final = frozenset(
    {*_CANDIDATES, *(code for _, codes in _SCRIPTS for code in codes), UNKNOWN_LANGUAGE}
)
"""Every language that can be told, configured ones apart."""

_SURE_OTHER: Final = 0.85
_SURE_SHORT: Final = 0.95
"""Confidence of py3langid from which a post counts as written in a language not configured; short ones need more."""

_AGAINST_ONE_WORD: Final = 0.98
"""The same against one function word of ours: ``is`` is Dutch as well."""

_MIN_LETTERS_OTHER: Final = 16
_MIN_LETTERS: Final = 8
_FEW_LETTERS: Final = 24
"""Up to here the hint still helps to choose among the configured languages."""

_WORD_NATS: Final = 1.5
_SOFT_NATS: Final = 0.7
_HINT_NATS: Final = 1.0
"""What a function word, one of `_ALSO_ELSEWHERE` and the hint are worth beside py3langid's log-probability."""

_READ_CHARS: Final = 400
_LEAST_IN_A_ROW: Final = 2


class Spoken(NamedTuple):
    """What a post is written in: ISO 639-1 codes; ``second`` is empty unless the post is mixed."""

    language: str
    second: str = ""


class Identifier:
    """Tells the language of posts, restricted to the configured languages.

    Args:
        languages: ISO 639-1 codes, the most usual first.

    >>> Identifier(("it", "en")).identify("ma che cosa dici, non è vero", ["ma", "che", "non", "è"])
    Spoken(language='it', second='')
    """

    def __init__(self, languages: Sequence[str]) -> None:
        self.languages = tuple(languages)
        self._votes: dict[str, int] = {}
        for lists, first in ((_FUNCTION_WORDS, 0), (_ALSO_ELSEWHERE, len(self.languages))):
            for place, code in enumerate(self.languages):
                for word in lists.get(code, "").split():
                    if word not in _SHARED:
                        for form in (word, word.capitalize(), word.upper()):
                            self._votes[form] = first + place
        self._langid = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        self._known = frozenset(self._langid.labels)
        told = {code for code in (*LANGUAGES, *self.languages) if code in self._known}
        self._langid.set_languages(sorted(told))
        scripts = {code for _, codes in _SCRIPTS for code in codes}
        self._in_our_script = tuple(code for code in self.languages if code not in scripts)

    def identify(self, text: str, tokens: Sequence[str], hint: str | None = None) -> Spoken:
        """The language of a cleaned text, or `UNKNOWN_LANGUAGE` where there is nothing to tell it from.

        Args:
            text: Cleaned text.
            tokens: Its tokens.
            hint: Language to assume where there is too little to read. One that nobody knows is ignored.
        """
        number = len(self.languages)
        counts = [0] * (2 * number)
        votes = self._votes
        for token in tokens:
            place = votes.get(token)
            if place is not None:
                counts[place] += 1
        ours, soft = counts[:number], counts[number:]
        best = max(ours, default=0)
        place = ours.index(best) if best else 0
        alone = best > 1 and best == sum(ours) and sum(soft) - soft[place] < best
        script = None if text.isascii() else _OTHER_SCRIPT.search(text)
        if alone and script is None:
            return Spoken(self.languages[place])
        read = prose(text)
        if script is not None and (found := self._by_script(read, ours, soft)):
            return found
        if best > 1 and best < sum(ours) and (found := self._mixed(tokens)):
            return found
        if best > 1 and best > 2 * (sum(ours) - best) and sum(soft) - soft[place] < best:
            return Spoken(self.languages[place])
        return Spoken(self._slow(read, ours, soft, hint))

    # --- scripts ---------------------------------------------------------------------------------

    def _by_script(self, read: str, ours: list[int], soft: list[int]) -> Spoken | None:
        """A post that is wholly or partly in a script of its own; None where too little of it is."""
        foreign = _foreign(read)
        if not foreign:
            return None
        letters = len(foreign) - foreign.count(" ")
        own = len(_OUR_LETTER.findall(read))
        codes = _languages_of(foreign)
        language = self._likeliest(foreign, [c for c in codes if c in self.languages] or codes)
        if letters < min(own, _MIN_LETTERS // 2):
            return None
        if own < _MIN_LETTERS or not any(ours):  # a name in our letters is no language
            return Spoken(language) if letters >= own else None
        rest = _OTHER_SCRIPT.sub(" ", read)
        first = self._slow(rest, ours, soft, None)
        if first == language:
            return Spoken(first)
        return Spoken(first, language) if own > letters else Spoken(language, first)

    def _likeliest(self, read: str, codes: Sequence[str]) -> str:
        known = [code for code in codes if code in self._known]
        if len(known) < 2:
            return codes[0]
        ranking: dict[str, float] = dict(self._langid.rank(read[:_READ_CHARS]))
        return max(known, key=lambda code: ranking.get(code, 0.0))

    # --- mixed -----------------------------------------------------------------------------------

    def _mixed(self, tokens: Sequence[str]) -> Spoken | None:
        """Two languages, each with function words in a row, the one with more of them first."""
        votes, number = self._votes, len(self.languages)
        rows, words_near = [0] * number, [0] * number
        row: set[str] = set()
        last = -1
        for spot, token in enumerate(tokens):
            if last >= 0 and token[0].isalpha():
                words_near[last] += 1
            place = votes.get(token, number)
            if place >= number or _in_a_title(tokens, spot):
                continue
            if place != last:
                row, last = set(), place
            row.add(token.lower())
            rows[place] = max(rows[place], len(row))
        both = [place for place in range(number) if rows[place] >= _LEAST_IN_A_ROW]
        if len(both) < 2:
            return None
        first, second = sorted(both, key=lambda place: -words_near[place])[:2]
        return Spoken(self.languages[first], self.languages[second])

    # --- py3langid -------------------------------------------------------------------------------

    def _slow(self, read: str, counts: list[int], soft: list[int], hint: str | None) -> str:
        letters = sum(map(str.isalpha, read))
        hint = hint if hint in self._known else None
        if letters < _MIN_LETTERS:
            if hint:
                return hint
            if not letters:
                return UNKNOWN_LANGUAGE
        ranking: dict[str, float] = dict(self._langid.rank(read[:_READ_CHARS]))
        top = max(ranking, key=lambda code: ranking[code])
        if top not in self.languages and letters >= _MIN_LETTERS:
            needed = _SURE_OTHER if letters >= _MIN_LETTERS_OTHER else _SURE_SHORT
            if sum(counts) == 1:
                needed = _AGAINST_ONE_WORD if letters >= _FEW_LETTERS else math.inf
            if sum(counts) < 2 and ranking[top] >= needed:
                return top
        ours = self._in_our_script or self.languages

        def nats(code: str) -> float:
            place = self.languages.index(code)
            words = _WORD_NATS * counts[place] + _SOFT_NATS * soft[place]
            helped = _HINT_NATS if code == hint and letters < _FEW_LETTERS else 0.0
            return math.log(ranking.get(code, 0.0) + 1e-6) + words + helped

        return max(ours, key=nats)


def _in_a_title(tokens: Sequence[str], spot: int) -> bool:
    """Whether a function word stands beside a capitalised word, as in the name of a film; not after a full stop."""
    after = tokens[spot + 1] if spot + 1 < len(tokens) else ""
    before = tokens[spot - 1] if spot > 1 else ""
    starts = spot > 1 and not tokens[spot - 2][-1:].isalnum()
    return _is_name(after) or (_is_name(before) and not starts)


def _is_name(token: str) -> bool:
    return len(token) > 1 and token[0].isupper() and not token.isupper()


def _foreign(read: str) -> str:
    """Whole words in another script: a look-alike letter inside a word of ours is a disguise, no language."""
    found = []
    for match in _OTHER_SCRIPT.finditer(read):
        start, end = match.span()
        if not (
            _OUR_LETTER.match(read[start - 1 : start]) or _OUR_LETTER.match(read[end : end + 1])
        ):
            found.append(match.group())
    return " ".join(found)[:_READ_CHARS]


def _languages_of(foreign: str) -> tuple[str, ...]:
    """The languages of the script that most letters are in; kana makes Chinese characters Japanese."""
    tally: dict[tuple[str, ...], int] = {}
    for letter in foreign:
        place = bisect_right(_STARTS, ord(letter)) - 1
        if place >= 0 and letter != " ":
            codes = _SCRIPTS[place][1]
            tally[codes] = tally.get(codes, 0) + 1
    if ("ja",) in tally and ("zh", "ja") in tally:
        return ("ja",)
    return max(tally, key=lambda codes: tally[codes])
