import pytest

from sentinel.errors import NotifyError
from sentinel.model import Effect, EffectKind, Phase, Severity
from sentinel.notify.slack.notifier import SlackNotifier
from sentinel.notify.slack.rich import Json
from sentinel.runtime.clock import SystemClock
from sentinel.slack_sandbox import Fault, FaultKind
from tests.notify.aurora import CALLABLE, INCIDENT, SUNDAY_2240, Context, change, effect
from tests.notify.slack.rig import MemoryRefs, element, groups, later, rigged, with_ticks, words

OPENED = effect()
SILENT = Effect(
    "bluesky:1:source_silent",
    EffectKind.SOURCE_SILENT,
    SUNDAY_2240,
    sources=("bluesky",),
    note="bluesky",
)
RECOVERED = Effect(
    "bluesky:2:source_recovered",
    EffectKind.SOURCE_RECOVERED,
    SUNDAY_2240 + 600,
    sources=("bluesky",),
    note="bluesky",
)
STATE_CHANGES = [
    EffectKind.ESCALATED,
    EffectKind.RETURNED,
    EffectKind.DECAYING,
    EffectKind.RESOLVED,
    EffectKind.ACKNOWLEDGED,
    EffectKind.FALSE_ALARM,
    EffectKind.SNOOZED,
    EffectKind.UNSNOOZED,
    EffectKind.HANDED_UP,
    EffectKind.PLAYBOOK_CHANGED,
]


# --- one storyline, one message ------------------------------------------------------------------


async def test_a_new_incident_is_one_root_message_with_its_figures_and_its_plan() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        root = rig.root()
        shown = words(root.blocks)
        for fact in (
            "Pastificio Aurora",
            "1.412 menzioni",
            "Parole di un vertice",
            "Da domani altra pasta",
        ):
            assert fact in shown
        assert rig.sandbox.replies(root) == []
        assert "1.412 menzioni" in root.text


async def test_the_message_speaks_the_brands_language() -> None:
    async with rigged(language="en") as rig:
        await rig.deliver(OPENED)
        assert "1,412 mentions" in words(rig.root().blocks)
        assert element(rig.root().blocks, "take")["text"]["text"] == "Take it"


@pytest.mark.parametrize("kind", [EffectKind.UPDATED, EffectKind.CHECKLIST_CHANGED])
async def test_new_figures_and_ticks_edit_the_message_and_say_nothing(kind: EffectKind) -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        await rig.deliver(later(kind, 2, mentions=2000))
        assert rig.root().edits == 1
        assert rig.sandbox.replies(rig.root()) == []


@pytest.mark.parametrize("kind", STATE_CHANGES)
async def test_every_change_of_state_edits_the_message_and_is_told_once_in_its_thread(
    kind: EffectKind,
) -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        await rig.deliver(later(kind, 2, snoozed_until=SUNDAY_2240 + 7200))
        assert rig.root().edits == 1
        (reply,) = rig.sandbox.replies(rig.root())
        worse = kind in (EffectKind.ESCALATED, EffectKind.RETURNED, EffectKind.HANDED_UP)
        assert worse is reply.broadcast


async def test_a_worsening_that_may_not_page_stays_in_the_thread() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        await rig.deliver(change(later(EffectKind.ESCALATED, 2), page=False))
        (reply,) = rig.sandbox.replies(rig.root())
        assert not reply.broadcast


async def test_every_revision_has_new_block_ids() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        before = {block["block_id"] for block in rig.root().blocks}
        await rig.deliver(later(EffectKind.UPDATED, 2))
        after = {block["block_id"] for block in rig.root().blocks}
        assert set() == before & after


async def test_ticks_are_shown_as_ticked_with_who_did_it() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        await rig.deliver(with_ticks("verify"))
        boxes = groups(rig.root().blocks)[0]["elements"][0]
        assert [option["value"] for option in boxes["initial_options"]] == ["verify"]
        assert "Reperibile 1" in boxes["initial_options"][0]["description"]["text"]


async def test_a_closed_incident_has_no_button_left_but_for_judging_its_posts() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        over = later(EffectKind.RESOLVED, 2, phase=Phase.RESOLVED, resolved_at=SUNDAY_2240 + 3600)
        await rig.deliver(over)
        actions = [block for block in rig.root().blocks if block["type"] == "actions"]
        assert ["judge"] == [e["action_id"] for block in actions for e in block["elements"]]


async def test_a_late_notice_does_not_turn_the_message_back() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        await rig.deliver(later(EffectKind.UPDATED, 5, severity=Severity.CRITICAL))
        shown = words(rig.root().blocks)
        await rig.deliver(later(EffectKind.ACKNOWLEDGED, 3))
        assert shown == words(rig.root().blocks)
        assert len(rig.sandbox.replies(rig.root())) == 1


async def test_two_brands_go_to_their_own_channels() -> None:
    class Two(Context):
        def brand(self, brand_id: str):
            brand = super().brand("aurora")
            return change(brand, slack_channel="#sentinel-ops") if brand_id == "aurora" else None

    async with rigged() as rig:
        notifier = SlackNotifier(rig.config, Two(), MemoryRefs(), SystemClock())
        assert notifier.lane(OPENED) == "#sentinel-ops"
        assert notifier.lane(effect(incident=change(INCIDENT, brand="other"))) == "#crisis"


async def test_a_message_that_was_deleted_comes_back_with_the_next_change_of_state_only() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        root = rig.root()
        rig.sandbox.workspace.delete(root.channel, root.ts)
        await rig.deliver(later(EffectKind.UPDATED, 2))
        assert rig.sandbox.root_messages("crisis") == []
        await rig.deliver(later(EffectKind.ESCALATED, 3))
        assert rig.root().ts != root.ts


async def test_a_message_that_may_not_be_edited_any_more_still_gets_its_replies() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        rig.sandbox.faults.add(Fault(FaultKind.ERROR, "chat.update", error="edit_window_closed"))
        await rig.deliver(later(EffectKind.ESCALATED, 2))
        assert len(rig.sandbox.replies(rig.root())) == 1


# --- at least once, looking once -----------------------------------------------------------------


@pytest.mark.parametrize("kind", [FaultKind.ACCEPT_THEN_RESET, FaultKind.SLOW])
async def test_a_root_that_got_through_unseen_is_found_and_not_posted_again(
    kind: FaultKind,
) -> None:
    async with rigged() as rig:
        rig.sandbox.faults.add(Fault(kind, "chat.postMessage"))
        with pytest.raises(NotifyError) as caught:
            await rig.deliver(OPENED)
        assert (caught.value.reason, caught.value.permanent) == ("ambiguous", False)
        await rig.deliver(OPENED, attempt=2, ambiguous=True)
        assert kind.value in [call.fault for call in rig.sandbox.calls]
        rig.root()


async def test_whatever_is_reset_on_the_way_leaves_one_root() -> None:
    async with rigged() as rig:
        rig.sandbox.faults.add(Fault(FaultKind.ACCEPT_THEN_RESET, "*", times=8))
        failures = 0
        while rig.sandbox.faults.armed or not failures:
            try:
                await rig.deliver(OPENED, attempt=failures + 1, ambiguous=failures > 0)
            except NotifyError:
                failures += 1
        await rig.deliver(OPENED, attempt=failures + 1, ambiguous=True)
        assert failures >= 3
        rig.root()


async def test_a_reply_that_got_through_unseen_is_not_posted_again() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        told = later(EffectKind.ESCALATED, 2)
        rig.sandbox.faults.add(Fault(FaultKind.ACCEPT_THEN_RESET, "chat.postMessage"))
        with pytest.raises(NotifyError):
            await rig.deliver(told)
        await rig.deliver(told, attempt=2, ambiguous=True)
        assert len(rig.sandbox.replies(rig.root())) == 1


async def test_a_root_whose_note_was_lost_is_found_by_its_incident() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        rig.refs.kept.clear()
        await rig.deliver(later(EffectKind.ESCALATED, 2))
        assert rig.root().edits == 1
        assert rig.refs.kept["slack", "aurora-1"]["revision"] == "2"


async def test_a_restart_between_post_and_note_leaves_one_root_even_at_a_first_attempt() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        rig.refs.kept.clear()
        await rig.deliver(OPENED)
        rig.root()


async def test_an_alert_goes_out_although_history_cannot_be_read() -> None:
    async with rigged() as rig:
        fault = Fault(FaultKind.ERROR, "conversations.history", times=0, error="missing_scope")
        rig.sandbox.faults.add(fault)
        await rig.deliver(OPENED, attempt=2, ambiguous=True)
        rig.root()


async def test_after_an_ambiguous_failure_it_waits_until_history_can_be_read() -> None:
    async with rigged() as rig:
        rig.sandbox.faults.add(Fault(FaultKind.ACCEPT_THEN_RESET, "chat.postMessage"))
        with pytest.raises(NotifyError):
            await rig.deliver(OPENED)
        rig.sandbox.faults.add(
            Fault(FaultKind.RATE_LIMITED, "conversations.history", retry_after=7)
        )
        with pytest.raises(NotifyError) as caught:
            await rig.deliver(OPENED, attempt=2, ambiguous=True)
        assert (caught.value.reason, caught.value.retry_after) == ("rate_limited", 7.0)
        rig.root()


# --- what can go wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(FaultKind.ERROR, error="channel_not_found"), ("misconfigured", True, None)),
        (Fault(FaultKind.ERROR, error="invalid_auth"), ("misconfigured", True, None)),
        (
            Fault(FaultKind.ERROR, error="restricted_action_read_only_channel"),
            ("misconfigured", True, None),
        ),
        (Fault(FaultKind.ERROR, error="no_text"), ("rejected", True, None)),
        (Fault(FaultKind.ERROR, error="internal_error"), ("server_error", False, None)),
        (Fault(FaultKind.ERROR, error="never_heard_of"), ("server_error", False, None)),
        (Fault(FaultKind.ERROR, error="rate_limited"), ("rate_limited", False, 30.0)),
        (Fault(FaultKind.RATE_LIMITED, retry_after=12), ("rate_limited", False, 12.0)),
        (Fault(FaultKind.BAD_JSON), ("server_error", False, None)),
        (Fault(FaultKind.UNAVAILABLE), ("server_error", False, None)),
        (Fault(FaultKind.RESET), ("ambiguous", False, None)),
        (Fault(FaultKind.SLOW), ("ambiguous", False, None)),
    ],
    ids=lambda value: f"{value.kind}-{value.error}" if isinstance(value, Fault) else "",
)
async def test_each_failure_of_slack_has_its_reason(
    fault: Fault, expected: tuple[str, bool, float | None]
) -> None:
    async with rigged() as rig:
        rig.sandbox.faults.add(change(fault, method="chat.postMessage"))
        with pytest.raises(NotifyError) as caught:
            await rig.deliver(OPENED)
        error = caught.value
        assert expected == (error.reason, error.permanent, error.retry_after)
        assert rig.sandbox.faults.armed == ()


async def test_a_failed_edit_is_no_ambiguity_because_it_may_be_made_twice() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        rig.sandbox.faults.add(Fault(FaultKind.SLOW, "chat.update"))
        with pytest.raises(NotifyError) as caught:
            await rig.deliver(later(EffectKind.UPDATED, 2))
        assert caught.value.reason == "timeout"


async def test_nobody_listening_is_unreachable() -> None:
    async with rigged() as rig:
        await rig.sandbox.refuse()
        with pytest.raises(NotifyError) as caught:
            await rig.deliver(OPENED)
        assert (caught.value.reason, caught.value.permanent) == ("unreachable", False)
        await rig.sandbox.accept()
        await rig.deliver(OPENED, attempt=2)
        rig.root()


async def test_the_library_never_posts_again_by_itself() -> None:
    async with rigged() as rig:
        rig.sandbox.faults.add(Fault(FaultKind.RESET, "chat.postMessage"))
        with pytest.raises(NotifyError):
            await rig.deliver(OPENED)
        assert len(rig.sandbox.calls_of("chat.postMessage")) == 1


# --- blocks that Slack refuses -------------------------------------------------------------------


async def test_a_slack_without_charts_gets_the_alert_without_one_and_is_remembered() -> None:
    async with rigged(charts=False) as rig:
        await rig.deliver(OPENED)
        assert "data_visualization" not in {block["type"] for block in rig.root().blocks}
        await rig.deliver(later(EffectKind.UPDATED, 2))
        assert len(rig.sandbox.calls_of("chat.postMessage")) == 2
        assert len(rig.sandbox.calls_of("chat.update")) == 1


async def test_a_slack_with_charts_gets_one() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        chart = next(b for b in rig.root().blocks if b["type"] == "data_visualization")
        assert [series["name"] for series in chart["chart"]["series"]] == [
            "menzioni",
            "menzioni negative",
            "di solito",
        ]


async def test_a_slack_that_refuses_everything_still_gets_a_bare_alert() -> None:
    async with rigged() as rig:
        fault = Fault(FaultKind.ERROR, "chat.postMessage", times=2, error="msg_blocks_too_long")
        rig.sandbox.faults.add(fault)
        await rig.deliver(OPENED)
        assert [b["type"] for b in rig.root().blocks] == ["header", "rich_text", "actions"]
        await rig.deliver(later(EffectKind.UPDATED, 2))
        assert "data_visualization" in {block["type"] for block in rig.root().blocks}


# --- hostile text --------------------------------------------------------------------------------


async def test_a_mention_can_ring_nobody_and_forge_no_link() -> None:
    nasty = "<!channel> <!here|x> <@U0REPERIBILE1> <https://evil.example|click> *b* `c` & <b>"
    quote = change(INCIDENT.quotes[0], text=nasty, author=nasty)
    spread = change(INCIDENT.spread, top_author="<!channel>")
    hostile = change(INCIDENT, quotes=(quote,), spread=spread, brand_name="<!everyone> & co")
    async with rigged() as rig:
        await rig.deliver(effect(incident=hostile))
        await rig.deliver(later(EffectKind.ESCALATED, 2, brand_name="<!everyone>", quotes=(quote,)))
        for message in rig.sandbox.messages:
            assert message.pings == 0
            assert "<!" not in words(message.blocks)
            assert "<" not in message.text
        links = [found["url"] for found in _links(rig.root().blocks)]
        assert not any("evil" in url for url in links)


async def test_no_preview_is_asked_for_and_no_name_is_linked() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        args = rig.sandbox.calls_of("chat.postMessage")[0].args
        assert (
            args["unfurl_links"],
            args["unfurl_media"],
            args["link_names"],
            args["parse"],
        ) == (False, False, False, "none")


def _links(value: object) -> list[dict[str, str]]:
    if isinstance(value, dict):
        own = [value] if value.get("type") == "link" else []
        return own + [found for child in value.values() for found in _links(child)]
    return [found for child in value for found in _links(child)] if isinstance(value, list) else []


# --- operations ----------------------------------------------------------------------------------


async def test_a_silent_source_is_told_to_operations_and_its_return_in_the_same_message() -> None:
    async with rigged() as rig:
        await rig.deliver(SILENT)
        await rig.deliver(RECOVERED)
        assert rig.sandbox.root_messages("crisis") == []
        (root,) = rig.sandbox.root_messages("sentinel-ops")
        assert "✅" in words(root.blocks)
        assert len(rig.sandbox.replies(root)) == 1


async def test_word_of_a_source_is_posted_once_although_it_is_delivered_twice() -> None:
    async with rigged() as rig:
        rig.sandbox.faults.add(Fault(FaultKind.ACCEPT_THEN_RESET, "chat.postMessage"))
        with pytest.raises(NotifyError):
            await rig.deliver(SILENT)
        await rig.deliver(SILENT, attempt=2, ambiguous=True)
        await rig.deliver(SILENT)
        assert len(rig.sandbox.root_messages("sentinel-ops")) == 1


async def test_a_source_that_goes_silent_again_is_a_new_message() -> None:
    async with rigged() as rig:
        await rig.deliver(SILENT)
        await rig.deliver(RECOVERED)
        await rig.deliver(change(SILENT, id="bluesky:3:source_silent", at=SUNDAY_2240 + 900))
        assert len(rig.sandbox.root_messages("sentinel-ops")) == 2


async def test_a_return_without_a_known_silence_is_a_message_of_its_own() -> None:
    async with rigged() as rig:
        await rig.deliver(RECOVERED)
        assert len(rig.sandbox.root_messages("sentinel-ops")) == 1


# --- who is called -------------------------------------------------------------------------------


def called(blocks: list[Json]) -> list[str]:
    """Members mentioned anywhere, in order."""
    pieces = [piece for block in blocks for piece in block.get("elements", [])]
    children = [child for piece in pieces for child in piece.get("elements", [])]
    return [child["user_id"] for child in children if child.get("type") == "user"]


async def test_whoever_is_on_call_is_mentioned_in_the_alert() -> None:
    async with rigged(rota=CALLABLE) as rig:
        await rig.deliver(OPENED)
        assert ["U0ANNA"] == called(rig.root().blocks)
        assert rig.root().text.startswith("<@U0ANNA> ")
        assert "Da prendere in carico:" in words(rig.root().blocks)


async def test_without_a_member_id_nobody_is_mentioned() -> None:
    async with rigged() as rig:
        await rig.deliver(OPENED)
        assert [] == called(rig.root().blocks)
        assert "<@" not in rig.root().text
        assert "Da prendere in carico" not in words(rig.root().blocks)


async def test_an_escalation_mentions_the_stand_in_where_it_rings() -> None:
    async with rigged(rota=CALLABLE) as rig:
        await rig.deliver(OPENED)
        told = later(EffectKind.HANDED_UP, 2, escalation_level=1)
        await rig.deliver(change(told, actor=""))
        (reply,) = rig.sandbox.replies(rig.root())
        assert ["U0UGO"] == called(reply.blocks)  # the lead has no member id
        assert "Responsabile della crisi (Eva Verdi) e Ugo Neri come sostituto" in reply.text
        assert ["U0UGO"] == called(rig.root().blocks)


@pytest.mark.parametrize("changed", [{"acknowledged_by": "Carla"}, {"false_alarm_by": "Carla"}])
async def test_once_somebody_has_it_nobody_is_mentioned(changed: dict[str, str]) -> None:
    async with rigged(rota=CALLABLE) as rig:
        await rig.deliver(OPENED)
        await rig.deliver(later(EffectKind.ESCALATED, 2, **changed))
        assert [] == called(rig.root().blocks)
        (reply,) = rig.sandbox.replies(rig.root())
        assert [] == called(reply.blocks)


async def test_who_has_it_can_still_call_for_help() -> None:
    async with rigged(rota=CALLABLE) as rig:
        await rig.deliver(OPENED)
        await rig.deliver(
            later(EffectKind.HANDED_UP, 2, escalation_level=1, acknowledged_by="Carla")
        )
        (reply,) = rig.sandbox.replies(rig.root())
        assert ["U0UGO"] == called(reply.blocks)


async def test_what_may_not_page_mentions_nobody_in_the_thread() -> None:
    async with rigged(rota=CALLABLE) as rig:
        await rig.deliver(OPENED)
        await rig.deliver(change(later(EffectKind.ESCALATED, 2), page=False))
        await rig.deliver(later(EffectKind.DECAYING, 3))
        assert [[], []] == [called(reply.blocks) for reply in rig.sandbox.replies(rig.root())]


async def test_a_bare_alert_still_mentions_whoever_is_on_call() -> None:
    async with rigged(rota=CALLABLE) as rig:
        fault = Fault(FaultKind.ERROR, "chat.postMessage", times=2, error="invalid_blocks")
        rig.sandbox.faults.add(fault)
        await rig.deliver(OPENED)
        assert ["U0ANNA"] == called(rig.root().blocks)
