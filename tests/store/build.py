"""Small values for the store's tests; brands are fictional."""

from __future__ import annotations

from typing import Any

import msgspec

from sentinel.model import (
    Action,
    Author,
    Command,
    Direction,
    Effect,
    EffectKind,
    Evidence,
    Incident,
    Match,
    Mention,
    Phase,
    PlaybookMatch,
    Quote,
    Severity,
    Sighting,
    Spread,
    Verdict,
)
from sentinel.store.unit import EntryKind, JournalEntry, OutboxEntry, Snapshot, Unit

START = 1_700_000_000.0


def sighting(number: int = 1, text: str = "una parola", **changes: Any) -> Sighting:
    brands = changes.pop("brands", ("aurora",))
    author = changes.pop("author", "anna")
    mention = Mention(
        id=changes.pop("id", f"post-{number}"),
        source=changes.pop("source", "bluesky"),
        channel="bluesky",
        published_at=changes.pop("published_at", START + number),
        received_at=START + number + 1,
        text=text,
        author=Author(id=author, handle=f"@{author}", name=author.title(), followers=7),
        url=f"https://posts.example/{number}",
        mentions_of=("@aurora",),
    )
    return Sighting(
        msgspec.structs.replace(mention, **changes),
        tuple(Match(brand, "pastificio aurora") for brand in brands),
        Verdict("it", 0.75, 0.25, 0.0, "negative", (("boycott", 0.5),), ("parola",)),
    )


def quote(of: Sighting) -> Quote:
    m = of.mention
    return Quote(m.source, m.id, m.text, m.channel, m.published_at, m.author.handle, 7, m.url, "it")


def incident(
    name: str = "inc-1", revision: int = 1, quotes: tuple[Quote, ...] = (), **changes: Any
) -> Incident:
    values: dict[str, Any] = {
        "brand": "aurora",
        "brand_name": "Pastificio Aurora",
        "direction": Direction.THREAT,
        "severity": Severity.HIGH,
        "phase": Phase.ONSET,
        "onset_at": START,
        "opened_at": START + 60,
        "detected_at": START + 60,
        "updated_at": START + 60 * revision,
        "evidence": Evidence(
            START + 60, 900, 412, 38.0, 0.71, 0.22, 0.05, 0.2, 14.0, 9.0, chance_days=90.0
        ),
        "playbook": PlaybookMatch("boycott", 0.8),
        "first_post": quotes[0] if quotes else None,
        "quotes": quotes,
        "spread": Spread(authors=3, top_author="@anna", top_author_spread=9),
    }
    return Incident(id=name, revision=revision, **(values | changes))


def effect(
    kind: EffectKind = EffectKind.OPENED, of: Incident | None = None, *, page: bool = False
) -> Effect:
    of = of or incident()
    return Effect(
        id=f"{of.id}:{of.revision}:{kind.value}",
        kind=kind,
        at=of.updated_at,
        brand=of.brand,
        incident=of,
        page=page,
    )


def entry(
    of: Effect, notifier: str = "slack", lane: str | None = None, at: float = START
) -> OutboxEntry:
    if lane is None:
        lane = of.incident.id if of.incident else "ops"
    return OutboxEntry(f"{of.id}@{notifier}", notifier, lane, of, created_at=at, not_before=at)


def command(name: str = "c-1", incident_id: str = "inc-1") -> Command:
    return Command(name, START, Action.TAKE, incident_id, "U1", "Duty officer")


def command_entry(seq: int, of: Command) -> JournalEntry:
    return JournalEntry(seq, START + seq, EntryKind.COMMAND, msgspec.msgpack.encode(of))


def fed(seq: int, *sightings: Sighting, **more: Any) -> Unit:
    entries = (JournalEntry(seq, START + seq, EntryKind.MENTIONS),)
    return Unit(journal=entries, sightings=sightings, **more)


def snapshot(brand: str = "aurora", seq: int = 1, blob: bytes = b"state") -> Snapshot:
    return Snapshot(brand, seq, START + seq, blob)


def told(seq: int = 1, *, texts: tuple[str, ...] = ("una parola segreta",)) -> Unit:
    """A whole unit: mentions, an incident that quotes them, its effect and a notice."""
    seen = tuple(sighting(100 * seq + at, text) for at, text in enumerate(texts))
    view = incident(quotes=tuple(quote(one) for one in seen))
    return fed(
        seq,
        *seen,
        positions={"bluesky": f"cursor-{seq}"},
        incidents=(view,),
        effects=(effect(of=view, page=True),),
        outbox=(entry(effect(of=view, page=True)),),
        snapshots=(snapshot(seq=seq),),
    )
