"""The contract of a scorer and the one place that knows the scorers there are.

What does not live here: any scoring. Heavy modules are imported when a scorer is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from sentinel.errors import LanguageError
from sentinel.model import UNSCORED, Verdict

__all__ = ["KINDS", "UNKNOWN_LANGUAGE", "UNSCORED", "Post", "Scorer", "load_scorer"]

UNKNOWN_LANGUAGE = "und"
"""ISO 639-2 code of an undetermined language, as ``Verdict.language``."""


class Post(msgspec.Struct, frozen=True):
    """A text to be judged.

    Attributes:
        text: What was written; hostile input of any length.
        language_hint: ISO 639-1 code claimed by the sender or usual for the brand. It decides only
            where the text is too short to tell.
    """

    text: str
    language_hint: str | None = None


class Scorer(Protocol):
    """Judges posts.

    A scorer is pure (same post, same verdict, whatever else is in the batch), thread-safe, bound to
    the CPU, and answers in bounded time for any text; it never raises because of a post. Posts in a
    language that it cannot read, and those without anything to read (a link alone), come back with
    ``model_id`` `UNSCORED`, no label and a third for each class: that is the absence of a judgement,
    not a neutral one.
    """

    @property
    def model_id(self) -> str:
        """Name and version of the weights, as in ``Verdict.model_id``."""

    def score(self, posts: Sequence[Post]) -> list[Verdict]:
        """One verdict per post, in order."""


def _default(languages: Sequence[str], path: Path | None, _threads: int) -> Scorer:
    from sentinel.language.linear import LinearScorer  # noqa: PLC0415 - loads numpy and weights

    return LinearScorer.load(languages, path)


def _embedding(languages: Sequence[str], path: Path | None, threads: int) -> Scorer:
    from sentinel.language.embedding import EmbeddingScorer  # noqa: PLC0415 - an extra

    return EmbeddingScorer.load(languages, path, threads)


def _transformer(languages: Sequence[str], path: Path | None, threads: int) -> Scorer:
    from sentinel.language.transformer import TransformerScorer  # noqa: PLC0415 - an extra

    return TransformerScorer.load(languages, path, threads)


KINDS: dict[str, Callable[[Sequence[str], Path | None, int], Scorer]] = {
    "default": _default,
    "embedding": _embedding,
    "transformer": _transformer,
}
"""The scorers by the name they have in the configuration."""


def load_scorer(
    languages: Sequence[str] = ("it", "en"),
    kind: str = "default",
    path: Path | None = None,
    threads: int = 1,
) -> Scorer:
    """A scorer, ready for use; costs about a second, several with an encoder.

    Args:
        languages: ISO 639-1 codes of the languages to expect, the most usual first.
        kind: One of `KINDS`.
        path: A model of one's own (``sentinel language train``) in place of the shipped one; for the transformer its directory.
        threads: Processor threads of an encoder; the default scorer has none.

    Raises:
        LanguageError: Unknown kind, or a model file that is missing, damaged or of another version.
    """
    if kind not in KINDS:
        raise LanguageError(f"no scorer {kind!r}; there are: {', '.join(sorted(KINDS))}")
    return KINDS[kind](languages, path, threads)
