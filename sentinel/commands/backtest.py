"""``sentinel backtest``: which alerts past mentions would have raised."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from sentinel.backtest import Alert, Backtest, Trial, rfc3339
from sentinel.commands.chart import Mark, chart
from sentinel.commands.progress import Step, progress_bar
from sentinel.commands.scoring import ScoringPool
from sentinel.commands.scoring import Settings as ScorerSettings
from sentinel.core.shard import Settings
from sentinel.core.windows import Window
from sentinel.errors import ConfigError
from sentinel.i18n import Translator, check_language, translator
from sentinel.model import Brand, CountRow, Direction, Severity
from sentinel.notify.wording import crisis_type_words, severity_words
from sentinel.playbook_files import load_playbooks
from sentinel.sources.counts import holds_counts, read_counts
from sentinel.sources.files import read_mentions

PAPER = 140
"""Columns where the output goes to a file."""
CHARTS = 3
"""Brands of which a chart is drawn: those with most alerts."""


class _Setup(msgspec.Struct):
    """What a configuration says, or its defaults."""

    brands: Sequence[Brand] = ()
    scorer: ScorerSettings = (("it", "en"), "default", None)
    playbooks: Path | None = None
    settings: Settings = Settings()
    planned: Callable[[float], tuple[Window, ...]] | None = None
    language: str = "en"


def backtest(
    file: str,
    *,
    config_path: Path | None = None,
    brand: str = "",
    field_map: Sequence[str] = (),
    budget_days: float | None = None,
    compare: float | None = None,
    timezone: str = "UTC",
    language: str = "",
    as_json: bool = False,
    processes: int = 0,
) -> int:
    """Replay ``file`` and print the alerts.

    Args:
        file: Mentions as NDJSON or CSV, or counts as CSV, plain or gzip; ``-`` is standard input (mentions).
        config_path: Brands and playbooks of a configuration; None watches every brand that the file names.
        brand: Only this brand; with no configuration, also the brand of lines that name none.
        field_map: ``FIELD=COLUMN`` pairs.
        budget_days: In place of the configured budget.
        compare: A second budget, tried on the same past.
        timezone: Of the audience, where no configuration says it.
        language: ``it`` or ``en`` in place of the configured one; English without a configuration.
        as_json: One alert a line instead of a table.
        processes: Of the language scoring; 0 for one a core.

    Raises:
        ConfigError: Wrong arguments or configuration.
        SourceError: The file cannot be read.
    """
    check_language(language)
    mapping = parse_map(field_map)
    setup = _setup(config_path, brand)
    defaults = Brand(id="", name="", timezone=timezone)
    test = Backtest(
        setup.brands,
        load_playbooks(setup.playbooks).playbooks,
        defaults=defaults,
        settings=setup.settings,
        budgets=(budget_days,) if compare is None else (budget_days, compare),
        planned=setup.planned,
    )
    with progress_bar("backtest") as step:
        if holds_counts(file):
            test.run_counts(_counts(file, brand, step))
        else:
            items = read_mentions(
                file, mapping, source="backtest", brand="" if setup.brands else brand, progress=step
            )
            wanted = (
                one for one in items if not brand or getattr(one, "brand", brand) in {"", brand}
            )
            with ScoringPool(setup.scorer, processes) as scored:
                test.run(wanted, scored=scored)
    if as_json:
        for trial in test.trials:
            for alert in trial.alerts():
                sys.stdout.write(msgspec.json.encode(alert).decode() + "\n")
    else:
        _print(translator(language or setup.language, timezone), test)
    _talk(test)
    return 0


def _setup(config_path: Path | None, brand: str) -> _Setup:
    if config_path is None:
        return _Setup()
    from sentinel.config import load_config  # noqa: PLC0415 - knows every vendor's settings: slow

    config = load_config(config_path)
    if brand and brand not in {one.id for one in config.brands}:
        raise ConfigError(f"no brand has the id {brand!r}", path=config_path, key="brands")
    language, planner = config.language, config.planner()
    planner.read()
    return _Setup(
        [one for one in config.brands if brand in {"", one.id}],
        (
            language.languages,
            language.scorer,
            config.beside(language.model) if language.model else None,
        ),
        config.beside(config.playbooks.directory) if config.playbooks.directory else None,
        Settings(escalate_after_minutes=config.escalation.after_minutes),
        None if planner.empty else planner.around,
        config.general.language,
    )


def _counts(file: str, brand: str, step: Step) -> Iterator[CountRow]:
    for row in read_counts(file, step):
        if not brand or row.brand in {"", brand}:
            yield row if row.brand else msgspec.structs.replace(row, brand=brand or "brand")


def parse_map(pairs: Sequence[str]) -> dict[str, str]:
    """``FIELD=COLUMN`` pairs as a mapping.

    >>> parse_map(["published_at=ts"])
    {'published_at': 'ts'}
    """
    mapping: dict[str, str] = {}
    for pair in pairs:
        field, separator, column = pair.partition("=")
        if not (separator and field and column):
            raise ConfigError(f"{pair!r} is not of the form FIELD=COLUMN", key="--map")
        mapping[field] = column
    return mapping


# --- printing ------------------------------------------------------------------------------------


def _print(t: Translator, test: Backtest) -> None:
    console = Console(soft_wrap=True)
    if not console.is_terminal:
        console = Console(soft_wrap=True, width=PAPER)
    for trial in test.trials:
        alerts = trial.alerts()
        for line in _spend(t, trial, alerts, test.summary.days):
            console.print(line, highlight=False)
        if alerts:
            console.print(_table(t, alerts))
    if len(test.trials) > 1:
        _differ(t, console, test.trials)
    if console.is_terminal:
        _draw(t, console, test)


def _spend(t: Translator, trial: Trial, alerts: Sequence[Alert], days: float) -> Iterator[str]:
    """What each brand's budget would have cost: "would have paged 4 times in 90 days"."""
    if not trial.brands:
        yield t.gettext("No mention of a brand.")
    rows = sorted(trial.brands, key=lambda name: (-_pages(alerts, name), name))
    for number, name in enumerate(rows):
        if number >= 10:
            more = len(rows) - number
            yield t.ngettext("... and {n} brand more", "... and {n} brands more", more)
            return
        mine = [one for one in alerts if one.brand == name]
        threats = sum(one.direction == "threat" for one in mine)
        again = max(0, _pages(alerts, name) - len(mine))
        budget = trial.budget_of(name)
        parts = (
            t.gettext(
                "{brand}: one false page in {budget} would have paged {times} in {days}",
                brand=name,
                budget=_days(t, budget),
                times=_times(t, _pages(alerts, name)),
                days=_days(t, days),
            )
            + ": "
            + t.ngettext("{n} threat", "{n} threats", threats),
            t.ngettext("{n} opportunity", "{n} opportunities", len(mine) - threats),
            t.gettext("{times} that it got worse", times=_times(t, again)) + ".",
        )
        allowed = t.gettext(
            "The budget of false ones for that time is {number}.", number=t.number(days / budget)
        )
        yield f"{', '.join(parts)} {allowed}"


def _times(t: Translator, number: int) -> str:
    return t.ngettext("{n} time", "{n} times", number)


def _days(t: Translator, number: float) -> str:
    return t.span(number * 86_400)


def _pages(alerts: Sequence[Alert], brand: str) -> int:
    return sum(one.pages for one in alerts if one.brand == brand)


def _table(t: Translator, alerts: Sequence[Alert]) -> Table:
    table = Table(box=None, pad_edge=False)
    when = t.gettext("detected")
    for column in (
        t.gettext("brand"),
        when,
        t.gettext("delay"),
        t.gettext("alert"),
        t.gettext("kind"),
        t.gettext("plan"),
    ):
        table.add_column(column, no_wrap=column == when)
    for column in (t.gettext("mentions"), t.gettext("usual"), t.gettext("negative")):
        table.add_column(column, justify="right")
    for one in alerts:
        table.add_row(
            one.brand,
            one.detected_at.replace("T", " ").removesuffix(":00Z"),
            t.span(one.delay_minutes * 60),
            _called(t, one),
            crisis_type_words(t, one.kind),
            one.playbook,
            t.number(one.observed),
            t.number(one.expected),
            t.percent(one.negative_share),
        )
    return table


def _called(t: Translator, alert: Alert) -> str:
    """Direction and how bad: "threat, high severity"."""
    direction = Direction(alert.direction)
    name = t.gettext("threat") if direction is Direction.THREAT else t.gettext("opportunity")
    return f"{name}, {severity_words(t, direction, Severity[alert.severity.upper()])}"


def _differ(t: Translator, console: Console, trials: Sequence[Trial]) -> None:
    """What one budget raises and the other does not. Alerts are the same when they overlap in time."""
    first, second = (trial.alerts() for trial in trials[:2])
    for mine, others in ((first, second), (second, first)):
        alone = [one for one in mine if not any(_same(one, other) for other in others)]
        for one in alone:
            only = t.gettext("only with {budget}", budget=_days(t, one.budget_days))
            what = f"{_called(t, one)}, {crisis_type_words(t, one.kind)}"
            console.print(f"{only}: {one.brand} {one.detected_at} {what}", highlight=False)
    both = [(one, other) for one in first for other in second if _same(one, other)]
    for one, other in both:
        later = _seconds(other) - _seconds(one)
        if not later:
            continue
        known = {"span": t.span(abs(later)), "budget": _days(t, other.budget_days)}
        if later > 0:
            moved = t.gettext("{span} later with {budget}", **known)
        else:
            moved = t.gettext("{span} earlier with {budget}", **known)
        with_both = t.gettext("with both")
        console.print(f"{with_both}: {one.brand} {one.detected_at}; {moved}", highlight=False)
    raised = t.ngettext(
        "{n} alert is raised with both.", "{n} alerts are raised with both.", len(both)
    )
    console.print(raised, highlight=False)


def _same(one: Alert, other: Alert) -> bool:
    return (
        one.brand == other.brand
        and one.direction == other.direction
        and one.opened_at <= (other.resolved_at or "9999")
        and other.opened_at <= (one.resolved_at or "9999")
    )


def _draw(t: Translator, console: Console, test: Backtest) -> None:
    alerts = test.alerts()
    trial = test.trials[0]
    names = sorted(test.hours, key=lambda name: (-_pages(alerts, name), name))[:CHARTS]
    for name in names:
        marks = [
            Mark(_seconds(one), one.direction == "threat") for one in alerts if one.brand == name
        ]
        legend = t.gettext("{brand}: mentions an hour; ▲ threat, △ opportunity", brand=name)
        console.print(legend, highlight=False)
        for line in chart(
            test.hours[name],
            marks,
            width=console.width,
            timezone=trial.brands[name].timezone,
            locale=t.locale,
        ):
            console.print(line, highlight=False, markup=False)


def _seconds(alert: Alert) -> float:
    return datetime.fromisoformat(alert.detected_at).timestamp()


def _talk(test: Backtest) -> None:
    summary = test.summary
    span = (
        f"{rfc3339(summary.first_at)} to {rfc3339(summary.last_at)}"
        if summary.matched
        else "nothing"
    )
    parts = [f"{summary.mentions} mentions read, {summary.matched} matched, {span}"]
    if summary.duplicates:
        parts.append(f"{summary.duplicates} repeated")
    if summary.late:
        parts.append(f"{summary.late} out of order and not counted: sort the file by time")
    parts += [f"{number} {reason}" for reason, number in sorted(summary.dropped.items())]
    sys.stderr.write("; ".join(parts) + "\n")
