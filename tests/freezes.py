"""A freeze of the API by Olivia, whose fields a test can change."""

from __future__ import annotations

from datetime import datetime

from services.domain.freezes import FREEZE, Freeze
from services.domain.services import Service


def new_freeze(at: datetime, **more: object) -> Freeze:
    """Make a freeze that is in force from `at`, without an end."""
    fields: dict[str, object] = {
        "id": 3,
        "kind": FREEZE,
        "service": Service.API,
        "owner": "U0OLIVIA",
        "reason": "the import runs",
        "created_at": at,
        "starts_at": at,
        "owner_name": "Olivia",
    }
    return Freeze(**(fields | more))  # type: ignore[arg-type]
