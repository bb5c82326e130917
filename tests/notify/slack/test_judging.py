"""Saying what the posts of an alert are, in a dialog: real sandbox, signed clicks, Slack's own libraries."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from sentinel.language.labels import UNRELATED
from sentinel.model import Incident
from sentinel.notify.judging import post_key, posts
from sentinel.notify.slack.judging import TAKE_BACK, judging_view
from sentinel.notify.slack.rich import Json
from sentinel.slack_sandbox import User
from sentinel.slack_sandbox.block_kit import problems
from sentinel.slack_sandbox.faults import Fault, FaultKind
from tests.notify.aurora import INCIDENT, Context, change, effect, quote
from tests.notify.slack.rig import Rig, element, rigged, words

ONE = User("U0REPERIBILE1", "Reperibile 1")
TWO = User("U0REPERIBILE2", "Reperibile 2")
POSTS = posts(INCIDENT)
POST = next(iter(POSTS.values()))


async def opened(rig: Rig) -> None:
    await rig.deliver(effect())
    answer = await rig.sandbox.click(rig.root(), "judge", ONE)
    assert answer.ok
    await until(lambda: bool(rig.sandbox.api.views))


async def until(condition: object) -> None:
    async with asyncio.timeout(5):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def chooser(rig: Rig, key: str) -> tuple[str, Json]:
    """The block id and select of a post, in the dialog as it is now."""
    _, view = rig.sandbox.api.views[-1]
    (block,) = [one for one in view["blocks"] if one["block_id"].startswith(f"post:{key}:")]
    return block["block_id"], element(view["blocks"], "word", block["block_id"])


async def say(rig: Rig, key: str, value: str, user: User = ONE) -> None:
    block, _ = chooser(rig, key)
    calls = len(rig.sandbox.calls_of("views.update"))
    answer = await rig.sandbox.choose(1, "word", user, block_id=block, selected=(value,))
    assert answer.ok
    await until(lambda: len(rig.sandbox.calls_of("views.update")) > calls)


async def test_the_dialog_shows_the_posts_of_the_alert_with_how_they_were_read() -> None:
    async with rigged() as rig:
        await opened(rig)
        user, view = rig.sandbox.api.views[-1]
        assert ONE.id == user
        text = words(view["blocks"])
        assert all(one.text in text for one in POSTS.values())
        assert "Sentinel: negativo" in text
        assert INCIDENT.id == view["private_metadata"]
        _, select = chooser(rig, post_key(POST))
        assert ["negative", "neutral", "positive", UNRELATED] == [
            one["value"] for one in select["options"]
        ]
        assert "initial_option" not in select  # else nobody could confirm what Sentinel said


async def test_a_choice_is_a_word_with_who_and_the_dialog_says_so() -> None:
    async with rigged() as rig:
        await opened(rig)
        key = post_key(POST)
        await say(rig, key, "positive", TWO)
        (label,) = rig.desk.labels.values()
        assert (INCIDENT.brand, POST.source, POST.mention_id, "positive") == (
            *(label.brand, label.source, label.mention_id, label.corrected),
        )
        assert ("Reperibile 2", "slack", False) == (label.by, label.via, label.drawn)
        block, select = chooser(rig, key)
        assert "positive" == select["initial_option"]["value"]
        assert f"post:{key}:positive" == block
        assert "Reperibile 2: positivo" in words(rig.sandbox.api.views[-1][1]["blocks"])


async def test_the_same_click_delivered_twice_counts_once() -> None:
    async with rigged() as rig:
        await opened(rig)
        await say(rig, post_key(POST), UNRELATED)
        assert (await rig.sandbox.interactions.send(rig.sandbox.interactions.sent[-1])).ok
        await until(lambda: len(rig.sandbox.calls_of("views.update")) == 2)
        assert 1 == len(rig.desk.labels)


async def test_a_word_is_taken_back_in_the_dialog() -> None:
    async with rigged() as rig:
        await opened(rig)
        key = post_key(POST)
        await say(rig, key, "positive")
        (label_id,) = rig.desk.labels
        await say(rig, key, TAKE_BACK, TWO)
        assert [(label_id, "Reperibile 2")] == rig.desk.withdrawn
        block, select = chooser(rig, key)
        assert block.endswith(":open")
        assert "initial_option" not in select


async def test_a_post_that_is_gone_is_said_to_be() -> None:
    async with rigged() as rig:
        await opened(rig)
        rig.desk.gone.add((POST.source, POST.mention_id))
        await say(rig, post_key(POST), "negative")
        assert "non si può più giudicare" in words(rig.sandbox.api.views[-1][1]["blocks"])
        block, _ = chooser(rig, post_key(POST))
        rig.desk.incidents.clear()
        await rig.sandbox.choose(1, "word", ONE, block_id=block, selected=("negative",))
        await until(lambda: len(rig.sandbox.calls_of("views.update")) == 2)
        assert {} == rig.desk.labels


async def test_a_word_that_cannot_be_kept_is_said_to_be() -> None:
    async with rigged() as rig:
        await opened(rig)
        rig.desk.failing = True
        await say(rig, post_key(POST), "negative")
        assert "This could not be recorded." in words(rig.sandbox.api.views[-1][1]["blocks"])
        assert {} == rig.desk.labels
        await rig.sandbox.click(rig.root(), "judge", ONE)
        await until(lambda: any(one.ephemeral_for for one in rig.sandbox.messages))


async def test_what_is_not_ours_changes_nothing() -> None:
    async with rigged() as rig:
        await opened(rig)
        await say(rig, post_key(POST), "negative")
        rig.desk.labels.clear()
        good = rig.sandbox.interactions.sent[-1]
        action = good["actions"][0]
        forged = [
            good | {"view": None},
            good | {"actions": [action | {"block_id": "post:0000000000000000:open"}]},
            good | {"actions": [action | {"block_id": "steps:1"}]},
            good | {"actions": [action | {"selected_option": {"value": "awful"}}]},
            good | {"view": good["view"] | {"private_metadata": "another-incident"}},
        ]
        for payload in forged:
            assert (await rig.sandbox.interactions.send(payload)).status in {200, 404}
        await asyncio.sleep(0.1)
        assert {} == rig.desk.labels


async def test_a_slack_that_takes_no_dialog_is_logged_and_loses_no_word() -> None:
    async with rigged() as rig:
        await opened(rig)
        rig.sandbox.faults.add(Fault(FaultKind.ERROR, "views.update", error="internal_error"))
        with capture_logs() as logs:
            await say(rig, post_key(POST), "negative")
            await until(lambda: any(one["event"] == "slack_dialog_failed" for one in logs))
        assert 1 == len(rig.desk.labels)


def test_the_dialog_keeps_within_slacks_limits_whatever_the_posts_are() -> None:
    hostile = tuple(
        change(quote(n, "<!channel> " * 2000), mention_id="x" * 5000 + str(n)) for n in range(8)
    )
    wide: Incident = change(INCIDENT, id="i" * 9000, quotes=hostile)
    for incident in (wide, change(INCIDENT, quotes=(), first_post=None), None):
        view = judging_view(Context(), incident, {})
        assert [] == problems(view["blocks"], limit=100)
        assert len(view["private_metadata"]) <= 3000
        assert "<!channel>" not in words(view["blocks"])


def test_a_retracted_post_is_not_offered() -> None:
    gone = change(INCIDENT, quotes=tuple(change(one, text="") for one in INCIDENT.quotes))
    assert len(posts(gone)) == 1
