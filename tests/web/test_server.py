from __future__ import annotations

import io
import json

import aiohttp
import msgspec
import pytest
import structlog
from aiohttp import web

from sentinel.errors import ConfigError
from sentinel.runtime.clock import ReplayClock
from sentinel.runtime.metrics import Metrics
from sentinel.web.server import build_web_app, serving
from sentinel.web.settings import WebConfig
from tests.fakes.backend import FakeBackend, FakeStatus
from tests.web.conftest import Client, Open
from tests.web.page import Page

TOKEN = "correct-horse-battery-staple"
GUARDED = WebConfig(token=TOKEN)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAGES = ("/", "/incidents/aurora-1", "/search?q=x", "/playbooks", "/playbooks/general", "/outbox")


async def log_in(client: Client, name: str = "Anna Prova") -> None:
    answer = await client.post(
        "/login", data={"token": TOKEN, "name": name, "next": "/"}, allow_redirects=False
    )
    assert (answer.status, answer.headers["Location"]) == (303, "/")


# --- configuration ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (WebConfig(host="0.0.0.0"), "web.token"),
        (WebConfig(host="192.0.2.1"), "web.token"),
        (WebConfig(token="short"), "web.token"),
        (WebConfig(token="à" * 20), "web.token"),
        (WebConfig(base_url="sentinel.example"), "web.base_url"),
        (WebConfig(base_url="ftp://sentinel.example"), "web.base_url"),
        (WebConfig(base_url="https://sentinel.example/path"), "web.base_url"),
        (WebConfig(base_url="https://user@sentinel.example"), "web.base_url"),
        (WebConfig(base_url="https://sentinel.example:x"), "web.base_url"),
        (WebConfig(base_url="https://"), "web.base_url"),
    ],
)
def test_a_configuration_that_would_expose_the_pages_is_refused(
    config: WebConfig, key: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        build_web_app(FakeBackend(), config, Metrics(), FakeStatus())
    assert key == refused.value.key


def test_an_unknown_key_is_refused_by_its_name() -> None:
    with pytest.raises(msgspec.ValidationError, match="tokn"):
        msgspec.convert({"tokn": "x"}, WebConfig)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_needs_no_token(host: str) -> None:
    build_web_app(FakeBackend(), WebConfig(host=host), Metrics(), FakeStatus())


def test_every_address_may_be_served_with_a_token() -> None:
    config = WebConfig(host="0.0.0.0", token=TOKEN, base_url="https://sentinel.example")
    build_web_app(FakeBackend(), config, Metrics(), FakeStatus())


async def test_serving_tells_the_port_it_was_given_and_frees_it_afterwards() -> None:
    config = WebConfig(port=0)
    app = build_web_app(FakeBackend(), config, Metrics(), FakeStatus())
    async with (
        serving(app, config) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/healthz") as answer,
    ):
        assert answer.status == 200
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"{url}/healthz")


async def test_a_port_in_use_is_a_configuration_error_that_names_the_key() -> None:
    first = WebConfig(port=0)
    async with serving(build_web_app(FakeBackend(), first, Metrics(), FakeStatus()), first) as url:
        second = WebConfig(port=int(url.rsplit(":", 1)[1]))
        app = build_web_app(FakeBackend(), second, Metrics(), FakeStatus())
        with pytest.raises(ConfigError, match="cannot listen") as refused:
            async with serving(app, second):
                pass
    assert refused.value.key == "web.port"


# --- login ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
async def test_with_a_token_every_page_asks_for_a_login(
    visit: Open, backend: FakeBackend, path: str
) -> None:
    backend.stage()
    client = await visit(GUARDED)
    answer = await client.get(path, allow_redirects=False)
    assert answer.status == 303
    assert answer.headers["Location"].startswith("/login?next=")
    assert "Aurora" not in await answer.text()


@pytest.mark.parametrize("path", ["/api/v1/incidents", "/api/v1/sources", "/metrics"])
async def test_with_a_token_machines_must_send_it(visit: Open, path: str) -> None:
    client = await visit(GUARDED)
    refused = await client.get(path)
    assert refused.status == 401
    assert "Bearer" in refused.headers["WWW-Authenticate"]
    for wrong in (f"Bearer {TOKEN}x", "Bearer ", TOKEN, f"Basic {TOKEN}"):
        assert (await client.get(path, headers={"Authorization": wrong})).status == 401
    assert (await client.get(path, headers=BEARER)).status == 200


async def test_probes_need_no_login(visit: Open) -> None:
    client = await visit(GUARDED)
    assert (await client.get("/healthz")).status == 200
    assert (await client.get("/readyz")).status == 200


async def test_an_unknown_path_tells_a_stranger_nothing(visit: Open) -> None:
    client = await visit(GUARDED)
    answer = await client.get("/nothing", allow_redirects=False)
    assert answer.status in {303, 404}
    assert "Quadro" not in await answer.text()


async def test_the_token_opens_the_pages_and_leads_back_to_where_one_wanted(visit: Open) -> None:
    client = await visit(GUARDED)
    page = Page(await (await client.get("/playbooks")).text())
    (form,) = [form for form in page.forms if form.action == "/login"]
    assert form.fields["next"] == "/playbooks"
    answer = await client.post("/login", data=form.fields | {"token": TOKEN, "name": "Anna"})
    assert (answer.status, answer.url.path) == (200, "/playbooks")
    assert "Anna" in await answer.text()


async def test_a_wrong_token_opens_nothing(visit: Open) -> None:
    client = await visit(GUARDED)
    answer = await client.post("/login", data={"token": "wrong" * 5, "name": "Anna"})
    assert answer.status == 401
    assert "Il token non è questo." in await answer.text()
    assert (await client.get("/", allow_redirects=False)).status == 303


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "/\x00", "evil", ""],
)
async def test_a_login_never_leads_elsewhere(visit: Open, target: str) -> None:
    client = await visit(GUARDED)
    answer = await client.post(
        "/login", data={"token": TOKEN, "next": target}, allow_redirects=False
    )
    assert answer.headers["Location"] == "/"


async def test_the_session_cookie_is_for_our_own_pages_only(visit: Open) -> None:
    client = await visit(WebConfig(token=TOKEN, base_url="https://sentinel.example"))
    answer = await client.post("/login", data={"token": TOKEN}, allow_redirects=False)
    cookie = answer.headers["Set-Cookie"]
    for flag in ("HttpOnly", "SameSite=Strict", "Secure", "Path=/"):
        assert flag in cookie
    assert TOKEN not in cookie


async def test_a_forged_or_altered_cookie_is_no_session(visit: Open) -> None:
    client = await visit(GUARDED)
    await log_in(client)
    genuine = next(cookie for cookie in client.session.cookie_jar).value
    blob, signature = genuine.split(".")
    for forged in (
        f"{blob}.{'0' * len(signature)}",
        f"{blob[:-2]}AA.{signature}",
        blob,
        f"{blob}.",
        ".",
        "à.é",
        "",
    ):
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as stranger:
            answer = await stranger.get(
                client.make_url("/"),
                headers={"Cookie": f"sentinel_session={forged}"},
                allow_redirects=False,
            )
            assert answer.status == 303, forged


async def test_a_session_survives_a_restart_and_ends_with_the_token(
    visit: Open, wall_clock: ReplayClock
) -> None:
    client = await visit(GUARDED)
    await log_in(client)
    cookie = next(cookie for cookie in client.session.cookie_jar).value
    header = {"Cookie": f"sentinel_session={cookie}"}
    same = await visit(GUARDED)
    assert (await same.get("/", headers=header, allow_redirects=False)).status == 200
    other = await visit(WebConfig(token="another-token-of-the-team"))
    assert (await other.get("/", headers=header, allow_redirects=False)).status == 303
    await wall_clock.move_to(wall_clock.now() + 8 * 86_400)
    assert (await same.get("/", headers=header, allow_redirects=False)).status == 303


async def test_a_replay_of_weeks_does_not_outdate_the_forms(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    client = await visit()
    form = Page(await (await client.get("/incidents/aurora-1")).text()).form("take")
    await backend.move_to(backend.clock.now() + 30 * 86_400)
    assert (await client.post(form.action, data=form.fields)).status == 200
    assert len(backend.submitted) == 1


async def test_logging_out_ends_the_session_in_this_browser(visit: Open) -> None:
    client = await visit(GUARDED)
    await log_in(client)
    page = Page(await (await client.get("/")).text())
    (form,) = [form for form in page.forms if form.action == "/logout"]
    await client.post("/logout", data=form.fields)
    assert (await client.get("/", allow_redirects=False)).status == 303


# --- where a request comes from ---------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8080", ""]
)
async def test_a_foreign_host_name_is_refused_on_loopback(
    visit: Open, backend: FakeBackend, host: str
) -> None:
    backend.stage()
    client = await visit()
    for path in ("/", "/api/v1/incidents", "/metrics", "/static/sentinel.css", "/nothing"):
        answer = await client.get(path, headers={"Host": host})
        assert answer.status == 421, path
        assert "Aurora" not in await answer.text()


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST"])
async def test_loopback_names_are_ours(visit: Open, host: str) -> None:
    assert (await (await visit()).get("/", headers={"Host": host})).status == 200


async def test_the_name_behind_a_proxy_is_ours_when_configured(visit: Open) -> None:
    client = await visit(WebConfig(base_url="https://sentinel.example"))
    assert (await client.get("/", headers={"Host": "sentinel.example"})).status == 200
    assert (await client.get("/", headers={"Host": "other.example"})).status == 421


async def test_a_foreign_page_cannot_act_even_with_the_right_form(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    client = await visit()
    form = Page(await (await client.get("/incidents/aurora-1")).text()).form("take")
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        answer = await client.post(form.action, data=form.fields, headers=headers)
        assert answer.status == 403, headers
    assert backend.submitted == []
    origin = str(client.make_url("/")).rstrip("/")
    answer = await client.post(form.action, data=form.fields, headers={"Origin": origin})
    assert answer.status == 200
    assert len(backend.submitted) == 1


@pytest.mark.parametrize("csrf", [None, "", "0" * 64, "é"])
async def test_a_form_without_the_sessions_csrf_token_does_nothing(
    visit: Open, backend: FakeBackend, csrf: str | None
) -> None:
    backend.stage()
    client = await visit()
    fields = Page(await (await client.get("/incidents/aurora-1")).text()).form("take").fields
    del fields["csrf"]
    answer = await client.post(
        "/incidents/aurora-1", data=fields | ({} if csrf is None else {"csrf": csrf})
    )
    assert answer.status == 403
    assert "Ricarica la pagina" in await answer.text()
    assert backend.submitted == []


async def test_a_csrf_token_of_another_session_does_nothing(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    mine, theirs = await visit(GUARDED), await visit(GUARDED)
    await log_in(mine)
    await log_in(theirs)
    form = Page(await (await theirs.get("/incidents/aurora-1")).text()).form("take")
    assert (await mine.post(form.action, data=form.fields)).status == 403
    assert backend.submitted == []


async def test_a_login_form_of_a_foreign_page_is_refused(visit: Open) -> None:
    client = await visit(GUARDED)
    answer = await client.post(
        "/login", data={"token": TOKEN}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status == 403


# --- headers, errors, routes of others --------------------------------------------------------


async def test_every_answer_forbids_scripts_and_frames_of_others(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    client = await visit()
    for path in (*PAGES, "/login", "/nothing", "/api/v1/incidents", "/api/v1/none"):
        headers = (await client.get(path)).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


async def test_pages_keep_to_their_own_policy(visit: Open, backend: FakeBackend) -> None:
    backend.stage()
    client = await visit()
    for path in (*PAGES, "/login"):
        page = Page(await (await client.get(path)).text())
        for tag, found in page.tags:
            assert tag != "style", path
            assert not [name for name in found if name.startswith("on") or name == "style"], path
            for name in ("src", "href"):
                if tag in {"script", "link", "img"} and name in found:
                    assert found[name].startswith("/static/"), path
            if tag == "script":
                assert "src" in found


async def test_the_assets_that_pages_name_exist(visit: Open) -> None:
    client = await visit()
    page = Page(await (await client.get("/")).text())
    names = [
        found.get("src") or found["href"] for tag, found in page.tags if tag in {"script", "link"}
    ]
    assert len(names) == 3
    for name in names:
        assert (await client.get(name)).status == 200, name


async def test_static_files_give_away_nothing_beside_them(visit: Open) -> None:
    client = await visit()
    for path in (
        "/static/",
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/static/..%2fapi.py",
    ):
        assert (await client.get(path)).status in {403, 404}, path


async def test_a_route_of_another_room_has_doors_of_its_own(visit: Open) -> None:
    async def hook(request: web.Request) -> web.Response:
        if request.query.get("bad"):
            raise web.HTTPForbidden(text="own words")
        return web.json_response({"got": len(await request.read())})

    client = await visit(GUARDED, extra_routes=(web.post("/hooks/one", hook),))
    answer = await client.post(
        "/hooks/one", data=io.BytesIO(b"x" * 3_000_000), headers={"Origin": "https://else.example"}
    )
    assert (answer.status, await answer.json()) == (200, {"got": 3_000_000})
    refused = await client.post("/hooks/one?bad=1")
    assert (refused.status, await refused.text()) == (403, "own words")


async def test_the_host_check_holds_for_routes_of_another_room(visit: Open) -> None:
    async def hook(_request: web.Request) -> web.Response:
        return web.Response()

    client = await visit(extra_routes=(web.post("/hooks/one", hook),))
    assert (await client.post("/hooks/one", headers={"Host": "evil.example"})).status == 421


async def test_a_form_that_is_too_large_is_refused(visit: Open, backend: FakeBackend) -> None:
    backend.stage()
    client = await visit()
    answer = await client.post("/incidents/aurora-1", data={"csrf": "x" * 100_000})
    assert answer.status == 413
    assert (await client.post("/login", data={"name": "x" * 100_000})).status == 413


async def test_a_wrong_method_is_said_and_not_a_traceback(visit: Open) -> None:
    client = await visit()
    answer = await client.delete("/api/v1/incidents", headers={"Content-Type": "application/json"})
    assert answer.status == 405
    assert "GET" in answer.headers["Allow"]


async def test_pages_never_log_what_was_said_or_searched(visit: Open, backend: FakeBackend) -> None:
    word = "segretissimo"
    backend.stage()
    backend.archive(f"post {word}")
    client = await visit()
    with structlog.testing.capture_logs() as lines:
        await client.get(f"/search?q={word}")
        await client.post("/incidents/aurora-1", data={"value": word})
        await client.get("/", headers={"Host": f"{word}.example"})
        backend.store_down = True
        assert (await client.get(f"/search?q={word}")).status == 503
    assert {line["event"] for line in lines} == {"request_refused", "page_failed"}
    assert word not in json.dumps(lines, default=str)
