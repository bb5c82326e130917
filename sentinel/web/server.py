"""The web application: one port for pages, API, probes, metrics and whatever the app mounts beside them.

What lives here: ``build_web_app``, the doors every request passes (host, origin, login), security headers, and
``serving``. What does not: the routes' own work (``pages``, ``api``, ``health``, ``ingest``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from urllib.parse import quote

import structlog
from aiohttp import web

from sentinel.errors import ConfigError, StoreError
from sentinel.runtime.clock import Clock, SystemClock
from sentinel.runtime.metrics import Metrics
from sentinel.web.api import SESSION, api_routes, error_response
from sentinel.web.backend import Backend
from sentinel.web.health import Status, health_routes
from sentinel.web.judging import judging_routes
from sentinel.web.pages import Pages
from sentinel.web.session import CSRF_HEADER, Gate
from sentinel.web.settings import WebConfig, check_web

__all__ = ["Backend", "Status", "WebConfig", "build_web_app", "check_web", "serving"]

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Read at most so much of a request; routes of their own have lower limits."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with that, browsers send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_PROBES = frozenset({"/healthz", "/readyz"})
_STATIC, _LOGIN = "/static/", "/login"

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_web_app(
    backend: Backend,
    config: WebConfig,
    metrics: Metrics,
    status: Status,
    extra_routes: Iterable[web.AbstractRouteDef] = (),
    *,
    wall_clock: Clock | None = None,
) -> web.Application:
    """The application, ready to be served.

    Args:
        backend: The app.
        config: Checked here once more: nothing is served that ``check_web`` refuses.
        metrics: What ``/metrics`` shows.
        status: What the probes ask.
        extra_routes: Routes with doors of their own (webhooks, Slack): neither login nor CSRF applies to them;
            the check of the Host header does.
        wall_clock: Ages sessions, which live in people's time even while ``backend.clock`` replays; the machine's
            where None.

    Raises:
        ConfigError: The configuration would expose the pages or could not work.
    """
    check_web(config)
    gate = Gate(config, wall_clock or SystemClock())
    pages = Pages(backend, config, gate)
    doors = _Doors(gate, config, pages)
    app = web.Application(
        middlewares=[doors.headers, doors.errors, doors.enter], client_max_size=MAX_BODY_BYTES
    )
    own = app.router.add_routes(
        [*health_routes(status, metrics), *api_routes(backend), *judging_routes(backend)]
    )
    own += app.router.add_routes(pages.routes())
    doors.own_routes.update(own)
    app.router.add_routes(extra_routes)
    pages.set_up(app)
    return app


@asynccontextmanager
async def serving(app: web.Application, config: WebConfig) -> AsyncIterator[str]:
    """Serve the application while the context lasts.

    Yields:
        The address it answers at; with the port that was given where ``config.port`` is 0.

    Raises:
        ConfigError: The address cannot be bound, such as a port in use.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=10, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.host, config.port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {config.host}:{config.port}: {error.strerror or error}",
                key="web.port",
            ) from error
        port = runner.addresses[0][1]
        host = f"[{config.host}]" if ":" in config.host else config.host
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


class _Doors:
    """The middlewares, outermost first: headers, errors, enter."""

    def __init__(self, gate: Gate, config: WebConfig, pages: Pages) -> None:
        self._gate, self._config, self._pages = gate, config, pages
        self.own_routes: set[web.AbstractRoute] = set()

    @web.middleware
    async def headers(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Security headers on every answer, refusals included."""
        try:
            response = await handler(request)
        except web.HTTPException as error:
            self._decorate(request, error)
            raise
        if not response.prepared:
            self._decorate(request, response)
        return response

    def _decorate(self, request: web.Request, response: web.StreamResponse) -> None:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if not request.path.startswith(_STATIC):
            response.headers.setdefault("Cache-Control", "no-store")

    @web.middleware
    async def errors(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Errors in the form that the asker reads: JSON under /api, a page elsewhere."""
        try:
            return await handler(request)
        except StoreError as error:
            # Without its message and traceback: a statement's parameters may hold mention text.
            log.warning("page_failed", error=type(error).__name__)
            return self._say(request, 503, "the store does not answer; try again soon")
        except web.HTTPException as error:
            if error.status < 400 or self._foreign(request):
                raise
            answer = self._say(request, error.status, error.text or error.reason)
            for name in ("Allow", "Retry-After"):
                if name in error.headers:
                    answer.headers[name] = error.headers[name]
            return answer

    def _say(self, request: web.Request, status: int, message: str) -> web.Response:
        if request.path.startswith("/api/"):
            return error_response(status, "error", message)
        return self._pages.error(request, status)

    def _foreign(self, request: web.Request) -> bool:
        """Whether the route belongs to the app and words its own refusals."""
        route = request.match_info.route
        return request.match_info.http_exception is None and route not in self.own_routes

    @web.middleware
    async def enter(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Host, then login, then where an action came from."""
        if request.path in _PROBES:
            return await handler(request)
        if not self._gate.host_allowed(request):
            log.warning("request_refused", reason="host")
            return web.Response(status=421, text="This host name is not served here.\n")
        if self._foreign(request):
            return await handler(request)
        session = self._gate.session(request)
        if session is not None:
            request[SESSION] = session
        bearer = self._gate.bearer(request)
        needless = request.path == _LOGIN or request.path.startswith(_STATIC)
        if self._config.token and not (bearer or session or needless):
            return self._turn_away(request)
        if request.method not in _SAFE_METHODS and not bearer:
            self._check_origin(request)
        return await handler(request)

    def _turn_away(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/api/") or request.path == "/metrics":
            answer = error_response(401, "unauthorised", "send the token as a bearer token")
            answer.headers["WWW-Authenticate"] = 'Bearer realm="sentinel"'
            return answer
        target = request.path_qs if request.method == "GET" else "/"
        raise web.HTTPSeeOther(f"{_LOGIN}?next={quote(target, safe='')}")

    def _check_origin(self, request: web.Request) -> None:
        """Cookies and loopback say nothing of who made the browser ask; these do."""
        if not self._gate.same_origin(request):
            log.warning("request_refused", reason="origin")
            raise web.HTTPForbidden(text="this request did not come from Sentinel's own pages")
        session = request.get(SESSION)
        header = request.headers.get(CSRF_HEADER)
        if header is not None and not (session and self._gate.csrf_matches(session, header)):
            log.warning("request_refused", reason="csrf")
            raise web.HTTPForbidden(text="the form is out of date: load the page again")
