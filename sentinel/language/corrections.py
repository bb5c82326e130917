"""Learning from what people say a post is: a small layer over a scorer's probabilities, and the gate before it.

What lives here: pure functions from labels to a layer, and layers applied to verdicts. What does not: keeping labels (the store), when to
learn again (``sentinel.learning``), estimating the share of a group (``quantify``).

A layer belongs to one scorer, brand and language. It is river's softmax regression on the scorer's log-probabilities, begun where it
changes nothing, and taught one label after another with some earlier ones out of a replay buffer. Every label is first predicted, then
learnt (Dawid's prequential rule), so that all of them judge and none judges what was learnt from it. A layer is a function of the labels
in force and of nothing else: a withdrawn one leaves no trace.

People correct what is wrong and pass over what is right. Taken as they come, corrections would teach that the scorer is never right;
among those that nobody asked for, errors are therefore weighed down to the share that is usual (`ERROR_SHARE`), and where nobody has
confirmed anything, nothing is taken into service. For the same reason classes are weighed alike, as in the scorer's own training: how many
posts of each class people happened to judge says nothing about how many there are. That is for quantification to tell.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from sentinel.language.base import UNSCORED
from sentinel.language.labels import CLASSES, Label, Probabilities
from sentinel.model import Verdict

BUFFER: Final = 1000
"""Labels of a group that are remembered: the newest. Learning from so many takes about half a second of CPU."""
REPLAYED: Final = 8
"""Labels out of the buffer that are taught when a new one comes."""
STEP: Final = 0.002
"""Learning rate. Of .02, .01, .005 and .002 the best on the development posts, and slower where there is nothing to learn."""
WARM_UP: Final = 20
"""Labels that only teach, since what was learnt from fewer deserves no judgement."""
LEAST_HELD_OUT: Final = 30
"""Weight of the labels that must have judged."""
LEAST_OF_CLASS: Final = 5
"""Labels there must be of each class; also what keeps the weight of a rarer one within bounds."""
ERROR_SHARE: Final = 0.4
"""Share of errors among a scorer's verdicts on real posts: measured accuracy is about .6 (docs/language.md)."""
CONFIDENCE: Final = 1.645
"""One-sided 95 %: by so many standard errors the layer must be better."""
LEAST_PROBABILITY: Final = 1e-4
SEPARATOR: Final = "+learnt."
"""Between the scorer's name and the layer's version in ``Verdict.model_id``."""

Matrix = tuple[tuple[float, float, float, float], ...]
"""A row for each class: weights of the three log-probabilities, and a constant."""

_INPUTS: Final = (*CLASSES, "constant")

UNCHANGED: Final[Matrix] = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0))


class Outcome(StrEnum):
    """What the gate said of a layer."""

    IN_SERVICE = "in_service"
    TOO_FEW = "too_few"  # labels to judge by, in all or of a class
    ONE_SIDED = "one_sided"  # only errors were told: nobody knows what the layer would break
    NO_SIGNAL = "no_signal"  # not clearly better than a guess
    LOG_LOSS = "log_loss"  # not clearly better than the scorer alone
    MACRO_F1 = "macro_f1"  # worse than the scorer alone


class Group(NamedTuple):
    """What a layer belongs to."""

    model_id: str
    brand: str
    language: str


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """What was learnt for one group, and what it is worth.

    Attributes:
        version: Changes with the labels it was learnt from, and comes back with them.
        labels: How many of them say a sentiment.
        judges: Weight of those that judged it, before classes are weighed alike.
        log_loss: Mean over the judges in nats, of the scorer alone and of the layer. A guess has 1.0986.
        macro_f1: Over the judges, of the scorer alone and of the layer.
        outcome: Whether it is in service, or else why not.
    """

    group: Group
    version: str
    weights: Matrix
    labels: int
    judges: float
    log_loss: tuple[float, float]
    macro_f1: tuple[float, float]
    outcome: Outcome

    @property
    def in_service(self) -> bool:
        """Whether verdicts are made with it."""
        return self.outcome is Outcome.IN_SERVICE


def learn(group: Group, labels: Sequence[Label]) -> Layer:
    """The layer of a group.

    Args:
        group: Whose.
        labels: Those of the group that are in force, oldest first; those that say no sentiment are passed over.
    """
    taught = [label for label in labels if label.corrected in CLASSES][-BUFFER:]
    trust = _trust(taught)
    weights = _balanced(taught, trust)
    model = _Model()
    rng = Random("|".join(group))  # noqa: S311 - must repeat, not surprise
    judged: list[_Judged] = []
    for place, label in enumerate(taught):
        if place >= WARM_UP:
            truth = CLASSES.index(label.corrected)
            layered = apply(model.weights, label.base)
            judged.append(_Judged(truth, trust[place], weights[place], (label.base, layered)))
        buffer = taught[: place + 1]
        for again in rng.choices(buffer, weights[: place + 1], k=REPLAYED):
            model.learn(again.base, again.corrected)
    return Layer(
        group=group,
        version=_version(taught),
        weights=model.weights,
        labels=len(taught),
        judges=sum(one.trust for one in judged),
        log_loss=(_log_loss(judged, 0), _log_loss(judged, 1)),
        macro_f1=(_macro_f1(judged, 0), _macro_f1(judged, 1)),
        outcome=_gate(taught, judged),
    )


def apply(weights: Matrix, probabilities: Probabilities) -> Probabilities:
    """What a layer makes of a scorer's probabilities.

    >>> apply(UNCHANGED, (0.2, 0.7, 0.1))
    (0.2, 0.7, 0.1)
    """
    if weights is UNCHANGED:
        return probabilities
    n, e, p = _logits(probabilities)
    sums = [row[0] * n + row[1] * e + row[2] * p + row[3] for row in weights]
    top = max(sums)
    powers = [math.exp(one - top) for one in sums]
    total = sum(powers)
    return (powers[0] / total, powers[1] / total, powers[2] / total)


class Layers:
    """The layers of all groups, applied to verdicts. Immutable, so that a thread may use it while another learns.

    Args:
        labels: All that are in force, oldest first.
        before: Layers learnt earlier; those of groups whose labels are the same are taken over.
    """

    def __init__(self, labels: Iterable[Label] = (), before: Layers | None = None) -> None:
        groups: defaultdict[Group, list[Label]] = defaultdict(list)
        for label in labels:
            if label.model_id != UNSCORED:
                groups[Group(label.model_id, label.brand, label.language)].append(label)
        known = {} if before is None else {layer.group: layer for layer in before}
        self._layers: dict[Group, Layer] = {}
        for group, some in sorted(groups.items()):
            layer = known.get(group)
            if layer is None or layer.version != _version(some):
                layer = learn(group, some)
            self._layers[group] = layer
        self._serving = {group: one for group, one in self._layers.items() if one.in_service}

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._layers.values())

    def verdict(self, verdict: Verdict, brand: str) -> Verdict:
        """The verdict as this brand's people would have it; the same object where nothing was learnt that is in service."""
        if not self._serving:
            return verdict
        layer = self._serving.get(Group(verdict.model_id, brand, verdict.language))
        if layer is None:
            return verdict
        base = (verdict.negative, verdict.neutral, verdict.positive)
        negative, neutral, positive = changed = apply(layer.weights, base)
        return msgspec.structs.replace(
            verdict,
            negative=negative,
            neutral=neutral,
            positive=positive,
            label=CLASSES[_best(changed)],
            base=base,
            model_id=f"{verdict.model_id}{SEPARATOR}{layer.version}",
        )


def alone(verdict: Verdict) -> tuple[Probabilities, str]:
    """What the scorer said before a layer changed it, and the scorer's name."""
    if verdict.base is None:
        return (verdict.negative, verdict.neutral, verdict.positive), verdict.model_id
    return verdict.base, verdict.model_id.rpartition(SEPARATOR)[0]


# --- learning ------------------------------------------------------------------------------------


class _Model:
    """river's softmax regression, begun at `UNCHANGED`."""

    def __init__(self) -> None:
        from river.linear_model import SoftmaxRegression  # noqa: PLC0415 - river loads scipy, a second of CPU
        from river.optim import SGD  # noqa: PLC0415

        self._model: Any = SoftmaxRegression(SGD(STEP))
        for name, row in zip(CLASSES, UNCHANGED, strict=True):
            self._model.weights[name].update(zip(_INPUTS, row, strict=True))

    @property
    def weights(self) -> Matrix:
        learnt = self._model.weights
        rows = [[float(learnt[name][one]) for one in _INPUTS] for name in CLASSES]
        return tuple((row[0], row[1], row[2], row[3]) for row in rows)

    def learn(self, base: Probabilities, truth: str) -> None:
        self._model.learn_one(dict(zip(_INPUTS, (*_logits(base), 1.0), strict=True)), truth)


class _Judged(NamedTuple):
    """A label that was predicted before it was learnt: by the scorer alone and by the layer."""

    truth: int
    trust: float
    weight: float
    guesses: tuple[Probabilities, Probabilities]

    def loss(self, who: int) -> float:
        return -math.log(max(self.guesses[who][self.truth], LEAST_PROBABILITY))


def _trust(labels: Sequence[Label]) -> list[float]:
    """How much each label counts: one, but for told errors that are more than is usual."""
    told = [label for label in labels if not label.drawn]
    wrong = sum(not _right(label) for label in told)
    usual = (len(told) - wrong) * ERROR_SHARE / (1.0 - ERROR_SHARE)
    # Where nobody confirmed anything the gate stays shut; a trace of weight keeps the draws defined.
    less = max(usual / wrong, LEAST_PROBABILITY) if wrong > usual else 1.0
    return [1.0 if label.drawn or _right(label) else less for label in labels]


def _balanced(labels: Sequence[Label], trust: Sequence[float]) -> list[float]:
    """Weights with which classes count alike."""
    sizes = dict.fromkeys(CLASSES, float(LEAST_OF_CLASS))
    for label, weight in zip(labels, trust, strict=True):
        sizes[label.corrected] += weight
    return [weight / sizes[label.corrected] for label, weight in zip(labels, trust, strict=True)]


def _right(label: Label) -> bool:
    return CLASSES[_best(label.base)] == label.corrected


def _gate(taught: Sequence[Label], judged: Sequence[_Judged]) -> Outcome:
    if taught and not any(label.drawn or _right(label) for label in taught):
        return Outcome.ONE_SIDED
    said = [label.corrected for label in taught]
    if (
        min(said.count(name) for name in CLASSES) < LEAST_OF_CLASS
        or sum(one.trust for one in judged) < LEAST_HELD_OUT
    ):
        return Outcome.TOO_FEW
    guess = math.log(len(CLASSES))
    if not _clearly(judged, [guess - one.loss(1) for one in judged]):
        return Outcome.NO_SIGNAL
    if not _clearly(judged, [one.loss(0) - one.loss(1) for one in judged]):
        return Outcome.LOG_LOSS
    if _macro_f1(judged, 1) < _macro_f1(judged, 0):
        return Outcome.MACRO_F1
    return Outcome.IN_SERVICE


def _clearly(judged: Sequence[_Judged], gains: Sequence[float]) -> bool:
    """Whether the weighted mean of the gains is above nothing by more than chance would have it."""
    pairs = [(one.weight, gain) for one, gain in zip(judged, gains, strict=True)]
    total = sum(weight for weight, _ in pairs)
    mean = sum(weight * gain for weight, gain in pairs) / total
    error = math.sqrt(sum((weight * (gain - mean)) ** 2 for weight, gain in pairs)) / total
    return mean > CONFIDENCE * error


def _log_loss(judged: Sequence[_Judged], who: int) -> float:
    total = sum(one.weight for one in judged)
    return sum(one.weight * one.loss(who) for one in judged) / total if judged else 0.0


def _macro_f1(judged: Sequence[_Judged], who: int) -> float:
    hits, sizes = [0.0] * 3, [0.0] * 3
    for one in judged:
        guess = _best(one.guesses[who])
        hits[guess] += one.weight * (guess == one.truth)
        sizes[guess] += one.weight
        sizes[one.truth] += one.weight
    return sum(2 * hit / size for hit, size in zip(hits, sizes, strict=True) if size) / 3


def _version(labels: Sequence[Label]) -> str:
    """Fingerprint of what was taught, in its order."""
    said = [(one.source, one.mention_id, one.corrected, one.base, one.drawn) for one in labels]
    return hashlib.blake2b(msgspec.msgpack.encode(said), digest_size=4).hexdigest()


def _best(probabilities: Probabilities) -> int:
    return max(range(3), key=probabilities.__getitem__)


def _logits(probabilities: Probabilities) -> Probabilities:
    n, e, p = (math.log(max(one, LEAST_PROBABILITY)) for one in probabilities)
    return (n, e, p)
