"""Threads of talk: posts that share telling words, the same in any order, bounded in time."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.threads import group, telling

STRIKE = [("sciopero", "turni", "paga"), ("turni", "sciopero"), ("paga", "sciopero", "magazzino")]
RECALL = [("richiamo", "lotto"), ("lotto", "plastica", "richiamo"), ("plastica", "richiamo")]


def grouped(posts: list[tuple[str, ...]]) -> set[frozenset[tuple[str, ...]]]:
    return {frozenset(posts[place] for place in places) for places in group(posts)}


def test_two_matters_are_two_groups() -> None:
    assert grouped(STRIKE + RECALL) == {frozenset(STRIKE), frozenset(RECALL)}


def test_what_everybody_says_joins_nothing() -> None:
    posts = [(*terms, "aurora", "#boicottaaurora") for terms in STRIKE + RECALL]
    assert len(group(posts)) == 2


def test_a_post_with_nothing_in_common_is_in_no_group() -> None:
    posts = [*STRIKE, ("ciao", "mondo"), ()]
    assert sorted(place for places in group(posts) for place in places) == [0, 1, 2]


def test_nothing_makes_no_group() -> None:
    assert group([]) == []
    assert group([("solo",)]) == []


def test_the_order_of_posts_does_not_matter() -> None:
    posts = STRIKE + RECALL
    expected = grouped(posts)
    for seed in range(10):
        Random(seed).shuffle(posts)
        assert grouped(posts) == expected


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6).map(tuple), max_size=30))
def test_every_post_is_in_at_most_one_group_and_the_same_twice(
    posts: list[tuple[str, ...]],
) -> None:
    groups = group(posts)
    places = [place for places in groups for place in places]
    assert len(places) == len(set(places))
    assert groups == group(posts)


def test_words_that_set_posts_apart_are_those_the_others_lack() -> None:
    inside = [(terms, 3) for terms in STRIKE]
    outside = [((*terms, "paga"), 1) for terms in RECALL]
    assert telling(inside, outside, 2) == ("sciopero", "turni")


def test_a_post_that_stands_for_many_counts_as_many() -> None:
    assert telling([(("uno",), 1), (("due",), 5)], [], 1) == ("due",)
