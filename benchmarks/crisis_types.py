"""How often the crisis type of a dated crisis is ranked right, on data that stays where it is.

    python -m benchmarks.crisis_types FOLDER [--scorer embedding] [--posts 40]

FOLDER holds the replay sets of ``crisis_labels.toml`` (news_rss_2022_2023, hn_frontpage_2020_2022, nike_2018_dev,
airline_2015): their texts may not be published, so only the labels, with the reasons for them, are in the repository.

The first posts of each event go the way of the service: language room, then the same sums as an incident's, then the ranking of
the playbooks, which names the incident. Top-1 and top-3 count an event without any type as wrong. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import sys
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sentinel.core.playbook_match import Matcher, MatchQuery
from sentinel.core.storyline import Storyline
from sentinel.language import Post, load_scorer
from sentinel.language.base import Scorer
from sentinel.model import Author, Match, Mention, Sighting
from sentinel.playbook_files import load_playbooks

LABELS = Path(__file__).with_name("crisis_labels.toml")
FILES = {
    "news": "news_rss_2022_2023/dev.ndjson.gz",
    "hn": "hn_frontpage_2020_2022/dev_stories.ndjson.gz",
    "nike": "nike_2018_dev/dev.ndjson.gz",
    "airline": "airline_2015/dev.ndjson.gz",
}
EVENTS = {
    "news": "news_rss_2022_2023/events_dev.json",
    "hn": "hn_frontpage_2020_2022/events_dev.json",
}
BEGINS = {"nike": "2018-09-03T19:20:45Z", "airline": "2015-02-22T19:40:00Z"}
"""From the sets' own descriptions; the others' are in their lists of events."""
HOURS = 96.0


def moment(text: str) -> float:
    """Epoch seconds of an ISO time."""
    return datetime.fromisoformat(text).timestamp()


def began(folder: Path, event: dict[str, Any]) -> float:
    """When the first post of an event was seen, epoch seconds."""
    if event["set"] in BEGINS:
        return moment(BEGINS[event["set"]])
    for known in json.loads((folder / EVENTS[event["set"]]).read_text()):
        day = known.get("day") or known["trigger_utc"][:10]
        if (known["brand"], day) == (event["brand"], event["day"]):
            return moment(known.get("first_item_in_data_utc") or known["first_story_utc"])
    raise SystemExit(f"{event['brand']} {event['day']}: not in {EVENTS[event['set']]}")


def posts(folder: Path, name: str, brand: str) -> Iterator[dict[str, Any]]:
    """The rows of a brand in a set, in order of time."""
    with gzip.open(folder / FILES[name], "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["brand"] == brand:
                yield row


def ranked(scorer: Scorer, texts: list[str]) -> list[tuple[str, float]]:
    """Crisis types of some texts as an incident would have them."""
    story = Storyline()
    verdicts = scorer.score([Post(text) for text in texts])
    for number, (text, verdict) in enumerate(zip(texts, verdicts, strict=True)):
        author = Author(id=str(number))
        mention = Mention(str(number), "benchmark", "x", 0.0, 0.0, text, author=author)
        story.add(Sighting(mention, (Match("", ""),), verdict))
    return list(story.ranked_types())


def named(
    plans: Matcher, types: list[tuple[str, float]], texts: list[str]
) -> list[tuple[str, float]]:
    """Crisis types in the order in which their playbooks are ranked: by types and by words."""
    found: dict[str, float] = {}
    types_of = {playbook.id: playbook.types for playbook in plans.playbooks}
    for one in plans.rank(MatchQuery(crisis_types=tuple(types), texts=tuple(texts))):
        for slug in types_of[one.playbook] if one.score > 0 else ():
            found.setdefault(slug, one.score)
    return list(found.items())


class Tally:
    """How often the right type came first, came among the first three, and a defensible one came first."""

    def __init__(self) -> None:
        self.first = self.third = self.lenient = self.of = 0

    def add(self, event: dict[str, Any], found: list[str]) -> str:
        """Count an event; returns its mark."""
        self.of += 1
        self.first += found[:1] == [event["type"]]
        self.third += event["type"] in found[:3]
        self.lenient += bool(set(found[:1]) & {event["type"], *event.get("also", ())})
        return "1" if found[:1] == [event["type"]] else "3" if event["type"] in found[:3] else "-"

    def show(self, name: str) -> None:
        """Print the three shares."""
        sys.stdout.write(
            f"{name}\ntop-1 {wilson(self.first, self.of)}\ntop-3 {wilson(self.third, self.of)}\n"
            f"top-1, where a second label is allowed {wilson(self.lenient, self.of)}\n"
        )


def wilson(right: int, of: int) -> str:
    """Share with its 95 % interval."""
    z, share = 1.96, right / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return f"{right}/{of} = {share:.2f} [{middle - half:.2f}, {middle + half:.2f}]"


def main() -> None:
    """Print one line an event, then the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scorer", default="default", help="as in the configuration")
    parser.add_argument("--posts", type=int, default=40, help="first posts of each event")
    asked = parser.parse_args()
    scorer = load_scorer(("en", "it"), kind=asked.scorer)
    plans = Matcher(tuple(load_playbooks()))
    by_types, by_plans = Tally(), Tally()
    for event in tomllib.loads(LABELS.read_text())["events"]:
        start = began(asked.folder, event)
        rows = posts(asked.folder, event["set"], event["brand"])
        texts = [row["text"] for row in rows if 0 <= moment(row["ts"]) - start <= HOURS * 3600][
            : asked.posts
        ]
        types = ranked(scorer, texts)
        found = [slug for slug, _ in types]
        mark = by_types.add(event, found)
        called = by_plans.add(event, [slug for slug, _ in named(plans, types, texts)])
        sys.stdout.write(
            f"{mark}{called} {event['brand']:22} {event['day']} {len(texts):3} {event['type']:20} "
            f"{', '.join(found[:3]) or 'none'}\n"
        )
    by_types.show(scorer.model_id)
    by_plans.show(f"{scorer.model_id} and the words of the playbooks")


if __name__ == "__main__":
    main()
