"""``sentinel classify``: language, sentiment and crisis types of posts, streamed as NDJSON."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from sentinel.language import Post, Scorer, load_scorer
from sentinel.model import Verdict

BATCH = 64
_READ_BYTES = 1 << 16


class _Line(msgspec.Struct):
    text: str
    id: Any = None
    lang: str | None = None


def classify(
    source: io.BufferedIOBase,
    target: BinaryIO,
    languages: Sequence[str],
    kind: str = "default",
    model: Path | None = None,
) -> int:
    """Classify each line as it comes; the answers come in order. A line that cannot be read is answered with an ``error``.

    ``label`` is null where no model read the post: another language, or nothing to read. ``second_language`` is there for mixed posts.

    Args:
        source: NDJSON.
        target: Where answers go, flushed after each batch.
        languages: To tell apart.
        kind: Which scorer.
        model: One's own model in place of the shipped one; for the transformer its directory.

    Returns:
        0, or 1 if a line could not be read.

    Raises:
        LanguageError: The scorer cannot be loaded.
    """
    scorer = load_scorer(languages, kind, model)
    failed = False
    for answers in _answers(_batches(source), scorer):
        failed = failed or any("error" in answer for answer in answers)
        target.write(b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers))
        target.flush()
    return int(failed)


def _batches(source: io.BufferedIOBase) -> Iterator[list[bytes]]:
    """Whole lines as they come: a writer who pauses has the answers to what it wrote, a fast one the speed of batches."""
    unfinished: list[bytes] = []
    while piece := source.read1(_READ_BYTES):
        first, *more = piece.split(b"\n")
        unfinished.append(first)
        if more:
            lines = [b"".join(unfinished), *more[:-1]]
            unfinished = [more[-1]]
            for start in range(0, len(lines), BATCH):
                yield lines[start : start + BATCH]
    yield [b"".join(unfinished)]


def _answers(batches: Iterable[list[bytes]], scorer: Scorer) -> Iterator[list[dict[str, Any]]]:
    decoder = msgspec.json.Decoder(_Line)
    number = 0
    for batch in batches:
        parsed: list[_Line | str] = []
        for line in batch:
            number += 1
            if not line.strip():
                continue
            try:
                parsed.append(decoder.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                parsed.append(_repaired(line) or f"line {number}: {error}")
        posts = [Post(one.text, one.lang) for one in parsed if isinstance(one, _Line)]
        verdicts = iter(scorer.score(posts))
        yield [
            {"error": one} if isinstance(one, str) else _answer(one, next(verdicts))
            for one in parsed
        ]


def _answer(line: _Line, verdict: Verdict) -> dict[str, Any]:
    answer = {
        "id": line.id,
        "language": verdict.language,
        "negative": round(verdict.negative, 6),
        "neutral": round(verdict.neutral, 6),
        "positive": round(verdict.positive, 6),
        "label": verdict.label or None,
        "crisis_types": [[slug, round(value, 4)] for slug, value in verdict.crisis_types],
    }
    if verdict.second_language:
        answer["second_language"] = verdict.second_language
    return answer


def _repaired(line: bytes) -> _Line | None:
    """A line with broken surrogates or bytes, as every source would read it; None where it is no line at all."""
    from sentinel.sources.canonical import parse_json  # noqa: PLC0415 - the rare path loads the sources

    try:
        found = msgspec.convert(parse_json(line), _Line)
        msgspec.json.encode(found.id)  # it is repeated in the answer
    except (msgspec.MsgspecError, UnicodeError):
        return None
    return found
