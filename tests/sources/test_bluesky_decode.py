import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.errors import SourceError
from sentinel.model import Author, Dropped, DropReason, Mention
from sentinel.sources.bluesky_decode import (
    Event,
    Kind,
    Post,
    decode_v1,
    frame_time,
    mention_of,
    read_post,
)
from sentinel.sources.bluesky_v2 import decode_v2
from tests.fakes.jetstream import account, post

AT = 1795330800120345
V2 = "network.bsky.jetstream.subscribeEvents#"


def decoded(frame: object) -> Event:
    event = decode_v1(json.dumps(frame))
    assert isinstance(event, Event)
    return event


def read(**record: object) -> Post:
    found = read_post(record)
    assert isinstance(found, Post)
    return found


def test_a_post_becomes_a_mention_on_the_servers_time() -> None:
    frame = post(
        7,
        AT,
        "Pastificio Aurora, vergogna",
        langs=["it-IT", "en"],
        reply={"parent": {"uri": "at://did:plc:x/app.bsky.feed.post/1", "cid": "b"}, "root": {}},
    )
    event = decoded(frame)
    found = read_post(event.record)
    assert isinstance(found, Post)
    assert mention_of(event, found, "bluesky", AT / 1e6 + 2) == Mention(
        id="at://did:plc:fictional/app.bsky.feed.post/k7",
        source="bluesky",
        channel="bluesky",
        published_at=AT / 1e6,
        received_at=AT / 1e6 + 2,
        text="Pastificio Aurora, vergogna",
        language="it",
        author=Author(id="did:plc:fictional"),
        url="https://bsky.app/profile/did:plc:fictional/post/k7",
        reply_to="at://did:plc:x/app.bsky.feed.post/1",
    )


def test_a_server_time_in_the_future_becomes_the_time_of_receipt() -> None:
    event = decoded(post(7, AT))
    mention = mention_of(event, read(text="x"), "bluesky", AT / 1e6 - 60)
    assert mention.published_at == mention.received_at == AT / 1e6 - 60


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (post(1, AT), Kind.CREATE),
        (post(1, AT, operation="update"), Kind.UPDATE),
        (post(1, AT, operation="delete"), Kind.DELETE),
        (post(1, AT) | {"cursor": 812345678}, Kind.CREATE),
        (account(AT, "deleted"), Kind.PURGE),
        (account(AT, "takendown"), Kind.PURGE),
        (account(AT, "suspended"), Kind.OTHER),
        (account(AT, "deactivated"), Kind.OTHER),
        ({"did": "d", "time_us": AT, "kind": "identity", "identity": {"handle": "x"}}, Kind.OTHER),
        ({"did": "d", "time_us": AT, "kind": "not invented yet"}, Kind.OTHER),
        (
            {"did": "d", "time_us": AT, "commit": {"operation": "create", "collection": "a.b"}},
            Kind.OTHER,
        ),
        ({"did": "d", "time_us": AT, "commit": {"operation": "merge"}}, Kind.OTHER),
    ],
)
def test_every_kind_of_frame_is_told_apart(frame: dict[str, object], kind: Kind) -> None:
    assert (decoded(frame).kind, decoded(frame).time_us) == (kind, AT)


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        "[]",
        "null",
        '{"did":"d"}',
        '{"time_us":1}',
        '{"did":"","time_us":1}',
        '{"did":"d","time_us":"1"}',
        '{"did":"d","time_us":-1}',
        '{"did":"d","time_us":1,"commit":{"operation":"create","collection":"app.bsky.feed.post"}}',
        json.dumps(post(1, AT) | {"commit": post(1, AT)["commit"] | {"record": 5}}),
    ],
)
def test_a_frame_that_is_none_is_malformed(frame: str) -> None:
    found = decode_v1(frame)
    assert isinstance(found, Dropped)
    assert found.reason is DropReason.MALFORMED


def test_links_mentions_and_tags_are_searchable_beside_the_text() -> None:
    found = read(
        text="Guarda aurora.example/ric… @aurora #Vergogna",
        tags=["boicotta"],
        facets=[
            {"features": [{"uri": "https://aurora.example/richiamo?lotto=1"}]},
            {"features": [{"did": "did:plc:brand"}, {"tag": "Vergogna"}, {"$type": "new"}]},
            {"features": None},
            5,
        ],
    )
    assert found.extras == (
        "https://aurora.example/richiamo?lotto=1",
        "did:plc:brand",
        "#Vergogna",
        "#boicotta",
    )


@pytest.mark.parametrize(
    ("embed", "text"),
    [
        ({"images": [{"alt": "vetro"}, {"alt": ""}, {}]}, "ciao\nvetro"),
        ({"$type": "app.bsky.embed.video", "alt": "un filmato"}, "ciao\nun filmato"),
        ({"$type": "app.bsky.embed.gallery", "items": [{"alt": "a"}, {"alt": "b"}]}, "ciao\na\nb"),
        (
            {
                "external": {
                    "title": "Richiamo",
                    "description": "Lotto 1",
                    "uri": "https://x.example",
                }
            },
            "ciao\nRichiamo\nLotto 1",
        ),
        (
            {"record": {"record": {"uri": "at://q"}}, "media": {"images": [{"alt": "foto"}]}},
            "ciao\nfoto",
        ),
        ({"$type": "app.bsky.embed.hologram", "beam": [1]}, "ciao"),
        ("not an object", "ciao"),
        ({"images": "no list", "external": 7, "record": []}, "ciao"),
    ],
)
def test_texts_of_embeds_belong_to_the_post(embed: object, text: str) -> None:
    assert read(text="ciao", embed=embed).text == text


def test_a_quote_without_words_repeats_and_with_words_answers_for_itself() -> None:
    embed = {
        "record": {"record": {"uri": "at://q/app.bsky.feed.post/1"}},
        "media": {"external": {"uri": "https://news.example", "title": "Richiamo"}},
    }
    event = Event(Kind.CREATE, AT, "d", "k", {})
    silent, speaking = read(text="", embed=embed), read(text="guardate", embed=embed)
    assert silent.text == "Richiamo"
    assert mention_of(event, silent, "b", AT).repost_of == "at://q/app.bsky.feed.post/1"
    assert mention_of(event, speaking, "b", AT).repost_of == ""
    assert "at://q/app.bsky.feed.post/1" in speaking.extras


def test_a_bare_link_is_its_own_text_and_a_bare_picture_is_empty() -> None:
    assert (
        read(text="", embed={"external": {"uri": "https://x.example"}}).text == "https://x.example"
    )
    empty = read_post({"text": "", "embed": {"images": [{"alt": ""}]}})
    assert isinstance(empty, Dropped)
    assert empty.reason is DropReason.EMPTY


def test_hostile_text_is_kept_and_only_nul_and_surrogates_are_repaired() -> None:
    frame = json.dumps(post(1, AT, "<!channel> \u202eabc <b>")).replace("abc", "a\\u0000b\\ud800c")
    event = decode_v1(frame)
    assert isinstance(event, Event)
    found = read_post(event.record)
    assert isinstance(found, Post)
    assert found.text == "<!channel> \u202eab\ufffdc <b>"


def test_the_time_is_found_without_decoding() -> None:
    frame = json.dumps(post(1, AT), separators=(",", ":"))
    assert [frame_time(frame), frame_time(frame.encode()), frame_time("{}"), frame_time(b"")] == [
        AT,
        AT,
        0,
        0,
    ]


def test_v2_frames_give_the_same_events_as_v1() -> None:
    commit = post(1, AT, "ciao")["commit"]
    payload = {"$type": V2 + "commit", "did": "did:plc:fictional", "seq": 5} | commit
    payload["time"] = "2026-11-22T07:00:00.120345Z"
    assert decode_v2(json.dumps({"$type": "message", "payload": payload})) == decoded(
        post(1, AT, "ciao")
    )


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"$type": V2 + "info", "name": "OutdatedCursor"}, Kind.OUTDATED),
        ({"$type": V2 + "info", "name": "Other"}, Kind.OTHER),
        (
            {
                "$type": V2 + "account",
                "did": "d",
                "time": "2026-11-22T07:01:39Z",
                "account": {"active": False, "status": "deleted"},
            },
            Kind.PURGE,
        ),
        ({"$type": V2 + "sync", "did": "d", "time": "2026-11-22T07:01:39Z"}, Kind.OTHER),
    ],
)
def test_v2_kinds(payload: dict[str, object], kind: Kind) -> None:
    event = decode_v2(json.dumps({"$type": "message", "payload": payload}))
    assert isinstance(event, Event)
    assert event.kind is kind


def test_a_v2_error_frame_ends_the_connection() -> None:
    with pytest.raises(SourceError, match="ConsumerTooSlow"):
        decode_v2('{"$type":"error","error":"ConsumerTooSlow","message":"x"}')


@pytest.mark.parametrize("frame", ["", "[]", "{}", '{"payload":{"$type":"x","did":5}}'])
def test_a_v2_frame_that_is_none_is_malformed(frame: str) -> None:
    assert isinstance(decode_v2(frame), Dropped)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("text", "facets", "features", "uri", "did", "tag", "tags", "embed", "images"),
                    *("alt", "external", "title", "record", "media", "langs", "reply", "parent"),
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@given(values)
def test_any_record_is_read_or_dropped_and_never_raises(record: object) -> None:
    event = decode_v1(
        json.dumps(post(1, AT) | {"commit": post(1, AT)["commit"] | {"record": record}})
    )
    found = read_post(record)
    if isinstance(event, Event) and isinstance(found, Post):
        mention = mention_of(event, found, "b", AT / 1e6)
        mention.text.encode()
        assert mention.text


@given(st.text(max_size=100) | st.binary(max_size=100))
def test_any_frame_is_decoded_or_dropped_and_never_raises(frame: str | bytes) -> None:
    assert isinstance(decode_v1(frame), Event | Dropped)
    assert isinstance(decode_v2(frame), Event | Dropped)
