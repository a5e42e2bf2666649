"""What an absent database means, from independent signals; pure."""

from __future__ import annotations

from services.domain.errors import Unavailable
from services.domain.health import ApiHealth

CANNOT_LOOK = frozenset({"missing_scope", "not_in_channel", "no_permission", "access_denied"})


def wakes_people(api: ApiHealth | Unavailable, *, refuses_writes: bool = False) -> bool:
    """Whether phones are to ring: unless the API reaches the database, so that only the bot is blind.

    `refuses_writes`: the database answers the bot and stores nothing. That concerns the bot alone only where the API,
    which tries as well, calls itself healthy.
    """
    if isinstance(api, Unavailable) or not api.db_connected:
        return True
    return refuses_writes and not api.is_ok
