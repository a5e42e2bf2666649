"""A page reaches a phone outside Slack, once, and its thread shows whether it arrived."""

from __future__ import annotations

import asyncio

import pytest

from bot.delivery.pages import Pagers, PagerTransport, pager_deliveries
from bot.leader import Fence
from bot.wake_ups import WakeUps
from bot.web.metrics import Metrics
from services.clients.pagers.webhook import Webhooks
from services.clients.postgres import notifications
from services.clients.postgres.pool import Database
from services.domain.channels import Channel
from services.domain.errors import SourceError
from services.domain.notifications import NotificationState, PageEvent
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls
from tests.integration.bot.delivery.conftest import Stage, settings_for
from tests.outside import Mailbox, Phone, until
from tests.scheduling import leading
from tests.wire import Line

FENCE = Fence("bot-1", 1)  # the row locks are enough of a fence here


async def test_a_pager_is_notified_once(stage: Stage, phone: Phone) -> None:
    await stage.store()
    await stage.pager.tick(FENCE)
    await stage.pager.tick(FENCE)

    [ring] = phone.rings
    assert ring.body is not None
    assert (ring.body["subject"], ring.body["text"]) == ("PAGE prod", "318 waiting")
    assert (await stage.read()).state is NotificationState.SENT


async def test_mail_is_handed_over_once(stage: Stage, mailbox: Mailbox) -> None:
    await stage.store(means=Channel.EMAIL)
    await stage.mail.tick(FENCE)
    await stage.mail.tick(FENCE)

    assert [mail["To"] for mail in mailbox.mails] == ["ann@example.com"]
    assert (await stage.read()).state is NotificationState.SENT


async def test_root_message_reports_who_was_reported(stage: Stage) -> None:
    await stage.store()
    await stage.pager.tick(FENCE)

    assert "incident:1:told" not in await stage.posted(), "the root message says it"
    assert stage.retold == ["incident:1"]
    assert stage.woken, "the sender of messages was woken"


async def test_a_failed_notification_is_sent_again_with_the_same_key(stage: Stage, phone: Phone) -> None:
    phone.answers.append(503)
    await stage.store()

    await stage.pager.tick(FENCE)
    await asyncio.sleep(await stage.pager.tick(FENCE) or 0)
    await stage.pager.tick(FENCE)

    first, second = phone.rings
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.body == second.body
    assert (await stage.read()).state is NotificationState.SENT


async def test_thread_reports_when_a_person_is_not_reached_yet(stage: Stage, phone: Phone) -> None:
    phone.answers.append(503)
    await stage.store()
    await stage.pager.tick(FENCE)

    posted = await stage.posted()
    assert "trying again: refused (503)" in posted["incident:1:told"]
    assert list(posted) == ["incident:1:told"]


async def test_refusal_for_good_is_a_message_of_its_own(stage: Stage, phone: Phone) -> None:
    phone.answers.append(404)
    await stage.store()
    await stage.pager.tick(FENCE)

    posted = await stage.posted()
    assert "was not reached*: refused (404)" in posted["incident:1:1:failed"]
    assert "not reached" in posted["incident:1:told"]
    assert (await stage.read()).state is NotificationState.FAILED


async def test_final_refusal_shows_the_phone_number_of_the_person_not_reached(stage: Stage, phone: Phone) -> None:
    phone.answers.append(404)
    await stage.store(target="ben")
    await stage.pager.tick(FENCE)

    assert "Call <tel:+49301234567|+49 30 1234567>, or escalate" in (await stage.posted())["incident:1:1:failed"]


async def test_thread_shows_the_phone_number_while_a_page_is_still_tried_again(stage: Stage, phone: Phone) -> None:
    """Its next level may be minutes away, and its last try 15 min."""
    phone.answers.append(503)
    await stage.store()
    await stage.pager.tick(FENCE)

    line = "trying again: refused (503) · call <tel:+49301234567|+49 30 1234567>"
    assert line in (await stage.posted())["incident:1:told"]

    await asyncio.sleep(await stage.pager.tick(FENCE) or 0)
    await stage.pager.tick(FENCE)
    assert (await stage.read()).state is NotificationState.SENT
    assert "tel:" not in (await stage.posted())["incident:1:told"]


async def test_a_notification_is_given_up_after_its_deadline(stage: Stage, phone: Phone) -> None:
    phone.is_away = True
    await stage.store()
    await stage.pager.tick(FENCE)
    assert (await stage.read()).state is NotificationState.WAITING

    await stage.age(minutes=16)
    await stage.pager.tick(FENCE)

    assert (await stage.read()).state is NotificationState.FAILED
    assert "tried for 16 min" in (await stage.posted())["incident:1:1:failed"]


async def test_late_page_is_tried_at_least_once(stage: Stage, phone: Phone) -> None:
    await stage.store()
    await stage.age(minutes=120)
    await stage.pager.tick(FENCE)

    assert len(phone.rings) == 1


async def test_target_that_the_environment_does_not_name_fails_at_once(stage: Stage) -> None:
    await stage.store(target="bob")
    await stage.pager.tick(FENCE)

    failed = await stage.read()
    assert failed.state is NotificationState.FAILED
    assert failed.last_error is not None
    assert "names no target `bob`" in failed.last_error


async def test_pager_gives_up_on_an_invalid_target_and_sends_the_others(stage: Stage, phone: Phone) -> None:
    """A target with an invalid host name must not end the leader's work again and again."""
    await stage.store("incident:1:1", target="broken")
    await stage.store("incident:1:2")
    await stage.pager.tick(FENCE)

    assert len(phone.rings) == 1
    assert (await stage.read()).state is NotificationState.FAILED


async def test_nothing_is_sent_once_a_cancel_has_committed(stage: Stage, phone: Phone) -> None:
    await stage.store("incident:1:1")
    await stage.store("incident:1:2")
    async with stage.database.transaction() as conn:
        await notifications.cancel_notifications(conn, key_prefix="incident:1:")

    await stage.pager.tick(FENCE)

    assert phone.rings == []


async def test_cancel_in_the_middle_of_a_call_waits_for_its_outcome(stage: Stage, phone: Phone) -> None:
    async def cancel() -> int:
        async with stage.database.transaction() as conn:
            return await notifications.cancel_notifications(conn, key_prefix="incident:1:")

    phone.answers.append(0.5)
    await stage.store()
    sending = asyncio.create_task(stage.pager.tick(FENCE))
    await phone.wait_for()

    assert await cancel() == 0
    await sending
    assert (await stage.read()).state is NotificationState.SENT


async def test_two_senders_notify_a_pager_once(stage: Stage, phone: Phone) -> None:
    phone.answers.append(0.3)
    await stage.store()

    await asyncio.gather(*(stage.pager.tick(FENCE) for _ in range(3)))

    assert len(phone.rings) == 1


async def test_slow_pager_does_not_hold_up_the_others(stage: Stage, phone: Phone) -> None:
    phone.answers.append(0.8)
    for number in range(5):
        await stage.store(f"incident:1:{number}")

    sending = asyncio.create_task(stage.pager.tick(FENCE))

    await phone.wait_for(5)
    await sending


async def test_a_lost_database_leaves_it_to_be_reported_again_with_the_same_key(stage: Stage, phone: Phone) -> None:
    """The receiver recognizes the second one by its key: at least once, and once in practice."""
    lost = asyncio.Event()
    phone.answers.append(lost)
    await stage.store()
    sending = asyncio.create_task(stage.pager.tick(FENCE))
    await phone.wait_for()
    async with stage.database.transaction() as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'test' AND datname = current_database() AND pid <> pg_backend_pid()"
        )
    lost.set()
    with pytest.raises(Exception, match="database"):
        await sending

    await stage.pager.tick(FENCE)

    first, second = phone.rings
    assert first.body == second.body


async def test_a_sender_frozen_before_its_request_notifies_no_pager(
    stage: Stage, phone: Phone, mailbox: Mailbox, database_urls: DatabaseUrls
) -> None:
    """By then the server may have released its locks, and a successor sends the page."""
    await stage.store()
    async with Line(database_urls.bot).serve() as line:
        database = Database.connect_lazily(Secret(line.dsn), application_name="frozen", timeout_s=60.0)
        webhooks = Webhooks(timeout_s=30.0)
        transport = PagerTransport(
            Channel.WEBHOOK,
            database,
            Pagers(settings_for(phone, mailbox), webhooks),
            environment="prod",
            workspace_url=lambda: None,
            channel="dragonfly-incidents",
            metrics=Metrics(),
            leaves_within_s=0.05,
        )
        [frozen] = pager_deliveries([transport], WakeUps())
        answer = line.hold(b"SKIP LOCKED", "after", lose=False)
        sending = asyncio.create_task(frozen.tick(FENCE))
        await answer.reached.wait()
        await asyncio.sleep(0.1)  # longer than a request may take to start
        answer.release()

        with pytest.raises(SourceError, match="too late to begin"):
            await sending

        assert not phone.rings
        await database.close()
        await webhooks.aclose()
    await stage.pager.tick(FENCE)
    assert len(phone.rings) == 1


async def test_the_sender_sends_at_a_wake_up_however_seldom_it_polls(stage: Stage, phone: Phone) -> None:
    async with leading(FENCE, stage.pager) as running:
        await until(lambda: not running.done())
        await stage.store()
        stage.wake_ups.notifications.set()

        await phone.wait_for()


async def test_pager_gets_the_acknowledgement_and_the_resolution_of_its_page(stage: Stage, phone: Phone) -> None:
    await stage.store()
    await stage.pager.tick(FENCE)
    for event in (PageEvent.ACKNOWLEDGED, PageEvent.RESOLVED):
        await stage.end(event)
        await stage.pager.tick(FENCE)

    assert [ring.body["event"] for ring in phone.rings if ring.body] == ["triggered", "acknowledged", "resolved"]
    assert len({ring.body["key"] for ring in phone.rings if ring.body}) == 1
    assert "incident:1:told" not in await stage.posted()
    assert set(stage.retold) == {"incident:1"}


async def test_pager_is_reported_of_an_event_once(stage: Stage, phone: Phone) -> None:
    await stage.store()
    await stage.pager.tick(FENCE)
    for _ in range(2):
        await stage.end(PageEvent.ACKNOWLEDGED)
        await stage.pager.tick(FENCE)

    assert [ring.body["event"] for ring in phone.rings if ring.body] == ["triggered", "acknowledged"]


async def test_second_acknowledgement_does_not_take_back_the_first(stage: Stage, phone: Phone) -> None:
    """The first was not sent yet when the button was pressed again."""
    await stage.store()
    await stage.pager.tick(FENCE)
    await stage.end(PageEvent.ACKNOWLEDGED)
    await stage.end(PageEvent.ACKNOWLEDGED)
    await stage.pager.tick(FENCE)

    assert [ring.body["event"] for ring in phone.rings if ring.body] == ["triggered", "acknowledged"]


async def test_pager_that_never_rang_is_reported_nothing(stage: Stage, phone: Phone) -> None:
    await stage.store()
    await stage.end(PageEvent.RESOLVED)
    await stage.pager.tick(FENCE)

    assert phone.rings == []


async def test_pager_gets_nothing_after_a_resolution(stage: Stage, phone: Phone) -> None:
    """Neither the page whose answer was lost, nor the acknowledgement that waits for the pager to recover."""
    phone.answers.extend([503, 503])
    await stage.store()
    await stage.pager.tick(FENCE)
    await stage.end(PageEvent.ACKNOWLEDGED)
    await stage.pager.tick(FENCE)
    await stage.end(PageEvent.RESOLVED)
    for _ in range(2):
        await stage.age(minutes=1)
        await stage.pager.tick(FENCE)

    assert [ring.body["event"] for ring in phone.rings if ring.body] == ["triggered", "acknowledged", "resolved"]


async def test_resolve_in_the_middle_of_a_page_follows_it(stage: Stage, phone: Phone) -> None:
    phone.answers.append(0.5)
    await stage.store()
    sending = asyncio.create_task(stage.pager.tick(FENCE))
    await phone.wait_for()
    await stage.end(PageEvent.RESOLVED)
    await sending
    await stage.pager.tick(FENCE)

    assert [ring.body["event"] for ring in phone.rings if ring.body] == ["triggered", "resolved"]


async def test_resolve_is_tried_again_until_the_pager_takes_it(stage: Stage, phone: Phone) -> None:
    await stage.store()
    await stage.pager.tick(FENCE)
    await stage.end(PageEvent.RESOLVED)
    phone.answers.append(503)
    await stage.pager.tick(FENCE)
    assert "not resolved there yet" in (await stage.posted())["incident:1:told"]

    await stage.age(minutes=1)
    await stage.pager.tick(FENCE)

    assert [ring.body["event"] for ring in phone.rings if ring.body] == ["triggered", "resolved", "resolved"]


async def test_pager_that_refuses_a_resolve_is_reported_of_in_the_thread(stage: Stage, phone: Phone) -> None:
    await stage.store()
    await stage.pager.tick(FENCE)
    await stage.end(PageEvent.RESOLVED)
    phone.answers.append(404)
    await stage.pager.tick(FENCE)

    posted = await stage.posted()
    assert "never resolved there, it may keep ringing: refused (404)" in posted["incident:1:told"]
    assert list(posted) == ["incident:1:told"], "nobody is sent a message about it after the end"


async def test_mailbox_is_reported_nothing_more(stage: Stage, mailbox: Mailbox) -> None:
    await stage.store(means=Channel.EMAIL)
    await stage.mail.tick(FENCE)
    await stage.end(PageEvent.RESOLVED)
    await stage.mail.tick(FENCE)

    assert len(mailbox.mails) == 1
