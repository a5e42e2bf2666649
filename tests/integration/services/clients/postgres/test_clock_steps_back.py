"""The database's clock steps back: a stored "not before" or "until" lasts no longer than its maximum."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.clients.postgres import alerts, deliveries, messages, notifications
from services.clients.postgres.machine_limits import take_machine_request
from services.clients.postgres.pool import Connection, Database
from services.domain.channels import Channel
from services.domain.messages import PAGE, OutboxQueue

STEP = timedelta(minutes=15)
CLAIM = timedelta(seconds=30)
GAP, AFTERMATH = timedelta(minutes=1), timedelta(seconds=90)


async def claim(database: Database, owner: str) -> bool:
    async with database.transaction() as conn:
        return await deliveries.claim_delivery(conn, key="k", owner=owner, duration=CLAIM)


async def step_claims(database: Database, by: timedelta) -> None:
    """Change the claims as if the database's clock had stepped back by so much."""
    async with database.transaction() as conn:
        await conn.execute("UPDATE chatops.deliveries SET claimed_until = claimed_until + %s", (by,))


async def test_a_delivery_of_a_dead_replica_is_taken_after_its_claim_at_most(database: Database) -> None:
    assert await claim(database, "dead")
    await step_claims(database, STEP)

    assert not await claim(database, "next")  # its owner may still be working

    async with database.read() as conn:
        state = await deliveries.read_delivery(conn, key="k")
    assert state is not None
    assert 0 < state.busy_for_s <= CLAIM.total_seconds()
    await step_claims(database, -CLAIM)
    assert await claim(database, "next")


async def test_a_claim_within_its_bounds_is_left_as_it_is(database: Database) -> None:
    assert await claim(database, "alive")
    await step_claims(database, -CLAIM / 2)

    assert not await claim(database, "next")

    async with database.read() as conn:
        state = await deliveries.read_delivery(conn, key="k")
    assert state is not None
    assert state.busy_for_s <= CLAIM.total_seconds() / 2


async def test_a_machine_waits_for_its_next_change_no_longer_than_its_pace(database: Database) -> None:
    async def ask() -> bool:
        async with database.transaction() as conn:
            return await take_machine_request(conn, machine="machine:ci", burst=2, every=timedelta(minutes=1))

    assert [await ask() for _ in range(3)] == [True, True, False]  # the burst is used up
    async with database.transaction() as conn:
        await conn.execute("UPDATE chatops.machine_limits SET due_at = due_at + %s", (STEP,))

    assert [await ask() for _ in range(3)] == [True, True, False]


async def store(conn: Connection, key: str, pause: timedelta) -> None:
    await messages.store_message(conn, key=key, channel="c", text="one", blocks=[], priority=PAGE)
    await messages.mark_refused(conn, key=key, error="late", pause=pause, maybe_posted=False)


async def test_a_page_waits_in_the_outbox_no_longer_than_anything_is_postponed(database: Database) -> None:
    async with database.transaction() as conn:
        await store(conn, "postponed", timedelta(minutes=1))
        await store(conn, "before the step", STEP)
        await store(conn, "said by another", timedelta())
        await messages.keep_unposted(conn, key="said by another")

        due = await messages.list_due_messages(
            conn, outbox_queue=OutboxQueue.PAGES, may_post=True, may_update=True, limit=20
        )
        wait_s = await messages.read_outbox_wait(conn, outbox_queue=OutboxQueue.PAGES, may_post=True, may_update=True)

    assert [message.key for message in due] == ["before the step"]
    assert wait_s == 0.0


async def test_a_pager_waits_no_longer_than_anything_is_postponed(database: Database) -> None:
    async with database.transaction() as conn:
        for key, pause in (("a:1", timedelta(minutes=1)), ("b:1", STEP)):
            await notifications.store_notification(
                conn, key=key, means=Channel.WEBHOOK, target="ann", subject="PAGE", text="ingest 0 of 2 beating"
            )
            await notifications.postpone_notification(conn, key=key, error="late", pause=pause)

        due = await notifications.lock_due_notifications(conn, means=Channel.WEBHOOK, limit=20)
        wait_s = await notifications.read_notifications_wait(conn, means=Channel.WEBHOOK)

    assert [one.key for one in due] == ["b:1"]
    assert wait_s == 0.0


async def test_no_one_is_blind_for_longer_than_an_outage_has_effects(database: Database) -> None:
    now = datetime.now(UTC)
    async with database.transaction() as conn:
        await alerts.note_evaluation(conn, now=now - 2 * GAP, gap=GAP, aftermath=AFTERMATH)
        before = await alerts.note_evaluation(conn, now=now, gap=GAP, aftermath=AFTERMATH)

        after = await alerts.note_evaluation(conn, now=now - STEP, gap=GAP, aftermath=AFTERMATH)
        later = await alerts.note_evaluation(conn, now=now - STEP + GAP, gap=GAP, aftermath=AFTERMATH)

    assert before == now + AFTERMATH
    assert after == later == now - STEP + AFTERMATH


async def test_evaluator_has_no_gap_when_it_evaluates_in_time(database: Database) -> None:
    now = datetime.now(UTC)
    async with database.transaction() as conn:
        looks = [
            await alerts.note_evaluation(conn, now=now + number * GAP / 2, gap=GAP, aftermath=AFTERMATH)
            for number in range(3)
        ]

    assert looks == [None, None, None]
