"""The dashboard shows what exists, in queries that Prometheus can parse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.tools import DEPLOY, exported_names, run, tool, used_names

BOARD = DEPLOY / "grafana" / "dashboards" / "sentinel.json"
PROVISIONING = DEPLOY / "grafana" / "provisioning"


def board() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(BOARD.read_text())
    return loaded


def expressions() -> list[str]:
    panels = [target["expr"] for panel in board()["panels"] for target in panel.get("targets", [])]
    return panels + [note["expr"] for note in board()["annotations"]["list"]]


def test_the_dashboard_uses_only_metrics_that_sentinel_exports() -> None:
    assert set() == used_names(" ".join(expressions())) - exported_names()


def test_every_metric_that_sentinel_exports_is_on_the_dashboard() -> None:
    shown = used_names(" ".join(expressions()))
    parts = ("_bucket", "_count", "_sum")
    families = {name for name in exported_names() if not name.endswith(parts)}
    families |= {name for name in exported_names() if name.endswith("_bucket")}
    assert set() == families - shown


def test_prometheus_can_parse_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {
            "record": f"dashboard:query:{number}",
            "expr": query.replace("$__rate_interval", "5m").replace("$instance", ".*"),
        }
        for number, query in enumerate(expressions())
    ]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    run(tool("promtool", "prometheus"), "check", "rules", path)


def test_panels_have_their_own_ids_and_do_not_overlap() -> None:
    panels = board()["panels"]
    assert len(panels) == len({panel["id"] for panel in panels})
    cells = [
        (x, y)
        for panel in panels
        for place in (panel["gridPos"],)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert all(x < 24 for x, _ in cells)


def test_the_dashboard_asks_the_provisioned_data_source() -> None:
    source = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())
    uid = source["datasources"][0]["uid"]
    used = {
        target["datasource"]["uid"]
        for panel in board()["panels"]
        for target in panel.get("targets", [])
    }
    assert {uid} == used
