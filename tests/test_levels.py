"""The corrected level of an incident: from people's labels to what is stored and told, and only with labels enough."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sentinel.language.labels import Label
from sentinel.model import UNSCORED, Incident, Verdict
from tests.core.build import NEGATIVE, NEUTRAL, T0
from tests.running import mention, running
from tests.test_runner import alive, talk, value

GREEK = Verdict("el", 1 / 3, 1 / 3, 1 / 3, "", model_id=UNSCORED)
TWO = msgspec.structs.replace(NEUTRAL, second_language="en")


def label(number: int, **changes: object) -> Label:
    angry = number % 2 == 0
    verdict = NEGATIVE if angry else NEUTRAL
    read = (verdict.negative, verdict.neutral, verdict.positive)
    said = Label(
        id=f"l{number}",
        source="feed",
        mention_id=f"old{number}",
        brand="aurora",
        language="it",
        probabilities=read,
        base=read,
        model_id="fake",
        # A few are not what they were taken for.
        corrected="neutral" if number % 20 == 0 else "negative" if angry else "neutral",
        by="Anna",
        at=T0 - 1000 + number,
        drawn=True,
    )
    return msgspec.structs.replace(said, **changes)


async def incident_with(folder: Path, labels: list[Label]) -> Incident:
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - a temporary folder
    async with running(folder) as rig:
        for one in labels:
            await rig.store.add_label(one)
        await alive(rig)
        await talk(rig, 30)
        (incident,) = await rig.store.incidents()
        told = [
            effect.incident
            for unit in rig.store.units
            for effect in unit.effects
            if effect.incident is not None
        ]
        assert told[-1].levels == incident.levels
        return incident


async def test_with_a_hundred_drawn_labels_the_level_is_told_with_its_interval(
    tmp_path: Path,
) -> None:
    incident = await incident_with(tmp_path, [label(n) for n in range(120)])
    (level,) = incident.levels

    assert ("it", 120) == (level.language, level.labels)
    assert 0.6 < level.low < level.share < level.high <= 1
    by_hand = (level.mean - level.others) / (level.hits - level.others)
    assert abs(level.share - by_hand) < 0.01


async def test_with_fewer_or_with_unasked_corrections_no_level_is_told(tmp_path: Path) -> None:
    few = await incident_with(tmp_path / "few", [label(n) for n in range(99)])
    unasked = await incident_with(tmp_path / "unasked", [label(n, drawn=False) for n in range(200)])
    elsewhere = await incident_with(
        tmp_path / "elsewhere", [label(n, brand="northwind") for n in range(200)]
    )

    assert [(), (), ()] == [few.levels, unasked.levels, elsewhere.levels]


async def test_what_was_not_read_and_what_is_in_two_languages_is_counted(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.scorer.score = lambda posts: [  # type: ignore[method-assign]  # three verdicts in turn
            (GREEK, TWO, msgspec.structs.replace(GREEK, language="und"))[n % 3]
            for n in range(len(posts))
        ]
        await alive(rig)
        await rig.deliver(*(mention(n) for n in range(6)))
        await rig.deliver(mention(0))  # a repeat counts once

        unscored = "sentinel_mentions_unscored_total"
        assert 2 == value(rig, unscored, reason="language", language="other")
        assert 2 == value(rig, unscored, reason="empty", language="und")
        assert 2 == value(rig, "sentinel_mentions_mixed_total", language="other")
