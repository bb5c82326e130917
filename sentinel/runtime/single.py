"""One process a database: two would write two journals into one.

What lives here: an advisory lock on a file beside the database. It goes with the process, however that ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sentinel.errors import StoreError


@contextmanager
def only_one(database: str) -> Iterator[None]:
    """Hold the lock while the context lasts. A database URL is its server's affair, and so are systems without ``flock``.

    Raises:
        StoreError: Another process holds it, or the folder cannot be written.
    """
    if "://" in database or sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415 - not on Windows

    path = f"{database}.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"{database}: another Sentinel is running on this database") from None
        yield
    finally:
        os.close(handle)
