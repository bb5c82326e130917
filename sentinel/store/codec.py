"""Values to blobs and back, and the cleaning of what a database cannot hold.

What lives here: pure functions. What does not: SQL.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection
from typing import Any, TypeVar

import msgspec

from sentinel.model import (
    Author,
    Effect,
    Engagement,
    Incident,
    Match,
    Mention,
    Quote,
    Sighting,
    Verdict,
)

LARGEST_INTEGER = 2**63 - 1

encode = msgspec.msgpack.Encoder().encode
decode_effect = msgspec.msgpack.Decoder(Effect).decode
decode_incident = msgspec.msgpack.Decoder(Incident).decode
decode_ref = msgspec.msgpack.Decoder(dict[str, str]).decode


class _Rest(msgspec.Struct, frozen=True, array_like=True):
    """What of a sighting has no column. New fields go to the end, with a default."""

    language: str
    author: Author
    url: str
    reply_to: str
    repost_of: str
    engagement: Engagement
    brand: str
    mentions_of: tuple[str, ...]
    matches: tuple[Match, ...]
    verdict: Verdict


_decode_rest = msgspec.msgpack.Decoder(_Rest).decode


def text_digest(text: str) -> str:
    """Short fingerprint of a text, to notice that a known post was edited.

    Example:
        >>> text_digest("ciao") == text_digest("ciao "), len(text_digest(""))
        (False, 16)
    """
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def clean(text: str) -> str:
    """Replace lone surrogates, which no database can store, by question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-LARGEST_INTEGER, min(LARGEST_INTEGER, value))
    if isinstance(value, float) and math.isnan(value):
        return 0.0
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def mention_row(sighting: Sighting, *, seq: int, counted: bool) -> dict[str, Any]:
    """The archive's row of a sighting. Hostile values (lone surrogates, huge integers, NaN) are made storable."""
    m = sighting.mention
    try:
        rest = encode(_rest(sighting))
        for part in (m.text, m.id, m.source, m.channel, m.author.id):
            if not part.isascii():
                part.encode()
        storable = m.published_at == m.published_at and m.received_at == m.received_at  # not NaN
    except (UnicodeEncodeError, OverflowError):
        storable = False
    if not storable:
        sighting = msgspec.convert(_clean(msgspec.to_builtins(sighting)), Sighting)
        m, rest = sighting.mention, encode(_rest(sighting))
    return {
        "source": m.source,
        "id": m.id,
        "channel": m.channel,
        "published_at": m.published_at,
        "received_at": m.received_at,
        "author_id": m.author.id,
        "text": m.text,
        "seq": seq,
        "counted": counted,
        "retracted": False,
        "rest": rest,
    }


def _rest(sighting: Sighting) -> _Rest:
    m = sighting.mention
    return _Rest(
        m.language,
        m.author,
        m.url,
        m.reply_to,
        m.repost_of,
        m.engagement,
        m.brand,
        m.mentions_of,
        sighting.matches,
        sighting.verdict,
    )


def sighting_of(row: Any) -> Sighting:
    """A sighting from a row of the archive."""
    rest = _decode_rest(row.rest)
    return Sighting(
        Mention(
            id=row.id,
            source=row.source,
            channel=row.channel,
            published_at=row.published_at,
            received_at=row.received_at,
            text=row.text,
            language=rest.language,
            author=rest.author,
            url=rest.url,
            reply_to=rest.reply_to,
            repost_of=rest.repost_of,
            engagement=rest.engagement,
            brand=rest.brand,
            mentions_of=rest.mentions_of,
        ),
        rest.matches,
        rest.verdict,
    )


def forgotten_rest(rest: bytes) -> bytes:
    """The same blob without author, address, handles and words; what is counted stays."""
    kept = _decode_rest(rest)
    return encode(
        msgspec.structs.replace(
            kept,
            author=Author(),
            url="",
            mentions_of=(),
            verdict=msgspec.structs.replace(kept.verdict, terms=()),
        )
    )


def author_names(rest: bytes) -> frozenset[str]:
    """Every name under which the author of an archived row may stand in an incident."""
    author = _decode_rest(rest).author
    return frozenset(name for name in (author.id, author.handle, author.name) if name)


def forget_in_incident(
    incident: Incident, gone: Collection[tuple[str, str]], authors: Collection[str] = ()
) -> Incident:
    """The incident without the text, author and address of the quoted posts in ``gone``.

    Args:
        incident: As stored or as about to be stored.
        gone: Retracted (source, id) pairs.
        authors: Names of authors all of whose posts were retracted.
    """

    def blank(quote: Quote) -> Quote:
        if (quote.source, quote.mention_id) not in gone:
            return quote
        return msgspec.structs.replace(quote, text="", author="", followers=None, url="")

    spread = incident.spread
    if spread.top_author in authors:
        spread = msgspec.structs.replace(spread, top_author="")
    less = msgspec.structs.replace(
        incident,
        first_post=blank(incident.first_post) if incident.first_post else None,
        quotes=tuple(blank(quote) for quote in incident.quotes),
        kinds=tuple(
            msgspec.structs.replace(kind, example=blank(kind.example)) if kind.example else kind
            for kind in incident.kinds
        ),
        path=tuple(
            msgspec.structs.replace(one, author="", answers="", repeats="", link="")
            if (one.source, one.mention_id) in gone
            else one
            for one in incident.path
        ),
        spread=spread,
    )
    return incident if less == incident else less


def forget_in_effect(
    effect: Effect, gone: Collection[tuple[str, str]], authors: Collection[str] = ()
) -> Effect:
    """As ``forget_in_incident``, for the incident that an effect carries."""
    if effect.incident is None:
        return effect
    return msgspec.structs.replace(
        effect, incident=forget_in_incident(effect.incident, gone, authors)
    )


def quoted(incident: Incident) -> set[tuple[str, str]]:
    """(source, id) of every post that the incident shows, or whose author it names."""
    examples = (kind.example for kind in incident.kinds)
    shown = (*incident.quotes, incident.first_post, *examples)
    named = {(one.source, one.mention_id) for one in incident.path}
    return named | {(quote.source, quote.mention_id) for quote in shown if quote is not None}


_Told = TypeVar("_Told", Incident, Effect)


def encode_safely(value: _Told) -> bytes:
    """Pack an incident or effect; what it quotes may hold lone surrogates, which become question marks."""
    try:
        return encode(value)
    except (UnicodeEncodeError, OverflowError):
        return encode(msgspec.convert(_clean(msgspec.to_builtins(value)), type(value)))
