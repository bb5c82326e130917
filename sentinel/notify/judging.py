"""The posts of an alert that people may judge, by a short name.

What lives here: which they are. What does not: the controls (``slack/judging``, the pages), keeping what is said (``sentinel.learning``).
"""

from __future__ import annotations

import hashlib

from sentinel.model import Incident, Quote


def post_key(quote: Quote) -> str:
    """A short name of a post: identities are long, hostile, and do not fit where controls keep their values."""
    identity = f"{quote.source}\0{quote.mention_id}".encode("utf-8", "replace")
    return hashlib.blake2b(identity, digest_size=8).hexdigest()


def posts(incident: Incident) -> dict[str, Quote]:
    """The posts that an alert shows and that still have a text, by their short names; the first post leads."""
    first = incident.first_post
    shown = (*([first] if first is not None else ()), *incident.quotes)
    return {post_key(quote): quote for quote in shown if quote.text}
