"""An incident's checklist: a playbook's steps with due times and ticks, and when it is over.

What lives here: pure functions from values to values. What does not: who may tick (the web and
Slack rooms), how a checklist looks (renderers), deciding that an incident is resolved
(``core/incidents``).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sentinel.core.flow import Counts
from sentinel.core.playbooks import Playbook, StandDown
from sentinel.model import Direction, StepState

MINUTE = 60.0


def open_checklist(playbook: Playbook, opened_at: float) -> tuple[StepState, ...]:
    """All steps of a playbook, open, due counted from ``opened_at`` (epoch seconds)."""
    return tuple(
        StepState(id=step.id, due_at=opened_at + step.due_minutes * MINUTE)
        for step in playbook.steps
    )


def tick(
    checklist: tuple[StepState, ...], step_id: str, actor: str, at: float
) -> tuple[StepState, ...]:
    """Mark a step as done. The first tick stays: a second person's changes nothing.

    An unknown step id changes nothing: the playbook may have been changed under a pressed button.
    """
    return tuple(
        msgspec.structs.replace(step, done_by=actor, done_at=at)
        if step.id == step_id and step.done_at is None
        else step
        for step in checklist
    )


def untick(checklist: tuple[StepState, ...], step_id: str) -> tuple[StepState, ...]:
    """Mark a step as open again."""
    return tuple(
        msgspec.structs.replace(step, done_by="", done_at=None) if step.id == step_id else step
        for step in checklist
    )


def change_playbook(
    checklist: tuple[StepState, ...], playbook: Playbook, opened_at: float
) -> tuple[StepState, ...]:
    """The checklist of another playbook; ticks of steps with the same id are kept.

    Due times still count from ``opened_at``: the public's clock does not start again because we
    chose the wrong plan first.
    """
    done = {step.id: step for step in checklist if step.done_at is not None}
    return tuple(
        msgspec.structs.replace(step, done_by=done[step.id].done_by, done_at=done[step.id].done_at)
        if step.id in done
        else step
        for step in open_checklist(playbook, opened_at)
    )


def unfinished(playbook: Playbook, checklist: Sequence[StepState]) -> tuple[str, ...]:
    """Ids of the steps that stand-down waits for: required and not ticked, in order."""
    done = {step.id for step in checklist if step.done_at is not None}
    return tuple(step.id for step in playbook.steps if not step.optional and step.id not in done)


def stand_down_met(
    rule: StandDown, counts: Counts, usual_share: float, direction: Direction
) -> bool:
    """Whether the numbers of a quiet time say "over".

    Args:
        rule: The playbook's criteria.
        counts: What was said in the last ``quiet_minutes``, and what was usual for them.
        usual_share: Usual share of negatives (0-1).
        direction: Of an opportunity only the volume is asked.

    Returns:
        True if there are fewer mentions than the rule's multiple of the usual, and the share of negatives is below its
        limit; both to less than one post, so that a brand with three mentions a day can meet them.
    """
    if counts.mentions >= rule.volume_ratio_below * counts.expected + 1:
        return False
    limit = usual_share + rule.negative_share_above_usual_below
    read = counts.mentions - counts.unread
    return direction is Direction.OPPORTUNITY or counts.negative < limit * read + 1
