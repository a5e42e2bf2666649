"""Sends pages by e-mail (SMTP). Every failure is a SourceError."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiosmtplib

from services.domain.errors import SourceError
from services.domain.notifications import Page, redacted_page
from services.domain.secrets import Secret

SOURCE = "mail server"
_HOST_NAME = "dragonfly-chatops"  # sent in EHLO; looking up the real host name would block the event loop
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class MailServer:
    """An SMTP server. `url`: smtp://user:password@host:587 (STARTTLS) or smtps://…:465 (TLS from the start).

    `sender` is the From address. `ca_file`: a PEM file with authorities to trust in addition to the system's.
    """

    url: Secret
    sender: str
    timeout_s: float = 10.0
    ca_file: Path | None = None

    async def send(self, address: str, page: Page) -> None:
        """Send one e-mail; return once the server has accepted it. A repetition has the same Message-ID.

        Raises SourceError.
        """
        is_taken = False
        try:
            message = _message(redacted_page(page), sender=self.sender, to=address)
            async with asyncio.timeout(self.timeout_s), self._client() as client:
                await client.send_message(message)
                is_taken = True
        except (TimeoutError, aiosmtplib.SMTPException, OSError, ValueError) as error:
            if is_taken:
                return  # the server had accepted the message; only closing the session failed
            if ssl.SSLCertVerificationError in (type(error), type(error.__cause__)):
                raise SourceError(SOURCE, "its certificate is not trusted") from None
            raise _explain(error, self.timeout_s) from None

    def _client(self) -> aiosmtplib.SMTP:
        """An SMTP client for the configured server. Raises ValueError for a URL that cannot be used."""
        parts = urlsplit(self.url.reveal())
        return aiosmtplib.SMTP(
            hostname=parts.hostname,
            port=parts.port,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            use_tls=parts.scheme == "smtps",
            start_tls=wants_starttls(self.url),
            cert_bundle=None if self.ca_file is None else str(self.ca_file),
            local_hostname=_HOST_NAME,
            timeout=self.timeout_s,
        )


def wants_starttls(url: Secret) -> bool | None:
    """True: STARTTLS is required. None: used if the server offers it. False: the connection is TLS from the start.

    A password is never sent unencrypted to another machine.
    """
    parts = urlsplit(url.reveal())
    if parts.scheme == "smtps":
        return False
    return True if parts.username and parts.hostname not in _LOOPBACK else None


def _message(page: Page, *, sender: str, to: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = page.subject
    message["Date"] = format_datetime(page.at)
    message["Message-ID"] = f"<{hashlib.sha256(f'{page.key} {to}'.encode()).hexdigest()[:32]}@{_HOST_NAME}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: suppresses out-of-office replies
    message["Importance"] = "high"
    links = "".join(f"{words}: {address}\n" for words, address in page.links.items())
    message.set_content(f"{page.text}\n\n{links}" if links else page.text)
    return message


def _explain(error: Exception, timeout_s: float) -> SourceError:
    """The SourceError for a failed e-mail. SMTP's 4xx are temporary, its 5xx permanent.

    If the connection breaks, the server may have accepted the message before.
    """
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            return _refused("the address was refused", max(refused.code for refused in error.recipients))
        case aiosmtplib.SMTPConnectError():
            return SourceError(SOURCE, "not reachable", retryable=True)
        case aiosmtplib.SMTPAuthenticationError():
            return _refused("user name or password refused", error.code)
        case aiosmtplib.SMTPResponseException():
            return _refused("refused", error.code)
        case TimeoutError():
            return SourceError(SOURCE, f"no answer within {timeout_s:g} s", retryable=True, outcome_unknown=True)
        case ValueError():
            return SourceError(SOURCE, "SMTP_URL cannot be used")
        case aiosmtplib.SMTPException() if not isinstance(error, OSError):
            return SourceError(SOURCE, "it does not offer the encryption or the log-in that SMTP_URL wants")
        case _:
            why = f"the connection broke ({type(error).__name__})"
            return SourceError(SOURCE, why, retryable=True, outcome_unknown=True)


def _refused(why: str, code: int) -> SourceError:
    return SourceError(SOURCE, f"{why} ({code})", retryable=code < 500)
