"""What an administrator is given must fit what the program does."""

import re
from pathlib import Path

import msgspec
import pytest
import yaml
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from structlog.testing import capture_logs

from sentinel.model import EffectKind
from sentinel.notify.base import Notice
from sentinel.notify.slack import SlackConfig, errors
from sentinel.notify.slack.client import is_loopback, library_logger
from sentinel.notify.slack.notifier import SlackNotifier
from sentinel.runtime.clock import SystemClock
from sentinel.slack_sandbox import Fault, FaultKind, SlackSandbox
from tests.notify.aurora import Context, effect
from tests.notify.slack.rig import MemoryRefs, later, rigged

ROOT = Path(__file__).parents[3]
SCOPE = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "conversations.list": "channels:read",
    "views.open": None,
}
"""https://docs.slack.dev/reference/methods: what each method asks of a bot."""


ANSWER = {
    "client": None,
    "http_verb": "POST",
    "api_url": "https://slack.com/api/auth.test",
    "req_args": {},
    "data": {"ok": False, "error": "invalid_auth"},
    "headers": {},
    "status_code": 200,
}


def manifest() -> dict:
    return yaml.safe_load((ROOT / "deploy/slack/manifest.yaml").read_text(encoding="utf-8"))


async def test_the_app_asks_for_what_is_used_and_for_nothing_else() -> None:
    async with rigged() as rig:
        await rig.deliver(effect())
        rig.refs.kept.clear()
        await rig.deliver(later(EffectKind.ESCALATED, 2), attempt=2)
        await rig.sandbox.click(rig.root(), "statement")
        used = {SCOPE[call.method] for call in rig.sandbox.calls} - {None}
    assert set(manifest()["oauth_config"]["scopes"]["bot"]) == used


def test_the_app_needs_no_public_address() -> None:
    settings = manifest()["settings"]
    assert settings["socket_mode_enabled"] is True
    assert settings["interactivity"] == {"is_enabled": True}
    assert manifest()["features"]["bot_user"]["display_name"] == "Sentinel"


def test_every_failure_and_log_event_of_slack_is_documented() -> None:
    page = (ROOT / "docs/slack.md").read_text(encoding="utf-8")
    package = ROOT / "sentinel/notify/slack"
    source = "\n".join(path.read_text(encoding="utf-8") for path in package.glob("*.py"))
    reasons = set(re.findall(r'reason="(\w+)"', source)) - {"signature", "malformed"}
    warnings = set(re.findall(r'log\.warning\(\s*"(\w+)"', source))
    for word in reasons | warnings:
        assert f"`{word}`" in page, word


def test_the_sandbox_of_the_page_is_the_sandbox_of_the_program() -> None:
    page = (ROOT / "docs/slack.md").read_text(encoding="utf-8")
    sandbox = SlackSandbox()
    for value in (sandbox.bot_token, sandbox.app_token, sandbox.signing_secret):
        assert f'"{value}"' in page


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"type": "slack", "channel": "#crisis"}, "bot_token"),
        ({"type": "slack", "bot_token": "x", "channel": ""}, "$.channel"),
        ({"type": "slack", "bot_token": "x", "channel": "#c", "chanel": 1}, "chanel"),
        ({"type": "slack", "bot_token": "x", "channel": "#c", "timeout_seconds": 0}, "$.timeout"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict, place: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(settings, SlackConfig)
    assert place in str(caught.value)


# --- nothing that people said, and no token, in the logs -----------------------------------------


@pytest.mark.parametrize("kind", list(FaultKind))
async def test_neither_words_nor_tokens_reach_an_error_or_a_log(kind: FaultKind) -> None:
    async with rigged() as rig:
        rig.sandbox.faults.add(Fault(kind, times=0))
        with capture_logs() as logs, pytest.raises(errors.SlackError) as caught:
            await rig.deliver(effect())
        said = f"{caught.value} {logs}"
        assert "xoxb" not in said
        assert "Aurora" not in said


def test_the_library_may_complain_but_not_quote() -> None:
    with capture_logs() as logs:
        library_logger().error("Received %s", "what a mention says")
        error = SlackApiError("what a mention says", AsyncSlackResponse(**ANSWER))
        library_logger().error("Failed: what a mention says", exc_info=error)
        library_logger().warning("below the level")
    assert [(entry["error"], entry["code"]) for entry in logs] == [
        ("", ""),
        ("SlackApiError", "invalid_auth"),
    ]
    assert "mention says" not in str(logs)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8090/api/", True),
        ("http://localhost/api/", True),
        ("http://[::1]:1/", True),
        ("https://slack.com/api/", False),
        ("https://127.0.0.1.example/", False),
    ],
)
def test_a_proxy_is_passed_by_only_for_this_machine(url: str, here: bool) -> None:
    assert is_loopback(url) is here


async def test_a_closed_notifier_can_be_used_again() -> None:
    async with rigged() as rig:
        notifier = SlackNotifier(rig.config, Context(), MemoryRefs(), SystemClock())
        await notifier.close()
        await notifier.deliver(Notice("k", effect()))
        await notifier.close()
        rig.root()
