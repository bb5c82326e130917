"""``sentinel language train|evaluate``: a model of one's own, and how good it is beside the shipped one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sentinel.commands.progress import progress_bar
from sentinel.language import load_scorer
from sentinel.language.evaluate import evaluate
from sentinel.language.measures import Measure, Report
from sentinel.language.train import train


def evaluate_file(
    file: Path, *, languages: Sequence[str], kind: str = "default", model: Path | None = None
) -> int:
    """Print a scorer's figures on a labelled file (NDJSON as ``docs/language.md`` describes it).

    Args:
        file: Labelled posts.
        languages: To tell apart.
        kind: Which scorer.
        model: One's own model in place of the shipped one.

    Raises:
        LanguageError: The file or the model cannot be used.
    """
    scorer = load_scorer(languages, kind, model)
    with progress_bar("evaluate") as step:
        reports = evaluate(file, scorer, progress=step)
    _print(f"{scorer.model_id} on {file}", [(one.group, one) for one in reports])
    return 0


def train_file(file: Path, output: Path, *, languages: Sequence[str]) -> int:
    """Train on a labelled file, and print the new model's held-out figures beside the shipped model's.

    The new model is not in service until ``[language] model`` names it.

    Raises:
        LanguageError: The file is wrong, or the model cannot be written.
    """
    with progress_bar("train") as step:
        own = train(file, output, progress=lambda _stage, done, total: step(done, total))
    shipped = evaluate(file, load_scorer(languages))
    old = {one.group: one for one in shipped}
    _print(
        f"{output} on ideas held out in five-fold cross-validation, beside the shipped model on the same posts",
        [
            column
            for one in own
            for column in ((f"{one.group}: new", one), (f"{one.group}: shipped", old[one.group]))
        ],
    )
    Console(stderr=True).print(
        f'{output} written. To take it into service: [language] model = "{output}"', markup=False
    )
    return 0


def _print(title: str, columns: Sequence[tuple[str, Report]]) -> None:
    """One table: a row a measure, with its 95 % interval, a column a group of posts."""
    table = Table(title=escape(title), title_justify="left")
    table.add_column("")
    for heading, one in columns:
        table.add_column(f"{escape(heading)}\n{one.scored} of {one.posts} posts")
    for name, of in _ROWS:
        found = [of(one) for _, one in columns]
        if any(found):
            table.add_row(name, *(_measure(measure) for measure in found))
    Console().print(table)


def _measure(found: Measure | None) -> str:
    if found is None or math.isnan(found.value):
        return "-"
    return f"{found.value:.3f} ({found.low:.3f}-{found.high:.3f})"


_ROWS: tuple[tuple[str, Callable[[Report], Measure | None]], ...] = (
    ("macro-F1", lambda one: one.macro_f1),
    ("F1 negative", lambda one: one.f1[0]),
    ("F1 neutral", lambda one: one.f1[1]),
    ("F1 positive", lambda one: one.f1[2]),
    ("AUC of negative", lambda one: one.auc_negative),
    ("ECE", lambda one: one.ece),
    ("share error: counted", lambda one: one.share_counted),
    ("share error: mean", lambda one: one.share_error),
    ("share error: 100 labels", lambda one: one.share_corrected),
    ("share: 20 or 40 % (AUC)", lambda one: one.share_auc),
    ("crisis type first", lambda one: one.type_top1),
    ("among the first three", lambda one: one.type_top3),
    ("none where none", lambda one: one.type_none),
    ("language", lambda one: one.language),
)
