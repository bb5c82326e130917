from __future__ import annotations

from sentinel.runtime.metrics import Metrics
from tests.fakes.backend import FakeStatus
from tests.web.conftest import Open


async def test_a_living_process_says_so(visit: Open) -> None:
    answer = await (await visit()).get("/healthz")
    assert (answer.status, await answer.json()) == (200, {"status": "ok", "problems": []})


async def test_a_stopped_pipeline_is_told_to_whoever_can_restart_it(
    visit: Open, status: FakeStatus
) -> None:
    status.wrong_with_life = ["the pipeline has not beaten for 90 s"]
    answer = await (await visit()).get("/healthz")
    body = await answer.json()
    assert (503, "failing", status.wrong_with_life) == (
        answer.status,
        body["status"],
        body["problems"],
    )


async def test_not_ready_is_not_dead(visit: Open, status: FakeStatus) -> None:
    status.wrong_with_work = ["the store is not writable"]
    client = await visit()
    assert (await client.get("/readyz")).status == 503
    assert (await client.get("/healthz")).status == 200


async def test_a_probe_may_call_by_any_name(visit: Open) -> None:
    client = await visit()
    assert (await client.get("/healthz", headers={"Host": "10.0.0.7:8080"})).status == 200


async def test_metrics_are_what_prometheus_reads(visit: Open) -> None:
    answer = await (await visit()).get("/metrics")
    text = await answer.text()
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert 'sentinel_mentions_ingested_total{source="bluesky"} 0.0' in text
    assert Metrics().registry is not None
