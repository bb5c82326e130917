"""What people may do to an incident: take it, call it false, put it off, tick its steps.

What lives here: each action's effect on the incident. What follows for the brand (quiet, evidence forgotten) is decided in
``shard``.
"""

from __future__ import annotations

from collections.abc import Callable

from sentinel.core import checklist as steps
from sentinel.core.incidents import Case, set_checklist
from sentinel.core.playbooks import Playbook
from sentinel.model import Action, Caveat, Command, EffectKind, Phase, PlaybookMatch

ENDING = frozenset({EffectKind.FALSE_ALARM, EffectKind.RESOLVED})
"""Effects of people's actions after which the evidence so far is forgotten."""
SNOOZE_SECONDS = 3600.0
SNOOZE_LEAST, SNOOZE_MOST = 60.0, 86_400.0


def obey(case: Case, command: Command, playbooks: tuple[Playbook, ...]) -> EffectKind | None:
    """Do to an incident what a person said; None if that changes nothing."""
    if command.action is Action.CHANGE_PLAYBOOK:
        return _change_playbook(case, command, playbooks)
    return HANDLERS[command.action](case, command)


def _take(case: Case, command: Command) -> EffectKind | None:
    if case.acknowledged_by == command.actor_name:
        return None
    case.acknowledged_by, case.acknowledged_at = command.actor_name, command.at
    return EffectKind.ACKNOWLEDGED


def _false_alarm(case: Case, command: Command) -> EffectKind | None:
    if case.false_alarm_by:
        return None
    case.false_alarm_by = command.actor_name
    if case.open:
        case.phase, case.resolved_at = Phase.RESOLVED, command.at
    return EffectKind.FALSE_ALARM


def _snooze(case: Case, command: Command) -> EffectKind | None:
    seconds = float(command.value) if command.value.isdecimal() else SNOOZE_SECONDS
    if not case.open:
        return None
    case.snoozed_until = command.at + min(max(seconds, SNOOZE_LEAST), SNOOZE_MOST)
    return EffectKind.SNOOZED


def _unsnooze(case: Case, command: Command) -> EffectKind | None:  # noqa: ARG001 - one shape for all
    if case.snoozed_until is None:
        return None
    case.snoozed_until = None
    return EffectKind.UNSNOOZED


def _escalate(case: Case, command: Command) -> EffectKind | None:
    if not case.open:
        return None
    case.escalation_level, case.called_at = case.escalation_level + 1, command.at
    return EffectKind.HANDED_UP


def _tick(case: Case, command: Command) -> EffectKind | None:
    before = case.checklist
    case.checklist = steps.tick(before, command.value, command.actor_name, command.at)
    return EffectKind.CHECKLIST_CHANGED if case.checklist != before else None


def _untick(case: Case, command: Command) -> EffectKind | None:
    before = case.checklist
    case.checklist = steps.untick(before, command.value)
    return EffectKind.CHECKLIST_CHANGED if case.checklist != before else None


def _resolve(case: Case, command: Command) -> EffectKind | None:
    if not case.open:
        return None
    case.phase, case.resolved_at = Phase.RESOLVED, command.at
    return EffectKind.RESOLVED


def _change_playbook(
    case: Case, command: Command, playbooks: tuple[Playbook, ...]
) -> EffectKind | None:
    known = any(one.id == command.value for one in playbooks)
    if not known or case.playbook.playbook == command.value:
        return None
    case.playbook = PlaybookMatch(
        playbook=command.value,
        score=1.0,
        runner_up=case.playbook.playbook,
        runner_up_score=case.playbook.score,
        chosen_by=command.actor_name,
    )
    set_checklist(case, playbooks)
    case.caveats = tuple(one for one in case.caveats if one is not Caveat.NO_PLAYBOOK_MATCH)
    return EffectKind.PLAYBOOK_CHANGED


HANDLERS: dict[Action, Callable[[Case, Command], EffectKind | None]] = {
    Action.TAKE: _take,
    Action.FALSE_ALARM: _false_alarm,
    Action.SNOOZE: _snooze,
    Action.UNSNOOZE: _unsnooze,
    Action.ESCALATE: _escalate,
    Action.TICK: _tick,
    Action.UNTICK: _untick,
    Action.RESOLVE: _resolve,
}
