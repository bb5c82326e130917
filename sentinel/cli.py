"""The command line: declares commands, maps errors to exit codes. What a command does is in ``sentinel/commands``.

Exit codes: 0 fine, 1 a negative answer, 2 wrong use or a wrong configuration (with file and key).
"""

from __future__ import annotations

import datetime as dt
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, cast

import typer

from sentinel import __version__
from sentinel.errors import ConfigError, SentinelError
from sentinel.model import Direction

app = typer.Typer(
    name="sentinel",
    help="Crisis detection and contingency alerting for brands.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
playbooks_app = typer.Typer(help="Lint, list, show and match playbooks.", no_args_is_help=True)
app.add_typer(playbooks_app, name="playbooks")
language_app = typer.Typer(help="Train and evaluate sentiment models.", no_args_is_help=True)
app.add_typer(language_app, name="language")

ConfigOption = Annotated[Path, typer.Option("-c", "--config", help="The configuration file.")]
Directory = Annotated[
    Path | None,
    typer.Option("-d", "--directory", help="Your own playbooks, over the packaged ones."),
]
LanguageOption = Annotated[str, typer.Option(help="it or en.")]


def _version(value: bool) -> None:
    if value:
        typer.echo(f"sentinel {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Crisis detection and contingency alerting for brands."""


@app.command()
def demo(
    port: Annotated[
        int,
        typer.Option(
            help="Of the Slack page; Sentinel's own pages take the next one. 0 for free ones."
        ),
    ] = 8080,
    wait: Annotated[
        bool | None,
        typer.Option("--wait/--no-wait", help="Keep serving afterwards; default: on a terminal."),
    ] = None,
) -> None:
    """The main job on embedded defaults: a crisis, its alert, its playbook."""
    from sentinel.commands import service as run

    _exit(lambda: run.demo(port, wait))


@app.command()
def drill(
    name: Annotated[
        str,
        typer.Argument(
            help="A scenario's name, or the path of one of your own; none to list them."
        ),
    ] = "",
    live: Annotated[
        bool, typer.Option("--live", help="Tell the configured people, in real time.")
    ] = False,
    config: ConfigOption = Path("sentinel.toml"),
    minutes: Annotated[
        float, typer.Option(min=1, help="With --live: how long, from the crisis' beginning.")
    ] = 90.0,
    port: Annotated[
        int,
        typer.Option(
            help="Of the Slack page (with --live: of the drill's pages). 0 for a free one."
        ),
    ] = 0,
    wait: Annotated[
        bool | None,
        typer.Option("--wait/--no-wait", help="Keep serving afterwards; default: on a terminal."),
    ] = None,
    language: Annotated[str, typer.Option(help="it or en, without --live.")] = "",
) -> None:
    """A rehearsal, marked as such in every text: a crisis to react to, and a review of how it went."""
    from sentinel.commands import service as run

    _exit(
        lambda: run.drill(
            name,
            live=live,
            path=config,
            minutes=minutes,
            port=port,
            wait=wait,
            language=language,
        )
    )


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("sentinel.toml"),
) -> None:
    """Write a commented configuration."""
    from sentinel.commands import service as run

    _exit(lambda: run.init(path))


@app.command()
def check(config: ConfigOption = Path("sentinel.toml")) -> None:
    """Check configuration, playbooks and rota."""
    from sentinel.commands import service as run

    today = dt.datetime.now(dt.UTC).date()  # noqa: TID251 - the edge: the core gets the date
    _exit(lambda: run.check(config, today))


@app.command("run")
def run_service(config: ConfigOption = Path("sentinel.toml")) -> None:
    """Run the service."""
    from sentinel.commands import service as run

    _exit(lambda: run.run(config))


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="0 for a free one.")] = 8090,
    interactivity_url: Annotated[
        str, typer.Option(help="Where clicks go by HTTP; not needed with Socket Mode.")
    ] = "",
) -> None:
    """A local Slack: try Sentinel without a workspace."""
    from sentinel.commands import service as run

    _exit(lambda: run.sandbox(port, interactivity_url))


@app.command()
def backtest(
    file: Annotated[
        str,
        typer.Argument(
            help="Past mentions (NDJSON or CSV) or counts (CSV: timestamp,brand,mentions,negative[,positive]),"
            " plain or gzip; - for mentions from standard input."
        ),
    ],
    config: Annotated[
        Path | None, typer.Option("-c", "--config", help="Brands and playbooks of a configuration.")
    ] = None,
    brand: Annotated[str, typer.Option(help="Only this brand.")] = "",
    field_map: Annotated[
        list[str] | None, typer.Option("--map", help="FIELD=COLUMN, such as published_at=ts.")
    ] = None,
    budget_days: Annotated[
        float | None, typer.Option(min=1, help="At most one false page in so many days.")
    ] = None,
    compare: Annotated[
        float | None, typer.Option(min=1, help="A second budget in days, on the same past.")
    ] = None,
    timezone: Annotated[
        str, typer.Option(help="The audience's time zone, where no configuration says it.")
    ] = "UTC",
    language: Annotated[str, typer.Option(help="it or en; the configuration's by default.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One alert a line.")] = False,
    processes: Annotated[
        int, typer.Option(min=0, help="For language scoring; 0 for one a core.")
    ] = 0,
) -> None:
    """Which alerts past mentions would have raised."""
    from sentinel.commands.backtest import backtest as run

    _exit(
        lambda: run(
            file,
            config_path=config,
            brand=brand,
            field_map=field_map or (),
            budget_days=budget_days,
            compare=compare,
            timezone=timezone,
            language=language,
            as_json=json,
            processes=processes,
        )
    )


@app.command()
def explain(
    incident: Annotated[str, typer.Argument(help="As in the alert.")],
    config: ConfigOption = Path("sentinel.toml"),
    database: Annotated[
        str, typer.Option(help="A database file; then no configuration is needed.")
    ] = "",
    language: Annotated[str, typer.Option(help="it or en; the brand's by default.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One alarm a line.")] = False,
) -> None:
    """Why an alert was raised, recomputed from what was stored with it."""
    from sentinel.commands.explain import explain as run

    _exit(lambda: run(incident, config, database, language=language, as_json=json))


@app.command()
def report(
    incident: Annotated[str, typer.Argument(help="As in the alert.")],
    config: ConfigOption = Path("sentinel.toml"),
    database: Annotated[
        str, typer.Option(help="A database file; then no configuration is needed.")
    ] = "",
    language: Annotated[str, typer.Option(help="it or en; the brand's by default.")] = "",
) -> None:
    """The after-action review of an incident, in Markdown."""
    from sentinel.commands.report import report as run

    _exit(lambda: run(incident, config, database, language))


@app.command()
def score(
    file: Annotated[
        Path, typer.Argument(help="CSV: timestamp,value or timestamp,mentions,negative[,positive].")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="CSV to write.")],
    timezone: Annotated[str, typer.Option(help="The audience's time zone.")] = "UTC",
) -> None:
    """Anomaly scores of a series of counts, each from the past only."""
    from sentinel.commands.score import score as run

    _exit(lambda: run(file, output, timezone=timezone))


@app.command()
def classify(
    languages: Annotated[
        str, typer.Option(help="Languages to tell apart, comma-separated.")
    ] = "it,en",
    scorer: Annotated[str, typer.Option(help="Which scorer.")] = "default",
    model: Annotated[
        Path | None, typer.Option(help="Your own model; for the transformer its directory.")
    ] = None,
) -> None:
    """Language, sentiment and crisis types of posts: NDJSON in, NDJSON out."""
    from sentinel.commands.classify import classify as run

    source = cast("io.BufferedIOBase", sys.stdin.buffer)
    _exit(lambda: run(source, sys.stdout.buffer, tuple(languages.split(",")), scorer, model))


@playbooks_app.command("lint")
def playbooks_lint(directory: Directory = None) -> None:
    """Check every playbook; for CI."""
    from sentinel.commands import playbooks as run

    today = dt.datetime.now(dt.UTC).date()  # noqa: TID251 - the edge: the core gets the date
    _exit(lambda: run.lint(directory, today))


@playbooks_app.command("list")
def playbooks_list(directory: Directory = None, language: LanguageOption = "en") -> None:
    """One line a playbook."""
    from sentinel.commands import playbooks as run

    _exit(lambda: run.list_all(directory, language))


@playbooks_app.command("show")
def playbooks_show(
    playbook: str, directory: Directory = None, language: LanguageOption = "it"
) -> None:
    """One playbook, readable."""
    from sentinel.commands import playbooks as run

    _exit(lambda: run.show_one(directory, playbook, language))


@playbooks_app.command("match")
def playbooks_match(
    texts: Annotated[
        list[str] | None, typer.Argument(help="Posts; without any, one a line from standard input.")
    ] = None,
    directory: Directory = None,
    direction: Annotated[Direction, typer.Option(help="threat or opportunity.")] = Direction.THREAT,
) -> None:
    """Rank playbooks for posts, with reasons."""
    from sentinel.commands import playbooks as run

    _exit(
        lambda: run.match(
            directory, texts or [line.strip() for line in sys.stdin if line.strip()], direction
        )
    )


@language_app.command("evaluate")
def language_evaluate(
    file: Annotated[Path, typer.Argument(help="Labelled posts, NDJSON.")],
    languages: Annotated[
        str, typer.Option(help="Languages to tell apart, comma-separated.")
    ] = "it,en",
    scorer: Annotated[str, typer.Option(help="Which scorer.")] = "default",
    model: Annotated[Path | None, typer.Option(help="Your own model.")] = None,
) -> None:
    """How good a scorer is on labelled posts, with intervals."""
    from sentinel.commands import language as run

    _exit(
        lambda: run.evaluate_file(
            file, languages=tuple(languages.split(",")), kind=scorer, model=model
        )
    )


@language_app.command("train")
def language_train(
    file: Annotated[Path, typer.Argument(help="Labelled posts, NDJSON.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Model to write.")],
    languages: Annotated[
        str, typer.Option(help="Languages to tell apart, comma-separated.")
    ] = "it,en",
) -> None:
    """Make a model of your own and see it beside the shipped one."""
    from sentinel.commands import language as run

    _exit(lambda: run.train_file(file, output, languages=tuple(languages.split(","))))


@language_app.command("corrections")
def language_corrections(
    config: ConfigOption = Path("sentinel.toml"),
    database: Annotated[
        str, typer.Option(help="A database file; then no configuration is needed.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="One label a line.")] = False,
) -> None:
    """What people said that posts are, and what was learnt from it."""
    from sentinel.commands.corrections import corrections as run

    _exit(lambda: run(config, database, as_json=json))


def _exit(run: Callable[[], int]) -> None:
    """Run a command; errors become one line and an exit code."""
    try:
        code = run()
    except ConfigError as error:
        typer.echo(f"sentinel: {error}", err=True)
        code = 2
    except SentinelError as error:
        typer.echo(f"sentinel: {error}", err=True)
        code = 1
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    except KeyboardInterrupt:
        code = 130
    raise typer.Exit(code)


def main() -> None:
    """Entry point."""
    app()
