"""Sources that say they are alive and deliver nothing: is it calm, or is a collector dead?

What lives here: the evidence, and when operations is told. What does not: sources that say themselves that they are down
(``pipeline``), how a missing minute is held (``windows``, ``detectors``).

Two ways to be silent. A source is *silent* when nothing has come from it for any brand, for longer than chance allows. It
is *partly silent* when several brands that have nothing to do with each other have stopped together while others go on: a
collector with several subscriptions of which some have lapsed.

The evidence is that of ``detectors.silence``, summed over brands, which are independent as long as the source lives. What
they have in common (a holiday, a night) makes the sum too sure, so it is capped by the evidence of all brands taken as one
stream with a common overdispersion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from detectors.silence import ALARM_NATS, HOLD_NATS, silence_nats

COMMON_PHI = 0.02
"""Overdispersion that all brands share: twelve expected mentions must be missed, however many brands there are."""
TOGETHER_SECONDS = 900.0
"""Brands that fell silent within this time of each other stopped together."""
TOGETHER_BRANDS = 3
SURCHARGE_NATS = 3.0
"""For choosing brands, or sources, after the fact."""


class Lull(msgspec.Struct):
    """Nothing for one brand: since when, and how many mentions were expected meanwhile."""

    since: float
    missed: float = 0.0


class Hush(msgspec.Struct):
    """What is known of one source's silence.

    Attributes:
        missed: Brand to expected mentions since anything came from the source.
        since: When anything last came; epoch seconds.
        lulls: Brand to the time since something came for it.
        silent: Nothing comes at all; told, and minutes count as missing.
        stopped: Brands that stopped together; told.
    """

    since: float
    missed: dict[str, float] = {}
    lulls: dict[str, Lull] = {}
    silent: bool = False
    stopped: list[str] = []

    @property
    def nats(self) -> float:
        """Evidence that the source is dead."""
        return _together(self.missed.values())


class Told(msgspec.Struct, frozen=True):
    """What operations should hear: sources that fell silent (since when), and sources that are back."""

    silent: tuple[str, ...] = ()
    since: float = 0.0
    back: tuple[str, ...] = ()


class Inferred(msgspec.Struct, frozen=True):
    """A silence that nobody reported: Sentinel found it in what did not come.

    Attributes:
        since: When it began, epoch seconds.
        brands: Those that stopped together, sorted; empty where nothing comes at all.
    """

    since: float
    brands: tuple[str, ...] = ()


class Listening(msgspec.Struct):
    """Listens to all sources that say they are alive.

    Attributes:
        heard: Source to the brands for which something came since the last step.
    """

    sources: dict[str, Hush] = {}
    heard: dict[str, dict[str, bool]] = {}

    def hear(self, source: str, brand: str) -> None:
        """Something came in time."""
        self.heard.setdefault(source, {})[brand] = True

    def silent(self) -> tuple[str, ...]:
        """Sources from which nothing comes although they say they are alive."""
        return tuple(sorted(name for name, hush in self.sources.items() if hush.silent))

    def inferred(self) -> dict[str, Inferred]:
        """Sources that say they are alive and bring nothing, or nothing for some of their brands."""
        return {
            name: Inferred(self._began(hush), tuple(hush.stopped))
            for name, hush in sorted(self.sources.items())
            if hush.silent or hush.stopped
        }

    def step(
        self, until: float, alive: Iterable[str], expected: Mapping[str, Mapping[str, float]]
    ) -> Told:
        """Take the closed minutes in.

        Args:
            until: End of the minutes, epoch seconds.
            alive: Sources that say they are.
            expected: Source to brand to the mentions that were usual in these minutes.
        """
        alive = set(alive)
        back = [
            name
            for name in sorted(alive | self.sources.keys())
            if self._follow(name, until, alive, expected)
        ]
        self.heard = {}
        fresh = self._fallen_silent()
        for name in fresh:
            self.sources[name].silent = True
        partly = [
            name for name in sorted(self.sources) if self._stopped_together(self.sources[name])
        ]
        names = tuple(sorted({*fresh, *partly}))
        since = min((self._began(self.sources[name]) for name in names), default=0.0)
        return Told(names, since, tuple(back))

    def _follow(
        self,
        name: str,
        until: float,
        alive: set[str],
        expected: Mapping[str, Mapping[str, float]],
    ) -> bool:
        """One source's minutes; returns whether it is back."""
        hush = self.sources.setdefault(name, Hush(since=until))
        heard = self.heard.get(name, {})
        back = hush.silent and bool(heard)
        if heard:
            hush.since, hush.missed, hush.silent = until, {}, False
        for brand in heard:
            hush.lulls.pop(brand, None)
        if name not in alive:  # it says itself that it is down: zeros are no evidence then
            hush.missed, hush.lulls = {}, {}
        else:
            for brand, mentions in expected.get(name, {}).items():
                if brand not in heard:
                    lull = hush.lulls.setdefault(brand, Lull(since=until))
                    lull.missed += mentions
                if not heard:
                    hush.missed[brand] = hush.missed.get(brand, 0.0) + mentions
        if hush.stopped and 2 * sum(brand in hush.lulls for brand in hush.stopped) < len(
            hush.stopped
        ):
            hush.stopped = []
            back = True
        return back

    def _fallen_silent(self) -> list[str]:
        """Sources that are newly silent: one beyond doubt, or several at once."""
        doubtful = {
            name: hush.nats
            for name, hush in self.sources.items()
            if not hush.silent and not hush.stopped and hush.nats >= HOLD_NATS
        }
        together = len(doubtful) > 1 and sum(doubtful.values()) >= ALARM_NATS + SURCHARGE_NATS
        beyond_doubt = any(nats >= ALARM_NATS for nats in doubtful.values())
        return sorted(doubtful) if together or beyond_doubt else []

    @staticmethod
    def _stopped_together(hush: Hush) -> bool:
        """Whether several of a source's brands have newly stopped together."""
        if hush.silent or hush.stopped:
            return False
        long = sorted(
            (lull.since, brand, lull.missed)
            for brand, lull in hush.lulls.items()
            if silence_nats(lull.missed) >= HOLD_NATS
        )
        for place, (first, _, _) in enumerate(long):
            group = [row for row in long[place:] if row[0] - first <= TOGETHER_SECONDS]
            if len(group) < TOGETHER_BRANDS:
                continue
            if _together(row[2] for row in group) >= ALARM_NATS + SURCHARGE_NATS:
                hush.stopped = sorted(brand for _, brand, _ in group)
                return True
        return False

    @staticmethod
    def _began(hush: Hush) -> float:
        return min((hush.lulls[name].since for name in hush.stopped), default=hush.since)


def _together(missed: Iterable[float]) -> float:
    """Nats against "alive but quiet" for brands that share a source.

    >>> round(_together([17.6]), 1), round(_together([6.0, 6.0, 6.0]), 1), round(_together([3.0] * 4), 1)
    (10.2, 14.1, 10.5)
    """
    parts = list(missed)
    return min(sum(map(silence_nats, parts)), silence_nats(sum(parts), COMMON_PHI))
