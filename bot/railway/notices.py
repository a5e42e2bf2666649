"""Announces events of Railway's webhook other than deployments: processes killed for lack of memory, volumes, monitors.

Railway names these events but documents no format, so their content is shown as received, masked. An unknown kind is
shown as unknown, once per day. No decision depends on any of it: the webhook is unsigned, so only a few are shown per
hour, and the others are counted.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from bot.views.railway_notices import NoticeKind, RailwayNotice, more_notices_message, notice_message
from bot.wake_ups import WakeUps
from services.clients.postgres import messages, railway_notices
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.masking import mask_message
from services.domain.services import Service
from services.domain.text import read_json

logger = logging.getLogger(__name__)

_KINDS = {
    "deploymentoomkilled": NoticeKind.OUT_OF_MEMORY,
    "volumealerttriggered": NoticeKind.VOLUME_FILLS,
    "volumealertresolved": NoticeKind.VOLUME_HAS_ROOM,
    "monitortriggered": NoticeKind.MONITOR_FIRES,
    "monitorresolved": NoticeKind.MONITOR_RESOLVED,
    "monitordeleted": NoticeKind.MONITOR_DELETED,
}
MOST_DETAILS, WORD_LIMIT = 6, 80
MOST_PER_HOUR = 20  # of known kinds, and as many of others: more than a bad night brings, and still readable


def read_notice(body: bytes, find_service: Callable[[str], Service | None]) -> RailwayNotice | None:
    """Parse an event; None for other events of deployments, which are read from Railway itself, and for malformed
    ones."""
    try:
        event = read_json(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    name = _word(event.get("type")) or "without a type"
    letters = re.sub(r"[^a-z]", "", name.lower())
    kind = _KINDS.get(letters)
    if kind is None and (letters == "deploy" or letters.startswith("deployment")):
        return None
    resource = _object(event.get("resource"))
    service = _word(_object(resource.get("service")).get("name"))
    found = find_service(service) if service else None
    return RailwayNotice(
        kind=kind or NoticeKind.UNKNOWN,
        name=name,
        service=found,
        where=service or _word(_object(resource.get("project")).get("name")),
        severity=_word(event.get("severity")),
        at=_word(event.get("timestamp")),
        details=tuple(_details(event.get("details"))),
    )


def _details(details: Any) -> Iterator[tuple[str, str]]:
    """The plain values, without ids, which help no one."""
    plain = ((key, value) for key, value in _object(details).items() if isinstance(value, str | int | float))
    known = [(_word(key), _word(value)) for key, value in plain if not str(key).lower().endswith("id")]
    yield from [one for one in known if all(one)][:MOST_DETAILS]


def _word(value: Any) -> str:
    """The value as one short masked line; empty if it is not plain text or a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return mask_message(" ".join(str(value).split())[:WORD_LIMIT])


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class RailwayNotices:
    """Posts notices in the channel, from the replica that was called; each once, however often Railway repeats it."""

    def __init__(
        self, database: Database, wake_ups: WakeUps, *, channel: str, find_service: Callable[[str], Service | None]
    ) -> None:
        self._database = database
        self._wake_ups = wake_ups
        self._channel = channel
        self._find_service = find_service

    async def take(self, body: bytes) -> None:
        """Store the notice. Raises SourceError if that fails: then Railway sends the event again."""
        notice = read_notice(body, self._find_service)
        if notice is None:
            return
        async with self._database.transaction() as conn:
            key = notice_key(notice, body, await read_clock(conn))
            if await messages.read_message_content(conn, key=key) is None:
                await self._post(conn, key, notice)
        self._wake_ups.outbox.set()

    async def _post(self, conn: Connection, key: str, notice: RailwayNotice) -> None:
        """Write the notice, or the count of those that are not shown."""
        hour, taken = await railway_notices.count_railway_notice(conn, is_known=notice.is_known)
        text, blocks = notice_message(notice)
        if taken > MOST_PER_HOUR:
            key = f"railway:more:{'known' if notice.is_known else 'unknown'}:{hour.astimezone(UTC):%Y%m%dT%H}"
            text, blocks = more_notices_message(taken - MOST_PER_HOUR, is_known=notice.is_known)
        await messages.store_message(conn, key=key, channel=self._channel, text=text, blocks=blocks)


def notice_key(notice: RailwayNotice, body: bytes, now: datetime) -> str:
    """The key of a notice, the same for a repeated event. An event without a time counts as new after 1 min."""
    if not notice.is_known:
        return f"railway:notice:{_digest(notice.name.encode())}:{now.astimezone(UTC):%Y%m%d}"
    minute = b"" if notice.at else f"{now.astimezone(UTC):%Y%m%dT%H%M}".encode()
    return f"railway:notice:{_digest(body + minute)}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]
