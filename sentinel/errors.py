"""The one exception tree. What lives here: error classes only; where they are handled is each room's affair.

::

    SentinelError
    ├── ConfigError        a setting is wrong; names file and key        (exit code 2)
    ├── PlaybookError      a playbook is wrong; names file and key       (exit code 2)
    ├── LanguageError      a model file cannot be used
    ├── SourceError        a source cannot go on now; may say when to try again
    ├── NotifyError        a notifier could not deliver; permanent or not
    ├── StoreError         the store cannot be read or written
    │   └── StoreVersionError   the database was written by a newer Sentinel
    └── SnapshotError      a snapshot cannot be restored (version, corruption)

Bad upstream data is never an exception out of the core: it is a ``Dropped`` with a reason.
"""

from __future__ import annotations

from pathlib import Path


class SentinelError(Exception):
    """Base of every error that Sentinel raises on purpose."""


class ConfigError(SentinelError):
    """A setting is missing, unknown or wrong.

    Attributes:
        path: The file, where one is known.
        key: The dotted path of the key, such as ``brands[1].terms``.
    """

    def __init__(self, message: str, *, path: Path | str | None = None, key: str = "") -> None:
        self.path, self.key = path, key
        place = ": ".join(str(part) for part in (path, key) if part)
        super().__init__(f"{place}: {message}" if place else message)


class PlaybookError(ConfigError):
    """A playbook file is wrong; the message names the file and the key."""


class LanguageError(SentinelError):
    """A language model file is missing, damaged or of another version."""


class SourceError(SentinelError):
    """A source cannot go on.

    Attributes:
        reason: A short closed word for the metric label, such as ``disconnected``.
        retry_after: Seconds after which the source should be tried again, if it said so.
    """

    def __init__(
        self, message: str, *, reason: str = "error", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.reason, self.retry_after = reason, retry_after


class NotifyError(SentinelError):
    """A notifier could not deliver.

    Attributes:
        reason: A short closed word for the metric label, such as ``rate_limited``.
        permanent: Trying again cannot help.
        retry_after: Seconds after which to try again, if the other side said so.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        permanent: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason, self.permanent, self.retry_after = reason, permanent, retry_after


class StoreError(SentinelError):
    """The store cannot be opened, read or written (unwritable, full, damaged)."""


class StoreVersionError(StoreError):
    """The database was written by a newer Sentinel than this one."""


class SnapshotError(SentinelError):
    """A snapshot cannot be restored: unknown version or damaged bytes."""
