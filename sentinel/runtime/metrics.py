"""Every metric Sentinel exports, in one place, on a registry of its own.

Label values come from the configuration or from closed enums and are created at 0 at start-up, so that a rate
exists before its first event. Never a label from a mention: no author, no text, no incident id.
The help text says what a non-zero rate means and who acts. ``docs/metrics.md`` has one row each (a test checks).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from sentinel.model import Action, Direction, DropReason, EffectKind, Severity

disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped in prometheus-client

SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300)

SOURCE_FAILURES = (
    "disconnected",
    "refused",
    "timeout",
    "rate_limited",
    "protocol",
    "gap",
    "crashed",
    "error",
)
"""Closed reasons of a source's reconnect; a source maps its errors onto these."""

NOTIFY_FAILURES = (
    "timeout",
    "unreachable",
    "rate_limited",
    "server_error",
    "rejected",
    "misconfigured",
    "ambiguous",
    "crashed",
)
"""Closed reasons of a failed delivery."""

INGEST_REJECTIONS = ("unauthorised", "replayed", "malformed", "too_large", "busy", "unsupported")
"""Closed reasons for which the HTTP ingest turned a request away."""

SECOND_OPINIONS = ("reach", "language", "uncertain")
"""Closed reasons for which a post deserves a second opinion."""

SECOND_OPINIONS_SKIPPED = ("busy", "budget", "loading", "broken")
"""Closed reasons for which a post that deserves one gets none."""

LABELS = ("negative", "neutral", "positive", "unrelated")
"""What a person can call a post."""

LAYER_OUTCOMES = ("in_service", "too_few", "one_sided", "no_signal", "log_loss", "macro_f1")
"""What the gate says of what was learnt from people."""


OTHER_LANGUAGE = "other"
"""Label of a language that is not in the closed set."""
UNDETERMINED = "und"
"""Label of mentions without a word to tell a language from (ISO 639-2)."""


class Metrics:
    """All metrics. One instance a process; tests make their own.

    Args:
        sources: Names of the configured sources.
        notifiers: Names of the configured notifiers.
        languages: Codes of the configured languages.
        told: Codes of every language that can be told.
    """

    def __init__(
        self,
        sources: Iterable[str] = (),
        notifiers: Iterable[str] = (),
        languages: Iterable[str] = (),
        told: Iterable[str] = (),
    ) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"sentinel_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"sentinel_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(f"sentinel_{name}", text, labels, buckets=SECONDS, registry=registry)

        self.mentions_ingested = counter(
            "mentions_ingested_total",
            "Mentions taken from a source, before matching. Zero for long: the source is blind; operations act.",
            "source",
        )
        self.mentions_matched = counter(
            "mentions_matched_total",
            "Mentions that concern a brand and were committed. Nobody acts.",
            "source",
        )
        self.mentions_dropped = counter(
            "mentions_dropped_total",
            "Mentions not used, by reason. `late` or `malformed` growing: operations look at the source.",
            "source",
            "reason",
        )
        self.retractions = counter(
            "retractions_total", "Deletions honoured on a platform's word. Nobody acts.", "source"
        )
        self.source_connected = gauge(
            "source_connected",
            "1 while the source is alive. 0: operations act within 15 minutes.",
            "source",
        )
        self.source_silent = gauge(
            "source_silent",
            "1 while a source says that it is alive and nothing comes, or nothing for several of its brands. Operations act within 15 minutes.",
            "source",
        )
        self.source_last_event = gauge(
            "source_last_event_timestamp_seconds",
            "When the source last delivered anything, epoch seconds.",
            "source",
        )
        self.source_reconnects = counter(
            "source_reconnects_total",
            "Restarts of a source, by reason. A steady rate: operations look.",
            "source",
            "reason",
        )
        self.ingest_lag = histogram(
            "ingest_lag_seconds",
            "Received minus published. Above a minute: the source or its platform lags.",
            "source",
        )
        self.ingest_rejected = counter(
            "ingest_rejected_total",
            "HTTP deliveries turned away. `unauthorised` or `replayed`: somebody is trying, or a secret is stale.",
            "reason",
        )
        self.queue_depth = gauge(
            "queue_depth",
            "Deliveries waiting. Staying high: more load than this machine carries.",
            "queue",
        )
        self.batch_seconds = histogram("batch_seconds", "Time from taking a batch to its commit.")
        self.score_seconds = histogram("score_seconds", "Time for language scoring of a batch.")
        self.commits_failed = counter(
            "commits_failed_total",
            "Commits that failed and are tried again. Above zero: disk full or not writable; operations act now.",
        )
        self.mentions_unscored = counter(
            "mentions_unscored_total",
            "Mentions that count without sentiment. `language`: no model in service reads it; many: think of the embedding scorer."
            " `empty`: nothing to read, such as a link alone.",
            "reason",
            "language",
        )
        self.mentions_mixed = counter(
            "mentions_mixed_total",
            "Mentions in two languages, by the one with more words, which they are read in. Nobody acts.",
            "language",
        )
        self.language_drift = counter(
            "language_drift_total",
            "Changes in the classifier's mean negative score. More than a few a week: the talk has changed, or the model no longer fits it;"
            " evaluate it on labelled posts.",
            "language",
        )
        self.second_opinions = counter(
            "second_opinions_total",
            "Posts that the better scorer judged as well, by why they deserved it. Nobody acts.",
            "reason",
        )
        self.second_opinions_skipped = counter(
            "second_opinions_skipped_total",
            "Posts that deserved a second opinion and got none. `broken`: the scorer cannot be loaded; operations act. `busy` and `budget`: the"
            " first verdict stands, nothing is lost.",
            "reason",
        )
        self.labels_given = counter(
            "labels_given_total",
            "What people called posts, confirmations included. Nobody acts.",
            "label",
        )
        self.labels_withdrawn = counter(
            "labels_withdrawn_total", "Words about posts that were taken back. Nobody acts."
        )
        self.learnt_layers = gauge(
            "learnt_layers",
            "What was learnt from people, one a scorer, brand and language, by what the gate says of it. `in_service`: it makes verdicts;"
            " `sentinel language corrections` says why the others do not. Nobody acts.",
            "outcome",
        )
        self.incidents_open = gauge("incidents_open", "Open incidents.", "direction", "severity")
        self.effects = counter("effects_total", "What the core told, by kind.", "kind")
        self.commands = counter("commands_total", "People's actions, by kind.", "action")
        self.false_alarm_budget_spent = gauge(
            "false_alarm_budget_spent_ratio",
            "Pages that people called false in the budget's period, over what it allows; mean over brands. Above 1: tell us.",
        )
        self.alert_delivery = histogram(
            "alert_delivery_seconds", "From commit to the notifier's confirmation.", "notifier"
        )
        self.alert_delivery_failures = counter(
            "alert_delivery_failures_total",
            "Failed attempts, by reason. Operations look; `misconfigured` never heals by itself.",
            "notifier",
            "reason",
        )
        self.outbox_pending = gauge("outbox_pending", "Notices not yet delivered.", "notifier")
        self.outbox_dead = gauge(
            "outbox_dead", "Dead letters. Above zero: operations list and retry them.", "notifier"
        )
        self.slack_socket_connected = gauge(
            "slack_socket_connected", "1 while Socket Mode is connected (or not in use)."
        )
        self.snapshot_age = gauge(
            "snapshot_age_seconds",
            "Age of the oldest brand snapshot. Beyond an hour: restart will be slow.",
        )
        self.last_advance = gauge(
            "core_advanced_timestamp_seconds", "Event time up to which every minute is closed."
        )
        self.build = gauge("build_info", "Always 1; the version is the label.", "version")

        self.told = frozenset({*languages, *told})
        for language in languages:
            self.language_drift.labels(language)
        for language in (*sorted(self.told - {UNDETERMINED}), OTHER_LANGUAGE):
            self.mentions_unscored.labels("language", language)
            self.mentions_mixed.labels(language)
        self.mentions_unscored.labels("empty", UNDETERMINED)
        self._precreate(tuple(sources), tuple(notifiers))

    def unscored(self, language: str) -> None:
        """Count a mention that no model read."""
        reason = "empty" if language == UNDETERMINED else "language"
        self.mentions_unscored.labels(reason, self._bounded(language)).inc()

    def mixed(self, language: str) -> None:
        """Count a mention in two languages."""
        self.mentions_mixed.labels(self._bounded(language)).inc()

    def _bounded(self, language: str) -> str:
        return language if language in self.told or language == UNDETERMINED else OTHER_LANGUAGE

    def _precreate(self, sources: tuple[str, ...], notifiers: tuple[str, ...]) -> None:
        """Create every label combination at 0, so that a rate exists before its first event."""
        by_source = (self.mentions_ingested, self.mentions_matched, self.retractions)
        by_notifier = (self.alert_delivery, self.outbox_pending, self.outbox_dead)
        combinations: list[
            tuple[Iterable[Counter | Gauge | Histogram], Iterable[tuple[str, ...]]]
        ] = [
            (
                (
                    *by_source,
                    self.source_connected,
                    self.source_silent,
                    self.source_last_event,
                    self.ingest_lag,
                ),
                product(sources),
            ),
            ((self.mentions_dropped,), product(sources, DropReason)),
            ((self.source_reconnects,), product(sources, SOURCE_FAILURES)),
            (by_notifier, product(notifiers)),
            ((self.alert_delivery_failures,), product(notifiers, NOTIFY_FAILURES)),
            ((self.ingest_rejected,), product(INGEST_REJECTIONS)),
            ((self.queue_depth,), product(("intake", "outbox"))),
            ((self.second_opinions,), product(SECOND_OPINIONS)),
            ((self.second_opinions_skipped,), product(SECOND_OPINIONS_SKIPPED)),
            ((self.effects,), product(EffectKind)),
            ((self.commands,), product(Action)),
            ((self.labels_given,), product(LABELS)),
            ((self.learnt_layers,), product(LAYER_OUTCOMES)),
            ((self.incidents_open,), product(Direction, [s.slug for s in Severity])),
        ]
        for metrics, labels in combinations:
            for values in labels:
                for metric in metrics:
                    metric.labels(*values)
