"""Reads Italian and English: language, sentiment, kind of crisis, words worth counting.

What lives here: pure, CPU-bound functions from text to `Verdict`. What does not: asyncio, files
other than the shipped model, networks, logging, counting over time (the core does that).

`load_scorer` gives a `Scorer`. It is thread-safe, and a post's verdict does not depend on the other
posts of its batch::

    scorer = load_scorer(("it", "en"))
    verdicts = scorer.score([Post("Che vergogna, mai più!"), Post("Thanks, solved in no time")])
"""

from __future__ import annotations

from sentinel.language.base import Post, Scorer, load_scorer

__all__ = ["Post", "Scorer", "load_scorer"]
