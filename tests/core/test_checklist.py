"""The checklist: ticks, playbook changes, overdue steps, stand-down, legal clocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.checklist import (
    change_playbook,
    open_checklist,
    stand_down_met,
    tick,
    unfinished,
    untick,
)
from sentinel.core.flow import Counts
from sentinel.core.playbooks import Playbook, StandDown
from sentinel.model import Direction, StepState
from sentinel.playbook_files import load_playbooks

BOOK = load_playbooks()
OPENED = 1_790_000_000.0
MINUTE = 60.0


def plan(playbook_id: str) -> Playbook:
    found = BOOK.get(playbook_id)
    assert found is not None
    return found


OUTAGE, BREACH = plan("service-outage"), plan("data-breach")


def state(checklist: tuple[StepState, ...], step_id: str) -> StepState:
    return next(step for step in checklist if step.id == step_id)


def test_a_new_checklist_holds_every_step_open_with_its_due_time() -> None:
    expected = tuple(
        StepState(id=step.id, due_at=OPENED + step.due_minutes * MINUTE) for step in OUTAGE.steps
    )
    assert expected == open_checklist(OUTAGE, OPENED)


def test_a_tick_says_who_and_when_and_touches_no_other_step() -> None:
    before = open_checklist(OUTAGE, OPENED)
    after = tick(before, "verify-facts", "Duty", OPENED + 5)
    assert (state(after, "verify-facts").done_by, state(after, "verify-facts").done_at) == (
        "Duty",
        OPENED + 5,
    )
    assert after[1:] == before[1:]


def test_the_first_tick_stays_when_a_second_person_ticks() -> None:
    once = tick(open_checklist(OUTAGE, OPENED), "verify-facts", "First", OPENED + 5)
    assert once == tick(once, "verify-facts", "Second", OPENED + 9)


def test_an_unknown_step_changes_nothing() -> None:
    before = open_checklist(OUTAGE, OPENED)
    assert before == tick(before, "gone", "Duty", OPENED)
    assert before == untick(before, "gone")


def test_unticking_opens_the_step_again() -> None:
    before = open_checklist(OUTAGE, OPENED)
    assert before == untick(tick(before, "workaround", "IT", OPENED + 1), "workaround")


def test_changing_the_playbook_keeps_the_ticks_of_steps_with_the_same_id() -> None:
    ticked = tick(open_checklist(OUTAGE, OPENED), "verify-facts", "Duty", OPENED + 5)
    ticked = tick(ticked, "workaround", "IT", OPENED + 6)
    changed = change_playbook(ticked, BREACH, OPENED)
    assert [step.id for step in changed] == [step.id for step in BREACH.steps]
    assert [step.id for step in changed if step.done_at is not None] == ["verify-facts"]
    assert state(changed, "verify-facts").done_by == "Duty"


def test_due_times_still_count_from_the_opening_after_a_change() -> None:
    changed = change_playbook(open_checklist(OUTAGE, OPENED), BREACH, OPENED)
    assert changed == open_checklist(BREACH, OPENED)


SHARED = sorted({step.id for step in OUTAGE.steps} & {step.id for step in BREACH.steps})


@given(ticks=st.lists(st.sampled_from([step.id for step in OUTAGE.steps]), max_size=12))
def test_ticks_of_shared_steps_survive_a_change_there_and_back(ticks: list[str]) -> None:
    checklist = open_checklist(OUTAGE, OPENED)
    for number, step_id in enumerate(ticks):
        checklist = tick(checklist, step_id, f"person {number}", OPENED + number)
    there = change_playbook(checklist, BREACH, OPENED)
    back = change_playbook(there, OUTAGE, OPENED)
    for step_id in SHARED:
        assert state(checklist, step_id) == state(back, step_id)
        assert state(checklist, step_id).done_at == state(there, step_id).done_at


def test_stand_down_waits_for_required_steps_only() -> None:
    praise = plan("opportunity-praise-wave")
    checklist = open_checklist(praise, OPENED)
    for step in praise.steps:
        if not step.optional:
            checklist = tick(checklist, step.id, "Duty", OPENED)
    assert any(step.done_at is None for step in checklist)
    assert unfinished(praise, checklist) == ()
    assert unfinished(praise, untick(checklist, "rights")) == ("rights",)


# --- stand-down ----------------------------------------------------------------------------------

RULE = StandDown(quiet_minutes=60, volume_ratio_below=2.0, negative_share_above_usual_below=0.1)
USUAL = 0.2


def over(counts: Counts, direction: Direction = Direction.THREAT) -> bool:
    return stand_down_met(RULE, counts, USUAL, direction)


def counts(mentions: int, negative: int, expected: float = 50.0, unread: int = 0) -> Counts:
    return Counts(OPENED, mentions, negative, 0, expected, unread=unread)


def test_it_is_over_below_both_limits_and_not_at_either() -> None:
    assert over(counts(60, 15))
    assert not over(counts(101, 15))  # twice the usual, and one
    assert not over(counts(60, 20))  # 30 % of sixty, and one


def test_silence_is_calm() -> None:
    assert over(counts(0, 0))


def test_a_brand_of_three_mentions_a_day_can_be_calm() -> None:
    assert over(counts(1, 1, expected=0.2))
    assert not over(counts(2, 2, expected=0.2))


def test_posts_that_no_model_read_dilute_nothing() -> None:
    assert over(counts(60, 18))
    assert not over(counts(60, 18, unread=20))


def test_of_an_opportunity_only_the_volume_is_asked() -> None:
    assert over(counts(60, 60), Direction.OPPORTUNITY)
    assert not over(counts(101, 0), Direction.OPPORTUNITY)
