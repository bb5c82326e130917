"""The contract of notifiers: how a committed effect reaches people.

A notifier gets each effect at least once and must make it look once: it gets an idempotency key, and may keep
references (a message's id) per incident through ``Refs``. It owns no retry: it raises ``NotifyError`` and the outbox
decides when to try again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from sentinel.core.oncall import Call
from sentinel.core.playbooks import Playbook, Role
from sentinel.language.labels import Label, Word
from sentinel.model import Brand, Effect, Incident


class Notice(msgspec.Struct, frozen=True):
    """One effect for one notifier.

    Attributes:
        key: Idempotency key, the same at every attempt.
        attempt: 1 for the first.
        ambiguous: An earlier attempt may have got through (time-out, reset): look before posting again.
    """

    key: str
    effect: Effect
    attempt: int = 1
    ambiguous: bool = False


class Refs(Protocol):
    """Durable small notes of a notifier about an incident, such as a Slack channel and timestamp."""

    async def get(self, notifier: str, incident_id: str) -> dict[str, str]:
        """What was put, or an empty dict."""
        ...

    async def put(self, notifier: str, incident_id: str, ref: dict[str, str]) -> None:
        """Replace the note; durable when it returns."""
        ...


class NotifyContext(Protocol):
    """What a notifier may ask about the configuration: brands, playbooks and who is on call.

    Pure look-ups, safe to call at every delivery; configuration may be reloaded behind them.
    """

    @property
    def base_url(self) -> str:
        """Address of Sentinel's own pages for links, without a trailing slash; empty if there is none."""
        ...

    @property
    def default_language(self) -> str:
        """``it`` or ``en``: for messages that concern no brand."""
        ...

    @property
    def default_timezone(self) -> str:
        """IANA name: for messages that concern no brand."""
        ...

    def brand(self, brand_id: str) -> Brand | None:
        """The configured brand; None once it has been taken out of the configuration."""
        ...

    def playbook(self, playbook_id: str) -> Playbook | None:
        """The playbook of that id; None where there is none."""
        ...

    def playbooks(self) -> tuple[Playbook, ...]:
        """All playbooks, in a stable order: for "Change playbook"."""
        ...

    def person(self, role: Role, brand_id: str, at: float) -> str:
        """Display name of who has that role for the brand at that time (epoch seconds); empty if nobody."""
        ...

    def call(self, brand_id: str, level: int, at: float) -> Call:
        """Who is called for the brand at that level of the escalation, at that time (epoch seconds)."""
        ...


class Judging(Protocol):
    """Taking in what people say that posts are; every method raises ``StoreError`` where the store does not answer."""

    async def incident(self, incident_id: str) -> Incident | None:
        """The newest view of an incident."""
        ...

    async def judge(self, word: Word) -> Label | None:
        """Keep a person's word, durable when it returns; None where there is no such mention of that brand any more.

        Raises:
            ValueError: It is none of the words that a post can be called.
        """
        ...

    async def withdraw(self, label_id: str, by: str) -> bool:
        """Take a word back; False if there is none of that id, or it was taken back before."""
        ...

    async def labels_on(
        self, brand: str, mentions: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Label]:
        """The words in force on these (source, id)."""
        ...


class Notifier(Protocol):
    """One configured way to people."""

    name: str
    """From the configuration; a metric label."""

    def wants(self, effect: Effect) -> bool:
        """Whether this effect goes through this notifier at all."""
        ...

    def lane(self, effect: Effect) -> str:
        """Notices of one lane are delivered one after another, in order."""
        ...

    async def deliver(self, notice: Notice) -> None:
        """Bring it to people.

        Raises:
            NotifyError: It did not get through, permanently or for now.
        """
        ...
