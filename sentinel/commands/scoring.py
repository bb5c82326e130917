"""Language scoring in several processes, for backtests of a million mentions.

What lives here: the pool and its order. What does not: scoring (``sentinel.language``). Batches come back in the order in
which they were given, whatever process was faster, so that a backtest gives the same alerts with one process or eight.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path

import msgspec

from sentinel.language import Post, Scorer, load_scorer
from sentinel.model import Verdict

SMALL = 20
"""Batches that one process scores before others are started: a small file is done by then."""
AHEAD = 4
"""Batches a process that may wait for it: bounds the memory."""

Texts = list[tuple[str, str | None]]
Settings = tuple[Sequence[str], str, Path | None]

_decode = msgspec.msgpack.Decoder(list[Verdict]).decode
_scorers: list[Scorer] = []


def scorer_of(settings: Settings) -> Scorer:
    """The scorer that worker processes use too: languages, kind, path of the model."""
    return load_scorer(*settings)


class ScoringPool(AbstractContextManager["ScoringPool"]):
    """Scores batches of posts in order; call it with an iterator of batches.

    Args:
        settings: Arguments of ``load_scorer``.
        processes: Worker processes; 0 for one a core.
        small: Batches that are scored here before any process is started.
    """

    def __init__(self, settings: Settings, processes: int = 0, small: int = SMALL) -> None:
        self._settings, self._small = settings, small
        self._processes = processes or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def __call__(self, batches: Iterator[list[Post]]) -> Iterator[list[Verdict]]:
        """One list of verdicts a batch, in order."""
        here = scorer_of(self._settings)
        first = list(islice(batches, 1))
        yield from map(here.score, chain(first, islice(batches, self._small - len(first))))
        following = next(batches, None)
        if following is None:
            return
        rest = chain([following], batches)
        if self._processes < 2:
            yield from map(here.score, rest)
            return
        yield from self._spread(rest)

    def _spread(self, batches: Iterator[list[Post]]) -> Iterator[list[Verdict]]:
        # Spawned, not forked: a progress bar's thread may hold a lock at the moment of a fork.
        self._pool = ProcessPoolExecutor(
            self._processes,
            mp_context=get_context("spawn"),
            initializer=_start,
            initargs=(self._settings,),
        )
        waiting: deque[Future[bytes]] = deque()
        for batch in batches:
            waiting.append(
                self._pool.submit(_score, [(one.text, one.language_hint) for one in batch])
            )
            while waiting and (len(waiting) >= AHEAD * self._processes or waiting[0].done()):
                yield _decode(waiting.popleft().result())
        while waiting:
            yield _decode(waiting.popleft().result())


def _start(settings: Settings) -> None:
    _scorers[:] = [scorer_of(settings)]


def _score(texts: Texts) -> bytes:
    return msgspec.msgpack.encode(_scorers[0].score([Post(*one) for one in texts]))
