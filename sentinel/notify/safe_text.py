"""Text from strangers made fit to be shown in a line of an alert.

What lives here: one function, ``clean``, and its rules. What does not: escaping for a vendor's mark-up (each notifier
escapes for its own) and any judgement of what a text says.

The rules, in order:

1. Line breaks, tabs and every kind of space become one plain space; runs of them collapse.
2. Removed: other control characters (C0, C1), bidirectional controls, zero-width and other format characters, soft
   hyphens, tag characters, surrogates, private-use and unassigned code points, and letters that are drawn as nothing
   (Hangul fillers, the empty Braille cell).
3. Emoji survive: a zero-width joiner is kept only between two emoji (families, professions, flags), variation selector
   16 only after an emoji or before a keycap. Flags of England, Scotland and Wales lose their tags and turn into a black
   flag; Persian and Indic text loses its joiners, which costs a little of its shape and none of its words.
4. At most three combining marks stay on one letter ("zalgo" climbs over the lines above it).
5. Unicode normal form C.
6. Cut to the limit, without splitting an emoji or a letter from its marks where that is possible, and ended with "…".
"""

from __future__ import annotations

import re
import unicodedata

_JOINER, _EMOJI_STYLE, _KEYCAP = "\u200d", "\ufe0f", "\u20e3"
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u17b4\u17b5\u034f")
_REMOVED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_MARKS_PER_LETTER = 3
_LONGEST_CLUSTER = 24
ELLIPSIS = "…"
_PLAIN = re.compile(r"[\t\n\r -~¡-¬®-ɏ‐-‧‹›€]*")
"""Most of what is written in Europe: nothing in here can hide, so that the slow way is not needed."""


def clean(text: str, limit: int | None = None) -> str:
    r"""One safe line of plain text.

    Args:
        text: Anything.
        limit: Greatest length of the result in code points, ellipsis included; None for no limit.

    Returns:
        The text by the rules of this module; cleaning it again changes nothing.

    >>> clean("Vergogna!\n\n\u202eannullato\u202c  \u200bsubito")
    'Vergogna! annullato subito'
    >>> clean("Non compro più nulla", 11)
    'Non compro…'
    """
    if _PLAIN.fullmatch(text):
        line = " ".join(unicodedata.normalize("NFC", text).split())
    else:
        line = " ".join(_visible(unicodedata.normalize("NFC", text)).split())
        line = _few_marks(unicodedata.normalize("NFC", line))
    return line if limit is None else _cut(line, limit)


def _visible(text: str) -> str:
    kept: list[str] = []
    for i, char in enumerate(text):
        if char.isspace() or char == "\u2800":
            # Information separators (U+001C to U+001F) are white space to Python; so they are to us.
            kept.append(" ")
        elif char == _JOINER:
            joins = _emoji(text[i + 1 : i + 2]) and _emoji(_last_base(kept))
            kept.append(char if joins else "")
        elif char == _EMOJI_STYLE:
            keycap = text[i + 1 : i + 2] == _KEYCAP
            kept.append(char if keycap or _emoji(kept[-1] if kept else "") else "")
        elif not _hidden(char):
            kept.append(char)
    return "".join(kept)


def _hidden(char: str) -> bool:
    return (
        unicodedata.category(char) in _REMOVED_CATEGORIES
        or char in _INVISIBLE_LETTERS
        or "\ufe00" <= char <= "\ufe0f"
        or "\U000e0000" <= char <= "\U000e0fff"
    )


def _last_base(kept: list[str]) -> str:
    """The character before, looking through an emoji's variation selector."""
    if kept and kept[-1] == _EMOJI_STYLE:
        return kept[-2] if len(kept) > 1 else ""
    return kept[-1] if kept else ""


def _emoji(char: str) -> bool:
    """Whether a character can be part of a joined emoji: pictographs, symbols and skin tones."""
    if not char:
        return False
    return "\U0001f000" <= char <= "\U0001faff" or (
        "\u2190" <= char <= "\u2bff" and unicodedata.category(char) in {"So", "Sm"}
    )


def _few_marks(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        if marks <= _MARKS_PER_LETTER:
            kept.append(char)
    return "".join(kept)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    if limit <= 0:
        return ""
    end = limit - 1
    for earlier in range(end, max(end - _LONGEST_CLUSTER, 0), -1):
        if not _continues(text, earlier):
            end = earlier
            break
    return text[:end].rstrip(" " + _JOINER) + ELLIPSIS


def _continues(text: str, at: int) -> bool:
    """Whether a cut before ``text[at]`` would split what is seen as one character."""
    char = text[at]
    if char in (_JOINER, _EMOJI_STYLE, _KEYCAP) or unicodedata.category(char).startswith("M"):
        return True
    if "\U0001f3fb" <= char <= "\U0001f3ff" or (at and text[at - 1] == _JOINER):
        return True
    if _flag_letter(char):
        before = 0
        while before < at and _flag_letter(text[at - 1 - before]):
            before += 1
        return before % 2 == 1
    return False


def _flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
