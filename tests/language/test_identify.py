"""Which language a post is in: short posts, mixed posts, other languages, other scripts, hostile ones.

All posts are written for this project.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.language import Post, Scorer
from sentinel.language.base import UNKNOWN_LANGUAGE
from sentinel.language.identify import LANGUAGES, Identifier, Spoken
from sentinel.language.text import clean, tokenize

# fmt: off
SHORT = {
    "it": (
        "Che schifo", "Bravi!", "Mai più", "Pessimi",
        "Ottimo servizio", "Vergognatevi", "Non funziona", "Di nuovo giù?",
        "Grazie mille", "Ladri", "Buongiorno", "Bellissimo!",
        "Aspetto ancora", "Rimborso subito", "Che delusione", "Ma scherzate?",
        "Siete i migliori", "Linea assente", "Niente da fare", "Soldi buttati",
        "Tutto ok adesso", "Prezzi folli", "Complimenti", "Ciao ragazzi",
        "Avete rotto", "Finalmente!", "Pasta scotta", "Treno fermo",
        "Sciopero domani", "Bolletta doppia", "Quando aprite?", "Nessuna risposta",
        "Io boicotto", "Mi vergogno", "Boh", "Bella roba",
        "Roba da matti", "Peccato davvero", "Meglio tardi", "Lo adoro",
        "Imbarazzanti", "Che brutta figura", "Ritirate lo spot", "Sempre peggio",
        "Vado altrove", "Consegna puntuale", "Pacco perso", "Chiamo l'avvocato",
        "Gusto strano", "Che bontà",
    ),
    "en": (
        "So bad", "Well done!", "Never again", "Awful",
        "Great service", "Shame on you", "Not working", "Down again?",
        "Thanks a lot", "Thieves", "Good morning", "Beautiful!",
        "Still waiting", "Refund now", "What a letdown", "Are you kidding?",
        "You are the best", "No signal", "Nothing works", "Waste of money",
        "All good now", "Crazy prices", "Congrats", "Hi folks",
        "I give up", "Finally!", "Soggy pasta", "Train stuck",
        "Strike tomorrow", "Double billed", "When do you open?", "No answer",
        "I'm boycotting", "So ashamed", "Meh", "Nice one",
        "Unbelievable", "What a pity", "Better late than never", "Love it",
        "Embarrassing", "Bad look", "Pull the ad", "Worse and worse",
        "Going elsewhere", "On time delivery", "Lost parcel", "Calling my lawyer",
        "Tastes odd", "So yummy",
    ),
}
MIXED = (  # the languages, in either order
    ("it en", "Raga il nuovo telefono è amazing, I can't believe it, lo voglio subito"),
    ("it en", "Che vergogna, this is the worst customer service I have ever seen, non comprerò più"),
    ("en it", 'I was waiting for the refund and they told me "non possiamo fare niente", unbelievable'),
    ("it en", "Ma davvero? You have to be kidding me, sono tre giorni che aspetto"),
    ("en it", 'Just got back from the store: "il prodotto non è disponibile" again, so tired of this'),
    ("it en", "Sono senza parole. What were they thinking when they made this ad?"),
    ("en it", 'Their CEO said "le famiglie diverse non ci interessano" and that was it for me'),
    ("it en", 'Il servizio è pessimo e il manager mi ha scritto "we do not care about your complaint"'),
    ("it en", "Non ci posso credere, they did it again. Ma basta!"),
    ("en it", "This is what he said: che chi non è d'accordo può comprare altra pasta. And they wonder why we are angry"),
    ("it en", "Oggi sono stata in negozio e la commessa: \"we don't have that in your size, sorry\""),
    ("it en", 'Quando mi scrivono "your call is important to us" mi viene da ridere'),
    ("en it", "My nonna would say che non si butta niente, and she was right about that"),
    ("it en", "Voglio indietro i soldi! I want my money back! Rispondete!"),
    ("en it", 'The app crashed and I got "si è verificato un errore, riprova più tardi", what is this supposed to mean?'),
    ("it en", "Siamo tutti con voi, we are all with you, dal primo giorno"),
    ("it en", "Ieri ho provato la app e boh: it is not for me, troppo lenta"),
    ("en it", "Dear Aurora, perché non rispondete? I have been asking for days"),
    ("it en", "Bello lo spot, but the music is from another brand, o sbaglio?"),
    ("it en", "Che tristezza vedere un marchio così ridotto. They had it all and they lost it"),
)
NOT_MIXED = (  # loan words, titles and single foreign words
    ("it", "Ieri sera ho visto The Walking Dead e mi sono addormentato"),
    ("it", "Il customer service di questa azienda è un disastro"),
    ("it", "Ho comprato lo smartphone nuovo su Black Friday, che affare"),
    ("it", "Game of Thrones è finita da anni e ancora ne parliamo"),
    ("it", "Oggi smart working, call con il team e poi aperitivo"),
    ("it", "Lo store online è down, non si riesce a fare il checkout"),
    ("it", "La Lord of the Rings edition costa troppo"),
    ("it", "Weekend al mare con le amiche, love"),
    ("it", "Il mio post sul nuovo spot di Aurora, link in bio"),
    ("it", "Mi hanno detto che il manager è in smart working fino a lunedì"),
    ("it", "Back to school, e siamo già in ritardo con i libri"),
    ("it", "Che fail clamoroso lo spot, social media manager da licenziare"),
    ("it", "Best practice e know how, ma il cliente non risponde mai nessuno"),
    ("it", "Non è un problema di marketing, è un problema di rispetto #NotInMyName"),
    ("it", "Stasera guardo The Voice of Italy con mia madre"),
    ("it", "Sono al Black Mirror della bolletta, ogni mese di più"),
    ("en", "Had a lovely pasta alla norma at the trattoria tonight"),
    ("en", "La Dolce Vita is still the best film about Rome"),
    ("en", "The ragù at Aurora was good but the service was slow"),
    ("en", "I went to Il Forno and the pizza al taglio was amazing"),
    ("en", "My favourite song is Con te partirò and I am not ashamed"),
    ("en", "The new Lo-fi playlist is all I need for the morning"),
    ("en", "We had an espresso and a cornetto before the train to Milano"),
    ("en", "Che Guevara on a T-shirt is not what this brand stands for"),
    ("en", "Prosecco or spritz? The team can't decide"),
    ("en", "The Vespa is a symbol of Italy, and they ruined it with this ad"),
    ("en", "I can't believe Ferrari did that in the last lap"),
    ("en", "La La Land is not for me, sorry"),
    ("en", "The dress from the Milano show is so beautiful"),
    ("en", "In Italy they say ciao for everything"),
    ("en", "He is the capo of the company so of course he said that"),
    ("en", "Mamma mia that was a bad ad"),
)
OTHER = (
    ("es", "El servicio de atención al cliente es horrible, llevo tres días esperando una respuesta"),
    ("es", "No funciona la aplicación desde ayer, qué vergüenza de empresa"),
    ("es", "Muchas gracias por todo, el mejor café de la ciudad"),
    ("es", "Qué asco"),
    ("es", "Nunca más compro aquí"),
    ("es", "Esto es un robo, señores"),
    ("es", "Devuelvan el dinero ya"),
    ("fr", "Le service client est catastrophique, personne ne répond au téléphone"),
    ("fr", "Je suis très déçue de cette marque, plus jamais"),
    ("fr", "Merci beaucoup, c'était parfait"),
    ("fr", "C'est une honte"),
    ("fr", "Rendez l'argent"),
    ("fr", "Votre publicité est scandaleuse et vous devriez avoir honte"),
    ("de", "Der Kundendienst ist eine Katastrophe, niemals wieder"),
    ("de", "Ich warte seit drei Tagen auf eine Antwort und nichts passiert"),
    ("de", "Vielen Dank für die schnelle Hilfe"),
    ("de", "So eine Frechheit"),
    ("de", "Nie wieder!"),
    ("de", "Das ist doch nicht euer Ernst"),
    ("pt", "O atendimento é péssimo, estou à espera há três dias"),
    ("pt", "Nunca mais compro nesta loja, que vergonha"),
    ("pt", "Obrigado pela ajuda, muito bom"),
    ("pt", "Que nojo"),
    ("nl", "De klantenservice is verschrikkelijk, ik wacht al drie dagen"),
    ("nl", "Nooit meer, wat een schande"),
    ("nl", "Bedankt voor de snelle hulp, top!"),
    ("pl", "Obsługa klienta jest fatalna, czekam już trzy dni"),
    ("pl", "Nigdy więcej, wstyd"),
    ("ro", "Serviciul pentru clienți este groaznic, aștept de trei zile"),
    ("ro", "Mulțumesc pentru ajutor"),
    ("tr", "Müşteri hizmetleri berbat, üç gündür cevap bekliyorum"),
    ("tr", "Bir daha asla"),
    ("sv", "Kundtjänsten är hemsk, jag har väntat i tre dagar"),
    ("ru", "Ужасное обслуживание, жду ответа уже три дня"),
    ("ru", "Позор"),
    ("ru", "Спасибо"),
    ("uk", "Жахливе обслуговування, чекаю відповіді вже три дні"),
    ("ar", "خدمة العملاء سيئة جدا، أنتظر الرد منذ ثلاثة أيام"),
    ("ar", "عيب عليكم"),
    ("ja", "対応が最悪です。もう二度と買いません"),
    ("ja", "最悪"),
    ("zh", "客服太差了，等了三天没有回复"),
    ("zh", "太差了"),
    ("ko", "고객 서비스가 최악이에요, 사흘째 기다리고 있어요"),
    ("ko", "최악"),
    ("el", "Η εξυπηρέτηση είναι απαράδεκτη, περιμένω τρεις μέρες"),
    ("el", "Ντροπή"),
    ("he", "שירות הלקוחות גרוע, אני מחכה שלושה ימים"),
    ("hi", "ग्राहक सेवा बहुत खराब है, तीन दिन से इंतज़ार कर रहा हूँ"),
    ("th", "บริการลูกค้าแย่มาก รอมาสามวันแล้ว"),
    ("fa", "خدمات مشتری افتضاح است، سه روز است منتظرم"),
    ("bg", "Обслужването е ужасно, чакам отговор от три дни"),
)
TOO_SHORT_TO_TELL = {"Qué asco", "Rendez l'argent", "Nie wieder!", "Que nojo"}
# fmt: on


@pytest.fixture(scope="module")
def identifier() -> Identifier:
    return Identifier(("it", "en"))


@pytest.fixture(scope="module")
def fresh() -> Identifier:
    """A second one, which has read nothing before."""
    return Identifier(("it", "en"))


def spoken(identifier: Identifier, text: str, hint: str | None = None) -> Spoken:
    read = clean(text)
    return identifier.identify(read, tokenize(read), hint)


@pytest.mark.parametrize("language", ["it", "en"])
def test_two_words_are_mostly_enough_and_with_the_usual_language_always(identifier, language):
    texts = SHORT[language]
    alone = sum(spoken(identifier, text).language == language for text in texts)
    told = sum(spoken(identifier, text, language).language == language for text in texts)

    assert alone >= 0.9 * len(texts)
    assert told == len(texts)


def test_mixed_posts_are_marked_with_both_languages(identifier):
    found = [set(spoken(identifier, text)) for _, text in MIXED]

    assert sum(pair == {"it", "en"} for pair in found) >= 0.9 * len(MIXED)
    assert all(pair <= {"it", "en", ""} for pair in found)


@pytest.mark.parametrize(("language", "text"), NOT_MIXED)
def test_loan_words_and_titles_make_no_mixed_post(identifier, language, text):
    assert not spoken(identifier, text).second


def test_loan_words_and_titles_do_not_change_the_language(identifier):
    wrong = [text for code, text in NOT_MIXED if spoken(identifier, text).language != code]

    assert len(wrong) <= 1


@pytest.mark.parametrize("hint", [None, "it"])
@pytest.mark.parametrize(("language", "text"), OTHER)
def test_other_languages_are_never_taken_for_ours(identifier, language, text, hint):
    found = spoken(identifier, text, hint)

    if text in TOO_SHORT_TO_TELL:
        assert found.language in LANGUAGES
    else:
        assert found.language not in {"it", "en"}
        assert not found.second


def test_the_other_language_is_mostly_named_rightly(identifier):
    right = sum(spoken(identifier, text).language == code for code, text in OTHER)

    assert right >= 0.85 * len(OTHER)


def test_development_posts_are_recognised(identifier, sentiment_dev: Path):
    rows = [
        json.loads(line)
        for code in ("it", "en")
        for line in (sentiment_dev / f"{code}.ndjson").read_bytes().splitlines()
    ]
    found = [spoken(identifier, row["text"]) for row in rows]

    assert sum(one.language == row["lang"] for one, row in zip(found, rows, strict=True)) >= 640
    assert sum(bool(one.second) for one in found) <= 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Che vergogna, non comprerò mai più da voi! 最悪のサービスです", Spoken("it", "ja")),
        ("I will never buy this again. Какой позор, верните деньги!", Spoken("ru", "en")),
        ("Какой позор, верните деньги! Northwind Coffee", Spoken("ru")),
        ("Какой позор! Aurora", Spoken("ru")),
        ("che vergоgna, siete pessimi", Spoken("it")),  # the second "o" is Cyrillic
        ("non ho parole ಠ_ಠ", Spoken("it")),
    ],
)
def test_whole_words_in_another_script_are_a_language_and_disguises_are_not(
    identifier, text, expected
):
    assert expected == spoken(identifier, text)


def test_a_configured_language_in_another_script_is_chosen_among_the_configured_ones():
    russian = Identifier(("ru", "it"))

    assert spoken(russian, "Ужасное обслуживание").language == "ru"
    assert spoken(russian, "Позор").language == "ru"
    assert spoken(russian, "Che schifo, mai più").language == "it"


@pytest.mark.parametrize("hint", ["tlh", "xx", "<b>", "italiano", ""])
def test_a_hint_that_nobody_knows_is_ignored(identifier, hint):
    assert spoken(identifier, "😡😡", hint).language == UNKNOWN_LANGUAGE


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=400), hint=st.sampled_from([None, "it", "en", "zz"]))
def test_any_text_has_one_known_language_and_always_the_same(identifier, fresh, text, hint):
    found = spoken(identifier, text, hint)

    assert found == spoken(fresh, text, hint)
    assert found.language in LANGUAGES
    assert found.second in {*LANGUAGES, ""}
    assert found.language != found.second


def test_a_mixed_post_says_so_in_its_verdict(scorer: Scorer):
    mixed, plain = scorer.score([Post(MIXED[1][1]), Post("Che vergogna, mai più da voi")])

    assert {"it", "en"} == {mixed.language, mixed.second_language}
    assert mixed.scored
    assert plain.second_language == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://example.org/x",
        "@aurora @northwind",
        "12 34 50%",
        "...",
        "RT @aurora: https://x.example",
    ],
)
def test_where_there_is_nothing_to_read_nothing_is_guessed(scorer: Scorer, text: str):
    (found,) = scorer.score([Post(text, "it")])
    said = text.startswith("RT")  # a word of a kind

    assert (said, said) == (found.scored, bool(found.label))


def test_an_exclamation_a_hashtag_and_an_emoji_are_read(scorer: Scorer):
    assert all(one.scored for one in scorer.score([Post("!!!"), Post("#vergogna"), Post("😡")]))
