"""What people say a post is: the labels that corrections leave behind.

What lives here: the value, and counts of it. What does not: keeping labels (the store), learning from them (``corrections``), estimating
the share of a group with them (``quantify``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

CLASSES: Final = ("negative", "neutral", "positive")
"""The sentiment classes, in the order of every triple of probabilities."""

UNRELATED: Final = "unrelated"
"""``Label.corrected`` of a post that is not about the brand at all: no label of sentiment."""

WORDS: Final = (*CLASSES, UNRELATED)
"""What a person can call a post."""

Probabilities = tuple[float, float, float]


class Word(msgspec.Struct, frozen=True):
    """What a person says of a mention.

    Attributes:
        id: Idempotency key: the same word sent twice counts once.
        source, mention_id: The mention's identity.
        corrected: One of `WORDS`.
        by: Name of the person.
        drawn: As in `Label`.
        via: As in `Label`.
    """

    id: str
    brand: str
    source: str
    mention_id: str
    corrected: str
    by: str
    via: str
    drawn: bool = False


class Label(msgspec.Struct, frozen=True):
    """One person's word on one mention for one brand. Holds no text.

    Attributes:
        mention_id: With ``source``, the mention's identity.
        language: ISO 639-1 of the mention's verdict; ``und`` where it was not known.
        probabilities: Of `CLASSES`, as Sentinel served them for this mention: what its counts were made of.
        corrected: What the person says: one of `CLASSES` (also the one that was served: a confirmation), or `UNRELATED`.
        by: Name of who said it.
        at: Epoch seconds.
        id: Unique: the same one twice counts once.
        source: The mention's source.
        base: Probabilities of the scorer alone, before anything that was learnt here; equal to ``probabilities`` where nothing was.
        model_id: The scorer behind ``base``.
        drawn: Sentinel drew the post at random and asked. Other labels were given where somebody saw a reason to, mostly an
            error, so that errors are over-represented among them.
        via: ``slack``, ``page``, ``api`` or ``cli``.
    """

    mention_id: str
    brand: str
    language: str
    probabilities: Probabilities
    corrected: str
    by: str
    at: float
    id: str = ""
    source: str = ""
    base: Probabilities = (0.0, 0.0, 0.0)
    model_id: str = ""
    drawn: bool = False
    via: str = ""

    @property
    def predicted(self) -> str:
        """The class that Sentinel served."""
        return CLASSES[max(range(3), key=self.probabilities.__getitem__)]

    @property
    def confirms(self) -> bool:
        """Whether the person agreed with Sentinel."""
        return self.corrected == self.predicted


def tally(labels: Iterable[Label]) -> dict[tuple[str, str], Counter[tuple[str, str]]]:
    """For each (brand, language), how often what Sentinel served met what people said.

    Returns:
        (brand, language) to counts of (predicted, corrected); ``corrected`` may be `UNRELATED`.

    >>> said = Label("1", "aurora", "it", (0.2, 0.7, 0.1), "negative", "Anna", 0.0)
    >>> tally([said, said])
    {('aurora', 'it'): Counter({('neutral', 'negative'): 2})}
    """
    found: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
    for label in labels:
        counts = found.setdefault((label.brand, label.language), Counter())
        counts[label.predicted, label.corrected] += 1
    return found
