"""Cleaning and cutting of hostile text. What lives here: bounds, Unicode repair, tokens.

What does not: what a token means (``lexicon``), which language it is in (``identify``).

Everything works in time linear in the text, and the text is cut to `MAX_CHARS` characters and
`MAX_TOKENS` tokens before anything else looks at it, so that no post can hold up a batch.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable

MAX_CHARS = 4_000
"""Characters of a post that are read; a long article says what it is about at its top."""

MAX_TOKENS = 400
"""Tokens of a post that are read."""

# Zero-width and bidirectional controls, soft hyphen, variation selectors, joiners, tags, NUL and
# other control characters but tab and line breaks: invisible, and used to hide words from matchers.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\U000e0000-\U000e0fff]"
)
_FOLD = str.maketrans(
    {"’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "«": '"', "»": '"'}
)
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\+[\"']|\"{2,}")

TOKEN = re.compile(
    r"https?://\S{1,2000}|www\.\S{1,2000}"
    r"|[@#]\w{1,100}"
    r"|<3+"
    r"|[:;=]['^]?-?[)(\]\[dDpPoO/\\|*3sS]+(?![\w/])|\b[xX]D+\b|\^_*\^|-_+-|[oO]_[oO]"
    r"|[^\W\d_]{1,40}(?:'[^\W\d_]{1,40})*'?"
    r"|\d[\d.,:]{0,20}%?"
    r"|[!?]+|\.{2,}|[.,;:()\"\n]"
    r"|[\u2190-\u2bff\U0001f000-\U0001faff]"
)
"""One token: link, handle or hashtag, emoticon, word, number, punctuation, symbol."""

_NOT_PROSE = re.compile(r"https?://\S+|www\.\S+|[@#]\w+|\bhttp\b|\bRT\b", re.ASCII)


def clean(text: str) -> str:
    r"""Repair and bound a post's text.

    Lone surrogates become U+FFFD, invisible characters go, compatibility forms are folded (NFKC),
    typographic quotes become plain ones, and escapes that sloppy exporters leave behind
    (``&amp;``, ``\u2019``, doubled quotes) are undone.

    >>> clean("D\u200bisastro &amp; ”vergogna”")
    'Disastro & "vergogna"'
    """
    text = text[:MAX_CHARS]
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        text = unicodedata.normalize("NFKC", text)[:MAX_CHARS].translate(_FOLD)
    text = _INVISIBLE.sub("", text)
    if "&" in text:
        text = html.unescape(text)
    if "\\" in text or '""' in text:
        text = _ESCAPE.sub(_unescape, text)
    return text


def _unescape(match: re.Match[str]) -> str:
    code = match.group(1)
    if code is None:
        return match.group(0)[-1]
    number = int(code, 16)
    if 0xD800 <= number < 0xE000 or number < 0x20:
        return " "
    return chr(number).translate(_FOLD)


def tokenize(text: str) -> list[str]:
    """Tokens of a cleaned text in order, at most `MAX_TOKENS`.

    >>> tokenize("@user NON funziona!!! :( #MaiPiù https://example.org/a")
    ['@user', 'NON', 'funziona', '!!!', ':(', '#MaiPiù', 'https://example.org/a']
    """
    return TOKEN.findall(text)[:MAX_TOKENS]


_SAYS_NOTHING = re.compile(r"https?://|www\.|@|\d|[.,;:()\"\n]\Z|\.{2,}\Z")


def says_something(tokens: Iterable[str]) -> bool:
    """Whether there is a word, hashtag, emoji or exclamation among them, and not links, handles and figures alone.

    >>> says_something(["@user", "https://example.org/a", "12", "..."]), says_something(["@user", ":("])
    (False, True)
    """
    return not all(map(_SAYS_NOTHING.match, tokens))


def prose(text: str) -> str:
    """The words alone: links, handles and hashtags say little about the language.

    >>> prose("@user che bello http://t.example #Sanremo").strip()
    'che bello'
    """
    return _NOT_PROSE.sub(" ", text)


def words(text: str) -> frozenset[str]:
    """The words of a list written as running text.

    >>> sorted(words("one two"))
    ['one', 'two']
    """
    return frozenset(text.split())


_CAMEL = re.compile(r"[A-ZÀ-Þ]+(?![a-zß-ÿ])|[A-ZÀ-Þ]?[a-zß-ÿ]+|\d+|[^\W\d_]+")


def split_hashtag(tag: str) -> list[str]:
    """The lower-case words of a hashtag in CamelCase, without ``#``; at most eight.

    >>> split_hashtag("#BoicottaAurora")
    ['boicotta', 'aurora']
    >>> split_hashtag("#maipiu")
    ['maipiu']
    """
    return [part.lower() for part in _CAMEL.findall(tag)[:8]]
