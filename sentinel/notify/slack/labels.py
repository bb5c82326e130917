"""Words on buttons and in dialogs, for the catalogues. What an alert says is worded in ``sentinel/notify/message.py``."""

from __future__ import annotations

from sentinel.i18n import N_, Translator

PLEASE_TAKE_IT = N_("Please take it:")
TAKE = N_("Take it")
FALSE_ALARM = N_("False alarm")
SNOOZE = N_("Snooze for 1 hour")
UNSNOOZE = N_("End snooze")
ESCALATE = N_("Escalate")
RESOLVE = N_("It is over")
CHANGE_PLAYBOOK = N_("Change plan")
FULL_TEXT = N_("Full text, Italian and English")
OPEN_PAGE = N_("Open in Sentinel")
CANCEL = N_("Cancel")
CLOSE = N_("Close")
NOT_RECORDED = N_("This could not be recorded. Try again in a minute.")
NO_STATEMENT = N_("The plan has no holding statement.")
JUDGE = N_("Say what these posts are")
JUDGE_TITLE = N_("What are these posts?")
WHAT_IS_IT = N_("What is it?")
SENTINEL_SAID = N_("Sentinel: {word}")
PERSON_SAID = N_("{who}: {word}")
TAKE_BACK = N_("Take it back")
NO_POSTS = N_("There are no posts to judge.")
POST_GONE = N_("This post cannot be judged any more.")

FALSE_ALARM_ASK = (
    N_("False alarm?"),
    N_("Nobody is paged about this story any more, and it counts against the false-alarm budget."),
    N_("Yes, false alarm"),
)
ESCALATE_ASK = (
    N_("Escalate?"),
    N_("The next person in the chain is called now."),
    N_("Escalate"),
)
RESOLVE_ASK = (
    N_("Is it over?"),
    N_("The incident is closed for everybody."),
    N_("Close it"),
)


def more_steps(t: Translator, n: int) -> str:
    """For a checklist too long for one message."""
    return t.ngettext(
        "{n} more step: see Sentinel's page.", "{n} more steps: see Sentinel's page.", n
    )
