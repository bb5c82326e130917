"""Ranking playbooks: signals, honesty, determinism, hostile text."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.pipeline import Core
from sentinel.core.playbook_match import (
    MATCH_MARGIN,
    MATCH_THRESHOLD,
    MAX_TERM_REASONS,
    MAX_TEXT_CHARACTERS,
    MAX_TEXTS,
    Matcher,
    MatchQuery,
    fold,
    match,
    rank,
    term_words,
    tokens,
)
from sentinel.core.playbooks import Playbook, Trigger
from sentinel.model import Brand, Direction, Severity, TermCount
from sentinel.playbook_files import load_playbooks

BOOK = load_playbooks().playbooks
MATCHER = Matcher(BOOK)


def template(playbook_id: str) -> Playbook:
    return next(playbook for playbook in BOOK if playbook.id == playbook_id)


def plan(playbook_id: str, slug: str, **trigger: tuple[str, ...]) -> Playbook:
    """A threat playbook that differs from the packaged ones by id, type and triggers only."""
    return msgspec.structs.replace(
        template("boycott"),
        id=playbook_id,
        types=(slug,),
        trigger=Trigger(
            terms={"en": trigger.get("terms", ())},
            hints={"en": trigger.get("hints", ())},
            against={"en": trigger.get("against", ())},
        ),
        tests=(),
    )


OUTAGE = plan("service-outage", "service-outage", terms=("outage", "not working"))
BREACH = plan("data-breach", "data-breach", terms=("stolen data", "hack*"), hints=("password",))
GENERAL = template("general")


def score_of(playbook: Playbook, query: MatchQuery) -> float:
    return next(
        each.score
        for each in rank(query, (OUTAGE, BREACH, GENERAL))
        if each.playbook == playbook.id
    )


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#BoicottaAurora", ("boicotta", "aurora", "boicottaaurora")),
        ("#boicottaaurora", ("boicottaaurora",)),
        ("#IoStoConAurora2", ("io", "sto", "con", "aurora", "2", "iostoconaurora2")),
        ("#AURORADown", ("aurora", "down", "auroradown")),
        ("#stop_buying_now", ("stop", "buying", "now", "stopbuyingnow")),
        ("È GIÀ successo", ("e", "gia", "successo")),
        ("l'AD di Aurora", ("l", "ad", "di", "aurora")),
        ("ｂｏｙｃｏｔｔ!", ("boycott",)),
        ("boy\u200bcott", ("boycott",)),
        ("<!channel> # ##", ("channel",)),
        ("", ()),
    ],
)
def test_text_is_folded_and_hashtags_are_split(text: str, expected: tuple[str, ...]) -> None:
    assert expected == tokens(text)


def test_a_term_keeps_its_star_on_a_stem_of_four_letters_or_more() -> None:
    assert term_words("Boicott* il marchio") == ("boicott*", "il", "marchio")
    assert term_words("gu*") == ("gu",)


@pytest.mark.parametrize("text", ["an outage", "OUTAGE!", "#OutageAgain", "ｏｕｔａｇｅ"])
def test_a_word_hits_however_it_is_dressed(text: str) -> None:
    assert score_of(OUTAGE, MatchQuery(texts=(text,))) > 0


@pytest.mark.parametrize("text", ["outages", "preoutage", "working not", "not now working"])
def test_only_whole_words_and_whole_phrases_hit(text: str) -> None:
    assert score_of(OUTAGE, MatchQuery(texts=(text,))) == 0


def test_a_stem_hits_every_word_that_begins_with_it() -> None:
    assert score_of(BREACH, MatchQuery(texts=("they were hacked",))) > 0
    assert score_of(BREACH, MatchQuery(texts=("shacks",))) == 0


# --- score ---------------------------------------------------------------------------------------


def test_crisis_types_alone_can_match() -> None:
    found = match(MatchQuery(crisis_types=(("data-breach", 0.62),)), (OUTAGE, BREACH, GENERAL))
    assert found.matched
    assert (found.playbook, found.reasons) == ("data-breach", ("type data-breach 0.62",))


def test_trigger_terms_alone_can_match_and_say_in_how_many_posts() -> None:
    texts = ("outage again", "total outage", "hm", "not working")
    found = match(MatchQuery(texts=texts), (OUTAGE, BREACH, GENERAL))
    expected = ("term «outage» in 2 of 4 posts", "term «not working» in 1 of 4 posts")
    assert found.playbook == "service-outage"
    assert expected == found.reasons


def test_at_most_a_few_terms_are_given_as_reasons() -> None:
    many = plan("boycott", "boycott", terms=("one", "two", "three", "four", "five"))
    reasons = match(MatchQuery(texts=("one two three four five",)), (many,)).reasons
    assert len(reasons) == MAX_TERM_REASONS


def test_the_runner_up_is_told_with_its_score() -> None:
    query = MatchQuery(
        texts=("outage", "outage", "hacked"), crisis_types=(("service-outage", 0.5),)
    )
    found = match(query, (OUTAGE, BREACH, GENERAL))
    assert found.runner_up == "data-breach"
    assert 0 < found.runner_up_score < found.score


def test_a_hint_says_less_than_a_term() -> None:
    strong = score_of(BREACH, MatchQuery(texts=("stolen data",)))
    weak = score_of(BREACH, MatchQuery(texts=("password",)))
    assert 0 < weak < strong / 2


def test_a_term_that_two_playbooks_share_says_less_for_each() -> None:
    shared = msgspec.structs.replace(BREACH, trigger=Trigger(terms={"en": ("outage",)}))
    query = MatchQuery(texts=("outage", "quiet", "quiet", "quiet"))
    alone = rank(query, (OUTAGE, BREACH))[0].score
    assert rank(query, (OUTAGE, shared))[0].score < alone


def test_words_alone_never_make_a_score_certain() -> None:
    texts = ("outage, not working",) * 50
    assert 0.7 < score_of(OUTAGE, MatchQuery(texts=texts)) <= 0.8


def test_words_against_a_playbook_lower_its_score_and_are_told() -> None:
    doubtful = plan("boycott", "boycott", terms=("boycott",), against=("interview",))
    plain = msgspec.structs.replace(
        doubtful, trigger=msgspec.structs.replace(doubtful.trigger, against={})
    )
    query = MatchQuery(texts=("boycott them after that interview",) * 4)
    lowered = rank(query, (doubtful,))[0]
    assert lowered.score < rank(query, (plain,))[0].score
    assert "against: «interview» in 4 of 4 posts" in lowered.reasons


def test_top_terms_support_what_the_sample_may_have_missed() -> None:
    silent = MatchQuery(texts=("hm", "well"))
    rising = msgspec.structs.replace(silent, terms=(TermCount("outage", 120, 9.0),))
    assert score_of(OUTAGE, silent) == 0
    assert score_of(OUTAGE, rising) > 0
    reasons = rank(rising, (OUTAGE,))[0].reasons
    assert reasons == ("top term «outage» 120 times",)


def test_the_brands_history_breaks_a_near_tie_and_is_told() -> None:
    query = MatchQuery(crisis_types=(("service-outage", 0.5), ("data-breach", 0.5)))
    remembered = msgspec.structs.replace(query, seen_before=("data-breach",))
    first = rank(remembered, (OUTAGE, BREACH))[0]
    assert first.playbook == "data-breach"
    assert "seen before: data-breach" in first.reasons


def test_history_alone_is_no_evidence() -> None:
    assert score_of(BREACH, MatchQuery(seen_before=("data-breach",))) == 0


def test_threats_and_opportunities_keep_to_their_own_playbooks() -> None:
    texts = ("thank you, what a gesture", "well done")
    opportunity = MATCHER.match(MatchQuery(direction=Direction.OPPORTUNITY, texts=texts))
    threat = MATCHER.rank(MatchQuery(texts=texts))
    assert opportunity.playbook == "opportunity-praise-wave"
    assert "opportunity-praise-wave" not in {each.playbook for each in threat}


def test_an_opportunity_matches_by_its_direction_even_without_words() -> None:
    found = MATCHER.match(MatchQuery(direction=Direction.OPPORTUNITY))
    assert found.matched
    assert found.reasons == ("direction opportunity",)


def test_a_playbook_that_does_not_cover_the_severity_is_left_out() -> None:
    grave = msgspec.structs.replace(OUTAGE, severities=("critical",))
    query = MatchQuery(severity=Severity.LOW, texts=("outage",))
    assert rank(query, (grave,)) == ()


# --- honesty -------------------------------------------------------------------------------------


def test_nothing_said_is_no_match_and_the_general_playbook() -> None:
    found = match(MatchQuery(texts=("good morning",)), (OUTAGE, BREACH, GENERAL))
    assert (found.playbook, found.matched, found.score) == ("general", False, 0.0)
    assert found.reasons == ("no match: nothing speaks for any playbook",)


def test_a_weak_best_is_no_match_and_is_named_as_the_best_guess() -> None:
    query = MatchQuery(crisis_types=(("data-breach", 2 * MATCH_THRESHOLD - 0.02),))
    found = match(query, (OUTAGE, BREACH, GENERAL))
    assert (found.playbook, found.matched, found.runner_up) == ("general", False, "data-breach")
    assert found.reasons[0] == "no match: best data-breach 0.24 below 0.25"


def test_two_as_good_as_each_other_are_no_match() -> None:
    close = (("service-outage", 0.60), ("data-breach", 0.60 - MATCH_MARGIN))
    found = match(MatchQuery(crisis_types=close), (OUTAGE, BREACH, GENERAL))
    assert not found.matched
    assert found.reasons[0] == "no match: service-outage 0.30 and data-breach 0.28 too close"


def test_without_a_general_playbook_no_match_names_none() -> None:
    found = match(MatchQuery(), (OUTAGE,))
    assert (found.playbook, found.matched) == ("", False)


def test_reasons_never_quote_a_post() -> None:
    hostile = "<!channel> outage *bold* <script>alert(1)</script>"
    reasons = " ".join(match(MatchQuery(texts=(hostile,) * 3), (OUTAGE, GENERAL)).reasons)
    assert "outage" in reasons
    assert "channel" not in reasons
    assert "script" not in reasons


def test_a_score_that_is_no_number_is_ignored() -> None:
    types = (("data-breach", float("nan")), ("service-outage", 7.0))
    ranking = rank(MatchQuery(crisis_types=types), (OUTAGE, BREACH))
    assert [(each.playbook, each.score) for each in ranking] == [
        ("service-outage", 0.5),
        ("data-breach", 0.0),
    ]


# --- invariants ----------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        "outage",
        "boicotta",
        "#BoicottaAurora",
        "CEO",
        "hacked",
        "dichiarazioni",
        "grazie",
        "in radio",
    ]
)
POSTS = st.lists(
    st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=5).map(" ".join)), max_size=12
)


@given(posts=POSTS, seed=st.integers())
@settings(max_examples=60, deadline=None)
def test_neither_the_order_of_posts_nor_of_playbooks_matters(posts: list[str], seed: int) -> None:
    shuffled, plans = list(posts), list(BOOK)
    random.Random(seed).shuffle(shuffled)
    random.Random(seed).shuffle(plans)
    types = (("boycott", 0.3), ("executive-statement", 0.3))
    here = MATCHER.match(MatchQuery(texts=tuple(posts), crisis_types=types))
    there = match(MatchQuery(texts=tuple(shuffled), crisis_types=tuple(reversed(types))), plans)
    assert here == there


@given(
    texts=st.lists(
        st.text(alphabet=st.characters(codec=None, categories=None), max_size=200), max_size=5
    )
)
@settings(max_examples=80, deadline=None)
def test_hostile_text_never_raises_and_scores_stay_between_0_and_1(texts: list[str]) -> None:
    terms = tuple(TermCount(text, 3, 2.0) for text in texts)
    ranking = MATCHER.rank(MatchQuery(texts=tuple(texts), terms=terms))
    assert all(0.0 <= each.score <= 1.0 for each in ranking)


@pytest.mark.parametrize(
    "text",
    ["\ud800 outage", "#" * 5000, "#" + "A" * 5000, "a" * 100_000, "\u0301" * 4000, "ﷺ" * 2000],
)
def test_absurd_text_is_read_without_an_error(text: str) -> None:
    assert MATCHER.rank(MatchQuery(texts=(text,)))


def test_only_the_beginning_of_an_endless_post_is_read() -> None:
    assert tokens("x " * MAX_TEXT_CHARACTERS + "outage")[-1] == "x"


def test_beyond_the_sample_the_order_of_posts_still_does_not_matter() -> None:
    posts = tuple(
        f"outage {number}" if number % 3 else f"quiet {number}" for number in range(MAX_TEXTS * 2)
    )
    here = MATCHER.match(MatchQuery(texts=posts))
    assert here == MATCHER.match(MatchQuery(texts=posts[::-1]))
    assert any(f"of {MAX_TEXTS} posts" in reason for reason in here.reasons)


@given(st.text(max_size=80))
@settings(max_examples=60, deadline=None)
def test_folding_twice_changes_nothing(text: str) -> None:
    once = fold(text)
    assert once == fold(once)


def test_all_brands_share_what_is_compiled_of_the_playbooks() -> None:
    core = Core([Brand("aurora", "Aurora"), Brand("northwind", "Northwind")], (OUTAGE, BREACH))
    one, other = (shard.plans for shard in core.shards.values())
    assert one is other
    assert {"data-breach", "service-outage"} == {playbook.id for playbook in one.playbooks}
