"""The pages' own words, over the team's catalogue.

What lives here: the lookup that templates know as ``_``, and the words for things that only pages show. The Italian
is in ``locales/it.po``; English stands where it is said. Alerts are worded by ``sentinel.notify.message``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from sentinel.core.playbooks import Cluster, Strategy
from sentinel.i18n import N_, Translator, translator
from sentinel.language.corrections import Outcome
from sentinel.model import Action, EffectKind, SourceState

ACTION: Mapping[Action, str] = {
    Action.TAKE: N_("took it"),
    Action.FALSE_ALARM: N_("called it a false alarm"),
    Action.SNOOZE: N_("snoozed it"),
    Action.UNSNOOZE: N_("ended the snooze"),
    Action.ESCALATE: N_("escalated it"),
    Action.CHANGE_PLAYBOOK: N_("changed the plan"),
    Action.TICK: N_("ticked a step"),
    Action.UNTICK: N_("opened a step again"),
    Action.RESOLVE: N_("closed it"),
}

EFFECT: Mapping[EffectKind, str] = {
    EffectKind.OPENED: N_("Alert"),
    EffectKind.ESCALATED: N_("Worse"),
    EffectKind.RETURNED: N_("New wave"),
    EffectKind.UPDATED: N_("New figures"),
    EffectKind.DECAYING: N_("Dying down"),
    EffectKind.RESOLVED: N_("Over"),
    EffectKind.STOOD_DOWN: N_("Stand-down"),
    EffectKind.ACKNOWLEDGED: N_("Taken"),
    EffectKind.FALSE_ALARM: N_("False alarm"),
    EffectKind.SNOOZED: N_("Snoozed"),
    EffectKind.UNSNOOZED: N_("Awake again"),
    EffectKind.HANDED_UP: N_("Escalated"),
    EffectKind.PLAYBOOK_CHANGED: N_("Plan"),
    EffectKind.CHECKLIST_CHANGED: N_("Checklist"),
    EffectKind.NEW_NORMAL: N_("New normal"),
    EffectKind.SOURCE_SILENT: N_("Source silent"),
    EffectKind.SOURCE_RECOVERED: N_("Source back"),
}

SOURCE_STATE: Mapping[SourceState, str] = {
    SourceState.STARTING: N_("starting"),
    SourceState.ALIVE: N_("alive"),
    SourceState.DOWN: N_("down"),
}

OUTCOME: Mapping[Outcome, str] = {
    Outcome.IN_SERVICE: N_("in use: it reads the posts that judged it better than before"),
    Outcome.TOO_FEW: N_("not yet: too few judged posts, in all or of one kind"),
    Outcome.ONE_SIDED: N_(
        "not yet: only errors were told; judge drawn posts, or confirm right ones"
    ),
    Outcome.NO_SIGNAL: N_("refused: no better than a guess"),
    Outcome.LOG_LOSS: N_("refused: not clearly better than before"),
    Outcome.MACRO_F1: N_("refused: it would mix up more posts than before"),
}

CLUSTER: Mapping[Cluster, str] = {
    Cluster.VICTIM: N_("we are the victim"),
    Cluster.ACCIDENTAL: N_("it happened to us"),
    Cluster.PREVENTABLE: N_("we could have prevented it"),
    Cluster.NONE: N_("no blame in it"),
}

STRATEGY: Mapping[Strategy, str] = {
    Strategy.ACKNOWLEDGE: N_("acknowledge"),
    Strategy.ACT: N_("act"),
    Strategy.AMPLIFY: N_("amplify"),
    Strategy.APOLOGISE: N_("apologise"),
    Strategy.CHANGE: N_("change"),
    Strategy.COMPENSATE: N_("compensate"),
    Strategy.DENY_WITH_PROOF: N_("deny with proof"),
    Strategy.DOCUMENT: N_("document"),
    Strategy.DO_NOT_AMPLIFY: N_("do not amplify"),
    Strategy.EXPLAIN: N_("explain"),
    Strategy.FIX: N_("fix"),
    Strategy.HOLD: N_("hold back"),
    Strategy.INFORM: N_("inform"),
    Strategy.INSTRUCT: N_("instruct"),
    Strategy.LIMITED_COMMENT: N_("limited comment"),
    Strategy.LISTEN: N_("listen"),
    Strategy.REBUILD: N_("rebuild trust"),
    Strategy.RECALL: N_("recall"),
    Strategy.REPORT: N_("report"),
    Strategy.SUPPORT: N_("support"),
    Strategy.THANK: N_("thank"),
}


class Texts:
    """One reader's language and wall clock.

    Args:
        language: ``it`` or ``en``.
        timezone: IANA name.
    """

    def __init__(self, language: str, timezone: str) -> None:
        self.t: Translator = translator(language, timezone)
        self.language, self.timezone = self.t.language, timezone
        self._own = _own_catalogue(self.language)

    def gettext(self, message: str, **values: object) -> str:
        """The text in the reader's language, its ``{placeholders}`` filled in."""
        found = self._own.get(message) if self._own is not None else None
        if found is None or not isinstance(found.string, str) or not found.string:
            return self.t.gettext(message, **values)
        return found.string.format(**values)


@cache
def _own_catalogue(language: str) -> Catalog | None:
    path = resources.files("sentinel.web").joinpath("locales", f"{language}.po")
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return read_po(file, locale=language)
