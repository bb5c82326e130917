"""An effect in the words of the team that it concerns: the one look-up that text notifiers share.

What lives here: which language, clock, playbook and people a message is built with. What does not: wording (``message``), mark-up.
"""

from __future__ import annotations

from sentinel.core.oncall import Call, Person
from sentinel.core.playbooks import Playbook, Role
from sentinel.model import Effect, EffectKind
from sentinel.notify.alert import AlertMessage
from sentinel.notify.base import NotifyContext
from sentinel.notify.message import build_message


def worded(effect: Effect, context: NotifyContext) -> AlertMessage:
    """The message of an effect, in its brand's language; in the default one where it concerns no brand."""
    incident = effect.incident
    brand_id = incident.brand if incident is not None else effect.brand
    brand = context.brand(brand_id) if brand_id else None
    match = incident.playbook if incident is not None else None

    def playbook(playbook_id: str) -> Playbook | None:
        return context.playbook(playbook_id) if playbook_id else None

    return build_message(
        effect,
        playbook(match.playbook if match else ""),
        language=brand.language if brand else context.default_language,
        timezone=brand.timezone if brand else context.default_timezone,
        runner_up=playbook(match.runner_up if match else ""),
        people={role: context.person(role, brand_id, effect.at) for role in Role},
        call=call_about(effect, context),
    )


def call_about(effect: Effect, context: NotifyContext) -> Call | None:
    """Whom the escalation has reached; None for what is about no incident."""
    incident = effect.incident
    if incident is None:
        return None
    return context.call(incident.brand, incident.escalation_level, effect.at)


def called_by(effect: Effect, context: NotifyContext) -> tuple[Person, ...]:
    """People who should act on it: nobody once it is taken, unless somebody then hands it up."""
    incident, call = effect.incident, call_about(effect, context)
    if incident is None or call is None or not incident.open or incident.false_alarm_by:
        return ()
    if incident.acknowledged_by and effect.kind is not EffectKind.HANDED_UP:
        return ()
    return call.people


def incident_address(effect: Effect, context: NotifyContext) -> str:
    """Address of the incident's page, or empty."""
    if effect.incident is None or not context.base_url:
        return ""
    return f"{context.base_url}/incidents/{effect.incident.id}"
