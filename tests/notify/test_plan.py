from urllib.parse import urlsplit

import pytest

from sentinel.core.playbook_match import MatchQuery, rank
from sentinel.core.playbooks import Trigger
from sentinel.i18n import translator
from sentinel.model import (
    Caveat,
    Phase,
    PlaybookMatch,
    TermCount,
)
from sentinel.notify.wording import playbook_reasons
from tests.notify.aurora import (
    HOUR,
    INCIDENT,
    MINUTE,
    PLAYBOOK,
    SUNDAY_2240,
    change,
    effect,
    of,
    said,
)

# --- the plan ------------------------------------------------------------------------------------


def test_the_plan_has_its_reasons_and_the_runner_up() -> None:
    assert said().playbook_line == (
        "«Parole di un vertice». Perché: tema «parole o condotta di un vertice»; "
        "«boicott…» in 35 post su 60. "
        "Seconda scelta: «Boicottaggio di un marchio» (41 punti contro 62, su 100)."
    )


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("top term «boicotta» 7 times", "«boicotta» 7 volte"),
        ("against: «scherzo» in 3 of 9 posts", "contro: «scherzo» in 3 post su 9"),
        ("seen before: boycott, customer-care", "boicottaggio e assistenza, prezzi o condizioni"),
        ("direction opportunity", "il tono è positivo"),
        ("something of a later version", "something of a later version"),
    ],
)
def test_reasons_of_the_match_are_put_in_words(reason: str, expected: str) -> None:
    match = PlaybookMatch("executive-statement", 0.6, reasons=(reason,))
    assert expected in of(change(INCIDENT, playbook=match)).playbook_line


def test_what_the_core_gives_as_reasons_is_all_put_into_italian() -> None:
    terms = {"it": ("boicott*", "radio")}
    plan = change(PLAYBOOK, trigger=Trigger(terms=terms, against={"it": ("scherzo",)}))
    query = MatchQuery(
        crisis_types=(("executive-statement", 0.8),),
        texts=("boicottiamo chi parla in radio", "radio spenta, è uno scherzo"),
        terms=(TermCount("radio", 40, 9.0),),
        seen_before=("executive-statement",),
    )
    match = rank(query, [plan])[0]
    assert len(match.reasons) >= 5
    told = playbook_reasons(translator("it", "UTC"), match.reasons)
    assert len(match.reasons) == len(told)
    assert not set(match.reasons) & set(told)


def test_no_match_is_toldhonestly_with_the_nearest_plan() -> None:
    match = PlaybookMatch(
        "", 0.0, ("no match: best boycott 0.20 below 0.25",), "boycott", 0.2, matched=False
    )
    incident = change(INCIDENT, playbook=match, caveats=(Caveat.NO_PLAYBOOK_MATCH,))
    message = said(effect(incident=incident), playbook=None)
    assert message.playbook_line.startswith("Nessun piano corrisponde con chiarezza.")
    assert "Il più vicino: «Boicottaggio di un marchio»." in message.playbook_line
    assert "below" not in message.playbook_line
    assert "Nessun piano corrisponde con chiarezza: sceglierne uno." in message.fallback
    assert message.caveats == ()


def test_no_match_starts_from_the_general_plan_where_there_is_one() -> None:
    match = PlaybookMatch("executive-statement", 0.0, matched=False)
    assert (
        "Partire da: «Parole di un vertice»." in of(change(INCIDENT, playbook=match)).playbook_line
    )


def test_a_plan_that_a_person_chose_says_who() -> None:
    match = PlaybookMatch("executive-statement", 1.0, chosen_by="Anna Bianchi")
    line = of(change(INCIDENT, playbook=match)).playbook_line
    assert line == "«Parole di un vertice»: scelto da Anna Bianchi."


def test_a_plan_that_is_gone_is_called_by_its_id() -> None:
    message = said(playbook=None, runner_up=None)
    assert "«executive-statement»" in message.playbook_line
    assert [row.title for row in message.checklist] == ["verify", "statement", "partners"]
    assert (message.statement, message.clocks, message.stand_down) == (None, (), "")


# --- the checklist -------------------------------------------------------------------------------


def test_a_step_has_its_role_person_deadline_and_block() -> None:
    first, second, third = said().checklist
    assert (first.title, first.phase) == ("Trovare l'audio", 15)
    assert first.byline == "entro le 22:50 · Reperibile comunicazione (Anna Bianchi)"
    assert (second.due, second.who, second.phase) == ("entro le 23:25", "Portavoce", 60)
    assert second.detail == "Sugli stessi canali."
    assert second.approval == (
        "Approva: Sponsor di direzione entro 20 minuti; se non risponde, Ufficio legale (Ugo Neri)."
    )
    assert (third.due, third.phase) == ("entro le 00:40 di lunedì", 180)


def test_steps_stand_in_the_order_in_which_they_fall_due() -> None:
    turned = change(INCIDENT, checklist=INCIDENT.checklist[::-1])
    assert said().checklist == of(turned).checklist


def test_a_step_that_is_late_says_so_until_it_is_done() -> None:
    late = said(effect(at=SUNDAY_2240 + 20 * MINUTE)).checklist
    assert [row.overdue for row in late] == [True, False, False]
    assert late[0].due == "in ritardo: 22:50"
    done = change(INCIDENT.checklist[0], done_by="Anna Bianchi", done_at=SUNDAY_2240 + 15 * MINUTE)
    incident = change(INCIDENT, checklist=(done, *INCIDENT.checklist[1:]))
    row = of(incident, at=SUNDAY_2240 + 20 * MINUTE).checklist[0]
    assert (row.overdue, row.done_by) == (False, "Anna Bianchi")
    assert row.done == "fatto da Anna Bianchi alle 22:55"


def test_nothing_is_late_any_more_when_it_is_over() -> None:
    over = change(INCIDENT, phase=Phase.RESOLVED, resolved_at=SUNDAY_2240 + HOUR)
    assert not any(row.overdue for row in of(over, at=SUNDAY_2240 + 9 * HOUR).checklist)


# --- statements, clocks, end ---------------------------------------------------------------------


def test_the_statement_to_use_is_the_first_that_has_not_expired() -> None:
    message = said()
    statement = message.statement
    assert statement is not None
    assert [each.id for each in message.statements] == ["old", "first"]
    assert statement.id == "first"
    assert statement.it == "Pastificio Aurora si scusa per {leader}."
    assert statement.en == "Pastificio Aurora apologises for {leader}."
    assert statement.blanks == ("{leader}: Nome di chi ha parlato",)
    assert statement.validity == "Testo già approvato; scadenza: 30 giugno 2027."
    assert statement.note == "Se confermata."
    old = message.statements[0]
    assert (
        old.expired,
        old.validity,
    ) == (True, "Scaduto (21 novembre 2026): non usarlo senza una nuova approvazione.")


def test_legal_clocks_are_possible_deadlines_that_a_person_confirms() -> None:
    (clock,) = said().clocks
    assert clock.text == "GDPR art. 33, decorre da: la conoscenza del fatto"
    assert clock.deadlines == (
        (
            "72 ore: Notificare al Garante (entro le 22:40 di mercoledì 25 novembre, "
            "se il termine decorre da questa allerta)"
        ),
        "senza ingiustificato ritardo: Avvisare gli interessati",
        "24 ore (a contare da: la notifica): Relazione",
    )
    assert clock.confirm == "Se si applica lo conferma una persona: Ci sono dati personali?"
    assert urlsplit(clock.source).hostname == "eur-lex.europa.eu"


def test_the_end_is_told_in_this_brands_figures() -> None:
    assert said().stand_down == (
        "È finita quando per 1 ora ci sono meno di 1,5 volte le menzioni abituali e meno del 32% sono "
        "lette come negative."
    )


def test_how_far_the_end_is_is_told_and_when_it_was_reached() -> None:
    calm = change(
        INCIDENT,
        phase=Phase.RESOLVED,
        resolved_at=SUNDAY_2240 - 10 * MINUTE,
        calm_since=SUNDAY_2240 - 30 * MINUTE,
    )
    assert of(calm).stand_down.endswith("Calma dalle 22:10; se resta così, è finita alle 23:10.")
    reached = change(calm, stood_down_at=SUNDAY_2240)
    assert of(reached).stand_down.endswith("sono lette come negative. Raggiunta alle 22:40.")


def test_what_to_pause_and_what_never_to_do_come_along() -> None:
    message = said(language="en")
    assert (message.pause, message.never) == (("Scheduled posts",), ("Delete criticism",))
