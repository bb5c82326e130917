"""``sentinel explain``: why an alert was raised, recomputed from what was stored with it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from sentinel.core.evidence import Bundle
from sentinel.core.recompute import Recomputed, recompute
from sentinel.errors import SnapshotError, StoreError
from sentinel.i18n import N_, Translator, check_language, translator
from sentinel.model import Direction, Effect, EffectKind, Evidence, Incident
from sentinel.notify.safe_text import clean
from sentinel.notify.story import headline
from sentinel.notify.wording import (
    channel_words,
    crisis_type_words,
    playbook_reasons,
    severity_words,
)
from sentinel.store import Store

TABLE_LEAD_SECONDS = 600
TABLE_ROWS = 90
_ALARM: Mapping[EffectKind, str] = {
    EffectKind.OPENED: N_("Alert"),
    EffectKind.ESCALATED: N_("Worse"),
    EffectKind.RETURNED: N_("Back again"),
}
RARE_DAYS = 3652  # beyond it a figure would pretend to know what nobody has measured


def explain(
    incident_id: str,
    config_path: Path,
    database: str = "",
    *,
    language: str = "",
    as_json: bool = False,
) -> int:
    """Print why ``incident_id`` was raised; 0 if every figure is the same again, else 1.

    Args:
        incident_id: As in the alert and its link.
        config_path: Says where the database is and which language the team speaks; not needed when ``database`` is given.
        database: A database file in place of the configured one.
        language: ``it`` or ``en`` in place of the brand's.
        as_json: One alarm a line instead of words and tables.

    Raises:
        ConfigError: The configuration is wrong.
        StoreError: The database cannot be read, or does not know the incident.
    """
    from sentinel.config import outline_of  # noqa: PLC0415 - knows every vendor's settings: slow

    check_language(language)
    outline = outline_of(config_path, needed=not database)
    told = asyncio.run(_alarms(database or outline.database, incident_id))
    if as_json:
        return _as_json(told)
    return _as_words(told, language or outline.language_of(told[0][1].brand))


async def _alarms(database: str, incident_id: str) -> list[tuple[Effect, Incident]]:
    store = await Store.look(database)
    try:
        timeline = await store.timeline(incident_id)
    finally:
        await store.close()
    told = [(one, one.incident) for one in timeline if one.bundle and one.incident]
    if not timeline:
        raise StoreError(f"no incident {incident_id!r} in {database}")
    if not told:
        raise StoreError(f"{incident_id}: was stored without an evidence bundle")
    return told


def _again(effect: Effect, stored: Evidence) -> Recomputed | str:
    """The recomputed alarm, or why it cannot be recomputed."""
    try:
        return recompute(Bundle.unpack(effect.bundle), stored)
    except SnapshotError as error:
        return str(error)


def _as_json(told: Sequence[tuple[Effect, Incident]]) -> int:
    identical = True
    for effect, incident in told:
        again = _again(effect, incident.evidence)
        same = isinstance(again, Recomputed) and not again.differences
        identical = identical and same
        line = {
            "incident_id": incident.id,
            "effect_id": effect.id,
            "kind": effect.kind,
            "brand": incident.brand,
            "direction": incident.direction,
            "onset_at": incident.onset_at,
            "crisis_type": incident.kind,
            "kinds": incident.kinds,
            "playbook": incident.playbook,
            "past": incident.past,
            "plan_cluster": incident.plan_cluster,
            "cluster": incident.cluster,
            "stored": incident.evidence,
            "recomputed": again if isinstance(again, Recomputed) else None,
            "identical": same,
            "error": again if isinstance(again, str) else None,
        }
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    return int(not identical)


def _as_words(told: Sequence[tuple[Effect, Incident]], language: str) -> int:
    console = Console(soft_wrap=True, highlight=False, markup=False)
    identical = True
    for effect, incident in told:
        again = _again(effect, incident.evidence)
        t = translator(language, again.timezone if isinstance(again, Recomputed) else "UTC")
        for line in (*_words(t, effect, incident), *_matter(t, incident)):
            console.print(line)
        if isinstance(again, str):
            console.print(t.gettext("recomputed: not possible: {why}", why=again) + "\n")
            identical = False
            continue
        for line in _because(t, incident, again):
            console.print(line)
        console.print(_streams(t, again))
        console.print(_minutes(t, incident, again))
        identical = identical and not again.differences
        if again.differences:
            console.print(t.gettext("recomputed: these figures differ from what was told"))
            for name, stored, fresh in again.differences:
                figures = t.gettext("told {stored}, recomputed {fresh}", stored=stored, fresh=fresh)
                console.print(f"  {name}: {figures}")
        else:
            console.print(t.gettext("recomputed: identical"))
        console.print()
    return int(not identical)


def _words(t: Translator, effect: Effect, incident: Incident) -> list[str]:
    evidence = incident.evidence
    threat = incident.direction is Direction.THREAT
    usual, share = evidence.usual_negative_share, evidence.negative_share
    if not threat:
        usual, share = evidence.usual_positive_share, evidence.positive_share
    figures = {
        "mentions": t.ngettext("{n} mention", "{n} mentions", evidence.mentions),
        "span": t.span(evidence.window_seconds),
        "expected": t.number(evidence.expected),
        "share": t.percent(share),
        "usual": t.percent(usual),
    }
    if threat:
        counted = t.gettext(
            "{mentions} in {span} against {expected} that are usual; {share} read as negative, usual {usual}.",
            **figures,
        )
    else:
        counted = t.gettext(
            "{mentions} in {span} against {expected} that are usual; {share} read as positive, usual {usual}.",
            **figures,
        )
    if evidence.channel:
        channel = channel_words(t, evidence.channel)
        counted += " " + t.gettext("Most of the evidence is on {channel}.", channel=channel)
    began = t.gettext(
        "It began about {time}; the alert came {span} later.",
        time=t.time(incident.onset_at),
        span=t.span(max(0.0, effect.at - incident.onset_at)),
    )
    brand, when = clean(incident.brand_name, 60), t.stamp(effect.at, now=0.0)
    head = (
        f"{incident.id}: {t.gettext(_ALARM[effect.kind])}, {when}: {brand}, {headline(t, incident)}"
    )
    return [head, counted, *_readings(t, incident), began]


def _readings(t: Translator, incident: Incident) -> list[str]:
    """Mean probabilities by language, and the levels with the formula that gave them; what no model read."""
    evidence, lines = incident.evidence, []
    threat = incident.direction is Direction.THREAT
    for group in evidence.groups:
        posts = t.ngettext("{n} post read", "{n} posts read", group.posts)
        if threat:
            mean = t.gettext("mean probability of negative {mean}", mean=t.exact(group.negative))
        else:
            mean = t.gettext("mean probability of positive {mean}", mean=t.exact(group.positive))
        lines.append(f"  {clean(group.language, 10)}: {posts}, {mean}.")
    for level in incident.levels:
        formula = (
            f"({t.exact(level.mean, 3)} - {t.exact(level.others, 3)})"
            f" / ({t.exact(level.hits, 3)} - {t.exact(level.others, 3)})"
        )
        of = {
            "share": t.percent(level.share),
            "low": t.percent(level.low),
            "high": t.percent(level.high),
            "formula": formula,
        }
        labels = t.ngettext("rates of {n} label", "rates of {n} labels", level.labels)
        if threat:
            told = t.gettext("{share} negative ({low} to {high}) = {formula}", **of)
        else:
            told = t.gettext("{share} positive ({low} to {high}) = {formula}", **of)
        lines.append(f"  {clean(level.language, 10)}: {told}, {labels}.")
    if evidence.groups and not incident.levels:
        missing = t.gettext(
            "No level: that takes 100 drawn labels of the brand and language. The shares are good against the usual only."
        )
        lines.append(f"  {missing}")
    if evidence.unread:
        unread = t.ngettext(
            "{n} post was not read: another language, or no words.",
            "{n} posts were not read: another language, or no words.",
            evidence.unread,
        )
        lines.append(f"  {unread}")
    return lines


def _matter(t: Translator, incident: Incident) -> list[str]:
    """What kind it was taken for, why, and which past moved the cluster. As it was told: this is not recomputed."""
    lines = []
    for reason in incident.kinds:
        words = ", ".join(clean(term, 40) for term in reason.terms)
        name = crisis_type_words(t, reason.kind)
        line = t.gettext(
            "kind {kind}: score {score}, best of {share} of a sample",
            kind=name if name == reason.kind else f"{name} ({reason.kind})",
            score=t.exact(reason.score),
            share=t.percent(reason.share),
        )
        if words:
            line += ", " + t.gettext("with the words {words}", words=words)
        lines.append(f"{line}.")
        if reason.example is not None and reason.example.text:
            such = t.gettext("such as: “{text}”", text=clean(reason.example.text, 160))
            lines.append(f"  {such}")
    lines += _plan(t, incident)
    for case in incident.past:
        past = t.gettext(
            "seen before: {incident}, {kind}, {severity}, {day}.",
            incident=case.incident,
            kind=crisis_type_words(t, case.kind),
            severity=severity_words(t, Direction.THREAT, case.severity),
            day=t.day(case.at, now=0.0),
        )
        lines.append(past)
    if incident.cluster != incident.plan_cluster:
        moved = t.gettext(
            "cluster: {cluster} instead of {plan}.",
            cluster=incident.cluster,
            plan=incident.plan_cluster,
        )
        lines.append(moved)
    return lines


def _plan(t: Translator, incident: Incident) -> list[str]:
    match = incident.playbook
    if match.chosen_by:
        return [
            t.gettext(
                "plan {plan}: chosen by {person}.",
                plan=match.playbook,
                person=clean(match.chosen_by, 60),
            )
        ]
    if not match.playbook:
        return []
    because = "; ".join(playbook_reasons(t, match.reasons))
    if match.matched:
        told = t.gettext(
            "plan {plan}, score {score}", plan=match.playbook, score=t.exact(match.score)
        )
    else:
        told = t.gettext("plan {plan}: none fits clearly", plan=match.playbook)
    return [f"{told}: {because}." if because else f"{told}."]


def _because(t: Translator, incident: Incident, again: Recomputed) -> list[str]:
    evidence = again.evidence
    lines = [
        t.gettext(
            "The score was {score}; from {threshold} an alert is raised.",
            score=t.exact(evidence.score),
            threshold=t.exact(evidence.threshold),
        ),
        _pushed(t, again, incident.direction),
    ]
    if evidence.chance_days is not None and evidence.chance_days >= RARE_DAYS:
        lines.append(t.gettext("By chance such a score comes less than once in ten years."))
    elif evidence.chance_days is not None:
        days = t.ngettext("{n} day", "{n} days", max(1, round(evidence.chance_days)))
        lines.append(t.gettext("By chance such a score comes about once in {days}.", days=days))
    elif evidence.learning:
        lines.append(t.gettext("How rare it is by chance is not known yet: the history is short."))
    fewer = again.counterfactual
    if fewer is None:
        return lines
    known = {
        "needed": t.number(fewer.needed),
        "had": t.number(fewer.had),
        "time": t.time(incident.onset_at),
        "score": t.exact(fewer.score),
    }
    if incident.direction is Direction.THREAT:
        lines.append(
            t.gettext(
                "It would not have fired with fewer than {needed} of the {had} negative mentions since {time}:"
                " with one fewer the score is {score}.",
                **known,
            )
        )
    else:
        lines.append(
            t.gettext(
                "It would not have fired with fewer than {needed} of the {had} positive mentions since {time}:"
                " with one fewer the score is {score}.",
                **known,
            )
        )
    return lines


def _pushed(t: Translator, again: Recomputed, direction: Direction) -> str:
    """Whether the share or the number did it, from the stream that carried most."""
    best = max(again.streams, key=lambda row: row.score)
    known = {
        "where": channel_words(t, best.name) if best.name else t.gettext("all channels together"),
        "share": t.exact(best.share_evidence),
        "volume": t.exact(best.volume_evidence),
    }
    by_share = best.share_evidence >= best.volume_evidence
    if by_share and direction is Direction.THREAT:
        return t.gettext(
            "What pushed it was the share of negatives ({share}; {where}); the number of mentions added {volume}.",
            **known,
        )
    if by_share:
        return t.gettext(
            "What pushed it was the share of positives ({share}; {where}); the number of mentions added {volume}.",
            **known,
        )
    if direction is Direction.THREAT:
        return t.gettext(
            "What pushed it was the number of mentions ({volume}; {where}); the share of negatives added {share}.",
            **known,
        )
    return t.gettext(
        "What pushed it was the number of mentions ({volume}; {where}); the share of positives added {share}.",
        **known,
    )


def _streams(t: Translator, again: Recomputed) -> Table:
    title = t.gettext("evidence, in nats")
    table = Table(t.gettext("channel"), box=None, pad_edge=False, title=title, title_justify="left")
    for column in (
        t.gettext("expected a minute"),
        t.gettext("usual share"),
        t.gettext("from share"),
        t.gettext("from volume"),
        t.gettext("score"),
    ):
        table.add_column(column, justify="right")
    for row in again.streams:
        table.add_row(
            channel_words(t, row.name) if row.name else t.gettext("(all together)"),
            t.exact(row.expected),
            t.percent(row.usual_share),
            t.exact(row.share_evidence),
            t.exact(row.volume_evidence),
            t.exact(row.score),
        )
    return table


def _minutes(t: Translator, incident: Incident, again: Recomputed) -> Table:
    title = t.gettext("minute by minute")
    table = Table(t.gettext("start"), box=None, pad_edge=False, title=title, title_justify="left")
    for column in (
        t.gettext("mentions"),
        t.gettext("negative"),
        t.gettext("positive"),
        t.gettext("expected"),
        t.gettext("score"),
        t.gettext("threshold"),
    ):
        table.add_column(column, justify="right")
    rows = [row for row in again.rows if row.start >= incident.onset_at - TABLE_LEAD_SECONDS]
    for row in rows[-TABLE_ROWS:]:
        table.add_row(
            t.time(row.start),
            t.gettext("no data") if row.missing else str(row.mentions),
            str(row.negative),
            str(row.positive),
            t.exact(row.expected),
            t.exact(row.score),
            t.exact(row.threshold) + (" *" if row.score >= row.threshold else ""),
        )
    return table
