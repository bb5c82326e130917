"""From a click's payload to commands: pure, no network.

What lives here: decoding ``block_actions`` and telling what a click on checkboxes changed. Such a click carries the whole
selection of that person's client; two people who tick at the same time would wipe out each other's ticks if it were
taken as the state. It is compared with what that client showed, and only the difference becomes commands.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import msgspec

from sentinel.model import Action, Command
from sentinel.notify.safe_text import clean
from sentinel.notify.slack.names import ActionId, incident_of, read_steps_block_id

SNOOZE_SECONDS = 3600
REMEMBERED_CLICKS = 2048

_BUTTONS: dict[str, tuple[Action, str]] = {
    ActionId.TAKE: (Action.TAKE, ""),
    ActionId.FALSE_ALARM: (Action.FALSE_ALARM, ""),
    ActionId.SNOOZE: (Action.SNOOZE, str(SNOOZE_SECONDS)),
    ActionId.UNSNOOZE: (Action.UNSNOOZE, ""),
    ActionId.ESCALATE: (Action.ESCALATE, ""),
    ActionId.RESOLVE: (Action.RESOLVE, ""),
}


class _Lenient(msgspec.Struct, frozen=True):
    """Slack adds fields; what is not named here is ignored."""


class _User(_Lenient, frozen=True):
    id: str
    name: str = ""
    username: str = ""
    team_id: str | None = None


class _Ref(_Lenient, frozen=True):
    id: str


class _Container(_Lenient, frozen=True):
    message_ts: str = ""
    channel_id: str = ""


class _Option(_Lenient, frozen=True):
    value: str


class _Element(_Lenient, frozen=True):
    type: str
    action_id: str = ""
    block_id: str = ""
    value: str | None = None
    action_ts: str = ""
    options: tuple[_Option, ...] = ()
    selected_options: tuple[_Option, ...] | None = None
    selected_option: _Option | None = None
    initial_options: tuple[_Option, ...] | None = None


class _Block(_Lenient, frozen=True):
    type: str
    block_id: str = ""
    elements: tuple[dict[str, Any], ...] = ()


class _Message(_Lenient, frozen=True):
    blocks: tuple[_Block, ...] = ()


class _View(_Lenient, frozen=True):
    id: str
    private_metadata: str = ""


class Payload(_Lenient, frozen=True):
    """The part of a ``block_actions`` payload that counts."""

    user: _User
    actions: tuple[_Element, ...]
    team: _Ref | None = None
    container: _Container = _Container()
    message: _Message | None = None
    view: _View | None = None

    @property
    def person(self) -> str:
        """Display name of who clicked."""
        return clean(self.user.name or self.user.username or self.user.id, 60) or self.user.id

    @property
    def place(self) -> str:
        """Team, channel and message: where the click was made."""
        team = self.team.id if self.team else self.user.team_id or ""
        return f"{team}:{self.container.channel_id}:{self.container.message_ts}"


class Selections:
    """What each person's client last selected in each group, so that quick clicks are told apart.

    A second click before the message has been redrawn is compared with the first one's selection. Bounded; what is
    forgotten, or lost at a restart, is made up for by what the message showed.
    """

    def __init__(self, limit: int = REMEMBERED_CLICKS) -> None:
        self._limit = limit
        self._known: OrderedDict[tuple[str, str, str], tuple[str, set[str], set[str]]]
        self._known = OrderedDict()

    def before(
        self, key: tuple[str, str, str], action_ts: str, shown: set[str], selected: set[str]
    ) -> set[str]:
        """What was selected before this click; remembers the click. The same click again gives the same answer."""
        known = self._known.get(key)
        if known is None or action_ts < known[0]:
            before = shown
        elif action_ts == known[0]:
            before = known[1]
        else:
            before = known[2]
        if known is None or action_ts >= known[0]:
            self._known[key] = (action_ts, before, selected)
            self._known.move_to_end(key)
            if len(self._known) > self._limit:
                self._known.popitem(last=False)
        return before


def decode(body: Any) -> Payload | None:
    """The payload; None if it is not of that form."""
    try:
        return msgspec.convert(body, Payload)
    except msgspec.ValidationError:
        return None


def commands(payload: Payload, at: float, selections: Selections) -> list[Command]:
    """What a person wants, as commands with deterministic ids: the same click twice gives the same ids.

    Args:
        payload: The interaction.
        at: When it came in, epoch seconds.
        selections: Memory of earlier clicks.
    """
    made: list[Command] = []
    for action in payload.actions:
        if action.action_id == ActionId.STEPS:
            made += _ticks(payload, action, at, selections)
        elif action.action_id in _BUTTONS:
            kind, value = _BUTTONS[action.action_id]
            made += _command(payload, action, at, kind, incident_id=action.value or "", value=value)
        elif action.action_id == ActionId.CHANGE_PLAYBOOK and action.selected_option:
            incident = incident_of(action.block_id) or _incident_of_buttons(payload)
            chosen = action.selected_option.value
            made += _command(
                payload, action, at, Action.CHANGE_PLAYBOOK, incident_id=incident, value=chosen
            )
    return made


def _command(
    payload: Payload,
    action: _Element,
    at: float,
    kind: Action,
    *,
    incident_id: str,
    value: str,
) -> list[Command]:
    if not incident_id:
        return []
    user = payload.user
    return [
        Command(
            id=f"slack:{payload.place}:{action.action_ts}:{user.id}:{kind.value}:{value}",
            at=at,
            action=kind,
            incident_id=incident_id,
            actor_id=f"slack:{user.id}",
            actor_name=payload.person,
            via="slack",
            value=value,
        )
    ]


def _ticks(payload: Payload, action: _Element, at: float, selections: Selections) -> list[Command]:
    incident = incident_of(action.block_id) or _incident_of_buttons(payload)
    selected = {option.value for option in action.selected_options or ()}
    shown = _shown(payload, action)
    key = (payload.place, action.block_id, payload.user.id)
    before = selections.before(key, action.action_ts, shown, selected)
    made: list[Command] = []
    for step in sorted(selected - before):
        made += _command(payload, action, at, Action.TICK, incident_id=incident, value=step)
    for step in sorted(before - selected):
        made += _command(payload, action, at, Action.UNTICK, incident_id=incident, value=step)
    return made


def _shown(payload: Payload, action: _Element) -> set[str]:
    """The steps that were ticked in the message as this person's client showed it.

    The block id says how many and which by position; their names come from the action, from the same block of the message,
    or, where the message has been redrawn meanwhile, from the group in its place.
    """
    drawn = read_steps_block_id(action.block_id)
    if drawn is not None and not drawn.ticked:
        return set()
    if action.initial_options is not None:
        return {option.value for option in action.initial_options}
    for block_id, element in _groups(payload):
        if block_id == action.block_id:
            return {option.value for option in element.initial_options or ()}
    if drawn is None:
        return set()
    for block_id, element in _groups(payload):
        other = read_steps_block_id(block_id)
        if other is not None and other.group == drawn.group:
            return {
                option.value
                for index, option in enumerate(element.options)
                if drawn.ticked >> index & 1
            }
    return set()


def _groups(payload: Payload) -> list[tuple[str, _Element]]:
    return [pair for pair in _elements(payload) if pair[1].action_id == ActionId.STEPS]


def _incident_of_buttons(payload: Payload) -> str:
    """The incident named by the message's own buttons."""
    values = (element.value for _, element in _elements(payload) if element.action_id in _BUTTONS)
    return next((value for value in values if value), "")


def _elements(payload: Payload) -> list[tuple[str, _Element]]:
    if payload.message is None:
        return []
    found: list[tuple[str, _Element]] = []
    for block in payload.message.blocks:
        if block.type != "actions":
            continue
        for element in block.elements:
            try:
                found.append((block.block_id, msgspec.convert(element, _Element)))
            except msgspec.ValidationError:
                continue
    return found
