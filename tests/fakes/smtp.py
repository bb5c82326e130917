"""A small SMTP server on loopback: real sockets, real dialogue, answers as the test sets them."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default


@dataclass
class FakeSmtp:
    """What was received, and what to answer.

    ``answers`` maps a verb (``GREETING``, ``MAIL``, ``RCPT``, ``DATA``, ``BODY``, ``AUTH``) to a line; ``hang`` and ``drop`` name verbs after
    which the server says nothing, or cuts the connection. ``drop`` at ``BODY`` takes the message first.
    """

    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    hang: str = ""
    drop: str = ""
    greeted_as: list[str] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _Conversation(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()


class _Conversation:
    """One connection; a verb's method returns the answer, or None where it has answered itself."""

    def __init__(
        self, fake: FakeSmtp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.fake, self.reader, self.writer = fake, reader, writer
        self.secure, self.open = False, True
        self.to: list[str] = []

    async def say(self, line: str) -> None:
        self.writer.write(f"{line}\r\n".encode())
        await self.writer.drain()

    async def trouble(self, verb: str) -> bool:
        if verb == self.fake.hang:
            await asyncio.Event().wait()
        if verb == self.fake.drop:
            self.open = False
        return not self.open

    async def run(self) -> None:
        await self.say(self.fake.answers.get("GREETING", "220 fake ready"))
        while self.open and (line := (await self.reader.readline()).decode().rstrip("\r\n")):
            verb, _, rest = line.partition(" ")
            if await self.trouble(verb.upper()):
                return
            if (answer := self.fake.answers.get(verb.upper())) is None:
                handle = getattr(self, f"on_{verb.lower()}", None)
                answer = await handle(rest) if handle else "250 fine"
            if answer is not None:
                await self.say(answer)

    async def on_ehlo(self, name: str) -> str:
        self.fake.greeted_as.append(name)
        offers = ["fake", "8BITMIME", "AUTH PLAIN LOGIN"]
        offers += ["STARTTLS"] if self.fake.tls and not self.secure else []
        for offer in offers[:-1]:
            await self.say(f"250-{offer}")
        return f"250 {offers[-1]}"

    async def on_starttls(self, _: str) -> None:
        assert self.fake.tls is not None
        await self.say("220 go ahead")
        await self.writer.start_tls(self.fake.tls)
        self.secure = True

    async def on_auth(self, rest: str) -> str:
        _, name, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        self.fake.logins.append((name, password))
        return "235 welcome"

    async def on_rcpt(self, rest: str) -> str:
        address = rest.partition("<")[2].partition(">")[0]
        if address in self.fake.refused:
            return self.fake.refused[address]
        self.to.append(address)
        return "250 fine"

    async def on_data(self, _: str) -> str | None:
        await self.say("354 go on")
        body = await self.reader.readuntil(b"\r\n.\r\n")
        if "BODY" not in self.fake.answers:
            self.fake.messages.append(message_from_bytes(body[:-3], policy=default))
            self.fake.recipients.append(self.to)
            self.fake.encrypted.append(self.secure)
        if await self.trouble("BODY"):
            return None
        return self.fake.answers.get("BODY", "250 queued")

    async def on_quit(self, _: str) -> str:
        self.open = False
        return "221 bye"


@asynccontextmanager
async def smtp_server(fake: FakeSmtp) -> AsyncIterator[FakeSmtp]:
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await fake.converse(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
