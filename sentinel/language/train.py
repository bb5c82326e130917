"""Learns a model from labelled posts. What lives here: the learning of the default scorer.

What does not: serving it (``linear``), the labelled file (``corpus``). SciPy is needed here and
nowhere else in this room. The same file gives the same model::

    python -m sentinel.language.train corpus/posts.ndjson sentinel/language/data/default.model

Two multinomial logistic regressions share their features: sentiment, and the kind of crisis with
"none of these" as a class. Posts of one idea share its weight, so that a much-varied idea does not
count for more; features must occur in several ideas.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sentinel.errors import LanguageError
from sentinel.language import corpus, weights
from sentinel.language.corpus import NO_TYPE, SENTIMENTS, Labelled
from sentinel.language.features import Features, Reader, Reading, walk
from sentinel.language.lexicon import build, shipped_texts
from sentinel.language.linear import rank_types
from sentinel.language.measures import Report, f1_scores, sentiment_report, type_measures
from sentinel.language.text import clean, tokenize
from sentinel.model import CRISIS_TYPES

Progress = Callable[[str, int, int], None]
"""Called with the name of the stage, the steps done and the steps in all."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS: Final = 5
_LEAST_IDEAS: Final = {"w": 2, "n": 2, "b": 2, "h": 2, "c": 3}
_SMALLEST = 0.004
_LEAST_POSTS = 12


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What training can be told.

    Attributes:
        model_id: Name of the result.
        shrink: Weight of the squared length of the sentiment weights; more is simpler.
        shrink_types: The same for crisis types.
        humility: Factor on the temperature found on held-out ideas. Written posts are easier than
            the real talk a model meets, so its confidence there must be smaller.
        irony_share: Weight of an ironic post for sentiment. It means the opposite of its words, so a sum over
            words learns from it only to distrust them.
        crisis_share: Weight for sentiment of a post with a crisis type. Written corpora have far more of
            them than the talk that a model meets.
        steps: Most steps of the optimiser.
    """

    model_id: str = "own-1"
    shrink: float = 20.0
    shrink_types: float = 2.0
    humility: float = 1.0
    irony_share: float = 1.0
    crisis_share: float = 1.0
    steps: int = 100


class _Rows(Mapping[str, int]):
    """Hands out a row per name, as the walk asks for them."""

    def __init__(self, make: Callable[[str], Features], units: list[Features]) -> None:
        self._make, self._units, self._known = make, units, dict[str, int]()

    def __getitem__(self, name: str) -> int:
        row = self._known.get(name)
        if row is None:
            row = self._known[name] = len(self._units)
            self._units.append(self._make(name))
        return row

    def get(self, name: str, default: Any = None) -> int:  # noqa: ARG002 - every name has a row
        """The row of a name; there always is one."""
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class Extractor:
    """From posts to named features, exactly as the scorer reads them."""

    def __init__(self, lists: Mapping[str, str], languages: Sequence[str]) -> None:
        lexicon = build(dict(lists))
        self._units: list[Features] = [()]
        self._readers = {code: Reader(lexicon, code) for code in languages}
        self._known: dict[str, dict[str, Reading]] = {code: {} for code in languages}
        self._pairs = {c: _Rows(reader.pair, self._units) for c, reader in self._readers.items()}
        self._posts = _Rows(lambda name: ((name, 1.0),), self._units)

    def features(self, post: Labelled) -> dict[str, float]:
        """Summed features of one post."""
        known, reader = self._known[post.lang], self._readers[post.lang]
        readings = []
        for token in tokenize(clean(post.text)):
            reading = known.get(token)
            if reading is None:
                meaning = reader.read(token)
                plain = len(self._units)
                self._units += [meaning.plain, meaning.negated]
                reading = known[token] = Reading(
                    meaning.kind,
                    meaning.key,
                    plain,
                    plain + 1,
                    meaning.polarity,
                    meaning.shouted,
                    meaning.term,
                )
            readings.append(reading)
        found: dict[str, float] = {}
        for row in walk(readings, self._pairs[post.lang], self._posts):
            for name, value in self._units[row]:
                found[name] = found.get(name, 0.0) + value
        return found


class Table(msgspec.Struct, frozen=True):
    """Posts as a sparse table, with the names of its columns and a weight per post."""

    matrix: Any
    names: tuple[str, ...]
    shares: Floats

    def rows(self, picked: Ints) -> Table:
        """Some of the posts."""
        return Table(self.matrix[picked], self.names, self.shares[picked])


def idea_shares(posts: Sequence[Labelled]) -> Floats:
    """Weight of each post: an idea in many wordings counts for more than one, but not for many."""
    sizes = Counter(post.idea for post in posts)
    shares: Floats = np.array([sizes[post.idea] ** -0.5 for post in posts])
    return shares


def felt_shares(posts: Sequence[Labelled], settings: Settings) -> Floats:
    """Weight of each post where sentiment is learnt."""
    factors = [
        (settings.irony_share if post.irony else 1.0)
        * (settings.crisis_share if post.type not in {None, NO_TYPE} else 1.0)
        for post in posts
    ]
    shares: Floats = idea_shares(posts) * np.array(factors)
    return shares


def tabulate(posts: Sequence[Labelled], lists: Mapping[str, str]) -> Table:
    """The features of posts, those of too few ideas left out."""
    from scipy import sparse  # type: ignore[import-untyped] # noqa: PLC0415 - training only

    extractor = Extractor(lists, sorted({post.lang for post in posts}))
    found = [extractor.features(post) for post in posts]
    ideas: dict[str, set[str]] = {}
    for post, features in zip(posts, found, strict=True):
        for name in features:
            ideas.setdefault(name, set()).add(post.idea)
    names = sorted(
        name
        for name, holders in ideas.items()
        if len(holders) >= (_LEAST_IDEAS.get(name[0], 1) if name[1:2] == ":" else 1)
    )
    place = {name: column for column, name in enumerate(names)}
    columns: list[int] = []
    values: list[float] = []
    starts = [0]
    for features in found:
        for name, value in features.items():
            if name in place:
                columns.append(place[name])
                values.append(value)
        starts.append(len(columns))
    matrix = sparse.csr_matrix((values, columns, starts), shape=(len(posts), len(names)))
    return Table(matrix, tuple(names), idea_shares(posts))


def fit(table: Table, truth: Ints, classes: int, *, shrink: float, steps: int) -> Floats:
    """Multinomial logistic regression with a quadratic penalty, by L-BFGS.

    Returns:
        Weights, one row per column of the table, one column per class.
    """
    from scipy.optimize import minimize  # type: ignore[import-untyped] # noqa: PLC0415

    size = len(table.names)
    weight = table.shares[:, None]
    target = np.zeros((len(truth), classes))
    target[np.arange(len(truth)), truth] = 1.0
    # How often the corpus happens to have a class must not become a prior: all classes weigh
    # the same.
    mass = (weight * target).sum(axis=0)
    factor = mass.sum() / np.maximum(mass, 1e-9) / (mass > 0).sum()
    weight = weight * factor[truth][:, None]
    matrix = table.matrix

    def loss(flat: Floats) -> tuple[float, Floats]:
        current = flat.reshape(size, classes)
        scores = matrix @ current
        scores -= scores.max(axis=1, keepdims=True)
        powers = np.exp(scores)
        total = powers.sum(axis=1, keepdims=True)
        cost = float((weight * target * (np.log(total) - scores)).sum())
        slope = matrix.T @ (weight * (powers / total - target)) + shrink * current
        return cost + shrink / 2 * float((flat**2).sum()), slope.ravel()

    result = minimize(
        loss,
        np.zeros(size * classes),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": steps},
    )
    found: Floats = result.x.reshape(size, classes)
    return found


def _probabilities(scores: Floats) -> Floats:
    powers: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def _temperature(scores: Floats, truth: Ints, shares: Floats) -> float:
    """The divisor of held-out scores with the least log loss."""
    candidates = np.geomspace(0.4, 5.0, 60)
    rows = np.arange(len(truth))
    losses = [
        -float((shares * np.log(_probabilities(scores / t)[rows, truth] + 1e-12)).sum())
        for t in candidates
    ]
    return float(candidates[int(np.argmin(losses))])


def calibrate_types(scores: Floats, truth: Ints, shares: Floats) -> tuple[float, float]:
    """How scores of crisis types, the last of them "none", become honest probabilities.

    All types are learnt as if they were equally frequent, so "none" comes out far too seldom. A divisor of all
    scores and an addition to the last one, found on held-out ideas with the least log loss, mend that.

    Returns:
        The divisor and the addition (after dividing); 1 and 0 where no post has a type, or every one has.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - training only

    none = scores.shape[1] - 1
    if not 0 < int((truth == none).sum()) < len(truth):
        return 1.0, 0.0
    rows = np.arange(len(truth))

    def loss(found: Floats) -> float:
        moved = scores / np.exp(found[0])
        moved[:, none] += found[1]
        return -float((shares * np.log(_probabilities(moved)[rows, truth] + 1e-12)).sum())

    # The bounds keep a file of few posts, which can be told apart without an error, from infinite certainty.
    result = minimize(loss, np.zeros(2), method="Nelder-Mead", bounds=[(-1.0, 1.0), (-4.0, 4.0)])
    return float(np.exp(result.x[0])), float(result.x[1])


def calibrated_types(
    table: Table,
    truth: Ints,
    ideas: Sequence[str],
    learn_types: Callable[[Table, Ints], Floats],
    *,
    classes: int,
    always: int,
    stage: Callable[[], None] = lambda: None,
) -> tuple[Floats, Floats]:
    """Weights of crisis types whose probabilities are honest on ideas that were held out; see `calibrate_types`.

    Args:
        table: The posts.
        truth: Number of each post's type, the last one "none".
        ideas: Its idea.
        learn_types: From posts and their types to weights.
        classes: How many types, "none" included.
        always: Column that is the same in every post: 1.
        stage: Called `FOLDS` times and once more, as the work goes on.

    Returns:
        The weights, and each post's scores from weights that had not seen its idea.
    """
    folds = np.array([corpus.fold_of(idea, FOLDS) for idea in ideas])
    held = np.zeros((len(truth), classes))
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(outside) and len(inside):
            held[outside] = table.matrix[outside] @ learn_types(table.rows(inside), truth[inside])
        stage()
    found = learn_types(table, truth)
    stage()
    divisor, addition = calibrate_types(held, truth, table.shares)
    found, held = found / divisor, held / divisor
    found[always, -1] += addition
    held[:, -1] += addition
    return found, held


def _silent(stage: str, done: int, total: int) -> None:
    """No progress."""


def learn(
    posts: Sequence[Labelled],
    settings: Settings,
    *,
    lists: Mapping[str, str] | None = None,
    progress: Progress = _silent,
) -> tuple[weights.Weights, list[Report]]:
    """A model from labelled posts, and how it did on ideas that it had not seen.

    Raises:
        LanguageError: Too few posts, or a class is missing.
    """
    lists = shipped_texts() if lists is None else dict(lists)
    truth = np.array([SENTIMENTS.index(post.sentiment) for post in posts], dtype=np.int64)
    if len(posts) < _LEAST_POSTS or len(set(truth.tolist())) < len(SENTIMENTS):
        raise LanguageError(
            f"training needs at least {_LEAST_POSTS} posts and all of {', '.join(SENTIMENTS)}"
        )
    progress("features", 0, 1)
    table = tabulate(posts, lists)
    progress("features", 1, 1)
    types = (*CRISIS_TYPES, NO_TYPE)
    typed = np.array([i for i, post in enumerate(posts) if post.type is not None], dtype=np.int64)
    felt = msgspec.structs.replace(table, shares=felt_shares(posts, settings))
    stages = FOLDS + 1 + (FOLDS + 1 if len(typed) else 0)
    done = 0

    def stage() -> None:
        nonlocal done
        done += 1
        progress("learning", done, stages)

    folds = np.array([corpus.fold_of(post.idea, FOLDS) for post in posts])
    held = np.zeros((len(posts), 3))
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(outside) and len(inside):
            found = fit(
                felt.rows(inside), truth[inside], 3, shrink=settings.shrink, steps=settings.steps
            )
            held[outside] = table.matrix[outside] @ found
        stage()
    temperature = _temperature(held, truth, table.shares)
    sentiment = fit(felt, truth, 3, shrink=settings.shrink, steps=settings.steps)
    stage()
    kinds = np.zeros((len(table.names), len(types)))
    always = table.names.index("p:")
    if len(typed):
        labels = np.array([types.index(posts[i].type or NO_TYPE) for i in typed], dtype=np.int64)
        kinds, guess = calibrated_types(
            table.rows(typed),
            labels,
            [posts[i].idea for i in typed],
            lambda part, right: fit(
                part, right, len(types), shrink=settings.shrink_types, steps=settings.steps
            ),
            classes=len(types),
            always=always,
            stage=stage,
        )
    else:
        kinds[always, -1] = 20.0  # nothing known of types: none of these
    whole = np.concatenate([sentiment, kinds], axis=1)
    used = np.flatnonzero(np.abs(whole).max(axis=1) > _SMALLEST)
    reports = _reports(settings.model_id, posts, truth, _probabilities(held / temperature))
    if len(typed):
        reports = [_with_types(report, posts, typed, _probabilities(guess)) for report in reports]
    model = weights.Weights(
        model_id=settings.model_id,
        languages=tuple(sorted({post.lang for post in posts})),
        types=types,
        features=tuple(table.names[column] for column in used),
        table=whole[used].astype(np.float32),
        temperature=temperature * settings.humility,
        bias=(0.0, 0.0, 0.0),
        lists=dict(lists),
        about={
            "posts": str(len(posts)),
            "ideas": str(len({post.idea for post in posts})),
            "held_out_macro_f1": f"{np.mean(f1_scores(truth, held.argmax(axis=1))):.3f}",
        },
    )
    return model, reports


def _reports(model_id: str, posts: Sequence[Labelled], truth: Ints, table: Floats) -> list[Report]:
    languages = np.array([post.lang for post in posts])
    return [
        sentiment_report(
            model_id,
            code,
            truth[languages == code],
            table[languages == code],
            posts=int((languages == code).sum()),
        )
        for code in sorted(set(languages.tolist()))
    ]


def _with_types(report: Report, posts: Sequence[Labelled], typed: Ints, table: Floats) -> Report:
    rows = [(posts[i], table[place]) for place, i in enumerate(typed)]
    rows = [(post, row) for post, row in rows if post.lang == report.group]
    top1, top3, none = type_measures(
        [post.type or NO_TYPE for post, _ in rows],
        [rank_types((*CRISIS_TYPES, NO_TYPE), row) for _, row in rows],
        NO_TYPE,
    )
    return msgspec.structs.replace(report, type_top1=top1, type_top3=top3, type_none=none)


def train(
    path: Path, out: Path, *, settings: Settings | None = None, progress: Progress = _silent
) -> list[Report]:
    """Learn a model from a labelled file and write it.

    Args:
        path: NDJSON as in ``corpus``.
        out: Where the model goes; written whole or not at all.
        settings: What to change from the usual.
        progress: Called between stages.

    Returns:
        For each language, the measures on ideas held out in five-fold cross-validation.

    Raises:
        LanguageError: The labelled file is missing or wrong, or the model cannot be written.
    """
    model, reports = learn(corpus.read(path), settings or Settings(), progress=progress)
    partial = out.with_name(out.name + ".part")
    try:
        partial.write_bytes(weights.dump(model))
        partial.replace(out)
    except OSError as error:
        raise LanguageError(f"{out}: {error.strerror or error}") from error
    return reports


SHIPPED_SETTINGS: Final = Settings(
    model_id="linear-it-en-3",
    shrink=40.0,
    humility=2.0,
    shrink_types=2.0,
    irony_share=0.1,
    crisis_share=0.25,
)
"""How the model in the package was trained."""


def main(argv: Sequence[str]) -> None:
    """Train the shipped model: source file, then target file; ``--head`` before them for the other."""
    if argv[:1] == ["--head"]:
        from sentinel.language.embedding import learn_head  # noqa: PLC0415 - an extra

        head = learn_head(corpus.read(Path(argv[1])), "use-it-en-2")
        Path(argv[2]).write_bytes(weights.dump(head))
        return
    source, target = argv
    for report in train(Path(source), Path(target), settings=SHIPPED_SETTINGS):
        f1 = report.macro_f1
        sys.stdout.write(
            f"{report.group}: {report.posts} posts, held-out macro-F1 {f1.value:.3f} "
            f"[{f1.low:.3f}, {f1.high:.3f}], ECE {report.ece.value:.3f}\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
