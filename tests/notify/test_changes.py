import pytest

from sentinel.model import (
    Direction,
    EffectKind,
    Phase,
)
from tests.notify.aurora import (
    HOUR,
    INCIDENT,
    MINUTE,
    SUNDAY_2240,
    both_languages,
    change,
    effect,
    of,
    said,
)

# --- in whose hands ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "Nuova: nessuno l'ha ancora presa in carico. Di turno: Anna Bianchi."),
        ({"acknowledged_by": "Carla"}, "Presa in carico da Carla."),
        (
            {"acknowledged_by": "Carla", "acknowledged_at": SUNDAY_2240 + MINUTE},
            "Presa in carico da Carla alle 22:41.",
        ),
        (
            {"escalation_level": 1},
            "Nessuno l'ha ancora presa in carico: ora si chiama Responsabile della crisi.",
        ),
        (
            {"acknowledged_by": "Carla", "snoozed_until": SUNDAY_2240 + 2 * HOUR},
            "Presa in carico da Carla. Silenziata fino alle 00:40 di lunedì.",
        ),
        (
            {"acknowledged_by": "Carla", "phase": Phase.DECAYING},
            "Presa in carico da Carla. Si sta sgonfiando.",
        ),
        ({"false_alarm_by": "Carla", "phase": Phase.RESOLVED}, "Falso allarme, secondo Carla."),
        (
            {"phase": Phase.RESOLVED, "resolved_at": SUNDAY_2240, "acknowledged_by": "Carla"},
            (
                "Conclusa alle 22:40, dopo 9 minuti: 1.412 menzioni in tutto, di cui 1.005 lette come negative."
                " Presa in carico da Carla."
            ),
        ),
    ],
)
def test_the_status_says_who_has_it(changed: dict[str, object], expected: str) -> None:
    assert expected == of(change(INCIDENT, **changed)).status_line


def test_the_header_of_what_is_over_says_so_and_alarms_no_more() -> None:
    over = of(change(INCIDENT, phase=Phase.RESOLVED)).header
    assert over.startswith("✅ Conclusa · Allerta crisi (gravità alta) · Pastificio Aurora")
    wrong = of(change(INCIDENT, phase=Phase.RESOLVED, false_alarm_by="Carla")).header
    assert wrong.startswith("⚪ Falso allarme · Allerta crisi (gravità alta)")
    assert not {"🔴", "🚨"} & set(over + wrong)


# --- replies in the thread -----------------------------------------------------------------------


def reply(kind: EffectKind, *, language: str = "it", note: str = "", actor: str = "", **more):
    told = effect(kind, incident=change(INCIDENT, **more), note=note, actor=actor)
    return said(told, language=language).thread_reply


def test_a_rise_says_from_where_to_where_and_why() -> None:
    text = reply(EffectKind.ESCALATED, note="medium")
    assert text.startswith("Peggiora: da gravità media a gravità alta. Perché: post negativi")
    assert "1.412 menzioni in 15 minuti" in text
    assert reply(EffectKind.ESCALATED).startswith("Peggiora: ora gravità alta.")
    praise = reply(EffectKind.ESCALATED, note="low", direction=Direction.OPPORTUNITY)
    assert praise.startswith("Cresce: da piccola a grande.")


@pytest.mark.parametrize(
    ("kind", "changed", "expected"),
    [
        (EffectKind.RETURNED, {"wave": 2}, "La vicenda è ripartita: ondata n. 2. 1.412 menzioni"),
        (EffectKind.DECAYING, {}, "Si sta sgonfiando: 1.412 menzioni finora"),
        (EffectKind.RESOLVED, {"phase": Phase.RESOLVED}, "Carla l'ha chiusa. Conclusa alle 22:40"),
        (EffectKind.ACKNOWLEDGED, {}, "Carla l'ha presa in carico alle 22:40."),
        (EffectKind.FALSE_ALARM, {}, "Carla lo segnala come falso allarme"),
        (
            EffectKind.SNOOZED,
            {"snoozed_until": SUNDAY_2240 + HOUR},
            "Carla l'ha silenziata fino alle 23:40",
        ),
        (EffectKind.UNSNOOZED, {}, "Carla ha riattivato gli avvisi."),
        (
            EffectKind.HANDED_UP,
            {"escalation_level": 2},
            "Carla chiede rinforzi: ora si chiama Sponsor di direzione.",
        ),
        (EffectKind.PLAYBOOK_CHANGED, {}, "Carla ha cambiato piano. Piano: «Parole di un vertice»"),
        (EffectKind.NEW_NORMAL, {}, "Il nuovo livello si è stabilizzato: d'ora in poi circa 38"),
    ],
)
def test_a_change_of_state_is_told_in_one_sentence(
    kind: EffectKind, changed: dict[str, object], expected: str
) -> None:
    assert reply(kind, actor="Carla", **changed).startswith(expected)


def test_what_nobody_did_is_told_without_a_name() -> None:
    assert "Il silenziamento è finito." in reply(EffectKind.UNSNOOZED)
    assert reply(EffectKind.PLAYBOOK_CHANGED).startswith("Il piano è cambiato.")
    assert reply(EffectKind.HANDED_UP, escalation_level=1).startswith("Nessuno l'ha ancora presa")
    assert reply(EffectKind.RESOLVED, phase=Phase.RESOLVED).startswith("Conclusa alle 22:40")


def test_a_tick_names_the_step_the_person_and_what_is_left() -> None:
    done = change(INCIDENT.checklist[0], done_by="Carla", done_at=SUNDAY_2240)
    ticked = {"checklist": (done, *INCIDENT.checklist[1:])}
    text = reply(EffectKind.CHECKLIST_CHANGED, note="verify", actor="Carla", **ticked)
    assert text == "Carla: fatto «Trovare l'audio» (1 su 3)."
    text = reply(EffectKind.CHECKLIST_CHANGED, note="verify", actor="Carla")
    assert text == "Carla: riaperto «Trovare l'audio» (0 su 3)."


def test_a_rehearsal_is_not_charged_to_the_budget() -> None:
    assert "falsi allarmi ammessi" in reply(EffectKind.FALSE_ALARM, actor="Carla")
    assert "falsi allarmi ammessi" not in reply(EffectKind.FALSE_ALARM, actor="Carla", drill=True)


@both_languages
@pytest.mark.parametrize("kind", sorted(EffectKind))
def test_every_change_but_new_figures_has_a_reply(kind: EffectKind, language: str) -> None:
    silent = {EffectKind.OPENED, EffectKind.UPDATED, EffectKind.SOURCE_SILENT}
    told = reply(kind, language=language, note="verify", actor="Carla")
    assert (kind in silent) == (told == "")


def test_standing_down_names_what_is_still_to_be_settled() -> None:
    calm = {"phase": Phase.RESOLVED, "stood_down_at": SUNDAY_2240}
    assert reply(EffectKind.STOOD_DOWN, **calm) == (
        "Calma da 1 ora, come chiede il piano: il gruppo può sciogliersi, chiuso quanto resta. "
        "Ancora aperte: «Trovare l'audio»; «Pubblicare la nota»; «Chiamare i partner»."
    )
    done = tuple(
        change(state, done_by="Carla", done_at=SUNDAY_2240) for state in INCIDENT.checklist
    )
    assert reply(EffectKind.STOOD_DOWN, checklist=done, **calm) == (
        "Calma da 1 ora, come chiede il piano, e ogni cosa è fatta: il gruppo può sciogliersi."
    )
