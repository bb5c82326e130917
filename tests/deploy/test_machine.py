"""systemd, container, compose and broker files: what can be proven without the daemons that read them."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import yaml

from tests.deploy.tools import DEPLOY, ROOT, run, tool

UNIT = DEPLOY / "systemd" / "sentinel.service"
DOCKERFILE = (DEPLOY / "container" / "Dockerfile").read_text()


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    return loaded


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    analyse = tool("systemd-analyze", "systemd")
    program = tmp_path / "sentinel"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "sentinel.service"
    unit.write_text(UNIT.read_text().replace("/opt/sentinel/bin/sentinel", str(program)))
    output = run(analyse, "verify", "--man=no", unit)
    assert [line for line in output.splitlines() if "sentinel.service" in line] == []


def test_systemd_finds_little_that_the_unit_exposes() -> None:
    analyse = tool("systemd-analyze", "systemd")
    output = run(analyse, "security", "--offline=true", "--threshold=20", "--no-pager", UNIT)
    assert "Overall exposure level for sentinel.service: 1." in output


def test_the_image_runs_as_a_numeric_user_that_is_not_root() -> None:
    assert re.search(r"^USER (?!0)\d+:\d+$", DOCKERFILE, flags=re.MULTILINE)


def test_the_image_asks_the_service_itself_whether_it_is_well() -> None:
    assert "HEALTHCHECK" in DOCKERFILE
    assert "/healthz" in DOCKERFILE


def test_the_image_is_built_from_files_that_exist_and_are_not_ignored() -> None:
    lines = (DEPLOY / "container" / "Dockerfile.dockerignore").read_text().splitlines()
    kept = [line[1:] for line in lines if line.startswith("!")]
    assert [name for name in kept if not (ROOT / name).exists()] == []


def test_no_image_floats() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE)
    images += [service["image"] for service in compose()["services"].values()]
    for image in images:
        assert re.fullmatch(
            r"[\w./-]+:v?\d+(\.\d+)+(-[a-z]+)?", image.replace("-slim-", "-"), re.ASCII
        )


def test_compose_gives_no_password_a_default_and_opens_nothing_beyond_loopback() -> None:
    for name, service in compose()["services"].items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
        for key, value in service.get("environment", {}).items():
            if "PASSWORD" in key or "TOKEN" in key:
                assert re.fullmatch(r"\$\{\w+:\?.+\}", value), f"{name}: {key}"
    example = (DEPLOY / "compose" / ".env.example").read_text()
    assert [
        line for line in example.splitlines() if not line.startswith("#") and not line.endswith("=")
    ] == []


def test_compose_mounts_files_that_exist_or_that_the_operator_makes() -> None:
    made_by_the_operator = {
        "./sentinel.toml",
        "./secrets/mosquitto_passwd",
        "./secrets/sentinel_token",
        "./secrets/ops_slack_url",
    }
    mounts = {
        volume.split(":")[0]
        for service in compose()["services"].values()
        for volume in service.get("volumes", [])
    }
    files = {mount for mount in mounts if mount.startswith(".")} - made_by_the_operator
    assert [name for name in files if not (DEPLOY / "compose" / name).exists()] == []
    assert {mount for mount in mounts if not mount.startswith(".")} == set(compose()["volumes"])


@pytest.fixture
async def broker_port(tmp_path: Path) -> AsyncIterator[int]:
    mosquitto = tool("mosquitto", "mosquitto")
    passwords = tmp_path / "passwd"
    passwords.touch(mode=0o600)
    for user in ("sentinel", "publisher"):
        run(tool("mosquitto_passwd", "mosquitto"), "-b", passwords, user, f"{user}-pass")
    acl = tmp_path / "acl"
    acl.write_text((DEPLOY / "mosquitto" / "acl").read_text())
    acl.chmod(0o600)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    text = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text()
    text = text.replace("listener 1883", f"listener {port} 127.0.0.1", 1)
    text = text.replace("/mosquitto/config/", f"{tmp_path}/").replace(
        "/mosquitto/data/", f"{tmp_path}/"
    )
    # Started as root, the broker would drop to a user that cannot read the test's folder.
    (tmp_path / "mosquitto.conf").write_text(text + "\nuser root\n")
    process = subprocess.Popen(  # noqa: ASYNC220 - starting takes no time; waiting is done below
        [mosquitto, "-c", str(tmp_path / "mosquitto.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)


async def test_the_broker_takes_nobody_without_a_password(broker_port: int) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client("127.0.0.1", broker_port):
            pass


async def test_a_publisher_brings_mentions_and_sentinel_reads_them(broker_port: int) -> None:
    async with (
        aiomqtt.Client(
            "127.0.0.1", broker_port, username="sentinel", password="sentinel-pass"
        ) as reader,
        aiomqtt.Client(
            "127.0.0.1", broker_port, username="publisher", password="publisher-pass"
        ) as writer,
    ):
        await reader.subscribe("sentinel/v1/+/mentions/#", qos=1)
        await writer.publish("sentinel/v1/aurora/mentions/forum", b"one", qos=1)
        message = await asyncio.wait_for(anext(aiter(reader.messages)), 5)
    assert message.payload == b"one"


async def test_a_publisher_cannot_listen_to_what_others_bring(broker_port: int) -> None:
    async with aiomqtt.Client(
        "127.0.0.1", broker_port, username="publisher", password="publisher-pass"
    ) as client:
        await client.subscribe("sentinel/v1/#", qos=1)
        await client.publish("sentinel/v1/aurora/mentions/forum", b"one", qos=1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(aiter(client.messages)), 0.5)
