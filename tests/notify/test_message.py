from collections.abc import Callable

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinel.core.checklist import open_checklist
from sentinel.i18n import LANGUAGES
from sentinel.model import (
    CRISIS_TYPES,
    Caveat,
    Direction,
    Effect,
    EffectKind,
    Evidence,
    Incident,
    Phase,
    PlaybookMatch,
    Quote,
    SeriesPoint,
    Severity,
    Spread,
    StepState,
    TermCount,
)
from sentinel.notify.message import FALLBACK_CHARACTERS, SUBJECT_CHARACTERS, build_message
from sentinel.notify.safe_text import clean
from sentinel.playbook_files import load_playbooks
from tests.notify.aurora import (
    INCIDENT,
    OPPORTUNITY,
    PEOPLE,
    PLAYBOOK,
    RUNNER_UP,
    SUNDAY_2240,
    both_languages,
    change,
    effect,
    of,
    said,
)

# --- the phone, the mail, the drill --------------------------------------------------------------


@both_languages
def test_the_phone_gets_header_figures_and_plan(language: str) -> None:
    message = said(language=language)
    title = PLAYBOOK.title.text(language)
    for fact in (message.header, message.sentence, title):
        assert fact in message.fallback


def test_a_phone_that_buzzes_again_is_told_why() -> None:
    assert said(effect(EffectKind.ESCALATED)).fallback.startswith("Peggiora: 🔴")
    assert said(effect(EffectKind.RETURNED)).fallback.startswith("Di nuovo: 🔴")
    assert said(effect(EffectKind.HANDED_UP)).fallback.startswith("Non ancora presa in carico: 🔴")
    praise = effect(EffectKind.ESCALATED, incident=OPPORTUNITY)
    assert said(praise).fallback.startswith("Cresce: 🟢")


def test_the_subject_begins_with_the_brand() -> None:
    assert (
        said().subject
    ) == "Pastificio Aurora · Allerta crisi (gravità alta) · parole o condotta di un vertice"


@both_languages
def test_a_drill_is_marked_wherever_it_is_read(language: str) -> None:
    word = {"it": "ESERCITAZIONE", "en": "DRILL"}[language]
    message = of(change(INCIDENT, drill=True), language)
    for text in (message.drill, message.header, message.subject, message.fallback):
        assert word in text[:20]
    assert word in message.plain_text()
    worse = effect(EffectKind.ESCALATED, incident=change(INCIDENT, drill=True))
    assert word in said(worse, language=language).thread_reply[:20]
    assert "" == message.thread_reply  # nothing to say is nothing to mark
    assert word not in said(language=language).plain_text()


def test_the_chart_has_the_wall_clock_of_each_point() -> None:
    message = said()
    assert (INCIDENT.series, ("22:38", "22:40")) == (message.series, message.labels)


@both_languages
def test_the_plain_text_carries_every_part(language: str) -> None:
    message = said(language=language)
    text = message.plain_text()
    for fact in (
        message.header,
        message.sentence,
        message.trend,
        message.where,
        message.who,
        *(line.text for line in message.quotes),
        *message.terms,
        message.confidence,
        *message.caveats,
        message.severity_why,
        message.playbook_line,
        *(row.title for row in message.checklist),
        *(row.byline for row in message.checklist),
        message.status_line,
        *message.pause,
        *message.never,
        *(clock.source for clock in message.clocks),
        message.stand_down,
    ):
        assert fact
        assert fact in text
    assert message.statement is not None
    assert message.statement.it in text
    assert message.statement.en in text


# --- whatever comes ------------------------------------------------------------------------------

nasty = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "<!channel> <script>alert(1)</script>",
            "[bold]{brand}[/] %s %(n)s {0} {leader}",
            "\u202eodinaf\u202c\u200b",
            "a\x00b\x1b[2J\r\nc",
            "x" * 5000,
            "👩\u200d🚒" * 40,
        ]
    ),
)
times = st.floats(allow_nan=True, allow_infinity=True) | st.floats(1.7e9, 1.9e9)
floats = st.floats()
counts = st.integers(0, 2**53)


def built(made: Callable[..., object], /, **parts: st.SearchStrategy) -> st.SearchStrategy:
    return st.fixed_dictionaries(parts).map(lambda given: made(**given))


quotes = built(
    Quote,
    source=nasty,
    mention_id=nasty,
    text=nasty,
    channel=nasty,
    published_at=times,
    author=nasty,
    followers=st.none() | counts,
    url=nasty,
    label=nasty,
    spread=counts,
)
evidences = built(
    Evidence,
    at=times,
    window_seconds=st.integers(0, 10**9),
    mentions=counts,
    expected=floats,
    negative_share=floats,
    usual_negative_share=floats,
    positive_share=floats,
    usual_positive_share=floats,
    score=floats,
    threshold=floats,
    channel=nasty,
    chance_days=st.none() | floats,
    would_not_fire_below=st.none() | st.integers(-5, 10**9),
    learning=st.booleans(),
    polarised=st.booleans(),
)
matches = built(
    PlaybookMatch,
    playbook=st.sampled_from(["", "executive-statement"]) | nasty,
    score=floats,
    reasons=st.lists(nasty, max_size=3).map(tuple),
    runner_up=st.sampled_from(["", "boycott"]) | nasty,
    runner_up_score=floats,
    matched=st.booleans(),
    chosen_by=nasty,
)
steps = built(
    StepState,
    id=st.sampled_from(["verify", "statement"]) | nasty,
    due_at=times,
    done_by=nasty,
    done_at=st.none() | times,
)
spreads = built(
    Spread,
    authors=counts,
    repost_share=floats,
    new_account_share=st.none() | floats,
    top_author=nasty,
    top_author_spread=counts,
    reach=counts,
)


def few(items: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(items, max_size=3).map(tuple)


incidents = built(
    Incident,
    id=nasty,
    brand=nasty,
    brand_name=nasty,
    direction=st.sampled_from(Direction),
    severity=st.sampled_from(Severity),
    phase=st.sampled_from(Phase),
    onset_at=times,
    opened_at=times,
    detected_at=times,
    updated_at=times,
    revision=counts,
    evidence=evidences,
    playbook=matches,
    kind=st.sampled_from(CRISIS_TYPES) | nasty,
    wave=counts,
    doubling_minutes=st.none() | floats,
    mentions=counts,
    negative=counts,
    positive=counts,
    peak_per_minute=floats,
    channels=few(st.tuples(nasty, counts)),
    languages=few(st.tuples(nasty, counts)),
    spread=spreads,
    first_post=st.none() | quotes,
    quotes=few(quotes),
    terms=few(st.builds(TermCount, nasty, counts, floats)),
    series=few(st.builds(SeriesPoint, times, counts, counts, floats)),
    caveats=few(st.sampled_from(Caveat)),
    severity_reasons=few(nasty | st.just("excess 9 over 1.0")),
    checklist=few(steps),
    acknowledged_by=nasty,
    acknowledged_at=st.none() | times,
    snoozed_until=st.none() | times,
    false_alarm_by=nasty | st.just(""),
    resolved_at=st.none() | times,
    escalation_level=st.integers(-1, 9),
    drill=st.booleans(),
)
effects = built(
    Effect,
    id=st.just("x"),
    kind=st.sampled_from(EffectKind),
    at=times,
    brand=nasty,
    incident=st.none() | incidents,
    actor=nasty,
    note=nasty,
    sources=few(nasty),
)
thorough = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def texts_of(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts_of(each)]
    if isinstance(value, (list, tuple)):
        return [text for each in value for text in texts_of(each)]
    return []


@thorough
@given(effects, st.sampled_from(LANGUAGES), st.booleans())
def test_whatever_an_effect_holds_it_becomes_a_safe_message(
    told: Effect, language: str, planned: bool
) -> None:
    message = build_message(
        told,
        PLAYBOOK if planned else None,
        language=language,
        timezone="Europe/Rome",
        runner_up=RUNNER_UP if planned else None,
        people=PEOPLE,
    )
    assert 0 < len(message.fallback) <= FALLBACK_CHARACTERS
    assert 0 < len(message.subject) <= SUBJECT_CHARACTERS
    # Ids are keys, not texts: they go back to the core as they came.
    shown = msgspec.structs.replace(
        message,
        incident_id="",
        checklist=tuple(msgspec.structs.replace(row, id="") for row in message.checklist),
    )
    for text in texts_of(msgspec.to_builtins(shown, str_keys=True)):
        assert clean(text) == " ".join(text.split())
    assert message.plain_text()


@thorough
@given(effects)
def test_both_languages_say_the_same_set_of_facts(told: Effect) -> None:
    def facts(language: str) -> list[tuple[str, int]]:
        message = said(told, language=language)
        return [(section.kind, len(section.lines)) for section in message.sections()] + [
            ("thread", int(bool(message.thread_reply)))
        ]

    assert facts("it") == facts("en")


@both_languages
def test_every_packaged_playbook_makes_a_whole_message(language: str) -> None:
    for playbook in load_playbooks():
        incident = change(
            INCIDENT,
            playbook=PlaybookMatch(playbook.id, 0.7),
            checklist=open_checklist(playbook, SUNDAY_2240),
        )
        message = said(effect(incident=incident), language=language, playbook=playbook)
        assert len(playbook.steps) == len(message.checklist)
        assert all(row.title and row.due and row.role and row.phase for row in message.checklist)
        assert len(playbook.clocks) == len(message.clocks)
        assert playbook.title.text(language) in message.fallback
        assert message.statement is not None
