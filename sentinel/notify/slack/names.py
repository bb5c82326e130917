"""What ties a click to its incident: action ids, and block ids that carry what the message showed.

What lives here: constants and a codec. A block id is new with every revision (else clients keep stale checkbox states),
names the incident, and for a group of checkboxes says which options were ticked when it was drawn: that, not the
message's present state, is what a click must be compared with.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

MAX_ID = 255
_INCIDENT_ROOM = 180


class ActionId(StrEnum):
    """``action_id`` of everything that can be pressed. Constant: old messages keep working after an upgrade."""

    TAKE = "take"
    FALSE_ALARM = "false_alarm"
    SNOOZE = "snooze"
    UNSNOOZE = "unsnooze"
    ESCALATE = "escalate"
    RESOLVE = "resolve"
    CHANGE_PLAYBOOK = "change_playbook"
    STEPS = "steps"
    STATEMENT = "statement"
    JUDGE = "judge"
    WORD = "word"


class StepsBlock(msgspec.Struct, frozen=True):
    """What the block id of a group of checkboxes says.

    Attributes:
        ticked: Bit i is set if option i was ticked when the message was drawn.
        group: Phase and place of the group, such as ``60.1``: constant over revisions.
    """

    incident_id: str
    revision: int
    group: str
    ticked: int


def block_id(part: str, incident_id: str, revision: int) -> str:
    """Id of an ordinary block."""
    return f"{part}:{revision}:{_fit(incident_id)}"


def steps_block_id(block: StepsBlock) -> str:
    """Id of a group of checkboxes.

    >>> steps_block_id(StepsBlock("aurora-1", 3, "60.1", 0b101))
    'steps:5:60.1:3:aurora-1'
    """
    return f"steps:{block.ticked:x}:{block.group}:{block.revision}:{_fit(block.incident_id)}"


def read_steps_block_id(value: str) -> StepsBlock | None:
    """The group that a block id names; None if it is none of ours."""
    parts = value.split(":", 4)
    if len(parts) != 5 or parts[0] != "steps":
        return None
    try:
        return StepsBlock(parts[4], int(parts[3]), parts[2], int(parts[1], 16))
    except ValueError:
        return None


def incident_of(value: str) -> str:
    """The incident that a block id names; empty if it names none."""
    steps = read_steps_block_id(value)
    if steps is not None:
        return steps.incident_id
    parts = value.split(":", 2)
    return parts[2] if len(parts) == 3 else ""


def _fit(incident_id: str) -> str:
    """The incident's id, or nothing where it is too long: then the buttons' values name it."""
    return incident_id if len(incident_id) <= _INCIDENT_ROOM else ""
