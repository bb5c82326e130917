"""Pages through PagerDuty's Events API v2: one alert a storyline, acknowledged and resolved with it.

What lives here: the settings, the event's payload, what each answer means. What does not: wording (``message``), retries (``outbox``).

The incident's id is the ``dedup_key``: a repeated trigger updates the open alert, so every attempt may safely be made again.
https://developer.pagerduty.com/docs/events-api-v2/overview/
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import aiohttp
import msgspec

from sentinel.errors import NotifyError
from sentinel.model import Direction, Effect, EffectKind, Incident, Severity
from sentinel.notify.base import Notice, NotifyContext
from sentinel.notify.worded import incident_address, worded

SUMMARY_CHARACTERS = 1024
DEDUP_KEY_CHARACTERS = 255
RATE_LIMIT_SECONDS = 120.0
"""PagerDuty's advice after 429 is "a few minutes"."""

ANSWER_BYTES = 4096

CLOSING = {
    EffectKind.ACKNOWLEDGED: "acknowledge",
    EffectKind.RESOLVED: "resolve",
    EffectKind.FALSE_ALARM: "resolve",
}

_SEVERITY = {
    Severity.LOW: "info",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "critical",
}


class PagerDutyConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="pagerduty"
):
    """Settings of ``[[notifiers]] type = "pagerduty"``.

    Attributes:
        routing_key: The integration key of an Events API v2 integration, 32 characters.
        name: A metric label.
        base_url: Where the API is; the EU service region has its own.
        source: What PagerDuty shows as the affected system.
        timeout_seconds: For one call, from connecting to the last byte.
    """

    routing_key: Annotated[str, msgspec.Meta(min_length=32, max_length=32)]
    name: Annotated[str, msgspec.Meta(min_length=1)] = "pagerduty"
    base_url: Annotated[str, msgspec.Meta(pattern="^https?://")] = "https://events.pagerduty.com"
    source: Annotated[str, msgspec.Meta(min_length=1)] = "sentinel"
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 10.0


class PagerDutyNotifier:
    """Calls people through PagerDuty.

    Args:
        config: Its settings.
        context: Brands, playbooks and the rota.
    """

    def __init__(self, config: PagerDutyConfig, context: NotifyContext) -> None:
        self.name = config.name
        self._config, self._context = config, context
        self._session: aiohttp.ClientSession | None = None

    def wants(self, effect: Effect) -> bool:
        """Pages of incidents, and what closes them. Silent sources are the monitoring's affair."""
        return effect.incident is not None and (effect.page or effect.kind in CLOSING)

    def lane(self, effect: Effect) -> str:
        """The storyline: its trigger goes before its resolution."""
        return effect.incident.id if effect.incident is not None else ""

    async def deliver(self, notice: Notice) -> None:
        """Send the event.

        Raises:
            NotifyError: PagerDuty did not take it.
        """
        incident = notice.effect.incident
        if incident is None:
            return
        url = f"{self._config.base_url.rstrip('/')}/v2/enqueue"
        try:
            async with self._client().post(
                url,
                data=msgspec.json.encode(self.event(notice.effect, incident)),
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                if response.status // 100 != 2:
                    raise _refused(response, await response.content.read(ANSWER_BYTES))
        except TimeoutError as error:
            raise NotifyError("no answer in time", reason="timeout") from error
        except (aiohttp.ClientError, OSError) as error:
            raise NotifyError(
                f"cannot be reached ({type(error).__name__})", reason="unreachable"
            ) from error

    async def close(self) -> None:
        """Give connections back."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._config.timeout_seconds)
            )
        return self._session

    def event(self, effect: Effect, incident: Incident) -> dict[str, Any]:
        """The event of an effect: acknowledge, resolve, or trigger with everything PagerDuty shows."""
        event: dict[str, Any] = {
            "routing_key": self._config.routing_key,
            "event_action": CLOSING.get(effect.kind, "trigger"),
            "dedup_key": incident.id[:DEDUP_KEY_CHARACTERS],
        }
        if effect.kind in CLOSING:
            return event
        alert = worded(effect, self._context)
        evidence = incident.evidence
        severity = _SEVERITY[incident.severity]
        event["payload"] = {
            "summary": _storable(alert.fallback)[:SUMMARY_CHARACTERS],
            "source": self._config.source,
            "severity": "info" if incident.direction is Direction.OPPORTUNITY else severity,
            "timestamp": datetime.fromtimestamp(effect.at, UTC).isoformat(timespec="milliseconds"),
            "component": f"brand:{incident.brand}",
            "group": "drill" if incident.drill else "crisis",
            "class": incident.kind,
            "custom_details": {
                "mentions": evidence.mentions,
                "expected": round(evidence.expected, 1),
                "window_minutes": evidence.window_seconds / 60,
                "negative_share": round(evidence.negative_share, 3),
                "usual_negative_share": round(evidence.usual_negative_share, 3),
                "levels": [msgspec.to_builtins(level) for level in incident.levels],
                "unread": evidence.unread,
                "playbook": incident.playbook.playbook if incident.playbook.matched else "",
                "wave": incident.wave,
                "text": _storable(alert.plain_text()),
            },
        }
        event["client"] = "Sentinel"
        if address := incident_address(effect, self._context):
            event["client_url"] = address
            event["links"] = [{"href": address, "text": "Sentinel"}]
        return event


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _refused(response: aiohttp.ClientResponse, body: bytes) -> NotifyError:
    """What an answer other than 2xx means; the body's words are for the operator."""
    status = response.status
    said = f"answered {status}{_reason(body)}"
    if status == 429:
        return NotifyError(said, reason="rate_limited", retry_after=_retry_after(response))
    if status >= 500:
        return NotifyError(said, reason="server_error", retry_after=_retry_after(response, 0.0))
    if status == 400:
        return NotifyError(said, reason="rejected", permanent=True)
    # 401, 403, 404 and redirects: a wrong key or address, which no further attempt will mend.
    return NotifyError(said, reason="misconfigured", permanent=True)


def _retry_after(
    response: aiohttp.ClientResponse, default: float = RATE_LIMIT_SECONDS
) -> float | None:
    try:
        asked = float(response.headers.get("Retry-After", default))
    except ValueError:
        asked = default
    return asked if 0 < asked < float("inf") else None


class _Answer(msgspec.Struct):
    message: str = ""
    errors: tuple[str, ...] = ()


def _reason(body: bytes) -> str:
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except msgspec.DecodeError:
        return ""
    words = "; ".join((answer.message, *answer.errors)).strip("; ")
    return f": {words[:200]}" if words else ""
