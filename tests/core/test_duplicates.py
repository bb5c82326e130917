"""Coordinated or organic: facts about who speaks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.duplicates import MAX_GROUPS, Duplicates, fingerprint
from sentinel.core.playbook_match import MatchQuery, rank
from sentinel.core.storyline import Storyline
from sentinel.model import Author, Caveat, Direction, Match, Mention, Sighting, Spread
from sentinel.playbook_files import load_playbooks
from tests.core.build import NEGATIVE, Player, core

APPEAL = "Da oggi non compro più la pasta Aurora, fate girare a tutti i vostri contatti"
OTHERS = (
    "Ho letto l'intervista di stamattina e sono rimasta senza parole, davvero",
    "Qualcuno mi spiega cosa ha detto di preciso l'amministratore alla radio?",
    "Mia nonna cucina soltanto i loro spaghetti da quarant'anni, che tristezza",
    "Un'azienda così grande dovrebbe pensare prima di parlare in pubblico",
    "Al supermercato stasera lo scaffale era pieno come sempre, vedremo domani",
)


def post(number: int, text: str, *, author: str = "", repost_of: str = "") -> Sighting:
    mention = Mention(
        f"p{number}",
        "feed",
        "social",
        1000.0 + number,
        1000.0 + number,
        text,
        author=Author(id=author or f"a{number}"),
        repost_of=repost_of,
    )
    return Sighting(mention, (Match("aurora", "Aurora"),), NEGATIVE)


def story(*posts: Sighting) -> Storyline:
    made = Storyline()
    for one in posts:
        made.add(one)
    return made


def test_copies_with_other_links_handles_case_and_one_other_word_are_one_text() -> None:
    mark = fingerprint(APPEAL)
    for text in (
        APPEAL.upper() + "!!!",
        "@amico " + APPEAL + " https://a.example/77",
        APPEAL.replace("contatti", "amici"),
    ):
        other = fingerprint(text)
        assert mark is not None
        assert other is not None
        assert (mark ^ other).bit_count() <= 14


def test_different_opinions_about_one_matter_are_no_copies() -> None:
    made = story(*(post(n, text) for n, text in enumerate(OTHERS * 1)))
    assert 0 == made.duplicates.copies


def test_an_appeal_that_many_copy_is_told_with_its_share() -> None:
    posts = [post(n, APPEAL if n % 2 else f"{OTHERS[n // 2 % 5]} {n // 10}") for n in range(10)]
    spread = story(*posts).spread()
    assert 0.4 == spread.near_duplicate_share
    assert Caveat.NEAR_DUPLICATES in set(story(*posts).caveats())


def test_a_person_who_repeats_himself_is_no_second_voice() -> None:
    made = story(*(post(n, APPEAL, author="one") for n in range(20)))
    assert 0.0 == made.spread().near_duplicate_share


def test_reposts_are_counted_as_reposts_and_not_as_copies() -> None:
    made = story(*(post(n, APPEAL, repost_of="p0" if n % 4 else "p9") for n in range(40)))
    spread = made.spread()
    assert (None, 0.75) == (spread.near_duplicate_share, spread.repost_concentration)


def test_few_or_short_posts_tell_nothing() -> None:
    assert story(*(post(n, APPEAL) for n in range(9))).spread().near_duplicate_share is None
    assert (
        story(*(post(n, "che vergogna") for n in range(50))).spread().near_duplicate_share is None
    )


@given(st.lists(st.text(max_size=200), max_size=60))
def test_any_text_is_taken_in_and_the_share_stays_a_share(texts: list[str]) -> None:
    made = Duplicates()
    for number, text in enumerate(texts):
        made.add(text, str(number))
    assert 0.0 <= made.share <= 1.0
    assert made.copies <= made.told <= len(texts)


def test_memory_is_bounded_and_groups_with_copies_stay() -> None:
    made = Duplicates()
    made.add(APPEAL, "a")
    made.add(APPEAL, "b")
    for number in range(3 * MAX_GROUPS):
        words = " ".join(
            f"{chr(97 + (number * 7 + n) % 26)}{chr(97 + number % 25)}{chr(98 + number // 25)}"
            for n in range(8)
        )
        made.add(words, "c")
    assert len(made.groups) <= MAX_GROUPS
    made.add(APPEAL, "d")
    assert any(group.copies == 2 for group in made.groups)


PLAYBOOKS = load_playbooks(None).playbooks


def score_of(spread: Spread, playbook: str = "coordinated-attack") -> float:
    query = MatchQuery(crisis_types=(("boycott", 0.6),), texts=(APPEAL,), spread=spread)
    return next(one.score for one in rank(query, PLAYBOOKS) if one.playbook == playbook)


def test_the_facts_speak_for_the_plan_against_coordinated_attacks_and_against_no_other() -> None:
    facts = Spread(near_duplicate_share=0.7, new_account_share=0.6, repost_concentration=0.9)
    assert score_of(facts) > score_of(Spread())
    assert score_of(facts, "boycott") == score_of(Spread(), "boycott")
    (ranked,) = [
        one
        for one in rank(MatchQuery(spread=facts), PLAYBOOKS)
        if one.playbook == "coordinated-attack"
    ]
    assert {"near duplicates 0.70", "new accounts 0.60", "reposts of one post 0.90"} <= set(
        ranked.reasons
    )


def test_a_slogan_that_people_copy_does_not_by_itself_make_a_boycott_an_attack() -> None:
    query = MatchQuery(
        crisis_types=(("boycott", 0.7),),
        texts=(APPEAL,) * 5,
        spread=Spread(near_duplicate_share=1.0),
    )
    best = rank(query, PLAYBOOKS)[0]
    assert "boycott" == best.playbook


def test_more_of_a_fact_never_lowers_the_match() -> None:
    scores = [score_of(Spread(near_duplicate_share=share / 10)) for share in range(11)]
    assert sorted(scores) == scores


def test_copies_never_hide_an_alert() -> None:
    player = Player(core())
    player.quiet(600)
    for _ in range(15):
        player.minute(((NEGATIVE, 12),), text=APPEAL)
    opened = [one.incident for one in player.effects if one.kind == "opened" and one.incident]
    assert [Direction.THREAT] == [one.direction for one in opened]
    last = player.effects[-1].incident
    assert last is not None
    assert Caveat.NEAR_DUPLICATES in last.caveats
    assert (last.spread.near_duplicate_share or 0.0) > 0.8
