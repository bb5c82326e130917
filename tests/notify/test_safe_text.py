import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.notify.safe_text import clean

NASTY = (
    "\u202e\u2066\u2069\u200b\u200c\u200d\u200e\u2060\ufeff\u00ad\u061c\u180e\u115f\u3164\ufe0f\ufe00"
    "\U000e0041\U000e0100\u0300\u0301\u0302\u0303\x00\x1b\x7f\x85\u2028\u2029\n\r\t\x1c"
    "👩\u200d🚒🏽🇮🇹#⃣é𝔸≠\u0338=\u2adc"
)
hostile = st.text(st.one_of(st.sampled_from(NASTY), st.characters()), max_size=60)


@given(hostile)
def test_no_control_format_or_invisible_character_survives(text: str) -> None:
    kept = clean(text)
    allowed = {"\u200d"}
    bad = [
        char
        for char in kept
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        and char not in allowed
    ]
    assert bad == []


@given(hostile)
def test_a_joiner_survives_only_between_two_emoji(text: str) -> None:
    kept = clean(text)
    for i, char in enumerate(kept):
        if char == "\u200d":
            assert kept[i - 1] > "\u2190"
            assert kept[i + 1] > "\u2190"
            assert 0 < i < len(kept) - 1


@given(hostile)
def test_the_result_is_one_line_in_form_c_without_double_blanks(text: str) -> None:
    kept = clean(text)
    assert unicodedata.normalize("NFC", kept) == kept
    assert " ".join(kept.split()) == kept


@given(hostile)
def test_cleaning_again_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(hostile, st.integers(0, 40))
def test_the_limit_holds_and_a_cut_is_shown(text: str, limit: int) -> None:
    whole, cut = clean(text), clean(text, limit)
    assert len(cut) <= limit
    assert (whole == cut) == (len(whole) <= limit)
    assert whole == cut or limit == 0 or cut.endswith("…")


@given(hostile, st.integers(0, 40))
def test_a_cut_text_is_still_clean(text: str, limit: int) -> None:
    cut = clean(text, limit)
    assert clean(cut) == cut


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("una\nriga\tsola", "una riga sola"),
        ("pa\u200bsta\u202e rovesciata\u202c", "pasta rovesciata"),
        ("perche\u0301", "perché"),
        ("vigili 👩\u200d🚒 e 👩🏽\u200d🚒", "vigili 👩\u200d🚒 e 👩🏽\u200d🚒"),
        ("bandiera 🏳️\u200d🌈", "bandiera 🏳️\u200d🌈"),
        ("amo ❤️ l'Italia 🇮🇹", "amo ❤️ l'Italia 🇮🇹"),
        ("1️⃣ primo", "1️⃣ primo"),
        ("nascosto\u200d nel\ufe0f testo", "nascosto nel testo"),
        ("z\u0300\u0301\u0302\u0303\u0304\u0305algo", "z\u0300\u0301\u0302algo"),
        ("\x1b[31mrosso\x1b[0m", "[31mrosso[0m"),
        ("zero\x00byte", "zerobyte"),
        ("tutto\u2800vuoto\u3164", "tutto vuoto"),
        ("<!channel> & <b>", "<!channel> & <b>"),
    ],
)
def test_what_is_hidden_goes_and_what_is_seen_stays(text: str, expected: str) -> None:
    assert expected == clean(text)


def test_a_cut_does_not_split_an_emoji_a_flag_or_an_accent() -> None:
    assert clean("ab👩\u200d🚒cd", 4) == "ab…"
    assert clean("a🇮🇹b", 3) == "a…"
    assert clean("a🇮🇹🇫🇷b", 5) == "a🇮🇹…"
    assert clean("az\u0300\u0301bc", 3) == "a…"


def test_an_endless_chain_of_joined_emoji_is_cut_all_the_same() -> None:
    assert len(clean("\u200d".join("👩" * 500), 100)) <= 100
    assert clean("\u200d".join("👩" * 500), 100).endswith("👩…")
