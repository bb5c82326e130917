"""What people say that posts are: from a form or JSON to a ``Word``, and the API's part of it.

What lives here: checks of what was sent, ``/api/v1/labels``. What does not: the page (``pages``), and what follows from a word
(``sentinel.learning``).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

from sentinel.language.corrections import Layer
from sentinel.language.labels import WORDS, Label, Word, tally
from sentinel.model import Sighting
from sentinel.notify.safe_text import clean
from sentinel.store.unit import LabelRow
from sentinel.web.api import (
    MAX_COMMAND_BYTES,
    SESSION,
    error_response,
    limit_of,
    respond,
    to_json,
    to_rfc3339,
)
from sentinel.web.backend import Backend
from sentinel.web.commands import ID_CHARACTERS, CommandError

DRAWN_SHOWN = 10
NAME_CHARACTERS = 60


class WordRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of a post.

    Attributes:
        source, mention_id: The post's identity.
        label: One of ``labels.WORDS``; the one that Sentinel gave confirms it.
        drawn: Sentinel drew the post (``/api/v1/labels/draw``) and asked.
        id: Idempotency key: the same id counts once. Empty for a new one.
        actor: Name of who says it; empty for the session's.
    """

    brand: str
    source: str
    mention_id: str
    label: str
    drawn: bool = False
    id: str = ""
    actor: str = ""


class WithdrawRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who takes a word back; empty for the session's name."""

    actor: str = ""


def make_word(asked: WordRequest, backend: Backend, *, actor: str, via: str) -> Word:
    """A word that the learner may be given.

    Args:
        asked: What the person sent.
        backend: Knows the brands.
        actor: Name to use where the request gives none.
        via: ``page`` or ``api``.

    Raises:
        CommandError: Something does not fit; the message is for the person who sent it.
    """
    if asked.label not in WORDS:
        raise CommandError(f"label: one of {', '.join(WORDS)}")
    if backend.brand(asked.brand) is None:
        raise CommandError("brand: no brand of that id")
    if len(asked.id) > ID_CHARACTERS or not asked.id.isprintable():
        raise CommandError(f"id: at most {ID_CHARACTERS} printable characters")
    return Word(
        id=f"{via}:{asked.id or secrets.token_urlsafe(12)}",
        brand=asked.brand,
        source=asked.source,
        mention_id=asked.mention_id,
        corrected=asked.label,
        by=clean(asked.actor, NAME_CHARACTERS) or actor or via,
        via=via,
        drawn=asked.drawn,
    )


def judging_routes(backend: Backend) -> list[web.RouteDef]:
    """The API's routes about labels."""
    api = _Api(backend)
    return [
        web.get("/api/v1/labels", api.listed),
        web.post("/api/v1/labels", api.judge),
        web.get("/api/v1/labels/draw", api.draw),
        web.post("/api/v1/labels/{label_id}/withdraw", api.withdraw),
    ]


class _Api:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def listed(self, request: web.Request) -> web.Response:
        try:
            limit = limit_of(request)
        except ValueError as error:
            return error_response(400, "bad_request", str(error))
        brand = request.query.get("brand", "")
        rows = await self._backend.label_history(brand, limit)
        return respond(
            {
                "labels": [_row(row) for row in rows],
                "layers": [_layer(layer) for layer in self._backend.layers()],
                "counts": _counts(await self._backend.labels(brand)),
            }
        )

    async def draw(self, request: web.Request) -> web.Response:
        brand = request.query.get("brand", "")
        if self._backend.brand(brand) is None:
            return error_response(400, "bad_request", "brand: no brand of that id")
        drawn = await self._backend.draw(brand, DRAWN_SHOWN)
        return respond({"mentions": [_mention(one) for one in drawn]})

    async def judge(self, request: web.Request) -> web.Response:
        asked = await self._read(request, WordRequest)
        if isinstance(asked, web.Response):
            return asked
        try:
            word = make_word(asked, self._backend, actor=_name(request), via="api")
        except CommandError as error:
            return error_response(400, "bad_request", str(error))
        label = await self._backend.judge(word)
        if label is None:
            return error_response(404, "not_found", "no such mention of that brand")
        return respond({"label": _label(label)})

    async def withdraw(self, request: web.Request) -> web.Response:
        asked = await self._read(request, WithdrawRequest)
        if isinstance(asked, web.Response):
            return asked
        label_id = request.match_info["label_id"]
        by = clean(asked.actor, NAME_CHARACTERS) or _name(request) or "api"
        if not await self._backend.withdraw(label_id, by):
            return error_response(404, "not_found", "no label of that id is in force")
        return respond({"withdrawn": label_id})

    async def _read(self, request: web.Request, kind: type[Any]) -> Any:
        if request.content_type != "application/json":
            # As for commands: a foreign page's form cannot send this type without asking first.
            return error_response(415, "unsupported", "send application/json")
        try:
            body = await request.clone(client_max_size=MAX_COMMAND_BYTES).read()
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return error_response(400, "bad_request", str(error))


def _name(request: web.Request) -> str:
    session = request.get(SESSION)
    return session.name if session else ""


def _label(label: Label) -> dict[str, Any]:
    return {
        "id": label.id,
        "brand": label.brand,
        "source": label.source,
        "mention_id": label.mention_id,
        "language": label.language,
        "label": label.corrected,
        "predicted": label.predicted,
        "probabilities": label.probabilities,
        "base": label.base,
        "model_id": label.model_id,
        "drawn": label.drawn,
        "by": label.by,
        "via": label.via,
        "at": to_rfc3339(label.at),
    }


def _row(row: LabelRow) -> dict[str, Any]:
    if row.withdrawn_at is None:
        return _label(row.label)
    taken = {"withdrawn_by": row.withdrawn_by, "withdrawn_at": to_rfc3339(row.withdrawn_at)}
    return {**_label(row.label), **taken}


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "model_id": layer.group.model_id,
        "brand": layer.group.brand,
        "language": layer.group.language,
        "version": layer.version,
        "labels": layer.labels,
        "judges": layer.judges,
        "outcome": layer.outcome.value,
        "log_loss": {"scorer": layer.log_loss[0], "layer": layer.log_loss[1]},
        "macro_f1": {"scorer": layer.macro_f1[0], "layer": layer.macro_f1[1]},
    }


def _counts(labels: Sequence[Label]) -> list[dict[str, Any]]:
    return [
        {"brand": brand, "language": language, "predicted": said, "label": truth, "count": number}
        for (brand, language), counts in sorted(tally(labels).items())
        for (said, truth), number in sorted(counts.items())
    ]


def _mention(sighting: Sighting) -> dict[str, Any]:
    found: dict[str, Any] = to_json(sighting.mention)
    return {**found, "label": sighting.verdict.label}
