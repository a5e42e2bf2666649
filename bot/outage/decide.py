"""What an absent database means, from independent signals; pure."""

from __future__ import annotations

from services.domain.errors import Unavailable
from services.domain.health import ApiHealth

CANNOT_LOOK = frozenset({"missing_scope", "not_in_channel", "no_permission", "access_denied"})


def wakes_people(api: ApiHealth | Unavailable) -> bool:
    """Whether phones are to ring: unless the API reaches the database, so that only the bot is blind."""
    return isinstance(api, Unavailable) or not api.db_connected
