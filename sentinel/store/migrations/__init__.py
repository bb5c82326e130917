"""How a database of any older Sentinel becomes one of this Sentinel.

What lives here: running Alembic from the program. There is no ``alembic.ini`` and no ``env.py``: nothing is configured outside
the wheel, and Alembic never touches logging. One file a step under ``versions/``; a released step is never changed.
"""

from __future__ import annotations

from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from sentinel.errors import StoreVersionError


def script_directory() -> ScriptDirectory:
    """Alembic's view of the steps in this folder."""
    return ScriptDirectory(str(Path(__file__).parent))


def migrate(connection: Connection, place: str) -> None:
    """Bring the database to the newest step, inside the caller's transaction.

    Args:
        connection: A connection with a transaction begun; nothing is kept unless the caller commits.
        place: The database's name for messages.

    Raises:
        StoreVersionError: A newer Sentinel wrote the database.
    """
    script = script_directory()

    def steps(revision: str | tuple[str, ...], _: MigrationContext) -> list[RevisionStep]:
        current = revision if isinstance(revision, str) or not revision else revision[0]
        # What alembic.command.upgrade itself calls; there is no public name for it.
        return script._upgrade_revs("head", current or None)  # type: ignore[arg-type]  # noqa: SLF001 - see above

    context = MigrationContext.configure(connection, opts={"fn": steps})
    current = context.get_current_revision()
    try:
        script.get_revision(current or "base")
    except CommandError:
        raise StoreVersionError(
            f"{place}: written by a newer Sentinel (schema {current}); "
            "this one cannot read it. Install the newer version again, or restore a backup."
        ) from None
    with Operations.context(context):
        context.run_migrations()
