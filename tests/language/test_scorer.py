"""The default scorer as its users see it."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.errors import LanguageError
from sentinel.language import Post, Scorer, load_scorer
from sentinel.language.text import MAX_CHARS, MAX_TOKENS, clean, tokenize
from sentinel.model import CRISIS_TYPES

HOSTILE = {
    "nothing": "",
    "blank": " \n\t ",
    "ten thousand letters": "a" * 10_000,
    "ten thousand words": "vergogna " * 10_000,
    "only emoji": "😡" * 3_000,
    "only links": "https://example.org/x " * 1_000,
    "one endless link": "https://" + "a/" * 50_000,
    "zero width": "v\u200be\u200br\u200bg\u200bo\u200bg\u200bn\u200ba" * 500,
    "lone surrogates": "che \ud800 vergogna \udfff",
    "five thousand hashtags": "#BoicottaAurora " * 5_000,
    "five thousand letters of another script": "позор " * 900,
    "letters of every script": "".join(map(chr, range(0x370, 0x2000))),
    "look-alike letters": "vergоgnа " * 800,
    "a language in every word": "che the 最悪 позор ντροπή " * 400,
    "joined emoji": "👨\u200d👩\u200d👧" * 1_500,
    "stacked accents": "e" + "\u0301" * 9_000,
    "distinct hashtags": " ".join(f"#Tag{i}X{i}" for i in range(5_000)),
    "exclamation": "!" * 100_000,
    "emoticons": ":-(" * 20_000,
    "NUL": "\x00" * 5_000 + "basta",
    "right to left": "\u202evergogna\u202c",
    "expanding ligature": "\ufdfa" * 10_000,
    "entities": "&amp;" * 5_000,
    "escapes": "\\u0041" * 2_000,
    "mixed scripts": "vergоgna пример 例子 مثال disaster" * 50,
}


def verdict(scorer: Scorer, text: str, hint: str | None = None):
    return scorer.score([Post(text, hint)])[0]


@pytest.mark.parametrize(
    ("text", "language", "label"),
    [
        ("Che vergogna, non comprerò mai più da voi!", "it", "negative"),
        ("Grazie mille per l'aiuto, siete stati gentilissimi 😊", "it", "positive"),
        ("A che ora apre lo sportello domani mattina?", "it", "neutral"),
        ("Worst customer service ever, I want my money back", "en", "negative"),
        ("Thank you so much, you made my day, love this place!", "en", "positive"),
        ("What time does the library open on Monday?", "en", "neutral"),
        ("Questo servizio non è affatto buono", "it", "negative"),
        ("This is not good at all", "en", "negative"),
    ],
)
def test_plain_posts_are_read_as_a_person_would(scorer: Scorer, text, language, label):
    found = verdict(scorer, text)

    assert (language, label) == (found.language, found.label)


def test_probabilities_sum_to_one_and_the_label_is_the_largest(scorer: Scorer):
    found = verdict(scorer, "Il treno è in ritardo e nessuno dice niente")

    assert found.negative + found.neutral + found.positive == pytest.approx(1, abs=1e-6)
    assert found.label == "negative"
    assert found.negative == max(found.negative, found.neutral, found.positive)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_gets_the_same_answer_each_time(scorer: Scorer, name: str):
    first, second = verdict(scorer, HOSTILE[name]), verdict(scorer, HOSTILE[name])

    assert first == second
    assert first.negative + first.neutral + first.positive == pytest.approx(1, abs=1e-6)
    assert len(first.terms) <= 12
    assert all(len(term) <= 40 for term in first.terms)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_is_read_further_than_its_first_thousands(scorer: Scorer, name: str):
    """What bounds the time: characters beyond the limit do not count, nor do tokens."""
    whole = HOSTILE[name] * 20
    read = clean(whole)

    assert len(read) <= MAX_CHARS
    assert len(tokenize(read)) <= MAX_TOKENS
    assert verdict(scorer, whole) == verdict(scorer, whole[:MAX_CHARS])


def test_all_hostile_texts_in_one_batch_get_what_each_gets_from_a_fresh_scorer(scorer: Scorer):
    texts = list(HOSTILE.values())
    fresh = load_scorer()

    assert scorer.score([Post(text) for text in texts]) == [verdict(fresh, text) for text in texts]


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(max_size=300), max_size=12), place=st.integers(0, 11))
def test_a_verdict_does_not_depend_on_the_rest_of_the_batch(scorer: Scorer, texts, place):
    batch = scorer.score([Post(text) for text in texts])

    assert len(texts) == len(batch)
    if place < len(texts):
        assert batch[place] == verdict(scorer, texts[place])


def test_a_fresh_scorer_gives_the_verdict_of_a_long_used_one(scorer: Scorer):
    texts = ["Bellissimo spot, complimenti!", "Bolletta raddoppiata, ladri", "Opens at 9?"]
    scorer.score([Post(f"parola{i} rara{i}") for i in range(3_000)])

    assert load_scorer().score([Post(t) for t in texts]) == [verdict(scorer, t) for t in texts]


def test_threads_share_a_scorer(scorer: Scorer):
    posts = [Post(f"Servizio pessimo numero {i}, rete giù da ieri #caso{i}") for i in range(200)]
    expected = load_scorer().score(posts)
    results: list[object] = []
    threads = [
        threading.Thread(target=lambda: results.append(scorer.score(posts))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [expected] * 4 == results


def test_posts_in_other_languages_are_not_scored(scorer: Scorer):
    found = verdict(
        scorer, "Der Kundendienst dieser Firma ist wirklich eine Katastrophe, niemals wieder"
    )

    assert (found.language, found.model_id, found.label) == ("de", "none", "")
    assert found.negative == found.neutral == found.positive == pytest.approx(1 / 3)
    assert found.crisis_types == ()


@pytest.mark.parametrize("hint", ["it", "en"])
def test_the_hint_decides_where_there_is_too_little_to_read(scorer: Scorer, hint: str):
    assert hint == verdict(scorer, "ok 👍", hint).language


def test_the_text_wins_over_a_wrong_hint(scorer: Scorer):
    assert verdict(scorer, "Ma perché non risponde nessuno al telefono?", "en").language == "it"


def test_without_words_the_language_is_undetermined_but_emoji_are_read(scorer: Scorer):
    found = verdict(scorer, "😡😡🤬")

    assert (found.language, found.label) == ("und", "negative")


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Richiamo alimentare: ritirato lotto di formaggio per listeria", "product-safety"),
        ("Company recalls peanut butter over salmonella risk", "product-safety"),
        ("CEO apologises after remark about women sparks fury", "executive-statement"),
        ("Rete giù da stamattina, internet non funziona in tutta la città", "service-outage"),
        ("Hackers leak personal data of two million customers", "data-breach"),
        ("Boicottate questa azienda, io non compro più niente #boicotta", "boycott"),
        ("Workers strike over pay at three warehouses", "labour-dispute"),
    ],
)
def test_headlines_and_posts_name_the_kind_of_crisis(scorer: Scorer, text: str, slug: str):
    assert slug == verdict(scorer, text).crisis_types[0][0]


def test_everyday_talk_has_no_crisis_type(scorer: Scorer):
    texts = ["Buongiorno a tutti, caffè e si parte", "Watching the game with my brother tonight"]

    assert [verdict(scorer, text).crisis_types for text in texts] == [(), ()]


def test_crisis_types_are_ranked_slugs_with_scores(scorer: Scorer):
    found = verdict(scorer, "Sciopero e boicottaggio dopo le frasi razziste dell'ad").crisis_types

    assert 1 <= len(found) <= 5
    assert {slug for slug, _ in found} <= set(CRISIS_TYPES)
    assert [score for _, score in found] == sorted((s for _, s in found), reverse=True)
    assert all(0 <= score <= 1 for _, score in found)


def test_terms_keep_hashtags_and_handles_whole(scorer: Scorer):
    found = verdict(scorer, "Che vergogna @aurora, il vostro spot è offensivo #BoicottaAurora")

    assert found.terms == ("@aurora", "#boicottaaurora", "vergogna", "spot", "offensivo")


def test_an_empty_batch_gives_no_verdicts(scorer: Scorer):
    assert scorer.score([]) == []


def test_an_unknown_kind_of_scorer_is_named():
    with pytest.raises(LanguageError, match="no scorer 'magic'; there are: default, embedding"):
        load_scorer(kind="magic")


def test_a_scorer_for_unreadable_languages_is_refused():
    with pytest.raises(LanguageError, match="reads en, it, none of the configured fr"):
        load_scorer(("fr",))


def test_one_configured_language_is_enough():
    found = load_scorer(("it",)).score([Post("Servizio orribile, mai più con voi")])[0]

    assert (found.language, found.label) == ("it", "negative")
