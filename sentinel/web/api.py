"""The JSON API under ``/api/v1``: incidents, commands, sources, the outbox.

What lives here: routes, and how values look as JSON. What does not: who may ask (``server``), pages (``pages``).

Times are RFC 3339 in UTC. A field that is absent has its default (empty, zero, false, none). Errors are
``{"error": {"code", "message"}}``.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from sentinel.model import Incident
from sentinel.store.unit import OutboxEntry, OutboxState
from sentinel.web.backend import Backend, IncidentQuery
from sentinel.web.commands import CommandError, CommandRequest, make_command
from sentinel.web.session import Session

SESSION = web.RequestKey("session", Session)
"""The caller's session; absent for a bearer token."""

MAX_COMMAND_BYTES = 16_384
MAX_LIMIT = 500
_TIMES = frozenset(
    {
        *("at", "start", "since", "published_at", "received_at", "created_at", "onset_at"),
        *("opened_at", "detected_at", "updated_at", "acknowledged_at", "snoozed_until"),
        *("resolved_at", "due_at", "done_at", "not_before", "last_event_at"),
    }
)


def api_routes(backend: Backend) -> list[web.RouteDef]:
    """All routes of the API."""
    api = _Api(backend)
    return [
        web.get("/api/v1/incidents", api.incidents),
        web.get("/api/v1/incidents/{incident_id}", api.incident),
        web.post("/api/v1/incidents/{incident_id}/commands", api.command),
        web.get("/api/v1/sources", api.sources),
        web.get("/api/v1/outbox", api.outbox),
        web.post("/api/v1/outbox/{entry_id}/retry", api.retry),
    ]


def to_json(value: object) -> Any:
    """A value as JSON-ready built-ins, its times as RFC 3339."""
    return _with_times(msgspec.to_builtins(value))


def error_response(status: int, code: str, message: str) -> web.Response:
    """An error as every route of the API says it."""
    return respond({"error": {"code": code, "message": message}}, status)


class _Api:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def incidents(self, request: web.Request) -> web.Response:
        state = request.query.get("state", "open")
        if state not in {"open", "resolved", "all"}:
            return error_response(400, "bad_request", "state: open, resolved or all")
        try:
            before = request.query.get("before")
            query = IncidentQuery(
                open={"open": True, "resolved": False, "all": None}[state],
                brand=request.query.get("brand", ""),
                before=parse_time(before) if before else None,
                limit=limit_of(request),
            )
        except ValueError as error:
            return error_response(400, "bad_request", str(error))
        found = await self._backend.incidents(query)
        return respond({"incidents": [_summary(incident) for incident in found]})

    async def incident(self, request: web.Request) -> web.Response:
        incident_id = request.match_info["incident_id"]
        incident = await self._backend.incident(incident_id)
        if incident is None:
            return _no_incident()
        timeline = await self._backend.timeline(incident_id)
        commands = await self._backend.commands(incident_id)
        return respond(
            {
                "incident": _incident(incident),
                "timeline": [
                    to_json(msgspec.structs.replace(effect, incident=None, bundle=b""))
                    for effect in timeline
                ],
                "commands": to_json(commands),
            }
        )

    async def command(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            # A foreign page's form cannot send this type without asking first: it keeps forgers out.
            return error_response(415, "unsupported", "send application/json")
        incident = await self._backend.incident(request.match_info["incident_id"])
        if incident is None:
            return _no_incident()
        session = request.get(SESSION)
        try:
            body = await request.clone(client_max_size=MAX_COMMAND_BYTES).read()
            asked = msgspec.json.decode(body, type=CommandRequest)
            command = make_command(
                asked, incident, self._backend, actor=session.name if session else "", via="api"
            )
        except (msgspec.MsgspecError, CommandError, UnicodeDecodeError) as error:
            return error_response(400, "bad_request", str(error))
        after = await self._backend.submit(command)
        if after is None:
            return _no_incident()
        return respond({"command": to_json(command), "incident": _incident(after)})

    async def sources(self, _request: web.Request) -> web.Response:
        return respond({"sources": to_json(self._backend.sources())})

    async def outbox(self, request: web.Request) -> web.Response:
        try:
            state = OutboxState(request.query.get("state", OutboxState.DEAD.value))
            limit = limit_of(request)
        except ValueError as error:
            return error_response(400, "bad_request", str(error))
        entries = await self._backend.outbox_list(state, limit)
        return respond({"outbox": [_notice(entry) for entry in entries]})

    async def retry(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return error_response(415, "unsupported", "send application/json")
        if not await self._backend.outbox_revive(request.match_info["entry_id"]):
            return error_response(404, "not_found", "no dead notice of that id")
        return respond({"retried": request.match_info["entry_id"]})


def _summary(incident: Incident) -> dict[str, Any]:
    """An incident in a list: without its series and posts."""
    small = msgspec.structs.replace(
        incident, series=(), quotes=(), first_post=None, kinds=(), path=(), checklist=()
    )
    return _incident(small)


def _incident(incident: Incident) -> dict[str, Any]:
    found: dict[str, Any] = to_json(incident)
    return {**found, "severity": incident.severity.slug, "open": incident.open}


def _notice(entry: OutboxEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "notifier": entry.notifier,
        "lane": entry.lane,
        "kind": entry.effect.kind.value,
        "brand": entry.effect.brand,
        "incident_id": entry.effect.incident.id if entry.effect.incident else "",
        "state": entry.state.value,
        "attempts": entry.attempts,
        "created_at": to_rfc3339(entry.created_at),
        "not_before": to_rfc3339(entry.not_before),
        "last_error": entry.last_error,
    }


def limit_of(request: web.Request) -> int:
    """How many are asked for.

    Raises:
        ValueError: No number, or out of bounds.
    """
    text = request.query.get("limit", "50")
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:6]) <= MAX_LIMIT:
        raise ValueError(f"limit: a number from 1 to {MAX_LIMIT}")
    return int(text)


def _no_incident() -> web.Response:
    return error_response(404, "not_found", "no incident of that id")


def respond(value: object, status: int = 200) -> web.Response:
    """An answer in JSON."""
    return web.Response(
        status=status, body=msgspec.json.encode(value), content_type="application/json"
    )


def _with_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: to_rfc3339(item)
            if key in _TIMES and isinstance(item, (int, float))
            else _with_times(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_with_times(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def to_rfc3339(epoch: float) -> str | None:
    """A moment in UTC; None for what is no moment."""
    try:
        moment = datetime.fromtimestamp(epoch, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> float:
    """Epoch seconds of RFC 3339 or of a plain number.

    Raises:
        ValueError: It is neither.
    """
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("before: a time in RFC 3339 with its zone, or epoch seconds") from None
    if moment.tzinfo is None:
        raise ValueError("before: a time in RFC 3339 with its zone, or epoch seconds")
    return moment.timestamp()
