from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sentinel.core.oncall import Rota
from sentinel.errors import NotifyError
from sentinel.model import Effect, EffectKind
from sentinel.notify.base import Notice, Notifier
from sentinel.notify.email import EmailConfig, EmailNotifier
from sentinel.runtime.clock import ReplayClock
from tests.fakes.smtp import FakeSmtp, smtp_server
from tests.notify.aurora import (
    CALLABLE,
    INCIDENT,
    ROTA,
    SUNDAY_2240,
    Context,
    change,
    effect,
    quote,
    said,
)

DATE = "Sun, 22 Nov 2026 21:40:00 +0000"


@pytest.fixture
async def smtp() -> AsyncIterator[FakeSmtp]:
    async with smtp_server(FakeSmtp()) as fake:
        yield fake


def notifier(
    smtp: FakeSmtp, language: str = "it", rota: Rota = ROTA, **settings: Any
) -> EmailNotifier:
    known: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": smtp.port,
        "security": "none",
        "sender": "Sentinel <sentinel@aurora.example>",
        "recipients": ("duty@aurora.example", "Lead <lead@aurora.example>"),
        "timeout_seconds": 2.0,
    }
    config = EmailConfig(**(known | settings))
    return EmailNotifier(config, Context(language, rota), ReplayClock(SUNDAY_2240))


async def send(
    smtp: FakeSmtp, *effects: Effect, language: str = "it", **settings: Any
) -> list[EmailMessage]:
    for one in effects or (effect(),):
        await notifier(smtp, language, **settings).deliver(Notice(f"{one.id}@email", one))
    return smtp.messages


async def failure(smtp: FakeSmtp, **settings: Any) -> NotifyError:
    with pytest.raises(NotifyError) as failed:
        await send(smtp, **settings)
    return failed.value


def text_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


# --- what arrives --------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["it", "en"])
async def test_an_alert_arrives_with_its_text_in_the_teams_language(
    smtp: FakeSmtp, language: str
) -> None:
    (mail,) = await send(smtp, language=language)
    message = said(language=language)
    assert mail["Subject"] == message.subject
    assert mail["From"] == "Sentinel <sentinel@aurora.example>"
    assert mail["To"] == "duty@aurora.example, Lead <lead@aurora.example>"
    assert mail["Date"] == DATE
    assert mail["Content-Language"] == language
    address = "http://127.0.0.1:8080/incidents/aurora-1"
    assert text_of(mail, "plain") == f"{message.plain_text()}\n{address}\n"
    assert smtp.recipients == [["duty@aurora.example", "lead@aurora.example"]]


async def test_the_html_says_the_same_and_has_no_scripts_images_or_styles(smtp: FakeSmtp) -> None:
    (mail,) = await send(smtp)
    page = unescape(text_of(mail, "html"))
    message = said()
    assert f"<h2>{message.header}</h2>" in page
    lines = [line for section in message.sections() for line in (section.heading, *section.lines)]
    assert [line for line in lines if line not in page] == []
    assert "http://127.0.0.1:8080/incidents/aurora-1" in page
    assert [tag for tag in ("<script", "<img", "<style", "<iframe") if tag in page] == []


async def test_html_in_a_post_is_shown_and_not_obeyed(smtp: FakeSmtp) -> None:
    hostile = '<img src=x onerror="alert(1)"><a href="https://evil.example">x</a>'
    post = quote(1, hostile, author='"><script>alert(2)</script>')
    (mail,) = await send(smtp, effect(incident=change(INCIDENT, first_post=post, quotes=(post,))))
    page = text_of(mail, "html")
    assert "&lt;img src=x" in page
    assert [tag for tag in ("<img", "<script", 'href="https://evil') if tag in page] == []
    assert "<img src=x" in text_of(mail, "plain")


async def test_lines_of_a_post_cannot_become_headers_or_end_the_message(smtp: FakeSmtp) -> None:
    hostile = "one\r\n.\r\nQUIT\r\nBcc: all@evil.example\n\ud800 \0"
    name = "Aurora\r\nBcc: all@evil.example"
    incident = change(INCIDENT, brand_name=name, first_post=quote(1, hostile), quotes=())
    (mail,) = await send(smtp, effect(incident=incident))
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]
    assert smtp.recipients == [["duty@aurora.example", "lead@aurora.example"]]


async def test_messages_of_a_storyline_are_one_thread_and_ask_for_no_automatic_answer(
    smtp: FakeSmtp,
) -> None:
    opened, resolved = effect(), effect(EffectKind.RESOLVED, at=SUNDAY_2240 + 60)
    other = effect(incident=change(INCIDENT, id="aurora-2"))
    first, second, third = await send(smtp, opened, resolved, other)
    assert first["References"] is None
    assert second["References"] == second["In-Reply-To"] == first["Message-ID"]
    assert len({mail["Message-ID"] for mail in (first, second, third)}) == 3
    assert str(first["Message-ID"]).endswith("@aurora.example>")
    assert {str(mail["Auto-Submitted"]) for mail in smtp.messages} == {"auto-generated"}


async def test_a_change_of_state_comes_first_in_its_message(smtp: FakeSmtp) -> None:
    told = effect(EffectKind.ACKNOWLEDGED, actor="Anna Bianchi")
    (mail,) = await send(smtp, told)
    news = said(told).thread_reply
    assert news
    assert text_of(mail, "plain").startswith(f"{news}\n\n")
    assert "Anna Bianchi" in text_of(mail, "html")


async def test_a_repeated_attempt_has_the_same_message_id(smtp: FakeSmtp) -> None:
    told = effect(EffectKind.ESCALATED)
    first, again = await send(smtp, told, told)
    assert first["Message-ID"] == again["Message-ID"]


async def test_only_what_may_make_noise_is_marked_urgent(smtp: FakeSmtp) -> None:
    loud, quiet = await send(smtp, effect(), msgspec.structs.replace(effect(), page=False))
    assert (loud["X-Priority"], loud["Importance"]) == ("1", "high")
    assert (quiet["X-Priority"], quiet["Importance"]) == (None, None)


async def test_word_of_a_silent_source_is_a_message_of_its_own(smtp: FakeSmtp) -> None:
    silent = Effect("ops:1", EffectKind.SOURCE_SILENT, SUNDAY_2240, sources=("jetstream",))
    (mail,) = await send(smtp, silent)
    assert "jetstream" in text_of(mail, "plain")
    assert (mail["References"], mail["Content-Language"]) == (None, "en")


async def test_the_server_hears_the_senders_domain_and_not_the_machines_name(
    smtp: FakeSmtp,
) -> None:
    await send(smtp)
    assert smtp.greeted_as == ["aurora.example"]


# --- what is sent --------------------------------------------------------------------------------


def test_an_inbox_gets_changes_of_state_and_no_new_figures() -> None:
    told = notifier(FakeSmtp(port=25))
    unwanted = {kind for kind in EffectKind if not told.wants(effect(kind))}
    assert unwanted == {EffectKind.UPDATED, EffectKind.CHECKLIST_CHANGED}
    quiet = notifier(FakeSmtp(port=25), operations=False)
    assert not quiet.wants(Effect("ops:1", EffectKind.SOURCE_SILENT, 0.0))
    assert not told.wants(Effect("x", EffectKind.NEW_NORMAL, 0.0, brand="aurora"))


def test_storylines_and_operations_have_their_own_lanes() -> None:
    told: Notifier = notifier(FakeSmtp(port=25))
    assert told.lane(effect()) == "aurora-1"
    assert told.lane(Effect("ops:1", EffectKind.SOURCE_SILENT, 0.0)) == "operations"


# --- what failures mean --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "answer", "reason", "permanent"),
    [
        ("GREETING", "421 too busy", "server_error", False),
        ("GREETING", "554 go away", "server_error", False),
        ("MAIL", "451 later", "server_error", False),
        ("MAIL", "550 not you", "misconfigured", True),
        ("RCPT", "450 later", "server_error", False),
        ("RCPT", "550 nobody", "rejected", True),
        ("DATA", "452 disk full", "server_error", False),
        ("DATA", "554 no", "rejected", True),
        ("BODY", "452 disk full", "server_error", False),
        ("BODY", "554 spam", "rejected", True),
    ],
)
async def test_4xx_is_tried_again_and_5xx_is_not(
    smtp: FakeSmtp, verb: str, answer: str, reason: str, permanent: bool
) -> None:
    smtp.answers[verb] = answer
    error = await failure(smtp)
    assert (error.reason, error.permanent) == (reason, permanent)
    assert smtp.messages == []


async def test_one_refused_recipient_does_not_keep_the_others_from_reading(smtp: FakeSmtp) -> None:
    smtp.refused["duty@aurora.example"] = "550 nobody"
    await send(smtp)
    assert smtp.recipients == [["lead@aurora.example"]]


async def test_a_recipient_refused_for_now_is_tried_again(smtp: FakeSmtp) -> None:
    smtp.refused = {"duty@aurora.example": "450 later", "lead@aurora.example": "550 nobody"}
    error = await failure(smtp)
    assert (error.reason, error.permanent) == ("server_error", False)


async def test_a_server_that_cuts_off_after_the_message_is_ambiguous(smtp: FakeSmtp) -> None:
    smtp.drop = "BODY"
    error = await failure(smtp)
    assert (error.reason, error.permanent) == ("ambiguous", False)
    assert len(smtp.messages) == 1


async def test_a_server_that_never_answers_the_message_is_ambiguous(smtp: FakeSmtp) -> None:
    smtp.hang = "BODY"
    assert (await failure(smtp, timeout_seconds=0.2)).reason == "ambiguous"


async def test_a_goodbye_that_fails_does_not_undo_the_delivery(smtp: FakeSmtp) -> None:
    smtp.drop = "QUIT"
    assert len(await send(smtp)) == 1


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = await failure(FakeSmtp(port=port))
    assert (error.reason, error.permanent) == ("unreachable", False)


async def test_a_server_that_does_not_greet_is_unreachable() -> None:
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.4)
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    fake = FakeSmtp(port=server.sockets[0].getsockname()[1])
    assert (await failure(fake, timeout_seconds=0.1)).reason == "unreachable"
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.5)


# --- security ------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, made for this test."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make a certificate")
    path = tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ),
            *("-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-keyout", tmp_path / "key.pem"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-out", path),
        ],
        check=True,
        capture_output=True,
    )
    return path


@pytest.fixture
def secure(smtp: FakeSmtp, certificate: Path) -> FakeSmtp:
    smtp.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    smtp.tls.load_cert_chain(certificate, certificate.parent / "key.pem")
    return smtp


async def test_starttls_encrypts_before_the_login(secure: FakeSmtp, certificate: Path) -> None:
    await send(
        secure,
        security="starttls",
        ca_file=str(certificate),
        username="sentinel",
        password="open-sesame",
    )
    assert (secure.encrypted, secure.logins) == ([True], [("sentinel", "open-sesame")])


async def test_a_certificate_that_is_not_trusted_is_refused(secure: FakeSmtp) -> None:
    error = await failure(secure, security="starttls")
    assert (error.reason, error.permanent) == ("misconfigured", False)
    assert secure.messages == []


async def test_a_refused_login_is_misconfigured_and_tells_no_password(
    secure: FakeSmtp, certificate: Path
) -> None:
    secure.answers["AUTH"] = "535 wrong"
    error = await failure(
        secure,
        security="starttls",
        ca_file=str(certificate),
        username="sentinel",
        password="open-sesame",
    )
    assert (error.reason, error.permanent) == ("misconfigured", True)
    assert "open-sesame" not in str(error)


async def test_starttls_is_never_silently_left_out(smtp: FakeSmtp) -> None:
    error = await failure(smtp, security="starttls")
    assert (error.reason, error.permanent) == ("misconfigured", True)
    assert smtp.messages == []


async def test_a_missing_certificate_file_is_misconfigured(smtp: FakeSmtp) -> None:
    error = await failure(smtp, security="starttls", ca_file="/nowhere/ca.pem")
    assert (error.reason, error.permanent) == ("misconfigured", True)


# --- settings ------------------------------------------------------------------------------------

SETTINGS = {
    "type": "email",
    "host": "mail.example",
    "sender": "sentinel@aurora.example",
    "recipients": ["duty@aurora.example"],
}


def test_settings_have_safe_defaults() -> None:
    config = msgspec.convert(SETTINGS, EmailConfig)
    assert (config.name, config.port, config.security) == ("email", 587, "starttls")


@pytest.mark.parametrize(
    "wrong",
    [
        {"recipients": []},
        {"recipients": ["nobody"]},
        {"sender": "a@b.example\r\nBcc: all@evil.example"},
        {"sender": "@"},
        {"security": "none", "username": "x"},
        {"port": 0},
        {"security": "perhaps"},
        {"colour": "red"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(SETTINGS | wrong, EmailConfig)


# --- who is called -------------------------------------------------------------------------------


async def called(smtp: FakeSmtp, told: Effect, **settings: Any) -> str:
    (mail,) = await send(smtp, told, rota=CALLABLE, **settings)
    return str(mail["To"])


USUAL = "duty@aurora.example, Lead <lead@aurora.example>"


async def test_whoever_is_on_call_gets_the_alert_at_their_own_address(smtp: FakeSmtp) -> None:
    assert await called(smtp, effect()) == f"{USUAL}, anna@example.org"
    assert smtp.recipients == [["duty@aurora.example", "lead@aurora.example", "anna@example.org"]]


async def test_an_escalation_reaches_the_stand_in(smtp: FakeSmtp) -> None:
    told = effect(EffectKind.HANDED_UP, incident=change(INCIDENT, escalation_level=1))
    assert await called(smtp, told) == f"{USUAL}, ugo@example.org"


@pytest.mark.parametrize(
    "told",
    [
        change(effect(EffectKind.DECAYING), page=False),
        change(effect(EffectKind.ESCALATED), page=False),
        effect(EffectKind.ESCALATED, incident=change(INCIDENT, acknowledged_by="Carla")),
    ],
)
async def test_what_calls_nobody_goes_to_the_configured_recipients(
    smtp: FakeSmtp, told: Effect
) -> None:
    assert await called(smtp, told) == USUAL


async def test_nobody_gets_a_message_twice(smtp: FakeSmtp) -> None:
    given = {"recipients": ("Anna <ANNA@example.org>",)}
    assert await called(smtp, effect(), **given) == "Anna <ANNA@example.org>"
