import pytest

from sentinel.core.playbooks import Role
from sentinel.core.severity import Weight, severity
from sentinel.i18n import translator
from sentinel.model import (
    CRISIS_TYPES,
    Caveat,
    Direction,
    Level,
    Phase,
    Severity,
    Spread,
)
from sentinel.notify.wording import (
    CAVEAT,
    CHANNEL,
    CRISIS_TYPE,
    LABEL,
    ROLE,
    STATEMENT_CHANNEL,
    severity_reasons,
)
from tests.notify.aurora import (
    INCIDENT,
    OPPORTUNITY,
    both_languages,
    change,
    of,
    quote,
    said,
    with_evidence,
)

# --- the ten seconds -----------------------------------------------------------------------------


def test_the_header_says_how_bad_for_whom_what_and_since_when() -> None:
    assert said().header == (
        "🔴 Allerta crisi (gravità alta) · Pastificio Aurora · parole o condotta di un vertice"
        " · dalle 22:31"
    )
    assert said(language="en").header == (
        "🔴 Crisis alert (high severity) · Pastificio Aurora · a leader's words or conduct"
        " · since 22:31"
    )


def test_the_sentence_has_the_figures_the_usual_and_the_odds() -> None:
    assert said().sentence == (
        "1.412 menzioni in 15 minuti, di solito 38; quota di post negativi 3 volte la solita; "
        "per puro caso capita circa una volta ogni 90 giorni."
    )
    assert said(language="en").sentence == (
        "1,412 mentions in 15 minutes, usual 38; share of negative posts 3 times the usual; "
        "by chance about once in 90 days."
    )


def test_odds_that_are_not_known_are_not_told() -> None:
    assert "caso" not in of(with_evidence(chance_days=None)).sentence


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0.4, "una volta al giorno"),
        (30.2, "una volta ogni 30 giorni"),
        (1095, "una volta ogni 3 anni"),
        (1e9, "meno di una volta in 10 anni"),
    ],
)
def test_odds_are_told_in_a_unit_that_people_can_picture(days: float, expected: str) -> None:
    assert expected in of(with_evidence(chance_days=days)).sentence


def test_a_brand_used_to_nothing_has_a_usual_of_less_than_one() -> None:
    assert "di solito meno di 1;" in of(with_evidence(expected=0.02)).sentence
    assert "1 menzione in" in of(with_evidence(mentions=1)).sentence


@pytest.mark.parametrize(
    ("share", "usual", "expected"),
    [
        (0.30, 0.20, "1,5 volte la solita"),
        (0.95, 0.20, "5 volte la solita"),
        (0.90, 0.02, "più di 10 volte la solita"),
        (0.90, 0.0, "più di 10 volte la solita"),
        (0.22, 0.20, "circa la solita"),
        (0.0, 0.0, "sotto la solita"),
    ],
)
def test_without_labels_only_the_change_is_told_and_no_level(
    share: float, usual: float, expected: str
) -> None:
    sentence = of(with_evidence(negative_share=share, usual_negative_share=usual)).sentence

    assert f"quota di post negativi {expected};" in sentence
    assert "%" not in sentence


def test_with_labels_the_corrected_level_is_told_with_its_interval() -> None:
    italian = Level("it", 900, 0.583, 0.487, 0.672, 132, 0.48, 0.66, 0.21)
    english = Level("en", 300, 0.4, 0.28, 0.52, 101, 0.4, 0.66, 0.21)
    message = of(change(INCIDENT, levels=(italian, english)))

    assert (
        "; in italiano 58% negativi (tra 49% e 67%, da 132 post giudicati da persone);"
        " in inglese 40% negativi (tra 28% e 52%, da 101 post giudicati da persone); per puro caso"
    ) in message.sentence
    assert "in Italian 58% negative (between 49% and 67%, from 132 posts that people judged)" in (
        of(change(INCIDENT, levels=(italian,)), language="en").sentence
    )
    assert "58% positivi" in of(change(OPPORTUNITY, levels=(italian,))).sentence


def test_posts_that_were_not_read_are_told_where_they_are_many() -> None:
    many, few = of(with_evidence(mentions=40, unread=4)), of(with_evidence(mentions=40, unread=3))

    assert any("4 post su 40 non sono stati letti" in caveat for caveat in many.caveats)
    assert not any("non sono stati letti" in caveat for caveat in few.caveats)


def test_split_opinions_show_both_shares() -> None:
    polarised = of(with_evidence(polarised=True))
    assert (
        "post negativi 3 volte la solita; quota di post positivi sotto la solita"
        in polarised.sentence
    )
    assert any("divise" in caveat for caveat in polarised.caveats)


def test_an_opportunity_reads_as_one() -> None:
    message = of(change(OPPORTUNITY, severity=Severity.MEDIUM))
    assert message.header.startswith("🟢 Opportunità (notevole) · Pastificio Aurora · ondata di")
    assert "quota di post positivi sotto la solita" in message.sentence
    assert "negativi" not in message.sentence
    assert "114 lette come positive" in message.trend
    assert "negative" not in message.stand_down


def test_every_severity_has_its_own_words_and_one_mark() -> None:
    headers = [
        of(change(INCIDENT, severity=severity, direction=direction)).header
        for severity in Severity
        for direction in Direction
    ]
    assert len(headers) == len(set(headers))


@both_languages
def test_every_crisis_type_has_words(language: str) -> None:
    assert set(CRISIS_TYPES) | {"unknown"} == set(CRISIS_TYPE)
    for kind in CRISIS_TYPES:
        words = translator(language, "UTC").gettext(CRISIS_TYPE[kind])
        assert f" · {words} · " in of(change(INCIDENT, kind=kind), language).header


def test_a_kind_that_is_a_playbooks_id_is_still_put_in_words() -> None:
    assert "boicottaggio" in of(change(INCIDENT, kind="boycott-activists")).header
    assert "natura ancora da chiarire" in of(change(INCIDENT, kind="general")).header
    assert "furto di ricette" in of(change(INCIDENT, kind="furto-di-ricette")).header


def test_the_closed_sets_of_words_are_complete() -> None:
    assert set(Role) == set(ROLE)
    assert set(Caveat) - {Caveat.NO_PLAYBOOK_MATCH} == set(CAVEAT)
    assert {"negative", "neutral", "positive"} == set(LABEL)
    assert len(STATEMENT_CHANNEL) == 5
    assert "bluesky" in CHANNEL


# --- trend, where, who ---------------------------------------------------------------------------


def test_the_trend_says_how_fast_how_high_and_how_many() -> None:
    assert said().trend == (
        "Raddoppia ogni 17 minuti; finora al massimo 148 al minuto; "
        "1.412 menzioni finora, di cui 1.005 lette come negative."
    )


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (Phase.ONSET, "Appena iniziata"),
        (Phase.ESCALATING, "In crescita"),
        (Phase.PEAK, "Non cresce più, è al culmine"),
        (Phase.DECAYING, "Oltre il picco, in calo"),
        (Phase.RESOLVED, "Tornata alla normalità"),
    ],
)
def test_the_trend_follows_the_phase(phase: Phase, expected: str) -> None:
    incident = change(INCIDENT, phase=phase, doubling_minutes=None)
    assert of(incident).trend.startswith(expected)


def test_a_second_wave_is_called_one() -> None:
    assert "ondata n. 2" in of(change(INCIDENT, wave=2)).trend


def test_where_has_channels_and_languages_in_words() -> None:
    assert said().where == "Bluesky 60%, testate online 40%; lingue: italiano 70%, inglese 30%."
    english = said(language="en").where
    assert english == "Bluesky 60%, news sites 40%; in Italian 70%, English 30%."


def test_a_single_channel_needs_no_share() -> None:
    incident = change(INCIDENT, channels=(("forum", 9),), languages=(("und", 9),))
    assert of(incident).where == "Forum; lingue: non noto."


def test_many_channels_are_summed_up() -> None:
    counts = tuple((f"canale{n}", 10) for n in range(10))
    assert of(change(INCIDENT, channels=counts, languages=())).where.endswith("altri 50%.")


def test_who_has_the_first_post_the_most_spread_and_the_shares() -> None:
    assert said().who == (
        "Primo post di @radio.example (1.204 follower) su Bluesky alle 22:31; "
        "il più condiviso: @voce.example (340 condivisioni); 918 autori; 62% condivisioni; "
        "9% degli account ha meno di 30 giorni; 120.400 follower in tutto."
    )


def test_what_is_not_known_of_the_authors_is_not_told() -> None:
    assert of(change(INCIDENT, first_post=None, spread=Spread())).who == ""


# --- posts and words -----------------------------------------------------------------------------


def test_the_first_post_comes_first_and_posts_are_not_shown_twice() -> None:
    first = INCIDENT.first_post
    assert first is not None
    quotes = of(change(INCIDENT, quotes=(*INCIDENT.quotes, first))).quotes
    assert [line.role for line in quotes] == ["primo post", "", ""]
    assert (
        quotes[0].byline
    ) == "primo post · @radio.example · Bluesky · 22:31 · negativo · 1.204 follower"
    assert quotes[1].byline == "@voce.example · Bluesky · 22:35 · negativo · 340 condivisioni"


def test_a_forgotten_post_leaves_no_empty_quote() -> None:
    assert of(change(INCIDENT, first_post=None, quotes=(quote(1, " \u200b "),))).quotes == ()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/1?a=b", "https://example.com/1?a=b"),
        ("javascript:alert(1)", ""),
        ("https://example.com/|<!channel>", ""),
        ("https://example.com/a b", ""),
        ("https://example.com/\u202egpj", ""),
        ("https://example.com/" + "x" * 3000, ""),
        ("/relative", ""),
    ],
)
def test_only_plain_web_addresses_are_linked(url: str, expected: str) -> None:
    message = of(change(INCIDENT, first_post=None, quotes=(quote(1, "post", url=url),)))
    assert expected == message.quotes[0].url


def test_words_that_rise_have_their_count_and_lift() -> None:
    assert said().terms == ("#boicottaaurora (212, nuova)", "famiglia (130, 41 volte il solito)")


# --- how sure ------------------------------------------------------------------------------------


def test_a_strong_alert_is_told_with_its_counterfactual_and_channel() -> None:
    message = said()
    assert message.confidence.startswith("Alta:")
    assert "Con meno di 171 menzioni in 15 minuti non ci sarebbe stata" in message.confidence
    assert "Bluesky" in message.confidence


def test_a_narrow_margin_or_a_doubt_lowers_the_confidence() -> None:
    assert of(with_evidence(score=14.0)).confidence.startswith("Media:")
    gap = change(INCIDENT, caveats=(Caveat.SOURCE_GAP,))
    assert of(gap).confidence.startswith("Media:")
    assert of(change(gap, caveats=(Caveat.SOURCE_GAP, Caveat.FEW_AUTHORS))).confidence.startswith(
        "Bassa:"
    )


def test_a_brand_that_is_still_being_learned_says_so() -> None:
    message = of(with_evidence(learning=True))
    assert "Sentinel osserva questo marchio da poco" in message.caveats[0]
    assert message.confidence.startswith("Media:")


@both_languages
def test_every_caveat_is_a_sentence_of_its_own(language: str) -> None:
    caveats = of(change(INCIDENT, caveats=tuple(Caveat)), language).caveats
    assert len(Caveat) - 1 == len(set(caveats))
    assert all(caveat.endswith(".") for caveat in caveats)


def test_what_the_core_gives_as_reasons_for_a_severity_is_all_put_into_italian() -> None:
    for direction in Direction:
        weight = Weight(400, 20.5, 12.0, 300, 2_000_000, "data-breach", direction)
        _, reasons = severity(weight)
        incident = change(INCIDENT, severity_reasons=reasons, direction=direction)
        told = severity_reasons(translator("it", "UTC"), incident)
        assert len(reasons) == len(told)
        assert not set(reasons) & set(told)


def test_the_severity_is_explained() -> None:
    assert (
        said().severity_why
    ) == "Post negativi oltre il solito: 985 (di solito 8,4); raddoppia ogni 17 minuti."
    reasons = ("reach 1200000", "type data-breach", "una ragione nuova")
    assert of(change(INCIDENT, severity_reasons=reasons)).severity_why == (
        "Gli autori hanno in tutto 1.200.000 follower; possibile danno alle persone: violazione di"
        " dati; una ragione nuova."
    )
