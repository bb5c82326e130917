"""Sentinel: crisis detection and contingency alerting for brands.

The map of the house is ``docs/architecture.md``; the one way through it is
source -> match -> score -> detect -> incident -> playbook -> outbox -> notifier.
"""

__version__ = "0.1.0"
