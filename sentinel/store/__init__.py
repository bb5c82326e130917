"""Durable state: archive, journal, snapshots, incidents, outbox.

What the rest of Sentinel uses is exported here; the other modules are the store's own affair.
"""

from __future__ import annotations

from sentinel.store.codec import text_digest
from sentinel.store.store import Store, StoreRefs

__all__ = ["Store", "StoreRefs", "text_digest"]
