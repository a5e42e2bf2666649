"""Says once in the channel which settings are missing or malformed, so that nobody finds out at 3 a.m."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.settings import Fault, Settings, require
from bot.views.alerts import disabled
from services.domain.errors import SourceError
from services.postgres.outbox import store_message
from services.postgres.pool import Database
from services.slack.client import Blocks, SlackClient
from services.slack.pace import Urgency

logger = logging.getLogger(__name__)

_AGAIN_AFTER = timedelta(days=1)  # without a database: do not repeat at every restart


async def announce_disabled(
    faults: Sequence[Fault], settings: Settings, database: Database | None, slack: SlackClient
) -> None:
    """Nothing when there are none. The same faults are said once, whatever the number of replicas and restarts."""
    if not faults:
        return
    for fault in faults:
        logger.warning("disabled: %s", fault)
    channel = require(settings.slack).incidents_channel
    shown = [(fault.variable, fault.problem) for fault in faults]
    key = "settings:" + hashlib.sha256(repr(sorted(shown)).encode()).hexdigest()[:16]
    text, blocks = disabled(shown, settings.environment)
    try:
        if database is None or not await _stored(database, key, channel, text, blocks):
            await _post(slack, key, channel, text, blocks)
    except SourceError as error:
        logger.warning("the channel was not told of the settings: %s", error.why)


async def _stored(database: Database, key: str, channel: str, text: str, blocks: Blocks) -> bool:
    try:
        async with database.transaction() as conn:
            await store_message(conn, key=key, channel=channel, text=text, blocks=blocks)
    except SourceError as error:
        logger.warning("the outbox cannot be written: %s", error.why)
        return False
    return True


async def _post(slack: SlackClient, key: str, channel: str, text: str, blocks: Blocks) -> None:
    channel_id = await slack.channel_id(channel)
    try:
        if await slack.find(channel_id, key, since=datetime.now(UTC) - _AGAIN_AFTER) is not None:
            return
    except SourceError as error:
        logger.info("not known whether it was said already: %s", error.why)
    await slack.post(channel_id, text, blocks, key=key, urgency=Urgency.NOTE)
