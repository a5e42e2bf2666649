"""How the local Railway's GraphQL endpoint misbehaves on request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Faults:
    """All off by default.

    `http_status`: answer this instead (429 comes with `retry_after_s`). `delay_s`: wait before every answer.
    `malformed`: answer something that is no JSON. `refuse_token`: as if the token had been revoked.
    `ignore_changes`: mutations answer `true`, and nothing follows.
    """

    http_status: int | None = None
    retry_after_s: int = 30
    delay_s: float = 0.0
    malformed: bool = False
    refuse_token: bool = False
    ignore_changes: bool = False
