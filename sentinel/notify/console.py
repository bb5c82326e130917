"""Alerts on a terminal, as a person would read them.

What lives here: the console notifier and its settings. What does not: wording (``message``), logs (they go to standard
error and never hold the text of a mention).

Everything is printed through rich ``Text`` objects, never as mark-up: ``[bold]`` in a post is shown as ``[bold]``.
Colours are used on a terminal only, and not where ``NO_COLOR`` is set.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import Final, TextIO

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sentinel.errors import NotifyError
from sentinel.i18n import translator
from sentinel.model import OPERATIONAL, Direction, Effect, EffectKind, Severity
from sentinel.notify.alert import AlertMessage, Section
from sentinel.notify.base import Notice, NotifyContext
from sentinel.notify.worded import worded

_PLAIN_WIDTH: Final = 100
_REMEMBERED_KEYS: Final = 1000
_COLOUR: Final = {
    Severity.LOW: "yellow",
    Severity.MEDIUM: "dark_orange",
    Severity.HIGH: "red",
    Severity.CRITICAL: "bold white on red",
}
_QUIET_KINDS: Final = frozenset({"pause", "never", "clocks", "statement", "stand_down"})


class ConsoleConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="console"
):
    """Settings of ``[[notifiers]] type = "console"``.

    Attributes:
        name: A metric label.
        checklist: Whether the plan's steps, statement and rules are printed with the alert.
        updates: Whether new figures of an open incident are printed, one line each.
    """

    name: str = "console"
    checklist: bool = True
    updates: bool = True


class ConsoleNotifier:
    """Prints alerts and what becomes of them.

    Args:
        config: Its settings.
        context: Brands, playbooks and the rota.
        stream: Where to print; standard output where it is not given.
    """

    def __init__(
        self, config: ConsoleConfig, context: NotifyContext, *, stream: TextIO | None = None
    ) -> None:
        self.name = config.name
        self._config, self._context = config, context
        self._console = Console(file=stream or sys.stdout, highlight=False, emoji=False)
        if not self._console.is_terminal:
            self._console.width = _PLAIN_WIDTH
        self._told: deque[str] = deque(maxlen=_REMEMBERED_KEYS)

    def wants(self, effect: Effect) -> bool:
        """Everything; new figures only where the settings say so."""
        return effect.kind is not EffectKind.UPDATED or self._config.updates

    def lane(self, effect: Effect) -> str:
        """One storyline after another; operational messages on their own."""
        return effect.incident.id if effect.incident is not None else "operations"

    async def deliver(self, notice: Notice) -> None:
        """Print it, once per key.

        Raises:
            NotifyError: The terminal or pipe does not take it.
        """
        if notice.key in self._told:
            return
        message = worded(notice.effect, self._context)
        try:
            self._print(notice.effect, message)
            self._console.file.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream has been closed
            raise NotifyError("cannot print to the console", reason="unreachable") from error
        self._told.append(notice.key)

    def _print(self, effect: Effect, message: AlertMessage) -> None:
        if effect.kind is EffectKind.OPENED or effect.kind in OPERATIONAL:
            self._print_alert(message)
        else:
            self._print_line(effect, message)

    def _print_alert(self, message: AlertMessage) -> None:
        out, style = self._console, _style(message)
        out.rule(style=style)
        if message.drill:
            out.print(Text(message.drill, style="bold reverse"))
        out.print(Text(message.header, style=f"bold {style}"))
        out.print(Text(message.sentence, style="bold"))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="cyan", no_wrap=False, max_width=18)
        grid.add_column()
        for section in message.sections():
            if self._shown(section):
                grid.add_row(Text(section.heading), _body(section))
        out.print(grid)
        if message.incident_id and self._context.base_url:
            # Soft wrap, so that a terminal still sees one address to click on.
            address = f"{self._context.base_url}/incidents/{message.incident_id}"
            out.print(Text(address, style="underline"), soft_wrap=True)
        out.rule(style=style)

    def _shown(self, section: Section) -> bool:
        plan = section.kind in _QUIET_KINDS or section.kind.startswith("checklist")
        return self._config.checklist or not plan

    def _print_line(self, effect: Effect, message: AlertMessage) -> None:
        """One change, one line: when, which storyline, what."""
        when = translator(message.language, message.timezone).time(effect.at)
        mark = f"[{message.headings.drill}] " if message.drill else ""
        what = message.thread_reply.removeprefix(mark) or message.trend
        quiet = effect.kind is EffectKind.UPDATED
        line = Text.assemble(
            (f"{when} ", "dim"),
            (mark, "bold reverse"),
            (f"{message.brand}: ", "dim" if quiet else f"bold {_style(message)}"),
            (what, "dim" if quiet else ""),
        )
        self._console.print(line, no_wrap=quiet, overflow="ellipsis", crop=quiet)


def _style(message: AlertMessage) -> str:
    if message.direction is Direction.OPPORTUNITY:
        return "green"
    return _COLOUR[message.severity] if message.severity is not None else "magenta"


def _body(section: Section) -> Text:
    text = Text()
    for number, line in enumerate(section.lines):
        faint = section.kind == "quotes" and not line.startswith(("“", "«"))
        text.append(("\n" if number else "") + line, style="dim" if faint else "")
    return text
