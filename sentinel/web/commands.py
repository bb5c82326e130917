"""From what a person sent, a form or JSON, to a ``Command`` that the core may be given.

What lives here: the checks that need the incident and the playbooks. What does not: HTTP, and what a command does
(``core``).
"""

from __future__ import annotations

import secrets

import msgspec

from sentinel.model import Action, Command, Incident
from sentinel.notify.safe_text import clean
from sentinel.web.backend import Backend

MIN_SNOOZE_SECONDS, MAX_SNOOZE_SECONDS = 300, 7 * 86_400
ID_CHARACTERS = 100


class CommandError(ValueError):
    """The command cannot be given as it is; the message is for the person who sent it."""


class CommandRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for.

    Attributes:
        id: Idempotency key: the same id counts once. Empty for a new one.
        actor: Name of who acts; empty for the session's.
        value: Seconds to snooze, playbook id or step id, as ``model.Command`` has it.
    """

    action: Action
    value: str = ""
    id: str = ""
    actor: str = ""


def make_command(
    asked: CommandRequest, incident: Incident, backend: Backend, *, actor: str, via: str
) -> Command:
    """A command for the core.

    Args:
        asked: What the person sent.
        incident: The one it is about.
        backend: Knows the playbooks and the time.
        actor: Name to use where the request gives none.
        via: ``page`` or ``api``.

    Raises:
        CommandError: The value does not fit the action, or the incident.
    """
    _check_value(asked, incident, backend)
    if len(asked.id) > ID_CHARACTERS or not asked.id.isprintable():
        raise CommandError(f"id: at most {ID_CHARACTERS} printable characters")
    name = clean(asked.actor, 60) or actor or via
    return Command(
        id=f"{via}:{asked.id or secrets.token_urlsafe(12)}",
        at=backend.clock.now(),
        action=asked.action,
        incident_id=incident.id,
        actor_id=f"{via}:{name.casefold()}",
        actor_name=name,
        via=via,
        value=asked.value,
    )


def _check_value(asked: CommandRequest, incident: Incident, backend: Backend) -> None:
    match asked.action:
        case Action.SNOOZE:
            if not (asked.value.isascii() and asked.value.isdigit()) or not (
                MIN_SNOOZE_SECONDS <= int(asked.value[:12]) <= MAX_SNOOZE_SECONDS
            ):
                raise CommandError(
                    f"value: seconds to snooze, from {MIN_SNOOZE_SECONDS} to {MAX_SNOOZE_SECONDS}"
                )
        case Action.CHANGE_PLAYBOOK:
            if backend.playbook(asked.value) is None:
                raise CommandError("value: no playbook of that id")
        case Action.TICK | Action.UNTICK:
            if all(step.id != asked.value for step in incident.checklist):
                raise CommandError("value: no step of that id in the checklist")
        case _:
            if asked.value:
                raise CommandError(f"value: {asked.action.value} takes none")
