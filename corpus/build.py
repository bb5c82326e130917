"""Writes ``posts.ndjson`` from the ideas in ``ideas/*.txt``. Run: ``python corpus/build.py``.

What lives here: the notation of ideas and how an idea becomes posts. What does not: the ideas.

A header ``@ language sentiment type sector`` (sentiment ``+``, ``0`` or ``-``) holds for the lines
below it. Each line is one idea; ``{a|b}`` are wordings; a leading ``~`` marks irony. Of the possible
wordings a few are taken, chosen by a hash so that the result is the same everywhere, and some are
written the way hurried people write: without accents, in capitals, with stretched vowels, slips of
the finger, a handle, a link or a hashtag. That changes the register, never the label.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

HERE = Path(__file__).parent
SENTIMENT = {"+": "positive", "0": "neutral", "-": "negative"}
POSTS_PER_IDEA = 5
_CHOICE = re.compile(r"\{([^{}]*)\}")
_PLAIN = str.maketrans("àèéìòùÀÈÉÌÒÙ", "aeeiouAEEIOU")
_SHORT = {
    "it": (("non", "nn"), ("che", "ke"), ("perché", "xké"), ("per", "x"), ("comunque", "cmq")),
    "en": (("you", "u"), ("are", "r"), ("your", "ur"), ("people", "ppl"), ("please", "plz")),
}


def wordings(line: str, rng: random.Random, most: int) -> list[str]:
    """Some of the texts that a line stands for, every alternative used about equally."""
    parts = _CHOICE.split(line)
    choices = [part.split("|") if place % 2 else [part] for place, part in enumerate(parts)]
    total = 1
    for options in choices:
        total *= len(options)
    if total <= most:
        return ["".join(pick) for pick in itertools.product(*choices)]
    shuffled = [rng.sample(options, len(options)) for options in choices]
    texts: dict[str, None] = {}
    for turn in range(most * 3):
        pick = [options[(turn + rng.randrange(2)) % len(options)] for options in shuffled]
        texts["".join(pick)] = None
        if len(texts) == most:
            break
    return list(texts)


def _slip(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word) > 5 and word.isalpha()]
    if long:
        i = rng.choice(long)
        at = rng.randrange(1, len(words[i]) - 2)
        word = words[i]
        words[i] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


def _stretch(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    able = [i for i, word in enumerate(words) if len(word) > 3 and word[-1] in "aeiouy"]
    if able:
        i = rng.choice(able)
        words[i] += words[i][-1] * rng.randrange(2, 5)
    return " ".join(words)


def register(text: str, lang: str, rng: random.Random) -> str:
    """The text as somebody in a hurry may have written it; often unchanged."""
    roll = rng.random()
    if roll < 0.06 and "http" not in text:
        text = text.upper()
    elif roll < 0.16:
        text = text.translate(_PLAIN).lower()
    elif roll < 0.24:
        for long, short in _SHORT[lang]:
            text = re.sub(rf"\b{long}\b", short, text)
    elif roll < 0.30:
        text = _slip(text, rng)
    elif roll < 0.34:
        text = _stretch(text, rng)
    roll = rng.random()
    if roll < 0.08 and not text.startswith(("@", "RT")):
        text = f"@user {text}"
    elif roll < 0.11 and not text.startswith(("@", "RT")):
        text = f"RT @user: {text}"
    elif roll < 0.15 and "http" not in text:
        text = f"{text} http"
    return " ".join(text.split())


def posts() -> Iterator[dict[str, object]]:
    """All posts, in the order of the files."""
    for file in sorted((HERE / "ideas").glob("*.txt")):
        lang = sentiment = kind = sector = ""
        for number, raw in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            line = raw.strip()
            if not line or line.startswith("# "):
                continue
            if line.startswith("@ "):
                lang, sign, kind, sector = line[2:].split()
                sentiment = SENTIMENT[sign]
                continue
            if not sentiment:
                raise SystemExit(f"{file.name}:{number}: an idea before the first header")
            irony, line = line.startswith("~"), line.removeprefix("~").strip()
            digest = hashlib.sha256(f"{lang} {line}".encode()).hexdigest()
            rng = random.Random(digest)  # noqa: S311 - reproducible wording, nothing secret
            idea = f"{lang}-{digest[:8]}"
            texts = wordings(line, rng, POSTS_PER_IDEA)
            written = [register(text, lang, rng) if place else " ".join(text.split())
                       for place, text in enumerate(texts)]  # fmt: skip
            for place, text in enumerate(dict.fromkeys(written)):
                yield {
                    "id": f"{idea}-{place}",
                    "idea": idea,
                    "lang": lang,
                    "text": text,
                    "sentiment": sentiment,
                    "type": kind,
                    "irony": irony,
                    "sector": sector,
                }


def render() -> bytes:
    """The whole of ``posts.ndjson``."""
    encode = msgspec.json.encode
    return b"".join(encode(post) + b"\n" for post in posts())


if __name__ == "__main__":
    data = render()
    (HERE / "posts.ndjson").write_bytes(data)
    sys.stdout.write(f"{len(data.splitlines())} posts\n")
