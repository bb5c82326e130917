"""The Prometheus and Alertmanager files, checked by their own tools."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.tools import DEPLOY, ROOT, exported_names, run, tool, used_names

RULES = DEPLOY / "prometheus" / "rules.yml"


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(RULES.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_promtool_accepts_every_rule() -> None:
    output = run(tool("promtool", "prometheus"), "check", "rules", RULES)
    assert f"{len(rules())} rules found" in output


def test_every_rule_fires_and_stays_silent_as_its_unit_tests_say() -> None:
    output = run(
        tool("promtool", "prometheus"), "test", "rules", "rules_test.yml", cwd=RULES.parent
    )
    assert "SUCCESS" in output


def test_the_unit_tests_notice_a_rule_that_never_fires(tmp_path: Path) -> None:
    broken = RULES.read_text().replace("sentinel_outbox_dead > 0", "sentinel_outbox_dead > 1e9")
    (tmp_path / "rules.yml").write_text(broken)
    document = yaml.safe_load((RULES.parent / "rules_test.yml").read_text())
    document["tests"] = [test for test in document["tests"] if "dead letter" in test["name"]]
    (tmp_path / "rules_test.yml").write_text(yaml.safe_dump(document))
    with pytest.raises(AssertionError, match="SentinelDeadLetters"):
        run(tool("promtool", "prometheus"), "test", "rules", "rules_test.yml", cwd=tmp_path)


def test_every_alert_has_a_unit_test_in_which_it_fires() -> None:
    document = yaml.safe_load((RULES.parent / "rules_test.yml").read_text())
    fired = {
        check["alertname"]
        for test in document["tests"]
        for check in test["alert_rule_test"]
        if check["exp_alerts"]
    }
    assert {rule["alert"] for rule in rules()} == fired


def test_promtool_accepts_the_scrape_configuration(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("not-a-secret")
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    config = tmp_path / "prometheus.yml"
    config.write_text(text.replace("/etc/prometheus/secrets/sentinel_token", str(secret)))
    (tmp_path / "rules.yml").write_text(RULES.read_text())
    output = run(tool("promtool", "prometheus"), "check", "config", config)
    assert "SUCCESS" in output


def test_amtool_accepts_the_alertmanager_configuration() -> None:
    output = run(
        tool("amtool", "prometheus-alertmanager"),
        "check-config",
        DEPLOY / "alertmanager" / "alertmanager.yml",
    )
    assert "2 receivers" in output


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=Watchdog severity=none", "deadman"),
        ("alertname=SentinelDeadLetters severity=page", "operations"),
        ("alertname=SentinelSnapshotOld severity=ticket", "operations"),
    ],
)
def test_an_alert_goes_to_its_receiver(labels: str, receiver: str) -> None:
    output = run(
        tool("amtool", "prometheus-alertmanager"),
        "config",
        "routes",
        "test",
        f"--config.file={DEPLOY / 'alertmanager' / 'alertmanager.yml'}",
        *labels.split(),
    )
    assert receiver == output.splitlines()[0].strip()


def test_rules_use_only_metrics_that_sentinel_exports() -> None:
    expressions = " ".join(rule["expr"] for rule in rules())
    assert set() == used_names(expressions) - exported_names()


def test_unit_tests_use_only_metrics_that_sentinel_exports() -> None:
    text = (RULES.parent / "rules_test.yml").read_text()
    assert set() == used_names(text) - exported_names()


def test_every_alert_says_how_urgent_it_is_and_where_to_read_on() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket", "none"}, rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]
        anchor = f"docs/runbook.md#{rule['alert'].lower()}"
        assert anchor == rule["annotations"]["runbook"]


def test_the_runbook_has_a_section_for_every_alert_and_no_other() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text()
    sections = re.findall(r"^### (\w+)$", text, flags=re.MULTILINE)
    assert sorted(rule["alert"] for rule in rules()) == sorted(sections)
