"""Words that rose: against the brand's usual talk, phrases whole, everyday words and the brand's own name left out."""

import pytest

from sentinel.core.rising import NEW, Baseline, about, rising
from sentinel.model import TermCount


def usual(posts: int = 400, **every: int) -> Baseline:
    """Usual talk in which a word is in every so-manieth post."""
    made = Baseline()
    for number in range(posts):
        made.add([word for word, step in every.items() if number % step == 0])
    return made


def words(
    counts: dict[str, int], baseline: Baseline, posts: int = 100, **more: object
) -> list[str]:
    return [one.term for one in rising(counts, {}, posts, baseline, **more)]


def test_a_new_hashtag_ranks_before_an_everyday_word_that_rose() -> None:
    counts = {"pasta": 60, "#boicottaaurora": 40, "ricetta": 3}
    assert words(counts, usual(pasta=3, ricetta=20)) == ["#boicottaaurora", "pasta"]


def test_a_word_that_nobody_said_before_is_called_new_once_the_usual_is_known() -> None:
    [known] = rising({"scuse": 10}, {}, 50, usual(400))
    [unknown] = rising({"scuse": 10}, {}, 50, usual(20))
    assert known.lift == NEW
    assert unknown.lift < NEW


def test_without_any_usual_the_most_frequent_words_are_told() -> None:
    assert words({"uno": 15, "due": 40, "tre": 20}, Baseline()) == ["due", "tre", "uno"]


def test_the_brands_own_name_says_nothing() -> None:
    assert words({"aurora": 90, "vergogna": 30}, Baseline(), own={"aurora"}) == ["vergogna"]


def test_one_post_makes_no_term() -> None:
    assert words({"unavolta": 1}, usual()) == []


def test_words_that_are_said_together_are_told_as_people_say_them() -> None:
    counts, pairs = {"chieda": 20, "scusa": 22, "vergogna": 15}, {"chieda scusa": 20}
    texts = ["Il presidente chieda scusa!", "Chieda  scusa subito", "vergogna"]
    found = rising(counts, pairs, 60, usual(), texts)
    assert [(one.term, one.count) for one in found] == [("chieda scusa", 20), ("vergogna", 15)]


def test_small_words_within_a_phrase_are_kept() -> None:
    counts, pairs = {"parole": 30, "presidente": 30}, {"parole presidente": 28}
    [found] = rising(counts, pairs, 60, usual(), ["Le parole del presidente offendono"])
    assert found.term == "parole del presidente"


def test_a_word_that_is_mostly_said_without_the_other_stands_alone_too() -> None:
    counts, pairs = {"fine": 12, "mese": 60}, {"fine mese": 12}
    found = rising(counts, pairs, 80, usual(), ["non arriva a fine mese"])
    assert {one.term for one in found} == {"mese", "fine mese"}


@pytest.mark.parametrize("text", ["fine. Il mese", "finemese", "", "mese fine"])
def test_a_pair_that_nobody_says_as_a_phrase_stays_two_words(text: str) -> None:
    found = rising({"fine": 20, "mese": 20}, {"fine mese": 20}, 40, usual(), [text])
    assert {one.term for one in found} == {"fine", "mese"}


def test_a_phrase_from_a_hostile_post_is_words_only() -> None:
    text = "a" * 10_000 + " <!channel> fine (((*mese*)))"
    found = rising({"fine": 20, "mese": 20}, {"fine mese": 20}, 40, usual(), [text] * 50)
    assert {one.term for one in found} == {"fine", "mese"}


def test_what_rose_clearly_says_what_it_is_about() -> None:
    rose = (TermCount("scuse", 30, 40.0), TermCount("pasta", 50, 1.6))
    assert about(rose) == ("scuse",)
    assert about(rose[1:]) == ("pasta",)


def test_the_beginning_of_an_incident_is_taken_out_of_the_usual_again() -> None:
    baseline = usual(200, pasta=2)
    before = (baseline.mentions, dict(baseline.terms))
    baseline.add(("boicotta", "pasta"))
    baseline.take_back(("boicotta", "pasta"))
    assert (baseline.mentions, baseline.terms) == before
    baseline.take_back(("never", "added"))
    assert "never" not in baseline.terms


def test_everyday_words_are_those_that_are_always_said() -> None:
    assert usual(300, pasta=2, raro=100).everyday() == {"pasta"}
    assert usual(50, pasta=2).everyday() == set()
