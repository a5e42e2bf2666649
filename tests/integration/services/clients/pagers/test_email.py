"""An e-mail is handed to a real SMTP server, once, encrypted when a password is sent."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from services.clients.pagers.email import MailServer, wants_starttls
from services.domain.notifications import Page
from services.domain.secrets import Secret
from tests.outside import Mailbox, failure_of, open_mailbox
from tests.outside import mailbox as mailbox

AT = datetime(2025, 12, 2, 3, 4, 5, tzinfo=UTC)
PAGE = Page(
    "dragonfly:prod:incident:1:1", "prod", "PAGE prod · ingest is down (0 of 2)", "318 waiting · älteste 9 min", AT
)
ANN = "ann@example.com"


def server(mailbox: Mailbox, **changes: object) -> MailServer:
    return replace(MailServer(Secret(mailbox.url), "bot@example.com", timeout_s=5.0), **changes)  # type: ignore[arg-type]


async def test_mail_arrives_with_subject_and_text(mailbox: Mailbox) -> None:
    await server(mailbox).send(ANN, PAGE)

    [mail] = mailbox.mails
    assert (mail["From"], mail["To"]) == ("bot@example.com", ANN)
    assert mail["Subject"] == PAGE.subject
    assert mail.get_content().strip() == PAGE.text
    assert mail["Date"].datetime == AT
    assert mail["Auto-Submitted"] == "auto-generated"


async def test_repetition_carries_the_same_id_and_another_page_another(mailbox: Mailbox) -> None:
    for page in (PAGE, PAGE, replace(PAGE, key="dragonfly:prod:incident:1:2")):
        await server(mailbox).send(ANN, page)

    first, second, other = (str(mail["Message-ID"]) for mail in mailbox.mails)
    assert first == second
    assert other != first


@pytest.mark.parametrize(("answer", "retryable"), [("550 no such user", False), ("451 busy", True)])
async def test_refusal_reports_whether_another_try_helps(mailbox: Mailbox, answer: str, retryable: bool) -> None:
    mailbox.refuse = answer

    error = await failure_of(server(mailbox).send(ANN, PAGE))

    assert error.retryable is retryable
    assert ANN not in str(error)


async def test_server_that_does_not_answer_may_have_taken_it(mailbox: Mailbox) -> None:
    mailbox.delay_s = 10.0

    error = await failure_of(server(mailbox, timeout_s=2.0).send(ANN, PAGE))

    assert (error.retryable, error.outcome_unknown) == (True, True)


@pytest.mark.parametrize("goodbye", [None, b"", b"what?\r\n", b"421 too busy\r\n"])
async def test_mail_that_was_taken_is_sent_however_the_server_ends(goodbye: bytes | None) -> None:
    """None: the server says no more and keeps the connection open. A lost e-mail is sent again, and rings again."""
    over = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while (line := await reader.readline()) and not line.startswith(b"QUIT"):
            if line.startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
            writer.write(b"250 ok\r\n")
        if goodbye is None:
            await over.wait()
        writer.write(goodbye or b"")
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        await MailServer(Secret(f"smtp://127.0.0.1:{port}"), "bot@example.com", timeout_s=2.0).send(ANN, PAGE)
        over.set()


async def test_server_that_is_not_there_can_be_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    error = await failure_of(MailServer(Secret(f"smtp://127.0.0.1:{port}"), "bot@example.com").send(ANN, PAGE))

    assert (error.retryable, error.outcome_unknown) == (True, False)


async def test_logs_in_with_the_user_and_password_of_the_address() -> None:
    async with open_mailbox(password="p@ss/word") as mailbox:
        url = Secret(f"smtp://bot%40example.com:p%40ss%2Fword@127.0.0.1:{mailbox.port}")
        await server(mailbox, url=url).send(ANN, PAGE)

        assert mailbox.log_ins == ["bot@example.com"]
        assert len(mailbox.mails) == 1


async def test_wrong_password_is_final_and_never_reported() -> None:
    async with open_mailbox(password="right") as mailbox:
        url = Secret(f"smtp://bot:wrong@127.0.0.1:{mailbox.port}")
        error = await failure_of(server(mailbox, url=url).send(ANN, PAGE))

    assert error.retryable is False
    assert "password refused" in error.why
    assert "wrong" not in str(error)


async def test_smtps_to_a_server_without_encryption_sends_nothing(mailbox: Mailbox) -> None:
    error = await failure_of(server(mailbox, url=Secret(f"smtps://127.0.0.1:{mailbox.port}")).send(ANN, PAGE))

    assert error.outcome_unknown is False
    assert mailbox.mails == []


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def certificate(authority: trustme.CA, host: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(context)
    return context


def ca_file(authority: trustme.CA, folder: Path) -> Path:
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


async def test_line_is_encrypted_before_the_password_is_sent(authority: trustme.CA, tmp_path: Path) -> None:
    async with open_mailbox(password="right", starttls=certificate(authority)) as mailbox:
        url = Secret(f"smtp://bot:right@127.0.0.1:{mailbox.port}")
        await server(mailbox, url=url, ca_file=ca_file(authority, tmp_path)).send(ANN, PAGE)

    assert mailbox.log_ins == ["bot"]
    assert [mail["Subject"] for mail in mailbox.mails] == [PAGE.subject]


async def test_line_may_be_encrypted_from_the_start(authority: trustme.CA, tmp_path: Path) -> None:
    async with open_mailbox(tls=certificate(authority)) as mailbox:
        smtps = server(mailbox, url=Secret(f"smtps://127.0.0.1:{mailbox.port}"))
        error = await failure_of(smtps.send(ANN, PAGE))
        await replace(smtps, ca_file=ca_file(authority, tmp_path)).send(ANN, PAGE)

    assert (error.why, error.retryable) == ("its certificate is not trusted", False)
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("trusts_another", [False, True])
async def test_certificate_that_no_one_vouches_for_gets_nothing(
    authority: trustme.CA, tmp_path: Path, trusts_another: bool
) -> None:
    trusted = ca_file(trustme.CA(), tmp_path) if trusts_another else None
    async with open_mailbox(password="right", starttls=certificate(authority)) as mailbox:
        await assert_not_trusted(mailbox, trusted)


async def test_certificate_of_another_host_gets_nothing(authority: trustme.CA, tmp_path: Path) -> None:
    async with open_mailbox(password="right", starttls=certificate(authority, "mail.example.com")) as mailbox:
        await assert_not_trusted(mailbox, ca_file(authority, tmp_path))


async def assert_not_trusted(mailbox: Mailbox, trusted: Path | None) -> None:
    url = Secret(f"smtp://bot:right@127.0.0.1:{mailbox.port}")
    error = await failure_of(server(mailbox, url=url, ca_file=trusted).send(ANN, PAGE))

    assert (error.why, error.outcome_unknown) == ("its certificate is not trusted", False)
    assert (mailbox.log_ins, mailbox.mails) == ([], [])


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("smtps://u:p@mail.example.com:465", False),
        ("smtp://u:p@mail.example.com:587", True),
        ("smtp://mail.example.com", None),
        ("smtp://u:p@127.0.0.1:25", None),
    ],
)
def test_a_password_leaves_this_machine_encrypted_only(url: str, wanted: bool | None) -> None:
    assert wants_starttls(Secret(url)) is wanted
