"""A real Mosquitto from PATH, on a free loopback port, with persistence; it can be stopped, killed and restarted."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import aiomqtt

BINARY = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Mosquitto:
    """Use as an async context manager.

    Args:
        folder: For its configuration and its persistent state.
        lines: Further lines of configuration.
    """

    def __init__(self, folder: Path, lines: Sequence[str] = ()) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        config = [
            f"listener {self.port} 127.0.0.1",
            "persistence true",
            f"persistence_location {folder}/",
            "max_queued_messages 0",
            "log_type error",
            "log_type warning",
            *([] if any("allow_anonymous" in line for line in lines) else ["allow_anonymous true"]),
            *lines,
        ]
        if os.geteuid() == 0:
            config.append("user root")  # or it drops its rights and cannot write to the folder
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(config) + "\n")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        assert BINARY is not None, "mosquitto is required for these tests: install it"
        self._process = await asyncio.create_subprocess_exec(BINARY, "-c", str(self._config))
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    assert self._process.returncode is None, "mosquitto did not start"
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return

    async def stop(self) -> None:
        """End it in good order: it writes its state."""
        if self._process is not None:
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), 10)
            self._process = None

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def forget(self) -> None:
        """Restart without the persistent state: every session is lost."""
        await self.stop()
        (self._folder / "mosquitto.db").unlink(missing_ok=True)
        await self.start()

    def client(self, **options: object) -> aiomqtt.Client:
        return aiomqtt.Client(
            "127.0.0.1",
            self.port,
            protocol=aiomqtt.ProtocolVersion.V5,
            **options,  # type: ignore[arg-type]  # passed through
        )

    async def publish(self, topic: str, *payloads: object, retain: bool = False) -> None:
        """Publish at QoS 1 and wait for the broker's acknowledgements."""
        async with self.client() as client:
            for payload in payloads:
                raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
                await client.publish(topic, raw, qos=1, retain=retain)

    async def publish_stubbornly(self, topic: str, payloads: Sequence[object]) -> None:
        """As a good publisher does: a message is done when the broker has acknowledged it, however often it takes."""
        done = 0
        while done < len(payloads):
            client = self.client()
            try:
                async with client:
                    while done < len(payloads):
                        await client.publish(topic, json.dumps(payloads[done]), qos=1, timeout=2)
                        done += 1
            except aiomqtt.MqttError:
                await asyncio.sleep(0.05)
            if client._disconnected.done():
                client._disconnected.exception()  # or asyncio logs that nobody asked how it ended
