import asyncio
from urllib.parse import urlencode

import aiohttp
import msgspec
import pytest
from prometheus_client import Gauge
from structlog.testing import capture_logs

from sentinel.model import Action, EffectKind
from sentinel.notify.slack import SlackInbound
from sentinel.runtime.clock import ReplayClock, SystemClock
from sentinel.slack_sandbox import User
from sentinel.slack_sandbox.interactions import sign
from tests.notify.aurora import INCIDENT, SUNDAY_2240, Context, change, effect
from tests.notify.slack.rig import Desk, Rig, groups, later, rigged, steps, with_ticks, words

OPENED = effect(incident=change(INCIDENT, checklist=steps("verify", "statement", "partners")))
ONE = User("U0REPERIBILE1", "Reperibile 1")
TWO = User("U0REPERIBILE2", "Reperibile 2")


async def settled(rig: Rig, count: int) -> None:
    """Wait until so many commands have come in: they are worked on after they were acknowledged."""
    for _ in range(100):
        if len(rig.desk.commands) >= count:
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.02)


def wide(*ids: str) -> object:
    """A message whose steps stand in one group: none is in the playbook, so none has a phase."""
    return effect(incident=change(INCIDENT, checklist=steps(*ids)))


# --- buttons -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action_id", "action", "value"),
    [
        ("take", Action.TAKE, ""),
        ("false_alarm", Action.FALSE_ALARM, ""),
        ("snooze", Action.SNOOZE, "3600"),
        ("escalate", Action.ESCALATE, ""),
    ],
)
async def test_a_button_becomes_a_command(action_id: str, action: Action, value: str) -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        answer = await rig.sandbox.click(rig.root(), action_id, TWO)
        await settled(rig, 1)
        (command,) = rig.desk.commands
        assert answer.ok
        assert answer.seconds < 3
        assert (command.action, command.value, command.incident_id) == (action, value, "aurora-1")
        assert (command.actor_id, command.actor_name, command.via) == (
            "slack:U0REPERIBILE2",
            "Reperibile 2",
            "slack",
        )


async def test_a_snoozed_incident_can_be_woken_and_a_taken_one_closed() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        asleep = later(
            EffectKind.SNOOZED, 2, snoozed_until=SUNDAY_2240 + 9999, acknowledged_by="Reperibile 1"
        )
        await rig.deliver(asleep)
        await rig.sandbox.click(rig.root(), "unsnooze")
        await rig.sandbox.click(rig.root(), "resolve")
        await settled(rig, 2)
        assert [c.action for c in rig.desk.commands] == [Action.UNSNOOZE, Action.RESOLVE]


async def test_another_plan_can_be_chosen() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        await rig.sandbox.click(rig.root(), "change_playbook", selected=["boycott"])
        await settled(rig, 1)
        (command,) = rig.desk.commands
        assert (command.action, command.value, command.incident_id) == (
            Action.CHANGE_PLAYBOOK,
            "boycott",
            "aurora-1",
        )


async def test_the_same_click_delivered_twice_has_the_same_command_id() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        payload = rig.sandbox.interactions.payload(rig.root(), "take", ONE)
        await rig.sandbox.interactions.send(payload)
        await rig.sandbox.interactions.send(payload)
        await settled(rig, 2)
        assert len({command.id for command in rig.desk.commands}) == 1


async def test_two_clicks_have_two_command_ids() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        await rig.sandbox.click(rig.root(), "take", ONE)
        await rig.sandbox.click(rig.root(), "take", ONE)
        await settled(rig, 2)
        assert len({command.id for command in rig.desk.commands}) == 2


async def test_the_holding_statements_open_in_both_languages() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        answer = await rig.sandbox.click(rig.root(), "statement", TWO)
        for _ in range(100):
            if rig.sandbox.api.views:
                break
            await asyncio.sleep(0.01)
        ((user, view),) = rig.sandbox.api.views
        shown = words(view["blocks"])
        assert answer.ok
        assert user == TWO.id
        assert "Pastificio Aurora si scusa" in shown
        assert "Pastificio Aurora apologises" in shown


async def test_who_cannot_be_served_is_told_so_alone() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        rig.desk.failing = True
        answer = await rig.sandbox.click(rig.root(), "take", TWO)
        for _ in range(100):
            if any(message.ephemeral_for for message in rig.sandbox.messages):
                break
            await asyncio.sleep(0.01)
        (told,) = [message for message in rig.sandbox.messages if message.ephemeral_for]
        assert answer.ok
        assert told.ephemeral_for == TWO.id
        assert "Try again" in told.text


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "block_actions", "actions": [{"type": "button", "action_id": "unheard_of"}]},
        {"type": "block_actions", "actions": [{"type": "button", "action_id": "take"}]},
        {"type": "view_submission", "view": {"type": "modal", "callback_id": "x"}},
        {"type": "shortcut", "callback_id": "x", "user": {"id": "U1"}},
        {"type": "message_action", "callback_id": "x", "user": {"id": "U1"}},
    ],
    ids=lambda payload: payload["type"],
)
async def test_what_is_not_understood_is_acknowledged_and_does_nothing(payload: dict) -> None:
    async with rigged() as rig:
        answer = await rig.sandbox.interactions.send(payload)
        await asyncio.sleep(0.05)
        assert answer.ok
        assert rig.desk.commands == []


# --- checkboxes ----------------------------------------------------------------------------------


async def test_a_tick_and_its_undoing_are_told_apart() -> None:
    async with rigged() as rig:
        await rig.deliver(wide("a", "b", "c"))
        await rig.sandbox.click(rig.root(), "steps", ONE, selected=["b"])
        await settled(rig, 1)
        await rig.sandbox.click(rig.root(), "steps", ONE, selected=[])
        await settled(rig, 2)
        assert rig.desk.ticks() == [
            (Action.TICK, "b", "Reperibile 1"),
            (Action.UNTICK, "b", "Reperibile 1"),
        ]


async def test_two_people_who_tick_at_the_same_time_both_count() -> None:
    async with rigged() as rig:
        await rig.deliver(wide("a", "b", "c"))
        await asyncio.gather(
            rig.sandbox.click(rig.root(), "steps", ONE, selected=["a"]),
            rig.sandbox.click(rig.root(), "steps", TWO, selected=["b"]),
        )
        await settled(rig, 2)
        assert sorted(rig.desk.ticks()) == [
            (Action.TICK, "a", "Reperibile 1"),
            (Action.TICK, "b", "Reperibile 2"),
        ]


async def test_a_click_on_a_message_that_was_redrawn_meanwhile_unticks_nothing_of_others() -> None:
    async with rigged() as rig:
        await rig.deliver(wide("a", "b", "c"))
        stale = list(rig.root().blocks)
        ticked = change(steps("a")[0], done_by="Reperibile 1")
        await rig.deliver(
            later(EffectKind.CHECKLIST_CHANGED, 2, checklist=(ticked, *steps("b", "c")))
        )
        await rig.sandbox.click(rig.root(), "steps", TWO, selected=["b"], seen=stale)
        await settled(rig, 1)
        assert rig.desk.ticks() == [(Action.TICK, "b", "Reperibile 2")]


@pytest.mark.parametrize("with_initial_options", [True, False])
async def test_an_untick_on_a_stale_message_is_still_an_untick(with_initial_options: bool) -> None:
    async with rigged() as rig:
        ticked = change(steps("a")[0], done_by="Reperibile 1")
        await rig.deliver(effect(incident=change(INCIDENT, checklist=(ticked, *steps("b", "c")))))
        stale = list(rig.root().blocks)
        both = (ticked, change(steps("b")[0], done_by="Reperibile 1"), *steps("c"))
        await rig.deliver(later(EffectKind.CHECKLIST_CHANGED, 2, checklist=both))
        payload = rig.sandbox.interactions.payload(
            rig.root(), "steps", TWO, selected=[], seen=stale
        )
        if not with_initial_options:  # not every client sends them
            del payload["actions"][0]["initial_options"]
        await rig.sandbox.interactions.send(payload)
        await settled(rig, 1)
        assert rig.desk.ticks() == [(Action.UNTICK, "a", "Reperibile 2")]


async def test_quick_clicks_before_the_message_is_redrawn_are_told_apart() -> None:
    async with rigged() as rig:
        await rig.deliver(wide("a", "b"))
        root = rig.root()
        for selected in (["a"], ["a", "b"], ["b"], ["a", "b"]):
            await rig.sandbox.click(root, "steps", ONE, selected=selected)
        await settled(rig, 4)
        assert [(action, step) for action, step, _ in rig.desk.ticks()] == [
            (Action.TICK, "a"),
            (Action.TICK, "b"),
            (Action.UNTICK, "a"),
            (Action.TICK, "a"),
        ]


async def test_a_tick_delivered_twice_has_the_same_ids_and_undoes_nothing() -> None:
    async with rigged() as rig:
        await rig.deliver(wide("a", "b"))
        payload = rig.sandbox.interactions.payload(rig.root(), "steps", ONE, selected=["a"])
        for _ in range(3):
            await rig.sandbox.interactions.send(payload)
        await settled(rig, 3)
        assert {(command.action, command.id) for command in rig.desk.commands} == {
            (Action.TICK, rig.desk.commands[0].id)
        }


async def test_each_group_of_the_checklist_is_its_own() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        await rig.deliver(with_ticks("verify"))
        hour = groups(rig.root().blocks)[1]["block_id"]
        await rig.sandbox.click(rig.root(), "steps", TWO, block_id=hour, selected=["statement"])
        await settled(rig, 1)
        assert rig.desk.ticks() == [(Action.TICK, "statement", "Reperibile 2")]


# --- the door ------------------------------------------------------------------------------------

BODY = urlencode({"payload": "{}"})
SECRET = "sandbox-signing-secret"


async def knock(rig: Rig, body: str | bytes, timestamp: str, signature: str) -> tuple[int, str]:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature,
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(rig.url, data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.text()


def now(offset: float = 0) -> str:
    return str(int(SystemClock().now() + offset))


@pytest.mark.parametrize(
    ("timestamp", "signature"),
    [
        (-302, None),
        (400, None),
        (0, "v0=" + "0" * 64),
        (0, ""),
        (0, "v0=é"),
        ("yesterday", None),
        ("", None),
        ("9" * 400, None),
        ("-1", None),
    ],
    ids=["stale", "future", "forged", "none", "odd", "garbage", "empty", "huge", "negative"],
)
async def test_a_request_that_is_not_from_slack_is_turned_away(
    timestamp: str | int, signature: str | None
) -> None:
    async with rigged() as rig:
        stamp = timestamp if isinstance(timestamp, str) else now(timestamp)
        with capture_logs() as logs:
            signed = sign(SECRET, stamp, BODY) if signature is None else signature
            status, text = await knock(rig, BODY, stamp, signed)
        assert (status, msgspec.json.decode(text)) == (401, {"error": "invalid request"})
        assert [entry["event"] for entry in logs] == ["slack_request_refused"]
        assert rig.desk.commands == []


async def test_a_body_changed_on_the_way_is_turned_away() -> None:
    async with rigged() as rig:
        stamp = now()
        status, _ = await knock(rig, BODY + "&x=1", stamp, sign(SECRET, stamp, BODY))
        assert status == 401


async def test_a_body_that_is_no_text_is_turned_away() -> None:
    async with rigged() as rig:
        status, _ = await knock(rig, b"\xff\xfe", now(), "v0=" + "0" * 64)
        assert status == 401


async def test_a_signed_body_that_cannot_be_read_is_a_bad_request() -> None:
    async with rigged() as rig:
        body, stamp = urlencode({"payload": "{nonsense"}), now()
        status, _ = await knock(rig, body, stamp, sign(SECRET, stamp, body))
        assert status == 400


async def test_slacks_question_whether_the_address_is_ours_is_answered() -> None:
    async with rigged() as rig:
        body, stamp = '{"type":"url_verification","challenge":"3eZbrw1a"}', now()
        headers = {
            "Content-Type": "application/json",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": sign(SECRET, stamp, body),
        }
        url = rig.url.replace("interactivity", "events")
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=headers) as answer,
        ):
            assert (answer.status, "3eZbrw1a" in await answer.text()) == (200, True)


async def test_signatures_are_checked_on_the_clock_that_was_handed_in() -> None:
    clock = ReplayClock(1_700_000_000)
    async with rigged() as rig:
        inbound = SlackInbound(rig.config, Context(), Desk().submit, clock, judging=Desk())
        old = "1700000000"
        assert inbound.genuine(BODY.encode(), old, sign(SECRET, old, BODY))
        await clock.move_to(1_700_000_301)
        assert not inbound.genuine(BODY.encode(), old, sign(SECRET, old, BODY))


async def test_without_a_signing_secret_there_is_no_door() -> None:
    async with rigged() as rig:
        config = msgspec.structs.replace(rig.config, signing_secret="")
        inbound = SlackInbound(config, Context(), Desk().submit, SystemClock(), judging=Desk())
        assert inbound.routes() == []


async def test_without_socket_mode_the_gauge_says_that_nothing_is_missing() -> None:
    gauge = Gauge("connected", "x", registry=None)
    async with rigged() as rig:
        inbound = SlackInbound(
            rig.config, Context(), Desk().submit, SystemClock(), judging=Desk(), connected=gauge
        )
        await inbound.run()
        assert gauge.collect()[0].samples[0].value == 1


async def test_two_workspaces_have_two_doors() -> None:
    async with rigged() as rig:
        other = msgspec.structs.replace(rig.config, name="northwind coffee")
        inbound = SlackInbound(other, Context(), Desk().submit, SystemClock(), judging=Desk())
        both = [route.path for door in (rig.inbound, inbound) for route in door.routes()]
        assert both == [
            "/slack/events",
            "/slack/interactivity",
            "/slack/northwind%20coffee/events",
            "/slack/northwind%20coffee/interactivity",
        ]
