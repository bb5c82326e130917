from random import Random

import msgspec
import pytest
from hypothesis import Phase as HypothesisPhase
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from sentinel.core.playbooks import Localised
from sentinel.model import Incident, Phase, SeriesPoint
from sentinel.notify.alert import (
    AlertMessage,
    ChecklistRow,
    ClockLine,
    QuoteLine,
    StatementText,
)
from sentinel.notify.slack.blocks import (
    MAX_BLOCKS,
    TEXT_BUDGET,
    Drawing,
    bare_blocks,
    incident_blocks,
    operational_blocks,
    reply_blocks,
)
from sentinel.notify.slack.chart import chart
from sentinel.notify.slack.rich import Json, weight
from sentinel.playbook_files import load_playbooks
from sentinel.slack_sandbox.block_kit import problems
from tests.notify.aurora import INCIDENT, PLAYBOOK, SUNDAY_2240, change, effect, said
from tests.notify.slack.rig import element, groups, words

NASTY = "<!channel> <@U1> <https://evil.example|x> *a* _b_ `c` & \u202e\u200b\x00 :boom: " * 40
LONG = "Parole " * 900
TEXTS = ("", "a", "<!here>", NASTY, LONG, "🧑‍🚒" * 500, "\n\n", "–")
PLAYBOOKS = tuple(load_playbooks())


def accepted(blocks: list[Json]) -> None:
    """Slack's limits, as the sandbox and the client library's own models know them."""
    assert problems(blocks) == []
    assert len(blocks) <= MAX_BLOCKS
    assert weight(blocks) <= TEXT_BUDGET
    for block in blocks:
        if block["type"] not in ("data_visualization", "rich_text"):
            parsed = Block.parse(block)
            assert parsed is not None
            parsed.validate_json()


def drawing(message: AlertMessage, incident: Incident = INCIDENT, **more: object) -> Drawing:
    known = {
        "playbooks": PLAYBOOKS,
        "base_url": "https://sentinel.example",
    }
    return Drawing(message, effect(incident=incident), **(known | more))


# --- whatever comes ------------------------------------------------------------------------------


def maimed(seed: int, fuzz: str) -> AlertMessage:
    """An alert whose every text is hostile, huge or missing; chosen by a seeded generator, which is fast."""
    rng = Random(seed)

    def text() -> str:
        return rng.choice((*TEXTS, fuzz))

    def texts(most: int = 12) -> tuple[str, ...]:
        return tuple(text() for _ in range(rng.randrange(most + 1)))

    def row(number: int) -> ChecklistRow:
        return ChecklistRow(
            id=rng.choice(("", f"step-{number}", "twice", "y" * 75, "z" * 76)),
            title=text(),
            role=text(),
            person=text(),
            due=text(),
            due_at=rng.random() * 1e9,
            phase=rng.choice((0, 15, 60, 180)),
            overdue=rng.random() < 0.5,
            done_by=rng.choice(("", "Reperibile 1")),
            done=text(),
            approval=text(),
        )

    def quote() -> QuoteLine:
        url = rng.choice(("", "https://example.com/1", "https://e.example/" + "x" * 1900))
        return QuoteLine(text(), text(), text(), text(), role=text(), url=url)

    def statement() -> StatementText:
        return StatementText(
            text(), text(), text(), text(), text(), rng.random() < 0.5, approval=text()
        )

    def clock() -> ClockLine:
        return ClockLine(
            text(), text(), texts(), text(), rng.choice(("", "https://eur-lex.europa.eu/x"))
        )

    points = rng.choice((0, 1, 2, 20, 90))
    odd = (0.5, float("nan"), float("inf"), 1e300)
    return msgspec.structs.replace(
        rng.choice((said(), said(language="en"))),
        header=text(),
        sentence=text(),
        fallback=text(),
        drill=text(),
        trend=text(),
        where=text(),
        who=text(),
        quotes=tuple(quote() for _ in range(rng.randrange(8))),
        terms=texts(),
        severity_why=text(),
        confidence=text(),
        caveats=texts(),
        playbook_line=text(),
        pause=texts(),
        never=texts(),
        statements=tuple(statement() for _ in range(rng.randrange(3))),
        checklist=tuple(row(number) for number in range(rng.choice((0, 3, 12, 60)))),
        clocks=tuple(clock() for _ in range(rng.randrange(6))),
        stand_down=text(),
        status_line=text(),
        checks=texts(),
        series=tuple(
            SeriesPoint(60.0 * n, rng.randrange(10**9), rng.randrange(10**9), rng.choice(odd))
            for n in range(points)
        ),
        labels=tuple(f"{n % 24:02}:00" for n in range(points)),
    )


NO_SHRINKING = tuple(phase for phase in HypothesisPhase if phase is not HypothesisPhase.shrink)
seeds = st.integers(0, 2**32)
fuzz_text = st.text(max_size=60)


@settings(max_examples=150, deadline=None, phases=NO_SHRINKING)
@given(
    seed=seeds,
    fuzz=fuzz_text,
    incident_id=st.sampled_from(("aurora-1", "x" * 60, "é:<!channel>" * 30)),
    revision=st.integers(0, 10**12),
    phase=st.sampled_from(tuple(Phase)),
    charts=st.booleans(),
)
def test_whatever_an_alert_holds_slack_takes_it(
    *, seed: int, fuzz: str, incident_id: str, revision: int, phase: Phase, charts: bool
) -> None:
    message = msgspec.structs.replace(maimed(seed, fuzz), incident_id=incident_id)
    incident = change(INCIDENT, id=incident_id, revision=revision, phase=phase)
    made = drawing(message, incident, charts=charts)
    blocks = incident_blocks(made, incident)
    accepted(blocks)
    accepted(bare_blocks(made, incident))
    assert "<!" not in words(blocks)
    if incident.open:
        shown = [o["value"] for g in groups(blocks) for o in g["elements"][0]["options"]]
        usable = {row.id for row in message.checklist if 0 < len(row.id) <= 75}
        assert len(shown) == len(set(shown))
        assert set(shown) <= usable
        assert len(shown) == min(len(usable), 40)
        assert element(blocks, "take")["value"] == incident_id[:2000]


@settings(max_examples=40, deadline=None, phases=NO_SHRINKING)
@given(seed=seeds, fuzz=fuzz_text, key=st.text(min_size=1, max_size=400))
def test_replies_and_operational_messages_are_within_limits_too(
    seed: int, fuzz: str, key: str
) -> None:
    message = maimed(seed, fuzz)
    made = drawing(message)
    accepted(operational_blocks(made, key))
    accepted(reply_blocks(message.sentence, key))


def test_the_longest_alert_keeps_its_buttons_its_figures_and_forty_steps() -> None:
    steps = tuple(
        ChecklistRow(
            f"step-{n}",
            "Passo molto lungo da fare " * 4,
            "Ufficio legale",
            "Nome " * 20,
            "entro le 22:55",
            n,
            (15, 60, 180, 0)[n % 4],
            approval="Approva: " + "Nome " * 60,
        )
        for n in range(60)
    )
    many = tuple(
        change(PLAYBOOK, id=f"plan-{n}", title=Localised(it="Piano " * 30, en="Plan " * 30))
        for n in range(60)
    )
    message = msgspec.structs.replace(
        said(),
        checklist=steps,
        header=LONG,
        drill=LONG,
        sentence=LONG,
        trend=LONG,
        status_line=LONG,
        where=LONG,
        who=LONG,
        playbook_line=LONG,
    )
    blocks = incident_blocks(drawing(message, playbooks=many), INCIDENT)
    accepted(blocks)
    boxes = [len(group["elements"][0]["options"]) for group in groups(blocks)]
    assert (sum(boxes), max(boxes)) == (40, 10)
    assert "altri 20 passi" in words(blocks) or "20" in words(blocks)
    assert element(blocks, "take")


@pytest.mark.parametrize("language", ["it", "en"])
@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda playbook: playbook.id)
def test_every_playbook_of_the_house_is_shown_whole(playbook: object, language: str) -> None:
    incident = change(
        INCIDENT,
        playbook=change(INCIDENT.playbook, playbook=playbook.id),
        checklist=tuple(change(INCIDENT.checklist[0], id=step.id) for step in playbook.steps),
    )
    message = said(effect(incident=incident), playbook=playbook, language=language)
    blocks = incident_blocks(drawing(message, incident), incident)
    accepted(blocks)
    shown = {o["value"] for g in groups(blocks) for o in g["elements"][0]["options"]}
    assert shown == {step.id for step in playbook.steps}
    statement = message.statement
    assert statement is None or (statement.en if language == "en" else statement.it)[:200] in words(
        blocks
    )
    assert message.stand_down in words(blocks)


# --- what is shown when --------------------------------------------------------------------------


def test_the_plan_in_force_is_not_offered_and_the_runner_up_comes_first() -> None:
    blocks = incident_blocks(drawing(said()), INCIDENT)
    offered = [option["value"] for option in element(blocks, "change_playbook")["options"]]
    assert offered[0] == "boycott"
    assert INCIDENT.playbook.playbook not in offered


def test_a_false_alarm_and_an_escalation_ask_first() -> None:
    blocks = incident_blocks(drawing(said()), INCIDENT)
    asked = [
        a for a in ("take", "false_alarm", "snooze", "escalate") if "confirm" in element(blocks, a)
    ]
    assert asked == ["false_alarm", "escalate"]


def test_a_drill_stands_above_everything() -> None:
    drill = change(INCIDENT, drill=True)
    blocks = incident_blocks(drawing(said(effect(incident=drill)), drill), drill)
    assert "ESERCITAZIONE" in words(blocks[0])


def test_a_closed_incident_shows_what_was_done_and_what_was_not() -> None:
    done = change(INCIDENT.checklist[0], done_by="Reperibile 1")
    over = change(INCIDENT, phase=Phase.RESOLVED, checklist=(done, *INCIDENT.checklist[1:]))
    blocks = incident_blocks(drawing(said(effect(incident=over)), over), over)
    assert groups(blocks) == []
    assert "☑ Trovare l'audio" in words(blocks)
    assert "☐ Pubblicare la nota" in words(blocks)


def test_a_false_alarm_leaves_nothing_to_press_but_the_judging_of_its_posts() -> None:
    called = change(INCIDENT, false_alarm_by="Reperibile 2")
    blocks = incident_blocks(drawing(said(effect(incident=called)), called), called)
    pressed = [e["action_id"] for b in blocks if b["type"] == "actions" for e in b["elements"]]
    assert pressed == ["judge"]


def test_an_expired_statement_is_marked() -> None:
    stale = change(PLAYBOOK, statements=PLAYBOOK.statements[:1])
    blocks = incident_blocks(drawing(said(playbook=stale)), INCIDENT)
    assert "⚠️ Scaduto" in words(blocks) or "⚠️" in words(blocks)


def test_without_pages_of_our_own_there_is_no_link_to_them() -> None:
    blocks = incident_blocks(drawing(said(), base_url=""), INCIDENT)
    assert "sentinel.example" not in msgspec.json.encode(blocks).decode()


# --- the chart -----------------------------------------------------------------------------------


def series(count: int) -> AlertMessage:
    points = tuple(SeriesPoint(SUNDAY_2240 + 60 * n, 3, 1, 0.5) for n in range(count))
    labels = tuple(f"{n % 7}:00" for n in range(count))
    return msgspec.structs.replace(said(), series=points, labels=labels)


@pytest.mark.parametrize("count", [2, 20, 21, 59, 500])
def test_a_chart_has_at_most_twenty_points_and_loses_no_mention(count: int) -> None:
    block = chart(series(count), "c")
    assert block is not None
    assert problems([block]) == []
    mentions = [point["value"] for point in block["chart"]["series"][0]["data"]]
    assert (len(mentions) <= 20, sum(mentions)) == (True, 3 * count)


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_draw_is_no_chart(count: int) -> None:
    assert chart(series(count), "c") is None
