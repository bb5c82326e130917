"""Building blocks for tests of the core: brands, sightings, and a driver that plays minutes."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from sentinel.core.pipeline import Core
from sentinel.core.shard import Settings
from sentinel.core.windows import BUCKET_SECONDS
from sentinel.model import (
    Author,
    Brand,
    Effect,
    Match,
    Mention,
    Sighting,
    SourceState,
    SourceStatus,
    Verdict,
)

AURORA = Brand(id="aurora", name="Pastificio Aurora")
NORTHWIND = Brand(id="northwind", name="Northwind Coffee", language="en")
T0 = 1_790_000_040.0 - 1_790_000_040.0 % 60

NEGATIVE = Verdict(
    "it", 0.9, 0.08, 0.02, "negative", (("boycott", 0.6),), ("boicottiamo", "vergogna"), "test"
)
NEUTRAL = Verdict("it", 0.1, 0.8, 0.1, "neutral", (), ("pasta", "ricetta"), "test")
POSITIVE = Verdict(
    "it", 0.02, 0.08, 0.9, "positive", (("opportunity", 0.7),), ("bravi", "grazie"), "test"
)


def sighting(
    number: int,
    at: float,
    verdict: Verdict = NEUTRAL,
    *,
    brand: str = "aurora",
    channel: str = "social",
    source: str = "feed",
    text: str = "",
) -> Sighting:
    mention = Mention(
        id=f"m{number}",
        source=source,
        channel=channel,
        published_at=at,
        received_at=at,
        text=text or f"post numero {number} su {brand}",
        author=Author(
            id=f"a{number % 997}", handle=f"utente{number % 997}", followers=number % 500
        ),
    )
    return Sighting(mention, (Match(brand, brand),), verdict)


class Player:
    """Feeds a core minute by minute and keeps every effect."""

    def __init__(self, core: Core, start: float = T0, seed: int = 1) -> None:
        self.core, self.now, self.rng = core, start, Random(seed)
        self.effects: list[Effect] = []
        self.number = 0
        for source in core.watermarks.sources:
            core.source(SourceStatus(source, SourceState.ALIVE, start))

    def minute(self, plan: Iterable[tuple[Verdict, int]], **where: str) -> None:
        """One minute with so many posts of each verdict, then the tick that closes it."""
        made = []
        for verdict, count in plan:
            for _ in range(count):
                made.append(
                    sighting(self.number, self.now + self.rng.uniform(0, 59.9), verdict, **where)
                )
                self.number += 1
        self.core.feed(made)
        self.now += BUCKET_SECONDS
        self.tick()

    def tick(self) -> None:
        lateness = max((one.lateness for one in self.core.watermarks.sources.values()), default=0.0)
        tick = self.core.tick(self.now + lateness)
        if tick is not None:
            self.effects += self.core.advance(tick)

    def quiet(self, minutes: int, rate: float = 1.0, negative: float = 0.1, **where: str) -> None:
        for _ in range(minutes):
            total = sum(self.rng.random() < rate / 4 for _ in range(4))
            bad = sum(self.rng.random() < negative for _ in range(total))
            good = sum(self.rng.random() < 0.2 for _ in range(total - bad))
            self.minute(((NEGATIVE, bad), (POSITIVE, good), (NEUTRAL, total - bad - good)), **where)

    def storm(self, minutes: int, negative: int = 12, neutral: int = 3, **where: str) -> None:
        for _ in range(minutes):
            self.minute(((NEGATIVE, negative), (NEUTRAL, neutral)), **where)

    def kinds(self) -> list[str]:
        return [effect.kind.value for effect in self.effects]


def core(*brands: Brand, settings: Settings | None = None) -> Core:
    return Core(brands or (AURORA,), (), {"feed": 0.0}, settings)
