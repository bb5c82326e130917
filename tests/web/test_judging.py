"""Judging posts: on an incident's page, on the page of drawn posts, by the API."""

from __future__ import annotations

import pytest

from sentinel.language.corrections import learn
from sentinel.language.labels import UNRELATED
from sentinel.web.settings import WebConfig
from tests.fakes.backend import NOW, FakeBackend
from tests.language.test_corrections import GROUP, gloomy
from tests.web.conftest import Client, Open
from tests.web.page import Form, Page

LABELS = "/api/v1/labels"
TOKEN = "a-token-that-is-long-enough-to-be-taken"
POST = {"brand": "aurora", "source": "bluesky", "mention_id": "second"}


async def read(client: Client, path: str, status: int = 200) -> Page:
    answer = await client.get(path)
    assert answer.status == status
    return Page(await answer.text())


def forms(page: Page, action: str) -> list[Form]:
    return [form for form in page.forms if form.fields.get("action") == action]


async def send(client: Client, form: Form, **more: str) -> int:
    answer = await client.post(form.action, data=form.fields | more, allow_redirects=False)
    return answer.status


# --- pages ---------------------------------------------------------------------------------------


async def test_a_post_of_an_alert_is_judged_on_its_page_with_who_and_when(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    client = await visit()
    await client.post("/login", data={"name": "Anna Prova"})
    page = await read(client, "/incidents/aurora-1")
    form = next(one for one in forms(page, "judge") if one.fields["mention"] == "second")
    assert [value for _, value in form.buttons] == ["negative", "neutral", "positive", UNRELATED]
    assert 303 == await send(client, form, value="positive")
    (row,) = backend.said
    label = row.label
    assert ("aurora", "bluesky", "second", "positive", "Anna Prova", "page", NOW, False) == (
        *(label.brand, label.source, label.mention_id, label.corrected),
        *(label.by, label.via, label.at, label.drawn),
    )
    again = await read(client, "/incidents/aurora-1")
    assert "Anna Prova dice: positivo" in again.text


async def test_a_word_is_taken_back_where_it_was_given(visit: Open, backend: FakeBackend) -> None:
    backend.stage()
    client = await visit()
    page = await read(client, "/incidents/aurora-1")
    await send(client, forms(page, "judge")[0], value=UNRELATED)
    page = await read(client, "/incidents/aurora-1")
    (back,) = forms(page, "withdraw")
    ((name, value),) = back.buttons
    assert 303 == await send(client, back, **{name: value})
    assert backend.said[0].withdrawn_at == NOW
    assert [] == forms(await read(client, "/incidents/aurora-1"), "withdraw")


async def test_the_same_button_twice_counts_once_and_another_button_is_another_word(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    client = await visit()
    form = forms(await read(client, "/incidents/aurora-1"), "judge")[0]
    for value in ("negative", "negative", "neutral"):
        assert 303 == await send(client, form, value=value)
    assert ["negative", "neutral"] == [row.label.corrected for row in backend.said]


async def test_drawn_posts_are_marked_as_drawn_and_do_not_show_what_sentinel_thinks(
    visit: Open, backend: FakeBackend
) -> None:
    backend.archive("La pasta di Aurora scuoce")
    client = await visit()
    page = await read(client, "/judging?brand=aurora&lang=en")
    assert "La pasta di Aurora scuoce" in page.text
    (form,) = forms(page, "judge")
    said = [text for text in page.texts if text.strip() == "negative"]
    assert 1 == len(said)  # the button
    assert 303 == await send(client, form, value="negative")
    assert [True] == [row.label.drawn for row in backend.said]


async def test_the_page_says_what_was_learnt_and_what_was_said(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    backend.learnt = (learn(GROUP, gloomy(60)), learn(GROUP, gloomy(30)))
    client = await visit()
    form = forms(await read(client, "/incidents/aurora-1"), "judge")[0]
    await send(client, form, value="negative")
    page = await read(client, "/judging?lang=en")
    assert "too few judged posts" in page.text
    assert "neutral negative" in page.text
    (back,) = forms(page, "withdraw")
    assert 303 == await send(client, back, value=back.buttons[0][1])
    assert "taken back by" in (await read(client, "/judging?lang=en")).text
    assert "Che cosa è stato imparato" in (await read(client, "/judging?lang=it")).text


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"csrf": "forged"}, 403),
        ({"value": "awful"}, 400),
        ({"brand": "nobody"}, 400),
        ({"mention": "not-there"}, 404),
        ({"id": "x" * 101}, 400),
    ],
)
async def test_what_does_not_fit_is_refused_and_nothing_is_kept(
    visit: Open, backend: FakeBackend, change: dict[str, str], code: int
) -> None:
    backend.stage()
    client = await visit()
    form = forms(await read(client, "/incidents/aurora-1"), "judge")[0]
    assert code == await send(client, form, **({"value": "negative"} | change))
    assert [] == backend.said


async def test_a_form_leads_back_to_our_own_pages_only(visit: Open, backend: FakeBackend) -> None:
    backend.stage()
    client = await visit()
    form = forms(await read(client, "/incidents/aurora-1"), "judge")[0]
    answer = await client.post(
        "/judging",
        data=form.fields | {"value": "negative", "next": "https://evil.example/"},
        allow_redirects=False,
    )
    assert (303, "/") == (answer.status, answer.headers["Location"])


# --- API -----------------------------------------------------------------------------------------


async def test_a_word_by_the_api_is_kept_listed_counted_and_taken_back(
    visit: Open, backend: FakeBackend
) -> None:
    backend.stage()
    backend.learnt = (learn(GROUP, gloomy(60)),)
    client = await visit(WebConfig(token=TOKEN))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    body = POST | {"label": "negative", "actor": "Anna Prova", "id": "k1"}
    for _ in range(2):
        answer = await client.post(LABELS, json=body, headers=headers)
        assert answer.status == 200
    found = (await answer.json())["label"]
    assert ("api:k1", "neutral", "negative", "Anna Prova", "2026-11-22T21:40:00.000Z") == tuple(
        found[key] for key in ("id", "predicted", "label", "by", "at")
    )
    listed = await (await client.get(f"{LABELS}?brand=aurora", headers=headers)).json()
    assert [found] == listed["labels"]
    (count,) = listed["counts"]
    assert {"predicted": "neutral", "label": "negative", "count": 1}.items() <= count.items()
    (layer,) = listed["layers"]
    assert ("aurora", "it", 60) == (layer["brand"], layer["language"], layer["labels"])
    answer = await client.post(f"{LABELS}/api:k1/withdraw", json={}, headers=headers)
    assert {"withdrawn": "api:k1"} == await answer.json()
    listed = await (await client.get(LABELS, headers=headers)).json()
    assert "api" == listed["labels"][0]["withdrawn_by"]
    assert [] == listed["counts"]
    answer = await client.post(f"{LABELS}/api:k1/withdraw", json={}, headers=headers)
    assert answer.status == 404


async def test_drawn_posts_by_the_api(visit: Open, backend: FakeBackend) -> None:
    backend.archive("La pasta di Aurora scuoce")
    client = await visit()
    drawn = await (await client.get(f"{LABELS}/draw?brand=aurora")).json()
    (mention,) = drawn["mentions"]
    assert ("m0", "bluesky", "La pasta di Aurora scuoce") == (
        mention["id"],
        mention["source"],
        mention["text"],
    )
    assert (await client.get(f"{LABELS}/draw?brand=nobody")).status == 400


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"\xff", 400),
        (b'{"brand":"aurora"}', 400),
        (b'{"brand":"aurora","source":"bluesky","mention_id":"second","label":"awful"}', 400),
        (b'{"brand":"nobody","source":"bluesky","mention_id":"second","label":"negative"}', 400),
        (b'{"brand":"aurora","source":"bluesky","mention_id":"none","label":"negative"}', 404),
    ],
)
async def test_a_word_that_cannot_be_taken_changes_nothing(
    visit: Open, backend: FakeBackend, body: bytes, code: int
) -> None:
    backend.stage()
    client = await visit()
    answer = await client.post(LABELS, data=body, headers={"Content-Type": "application/json"})
    assert code == answer.status
    assert (await answer.json())["error"]["message"]
    assert [] == backend.said


async def test_a_foreign_pages_form_cannot_give_a_word(visit: Open, backend: FakeBackend) -> None:
    backend.stage()
    client = await visit()
    answer = await client.post(LABELS, data=POST | {"label": "negative"})
    assert answer.status == 415
    answer = await client.post(
        LABELS, json=POST | {"label": "negative"}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status == 403
    assert [] == backend.said
