"""What a scenario is, and the mentions it makes: the same seed makes the same conversation.

What lives here: the YAML's structs and the generator. What does not: how a scenario is run (``source``, ``demo``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec
import yaml

from sentinel.core.playbooks import Localised
from sentinel.errors import PlaybookError
from sentinel.model import Author, Brand, Direction, Engagement, Mention

# Share of a day's mentions in each hour of the local clock: people sleep, and talk most after dinner.
DAILY_SHAPE = (
    0.35, 0.2, 0.12, 0.1, 0.12, 0.25, 0.6, 1.0, 1.2, 1.2, 1.2, 1.3,
    1.5, 1.5, 1.3, 1.2, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.4, 0.8,
)  # fmt: skip
AUTHORS = 4000


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Texts of one kind.

    Attributes:
        channels: Channel to weight.
        reposts: Share that repeats an earlier post of the group.
        texts: With ``{word}`` slots filled from ``words``.
    """

    language: str
    channels: dict[str, float]
    texts: tuple[str, ...]
    reposts: float = 0.0


class Background(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A brand's usual talk: mean rate and mix of groups, all days long."""

    brand: str
    per_minute: float
    mix: dict[str, float]


class Moment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A local time: day of the scenario (0 is the first) and ``HH:MM``."""

    day: int
    at: str


class Part(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"start_rate": "from", "end_rate": "to"},
):
    """One phase of the storyline; the rate moves geometrically from one end to the other."""

    name: str
    brand: str
    day: int
    at: str
    minutes: int
    start_rate: float
    end_rate: float
    mix: dict[str, float]


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a right reaction is.

    Attributes:
        incidents: How many incidents of the brand there must be.
        playbook: Which playbook must be matched.
        by: When the alert must be out.
        quiet: Brands that must not be alerted.
    """

    brand: str
    direction: Direction
    incidents: int
    playbook: str
    by: Moment
    quiet: tuple[str, ...] = ()


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole scenario.

    Attributes:
        shift_seconds: Added to every moment: a live drill begins now.
    """

    id: str
    title: Localised
    start: str
    timezone: str
    seed: int
    days: int
    tail_minutes: float
    brands: tuple[Brand, ...]
    words: dict[str, tuple[str, ...]]
    groups: dict[str, Group]
    background: tuple[Background, ...]
    phases: tuple[Part, ...]
    expect: Expectation
    shift_seconds: float = 0.0

    def starts_at(self) -> float:
        """Epoch seconds of local midnight of day 0."""
        first = datetime.fromisoformat(self.start).replace(tzinfo=ZoneInfo(self.timezone))
        return first.timestamp() + self.shift_seconds

    def breaks_at(self) -> float:
        """Epoch seconds at which the first phase begins."""
        return min(self.moment(Moment(one.day, one.at)) for one in self.phases)

    def ends_at(self) -> float:
        """Epoch seconds of the last phase's end and the tail."""
        return (
            max(self.moment(Moment(one.day, one.at)) + one.minutes * 60 for one in self.phases)
            + self.tail_minutes * 60
        )

    def moment(self, when: Moment) -> float:
        """Epoch seconds of a local time of the scenario."""
        hour, minute = when.at.split(":")
        first = datetime.fromisoformat(self.start).replace(tzinfo=ZoneInfo(self.timezone))
        local = (first.replace(tzinfo=None) + timedelta(days=when.day)).replace(
            hour=int(hour), minute=int(minute)
        )
        return local.replace(tzinfo=ZoneInfo(self.timezone)).timestamp() + self.shift_seconds


def load_scenario(name: str) -> Scenario:
    """Read a scenario: a packaged one by its name, one of your own by its path (``*.yaml``).

    Raises:
        PlaybookError: There is none of that name, or it is wrong.
    """
    own = name.endswith((".yaml", ".yml"))
    file = Path(name) if own else resources.files("playbooks") / "drills" / f"{name}.yaml"
    path = name if own else f"drills/{name}.yaml"
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
        scenario = msgspec.convert(raw, Scenario)
    except FileNotFoundError:
        known = ", ".join(scenario_names())
        raise PlaybookError(
            f"there is no scenario {name!r}; there are: {known}", key="scenario"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise PlaybookError(str(error), path=path) from error
    mixes = [*(one.mix for one in scenario.background), *(one.mix for one in scenario.phases)]
    used = {group for mix in mixes for group in mix}
    if unknown := used - set(scenario.groups):
        raise PlaybookError(
            f"unknown groups: {', '.join(sorted(unknown))}",
            path=path,
            key="groups",
        )
    return scenario


def scenario_names() -> list[str]:
    """Names of the packaged scenarios."""
    folder = resources.files("playbooks") / "drills"
    return sorted(
        one.name.removesuffix(".yaml") for one in folder.iterdir() if one.name.endswith(".yaml")
    )


class Conversation:
    """Makes a scenario's mentions, minute by minute.

    Args:
        scenario: What to play.
        source: Becomes ``Mention.source``.
    """

    def __init__(self, scenario: Scenario, source: str) -> None:
        self._scenario, self._source = scenario, source
        self._rng = Random(scenario.seed)  # noqa: S311 - a scenario, not a secret
        self._number = 0
        self._latest: dict[str, list[Mention]] = {}

    def minutes(self) -> Iterator[tuple[float, list[Mention]]]:
        """Each minute's start (epoch seconds) and its mentions in order of time, from the start to the end."""
        zone = ZoneInfo(self._scenario.timezone)
        phases = [
            (self._scenario.moment(Moment(one.day, one.at)), one) for one in self._scenario.phases
        ]
        start, end = self._scenario.starts_at(), self._scenario.ends_at()
        while start < end:
            hour = datetime.fromtimestamp(start, zone).hour
            made: list[Mention] = []
            for usual in self._scenario.background:
                rate = usual.per_minute * DAILY_SHAPE[hour]
                made += self._some(rate, usual.mix, start)
            for begin, part in phases:
                position = (start - begin) / (part.minutes * 60)
                if 0 <= position < 1:
                    rate = part.start_rate * (part.end_rate / part.start_rate) ** position
                    made += self._some(rate, part.mix, start)
            yield start, sorted(made, key=lambda one: one.published_at)
            start += 60

    def _some(self, rate: float, mix: dict[str, float], start: float) -> list[Mention]:
        """A Poisson number of mentions of a mix of groups within a minute."""
        names, weights = list(mix), list(mix.values())
        return [
            self._one(self._rng.choices(names, weights)[0], start + self._rng.uniform(0, 59.9))
            for _ in range(_poisson(rate, self._rng))
        ]

    def _one(self, name: str, at: float) -> Mention:
        rng, group = self._rng, self._scenario.groups[name]
        self._number += 1
        earlier = self._latest.setdefault(name, [])
        repeats = earlier[0] if len(earlier) > 5 and rng.random() < group.reposts else None
        text = repeats.text if repeats else self._text(rng.choice(group.texts))
        number = int(rng.paretovariate(0.6)) % AUTHORS
        mention = Mention(
            id=f"{self._scenario.id}-{self._number}",
            source=self._source,
            channel=rng.choices(list(group.channels), list(group.channels.values()))[0],
            published_at=at,
            received_at=at,
            text=text,
            language=group.language,
            author=Author(
                id=f"persona-{number}",
                handle=f"persona{number}.example",
                followers=int(20 * rng.paretovariate(0.9)) % 400_000,
                created_at=at - rng.uniform(20, 3000) * 86_400,
            ),
            url=f"https://social.example/post/{self._number}",
            repost_of=repeats.id if repeats else "",
            engagement=Engagement(reposts=int(rng.paretovariate(1.2)) - 1),
        )
        if repeats is None:
            earlier.append(mention)
            if len(earlier) > 40:
                # A few posts carry most of the spread: the first one stays for a while.
                del earlier[rng.randrange(1, 20) if rng.random() < 0.97 else 0]
        return mention

    def _text(self, pattern: str) -> str:
        parts: Sequence[str] = pattern.split("{")
        text = parts[0]
        for part in parts[1:]:
            name, _, rest = part.partition("}")
            text += self._rng.choice(self._scenario.words[name]) + rest
        return text[:1].upper() + text[1:]


def _poisson(rate: float, rng: Random) -> int:
    """A Poisson variate (Knuth's product of uniforms; rates here are small)."""
    limit, product, number = math.exp(-rate), rng.random(), 0
    while product > limit:
        product *= rng.random()
        number += 1
    return number
