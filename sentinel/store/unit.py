"""What is committed in one transaction, and the rows that come back.

What lives here: plain values. SQL is in the sibling files.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sentinel.language.labels import Label
from sentinel.model import Effect, Incident, Retraction, Sighting


class EntryKind(StrEnum):
    """Kinds of input of the core, in the one order of the journal."""

    MENTIONS = "mentions"
    ADVANCE = "advance"
    SOURCE = "source"
    COMMAND = "command"
    RETRACTION = "retraction"


class JournalEntry(msgspec.Struct, frozen=True):
    """One input of the core.

    Attributes:
        seq: Place in the order; assigned by the app, strictly increasing, without holes.
        at: The core's clock at that input, epoch seconds.
        payload: msgpack of the command or source status; empty for MENTIONS (their rows are the archive's) and ADVANCE.
    """

    seq: int
    at: float
    kind: EntryKind
    payload: bytes = b""


class OutboxState(StrEnum):
    """Life of a notice."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    SUPERSEDED = "superseded"  # never tried: a newer notice carries the same or a newer view


class OutboxEntry(msgspec.Struct, frozen=True):
    """One effect to be delivered by one notifier.

    Attributes:
        id: Idempotency key: ``<effect id>@<notifier>``.
        lane: Notices of one lane are delivered in order (a Slack channel and incident).
        created_at: Epoch seconds of the delivery clock (the machine's), also when events are replayed.
        not_before: Epoch seconds of the next attempt, delivery clock.
        ambiguous: An earlier attempt may have got through.
    """

    id: str
    notifier: str
    lane: str
    effect: Effect
    created_at: float
    not_before: float
    attempts: int = 0
    state: OutboxState = OutboxState.PENDING
    last_error: str = ""
    ambiguous: bool = False


class Snapshot(msgspec.Struct, frozen=True):
    """State of one brand after the input ``seq``; a cache of the journal."""

    brand: str
    seq: int
    at: float
    blob: bytes


class Unit(msgspec.Struct, frozen=True):
    """One transaction. Committing it twice has the effect of committing it once.

    Attributes:
        sightings: New mentions of the MENTIONS journal entry, in the order they were fed.
        late: Mentions archived but not counted (their minute was closed).
        edits: Known mentions whose text changed at the source: the archive keeps the old text as a revision.
        positions: Source name to resume point.
        incidents: Newest view of each incident that changed.
    """

    journal: tuple[JournalEntry, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    late: tuple[Sighting, ...] = ()
    edits: tuple[Sighting, ...] = ()
    retractions: tuple[Retraction, ...] = ()
    positions: dict[str, str] = {}
    effects: tuple[Effect, ...] = ()
    incidents: tuple[Incident, ...] = ()
    outbox: tuple[OutboxEntry, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()


class JournalRow(msgspec.Struct, frozen=True):
    """A journal entry read back for replay, with the sightings of a MENTIONS entry from the archive."""

    entry: JournalEntry
    sightings: tuple[Sighting, ...] = ()


class LabelRow(msgspec.Struct, frozen=True):
    """A label as it is kept.

    Attributes:
        withdrawn_by: Who took it back; empty while it stands.
        withdrawn_at: Epoch seconds; None while it stands.
    """

    label: Label
    withdrawn_by: str = ""
    withdrawn_at: float | None = None
