from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web

from sentinel.errors import NotifyError
from sentinel.model import Direction, Effect, EffectKind, Severity
from sentinel.notify.base import Notice, Notifier
from sentinel.notify.pagerduty import PagerDutyConfig, PagerDutyNotifier
from tests.fakes.pagerduty import KEY, FakePagerDuty, pagerduty_server
from tests.notify.aurora import INCIDENT, Context, change, effect, quote, said


@pytest.fixture
async def pagerduty() -> AsyncIterator[FakePagerDuty]:
    async with pagerduty_server() as fake:
        yield fake


async def send(base_url: str, *effects: Effect, **settings: Any) -> None:
    config = PagerDutyConfig(routing_key=KEY, base_url=base_url, **settings)
    notifier = PagerDutyNotifier(config, Context())
    try:
        for one in effects or (effect(),):
            await notifier.deliver(Notice(f"{one.id}@pagerduty", one))
    finally:
        await notifier.close()


async def failure(base_url: str, **settings: Any) -> NotifyError:
    with pytest.raises(NotifyError) as failed:
        await send(base_url, **settings)
    return failed.value


async def test_a_page_triggers_an_alert_that_says_what_happened(pagerduty: FakePagerDuty) -> None:
    await send(pagerduty.base_url)
    (event,) = pagerduty.events
    details = event["payload"].pop("custom_details")
    assert event == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "aurora-1",
        "payload": {
            "summary": said().fallback,
            "source": "sentinel",
            "severity": "error",
            "timestamp": "2026-11-22T21:40:00.000+00:00",
            "component": "brand:aurora",
            "group": "crisis",
            "class": "executive-statement",
        },
        "client": "Sentinel",
        "client_url": "http://127.0.0.1:8080/incidents/aurora-1",
        "links": [{"href": "http://127.0.0.1:8080/incidents/aurora-1", "text": "Sentinel"}],
    }
    assert details == {
        "mentions": 1412,
        "expected": 38.2,
        "window_minutes": 15.0,
        "negative_share": 0.712,
        "usual_negative_share": 0.22,
        "levels": [],
        "unread": 0,
        "playbook": "executive-statement",
        "wave": 1,
        "text": said().plain_text(),
    }


async def test_an_alert_is_acknowledged_and_resolved_with_its_storyline(
    pagerduty: FakePagerDuty,
) -> None:
    told = (effect(), effect(EffectKind.ESCALATED), effect(EffectKind.ACKNOWLEDGED))
    await send(pagerduty.base_url, *told)
    assert pagerduty.alerts == {"aurora-1": ["acknowledged"]}
    await send(pagerduty.base_url, effect(EffectKind.RESOLVED))
    assert pagerduty.alerts == {"aurora-1": ["resolved"]}
    assert pagerduty.events[-1] == {
        "routing_key": KEY,
        "event_action": "resolve",
        "dedup_key": "aurora-1",
    }
    await send(pagerduty.base_url, effect(EffectKind.RETURNED))
    assert pagerduty.alerts == {"aurora-1": ["resolved", "triggered"]}


async def test_a_false_alarm_stops_the_ringing(pagerduty: FakePagerDuty) -> None:
    await send(pagerduty.base_url, effect(), effect(EffectKind.FALSE_ALARM))
    assert pagerduty.alerts == {"aurora-1": ["resolved"]}


async def test_a_repeated_attempt_opens_no_second_alert(pagerduty: FakePagerDuty) -> None:
    await send(pagerduty.base_url, effect(), effect())
    assert pagerduty.alerts == {"aurora-1": ["triggered"]}


@pytest.mark.parametrize(
    ("direction", "severity", "expected"),
    [
        (Direction.THREAT, Severity.LOW, "info"),
        (Direction.THREAT, Severity.MEDIUM, "warning"),
        (Direction.THREAT, Severity.HIGH, "error"),
        (Direction.THREAT, Severity.CRITICAL, "critical"),
        (Direction.OPPORTUNITY, Severity.CRITICAL, "info"),
    ],
)
async def test_severities_are_pagerdutys(
    pagerduty: FakePagerDuty, direction: Direction, severity: Severity, expected: str
) -> None:
    incident = change(INCIDENT, direction=direction, severity=severity)
    await send(pagerduty.base_url, effect(incident=incident))
    assert pagerduty.events[0]["payload"]["severity"] == expected


async def test_a_drill_is_told_apart(pagerduty: FakePagerDuty) -> None:
    incident = change(INCIDENT, drill=True)
    await send(pagerduty.base_url, effect(incident=incident))
    payload = pagerduty.events[0]["payload"]
    assert payload["group"] == "drill"
    assert payload["summary"] == said(effect(incident=incident)).fallback != said().fallback


async def test_hostile_words_arrive_within_the_limits(pagerduty: FakePagerDuty) -> None:
    incident = change(
        INCIDENT,
        id="i" * 400,
        brand_name="\ud800" * 3000,
        first_post=quote(1, "\ud800\0" * 9000),
    )
    await send(pagerduty.base_url, effect(incident=incident))
    (event,) = pagerduty.events
    assert len(event["payload"]["summary"]) <= 1024
    assert len(event["dedup_key"]) == 255


def test_only_pages_and_what_closes_them_are_wanted() -> None:
    notifier: Notifier = PagerDutyNotifier(PagerDutyConfig(routing_key=KEY), Context())
    quiet = {
        kind
        for kind in EffectKind
        if notifier.wants(msgspec.structs.replace(effect(kind), page=False))
    }
    assert quiet == {EffectKind.ACKNOWLEDGED, EffectKind.RESOLVED, EffectKind.FALSE_ALARM}
    assert notifier.wants(effect(EffectKind.ESCALATED))
    assert not notifier.wants(Effect("ops:1", EffectKind.SOURCE_SILENT, 0.0, page=True))
    assert notifier.lane(effect()) == "aurora-1"


async def test_an_operational_effect_is_quietly_left_out(pagerduty: FakePagerDuty) -> None:
    await send(pagerduty.base_url, Effect("ops:1", EffectKind.SOURCE_SILENT, 0.0, page=True))
    assert pagerduty.events == []


@pytest.mark.parametrize(
    ("status", "headers", "reason", "permanent", "retry_after"),
    [
        (400, {}, "rejected", True, None),
        (401, {}, "misconfigured", True, None),
        (404, {}, "misconfigured", True, None),
        (302, {"Location": "http://127.0.0.1:9/"}, "misconfigured", True, None),
        (429, {}, "rate_limited", False, 120.0),
        (429, {"Retry-After": "37"}, "rate_limited", False, 37.0),
        (429, {"Retry-After": "soon"}, "rate_limited", False, 120.0),
        (500, {}, "server_error", False, None),
        (503, {"Retry-After": "9"}, "server_error", False, 9.0),
    ],
)
async def test_each_refusal_means_what_pagerduty_says(
    pagerduty: FakePagerDuty,
    status: int,
    headers: dict[str, str],
    reason: str,
    permanent: bool,
    retry_after: float | None,
) -> None:
    pagerduty.answers = [web.Response(status=status, headers=headers, text="<html>no</html>")]
    error = await failure(pagerduty.base_url)
    assert (error.reason, error.permanent, error.retry_after) == (reason, permanent, retry_after)
    assert KEY not in str(error)


async def test_the_operator_reads_why_an_event_was_refused(pagerduty: FakePagerDuty) -> None:
    refusal = {"message": "Event object is invalid", "errors": ["'summary' is missing"]}
    pagerduty.answers = [web.json_response(refusal, status=400)]
    error = await failure(pagerduty.base_url)
    assert str(error) == "answered 400: Event object is invalid; 'summary' is missing"


async def test_no_answer_in_time_is_a_timeout(pagerduty: FakePagerDuty) -> None:
    pagerduty.answers = ["hang"]
    error = await failure(pagerduty.base_url, timeout_seconds=0.1)
    assert (error.reason, error.permanent) == ("timeout", False)


async def test_a_connection_that_is_reset_may_be_tried_again(pagerduty: FakePagerDuty) -> None:
    pagerduty.answers = ["reset"]
    error = await failure(pagerduty.base_url)
    assert (error.reason, error.permanent) == ("unreachable", False)


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert (await failure(f"http://127.0.0.1:{port}")).reason == "unreachable"


def test_settings_are_strict_and_tagged() -> None:
    config = msgspec.convert({"type": "pagerduty", "routing_key": KEY}, PagerDutyConfig)
    assert (config.name, config.base_url) == ("pagerduty", "https://events.pagerduty.com")
    wrong: list[dict[str, Any]] = [{"routing_key": "short"}, {"colour": 1}, {"base_url": "ftp://x"}]
    for each in wrong:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"type": "pagerduty", "routing_key": KEY} | each, PagerDutyConfig)
