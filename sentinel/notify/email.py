"""Alerts by e-mail: one message a change of state, one thread a storyline.

What lives here: the settings, the message's headers and its simple HTML, what each SMTP failure means. What does not: wording
(``message``), retries (``outbox``).

SMTP cannot say whether a message cut off at its end was taken. A repetition carries the same Message-ID, by which mail
systems recognise it; some show it twice nevertheless.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from hashlib import sha256
from html import escape
from typing import Annotated, Literal

import aiosmtplib
import msgspec
import structlog
from aiosmtplib import errors

from sentinel.errors import NotifyError
from sentinel.model import OPERATIONAL, Effect, EffectKind
from sentinel.notify.alert import AlertMessage
from sentinel.notify.base import Notice, NotifyContext
from sentinel.notify.worded import called_by, incident_address, worded
from sentinel.runtime.clock import Clock

log = structlog.get_logger(__name__)

Text = Annotated[str, msgspec.Meta(min_length=1)]

QUIET = frozenset({EffectKind.UPDATED, EffectKind.CHECKLIST_CHANGED})
"""New figures and ticks: an inbox is no dashboard."""


def is_address(text: str) -> bool:
    r"""Whether it is an address, with or without a name; nothing that could begin another header.

    >>> is_address("Anna <anna@example.org>"), is_address("anna"), is_address("a@b\nBcc: c@d")
    (True, False, False)
    """
    plain = parseaddr(text)[1]
    return "@" in plain.strip("@") and not any(letter in text for letter in "\r\n\0")


class EmailConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="email"
):
    """Settings of ``[[notifiers]] type = "email"``.

    Attributes:
        host: The SMTP server.
        sender: ``Sentinel <sentinel@example.org>`` or an address alone.
        recipients: Addresses that get everything; who is called by an alert gets it at their own address as well.
        name: A metric label.
        port: 587 for ``starttls``, 465 for ``tls``, often 25 for ``none``.
        security: ``starttls`` (required, never silently left out), ``tls`` from the first byte, or ``none``: a relay on this machine.
        ca_file: Certificates to trust in place of the system's.
        username: Empty where the server wants no login.
        timeout_seconds: For each step of the conversation.
        operations: Whether word of silent sources is sent as well.
    """

    host: Text
    sender: Text
    recipients: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    name: Text = "email"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: str = ""
    username: str = ""
    password: str = ""
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 20.0
    operations: bool = True

    def __post_init__(self) -> None:
        for address in (self.sender, *self.recipients):
            if not is_address(address):
                raise ValueError(f"not an e-mail address: {address!r}")
        if self.username and self.security == "none":
            raise ValueError("a login needs security = 'starttls' or 'tls'")


class EmailNotifier:
    """Sends alerts through an SMTP server.

    Args:
        config: Its settings.
        context: Brands, playbooks and the rota.
        clock: For the Date header: the machine's time, also while events are replayed.
    """

    def __init__(self, config: EmailConfig, context: NotifyContext, clock: Clock) -> None:
        self.name = config.name
        self._config, self._context, self._clock = config, context, clock
        self._domain = parseaddr(config.sender)[1].rpartition("@")[2]

    def wants(self, effect: Effect) -> bool:
        """Every change of state, not every new figure."""
        if effect.kind in OPERATIONAL:
            return self._config.operations
        return effect.incident is not None and effect.kind not in QUIET

    def lane(self, effect: Effect) -> str:
        """One storyline after another; operational messages on their own."""
        return effect.incident.id if effect.incident is not None else "operations"

    async def deliver(self, notice: Notice) -> None:
        """Hand the message to the server; 250 means that it is queued there.

        Raises:
            NotifyError: The server did not take it, or perhaps did (``ambiguous``).
        """
        message = self.compose(notice)
        try:
            context = self._tls() if self._config.security != "none" else None
        except OSError as error:
            raise NotifyError(
                f"ca_file cannot be used: {error}", reason="misconfigured", permanent=True
            ) from error
        client = aiosmtplib.SMTP(
            hostname=self._config.host,
            port=self._config.port,
            username=self._config.username or None,
            password=self._config.password or None,
            # Not asked of the system: that may wait for a name server and tells the machine's name.
            local_hostname=self._domain if self._domain.isascii() else "localhost",
            timeout=self._config.timeout_seconds,
            use_tls=self._config.security == "tls",
            start_tls=self._config.security == "starttls",
            tls_context=context,
        )
        try:
            await self._send(client, message)
        finally:
            client.close()

    async def _send(self, client: aiosmtplib.SMTP, message: EmailMessage) -> None:
        try:
            await client.connect()
        except (errors.SMTPException, OSError, ValueError) as error:
            raise _not_connected(error) from error
        try:
            refused, _ = await client.send_message(message)
        except (errors.SMTPException, OSError) as error:
            raise _not_sent(error) from error
        if refused:
            log.warning("recipients_refused", notifier=self.name, number=len(refused))
        try:
            await client.quit()
        except (errors.SMTPException, OSError):
            log.debug("goodbye_failed", notifier=self.name)  # the message was taken all the same

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._config.ca_file or None)

    def compose(self, notice: Notice) -> EmailMessage:
        """The whole message of a notice; the same notice has the same Message-ID at every attempt."""
        effect = notice.effect
        alert = worded(effect, self._context)
        address = incident_address(effect, self._context)
        mail = EmailMessage(policy=SMTP_POLICY)
        mail["From"] = _addresses([self._config.sender])
        mail["To"] = _addresses(self._recipients(effect))
        mail["Subject"] = _one_line(alert.subject)
        mail["Date"] = format_datetime(datetime.fromtimestamp(self._clock.now(), UTC))
        self._thread(mail, notice)
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
        mail["X-Auto-Response-Suppress"] = "All"
        if effect.page:
            mail["X-Priority"] = "1"
            mail["Importance"] = "high"
        news = alert.thread_reply if effect.kind is not EffectKind.OPENED else ""
        parts = [_storable(part) for part in (news, alert.plain_text(), address) if part]
        mail.set_content("\n\n".join(part.strip("\n") for part in parts) + "\n")
        mail.add_alternative(_storable(_html(alert, news, address)), subtype="html")
        mail["Content-Language"] = alert.language  # set_content would move it into a part
        return mail

    def _recipients(self, effect: Effect) -> list[str]:
        """The configured ones, and whoever is called by this very message."""
        called = called_by(effect, self._context) if effect.page else ()
        own = [person.email for person in called if person.email]
        known = {parseaddr(address)[1].casefold() for address in self._config.recipients}
        fresh = {parseaddr(one)[1].casefold(): one for one in own}
        return [*self._config.recipients, *(fresh[one] for one in fresh if one not in known)]

    def _thread(self, mail: EmailMessage, notice: Notice) -> None:
        """Message-ID, and what ties it to the incident's first message. Ids are digests: nothing hostile can be in them."""
        own = f"<{_digest(notice.key)}@{self._domain}>"
        incident = notice.effect.incident
        if incident is None:
            mail["Message-ID"] = own
            return
        root = f"<incident.{_digest(incident.id)}@{self._domain}>"
        if notice.effect.kind is EffectKind.OPENED:
            mail["Message-ID"] = root
        else:
            mail["Message-ID"] = own
            mail["In-Reply-To"] = root
            mail["References"] = root


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _one_line(text: str) -> str:
    return " ".join(_storable(text).split())


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _addresses(texts: list[str] | tuple[str, ...]) -> tuple[Address, ...]:
    return tuple(
        Address(display_name=name, addr_spec=address) for name, address in map(parseaddr, texts)
    )


def _html(alert: AlertMessage, news: str, address: str) -> str:
    """A plain page without style sheets, images or scripts; everything in it is escaped."""
    parts = [
        f"<p><strong>{escape(alert.drill)}</strong></p>" if alert.drill else "",
        f"<p><strong>{escape(news)}</strong></p>" if news else "",
        f"<h2>{escape(alert.header)}</h2>",
        f"<p>{escape(alert.sentence)}</p>",
    ]
    for section in alert.sections():
        lines = "<br>\n".join(f'<span dir="auto">{escape(line)}</span>' for line in section.lines)
        parts.append(f"<h3>{escape(section.heading)}</h3>\n<p>{lines}</p>")
    if address:
        parts.append(f'<p><a href="{escape(address)}">{escape(address)}</a></p>')
    body = "\n".join(part for part in parts if part)
    return (
        f'<!doctype html>\n<html lang="{escape(alert.language)}"><head><meta charset="utf-8">'
        f"</head><body>\n{body}\n</body></html>\n"
    )


# --- what failures mean --------------------------------------------------------------------------


def _not_connected(error: Exception) -> NotifyError:
    """Nothing was sent yet: never ambiguous."""
    if isinstance(error, errors.SMTPAuthenticationError):
        return NotifyError(
            f"login refused ({error.code})", reason="misconfigured", permanent=error.code >= 500
        )
    if isinstance(error, ssl.SSLCertVerificationError) or isinstance(
        error.__cause__, ssl.SSLCertVerificationError
    ):
        return NotifyError("the server's certificate is not trusted", reason="misconfigured")
    # The library raises its base class, and nothing finer, where STARTTLS or AUTH is not on offer.
    if type(error) is errors.SMTPException or isinstance(error, ValueError):
        return NotifyError(
            "the server does not offer the configured security or login",
            reason="misconfigured",
            permanent=True,
        )
    if isinstance(error, errors.SMTPResponseException):
        return NotifyError(f"greeted with {error.code}", reason="server_error")
    return NotifyError(f"cannot connect ({type(error).__name__})", reason="unreachable")


def _not_sent(error: Exception) -> NotifyError:
    """After the connection: 4xx is for now, 5xx for good, silence is ambiguous (RFC 5321, 4.2.1)."""
    if isinstance(error, errors.SMTPRecipientsRefused):
        codes = {one.code for one in error.recipients}
        for_good = all(code >= 500 for code in codes)
        said = ", ".join(map(str, sorted(codes)))
        return NotifyError(
            f"all recipients refused ({said})",
            reason="rejected" if for_good else "server_error",
            permanent=for_good,
        )
    if isinstance(error, errors.SMTPNotSupported):
        return NotifyError(str(error), reason="misconfigured", permanent=True)
    if isinstance(error, errors.SMTPSenderRefused) and error.code >= 500:
        return NotifyError(f"sender refused ({error.code})", reason="misconfigured", permanent=True)
    if isinstance(error, errors.SMTPResponseException) and error.code >= 400:
        for_good = error.code >= 500
        return NotifyError(
            f"not taken ({error.code})",
            reason="rejected" if for_good else "server_error",
            permanent=for_good,
        )
    return NotifyError(f"cut off ({type(error).__name__})", reason="ambiguous")
