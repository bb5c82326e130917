from sentinel.model import (
    Effect,
    EffectKind,
)
from tests.notify.aurora import (
    SUNDAY_2240,
    said,
)


def silent(*sources: str, kind: EffectKind = EffectKind.SOURCE_SILENT) -> Effect:
    return Effect(id="x", kind=kind, at=SUNDAY_2240, sources=sources)


def test_a_silent_source_says_what_is_blind_and_what_to_check() -> None:
    message = said(silent("jetstream"))
    assert message.operational
    assert message.header == "⚠️ Fonte muta: jetstream · alle 22:40"
    assert "da questa fonte non può partire alcuna allerta" in message.sentence
    assert len(message.checks) == 4
    assert "jetstream" in message.fallback
    assert all(check in message.plain_text() for check in message.checks)


def test_several_silent_sources_are_counted_and_named() -> None:
    message = said(silent("jetstream", "mqtt"), language="en")
    assert message.header == "⚠️ 2 sources silent: jetstream and mqtt · at 22:40"
    many = said(silent(*(f"fonte{n}" for n in range(40))))
    assert "altre 32" in many.header


def test_a_source_that_is_back_sends_people_to_what_they_missed() -> None:
    message = said(silent("jetstream", kind=EffectKind.SOURCE_RECOVERED))
    assert message.header.startswith("✅ Fonte di nuovo attiva: jetstream")
    assert "nessuno è stato avvisato" in message.checks[0]
    assert message.thread_reply == message.sentence


def test_an_effect_without_its_incident_still_becomes_a_message() -> None:
    lost = Effect(id="x", kind=EffectKind.ESCALATED, at=SUNDAY_2240, brand="aurora")
    assert "aurora" in said(lost).header
