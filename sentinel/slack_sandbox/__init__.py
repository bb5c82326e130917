"""A local stand-in for Slack: the part of its Web API that Sentinel uses, and a page to look at and press buttons on.

What lives here: a fake for the demo, for tests and for trying Sentinel without a workspace. It keeps messages in memory,
validates blocks as Slack does, misbehaves on request (``faults``) and sends signed interactions back to the app, by
HTTP or through Socket Mode. What does not: anything that Sentinel needs in production.
"""

from sentinel.slack_sandbox.faults import Fault, FaultKind
from sentinel.slack_sandbox.interactions import Answer
from sentinel.slack_sandbox.server import Call, SlackSandbox
from sentinel.slack_sandbox.workspace import Message, User

__all__ = ["Answer", "Call", "Fault", "FaultKind", "Message", "SlackSandbox", "User"]
