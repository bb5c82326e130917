from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from sentinel.model import Action, Direction, DropReason, EffectKind, Severity
from sentinel.runtime.metrics import (
    INGEST_REJECTIONS,
    NOTIFY_FAILURES,
    SOURCE_FAILURES,
    Metrics,
)
from tests.deploy.tools import run, tool

SOURCES, NOTIFIERS = ("bluesky", "webhook"), ("slack", "email")
DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


def fresh() -> Metrics:
    return Metrics(SOURCES, NOTIFIERS, languages=["it", "en"])


def label_sets(metrics: Metrics, family: str) -> set[tuple[str, ...]]:
    """Label values of a family's samples, bucket bounds left out."""
    return {
        tuple(value for name, value in sample.labels.items() if name != "le")
        for found in metrics.registry.collect()
        if found.name == family
        for sample in found.samples
    }


def test_every_sample_exists_at_zero_before_its_first_event() -> None:
    samples = [sample for family in fresh().registry.collect() for sample in family.samples]
    assert {0.0} == {sample.value for sample in samples}
    assert len(samples) > 150


def test_labels_are_created_for_every_member_of_their_closed_sets() -> None:
    metrics = fresh()
    severities = [severity.slug for severity in Severity]
    for family, expected in (
        ("sentinel_mentions_ingested", {(s,) for s in SOURCES}),
        ("sentinel_mentions_dropped", {(s, r.value) for s in SOURCES for r in DropReason}),
        ("sentinel_source_reconnects", {(s, r) for s in SOURCES for r in SOURCE_FAILURES}),
        ("sentinel_source_connected", {(s,) for s in SOURCES}),
        ("sentinel_source_silent", {(s,) for s in SOURCES}),
        ("sentinel_ingest_lag_seconds", {(s,) for s in SOURCES}),
        ("sentinel_ingest_rejected", {(r,) for r in INGEST_REJECTIONS}),
        ("sentinel_alert_delivery_seconds", {(n,) for n in NOTIFIERS}),
        (
            "sentinel_alert_delivery_failures",
            {(n, r) for n in NOTIFIERS for r in NOTIFY_FAILURES},
        ),
        ("sentinel_outbox_dead", {(n,) for n in NOTIFIERS}),
        ("sentinel_effects", {(kind.value,) for kind in EffectKind}),
        ("sentinel_commands", {(action.value,) for action in Action}),
        ("sentinel_incidents_open", {(d.value, s) for d in Direction for s in severities}),
    ):
        assert expected == label_sets(metrics, family), family


def test_only_the_version_waits_for_the_app() -> None:
    empty = {family.name for family in fresh().registry.collect() if not family.samples}
    assert {"sentinel_build_info"} == empty


def test_promtool_finds_nothing_to_object_to() -> None:
    text = generate_latest(fresh().registry).decode()
    output = run(tool("promtool", "prometheus"), "check", "metrics", text=text)
    assert not output.strip()


def test_promtool_would_object_to_a_metric_without_help() -> None:
    promtool = tool("promtool", "prometheus")
    text = "# TYPE sentinel_x counter\nsentinel_x 1\n"
    with pytest.raises(AssertionError, match="sentinel_x"):
        run(promtool, "check", "metrics", text=text)


def test_no_label_can_come_from_a_mention() -> None:
    allowed = {
        *("source", "reason", "notifier", "kind", "action", "direction", "severity"),
        *("queue", "language", "version", "le", "label", "outcome"),
    }
    metrics = fresh()
    metrics.build.labels("0.1.0").set(1)
    found = {
        label
        for family in metrics.registry.collect()
        for sample in family.samples
        for label in sample.labels
    }
    assert allowed == found


def test_two_instances_do_not_share_anything() -> None:
    first, second = fresh(), fresh()
    first.commits_failed.inc()
    assert first.registry.get_sample_value("sentinel_commits_failed_total") == 1.0
    assert second.registry.get_sample_value("sentinel_commits_failed_total") == 0.0


# --- documentation ------------------------------------------------------------------------------


def documented() -> dict[str, tuple[str, set[str]]]:
    """Name, type and labels of each row of docs/metrics.md."""
    rows = re.findall(
        r"^\| `(sentinel_\w+)` \| (\w+) \|([^|]*)\|", DOCS.read_text(), flags=re.MULTILINE
    )
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def exported() -> dict[str, tuple[str, set[str]]]:
    metrics = fresh()
    metrics.build.labels("0.1.0").set(1)
    return {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
        )
        for family in metrics.registry.collect()
    }


def test_the_documentation_has_every_metric_with_its_type_and_labels_and_no_other() -> None:
    assert exported() == documented()


def test_every_documented_metric_says_what_it_means_and_who_acts() -> None:
    for line in DOCS.read_text().splitlines():
        if line.startswith("| `sentinel_"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert len(cells) == 5, line
            assert all(cells[i] for i in (0, 1, 3, 4)), line


def test_a_language_outside_the_closed_set_is_another_one() -> None:
    metrics = Metrics(SOURCES, NOTIFIERS, languages=["it"], told=["it", "el", "und"])
    before = label_sets(metrics, "sentinel_mentions_unscored")
    for language in ("el", "tlh", "<b>", "und"):
        metrics.unscored(language)
        metrics.mixed(language)

    assert {
        ("language", "it"),
        ("language", "el"),
        ("language", "other"),
        ("empty", "und"),
    } == before
    assert before == label_sets(metrics, "sentinel_mentions_unscored")
    value = metrics.registry.get_sample_value
    assert 2.0 == value(
        "sentinel_mentions_unscored_total", {"reason": "language", "language": "other"}
    )
