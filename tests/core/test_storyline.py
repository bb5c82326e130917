"""What an incident is made of: bounded sums, telling quotes, rising terms."""

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.rising import Baseline
from sentinel.core.showing import Showing
from sentinel.core.storyline import (
    MAX_AUTHORS,
    MAX_CANDIDATES,
    MAX_ORIGINALS,
    MAX_PAIRS,
    MAX_SAMPLE,
    MAX_TERMS,
    MAX_TEXTS,
    Storyline,
)
from sentinel.model import Author, Caveat, Direction, Engagement, Quote, Sighting, Verdict
from tests.core.build import NEGATIVE, NEUTRAL, POSITIVE, T0, sighting

WORDS = [
    "pane",
    "acqua",
    "sale",
    "olio",
    "vino",
    "latte",
    "miele",
    "riso",
    "uova",
    "farina",
    "burro",
    "noci",
    "fichi",
    "menta",
    "timo",
]


def said(
    number: int, verdict: Verdict = NEGATIVE, *, at: float = T0, text: str = "", **changes: object
) -> Sighting:
    one = sighting(number, at + number, verdict, text=text or f"{WORDS[number % 15]} {number} " * 4)
    return msgspec.structs.replace(one, mention=msgspec.structs.replace(one.mention, **changes))


def story(*sightings: Sighting, direction: Direction = Direction.THREAT) -> Storyline:
    made = Storyline(direction=direction)
    for one in sightings:
        made.add(one)
    return made


def shown(one: Storyline) -> tuple[Quote, ...]:
    """The posts that an alert would show."""
    return Showing(one).threads()[1]


def test_sums_are_those_of_the_sightings() -> None:
    one = story(said(1), said(2, NEUTRAL), said(3, POSITIVE, channel="news"), said(4))
    assert (one.mentions, one.negative, one.positive) == (4, 2, 1)
    assert one.channels == {"social": 3, "news": 1}
    assert one.languages == {"it": 4}


def test_an_author_is_one_author_however_often_they_write() -> None:
    busy = Author(id="anna", followers=500)
    one = story(*(said(n, author=busy) for n in range(9)), said(9, author=Author(handle="ugo")))
    assert one.spread().authors == 2
    assert one.spread().reach == 500
    assert Caveat.FEW_AUTHORS in one.caveats()


def test_reposts_and_new_accounts_are_told_as_caveats() -> None:
    fresh = [Author(id=f"n{n}", created_at=T0 - 86_400.0) for n in range(12)]
    new = story(*(said(n, author=fresh[n]) for n in range(12)))
    assert new.spread().new_account_share == 1.0
    assert Caveat.NEW_ACCOUNTS in new.caveats()
    repeated = story(*(said(n, repost_of="m0" if n > 3 else "") for n in range(12)))
    assert repeated.spread().repost_share == pytest.approx(8 / 12)
    assert Caveat.MANY_REPOSTS in repeated.caveats()
    assert not set(story(*(said(n) for n in range(12))).caveats()) & {
        Caveat.NEW_ACCOUNTS,
        Caveat.MANY_REPOSTS,
    }


def test_few_accounts_whose_age_is_known_say_nothing_about_age() -> None:
    fresh = Author(id="n", created_at=T0)
    assert story(*(said(n, author=fresh) for n in range(20))).spread().new_account_share is None


def test_the_first_post_is_the_earliest_in_its_direction_whatever_the_order() -> None:
    posts = [said(n, NEUTRAL if n < 3 else NEGATIVE) for n in range(9)]
    for order in (posts, posts[::-1]):
        first = story(*order).first(())
        assert first is not None
        assert first.mention_id == "m3"


def test_quotes_are_three_different_ones_and_not_reposts_or_blanks() -> None:
    same = [said(n, text="Aurora vergogna, mai più") for n in range(10)]
    others = [
        said(20, text="licenziate quel signore subito"),
        said(21, text="io cambio marca da oggi"),
    ]
    blank, repost = said(30, text="   "), said(31, repost_of="m0", text="parole gravissime davvero")
    quotes = shown(story(*same, *others, blank, repost))
    assert {one.text for one in quotes} == {
        "Aurora vergogna, mai più",
        "licenziate quel signore subito",
        "io cambio marca da oggi",
    }


def test_a_quote_that_was_repeated_often_comes_first_with_its_spread() -> None:
    posts = [said(n) for n in range(8)]
    repeats = [said(100 + n, repost_of="m5", text="x") for n in range(40)]
    top = shown(story(*posts, *repeats))[0]
    assert (top.mention_id, top.spread) == ("m5", 40)


def test_quotes_are_cut_and_links_too() -> None:
    long = said(1, NEUTRAL, text="a" * 5000, url="https://x.example/" + "u" * 3000)
    [quote] = shown(story(long))
    assert (len(quote.text), len(quote.url)) == (500, 500)


def test_a_deleted_post_is_neither_shown_nor_matched_any_more_but_stays_counted() -> None:
    posts = [said(n) for n in range(6)]
    one = story(*posts)
    for number in range(6):
        one.forget("feed", f"m{number}")
    assert one.mentions == 6
    assert shown(one) == ()
    assert one.first(()) is None
    assert one.texts == {}


def test_forgetting_somebody_elses_post_changes_nothing() -> None:
    one = story(*(said(n) for n in range(6)))
    before = msgspec.msgpack.encode(one)
    one.forget("another-source", "m1")
    one.forget("feed", "m999")
    assert before == msgspec.msgpack.encode(one)


def test_rising_terms_are_unusual_and_frequent_not_merely_frequent() -> None:
    baseline = Baseline()
    for number in range(300):
        baseline.add(("pasta", "ricetta") if number % 2 else ("pasta",))
    new = Verdict("it", 0.9, 0.1, 0.0, "negative", (), ("pasta", "boicottiamo"))
    once = Verdict("it", 0.9, 0.1, 0.0, "negative", (), ("pasta", "unavolta"))
    terms = [
        one.term
        for one in story(*(said(n, new) for n in range(30)), said(31, once)).rising(baseline)
    ]
    assert terms == ["boicottiamo"]


def test_the_baseline_follows_the_times_and_stays_small() -> None:
    baseline = Baseline()
    for number in range(10_000):
        baseline.add((f"w{number % 5000}", "old" if number < 5000 else "new"))
    assert len(baseline.terms) <= 2 * Baseline.LIMIT
    assert baseline.terms["new"] > baseline.terms.get("old", 0.0)
    assert baseline.mentions <= Baseline.WINDOW


def test_crisis_types_are_weighted_by_how_much_a_post_speaks_in_the_direction() -> None:
    both = (("boycott", 0.8), ("data-breach", 0.1))
    angry = Verdict("it", 0.9, 0.1, 0.0, "negative", both, ())
    calm = Verdict("it", 0.1, 0.8, 0.1, "neutral", (("data-breach", 1.0),), ())
    ranked = story(*(said(n, angry) for n in range(10)), said(10, calm)).ranked_types()
    assert [slug for slug, _ in ranked] == ["boycott", "data-breach"]
    assert ranked[0][1] == pytest.approx(0.72)
    assert all(0 <= share <= 1 for _, share in ranked)


def test_a_storm_of_strangers_takes_bounded_memory() -> None:
    rng = Random(1)
    one = Storyline()
    for number in range(6000):
        verdict = Verdict("it", 0.9, 0.1, 0.0, "negative", (), (f"t{number}", f"u{number % 700}"))
        one.add(
            said(
                number,
                verdict,
                channel=f"c{number}",
                author=Author(id=f"a{number}", handle=f"h{number}", followers=rng.randrange(1000)),
                repost_of=f"r{number}" if number % 3 == 0 else "",
                engagement=Engagement(reposts=rng.randrange(100)),
            )
        )
    assert one.mentions == 6000
    assert one.spread().authors == 6000
    for table, limit in (
        (one.authors, MAX_AUTHORS),
        (one.originals, MAX_ORIGINALS),
        (one.terms, MAX_TERMS),
        (one.candidates, MAX_CANDIDATES),
        (one.pairs, MAX_PAIRS),
        (one.sample, MAX_SAMPLE),
        (one.channels, 50),
        (one.texts, MAX_TEXTS),
    ):
        assert len(table) <= limit
    assert len(msgspec.msgpack.encode(one)) < 400_000


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from([NEGATIVE, NEUTRAL, POSITIVE])), max_size=40
    )
)
def test_a_storyline_survives_being_written_down(posts: list[tuple[int, Verdict]]) -> None:
    one = story(*(said(number, verdict) for number, verdict in posts))
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Storyline)
    baseline = Baseline()
    assert Showing(one).threads() == Showing(again).threads()
    assert one.rising(baseline) == again.rising(baseline)
    assert one.spread() == again.spread()
    one.add(said(99))
    again.add(said(99))
    assert msgspec.msgpack.encode(one) == msgspec.msgpack.encode(again)


# --- threads, sample, kinds ----------------------------------------------------------------------


def about(number: int, *terms: str, kind: str = "", **changes: object) -> Sighting:
    """A negative post of its own about some words."""
    kinds = ((kind, 0.7),) if kind else ()
    verdict = Verdict("it", 0.9, 0.1, 0.0, "negative", kinds, (*terms, f"solo{number}"))
    return said(number, verdict, text=" ".join((*terms, f"solo{number}")), **changes)


def strike_and_recall(strike: int = 60, recall: int = 30) -> Storyline:
    return story(
        *(about(n, "sciopero", "turni", "paga", kind="labour-dispute") for n in range(strike)),
        *(about(500 + n, "richiamo", "lotto", kind="product-safety") for n in range(recall)),
    )


def test_two_threads_of_talk_are_told_with_share_words_and_an_example_each() -> None:
    threads, quotes = Showing(strike_and_recall()).threads()
    assert [set(one.terms) >= words for one, words in zip(
        threads, ({"sciopero", "turni"}, {"richiamo", "lotto"}), strict=True
    )] == [True, True]  # fmt: skip
    assert threads[0].share == pytest.approx(2 / 3, abs=0.15)
    assert sum(one.share for one in threads) == pytest.approx(1.0)
    examples = {one.thread: one.text for one in quotes if one.thread}
    assert "sciopero" in examples[1]
    assert "richiamo" in examples[2]


def test_one_matter_is_no_list_of_threads() -> None:
    assert Showing(strike_and_recall(recall=0)).threads()[0] == ()
    assert Showing(strike_and_recall(recall=2)).threads()[0] == ()


def test_the_sample_is_the_same_in_any_order_of_arrival() -> None:
    posts = [about(n, "a", "b") for n in range(300)]
    shuffled = posts.copy()
    Random(3).shuffle(shuffled)
    assert story(*posts).sample == story(*shuffled).sample
    assert len(story(*posts).sample) == MAX_SAMPLE


def test_near_copies_take_one_place_among_the_posts_that_may_be_shown() -> None:
    text = "Da stasera non compro più la pasta Aurora e spero che facciate lo stesso {}"
    copies = [said(n, text=text.format(f"https://x.example/{n}")) for n in range(50)]
    other = said(90, NEUTRAL, text="una cosa del tutto diversa da dire adesso")
    one = story(*copies, other)
    assert len(one.candidates) == 2
    assert len(shown(one)) == 2


def test_a_copy_does_not_push_out_the_post_that_everybody_reposts() -> None:
    text = "Da stasera non compro più la pasta Aurora e spero che facciate lo stesso"
    first = said(1, text=text)
    reposts = [said(100 + n, text=text, repost_of="m1") for n in range(30)]
    famous = said(2, text=text, author=Author(id="vip", followers=50_000))
    [kept] = story(first, *reposts, famous).candidates
    assert kept.quote.mention_id == "m1"


def test_the_most_spread_post_is_marked() -> None:
    posts = [said(n) for n in range(8)]
    repeats = [said(100 + n, repost_of="m5", text="x") for n in range(12)]
    marked = [one for one in shown(story(*posts, *repeats)) if one.most_spread]
    assert [(one.mention_id, one.spread) for one in marked] == [("m5", 12)]
    assert not any(one.most_spread for one in shown(story(*posts)))


def test_what_spread_most_is_about_the_matter_and_in_its_direction() -> None:
    posts = [about(1, "sciopero"), about(2, "ricetta"), said(3, NEUTRAL)]
    counts = {"m1": 5, "m2": 20, "m3": 40}
    repeats = [
        said(1000 * int(whose[1]) + n, repost_of=whose, text="x")
        for whose, count in counts.items()
        for n in range(count)
    ]
    one = story(*posts, *repeats)
    [marked] = [post for post in Showing(one, ("sciopero",)).threads()[1] if post.most_spread]
    assert marked.mention_id == "m1"
    assert one.spread(("sciopero",)).top_author_spread == 5


def test_crisis_types_come_with_words_and_an_example() -> None:
    first, second = Showing(strike_and_recall()).kinds()
    assert (first.kind, second.kind) == ("labour-dispute", "product-safety")
    assert set(first.terms) <= {"sciopero", "turni", "paga"}
    assert first.example is not None
    assert "sciopero" in first.example.text
    assert first.share + second.share == pytest.approx(1.0)


def test_posts_without_a_type_are_an_answer_of_their_own() -> None:
    one = story(
        *(about(n, "mah") for n in range(30)),
        *(about(100 + n, "lotto", kind="product-safety") for n in range(10)),
    )
    first, second = Showing(one).kinds()
    assert (first.kind, first.score, first.terms, first.example) == ("none", 0.0, (), None)
    assert second.kind == "product-safety"


def test_a_deleted_post_is_no_example_and_in_no_sample() -> None:
    posts = [about(n, "sciopero", kind="labour-dispute") for n in range(5)]
    one = story(*posts)
    for number in range(5):
        one.forget("feed", f"m{number}")
    assert (one.sample, Showing(one).kinds(), one.chain.path(())) == ([], (), ())


def test_common_words_outlive_a_flood_of_rare_ones() -> None:
    posts = [about(n, *(f"raro{n}-{k}" for k in range(9)), "sciopero") for n in range(800)]
    one = story(*posts)
    assert one.terms["sciopero"] == 800
    assert len(one.terms) <= MAX_TERMS
