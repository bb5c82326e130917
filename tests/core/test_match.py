"""The matcher: which brands, by which term, or why not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.match import Matcher
from sentinel.model import Brand, Dropped, DropReason, Match

AURORA = Brand(
    id="aurora",
    name="Pastificio Aurora",
    terms=("Pastificio Aurora", "Aurora"),
    hashtags=("iostoconaurora",),
    handles=("pastificioaurora",),
    domains=("pastificioaurora.example",),
    exclude=("aurora boreale",),
)
LUNA = Brand(id="luna", name="Luna", terms=("Luna",), require=("biscotti", "biscotto"))
BOTH = Brand(id="gruppo", name="Gruppo Aurora", terms=("Gruppo Aurora",))
MATCHER = Matcher([AURORA, LUNA, BOTH])


def brands(text: str, *extra: str) -> list[str]:
    found = MATCHER.match(text, extra)
    return [] if isinstance(found, Dropped) else [match.brand for match in found]


@pytest.mark.parametrize(
    "text",
    [
        "Ancora il pastificio aurora!",
        "AURORA, che delusione",
        "ＡＵＲＯＲＡ a tutta larghezza",
        "Au\u200brora con un carattere invisibile",
        "basta #BoicottaAurora subito",
        "basta #boicottaaurora subito",
        "basta #boicottapastificioaurora subito",
        "#IoStoConAurora sempre",
        "ciao @PastificioAurora come va",
        "leggi https://www.pastificioaurora.example/ricette",
        "scrivi a info@pastificioaurora.example",
        "#Aurora",
        "«Aurora»: comunicato",
    ],
)
def test_a_brand_is_found_however_people_write_it(text: str) -> None:
    assert brands(text) == ["aurora"]


@pytest.mark.parametrize(
    "text",
    [
        "lo spettacolo aurorale di ieri",
        "ciao @aurora come stai",
        "ciao @pastificioaurora2",
        "notpastificioaurora.example.org e xpastificioaurora.example",
        "niente di niente",
        "",
    ],
)
def test_a_lookalike_is_not_the_brand(text: str) -> None:
    assert brands(text) == []


def test_at_the_beginning_of_a_lower_case_hashtag_a_long_term_counts() -> None:
    assert brands("#aurorasottoaccusa") == ["aurora"]


def test_an_excluded_word_throws_the_brand_out_and_says_so() -> None:
    assert MATCHER.match("che bella aurora boreale") == Dropped(DropReason.EXCLUDED)


def test_a_required_context_word_must_be_there() -> None:
    assert brands("la luna è alta") == []
    assert brands("i biscotti luna sono cambiati") == ["luna"]


def test_a_context_word_alone_is_unmatched_not_excluded() -> None:
    assert MATCHER.match("mi piacciono i biscotti") == Dropped(DropReason.UNMATCHED)


def test_overlapping_terms_of_two_brands_both_count() -> None:
    assert brands("il Gruppo Aurora annuncia") == ["aurora", "gruppo"]


def test_links_and_handles_outside_the_text_count() -> None:
    assert brands("guardate qui", "https://pastificioaurora.example/x") == ["aurora"]


def test_a_sender_may_name_the_brand() -> None:
    found = MATCHER.match("nessun termine", brand="luna")
    assert not isinstance(found, Dropped)
    assert [match.brand for match in found] == ["luna"]


def test_an_unknown_brand_of_a_sender_is_dropped_with_its_name() -> None:
    assert MATCHER.match("testo", brand="nessuna") == Dropped(DropReason.UNKNOWN_BRAND, "nessuna")


def test_a_brand_without_terms_is_found_by_its_name() -> None:
    matcher = Matcher([Brand(id="n", name="Northwind Coffee")])
    assert matcher.wants("northwind coffee is closed")


def test_no_brands_match_nothing() -> None:
    assert Matcher([]).match("Aurora") == Dropped(DropReason.UNMATCHED)


@given(st.text(max_size=300))
def test_no_text_makes_the_matcher_fail(text: str) -> None:
    MATCHER.match(text)


def test_a_wall_of_brand_names_is_answered_in_bounded_time() -> None:
    assert brands("#" + "aurora" * 4000) == ["aurora"]


def test_ten_thousand_terms_are_all_found() -> None:
    many = Matcher(
        [Brand(id=f"b{n}", name=f"Marca{n}x", terms=(f"marca{n}x",)) for n in range(10_000)]
    )
    assert many.match("ecco marca7x e marca9999x") == (
        Match("b7", "marca7x"),
        Match("b9999", "marca9999x"),
    )


@given(st.text(alphabet="abc #@.,", max_size=40))
def test_a_term_between_spaces_is_always_found(text: str) -> None:
    assert "aurora" in brands(f"{text} aurora {text}")
