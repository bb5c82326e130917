import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.errors import ConfigError
from sentinel.model import Author, Dropped, DropReason, Engagement, Mention, Retraction
from sentinel.sources.canonical import MAX_TEXT, Decoder, Repair, parse_json
from sentinel.sources.field_map import FieldMap
from sentinel.sources.times import parse_time

NOW = 1795330900.0
AT = "2026-11-22T07:01:04Z"
EPOCH = 1795330864.0


def item(**changes: object) -> dict[str, object]:
    return {"id": "m-1", "text": "Ho trovato vetro", "published_at": AT} | changes


def read(**changes: object) -> Mention | Retraction | Dropped:
    return Decoder("web").read(item(**changes), NOW)


def mention(**changes: object) -> Mention:
    result = read(**changes)
    assert isinstance(result, Mention)
    return result


def test_a_full_canonical_mention_keeps_every_field() -> None:
    sent = {
        "id": "m-78",
        "source": "web",
        "channel": "forum",
        "published_at": AT,
        "text": "Pastificio Aurora, che delusione",
        "language": "it",
        "author": {
            "id": "u9",
            "handle": "@sam",
            "name": "Sam",
            "followers": 12,
            "created_at": "2020-01-01T00:00:00Z",
        },
        "url": "https://forum.example/t/5",
        "reply_to": "m-1",
        "repost_of": "m-2",
        "engagement": {"likes": 1, "reposts": 2, "replies": 3, "views": 4},
        "brand": "aurora",
        "mentions_of": ["https://aurora.example", "@aurora"],
        "something_new": {"deep": [1, 2]},
    }
    assert Mention(
        id="m-78",
        source="web",
        channel="forum",
        published_at=EPOCH,
        received_at=NOW,
        text="Pastificio Aurora, che delusione",
        language="it",
        author=Author("u9", "sam", "Sam", 12, 1577836800.0),
        url="https://forum.example/t/5",
        reply_to="m-1",
        repost_of="m-2",
        engagement=Engagement(1, 2, 3, 4),
        brand="aurora",
        mentions_of=("https://aurora.example", "@aurora"),
    ) == Decoder("web").decode(json.dumps(sent), NOW)


def test_the_short_spellings_lang_ts_and_a_plain_author_are_understood() -> None:
    got = Decoder("web").read(
        {"id": 7, "ts": AT, "lang": "IT-it", "author": "sam", "text": "ciao"}, NOW
    )
    assert isinstance(got, Mention)
    assert ("7", EPOCH, "it", Author(handle="sam")) == (
        got.id,
        got.published_at,
        got.language,
        got.author,
    )


def test_an_id_is_unique_at_its_own_source_so_another_source_becomes_part_of_it() -> None:
    forum, blog = mention(source="forum"), mention(source="blog", reply_to="m-0")
    assert (forum.id, blog.id, blog.reply_to) == ("forum/m-1", "blog/m-1", "blog/m-0")
    assert Retraction("web", mention_id="blog/m-1") == read(source="blog", op="delete")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"channel": "News Desk"}, "news-desk"),
        ({"source": "forum"}, "forum"),
        ({}, "web"),
        ({"channel": {"x": 1}}, "web"),
    ],
)
def test_the_channel_falls_back_to_the_senders_source_then_to_ours(
    given: dict[str, object], expected: str
) -> None:
    assert expected == mention(**given).channel


@pytest.mark.parametrize(
    "value",
    [
        AT,
        "2026-11-22T08:01:04+01:00",
        "2026-11-22 07:01:04",
        "Sun, 22 Nov 2026 07:01:04 GMT",
        EPOCH,
        int(EPOCH),
        EPOCH * 1e3,
        int(EPOCH) * 10**6,
        int(EPOCH) * 10**9,
        str(int(EPOCH)),
        "1795330864000",
    ],
)
def test_times_of_every_usual_spelling_are_the_same_moment(value: object) -> None:
    assert parse_time(value) == EPOCH


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "",
        "yesterday",
        "0001-01-01T00:00:00+14:00",
        0,
        -1e12,
        float("nan"),
        float("inf"),
        10**400,
        1e300,
        "9" * 500,
        [],
        {},
        "2026-13-45T99:99:99Z",
        "99999-01-01T00:00:00Z",
    ],
)
def test_an_absurd_time_is_none_and_a_live_mention_gets_the_time_of_receipt(value: object) -> None:
    assert parse_time(value) is None
    decoder = Decoder("web")
    got = decoder.read(item(published_at=value), NOW)
    assert isinstance(got, Mention)
    assert (
        got.published_at,
        got.received_at,
        decoder.repairs[Repair.TIME_UNREADABLE],
    ) == (NOW, NOW, 1)


def test_a_leap_second_is_read_as_the_second_before() -> None:
    assert parse_time("2016-12-31T23:59:60Z") == parse_time("2016-12-31T23:59:59Z")


def test_a_time_in_the_future_becomes_the_time_of_receipt_and_is_counted() -> None:
    decoder = Decoder("web")
    got = decoder.read(item(published_at="2999-01-01T00:00:00Z"), NOW)
    assert isinstance(got, Mention)
    assert (got.published_at, dict(decoder.repairs)) == (NOW, {Repair.TIME_IN_FUTURE: 1})


def test_in_a_replay_the_event_time_is_the_time_of_receipt_and_must_be_there() -> None:
    decoder = Decoder("file", live=False)
    got = decoder.read(item(), None)
    assert isinstance(got, Mention)
    assert (got.published_at, got.received_at) == (EPOCH, EPOCH)
    bad = decoder.read(item(published_at="soon"), None)
    assert isinstance(bad, Dropped)
    assert bad.reason == DropReason.MALFORMED


@pytest.mark.parametrize(
    "text",
    [
        "<!channel> & <@U123> <script>alert(1)</script>",
        "\u202egnorw ti daer\u202c",
        "z\u200be\u200dr\ufeffo",
        "a\r\nb\tc \x1b[31m",
        "  leading and trailing  ",
        "☕️ 👩‍👩‍👧 é",
    ],
)
def test_hostile_text_passes_through_untouched_as_data(text: str) -> None:
    assert text == mention(text=text).text


def test_nul_is_removed_and_lone_surrogates_are_replaced() -> None:
    decoder = Decoder("web")
    raw = b'{"id":"a\\u0000","published_at":"2026-11-22T07:01:04Z","text":"x\\u0000y\\ud83dz"}'
    got = decoder.decode(raw, NOW)
    assert isinstance(got, Mention)
    assert (
        got.id,
        got.text,
        decoder.repairs[Repair.CHARACTERS_REPLACED],
    ) == ("a", "xy\ufffdz", 1)
    got.text.encode()


def test_bytes_in_a_wrong_encoding_are_replaced_not_refused() -> None:
    raw = '{"id":"1","published_at":"2026-11-22T07:01:04Z","text":"perché"}'.encode("latin-1")
    got = Decoder("web").decode(raw, NOW)
    assert isinstance(got, Mention)
    assert got.text == "perch\ufffd"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_and_wide_encodings_are_understood(encoding: str) -> None:
    got = Decoder("web").decode(json.dumps(item(), ensure_ascii=False).encode(encoding), NOW)
    assert isinstance(got, Mention)
    assert got.text == "Ho trovato vetro"


def test_a_text_beyond_the_limit_is_cut_and_counted() -> None:
    decoder = Decoder("web")
    got = decoder.read(item(text="à" * (MAX_TEXT + 5)), NOW)
    assert isinstance(got, Mention)
    assert (len(got.text), decoder.repairs[Repair.TEXT_CUT]) == (MAX_TEXT, 1)


@pytest.mark.parametrize("text", ["", "   ", "\u200b\u200d\ufe0f", "\0", "\u202e\u2066"])
def test_a_text_in_which_nothing_can_be_seen_is_empty(text: str) -> None:
    got = read(text=text)
    assert isinstance(got, Dropped)
    assert got.reason == DropReason.EMPTY


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nonsense",
        b"[" * 100_000,
        b'{"id":"1","text":"a"',
        b"\x00",
        b"\xff\xfe",
        b"[]",
        b"3",
        b"null",
        b'"text"',
        b'{"text":"no id"}',
        b'{"id":"","text":"x"}',
        b'{"id":true,"text":"x"}',
        b'{"id":["x"],"text":"x"}',
        b'{"id":"1"}',
        b'{"id":"1","text":5}',
        b'{"id":"1","text":["x"]}',
        b'{"op":"delete"}',
        b'{"id":"1","text":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_mention_is_dropped_as_malformed_and_never_raises(raw: bytes) -> None:
    got = Decoder("web").decode(raw, NOW)
    assert isinstance(got, Dropped)
    assert got.reason == DropReason.MALFORMED


def test_wrong_optional_members_count_as_absent() -> None:
    got = mention(
        author={"followers": -3, "created_at": "x", "id": None, "name": 5},
        engagement={"likes": "12", "views": 1e9, "replies": float("nan"), "reposts": "many"},
        url="javascript:alert(1)",
        language="english please",
        reply_to={"uri": 1},
        mentions_of={"a": 1},
        brand=[1],
    )
    assert mention(author={"name": 5}, engagement={"likes": 12, "views": 1_000_000_000}) == got


def test_a_very_long_id_keeps_its_identity_as_a_digest() -> None:
    one, two = mention(id="x" * 9_000 + "1"), mention(id="x" * 9_000 + "2")
    assert one.id != two.id
    assert one.id.startswith("sha256:")


def test_deletes_become_retractions_of_a_mention_or_of_an_author() -> None:
    assert Retraction("web", mention_id="m-1") == read(op="delete", text=None)
    assert Retraction("web", author_id="u9") == read(op="delete", id=None, author={"id": "u9"})


def test_an_update_is_a_mention_with_the_same_identity_and_new_text() -> None:
    first, second = mention(op="create"), mention(op="update", text="corretto")
    assert first.key == second.key
    assert second.text == "corretto"


def test_a_brand_from_the_sender_is_believed_only_where_configured() -> None:
    trusting = Decoder("web", brand="northwind").read(item(brand="aurora"), NOW)
    wary = Decoder("web", brand="northwind", accept_brand=False).read(item(brand="aurora"), NOW)
    assert isinstance(trusting, Mention)
    assert isinstance(wary, Mention)
    assert (trusting.brand, wary.brand) == ("aurora", "northwind")


def test_a_field_map_reads_another_shape_and_never_falls_back_for_mapped_fields() -> None:
    mapping = {
        "id": "guid",
        "text": "data.title+data.body",
        "published_at": "ts",
        "author.id": "who.0.key",
        "channel": "=news",
        "url": "data.href",
    }
    decoder = Decoder("web", field_map=mapping)
    sent = {
        "guid": 17,
        "id": "not this",
        "url": "https://wrong.example",
        "ts": 1795330864000,
        "who": [{"key": "u1"}],
        "data": {"title": "Richiamo", "body": "Vetro nei biscotti"},
    }
    got = decoder.read(sent, NOW)
    assert isinstance(got, Mention)
    assert (
        got.id,
        got.text,
        got.published_at,
        got.author.id,
        got.channel,
        got.url,
    ) == ("17", "Richiamo\nVetro nei biscotti", EPOCH, "u1", "news", "")


@pytest.mark.parametrize("mapping", [{"txt": "a"}, {"text": ""}, {"text": "a++b"}])
def test_a_wrong_field_map_names_its_key(mapping: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"sources\.web\.field_map\.te?xt"):
        FieldMap(mapping, key="sources.web.field_map")


def test_a_drop_detail_never_repeats_what_was_sent() -> None:
    for raw in (b'{"secret-text', b'{"id":"1","text":["secret-text"]}'):
        got = Decoder("web").decode(raw, NOW)
        assert isinstance(got, Dropped)
        assert "secret" not in got.detail


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "text",
                    "published_at",
                    "ts",
                    "author",
                    "op",
                    "url",
                    "lang",
                    "channel",
                    "x",
                    "engagement",
                    "followers",
                    "created_at",
                    "likes",
                    "source",
                    "brand",
                    "mentions_of",
                ]
            ),
            inner,
            max_size=8,
        )
    ),
    max_leaves=20,
)


@given(json_values)
def test_any_json_value_is_decoded_or_dropped_and_never_raises(value: object) -> None:
    got = Decoder("web", field_map={"text": "text"}).read(value, NOW)
    assert isinstance(got, Mention | Retraction | Dropped)
    if isinstance(got, Mention):
        assert 0 < got.published_at <= got.received_at == NOW
        assert "\0" not in got.text
        got.text.encode()
        got.id.encode()


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_dropped_and_never_raise(raw: bytes) -> None:
    parse_json(raw)
    assert isinstance(Decoder("web").decode(raw, NOW), Mention | Retraction | Dropped)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300))
def test_text_is_kept_exactly_or_dropped_as_empty(text: str) -> None:
    got = Decoder("web").decode(json.dumps(item(text=text)), NOW)
    assert isinstance(got, Dropped) or text == got.text  # type: ignore[union-attr]  # no delete was sent
