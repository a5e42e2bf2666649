"""Senders of notifications over a real database, a pager and a mail server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.config.environment import Settings
from bot.delivery.pages import Pagers, PagerTransport, pager_deliveries
from bot.periodic_tasks import PeriodicTask
from bot.wake_ups import WakeUps
from bot.web.metrics import Metrics
from services.clients.pagers.webhook import Webhooks
from services.clients.postgres import messages, notifications
from services.clients.postgres.pool import Database
from services.domain.channels import OUTSIDE_SLACK, Channel
from services.domain.notifications import Notification, PageEvent
from services.domain.secrets import Secret
from tests.conftest import DatabaseUrls
from tests.outside import Mailbox, Phone
from tests.outside import mailbox as mailbox
from tests.outside import phone as phone

THREAD = "incident:1"


@dataclass
class Stage:
    """`pager` and `mail` are the senders; `woken` counts the wake-ups of the outbox, `retold` lists the root messages
    that were written again."""

    database: Database
    pager: PeriodicTask
    mail: PeriodicTask
    wake_ups: WakeUps
    woken: list[None] = field(default_factory=list)
    retold: list[str] = field(default_factory=list)

    async def store(self, key: str = "incident:1:1", means: Channel = Channel.WEBHOOK, **changes: Any) -> None:
        given = {"target": "ann", "subject": "PAGE prod", "text": "318 waiting", "thread_key": THREAD} | changes
        async with self.database.transaction() as conn:
            await messages.store_message(conn, key=THREAD, channel="c", text="incident", blocks=[])
            await notifications.store_notification(conn, key=key, means=means, **given)

    async def end(self, event: PageEvent) -> None:
        """End the pages of incident 1: acknowledged or resolved, by `event`."""
        async with self.database.transaction() as conn:
            await notifications.end_pages(
                conn, key_prefix="incident:1:", thread_key=THREAD, event=event, subject=f"{event} prod", text="in Slack"
            )

    async def read(self, key: str = "incident:1:1") -> Notification:
        async with self.database.read() as conn:
            [found] = [n for n in await notifications.list_notifications(conn, thread_key=THREAD) if n.key == key]
            return found

    async def posted(self) -> dict[str, str]:
        """Return `{key of a message in the thread: its blocks as JSON}`."""
        async with self.database.read() as conn:
            cur = await conn.execute("SELECT key, blocks::text FROM chatops.outbox WHERE thread_key IS NOT NULL")
            return dict(await cur.fetchall())

    async def age(self, minutes: int) -> None:
        """Let time pass: everything was stored so many minutes earlier and is due now."""
        async with self.database.transaction() as conn:
            await conn.execute(
                "UPDATE chatops.notifications SET created_at = created_at - make_interval(mins => %s), "
                "next_try_at = clock_timestamp()",
                [minutes],
            )


def settings_for(phone: Phone, mailbox: Mailbox) -> Settings:
    """Settings with Ann's pager and mail, and a pager whose address no HTTP client accepts."""
    return Settings.from_environment(
        {
            "ENVIRONMENT": "prod",
            "SUPABASE_MODE": "prod",
            "PAGER_WEBHOOK_URL_ANN": phone.url,
            "PAGER_WEBHOOK_URL_BROKEN": "http://xn--a/hook",
            "PAGER_EMAIL_ANN": "ann@example.com",
            "SMTP_URL": mailbox.url,
            "SMTP_FROM": "bot@example.com",
        }
    )


@pytest.fixture
async def stage(database_urls: DatabaseUrls, phone: Phone, mailbox: Mailbox) -> AsyncIterator[Stage]:
    settings = settings_for(phone, mailbox)
    database = Database.connect_lazily(Secret(database_urls.bot), application_name="test", timeout_s=60.0)
    webhooks = Webhooks(timeout_s=30.0)
    wake_ups = WakeUps(poll_s=30.0)
    woken: list[None] = []
    retold: list[str] = []

    async def rewrite_root(key: str) -> None:
        retold.append(key)

    transports = (
        PagerTransport(
            means,
            database,
            Pagers(settings, webhooks),
            environment="prod",
            workspace_url=lambda: "https://acme.slack.com/",
            channel="dragonfly-incidents",
            metrics=Metrics(),
            rewrite_root=rewrite_root,
            phones_of=lambda _, target: ("+49 30 1234567",) if target in ("ann", "ben") else (),
        )
        for means in OUTSIDE_SLACK
    )
    pager, mail = pager_deliveries(transports, wake_ups)
    with wake_ups.outbox.listen(lambda: woken.append(None)):
        yield Stage(database, pager, mail, wake_ups, woken, retold)
    await webhooks.aclose()
    await database.close()
