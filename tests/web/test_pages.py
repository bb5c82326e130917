from __future__ import annotations

from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinel.model import UNSCORED, Action, Phase, SourceState, TermCount, Verdict
from sentinel.web.backend import SourceView
from sentinel.web.settings import WebConfig
from tests.fakes.backend import AURORA, NORTHWIND, NOW, FakeBackend, a_quote, an_incident
from tests.web.conftest import Client, Open
from tests.web.page import Page

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"><img src=x onerror=alert(3)>',
    "<svg/onload=alert(4)>",
    "{{ 7 * 7 }}{% raw %}",
    "</textarea></title></style><iframe src=//evil.example>",
    "&lt;b&gt;",
)
BAD_URLS = (
    "javascript:alert(1)",
    " JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "//evil.example/x",
    'https://ok.example/" onmouseover="alert(1)',
    "\x01javascript:alert(1)",
)


async def read(client: Client, path: str, status: int = 200) -> Page:
    answer = await client.get(path)
    assert status == answer.status, await answer.text()
    return Page(await answer.text())


# --- overview ---------------------------------------------------------------------------------


async def test_the_overview_shows_an_open_incident_with_its_figures(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    page = await read(await visit(), "/")
    assert "Pastificio Aurora" in page.text
    assert "412 menzioni in 15 minuti" in page.text
    assert "/incidents/aurora-1" in {link.get("href") for link in page.links}


async def test_the_overview_says_so_when_nothing_is_going_on(visit: Open) -> None:
    page = await read(await visit(), "/")
    assert "Non sta succedendo nulla" in page.text
    assert "Tutte le fonti sono attive" in page.text


async def test_a_source_that_is_down_is_never_shown_as_calm(
    visit: Open, backend: FakeBackend
) -> None:
    backend.source_views += (SourceView("webhook", "http", SourceState.DOWN, NOW - 900),)
    page = await read(await visit(), "/")
    assert "Osserviamo alla cieca: webhook" in page.text
    assert "Ma non tutte le fonti sono attive" in page.text
    assert "Tutte le fonti sono attive" not in page.text


async def test_the_overview_can_show_the_brands_of_one_segment(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    client = await visit()
    assert "Tutti i marchi" not in (await read(client, "/")).text  # no brand has a segment
    backend.configured = (
        msgspec.structs.replace(AURORA, segment="pasta & co"),
        msgspec.structs.replace(NORTHWIND, segment="coffee"),
    )
    everything = (await read(client, "/")).text
    assert "Tutti i marchi" in everything
    for segment, here in (("pasta & co", True), ("coffee", False), ("nonsense", True)):
        page = await read(client, "/?" + urlencode({"segment": segment}))
        assert (any("aurora-1" in link["href"] for link in page.links), segment) == (here, segment)
    coffee = (await read(client, "/?segment=coffee")).text
    assert "Northwind Coffee" in coffee
    assert "Pastificio Aurora" not in coffee


async def test_a_source_that_lives_and_brings_nothing_is_said_to_be_blind(
    visit: Open, backend: FakeBackend
) -> None:
    alive = SourceView("webhook", "http", SourceState.ALIVE, NOW - 9000, silent_since=NOW - 900)
    backend.source_views = (alive,)
    page = await read(await visit(), "/")
    assert "Osserviamo alla cieca: webhook" in page.text
    assert "ma non arriva niente (dalle 22:25)" in page.text
    assert "Tutte le fonti sono attive" not in page.text


async def test_brands_for_which_nothing_comes_any_more_are_named(
    visit: Open, backend: FakeBackend
) -> None:
    backend.source_views = (
        SourceView(
            "webhook",
            "http",
            SourceState.ALIVE,
            NOW - 9000,
            silent_since=NOW - 900,
            silent_brands=("aurora", "gone"),
        ),
    )
    page = await read(await visit(), "/")
    assert "ma niente per: Pastificio Aurora, gone (dalle 22:25)" in page.text


async def test_the_blind_spot_is_said_on_every_page(visit: Open, backend: FakeBackend) -> None:
    backend.stage()
    backend.source_views += (SourceView("webhook", "http", SourceState.DOWN, NOW - 900),)
    client = await visit()
    for path in ("/", "/incidents/aurora-1", "/search", "/playbooks", "/outbox"):
        assert "Osserviamo alla cieca" in (await read(client, path)).text, path


async def test_the_overview_counts_the_budget_of_each_brand(visit: Open) -> None:
    page = await read(await visit(), "/")
    assert "chiamate in 30 giorni: 2; giudicate false: 1" in page.text
    assert "sta ancora imparando" in page.text


async def test_resolved_incidents_are_apart_from_open_ones(
    visit: Open, backend: FakeBackend
) -> None:
    backend.known["old"] = an_incident(id="old", phase=Phase.RESOLVED, resolved_at=NOW - 60)
    page = await read(await visit(), "/")
    assert page.text.index("Non sta succedendo nulla") < page.text.index("Conclusa")


async def test_dead_letters_are_announced_on_the_overview(
    visit: Open, backend: FakeBackend
) -> None:
    backend.dead_notice()
    assert "Avvisi non arrivati: 1." in (await read(await visit(), "/")).text


# --- incident ---------------------------------------------------------------------------------


async def test_an_incident_shows_alert_checklist_statements_posts_and_history(
    visit: Open, backend: FakeBackend
) -> None:
    incident = backend.stage()
    page = await read(await visit(), "/incidents/aurora-1")
    playbook = backend.playbook(incident.playbook.playbook)
    assert playbook is not None
    for step in playbook.steps:
        assert step.title.it in page.text
    languages = [found["lang"] for tag, found in page.tags if tag == "div" and "lang" in found]
    assert ["it", "en"] * len(playbook.statements) == languages
    assert "Da oggi compro altro." in page.text
    assert "Dati aggiornati × 2" in page.text
    assert sum(tag == "svg" for tag, _ in page.tags) == 1


async def test_an_unknown_incident_is_a_page_that_says_so(visit: Open) -> None:
    page = await read(await visit(), "/incidents/none", 404)
    assert "Questa pagina non esiste." in page.text


async def test_a_page_speaks_english_when_asked_and_remembers_it(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    client = await visit()
    assert "Open incidents" in (await read(client, "/?lang=en")).text
    page = await read(client, "/incidents/aurora-1")
    assert "Take it" in page.text
    assert "412 mentions in 15 minutes" in page.text


async def test_the_configured_language_comes_before_the_teams(visit: Open) -> None:
    page = await read(await visit(WebConfig(language="en")), "/")
    assert "Open incidents" in page.text


async def test_a_resolved_incident_offers_no_action(visit: Open, backend: FakeBackend) -> None:
    backend.stage()
    backend.known["aurora-1"] = an_incident(phase=Phase.RESOLVED, resolved_at=NOW - 60)
    page = await read(await visit(), "/incidents/aurora-1")
    actions = {form.fields.get("action") for form in page.forms}
    # Its posts may still be judged: that changes nothing about the incident.
    assert actions <= {None, "tick", "untick", "judge"}


# --- acting -----------------------------------------------------------------------------------


async def press(client: Client, page: Page, action: str, **fields: str) -> int:
    form = page.form(action)
    answer = await client.post(form.action, data=form.fields | fields, allow_redirects=False)
    return answer.status


async def test_taking_an_incident_gives_the_core_a_command(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    client = await visit()
    await client.post("/login", data={"name": "Anna Prova", "next": "/"})
    page = await read(client, "/incidents/aurora-1")
    assert await press(client, page, "take") == 303
    (command,) = backend.submitted
    assert (
        command.action,
        command.incident_id,
        command.actor_name,
        command.via,
        command.at,
    ) == (Action.TAKE, "aurora-1", "Anna Prova", "page", NOW)
    assert "Presa in carico da Anna Prova" in (await read(client, "/incidents/aurora-1")).text


async def test_a_form_sent_twice_counts_once(visit: Open, backend: FakeBackend) -> None:
    backend.stage()
    client = await visit()
    page = await read(client, "/incidents/aurora-1")
    assert await press(client, page, "escalate") == 303
    assert await press(client, page, "escalate") == 303
    assert len(backend.submitted) == 1


async def test_ticking_a_step_marks_it_done(visit: Open, backend: FakeBackend) -> None:
    incident = backend.stage()
    client = await visit()
    page = await read(client, "/incidents/aurora-1")
    name, value = page.form("tick").buttons[0]
    assert await press(client, page, "tick", **{name: value}) == 303
    assert incident.checklist[0].id == value
    assert backend.known["aurora-1"].checklist[0].done_by
    page = await read(client, "/incidents/aurora-1")
    assert [("value", value)] == page.form("untick").buttons


@pytest.mark.parametrize(
    ("action", "value"),
    [("snooze", "3600"), ("change_playbook", "general"), ("false_alarm", ""), ("resolve", "")],
)
async def test_every_other_button_gives_its_command(
    visit: Open, backend: FakeBackend, action: str, value: str
) -> None:
    backend.stage()
    client = await visit()
    page = await read(client, "/incidents/aurora-1")
    assert await press(client, page, action, **({"value": value} if value else {})) == 303
    assert [(Action(action), value)] == [(one.action, one.value) for one in backend.submitted]


@pytest.mark.parametrize(
    ("action", "value"),
    [
        ("snooze", "1"),
        ("snooze", "99999999999999999999"),
        ("snooze", "²"),
        ("change_playbook", "none-such"),
        ("tick", "none-such"),
        ("explode", ""),
        ("take", "x"),
    ],
)
async def test_a_value_that_does_not_fit_changes_nothing_and_says_so(
    visit: Open, backend: FakeBackend, action: str, value: str
) -> None:
    backend.stage()
    client = await visit()
    page = await read(client, "/incidents/aurora-1")
    fields = page.form("take").fields | {"action": action, "value": value}
    answer = await client.post("/incidents/aurora-1", data=fields, allow_redirects=False)
    assert answer.status == 400
    assert "Non ha funzionato:" in Page(await answer.text()).text
    assert backend.submitted == []


async def test_a_dead_notice_gets_another_chance(visit: Open, backend: FakeBackend) -> None:
    notice = backend.dead_notice()
    client = await visit()
    page = await read(client, "/outbox")
    assert "channel_not_found" in page.text
    form = next(form for form in page.forms if form.action == "/outbox")
    await client.post("/outbox", data=form.fields | dict(form.buttons))
    assert [notice.id] == backend.revived


async def test_a_store_that_does_not_answer_is_said_and_not_a_traceback(
    visit: Open, backend: FakeBackend
) -> None:
    backend.store_down = True
    page = await read(await visit(), "/", 503)
    assert "L'archivio dati non risponde." in page.text
    assert "disk full" not in page.text


# --- what strangers wrote ---------------------------------------------------------------------


def tags_of(page: Page) -> list[str]:
    return [tag for tag, _ in page.tags]


async def test_hostile_text_is_text_on_every_page(visit: Open, backend: FakeBackend) -> None:
    backend.stage()
    client = await visit()
    paths = ("/", "/incidents/aurora-1", "/search?q=x")
    harmless = [tags_of(await read(client, path)) for path in paths[:2]]
    dirty = " ".join(HOSTILE)
    backend.known["aurora-1"] = msgspec.structs.replace(
        backend.known["aurora-1"],
        brand_name=dirty,
        first_post=a_quote(HOSTILE[0], author=dirty, mention_id="first"),
        quotes=(a_quote(dirty, "https://posts.example/1", author=dirty, mention_id="second"),),
        terms=(TermCount(dirty, 3, 9.0),),
        channels=((dirty, 3),),
        languages=((dirty, 3),),
    )
    assert harmless == [tags_of(await read(client, path)) for path in paths[:2]]
    for text in HOSTILE:
        backend.archive(text)
    page = await read(client, "/search?q=" + "%3Cscript%3Ealert(9)%3C/script%3E")
    assert tags_of(page).count("script") == 1
    assert not {"iframe", "img", "svg"} & set(tags_of(page))
    assert "{{ 7 * 7 }}" in page.text


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=200))
async def test_no_text_adds_an_element_to_the_archive(
    visit: Open, backend: FakeBackend, text: str
) -> None:
    backend.mentions.clear()
    backend.archive("plain " + text)
    page = await read(await visit(), "/search?q=x")
    assert tags_of(page).count("blockquote") == 1
    assert tags_of(page).count("script") == 1


async def test_only_web_addresses_become_links(visit: Open, backend: FakeBackend) -> None:
    backend.stage()
    backend.known["aurora-1"] = an_incident(
        first_post=None,
        quotes=tuple(
            a_quote(f"post {i}", url, mention_id=str(i)) for i, url in enumerate(BAD_URLS)
        ),
    )
    for url in BAD_URLS:
        backend.archive("text", url=url)
    backend.archive("good", url="https://posts.example/7")
    client = await visit()
    for path in ("/incidents/aurora-1", "/search?q=x"):
        page = await read(client, path)
        for link in page.links:
            assert link["href"].startswith(("/", "?", "#", "https://")), link
            assert "evil" not in link["href"]
            assert "onmouseover" not in link
    assert "https://posts.example/7" in {link["href"] for link in page.links}


async def test_a_link_that_leads_out_tells_the_other_side_nothing(
    visit: Open, backend: FakeBackend
) -> None:
    backend.archive("text", url="https://posts.example/7")
    page = await read(await visit(), "/search?q=x")
    link = next(link for link in page.links if link["href"].startswith("https://"))
    assert {"noopener", "noreferrer", "nofollow"} == set(link["rel"].split())


# --- archive ----------------------------------------------------------------------------------


async def test_a_search_asks_the_store_for_exactly_what_was_typed(
    visit: Open, backend: FakeBackend
) -> None:
    client = await visit()
    await read(client, "/search?q=radio+%22OR%22*&brand=aurora&source=bluesky&days=7")
    (query,) = backend.searched
    assert (
        query.text,
        query.brand,
        query.source,
        query.since,
    ) == ('radio "OR"*', "aurora", "bluesky", NOW - 7 * 86_400)


async def test_a_found_mention_says_its_two_languages_or_that_it_was_not_read(
    visit: Open, backend: FakeBackend
) -> None:
    backend.archive("plain")
    backend.archive("two languages")
    backend.archive("Greek")
    two = msgspec.structs.replace(backend.mentions[1].verdict, second_language="en")
    greek = Verdict("el", 1 / 3, 1 / 3, 1 / 3, "", model_id=UNSCORED)
    for place, verdict in ((1, two), (2, greek)):
        backend.mentions[place] = msgspec.structs.replace(backend.mentions[place], verdict=verdict)
    page = await read(await visit(), "/search?q=x")

    assert 2 == page.text.count("negativo ·")
    assert "negativo · italiano + inglese" in page.text
    assert "non letto · greco" in page.text


async def test_an_empty_search_page_asks_the_store_nothing(
    visit: Open, backend: FakeBackend
) -> None:
    await read(await visit(), "/search")
    assert backend.searched == []


async def test_a_full_page_leads_to_older_mentions(visit: Open, backend: FakeBackend) -> None:
    for i in range(60):
        backend.archive(f"post {i}", published_at=NOW - i)
    page = await read(await visit(), "/search?q=post")
    (older,) = [link["href"] for link in page.links if "before=" in link["href"]]
    assert f"before={NOW - 49}" in older


@pytest.mark.parametrize(
    "query", ["days=x", "days=-1", "before=nan", "before=abc", "q=%00", "q=%ff"]
)
async def test_an_absurd_search_still_answers(
    visit: Open, backend: FakeBackend, query: str
) -> None:
    await read(await visit(), f"/search?q=x&{query}")
    assert len(backend.searched) == 1


async def test_a_deleted_mention_says_so_instead_of_being_empty(
    visit: Open, backend: FakeBackend
) -> None:
    backend.archive("")
    assert "Eliminata su richiesta" in (await read(await visit(), "/search?q=x")).text


# --- plans ------------------------------------------------------------------------------------


async def test_every_plan_has_a_page_with_its_steps_in_both_languages(
    visit: Open, backend: FakeBackend
) -> None:
    client = await visit()
    listed = {link["href"] for link in (await read(client, "/playbooks")).links}
    for playbook in backend.playbooks():
        assert f"/playbooks/{playbook.id}" in listed
        for language in ("it", "en"):
            page = await read(client, f"/playbooks/{playbook.id}?lang={language}")
            assert playbook.title.text(language) in page.text
            assert all(step.title.text(language) in page.text for step in playbook.steps)


async def test_an_unknown_plan_is_a_page_that_says_so(visit: Open) -> None:
    await read(await visit(), "/playbooks/none-such", 404)
