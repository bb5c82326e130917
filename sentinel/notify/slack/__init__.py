"""Slack: one storyline is one message, edited in place; its buttons and checkboxes come back as commands.

===============  ==================================================================================
``config``       settings of ``[[notifiers]] type = "slack"``
``notifier``     outbound: post, edit, reply, look up what an ambiguous failure left behind
``blocks``       what the message is made of (with ``rich``, ``chart``, ``checklist``, ``labels``)
``actions``      inbound, pure: an interaction's payload -> commands
``inbound``      inbound, network: signature checks, HTTP routes, acknowledgements
``socket_mode``  the same without a public address, with a watchdog
===============  ==================================================================================
"""

from sentinel.notify.slack.config import SlackConfig
from sentinel.notify.slack.inbound import SlackInbound
from sentinel.notify.slack.notifier import SlackNotifier

__all__ = ["SlackConfig", "SlackInbound", "SlackNotifier"]
