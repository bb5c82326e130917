"""Where it came from: first posts by channel, links as plain hosts, bounded, forgetting what was deleted."""

from random import Random

import msgspec
import pytest

from sentinel.core.chain import MAX_CHANNELS, MAX_HOSTS, MAX_OPENERS, Chain, hosts
from sentinel.core.storyline import quote_of
from sentinel.model import Mention, Sighting, Verdict
from tests.core.build import NEGATIVE, T0, sighting

TOPIC = Verdict("it", 0.9, 0.1, 0.0, "negative", (), ("presidente",), "test")


def post(number: int, verdict: Verdict = TOPIC, **changes: object) -> Sighting:
    one = sighting(number, T0 + 60.0 * number, verdict)
    return msgspec.structs.replace(one, mention=msgspec.structs.replace(one.mention, **changes))


def chain(*posts: Sighting) -> Chain:
    made = Chain()
    for one in posts:
        made.add(
            one.mention, quote_of(one), one.verdict.terms, speaks=one.verdict.label == "negative"
        )
    return made


def test_the_path_goes_from_channel_to_channel_in_order_of_time() -> None:
    posts = [
        post(5, channel="news"),
        post(1, channel="radio"),
        post(3, channel="bluesky"),
        post(9, channel="bluesky"),
    ]
    path = chain(*posts).path(())
    assert [(one.channel, one.mention_id) for one in path] == [
        ("radio", "m1"),
        ("bluesky", "m3"),
        ("news", "m5"),
    ]
    assert path == chain(*posts[::-1]).path(())


def test_what_is_not_about_the_matter_did_not_begin_it() -> None:
    early = [post(n, NEGATIVE) for n in range(3)]
    made = chain(*early, post(4))
    assert [one.mention_id for one in made.path(("presidente",))] == ["m4"]
    first = made.first(("presidente",))
    assert first is not None
    assert first.mention_id == "m4"


def test_a_neutral_report_may_have_begun_it_if_it_is_plainly_about_the_matter() -> None:
    calm = msgspec.structs.replace(TOPIC, label="neutral", terms=("presidente", "radio"))
    vague = msgspec.structs.replace(calm, terms=("presidente", "ricetta"))
    made = chain(post(1, vague), post(2, calm), post(3))
    first = made.first(("presidente", "radio"))
    assert first is not None
    assert first.mention_id == "m2"
    assert [one.mention_id for one in chain(post(1, calm), post(3)).path(())] == ["m3"]


def test_a_repost_can_be_first_on_a_channel_but_is_nobodys_first_post() -> None:
    made = chain(post(1, repost_of="elsewhere"), post(2, reply_to="question"))
    assert [(one.mention_id, one.repeats) for one in made.path(())] == [("m1", "elsewhere")]
    first = made.first(())
    assert first is not None
    assert first.mention_id == "m2"


def test_what_the_first_post_answers_and_links_to_is_kept() -> None:
    text = "Sentite https://www.laradio.example/diretta"
    [first] = chain(post(1, reply_to="question", text=text)).path(())
    assert (first.answers, first.link) == ("question", "laradio.example")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nessun link", []),
        ("http://A.Example/x http://a.example/y", ["a.example"]),
        ("https://bank.example@evil.example/login", ["evil.example"]),
        ("https://[::1]/ http://127.0.0.1/ http://localhost/", []),
        ("https://<!channel>/ http://a b", []),
        ("https://xn--bcher-kva.example:8443?q=1", ["xn--bcher-kva.example"]),
        ("https://büro.example/", []),
        ("http://" + "a" * 5000 + ".example", []),
        ("https://*bold*.example", []),
    ],
)
def test_of_a_link_only_a_plain_host_is_kept(text: str, expected: list[str]) -> None:
    assert hosts([text]) == expected


def test_hosts_are_counted_once_a_post_with_the_time_of_the_first() -> None:
    twice = "https://laradio.example/1 https://laradio.example/2"
    made = chain(post(3, text=twice), post(1, text=twice), post(2, text="https://una.example/"))
    [link] = made.linked()
    assert (link.host, link.count, link.first_at) == ("laradio.example", 2, T0 + 60)


def test_a_storm_takes_bounded_memory_and_the_common_host_survives() -> None:
    rng = Random(1)
    made = Chain()
    for number in range(3000):
        host = "laradio" if number % 3 == 0 else f"h{number}"
        one = post(
            rng.randrange(10_000), text=f"https://{host}.example/", channel=f"c{number % 40}"
        )
        made.add(
            one.mention, quote_of(one), one.verdict.terms, speaks=one.verdict.label == "negative"
        )
    assert len(made.links) <= MAX_HOSTS
    assert made.linked()[0].host == "laradio.example"
    assert len(made.openers) == MAX_CHANNELS
    assert all(len(here) <= MAX_OPENERS for here in made.openers.values())


def test_a_deleted_post_began_nothing() -> None:
    made = chain(post(1), post(2))
    made.forget("feed", "m1")
    assert [one.mention_id for one in made.path(())] == ["m2"]
    made.forget("feed", "m2")
    assert made.path(()) == ()
    assert made.first(()) is None


def test_it_survives_being_written_down() -> None:
    made = chain(*(post(n, text=f"https://h{n % 3}.example/") for n in range(20)))
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Chain)
    assert (again.path(("presidente",)), again.linked()) == (
        made.path(("presidente",)),
        made.linked(),
    )


def test_a_mention_without_text_is_no_trouble() -> None:
    empty = Mention("m", "feed", "social", T0, T0, "")
    made = Chain()
    made.add(empty, quote_of(Sighting(empty, (), TOPIC)), (), speaks=True)
    assert made.linked() == ()
