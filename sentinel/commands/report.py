"""``sentinel report``: the after-action review of an incident, from the store alone, which is only read."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from sentinel.core.oncall import Call
from sentinel.errors import StoreError
from sentinel.i18n import check_language
from sentinel.model import Effect
from sentinel.playbook_files import load_playbooks
from sentinel.store import Store


def report(incident_id: str, config_path: Path, database: str = "", language: str = "") -> int:
    """Print the review of ``incident_id`` as Markdown.

    Args:
        incident_id: As in the alert and its link.
        config_path: Says where the database is, and whose language and clock to use. No secret of it is needed.
        database: A database file in place of the configured one.
        language: ``it`` or ``en`` in place of the brand's.

    Raises:
        ConfigError: The configuration is wrong, or the language is none of ours.
        StoreError: The database cannot be read, or does not know the incident.
    """
    from sentinel.config import outline_of  # noqa: PLC0415 - knows every vendor's settings: slow
    from sentinel.notify.review import Source, review  # noqa: PLC0415 - Babel: slow

    check_language(language)
    outline = outline_of(config_path, needed=not database)
    timeline = asyncio.run(_timeline(database or outline.database, incident_id))
    brand_id = next(one.incident.brand for one in timeline if one.incident is not None)
    brand = next((one for one in outline.brands if one.id == brand_id), None)
    book = load_playbooks(outline.playbooks)

    def call(level: int, at: float) -> Call:
        return outline.rota.call(brand_id, level, at)

    said = review(
        Source(timeline, book.get, call),
        language=language or outline.language_of(brand_id),
        timezone=brand.timezone if brand else outline.rota.timezone,
    )
    sys.stdout.write(said)
    return 0


async def _timeline(database: str, incident_id: str) -> Sequence[Effect]:
    store = await Store.look(database)
    try:
        timeline = await store.timeline(incident_id)
    finally:
        await store.close()
    if not any(one.incident is not None for one in timeline):
        raise StoreError(f"no incident {incident_id!r} in {database}")
    return timeline
