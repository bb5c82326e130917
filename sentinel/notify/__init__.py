"""How people are told: one file a vendor, one registry line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from sentinel.notify.base import Notifier, NotifyContext, Refs
from sentinel.notify.console import ConsoleConfig, ConsoleNotifier
from sentinel.notify.email import EmailConfig, EmailNotifier
from sentinel.notify.pagerduty import PagerDutyConfig, PagerDutyNotifier
from sentinel.notify.slack import SlackConfig, SlackNotifier
from sentinel.runtime.clock import Clock

NotifierConfig = ConsoleConfig | EmailConfig | PagerDutyConfig | SlackConfig
"""Settings of any notifier, told apart by ``type``."""

CONFIGS: dict[str, type[NotifierConfig]] = {
    "console": ConsoleConfig,
    "email": EmailConfig,
    "pagerduty": PagerDutyConfig,
    "slack": SlackConfig,
}
"""``type`` in ``[[notifiers]]`` to the struct of its settings."""


class Tools(msgspec.Struct, frozen=True):
    """What notifiers are built with."""

    context: NotifyContext
    refs: Refs
    clock: Clock


_BUILDERS: dict[type, Callable[[Any, Tools], Notifier]] = {
    ConsoleConfig: lambda config, tools: ConsoleNotifier(config, tools.context),
    EmailConfig: lambda config, tools: EmailNotifier(config, tools.context, tools.clock),
    PagerDutyConfig: lambda config, tools: PagerDutyNotifier(config, tools.context),
    SlackConfig: lambda config, tools: SlackNotifier(
        config, tools.context, tools.refs, tools.clock
    ),
}


def build_notifiers(
    configs: Sequence[NotifierConfig], tools: Tools, stack: AsyncExitStack
) -> dict[str, Notifier]:
    """All configured notifiers by name; what they hold open is closed with ``stack``."""
    built: dict[str, Notifier] = {}
    for config in configs:
        notifier = _BUILDERS[type(config)](config, tools)
        close = getattr(notifier, "close", None)
        if close is not None:
            stack.push_async_callback(close)
        built[notifier.name] = notifier
    return built
