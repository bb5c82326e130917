"""The pages: overview, incident, archive search, playbooks, dead letters, login.

What lives here: routes, what each page is given, and forms. What does not: words (``texts``, ``notify.message``), mark-up
(``templates/``), who may come in (``server``, ``session``).

Templates escape everything; what a stranger wrote is cleaned first (``notify.safe_text``), and only ``http`` and
``https`` addresses become links (``notify.story.safe_url``).
"""

from __future__ import annotations

import secrets
from importlib import resources
from typing import Any
from urllib.parse import urlencode

import aiohttp_jinja2
import jinja2
import msgspec
from aiohttp import web

from sentinel.errors import StoreError
from sentinel.i18n import LANGUAGES
from sentinel.language.labels import WORDS
from sentinel.model import Action, Sighting
from sentinel.notify.judging import posts
from sentinel.store.unit import OutboxState
from sentinel.web import views
from sentinel.web.api import SESSION
from sentinel.web.backend import Backend, IncidentQuery, SearchQuery
from sentinel.web.chart import chart
from sentinel.web.commands import CommandError, CommandRequest, make_command
from sentinel.web.judging import DRAWN_SHOWN, WordRequest, make_word
from sentinel.web.session import CSRF_FIELD, Gate, Session
from sentinel.web.settings import WebConfig
from sentinel.web.texts import Texts

LANGUAGE_COOKIE = "sentinel_language"
MAX_FORM_BYTES = 65_536
SNOOZES = (1800, 3600, 7200, 4 * 3600, 12 * 3600)
PERIODS = (1, 7, 30, 90, 365)
OPEN_SHOWN, RESOLVED_SHOWN, FOUND_SHOWN, DEAD_SHOWN, SAID_SHOWN = 100, 15, 50, 200, 50
QUERY_CHARACTERS = 200
_DAY = 86_400.0


class Pages:
    """All pages of one application."""

    def __init__(self, backend: Backend, config: WebConfig, gate: Gate) -> None:
        self._backend, self._config, self._gate = backend, config, gate

    def routes(self) -> list[web.AbstractRouteDef]:
        """Routes of the pages and of their style sheet and script."""
        static = resources.files("sentinel.web").joinpath("static")
        with resources.as_file(static) as folder:
            assets = web.static("/static", folder)
        return [
            web.get("/", self.overview),
            web.get("/incidents/{incident_id}", self.incident),
            web.post("/incidents/{incident_id}", self.act),
            web.get("/search", self.search),
            web.get("/playbooks", self.playbooks),
            web.get("/playbooks/{playbook_id}", self.playbook),
            web.get("/judging", self.judging),
            web.post("/judging", self.judge),
            web.get("/outbox", self.outbox),
            web.post("/outbox", self.revive),
            web.get("/login", self.login_form),
            web.post("/login", self.login),
            web.post("/logout", self.logout),
            assets,
        ]

    def set_up(self, app: web.Application) -> None:
        """Make the templates known to the application."""
        aiohttp_jinja2.setup(
            app,
            loader=jinja2.PackageLoader("sentinel.web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    # --- reading ---------------------------------------------------------------------------------

    async def overview(self, request: web.Request) -> web.Response:
        """What is going on, and whether Sentinel itself is well; of one segment's brands where asked for."""
        brands = self._backend.brands()
        segments = sorted({brand.segment for brand in brands if brand.segment})
        segment = request.query.get("segment", "")
        segment = segment if segment in segments else ""
        shown = {brand.id for brand in brands if not segment or brand.segment == segment}
        found = await self._backend.incidents(IncidentQuery(open=True, limit=OPEN_SHOWN))
        resolved = await self._backend.incidents(IncidentQuery(open=False, limit=RESOLVED_SHOWN))
        budgets = await self._backend.budgets()
        dead = await self._backend.outbox_list(OutboxState.DEAD, DEAD_SHOWN)
        language = self._language(request)
        return self._render(
            request,
            "overview.html",
            incidents=[
                views.card(self._backend, one, language)
                for one in found
                if not segment or one.brand in shown
            ],
            resolved=[
                views.card(self._backend, one, language)
                for one in resolved
                if not segment or one.brand in shown
            ],
            sources=self._backend.sources(),
            budgets=[budget for budget in budgets if budget.brand in shown],
            dead=len(dead),
            brands=[brand for brand in brands if brand.id in shown],
            names={brand.id: brand.name for brand in brands},
            segments=segments,
            segment=segment,
        )

    async def incident(self, request: web.Request) -> web.Response:
        """One incident: the alert, what to do, what was done."""
        return await self._incident_page(request, request.match_info["incident_id"])

    async def _incident_page(
        self, request: web.Request, incident_id: str, problem: str = "", status: int = 200
    ) -> web.Response:
        incident = await self._backend.incident(incident_id)
        if incident is None:
            raise web.HTTPNotFound
        language = self._language(request)
        view = views.card(self._backend, incident, language)
        shown = posts(incident)
        timeline = await self._backend.timeline(incident_id)
        commands = await self._backend.commands(incident_id)
        title = Texts(language, view.message.timezone).gettext(
            "Mentions over time, the negative ones among them, and what is usual"
        )
        return self._render(
            request,
            "incident.html",
            status=status,
            timezone=view.message.timezone,
            view=view,
            incident=incident,
            message=view.message,
            picture=chart(incident.series, view.message.labels, title),
            timeline=views.timeline(self._backend, timeline, language, view.message.timezone),
            commands=views.command_rows(commands, language, view.message.timezone),
            playbooks=self._backend.playbooks(),
            snoozes=SNOOZES,
            posts=shown,
            said=await self._backend.labels_on(
                incident.brand, [(quote.source, quote.mention_id) for quote in shown.values()]
            ),
            judgements=WORDS,
            problem=problem,
            action=Action,
        )

    async def search(self, request: web.Request) -> web.Response:
        """The archive."""
        days = request.query.get("days", "30")
        days = days if days in {str(period) for period in PERIODS} else "30"
        now = self._backend.clock.now()
        query = SearchQuery(
            text=request.query.get("q", "")[:QUERY_CHARACTERS].replace("\x00", " ").strip(),
            brand=request.query.get("brand", ""),
            source=request.query.get("source", ""),
            since=now - int(days) * _DAY,
            before=_number(request.query.get("before", "")),
            limit=FOUND_SHOWN,
        )
        asked = any(key in request.query for key in ("q", "brand", "source"))
        found = await self._backend.search(query) if asked else ()
        older = ""
        if len(found) == FOUND_SHOWN:
            kept = {"q": query.text, "brand": query.brand, "source": query.source, "days": days}
            older = "/search?" + urlencode({**kept, "before": found[-1].mention.published_at})
        return self._render(
            request,
            "search.html",
            query=query,
            days=int(days),
            periods=PERIODS,
            asked=asked,
            found=[self._found(request, sighting) for sighting in found],
            older=older,
            brands=self._backend.brands(),
            sources=self._backend.sources(),
        )

    async def playbooks(self, request: web.Request) -> web.Response:
        """All plans."""
        return self._render(request, "playbooks.html", playbooks=self._backend.playbooks())

    async def playbook(self, request: web.Request) -> web.Response:
        """One plan."""
        playbook = self._backend.playbook(request.match_info["playbook_id"])
        if playbook is None:
            raise web.HTTPNotFound
        return self._render(request, "playbook.html", playbook=playbook)

    async def outbox(self, request: web.Request) -> web.Response:
        """Notices that were given up, and those that wait."""
        dead = await self._backend.outbox_list(OutboxState.DEAD, DEAD_SHOWN)
        pending = await self._backend.outbox_list(OutboxState.PENDING, DEAD_SHOWN)
        return self._render(request, "outbox.html", dead=dead, pending=pending)

    async def judging(self, request: web.Request) -> web.Response:
        """What people said that posts are, what came of it, and posts to judge."""
        return await self._judging_page(request, request.query.get("brand", ""))

    async def _judging_page(
        self, request: web.Request, brand_id: str, problem: str = "", status: int = 200
    ) -> web.Response:
        brand = self._backend.brand(brand_id)
        drawn = await self._backend.draw(brand.id, DRAWN_SHOWN) if brand else ()
        return self._render(
            request,
            "judging.html",
            status=status,
            brand=brand,
            brands=self._backend.brands(),
            drawn=[self._found(request, sighting) for sighting in drawn],
            keys=[sighting.mention.key for sighting in drawn],
            layers=self._backend.layers(),
            said=await self._backend.label_history(brand.id if brand else "", SAID_SHOWN),
            judgements=WORDS,
            problem=problem,
        )

    def _found(self, request: web.Request, sighting: Sighting) -> views.Found:
        timezone = self._backend.default_timezone
        return views.found(self._backend, sighting, self._language(request), timezone)

    # --- acting ----------------------------------------------------------------------------------

    async def act(self, request: web.Request) -> web.Response:
        """A command from a form of the incident's page."""
        session, form = await self._form(request)
        incident_id = request.match_info["incident_id"]
        incident = await self._backend.incident(incident_id)
        if incident is None:
            raise web.HTTPNotFound
        try:
            asked = msgspec.convert(
                {key: form.get(key, "") for key in ("action", "value", "id")}, CommandRequest
            )
            name = session.name if session else ""
            command = make_command(asked, incident, self._backend, actor=name, via="page")
        except (msgspec.ValidationError, CommandError) as error:
            return await self._incident_page(request, incident_id, problem=str(error), status=400)
        if await self._backend.submit(command) is None:
            raise web.HTTPNotFound
        anchor = "#checklist" if command.action in {Action.TICK, Action.UNTICK} else "#actions"
        return _see(f"/incidents/{incident_id}{anchor}")

    async def judge(self, request: web.Request) -> web.Response:
        """A word about a post, or one taken back, from a form of any page."""
        session, form = await self._form(request)
        target = _local(form.get("next", "/judging"))
        name = session.name if session else ""
        brand = form.get("brand", "")
        if form.get("action") == "withdraw":
            await self._backend.withdraw(form.get("value", ""), name or "page")
            return _see(target)
        asked = WordRequest(
            brand=brand,
            source=form.get("source", ""),
            mention_id=form.get("mention", ""),
            label=form.get("value", ""),
            drawn=form.get("drawn") == "yes",
            # Another button of the same form is another word.
            id=f"{form['id']}:{form.get('value', '')}" if form.get("id") else "",
        )
        try:
            word = make_word(asked, self._backend, actor=name, via="page")
        except CommandError as error:
            return await self._judging_page(request, brand, problem=str(error), status=400)
        if await self._backend.judge(word) is None:
            raise web.HTTPNotFound
        return _see(target)

    async def revive(self, request: web.Request) -> web.Response:
        """Give a dead notice another chance."""
        _, form = await self._form(request)
        await self._backend.outbox_revive(form.get("entry", ""))
        return _see("/outbox")

    async def _form(self, request: web.Request) -> tuple[Session | None, dict[str, str]]:
        """The fields of a form of ours.

        Raises:
            web.HTTPForbidden: It does not carry the session's CSRF token.
        """
        fields = await request.clone(client_max_size=MAX_FORM_BYTES).post()
        form = {key: value for key, value in fields.items() if isinstance(value, str)}
        session = request.get(SESSION)
        if session is None or not self._gate.csrf_matches(session, form.get(CSRF_FIELD, "")):
            raise web.HTTPForbidden(text="the form is out of date: load the page again")
        return session, form

    # --- who is asking ---------------------------------------------------------------------------

    async def login_form(self, request: web.Request) -> web.Response:
        """Ask for a name, and for the token where one is configured."""
        return self._login_page(request, 200)

    def _login_page(self, request: web.Request, status: int) -> web.Response:
        return self._render(
            request,
            "login.html",
            status=status,
            wrong=status == 401,
            token_needed=bool(self._config.token),
            target=_local(request.query.get("next", "/")),
        )

    async def login(self, request: web.Request) -> web.Response:
        """Begin a session; the old one, if any, is not continued."""
        fields = await request.clone(client_max_size=MAX_FORM_BYTES).post()
        token, name = fields.get("token", ""), fields.get("name", "")
        if not isinstance(token, str) or not isinstance(name, str) or not self._gate.login(token):
            return self._login_page(request, 401)
        response = _see(_local(str(fields.get("next", "/"))))
        self._gate.set_cookie(response, self._gate.issue(name))
        return response

    async def logout(self, request: web.Request) -> web.Response:
        """Forget the session in this browser."""
        await self._form(request)
        response = _see("/login")
        self._gate.clear_cookie(response)
        return response

    # --- rendering -------------------------------------------------------------------------------

    def error(self, request: web.Request, status: int) -> web.Response:
        """A refusal or failure as a page; it says nothing of what was asked."""
        return self._render(request, "error.html", status=status, code=status)

    def _render(
        self,
        request: web.Request,
        template: str,
        *,
        status: int = 200,
        timezone: str = "",
        **context: object,
    ) -> web.Response:
        language = self._language(request)
        texts = Texts(language, timezone or self._backend.default_timezone)
        session = request.get(SESSION)
        fresh = session is None and not self._config.token
        if session is None:
            session = self._gate.issue("")
        everywhere: dict[str, Any] = {
            "_": texts.gettext,
            "t": texts.t,
            "language": language,
            "languages": LANGUAGES,
            "now": self._backend.clock.now(),
            "csrf": self._gate.csrf(session),
            "who": session.name,
            "login_needed": bool(self._config.token),
            "inside": fresh or request.get(SESSION) is not None,
            "new_id": secrets.token_urlsafe(9),
            "blind": [source for source in self._sources() if not source.trusted],
            "words": views.Words(texts),
            "path": request.path,
            "chart": chart,
        }
        response: web.Response = aiohttp_jinja2.render_template(
            template, request, everywhere | context, status=status
        )
        if fresh:
            self._gate.set_cookie(response, session)
        if request.query.get("lang") in LANGUAGES:
            response.set_cookie(
                LANGUAGE_COOKIE, language, max_age=365 * 86_400, samesite="Lax", httponly=True
            )
        return response

    def _sources(self) -> tuple[Any, ...]:
        try:
            return self._backend.sources()
        except StoreError:
            return ()

    def _language(self, request: web.Request) -> str:
        """As asked for in the address, then the cookie, the configuration, the team."""
        for choice in (request.query.get("lang", ""), request.cookies.get(LANGUAGE_COOKIE, "")):
            if choice in LANGUAGES:
                return choice
        return self._config.language or self._backend.default_language


def _see(target: str) -> web.Response:
    return web.Response(status=303, headers={"Location": target})


def _local(target: str) -> str:
    """A path of ours; anything that could lead elsewhere becomes the front page."""
    safe = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if safe and target.isprintable() and "\\" not in target else "/"


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1e11 else None
