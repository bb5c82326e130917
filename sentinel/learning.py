"""From a person's word on a post to verdicts that have learnt from it.

What lives here: taking a word in, and learning again afterwards, beside everything else. What does not: what is learnt
(``language.corrections``), keeping it (``store``), applying it (``runner``), forms and clicks (``web``, ``notify/slack``).

A word is durable before it is acknowledged. Learning follows in a thread; several words that come together are learnt at once. After a
restart everything is learnt again from the labels in force: there is no other state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random

import structlog

from sentinel.errors import StoreError
from sentinel.language.base import UNSCORED
from sentinel.language.corrections import Layers, Outcome, alone
from sentinel.language.labels import WORDS, Label, Word
from sentinel.model import Sighting
from sentinel.runtime.clock import Clock
from sentinel.runtime.metrics import Metrics
from sentinel.store import Store

log = structlog.get_logger(__name__)

RETRY_SECONDS = 10.0
DRAWN_SECONDS = 14 * 86_400.0
"""How far back posts are drawn from: long enough to have seen every hour of a week twice."""


class Learner:
    """Keeps labels, and learns from them.

    Args:
        store: Where labels and mentions are.
        clock: Event time: when a word was said.
        delivery_clock: To wait by.
        metrics: To count words and layers.
        install: Given the layers after each learning.
        rng: Draws posts.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        delivery_clock: Clock,
        metrics: Metrics,
        install: Callable[[Layers], None],
        rng: Random,
    ) -> None:
        self._store, self._metrics, self._install = store, metrics, install
        self._clock, self._delivery_clock, self._rng = clock, delivery_clock, rng
        self._stale = asyncio.Event()
        self._stale.set()  # what was said in earlier lives
        self.layers = Layers()

    async def judge(self, word: Word) -> Label | None:
        """Keep a person's word; None where the mention is not in the archive, was retracted, or is not about that brand.

        Raises:
            ValueError: The word is none of `WORDS`.
            StoreError: It could not be kept.
        """
        if word.corrected not in WORDS:
            raise ValueError(f"one of {', '.join(WORDS)}")
        sighting = await self._store.mention(word.source, word.mention_id)
        if sighting is None or not sighting.mention.text:
            return None
        if all(match.brand != word.brand for match in sighting.matches):
            return None
        verdict = sighting.verdict
        base, model_id = alone(verdict)
        label = Label(
            id=word.id,
            brand=word.brand,
            source=sighting.mention.source,
            mention_id=sighting.mention.id,
            language=verdict.language,
            probabilities=(verdict.negative, verdict.neutral, verdict.positive),
            base=base,
            model_id=model_id,
            corrected=word.corrected,
            by=word.by,
            via=word.via,
            at=self._clock.now(),
            drawn=word.drawn,
        )
        await self._store.add_label(label)
        self._metrics.labels_given.labels(word.corrected).inc()
        self._stale.set()
        return label

    async def withdraw(self, label_id: str, by: str) -> bool:
        """Take a word back; False if there is no such label, or it was taken back before.

        Raises:
            StoreError: It could not be written.
        """
        done = await self._store.withdraw_label(label_id, by=by, at=self._clock.now())
        if done:
            self._metrics.labels_withdrawn.inc()
            self._stale.set()
        return done

    async def labels_on(
        self, brand: str, mentions: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Label]:
        """The words in force on these (source, id).

        Raises:
            StoreError: They cannot be read.
        """
        found = {}
        for key in mentions:
            for label in await self._store.labels(brand, mention=key):
                found[key] = label
        return found

    async def draw(self, brand: str, number: int) -> tuple[Sighting, ...]:
        """Mentions of the last days, drawn at random from those that nobody has judged yet.

        What people correct unasked is mostly wrong; only drawn posts tell how often the scorer is right.

        Raises:
            StoreError: They cannot be read.
        """
        since = self._clock.now() - DRAWN_SECONDS
        # More than are asked for: some were judged before, were retracted, or could not be read.
        some = await self._store.draw(brand, since, 4 * number, self._rng)
        judged = await self.labels_on(brand, [one.mention.key for one in some])
        fit = [
            one
            for one in some
            if one.mention.text
            and one.verdict.model_id != UNSCORED
            and one.mention.key not in judged
        ]
        return tuple(fit[:number])

    async def learn(self) -> None:
        """Learn from the labels in force, and install what came of it.

        Raises:
            StoreError: They cannot be read.
        """
        labels = await self._store.labels()
        before = self.layers
        self.layers = await asyncio.to_thread(Layers, labels, before)
        self._install(self.layers)
        outcomes = [layer.outcome for layer in self.layers]
        for outcome in Outcome:
            self._metrics.learnt_layers.labels(outcome.value).set(outcomes.count(outcome))
        changed = {layer.group: layer.outcome for layer in before}
        for layer in self.layers:
            if changed.get(layer.group) is not layer.outcome:
                log.info(
                    "layer_judged",
                    brand=layer.group.brand,
                    language=layer.group.language,
                    outcome=layer.outcome.value,
                    labels=layer.labels,
                )

    async def run(self) -> None:
        """Learn whenever something new was said, until cancelled."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            try:
                await self.learn()
            except StoreError as error:
                log.warning("learning_postponed", error=str(error))
                self._stale.set()
                await self._delivery_clock.sleep(RETRY_SECONDS)
