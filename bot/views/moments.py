"""Moments in tables, where Slack has no date tokens."""

from __future__ import annotations

from datetime import UTC, datetime

from services.domain.words import age


def since(moment: datetime, as_of: datetime | None) -> str:
    """How long ago, as of the clock that wrote the moment; the moment itself when that clock is not known."""
    return age(as_of - moment) if as_of else clock(moment)


def clock(moment: datetime) -> str:
    """ "23 Nov 17:59": a table has room for no more, and says that it is UTC."""
    return moment.astimezone(UTC).strftime("%d %b %H:%M")


def clock_seconds(moment: datetime) -> str:
    """ "17:59:05", for the lines of a log."""
    return moment.astimezone(UTC).strftime("%H:%M:%S")
