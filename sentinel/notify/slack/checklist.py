"""The plan's steps as checkboxes, by phase, at most ten options a group.

What lives here: blocks for an open incident, and the same steps as a list once it is closed. What a click on them means is
in ``actions``.
"""

from __future__ import annotations

from sentinel.i18n import Translator
from sentinel.notify.alert import AlertMessage, ChecklistRow
from sentinel.notify.slack import labels
from sentinel.notify.slack.names import ActionId, StepsBlock, block_id, steps_block_id
from sentinel.notify.slack.rich import (
    OPTION,
    Json,
    bullets,
    capitalised,
    context,
    option,
    rich,
    run,
    safe,
    section,
)

PHASES = (15, 60, 180, 0)
GROUP, SHOWN = 10, 40
DONE, OPEN, LATE = "☑", "☐", "⏰"


def checklist_blocks(t: Translator, message: AlertMessage, revision: int) -> list[Json]:
    """Heading and checkboxes for each phase; open steps come first where there are too many for one message."""
    usable = list({r.id: r for r in message.checklist if r.id and len(r.id) <= OPTION}.values())
    ranked = sorted(usable, key=lambda row: (bool(row.done_by), row.due_at))[:SHOWN]
    kept = {row.id for row in ranked}
    blocks: list[Json] = []
    for phase in PHASES:
        rows = [row for row in usable if row.phase == phase and row.id in kept]
        for number, start in enumerate(range(0, len(rows), GROUP)):
            if not start:
                blocks.append(_heading(message, phase, rows, revision))
            blocks.append(
                _group(message, f"{phase}.{number}", rows[start : start + GROUP], revision)
            )
    if len(usable) > len(kept):
        note = labels.more_steps(t, len(usable) - len(kept))
        blocks.append(context([note], block_id("more", message.incident_id, revision)))
    return blocks


def closed_checklist(message: AlertMessage, revision: int) -> list[Json]:
    """What was done and what was not, once nobody can tick any more."""
    rows = [
        f"{DONE if row.done_by else OPEN} {row.title[:120]} · {row.byline[:120]}"
        for row in message.checklist[:SHOWN]
    ]
    if not rows:
        return []
    head = section([run(message.headings.checklist, bold=True)])
    return [rich([head, bullets(rows)], block_id("steps-done", message.incident_id, revision))]


def _heading(message: AlertMessage, phase: int, rows: list[ChecklistRow], revision: int) -> Json:
    heads = message.headings
    words = capitalised(heads.phases.get(phase) or heads.checklist)
    done = sum(1 for row in rows if row.done_by)
    runs = [run(words, bold=True, limit=200), run(f"  {done}/{len(rows)}")]
    approvals = [
        section([run(f"{safe(row.title, 60)}: ", italic=True), run(row.approval, limit=150)])
        for row in rows
        if row.approval and not row.done_by
    ][:2]
    place = block_id(f"phase-{phase}", message.incident_id, revision)
    return rich([section(runs), *approvals], place)


def _group(message: AlertMessage, group: str, rows: list[ChecklistRow], revision: int) -> Json:
    options = [option(row.title, row.id, _byline(row)) for row in rows]
    ticked = [made for made, row in zip(options, rows, strict=True) if row.done_by]
    mask = sum(1 << index for index, row in enumerate(rows) if row.done_by)
    boxes: Json = {"type": "checkboxes", "action_id": ActionId.STEPS.value, "options": options}
    if ticked:
        boxes["initial_options"] = ticked
    place = steps_block_id(StepsBlock(message.incident_id, revision, group, mask))
    return {"type": "actions", "block_id": place, "elements": [boxes]}


def _byline(row: ChecklistRow) -> str:
    return f"{LATE} {row.byline}" if row.overdue else row.byline
