"""Structured logs on standard error: JSON lines for machines, short coloured lines on a terminal.

Event names are constant and in the past tense. Mention text, authors and tokens are never logged.
"""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logging(level: str = "info", *, json: bool | None = None) -> None:
    """Set structlog and the standard library's logging to one stream and one form.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        json: Force JSON or the human form; None chooses JSON unless standard error is a terminal.
    """
    as_json = not sys.stderr.isatty() if json is None else json
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor
    if as_json:
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(number),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()  # noqa: TID251 - the one place that joins both worlds
    root.handlers[:] = [handler]
    root.setLevel(number)
    for noisy in ("aiosqlite", "alembic", "slack_sdk", "slack_bolt", "py3langid", "mqtt"):
        logging.getLogger(noisy).setLevel(max(number, logging.WARNING))  # noqa: TID251
