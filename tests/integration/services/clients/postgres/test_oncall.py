"""Overrides: listed until they end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.clients.postgres import oncall
from services.clients.postgres.pool import Connection
from tests.integration.services.clients.postgres.test_incidents import ANN


async def test_overrides_are_there_until_they_end(as_bot: Connection) -> None:
    now = datetime.now(UTC)

    async def stand_in(rotation: str, begins: timedelta, ends: timedelta) -> int:
        return await oncall.add_override(
            as_bot, rotation=rotation, user_id="U2", begins_at=now + begins, ends_at=now + ends, by=ANN
        )

    hour = timedelta(hours=1)
    await stand_in("primary", -2 * hour, -hour)
    running, later = await stand_in("primary", -hour, hour), await stand_in("primary", hour, 2 * hour)
    other = await stand_in("secondary", -hour, hour)

    assert [one.id for one in await oncall.list_overrides(as_bot)] == [running, later, other]
    assert await oncall.end_overrides(as_bot, rotation="primary", now=now) == [running]
    assert [one.id for one in await oncall.list_overrides(as_bot)] == [later, other]
    taken_back = await oncall.end_override(as_bot, override_id=later, now=now)
    assert taken_back is not None
    assert (taken_back.begins_at, taken_back.ends_at) == (now, now)
    assert await oncall.end_override(as_bot, override_id=later, now=now) is None
    assert [one.id for one in await oncall.list_overrides(as_bot)] == [other]
