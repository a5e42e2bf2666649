"""A local mail server: a real one (SMTP), whose mailboxes are the demo's people."""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session

from services.sandbox.phone.phones import Phones
from services.sandbox.slack import cast

DOMAIN = "dragonfly.example"
SENDER = f"alerts@{DOMAIN}"
_HOST = "127.0.0.1"
_LARGEST = 1_000_000  # bytes of a mail
_MAILBOXES = {f"{user.name}@{DOMAIN}": user for user in cast.PEOPLE}


def address(name: str) -> str:
    """Of a person's mailbox; `name` as in the workspace."""
    return f"{name}@{DOMAIN}"


class MailServer:
    """Takes mails for the people of the workspace, on a free port of this machine, and no others."""

    def __init__(self, phones: Phones) -> None:
        self._phones = phones
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """As SMTP_URL. Only after `start`."""
        assert self._server is not None  # noqa: S101
        return f"smtp://{_HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        def session() -> SMTP:
            return SMTP(self, hostname=f"mail.{DOMAIN}", data_size_limit=_LARGEST)

        self._server = await asyncio.get_running_loop().create_server(session, _HOST, 0)

    async def stop(self) -> None:
        """Close the port. Does nothing before the start."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def handle_RCPT(  # noqa: N802 - the server's word for it
        self, _server: SMTP, _session: Session, envelope: Envelope, recipient: str, _options: list[str]
    ) -> str:
        if recipient.lower() not in _MAILBOXES:
            return "550 nobody here has this address"
        envelope.rcpt_tos.append(recipient.lower())
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)  # noqa: S101 - that is what this policy makes
        body = mail.get_body(("plain",))
        text = str(body.get_content()).strip() if body is not None else ""
        for recipient in envelope.rcpt_tos:
            self._phones.deliver(_MAILBOXES[recipient], str(mail["Subject"] or ""), text)
        return "250 taken"
