import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sentinel.model import Action
from sentinel.notify.slack.actions import Payload, Selections, commands, decode
from sentinel.notify.slack.names import (
    MAX_ID,
    StepsBlock,
    block_id,
    incident_of,
    read_steps_block_id,
    steps_block_id,
)

STEPS = ("a", "b", "c", "d")


def click(
    user: str, selected: set[str], *, ts: str, shown: set[str] = frozenset(), revision: int = 1
) -> Payload:
    mask = sum(1 << index for index, step in enumerate(STEPS) if step in shown)
    place = steps_block_id(StepsBlock("aurora-1", revision, "0.0", mask))
    options = [{"value": step} for step in STEPS]
    boxes = {
        "type": "checkboxes",
        "action_id": "steps",
        "options": options,
        "initial_options": [{"value": step} for step in sorted(shown)],
    }
    decoded = decode(
        {
            "user": {"id": user, "name": user},
            "team": {"id": "T1"},
            "container": {"message_ts": "1.0", "channel_id": "C1"},
            "message": {"blocks": [{"type": "actions", "block_id": place, "elements": [boxes]}]},
            "actions": [
                {
                    "type": "checkboxes",
                    "action_id": "steps",
                    "block_id": place,
                    "selected_options": [{"value": step} for step in sorted(selected)],
                    "action_ts": ts,
                }
            ],
        }
    )
    assert decoded is not None
    return decoded


def said(payload: Payload, memory: Selections) -> list[tuple[Action, str]]:
    return [(command.action, command.value) for command in commands(payload, 1.0, memory)]


def test_what_was_not_touched_is_not_told() -> None:
    told = said(click("U1", {"a", "b"}, ts="1", shown={"a"}), Selections())
    assert told == [(Action.TICK, "b")]


def test_what_was_drawn_counts_more_than_what_the_click_says_was_there() -> None:
    payload = click("U1", {"a", "b"}, ts="1")
    claimed = click("U1", {"a"}, ts="1").actions[0].selected_options
    action = msgspec.structs.replace(payload.actions[0], initial_options=claimed)
    told = said(msgspec.structs.replace(payload, actions=(action,)), Selections())
    assert told == [(Action.TICK, "a"), (Action.TICK, "b")]


def test_a_click_that_comes_late_is_compared_with_what_was_shown() -> None:
    memory = Selections()
    said(click("U1", {"a", "b"}, ts="2"), memory)
    assert said(click("U1", {"a"}, ts="1"), memory) == [(Action.TICK, "a")]


def test_memory_is_bounded_and_falls_back_to_what_was_shown() -> None:
    memory = Selections(limit=1)
    said(click("U1", {"a"}, ts="1"), memory)
    said(click("U2", {"b"}, ts="2"), memory)
    assert said(click("U1", {"a", "b"}, ts="3"), memory) == [
        (Action.TICK, "a"),
        (Action.TICK, "b"),
    ]


@given(
    st.lists(st.tuples(st.sampled_from(("U1", "U2", "U3")), st.sampled_from(STEPS)), max_size=20)
)
def test_whoever_toggles_what_in_whatever_order_every_toggle_counts_once(
    toggles: list[tuple[str, str]],
) -> None:
    """Each client starts from the same drawing and sends its whole selection, as Slack's clients do."""
    memory = Selections()
    clients: dict[str, set[str]] = {"U1": set(), "U2": set(), "U3": set()}
    for number, (user, step) in enumerate(toggles):
        clients[user] ^= {step}
        expected = Action.TICK if step in clients[user] else Action.UNTICK
        payload = click(user, clients[user], ts=f"{number:06}")
        assert said(payload, memory) == [(expected, step)]


def test_a_long_incident_id_is_named_by_the_buttons() -> None:
    name = "x" * 300
    payload = decode(
        {
            "user": {"id": "U1"},
            "message": {
                "blocks": [
                    {"type": "section"},
                    {
                        "type": "actions",
                        "elements": [{"type": "button", "action_id": "take", "value": name}, {}],
                    },
                ]
            },
            "actions": [
                {
                    "type": "static_select",
                    "action_id": "change_playbook",
                    "block_id": block_id("choose", name, 3),
                    "selected_option": {"value": "boycott"},
                }
            ],
        }
    )
    assert payload is not None
    (command,) = commands(payload, 1.0, Selections())
    assert (command.incident_id, command.value) == (name, "boycott")


def test_a_click_that_names_no_incident_does_nothing() -> None:
    payload = decode({"user": {"id": "U1"}, "actions": [{"type": "button", "action_id": "take"}]})
    assert payload is not None
    assert commands(payload, 1.0, Selections()) == []


def test_a_name_from_slack_is_cleaned() -> None:
    payload = decode(
        {
            "user": {"id": "U1", "name": "\u202eevil\u200b\n" + "x" * 90},
            "actions": [{"type": "button", "action_id": "take", "value": "aurora-1"}],
        }
    )
    assert payload is not None
    (command,) = commands(payload, 1.0, Selections())
    assert command.actor_name.startswith("evil x")
    assert len(command.actor_name) == 60


@given(
    st.builds(
        StepsBlock,
        incident_id=st.text(max_size=180),
        revision=st.integers(0, 10**12),
        group=st.sampled_from(("15.0", "180.3")),
        ticked=st.integers(0, 1023),
    )
)
def test_a_block_id_says_what_it_was_made_of_and_fits(block: StepsBlock) -> None:
    made = steps_block_id(block)
    assert read_steps_block_id(made) == block
    assert incident_of(made) == block.incident_id
    assert len(made) <= MAX_ID


@given(st.text())
def test_a_foreign_block_id_is_no_group_of_ours(value: str) -> None:
    assert read_steps_block_id("x" + value) is None
