"""What every detector takes, gives and promises; no statistics live here.

The contract, which ``tests/detectors/test_conformance.py`` checks for every entry of
``detectors.DETECTORS``:

* ``step(bucket)`` scores one closed bucket and then learns from it; buckets come in order.
* ``score_one(bucket)`` says what ``step`` would say and changes nothing; ``learn_one(bucket)``
  learns as ``step`` does. So ``score_one`` followed by ``learn_one`` equals ``step``.
* The score is a finite float in nats (larger means more unusual) and comes with the detector's
  own threshold on that scale. ``ready`` is False while the detector is still learning.
* ``Bucket(missing=True)`` means that the source was down: not zero, but unknown. Statistics are
  held, nothing is learnt, the score does not move.
* Counts that are NaN, infinite, negative or inconsistent raise ``ValueError`` and change nothing.
* Memory is O(1): it does not grow with the number of buckets or the size of counts.
* ``snapshot()`` gives a dict of msgpack-able primitives with a ``version``; ``restore`` gives a
  detector whose scores are identical for ever after. An unknown version raises
  ``SnapshotVersionError``.
* Everything is deterministic: no clock, no random numbers, no I/O.
"""

from __future__ import annotations

import copy
import math
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable


class SnapshotVersionError(ValueError):
    """A snapshot was written by a version of a detector that this code does not know."""


class Bucket(NamedTuple):
    """The counts of one closed interval of one stream.

    Attributes:
        start: Epoch seconds (UTC) at which the interval began.
        mentions: Number of mentions in it.
        negative: How many of them are negative; a sum of probabilities is fine.
        positive: How many of them are positive; a sum of probabilities is fine.
        missing: The source was down, so the counts say nothing.
    """

    start: int
    mentions: int
    negative: float = 0.0
    positive: float = 0.0
    missing: bool = False


class Score(NamedTuple):
    """What a detector says about one bucket.

    Attributes:
        value: Evidence in nats; larger is more unusual.
        threshold: The detector's own alarm threshold on that scale, at this moment.
        ready: False while the detector has too little history to be trusted.
    """

    value: float
    threshold: float
    ready: bool

    @property
    def alarm(self) -> bool:
        """Whether the value reaches the threshold."""
        return self.value >= self.threshold


@runtime_checkable
class Detector(Protocol):
    """The contract in types; the words are at the top of this module."""

    def observe(self, bucket: Bucket) -> Score:
        """Score a bucket, then learn from it."""
        ...

    def score_one(self, bucket: Bucket) -> Score:
        """Score a bucket and change nothing."""
        ...

    def learn_one(self, bucket: Bucket) -> None:
        """Learn from a bucket."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """The whole state as primitives."""
        ...

    @classmethod
    def restore(cls, data: dict[str, Any]) -> Self:
        """A detector in the state of a snapshot."""
        ...


class PureScoring:
    """Derives ``score_one`` and ``learn_one`` from ``observe`` by working on a copy.

    Scoring without learning is for people who ask "what if", not for the hot path, so a copy of
    the small state is simpler than a second code path that could drift from the first.
    """

    __slots__ = ()

    def observe(self, bucket: Bucket) -> Score:
        """Score a bucket, then learn from it."""
        raise NotImplementedError

    def score_one(self, bucket: Bucket) -> Score:
        """What ``observe`` would say; changes nothing."""
        return copy.deepcopy(self).observe(bucket)

    def learn_one(self, bucket: Bucket) -> None:
        """Learn from a bucket as ``observe`` does."""
        self.observe(bucket)


def check_counts(mentions: float, negative: float, positive: float, unread: float = 0) -> None:
    """Refuse counts that cannot be.

    Raises:
        ValueError: A count is NaN, infinite or negative, or negative and positive together
            exceed the mentions whose sentiment is known (by more than rounding).

    >>> check_counts(3, 1.5, 1.5)
    >>> check_counts(3, 2, 2)
    Traceback (most recent call last):
    ...
    ValueError: impossible counts: mentions=3 negative=2 positive=2
    """
    # Written so that a NaN fails every comparison and is refused.
    if not (
        negative >= 0
        and positive >= 0
        and unread >= 0
        and negative + positive <= (mentions - unread) * (1 + 1e-9) + 1e-6
        and mentions < math.inf
    ):
        known = f" unread={unread}" if unread else ""
        raise ValueError(
            f"impossible counts: mentions={mentions} negative={negative} positive={positive}{known}"
        )


def check_version(data: dict[str, Any], kind: str, version: int) -> None:
    """Refuse a snapshot of another kind or version.

    Raises:
        SnapshotVersionError: ``data`` is not a snapshot of this kind and version.

    >>> check_version({"kind": "share", "version": 1}, "share", 1)
    >>> check_version({"kind": "share", "version": 9}, "share", 1)
    Traceback (most recent call last):
    ...
    detectors.base.SnapshotVersionError: this code restores share version 1, not share version 9
    """
    found = (data.get("kind"), data.get("version"))
    if found != (kind, version):
        raise SnapshotVersionError(
            f"this code restores {kind} version {version}, not {found[0]} version {found[1]}"
        )
