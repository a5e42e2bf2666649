"""Stand-ins at the wire for systems that the bot calls: a pager, a monitor, a mail server."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import warnings
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from services.domain.errors import SourceError
from services.sandbox.slack.model import Message
from services.sandbox.slack.workspace import Workspace

PATIENCE_S = 60.0  # for a loaded machine; a passing test waits less
QUIET_S = 0.5  # how long a test checks that nothing more comes
CHECK_EVERY_S = 0.03  # checking more often takes a quarter of the event loop's time


@dataclass
class Ring:
    """One received call. `body`: None if there was none."""

    method: str
    headers: dict[str, str]
    body: dict[str, Any] | None


@dataclass
class Phone:
    """Accepts every call at `url`. `answers`: for the next calls, a status or a delay in seconds; then 202 immediately.

    An event holds its call until it is set. `lose`: the number of calls after whose arrival the connection is closed.
    """

    url: str = ""
    rings: list[Ring] = field(default_factory=list)
    answers: deque[int | float | asyncio.Event] = field(default_factory=deque)
    lose: int = 0
    is_away: bool = False  # answers 503

    async def take(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        body = await request.json() if text else None
        if self.is_away:
            return web.Response(status=503)
        self.rings.append(Ring(request.method, dict(request.headers), body))
        if self.lose > 0:
            self.lose -= 1
            assert request.transport is not None
            request.transport.abort()
        answer = self.answers.popleft() if self.answers else 202
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            answer = 202
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            answer = 202
        headers = {"Location": "/elsewhere"} if 300 <= answer < 400 else {}
        return web.Response(status=answer, headers=headers)

    async def wait_for(self, count: int = 1) -> list[Ring]:
        """Wait until at least `count` calls arrived."""
        await until(lambda: len(self.rings) >= count)
        return self.rings


@contextlib.asynccontextmanager
async def open_phone() -> AsyncIterator[Phone]:
    phone = Phone()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", phone.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    phone.url = f"http://127.0.0.1:{port}/hook/secret-part"
    try:
        yield phone
    finally:
        await runner.cleanup()


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    async with open_phone() as phone:
        yield phone


@dataclass
class Mailbox:
    """A real SMTP server and the mails that it received. `refuse`: its answer to recipients, instead of accepting
    them."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    refuse: str | None = None
    delay_s: float = 0.0
    password: str | None = None  # required from a client that logs in
    log_ins: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(  # noqa: N802 - the server's name for it
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.refuse is not None:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        await asyncio.sleep(self.delay_s)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(message)
        return "250 taken"

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.log_ins.append(data.login.decode())
        return AuthResult(success=data.password.decode() == self.password, handled=False)


@contextlib.asynccontextmanager
async def open_mailbox(
    *, password: str | None = None, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Mailbox]:
    """Serve a mailbox. `starttls`: require STARTTLS with this certificate. `tls`: TLS from the start."""
    mailbox = Mailbox(password=password)

    def serve() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of logins without TLS, which stay on this machine
            return SMTP(
                mailbox,
                hostname="mail.test",
                authenticator=mailbox.authenticate,
                auth_required=password is not None,
                auth_require_tls=starttls is not None,
                tls_context=starttls,
                require_starttls=starttls is not None,
            )

    server = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0, ssl=tls)
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with open_mailbox() as mailbox:
        yield mailbox


async def until(condition: Callable[[], bool], *, timeout_s: float = PATIENCE_S) -> None:
    """Wait until the condition is true."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(CHECK_EVERY_S)


async def first_message(
    seen: Callable[[], Iterable[Message]], wanted: Callable[[Message], bool], *, timeout_s: float = PATIENCE_S
) -> Message:
    """Wait for the first matching message; a failure lists the messages that were there."""
    try:
        async with asyncio.timeout(timeout_s):
            while (found := next(filter(wanted, seen()), None)) is None:
                await asyncio.sleep(CHECK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"no such message within {timeout_s:.0f} s; found {list_messages(seen())}") from None
    return found


def list_messages(messages: Iterable[Message]) -> str:
    """List the messages, one per line: timestamps and the whole text."""
    lines = [f"{one.ts} (in {one.thread_ts or 'the channel'}): {one.text!r}" for one in messages]
    return "\n".join([f"{len(lines)} messages", *lines])


def wait_long(workspace: Workspace) -> None:
    """Extend Slack's limit of 3 s, which on a loaded machine would measure the machine."""
    workspace.sockets.ack_within_s = workspace.tickets.trigger_lifetime_s = PATIENCE_S


async def failure_of(call: Any) -> SourceError:
    """Return the SourceError that the awaited call raises."""
    try:
        await call
    except SourceError as error:
        return error
    raise AssertionError("it did not fail")
